//! Decides the order of one turn: carry out what the machine wants, wait, feed it what came, seal and write at the end.
//!
//! A machine has one connection to the server that counts and perhaps an older one that still lingers, and the direct
//! connections of its calls. The server is tried on every address that its name has, in order, each with its share of
//! the time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::device::calls::{FIRST_ACCEPTED, FIRST_DIALLED};
use countersign_core::device::{Event, Output};
use countersign_core::id::ConnId;
use countersign_core::invite::Endpoint;
use countersign_core::limits::{DIRECT_TIME_MAX, HANDSHAKE_TIME_MAX};
use countersign_core::time::{Instant, Now};
use mio::net::TcpStream;
use mio::{Events, Poll, Registry, Token, Waker};

use super::addresses;
use super::holding::Hold;
use super::listeners::Listeners;
use super::local::desk::Wish;
use super::lookup::Lookup;
use super::machine::{Answer, Happened, Machine};
use crate::clock::Clock;
use crate::exit::Failure;
use crate::socket::{Connecting, Socket, Turn};

/// Wakes the loop from another thread: something was typed, or a name was looked up.
const WAKER: Token = Token(0);
/// Wakes the loop: a signal came.
pub const SIGNAL: Token = Token(1);
/// The sockets' tokens begin here; each has one that no other had before.
const FIRST_TOKEN: usize = 2;
/// The machine gives up on a connection after [`HANDSHAKE_TIME_MAX`]; all its addresses have had their turn before.
const DIAL_TIME: Duration = HANDSHAKE_TIME_MAX.saturating_sub(Duration::from_secs(1));
/// One read.
const BUFFER_BYTES: usize = 16 * 1024;

/// The loop and its sockets.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    clock: Clock,
    endpoint: Endpoint,
    waker: Arc<Waker>,
    lookup: Lookup,
    slots: Vec<Slot>,
    listeners: Listeners,
    /// For a device that takes part in conversations.
    hold: Option<Hold>,
    /// When the caller wants to be woken, whatever the machine wants.
    alarm: Option<Instant>,
    last_token: usize,
    /// How many connections the listeners have taken.
    accepted: u64,
    told: VecDeque<Event>,
    buffer: Vec<u8>,
    /// Why the last connection could not be made, in the operating system's words.
    no_connection: String,
}

#[derive(Debug)]
struct Slot {
    conn: ConnId,
    token: Token,
    socket: Socket,
    /// While the connection is not there yet.
    dialling: Option<Dialling>,
    ended: bool,
}

/// Where else to try.
#[derive(Debug)]
struct Dialling {
    rest: VecDeque<SocketAddr>,
    share: Duration,
    until: Instant,
}

impl Reactor {
    /// A loop for a machine whose server is at `endpoint`.
    pub fn new(endpoint: Endpoint, clock: Clock) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(|error| no_loop(&error))?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(|error| no_loop(&error))?);
        Ok(Self {
            poll,
            events: Events::with_capacity(16),
            clock,
            lookup: Lookup::new(endpoint.clone(), Arc::clone(&waker)),
            endpoint,
            waker,
            slots: Vec::new(),
            listeners: Listeners::new(None),
            hold: None,
            alarm: None,
            last_token: FIRST_TOKEN,
            accepted: 0,
            told: VecDeque::new(),
            buffer: vec![0; BUFFER_BYTES],
            no_connection: String::new(),
        })
    }

    /// The same loop, whose calls listen at these ports, or at any.
    #[must_use]
    pub fn with_ports(mut self, ports: Option<RangeInclusive<u16>>) -> Self {
        self.listeners = Listeners::new(ports);
        self
    }

    /// The same loop for a device that takes part in conversations: what it wants kept is kept there.
    pub fn with_hold(mut self, mut hold: Hold) -> Result<Self, Failure> {
        let token = next(&mut self.last_token);
        hold.register(self.poll.registry(), token).map_err(|error| no_loop(&error))?;
        self.hold = Some(hold);
        Ok(self)
    }

    /// What a device that takes part in conversations has of them.
    pub fn hold(&mut self) -> Option<&mut Hold> {
        self.hold.as_mut()
    }

    /// The loop is over: what was kept of conversations is closed.
    pub fn close(self) -> Result<(), Failure> {
        self.hold.map_or(Ok(()), Hold::close)
    }

    /// What other programs of the device bring.
    pub fn wishes(&mut self) -> Vec<Wish> {
        let Some(hold) = &mut self.hold else { return Vec::new() };
        let last = &mut self.last_token;
        hold.wishes(self.poll.registry(), &mut || next(last))
    }

    /// From now on no turn waits for longer than until then.
    pub fn wake_at(&mut self, alarm: Option<Instant>) {
        self.alarm = alarm;
    }

    /// Something to wake the loop with from another thread. The loop keeps it for longer than any thread lives: a waker
    /// that is dropped takes a wake with it that was not seen yet.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Where other sources of events register.
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// What the machine has told its user.
    pub fn told(&mut self) -> Option<Event> {
        self.told.pop_front()
    }

    /// Why the last connection could not be made.
    pub fn no_connection(&self) -> &str {
        &self.no_connection
    }

    /// One turn. Waits until there is something to do, unless the machine has just told something.
    pub fn turn(&mut self, machine: &mut impl Machine) -> Result<(), Failure> {
        self.carry_out(machine)?;
        let wait = self.wait(machine);
        match self.poll.poll(&mut self.events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(no_loop(&error)),
        }
        for event in &self.events {
            if let Some(slot) = self.slots.iter_mut().find(|slot| slot.token == event.token()) {
                slot.socket.event(event);
            } else if !self.hold.as_mut().is_some_and(|hold| hold.event(event)) {
                self.listeners.event(event.token());
            }
        }
        if let Some((conn, found)) = self.lookup.take() {
            self.found(conn, found, machine);
        }
        self.take_in(machine);
        self.dial_on(machine);
        self.transfer(machine);
        let now = self.now();
        if machine.next_deadline().is_some_and(|at| at <= now.mono) {
            machine.tick(now);
        }
        self.carry_out(machine)
    }

    /// How long nothing has to be done.
    fn wait(&self, machine: &impl Machine) -> Option<Duration> {
        let at_work = |slot: &Slot| slot.dialling.is_none() && !slot.ended && slot.socket.is_readable();
        let has_errands = self.hold.as_ref().is_some_and(Hold::has_work);
        if has_errands || !self.told.is_empty() || self.listeners.is_knocked() || self.slots.iter().any(at_work) {
            return Some(Duration::ZERO);
        }
        let dialling = self.slots.iter().filter_map(|slot| slot.dialling.as_ref().map(|dialling| dialling.until));
        let next = machine.next_deadline().into_iter().chain(dialling).chain(self.alarm).min()?;
        Some(next.since(self.now().mono))
    }

    /// Does what the machine wants done. Only what is to be kept can fail so that the program has to end.
    ///
    /// # Panics
    /// If the machine takes part in conversations and the loop was not made with what it has of them.
    pub fn carry_out(&mut self, machine: &mut impl Machine) -> Result<(), Failure> {
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Dial(conn) => {
                    self.lookup.start(conn);
                    // An address needs no lookup.
                    if let Some((conn, found)) = self.lookup.take() {
                        self.found(conn, found, machine);
                    }
                }
                Output::Write(conn) => self.write(conn, machine),
                Output::Shut(conn) => {
                    if let Some(slot) = self.slots.iter_mut().find(|slot| slot.conn == conn) {
                        slot.socket.shut();
                    }
                }
                Output::Drop(conn) => self.forget(conn),
                Output::DialPeer(conn, address) => {
                    self.dial_next(conn, VecDeque::from([address]), DIRECT_TIME_MAX, machine);
                }
                Output::FindAddresses(call) => {
                    machine.answered(call, Answer::Addresses(&addresses::own()), self.now());
                }
                Output::Listen(call, on) => {
                    let last = &mut self.last_token;
                    let at = self.listeners.open(call, &on, self.poll.registry(), || next(last));
                    machine.answered(call, Answer::Listening(&at), self.now());
                }
                Output::Unlisten(call) => self.listeners.close(call, self.poll.registry()),
                Output::Keep(id, keep) => {
                    let hold = self.hold.as_mut().expect("a device without conversations has nothing kept of them");
                    // The disk's turn of a few milliseconds: what is to leave waits for it in any case.
                    hold.keep(keep)?;
                    machine.kept(id, self.now());
                }
                Output::Tell(event) => self.told.push_back(event),
            }
        }
        Ok(())
    }

    /// Begins to connect.
    fn found(&mut self, conn: ConnId, found: io::Result<Vec<SocketAddr>>, machine: &mut impl Machine) {
        let rest = match found {
            Ok(addresses) => VecDeque::from(addresses),
            Err(error) => {
                let why = words(&error);
                let why = why.rsplit(": ").next().unwrap_or(&why);
                self.no_connection = format!("the name {} can't be looked up: {why}", self.endpoint.host());
                return machine.happened(conn, Happened::Unreachable, self.now());
            }
        };
        let share = DIAL_TIME / u32::try_from(rest.len().max(1)).unwrap_or(u32::MAX);
        if rest.is_empty() {
            "it has no address".clone_into(&mut self.no_connection);
        }
        self.dial_next(conn, rest, share, machine);
    }

    /// Tries the next address that lets itself be tried.
    fn dial_next(&mut self, conn: ConnId, mut rest: VecDeque<SocketAddr>, share: Duration, machine: &mut impl Machine) {
        while let Some(address) = rest.pop_front() {
            tracing::debug!(%address, "dialling");
            let token = next(&mut self.last_token);
            match Socket::connect(address, self.poll.registry(), token) {
                Ok(socket) => {
                    let until = self.now().mono.plus(share);
                    let dialling = Some(Dialling { rest, share, until });
                    self.slots.push(Slot { conn, token, socket, dialling, ended: false });
                    return;
                }
                Err(error) => self.not_there(conn, words(&error)),
            }
        }
        machine.happened(conn, Happened::Unreachable, self.now());
    }

    /// Remembers why a connection to the server could not be made; a direct one has its own words.
    fn not_there(&mut self, conn: ConnId, why: String) {
        if conn.0 < FIRST_DIALLED {
            self.no_connection = why;
        }
    }

    /// Takes in who came to the listeners.
    fn take_in(&mut self, machine: &mut impl Machine) {
        for (call, stream) in self.listeners.take() {
            let token = next(&mut self.last_token);
            // Whoever can't be taken into the loop has come in vain.
            if let Ok(socket) = self.taken(stream, token) {
                self.accepted += 1;
                let conn = ConnId(FIRST_ACCEPTED + self.accepted);
                self.slots.push(Slot { conn, token, socket, dialling: None, ended: false });
                machine.answered(call, Answer::Accepted(conn), self.now());
            }
        }
    }

    fn taken(&self, stream: TcpStream, token: Token) -> io::Result<Socket> {
        Socket::accepted(stream, self.poll.registry(), token)
    }

    /// Sees what has come of the connections that are being made.
    fn dial_on(&mut self, machine: &mut impl Machine) {
        let now = self.now();
        let conns: Vec<ConnId> =
            self.slots.iter().filter(|slot| slot.dialling.is_some()).map(|slot| slot.conn).collect();
        for conn in conns {
            let Some(slot) = self.slots.iter_mut().find(|slot| slot.conn == conn) else { continue };
            let late = slot.dialling.as_ref().is_some_and(|dialling| dialling.until <= now.mono);
            let failure = match slot.socket.connecting() {
                Ok(Connecting::Connected) => {
                    slot.dialling = None;
                    machine.happened(conn, Happened::Connected, now);
                    continue;
                }
                Ok(Connecting::Wait) if late => "no answer".to_owned(),
                Ok(Connecting::Wait) => continue,
                Err(error) => words(&error),
            };
            let dialling = slot.dialling.take();
            self.not_there(conn, failure);
            self.forget(conn);
            if let Some(Dialling { rest, share, .. }) = dialling {
                self.dial_next(conn, rest, share, machine);
            }
        }
    }

    /// Writes where room has come, and reads what is there.
    fn transfer(&mut self, machine: &mut impl Machine) {
        let now = self.now();
        let conns: Vec<ConnId> =
            self.slots.iter().filter(|slot| slot.dialling.is_none()).map(|slot| slot.conn).collect();
        for conn in conns {
            if !machine.outbound(conn).is_empty() {
                self.write(conn, machine);
            }
            let Some(slot) = self.slots.iter_mut().find(|slot| slot.conn == conn) else { continue };
            if slot.ended || !slot.socket.is_readable() {
                continue;
            }
            let turn = slot.socket.read(&mut self.buffer, |bytes| {
                machine.happened(conn, Happened::Received(bytes), now);
            });
            if turn == Turn::Ended {
                slot.ended = true;
                machine.happened(conn, Happened::Ended, now);
            }
        }
    }

    fn write(&mut self, conn: ConnId, machine: &mut impl Machine) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.conn == conn) else { return };
        let taken = slot.socket.write(machine.outbound(conn), self.poll.registry());
        if taken > 0 {
            machine.happened(conn, Happened::Sent(taken), self.clock.now());
        }
    }

    fn forget(&mut self, conn: ConnId) {
        if self.lookup.forget(conn) {
            self.no_connection = format!("the name {} was not found in time", self.endpoint.host());
        }
        if let Some(at) = self.slots.iter().position(|slot| slot.conn == conn) {
            let slot = self.slots.swap_remove(at);
            if slot.dialling.is_some() {
                self.not_there(conn, "no answer".to_owned());
            }
            slot.socket.close(self.poll.registry());
        }
    }
}

fn next(last: &mut usize) -> Token {
    *last += 1;
    Token(*last)
}

/// The operating system's words without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn no_loop(error: &io::Error) -> Failure {
    Failure::failed(format_args!(
        "the operating system gives no event loop ({error}): raise the limit on open files, then try again"
    ))
}

#[cfg(test)]
mod tests;
