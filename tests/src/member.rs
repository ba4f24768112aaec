//! Decides how a test is a member itself: the device's own machine over a socket that the test reads when it likes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::time::Instant as Clock;

use countersign_core::device::enrol::{EnrolInput, EnrolResult, Enrolment};
use countersign_core::device::{Command, Device, Event, Identity, Input, Output};
use countersign_core::id::{ConnId, Fingerprint};
use countersign_core::invite::InviteLink;
use countersign_core::pki::SecretKey;
use countersign_core::time::{Instant, Now};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::DEADLINE;
use crate::stranger::{device_name, env, now as wall};

/// A member whose socket is read only while something of it is awaited.
#[derive(Debug)]
pub struct Member {
    device: Device,
    rng: ChaCha20Rng,
    address: SocketAddr,
    wire: Option<(ConnId, TcpStream)>,
    told: Vec<Event>,
}

/// Enrols a device called `laptop` by a link, and gives who it is from now on.
pub fn enrol(address: SocketAddr, link: &str, name: &str) -> Identity {
    let mut rng = ChaCha20Rng::from_seed(Fingerprint::of(name.as_bytes()).0);
    let link = InviteLink::parse(link).expect("a link that the server printed");
    let mut machine = Enrolment::new(env(), link, device_name(name, "laptop"), SecretKey::draw(&mut rng));
    let mut stream = connect(address);
    machine.handle(&EnrolInput::Start, now());
    loop {
        while let Some(output) = machine.poll_output() {
            if let Output::Dial(conn) = output {
                machine.handle(&EnrolInput::Connected(conn), now());
            } else if let Output::Write(conn) = output {
                let bytes = machine.outbound().to_vec();
                stream.write_all(&bytes).expect("the server takes what a newcomer says");
                machine.handle(&EnrolInput::Sent(conn, bytes.len()), now());
            }
        }
        match machine.result() {
            Some(EnrolResult::Enrolled(identity)) => return (**identity).clone(),
            Some(other) => panic!("{name} is not enrolled: {other:?}"),
            None => {}
        }
        let mut buffer = [0; 16 * 1024];
        match stream.read(&mut buffer).expect("the server answers in time") {
            0 => machine.handle(&EnrolInput::Ended(ConnId(1)), now()),
            n => machine.handle(&EnrolInput::Received(ConnId(1), buffer.get(..n).unwrap_or_default()), now()),
        }
    }
}

impl Member {
    /// Connects, and waits until the relay has said who is here.
    pub fn attend(address: SocketAddr, identity: Identity) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(u64::from(std::process::id()));
        let device = Device::new(env(), identity, true);
        let mut member = Self { device, rng, address, wire: None, told: Vec::new() };
        member.feed(Input::Start);
        member.hear("who is here", |event| if let Event::Here(_) = event { Some(()) } else { None });
        member
    }

    /// Wishes something.
    pub fn wish(&mut self, command: Command) {
        self.feed(Input::Command(command));
    }

    /// Waits for news of which `take` makes something; what came before it is passed over.
    pub fn hear<T>(&mut self, what: &str, mut take: impl FnMut(&Event) -> Option<T>) -> T {
        let until = Clock::now() + DEADLINE;
        loop {
            while !self.told.is_empty() {
                if let Some(found) = take(&self.told.remove(0)) {
                    return found;
                }
            }
            assert!(Clock::now() < until, "{what} does not come");
            self.read();
        }
    }

    /// The news that are here already.
    pub fn news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told)
    }

    /// Reads what has come, without waiting for more.
    pub fn catch_up(&mut self) {
        let set = |member: &Self, nonblocking| {
            if let Some((_, stream)) = &member.wire {
                stream.set_nonblocking(nonblocking).expect("a socket can be set so");
            }
        };
        set(self, true);
        while self.wire.is_some() && self.read() {}
        set(self, false);
    }

    /// Reads once. Whether something came.
    fn read(&mut self) -> bool {
        let (conn, stream) = self.wire.as_mut().expect("the member is connected");
        let (conn, mut buffer) = (*conn, [0; 16 * 1024]);
        match stream.read(&mut buffer) {
            Ok(0) => {
                self.wire = None;
                self.feed(Input::Ended(conn));
                false
            }
            Ok(n) => {
                self.feed(Input::Received(conn, buffer.get(..n).unwrap_or_default()));
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("the server neither speaks nor closes: {error}"),
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.device.handle(input, now(), &mut self.rng);
        // What it wants of the world is done at once; a wish that this test has no use for is left alone.
        while let Some(output) = self.device.poll_output() {
            if let Output::Tell(event) = output {
                self.told.push(event);
            } else if let Output::Dial(conn) = output {
                self.wire = Some((conn, connect(self.address)));
                self.device.handle(Input::Connected(conn), now(), &mut self.rng);
            } else if let Output::Write(conn) = output {
                let bytes = self.device.outbound(conn).to_vec();
                if let Some((_, stream)) = self.wire.as_mut().filter(|(known, _)| *known == conn) {
                    stream.set_nonblocking(false).expect("a socket can be set so");
                    stream.write_all(&bytes).expect("the server reads");
                    self.device.handle(Input::Sent(conn, bytes.len()), now(), &mut self.rng);
                }
            } else if let Output::Shut(conn) = output
                && let Some((_, stream)) = self.wire.as_ref().filter(|(known, _)| *known == conn)
            {
                // One that the server has closed already is as good.
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
    stream.set_write_timeout(Some(DEADLINE)).expect("the deadline is not zero");
    stream.set_nodelay(true).expect("a socket can be set so");
    stream
}

fn now() -> Now {
    static START: LazyLock<Clock> = LazyLock::new(Clock::now);
    let micros = u64::try_from(START.elapsed().as_micros()).expect("a test is short");
    Now { mono: Instant(1_000_000 + micros), wall: wall() }
}
