//! Every connection that ends on one side ends on the other, each with its reason, within a deadline.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::ConnId;
use countersign_core::limits::{HANDSHAKE_TIME_MAX, LINGER_TIME_MAX, PING_AFTER, SILENCE_TIME_MAX, WAITING_TIME_MAX};

use crate::story::weather::Weather;
use crate::story::{Phase, Program, Seen, is_direct};

/// How long the other side may take to learn of an end that it is told of, in microseconds.
pub(super) const TOLD_US: u64 = micros(LINGER_TIME_MAX.as_secs() + 7);
/// How long it may take to find out for itself: a cut that nobody is told of, or bytes that never make a whole record.
pub(super) const UNTOLD_US: u64 = micros(
    SILENCE_TIME_MAX.as_secs() + PING_AFTER.as_secs() + HANDSHAKE_TIME_MAX.as_secs() + LINGER_TIME_MAX.as_secs(),
);
/// The same where the relay waits with a newcomer, for as long as anybody may wait.
const WAITING_US: u64 = micros(WAITING_TIME_MAX.as_secs() + LINGER_TIME_MAX.as_secs());

const fn micros(seconds: u64) -> u64 {
    seconds * 1_000_000
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    conns: BTreeMap<ConnId, Conn>,
    /// The connection of each program that has one.
    current: BTreeMap<Program, ConnId>,
    /// Programs that come back by the enrolment channel, where nothing is said on leaving: there is nothing to lose.
    returning: BTreeSet<Program>,
    /// By when both sides of a connection must have their reasons.
    due: BTreeSet<(u64, ConnId)>,
}

#[derive(Debug)]
struct Conn {
    relay: Knows,
    device: Knows,
    harm: Harm,
    /// Whether the device said that it had left in good order.
    left: bool,
    /// Whether the relay saw the bytes stop without a goodbye.
    broke_off: bool,
    /// Whether the device's machine sleeps, and can know nothing.
    asleep: bool,
    /// How long its ends have to find out what nobody tells them. The relay asks a newcomer who waits for another device of
    /// theirs for no sign of life.
    untold_us: u64,
    /// Since when it is over, as far as anybody can know, while somebody has no reason yet.
    since_us: Option<u64>,
}

/// What one side knows of a connection's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knows {
    /// It was never connected, as far as this side is concerned.
    Never,
    /// It is not over.
    Open,
    /// It is over, for a reason.
    Over,
    /// There is nobody to know: the process is gone.
    Gone,
}

/// What the network or a process did to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// Nothing.
    None,
    /// Something of which both ends are told.
    Told,
    /// Something that they have to find out for themselves.
    Untold,
}

impl Connections {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.overdue(at_us)?;
        match seen {
            Seen::Told(who, Event::Lapsed(_)) => drop(self.returning.insert(who.program)),
            Seen::Told(who, Event::Online(_) | Event::ServerClock(_)) => drop(self.returning.remove(&who.program)),
            _ => {}
        }
        match seen {
            Seen::Opened(conn, _) => self.opened(*conn),
            Seen::Knocked(conn, _) if !is_direct(*conn) => self.opened(*conn),
            Seen::Connected(conn, who) => {
                self.current.insert(who.program, *conn);
                self.set(*conn, at_us, |known| known.device = Knows::Open);
            }
            Seen::Cut { conn, .. } | Seen::Stalled(conn, _) | Seen::Delivered { conn, flipped: true, .. }
                if is_direct(*conn) => {}
            Seen::Cut { conn, silent } => self.set(*conn, at_us, |known| {
                known.harm = known.harm.max(if *silent { Harm::Untold } else { Harm::Told });
                known.since_us = known.since_us.or(Some(at_us));
            }),
            Seen::Stalled(conn, _) | Seen::Delivered { conn, flipped: true, .. } => {
                self.set(*conn, at_us, |known| known.harm = Harm::Untold);
            }
            Seen::Network(weather) => self.weather(weather, at_us),
            // Nobody is there to answer, villains neither.
            Seen::Away(true) => self.everybody_is_away(at_us),
            Seen::Noted(Note::Closed(conn, device, reason)) => {
                if device.is_some() && *reason == CloseReason::TimedOut && self.is_unharmed(*conn) {
                    return Err(format!("the relay gives up connection {conn}, with which nothing is wrong"));
                }
                return self.closed(*conn, *reason == CloseReason::Truncated, at_us);
            }
            Seen::Noted(Note::TurnedAway(conn)) => return self.closed(*conn, false, at_us),
            Seen::Crashed(..) => self.relay_gone(at_us),
            Seen::Phase(Phase::Over) => return self.all_closed(),
            Seen::Told(who, Event::Offline(reason, _) | Event::GivenUp(reason) | Event::Lapsed(Some(reason))) => {
                let conn = self.device_knows(who.program, Knows::Over, at_us);
                if *reason == CloseReason::TimedOut && conn.is_some_and(|conn| self.is_unharmed(conn)) {
                    return Err(format!("{} gives up a connection with which nothing is wrong", who.name.user));
                }
            }
            Seen::Told(who, Event::Done) => {
                if let Some(conn) = self.device_knows(who.program, Knows::Over, at_us) {
                    let left = !self.returning.contains(&who.program);
                    self.set(conn, at_us, |known| known.left = left);
                    return self.goodbye_arrived(conn);
                }
            }
            // What came of the way back is told once its connection has ended.
            Seen::EnrolEnded(who, ..) | Seen::Told(who, Event::ServerClock(_)) => {
                self.device_knows(who.program, Knows::Over, at_us);
            }
            Seen::Waits(who, _) => {
                if let Some(conn) = self.current.get(&who.program).copied() {
                    self.set(conn, at_us, |known| known.untold_us = WAITING_US);
                }
            }
            Seen::Killed(who) => drop(self.device_knows(who.program, Knows::Gone, at_us)),
            Seen::Slept(device) => self.sleeps(*device, true, at_us),
            Seen::Awoke(device, _) => self.sleeps(*device, false, at_us),
            _ => {}
        }
        Ok(())
    }

    /// What the network does to a connection: both ends are told of a reset, and find out everything else by themselves.
    fn weather(&mut self, weather: &Weather, at_us: u64) {
        if let Weather::Reset(conn, _) = weather {
            self.set(*conn, at_us, |known| {
                known.harm = known.harm.max(Harm::Told);
                known.since_us = known.since_us.or(Some(at_us));
            });
        }
        if let Some(conn) = weather.harms() {
            let over = matches!(weather, Weather::Forgotten(_) | Weather::HalfOpen(..));
            self.set(conn, at_us, |known| {
                known.harm = Harm::Untold;
                known.since_us = known.since_us.or(over.then_some(at_us));
            });
        }
    }

    fn opened(&mut self, conn: ConnId) {
        let (relay, device) = (Knows::Open, Knows::Never);
        let (harm, asleep, since_us) = (Harm::None, false, None);
        let new = Conn { relay, device, harm, left: false, broke_off: false, asleep, untold_us: UNTOLD_US, since_us };
        self.conns.insert(conn, new);
    }

    /// The relay has closed a connection, for a reason.
    fn closed(&mut self, conn: ConnId, broke_off: bool, at_us: u64) -> Result<(), String> {
        if self.conns.get(&conn).is_none_or(|known| known.relay != Knows::Open) {
            return Err(format!("the relay closes connection {conn}, which is not open"));
        }
        self.set(conn, at_us, |known| (known.relay, known.broke_off) = (Knows::Over, broke_off));
        self.goodbye_arrived(conn)
    }

    /// Where a device left in good order and nothing came between, the relay has heard its goodbye.
    fn goodbye_arrived(&self, conn: ConnId) -> Result<(), String> {
        match self.conns.get(&conn) {
            Some(known) if known.left && known.broke_off && known.harm == Harm::None => {
                Err(format!("the device left connection {conn} in good order, and to the relay it broke off"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The run is over, and the relay has shut down.
    fn all_closed(&self) -> Result<(), String> {
        let open = |known: &Conn| known.relay == Knows::Open && known.device == Knows::Open;
        match self.conns.iter().find(|(_, known)| open(known)) {
            Some((conn, _)) => Err(format!("connection {conn} is open at both ends, and the run is over")),
            None => Ok(()),
        }
    }

    fn everybody_is_away(&mut self, at_us: u64) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.set(conn, at_us, |known| known.harm = Harm::Untold);
        }
    }

    fn relay_gone(&mut self, at_us: u64) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.set(conn, at_us, |known| {
                if known.relay == Knows::Open {
                    known.relay = Knows::Gone;
                    known.harm = known.harm.max(Harm::Told);
                }
            });
        }
    }

    /// While a machine sleeps the other side has to find out for itself, and the machine has all its time after that.
    fn sleeps(&mut self, device: usize, asleep: bool, at_us: u64) {
        let hers: Vec<ConnId> =
            self.current.iter().filter_map(|(program, conn)| (program.device == device).then_some(*conn)).collect();
        for conn in hers {
            self.set(conn, at_us, |known| {
                (known.harm, known.asleep) = (Harm::Untold, asleep);
                if !asleep {
                    known.since_us = known.since_us.and(Some(at_us));
                }
            });
        }
    }

    /// Whether an honest device is at the other end and nothing has happened to it: a villain may fall silent.
    fn is_unharmed(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|known| known.device != Knows::Never && known.harm == Harm::None)
    }

    /// The device's side of its current connection is over; which one that was.
    fn device_knows(&mut self, program: Program, knows: Knows, at_us: u64) -> Option<ConnId> {
        let conn = self.current.remove(&program)?;
        self.set(conn, at_us, |known| known.device = knows);
        Some(conn)
    }

    /// Changes what is known of a connection, and sets or lifts its deadline.
    fn set(&mut self, conn: ConnId, at_us: u64, change: impl FnOnce(&mut Conn)) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let was_due = known.due();
        change(known);
        let over = known.relay != Knows::Open || matches!(known.device, Knows::Over | Knows::Gone);
        let awaited = known.relay == Knows::Open || known.device == Knows::Open;
        if over && known.since_us.is_none() {
            known.since_us = Some(at_us);
        }
        if !awaited {
            known.since_us = None;
        }
        if let Some(due_us) = was_due {
            self.due.remove(&(due_us, conn));
        }
        if let Some(due_us) = known.due() {
            self.due.insert((due_us, conn));
        }
    }

    fn overdue(&self, at_us: u64) -> Result<(), String> {
        match self.due.first() {
            Some((due_us, conn)) if *due_us < at_us => {
                let side = match self.conns.get(conn) {
                    Some(known) if known.relay == Knows::Open => "relay",
                    Some(_) | None => "device",
                };
                Err(format!("connection {conn} is over, and the {side} has no reason for it yet"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Conn {
    /// By when both sides must have their reasons.
    fn due(&self) -> Option<u64> {
        if self.asleep && self.relay != Knows::Open {
            return None;
        }
        Some(self.since_us? + if self.harm == Harm::Untold { self.untold_us } else { TOLD_US })
    }
}
