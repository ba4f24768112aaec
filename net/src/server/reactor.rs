//! Decides the order of one turn of the server's loop: wait, hear everybody, and only then speak.
//!
//! ```text
//! poll      until a socket, the journal, the operator or a signal has something, or the machine's next deadline
//! remember  what each event says
//! feed      the journal's outcomes, stretched passwords, time, newcomers, bytes, requests: all inputs of the turn
//! drain     the outputs: frames of the turn are sealed now, those of one connection together
//! ends      sockets that have ended are told to the machine after what came before was answered
//! ```
//!
//! It decides nothing about people or messages: it carries bytes in and outputs out.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::effect::Note;
use countersign_core::id::{AdminId, AppendId, ConnId, LoadId, SnapshotId};
use countersign_core::limits::{ACCEPTS_PER_TURN_MAX, LINGER_TIME_MAX};
use countersign_core::operator::{Answer, Command};
use countersign_core::server::{Input, Output, Server, Source};
use countersign_core::time::{Instant, Now};
use mio::net::TcpStream;
use mio::{Events, Poll, Waker};

use super::admin::Desk;
use super::conns::Conns;
use super::ledger::Ledger;
use super::notes::Notes;
use super::place::Place;
use super::port::Port;
use super::stretcher::Stretcher;
use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::Failure;
use crate::signals::Signals;
use crate::store::journal::{Done, Journal, JournalStats};

const EVENTS_PER_TURN: usize = 1024;
/// How long everybody has to part once the server shuts down.
const SHUTDOWN_TIME_MAX: Duration = LINGER_TIME_MAX;

/// The server's loop and everything that is in it.
#[derive(Debug)]
pub(super) struct Reactor {
    poll: Poll,
    events: Events,
    clock: Clock,
    server: Server,
    ledger: Ledger,
    stretcher: Stretcher,
    /// None, once the shutdown has begun.
    ports: Vec<Port>,
    desk: Desk,
    signals: Signals,
    conns: Conns,
    notes: Notes,
    /// A command of our own, and its answer.
    own: Option<(AdminId, Option<Answer>)>,
    /// Set when the shutdown has begun: when it ends at the latest.
    ends_at: Option<Instant>,
}

impl Reactor {
    /// Puts everything into one loop.
    pub(super) fn new(
        clock: Clock,
        server: Server,
        journal: Journal,
        mut ports: Vec<Port>,
        mut desk: Desk,
        mut signals: Signals,
    ) -> Result<Self, Failure> {
        let mut build = || {
            let poll = Poll::new()?;
            ports.iter_mut().try_for_each(|port| port.register(poll.registry()))?;
            desk.register(poll.registry())?;
            signals.register(poll.registry(), Place::Signals.token())?;
            let waker = Waker::new(poll.registry(), Place::Journal.token())?;
            Ok((poll, Arc::new(waker)))
        };
        let (poll, waker) = build().map_err(|error| broken_loop(&error))?;
        let stretcher = Stretcher::start(Arc::clone(&waker)).map_err(|error| broken_loop(&error))?;
        let ledger = Ledger::new(journal.spawn(waker).map_err(Failure::failed)?);
        let mut reactor = Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            clock,
            server,
            ledger,
            stretcher,
            ports,
            desk,
            signals,
            conns: Conns::default(),
            notes: Notes::default(),
            own: None,
            ends_at: None,
        };
        // A new realm's first record, a grant that a crash left unsigned.
        reactor.drain(reactor.clock.now());
        Ok(reactor)
    }

    /// Has the machine carry out a command of our own, and goes on with everything else until it is answered.
    pub(super) fn ask(&mut self, command: &Command) -> Result<Answer, Failure> {
        let id = self.desk.next_request();
        self.own = Some((id, None));
        let now = self.clock.now();
        self.server.handle(Input::Operator(id, command), now, &mut OsEntropy);
        self.drain(now);
        loop {
            if let Some((_, Some(answer))) = self.own.take_if(|(_, answer)| answer.is_some()) {
                return Ok(answer);
            }
            self.turn()?;
        }
    }

    /// Turns until a new realm's first record is on the disk. Before that there is no realm that could be called ready.
    pub(super) fn found(&mut self) -> Result<(), Failure> {
        while self.server.state().realm().is_none() {
            self.turn()?;
        }
        Ok(())
    }

    /// The operator's desk.
    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Turns until a signal asks for the end and everybody has parted.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        while !self.is_finished() {
            self.turn()?;
        }
        self.desk.close();
        let JournalStats { transactions, records } = self.ledger.stats();
        for done in self.ledger.close() {
            if let Done::Failed { error } = done {
                return Err(Failure::failed(error));
            }
        }
        tracing::info!(records, syncs = transactions, "ended in good order");
        Ok(())
    }

    /// One turn, however long it is until something happens.
    fn turn(&mut self) -> Result<(), Failure> {
        self.turn_within(Duration::MAX)
    }

    /// One turn, which waits no longer than this. An error ends the process: what was not answered stays unanswered.
    fn turn_within(&mut self, longest: Duration) -> Result<(), Failure> {
        let timeout = self.timeout().map_or(longest, |timeout| timeout.min(longest));
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Ok(()) => self.remember(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(broken_loop(&error)),
        }
        let now = self.clock.now();
        let ended = self.feed(now)?;
        self.drain(now);
        for conn in ended {
            self.server.handle(Input::Ended(conn), now, &mut OsEntropy);
        }
        self.drain(now);
        self.conns.close_dropped(self.poll.registry());
        Ok(())
    }

    /// How long nothing has to be done, if nothing happens.
    fn timeout(&self) -> Option<Duration> {
        let has_work = self.conns.has_readable() || self.desk.has_work() || self.ports.iter().any(Port::is_ready);
        // While the journal is behind nobody is heard, and it is its thread that wakes us.
        let is_behind = self.ledger.is_behind();
        if has_work && !is_behind {
            return Some(Duration::ZERO);
        }
        let machine = self.server.next_deadline().map(|(at, _)| at);
        let pause = self.ports.iter().filter_map(Port::deadline).min().filter(|_| !is_behind);
        let deadlines = [machine, pause, self.ends_at];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.since(self.clock.now().mono))
    }

    /// Remembers what the events say; what is done about it is decided below.
    fn remember(&mut self) {
        for event in &self.events {
            match Place::of(event.token()) {
                Place::Port(number) => {
                    if let Some(port) = self.ports.get_mut(number) {
                        port.event();
                    }
                }
                Place::Desk => self.desk.event(),
                Place::Visitor(number) => self.desk.visitor_event(number),
                Place::Conn(id) => self.conns.event(id, event),
                // Asked in every turn.
                Place::Journal | Place::Signals => {}
            }
        }
    }

    /// Gives the machine all inputs of this turn; the connections that have ended are left for later.
    fn feed(&mut self, now: Now) -> Result<Vec<ConnId>, Failure> {
        self.hear_journal(now)?;
        while let Some((id, stretched)) = self.stretcher.next() {
            self.server.handle(Input::Stretched(id, stretched.as_ref()), now, &mut OsEntropy);
        }
        if self.signals.came() && self.ends_at.is_none() {
            self.shut_down(now);
        }
        let mut ended = Vec::new();
        if !self.ledger.is_behind() {
            self.let_in(now);
            let server = &mut self.server;
            ended = self.conns.read(|conn, bytes| {
                server.handle(Input::Received(conn, bytes), now, &mut OsEntropy);
            });
            for (id, command) in self.desk.requests(self.poll.registry()) {
                self.server.handle(Input::Operator(id, &command), now, &mut OsEntropy);
            }
        }
        for conn in self.conns.take_roomy() {
            self.write(conn, now);
        }
        if self.server.next_deadline().is_some_and(|(at, _)| at <= now.mono) {
            self.server.handle(Input::Tick, now, &mut OsEntropy);
        }
        Ok(ended)
    }

    fn hear_journal(&mut self, now: Now) -> Result<(), Failure> {
        while let Some(done) = self.ledger.next() {
            let input = match &done {
                Done::Appended { id, first, .. } => Input::Appended(AppendId(*id), *first),
                Done::Loaded { id, body } => Input::Loaded(LoadId(*id), body.as_deref()),
                Done::LoadedBody { id, bytes } => Input::LoadedBody(LoadId(*id), bytes.as_deref()),
                Done::Cleared => continue,
                Done::Snapshotted { id, error } => {
                    if let Some(error) = error {
                        tracing::error!(%error, "a snapshot was not written");
                    }
                    Input::Snapshotted(SnapshotId(*id), error.is_none())
                }
                Done::Failed { error } => return Err(Failure::failed(error)),
            };
            self.server.handle(input, now, &mut OsEntropy);
        }
        Ok(())
    }

    fn let_in(&mut self, now: Now) {
        // A crowd at one port does not keep those at another waiting.
        let share = ACCEPTS_PER_TURN_MAX / self.ports.len().max(1);
        let newcomers: Vec<_> = self.ports.iter_mut().flat_map(|port| port.accept(share, now.mono)).collect();
        for (stream, from) in newcomers {
            self.opened(stream, from, now);
        }
    }

    fn opened(&mut self, stream: TcpStream, from: SocketAddr, now: Now) {
        match self.conns.open(stream, from, self.poll.registry()) {
            Ok(conn) => {
                tracing::debug!(conn = conn.0, %from, "connected");
                self.server.handle(Input::Opened(conn, Source::of(from.ip())), now, &mut OsEntropy);
            }
            Err(error) => tracing::warn!(%from, %error, "a connection ended before it began"),
        }
    }

    /// Carries out everything that the machine wants done.
    fn drain(&mut self, now: Now) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Append(id, records) => self.ledger.append(id, records),
                Output::Load(id, n) => self.ledger.load(id, n),
                Output::LoadBody(id, n) => self.ledger.load_body(id, n),
                Output::DropBodies(gone) => self.ledger.drop_bodies(gone),
                Output::KeepBodies(needed) => self.ledger.keep_bodies(needed),
                Output::Snapshot(id, n, bytes) => self.ledger.snapshot(id, n, bytes),
                Output::Stretch(id, stretch) => self.stretcher.stretch(id, stretch),
                Output::Write(conn) => self.write(conn, now),
                Output::Pause(conn) => self.conns.pause(conn),
                Output::Resume(conn) => self.conns.resume(conn),
                Output::Shut(conn) => self.conns.shut(conn),
                Output::Drop(conn) => self.conns.drop_later(conn),
                Output::Answer(id, answer) => match &mut self.own {
                    Some((own, slot)) if *own == id => *slot = Some(answer),
                    Some(_) | None => self.desk.answer(id, &answer),
                },
                Output::Note(note) => self.log(&note, now.mono),
            }
        }
    }

    fn write(&mut self, conn: ConnId, now: Now) {
        let taken = self.conns.write(conn, self.server.outbound(conn), self.poll.registry());
        if taken > 0 {
            self.server.handle(Input::Sent(conn, taken), now, &mut OsEntropy);
        }
    }

    fn log(&mut self, note: &Note, now: Instant) {
        let from = match note {
            Note::TurnedAway(conn)
            | Note::Admitted(conn, _)
            | Note::Paused(conn, _)
            | Note::Closed(conn, _, _)
            | Note::EnrolRefused(conn, _, _) => self.conns.from(*conn),
            Note::Issued(..)
            | Note::Invited(_)
            | Note::RelayCertified(_)
            | Note::Rotated(_)
            | Note::Revoked(_)
            | Note::IssuingEndsSoon(_)
            | Note::Snapshot(..)
            | Note::Strangers(_)
            | Note::Alarm(_) => None,
        };
        self.notes.log(note, from, now);
    }

    fn shut_down(&mut self, now: Now) {
        tracing::info!(connections = self.server.connections(), "shutting down");
        // From now on the ports are free for a successor.
        self.ports.clear();
        self.ends_at = Some(now.mono.plus(SHUTDOWN_TIME_MAX));
        self.server.handle(Input::Shutdown, now, &mut OsEntropy);
    }

    fn is_finished(&self) -> bool {
        self.ends_at.is_some_and(|at| self.server.is_finished() || at <= self.clock.now().mono)
    }
}

fn broken_loop(error: &io::Error) -> Failure {
    Failure::failed(format_args!(
        "the server's loop can't do its work ({error}): raise the limit on open files (ulimit -n), then start again"
    ))
}

#[cfg(test)]
mod tests;
