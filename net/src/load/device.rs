//! Decides how a whole device is driven for a measure: core's own machine over a socket, and what it needs for all that it does.
//!
//! Its disk is memory, since what a store costs is the store's affair; how much is kept is counted.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use countersign_core::device::conversations::{ConversationEvent, Rows};
use countersign_core::device::{Command, Device, Event, Following, Identity, Input, Output};
use countersign_core::id::ConnId;
use countersign_core::tls::{Lists, TlsEnv};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::field::rounded;
use super::halt::Halt;
use super::people::Person;
use super::talk::PATIENCE;
use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::Failure;

const READ_BYTES: usize = 64 * 1024;
/// How long a device may take for one thing: one of a room of a thousand needs most of a minute to catch up, on a busy machine more.
const LONGEST: Duration = Duration::from_secs(300);
/// How long is waited for bytes before it is looked at the time, and at signals.
const LOOK: Duration = Duration::from_millis(100);

/// A device, running or not.
#[derive(Debug)]
pub(super) struct Real {
    env: TlsEnv,
    halt: Halt,
    clock: Clock,
    identity: Identity,
    address: SocketAddr,
    rows: Rows,
    machine: Option<Device>,
    wire: Option<(ConnId, TcpStream)>,
    told: VecDeque<Event>,
    spent: Spent,
}

/// What a device has needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// How long its machine has computed.
    pub(super) computed: Duration,
    /// Bytes that it has sent.
    pub(super) sent: u64,
    /// Bytes that have come.
    pub(super) received: u64,
    /// Bytes that it has had kept.
    pub(super) kept: u64,
}

impl Spent {
    /// For the report: of each so many.
    pub(super) fn to_json(self, of: u32) -> Value {
        let of = of.max(1);
        json!({
            "cpu_us": rounded(self.computed.as_secs_f64() * 1e6 / f64::from(of)),
            "sent_bytes": self.sent / u64::from(of),
            "received_bytes": self.received / u64::from(of),
            "kept_bytes": self.kept / u64::from(of),
        })
    }
}

impl Real {
    /// Somebody's device, which does not run yet.
    pub(super) fn new(person: &Person, address: SocketAddr, env: &TlsEnv, halt: &Halt) -> Self {
        let (name, credentials) = (person.name.clone(), person.credentials.clone());
        let identity = Identity {
            name,
            credentials,
            trust: person.trust.clone(),
            log: Following::default(),
            lists: Lists::default(),
        };
        Self {
            env: env.clone(),
            halt: halt.clone(),
            clock: Clock::start(),
            identity,
            address,
            rows: Rows::default(),
            machine: None,
            wire: None,
            told: VecDeque::new(),
            spent: Spent::default(),
        }
    }

    /// Starts it, and runs it until it has taken in what was posted while it was away.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        let begun = computed();
        let machine = Device::new(self.env.clone(), self.identity.clone(), false).with_conversations(&self.rows);
        self.machine = Some(machine);
        self.spent.computed += computed().saturating_sub(begun);
        self.feed(Input::Start)?;
        self.until("all that was posted", |event| matches!(event, ConversationEvent::CaughtUp))
    }

    /// Ends it in good order.
    pub(super) fn stop(&mut self) -> Result<(), Failure> {
        self.feed(Input::Command(Command::Quit))?;
        self.hear("its end", |event| matches!(event, Event::Done).then_some(()))?;
        if let Some(machine) = self.machine.take() {
            self.identity.log = machine.following().clone();
        }
        self.wire = None;
        self.told.clear();
        Ok(())
    }

    /// Wishes something.
    pub(super) fn wish(&mut self, command: Command) -> Result<(), Failure> {
        self.feed(Input::Command(command))
    }

    /// Runs it until it is told this of conversations. A wish that fails is a failure.
    pub(super) fn until(
        &mut self,
        what: &str,
        mut is_it: impl FnMut(&ConversationEvent) -> bool,
    ) -> Result<(), Failure> {
        let refused = |event: &ConversationEvent| match event {
            ConversationEvent::NotSent(_, why) | ConversationEvent::GivenUp(_, _, why) => Some(why.to_string()),
            ConversationEvent::Sent(..)
            | ConversationEvent::Entry(_)
            | ConversationEvent::Met(..)
            | ConversationEvent::Changed(..)
            | ConversationEvent::OpenRooms(..)
            | ConversationEvent::Delivered(_)
            | ConversationEvent::CaughtUp => None,
        };
        let took = self.hear(what, |event| {
            let Event::Conversation(event) = event else { return None };
            refused(event).map(Err).or_else(|| is_it(event).then_some(Ok(())))
        })?;
        took.map_err(|why| Failure::refused(format_args!("{} waits in vain for {what}: {why}", self.identity.name)))
    }

    /// What it has needed since this was last asked.
    pub(super) fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    fn hear<T>(&mut self, what: &str, mut take: impl FnMut(&Event) -> Option<T>) -> Result<T, Failure> {
        let until = Instant::now() + LONGEST;
        loop {
            while let Some(event) = self.told.pop_front() {
                if let Some(found) = take(&event) {
                    return Ok(found);
                }
                if let Event::Offline(reason, _) | Event::GivenUp(reason) = event {
                    return Err(Failure::refused(format_args!("{} is parted with: {reason}", self.identity.name)));
                }
            }
            if Instant::now() > until {
                return Err(Failure::failed(format_args!("{} waits in vain for {what}", self.identity.name)));
            }
            self.halt.check()?;
            self.read()?;
        }
    }

    /// Reads once, and has the machine do what is due.
    fn read(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; READ_BYTES];
        let read = self.wire.as_mut().map(|(conn, stream)| (*conn, stream.read(&mut buffer)));
        match read {
            Some((conn, Ok(0))) => {
                self.wire = None;
                self.feed(Input::Ended(conn))?;
            }
            Some((conn, Ok(n))) => {
                self.spent.received += u64::try_from(n).unwrap_or(0);
                self.feed(Input::Received(conn, buffer.get(..n).unwrap_or_default()))?;
            }
            Some((_, Err(error))) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Some((_, Err(error))) => return Err(Failure::unreachable(format_args!("the server is lost ({error})"))),
            None => {}
        }
        let due = self.machine.as_ref().and_then(Device::next_deadline);
        if due.is_some_and(|(at, _)| at <= self.clock.now().mono) {
            self.feed(Input::Tick)?;
        }
        Ok(())
    }

    fn feed(&mut self, input: Input<'_>) -> Result<(), Failure> {
        self.handle(input);
        // What it wants of the world is done at once; what has nothing to do with conversations is left alone.
        while let Some(output) = self.poll() {
            if let Output::Tell(event) = output {
                self.told.push_back(event);
            } else if let Output::Dial(conn) = output {
                self.wire = Some((conn, connect(self.address)?));
                self.handle(Input::Connected(conn));
            } else if let Output::Write(conn) = output {
                self.write(conn)?;
            } else if let Output::Keep(id, keep) = output {
                for (row, bytes) in keep.rows {
                    self.spent.kept += bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(0));
                    match bytes {
                        Some(bytes) => drop(self.rows.insert(row, bytes)),
                        None => drop(self.rows.remove(&row)),
                    }
                }
                self.handle(Input::Kept(id));
            } else if let Output::Shut(_) = output
                && let Some((_, stream)) = &self.wire
            {
                // One that the server has closed already is as good.
                let _ = stream.shutdown(Shutdown::Write);
            } else if let Output::Drop(_) = output {
                self.wire = None;
            }
        }
        Ok(())
    }

    fn write(&mut self, conn: ConnId) -> Result<(), Failure> {
        let bytes = self.machine.as_ref().map(|machine| machine.outbound(conn).to_vec()).unwrap_or_default();
        if let Some((_, stream)) = self.wire.as_mut().filter(|(known, _)| *known == conn) {
            let lost = |error| Failure::unreachable(format_args!("the server is lost ({error})"));
            stream.write_all(&bytes).map_err(lost)?;
            self.spent.sent += u64::try_from(bytes.len()).unwrap_or(0);
            self.handle(Input::Sent(conn, bytes.len()));
        }
        Ok(())
    }

    fn handle(&mut self, input: Input<'_>) {
        let (now, begun) = (self.clock.now(), computed());
        if let Some(machine) = &mut self.machine {
            machine.handle(input, now, &mut OsEntropy);
        }
        self.spent.computed += computed().saturating_sub(begun);
    }

    fn poll(&mut self) -> Option<Output> {
        let begun = computed();
        let output = self.machine.as_mut()?.poll_output();
        self.spent.computed += computed().saturating_sub(begun);
        output
    }
}

/// How long this thread has computed.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let connected = TcpStream::connect(address).and_then(|stream| {
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    connected.map_err(|error| Failure::unreachable(format_args!("{address} can't be reached ({error})")))
}
