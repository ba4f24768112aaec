//! No listener and no socket between devices outlives what it was for, and a call moves as it may.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::device::calls::{CallEnd, CallEvent, Path};
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, ConnId};
use countersign_core::limits::{DIRECT_ADDRESSES_MAX, DIRECT_TIME_MAX, LINGER_TIME_MAX};

use countersign_core::wire::Code;

use super::connections::{TOLD_US, UNTOLD_US};
use crate::story::weather::Weather;
use crate::story::{Program, Seen, Side, is_direct};

/// What a shell may take to answer, and a busy machine to wake somebody.
const GRACE_US: u64 = 1_000_000;
/// How long a listener may be there, or a socket that is not the direct connection of a call.
pub(super) const ATTEMPT_US: u64 = micros(DIRECT_TIME_MAX.as_secs()) + GRACE_US;
/// How long the last words on a socket may take.
pub(super) const LEAVING_US: u64 = micros(LINGER_TIME_MAX.as_secs()) + GRACE_US;

const fn micros(seconds: u64) -> u64 {
    seconds * 1_000_000
}

/// All sockets and listeners between devices.
#[derive(Debug, Default)]
pub(super) struct Direct {
    second: u64,
    listeners: BTreeMap<(Program, CallId), u64>,
    sockets: BTreeMap<(ConnId, Side), Socket>,
    /// Connections of which one end was dropped and the other is still there: since when.
    halves: BTreeMap<ConnId, u64>,
    /// Connections with which the network has done something.
    harmed: BTreeSet<ConnId>,
    calls: BTreeMap<(Program, CallId), Call>,
    /// The devices whose machines sleep, and since when.
    asleep: BTreeMap<usize, u64>,
}

#[derive(Debug)]
struct Socket {
    program: Program,
    since_us: u64,
}

#[derive(Debug, Default)]
struct Call {
    path: Option<Path>,
    moved: bool,
    listened: bool,
    /// When it last left the direct way, or ended.
    left_us: Option<u64>,
    ended: bool,
}

impl Direct {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        if at_us / 1_000_000 > self.second {
            self.second = at_us / 1_000_000;
            self.overdue(at_us)?;
        }
        match seen {
            Seen::Listens(_, _, []) => {}
            Seen::Listens(program, call, at) => return self.listens((*program, *call), at.len(), at_us),
            Seen::Unlistens(program, call) => drop(self.listeners.remove(&(*program, *call))),
            Seen::Met { conn, listener: Some((program, _)), .. } => {
                let socket = Socket { program: *program, since_us: at_us };
                self.sockets.insert((*conn, Side::Listener), socket);
            }
            Seen::Reached(conn, program) => {
                let socket = Socket { program: *program, since_us: at_us };
                self.sockets.insert((*conn, Side::Dialler), socket);
            }
            Seen::Dropped(conn, side) if is_direct(*conn) => self.gone(*conn, *side, at_us),
            Seen::CutOneWay(conn, _) | Seen::Stalled(conn, _) | Seen::Cut { conn, .. } => {
                self.harmed.insert(*conn);
            }
            Seen::Delivered { conn, flipped: true, .. } => drop(self.harmed.insert(*conn)),
            Seen::Network(weather) => {
                if let Weather::HalfOpen(conn, side) = weather {
                    self.gone(*conn, side.other(), at_us);
                }
                self.harmed.extend(weather.harms());
            }
            Seen::Slept(device) => self.sleeps(*device, at_us),
            Seen::Awoke(device, _) => self.wakes(*device, at_us),
            Seen::Told(who, Event::Call(call, event)) => return self.told((who.program, *call), event, at_us),
            Seen::Killed(who) => {
                for (_, call) in self.calls.iter_mut().filter(|((holder, _), _)| *holder == who.program) {
                    (call.ended, call.left_us) = (true, Some(at_us));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// One end has its socket no more.
    fn gone(&mut self, conn: ConnId, side: Side, at_us: u64) {
        self.sockets.remove(&(conn, side));
        self.halves.remove(&conn);
        if self.sockets.contains_key(&(conn, side.other())) {
            self.halves.insert(conn, at_us);
        }
    }

    /// What goes to a machine that sleeps goes nowhere, and nobody is told.
    fn sleeps(&mut self, device: usize, at_us: u64) {
        self.asleep.insert(device, at_us);
        let hers = self.sockets.iter().filter(|(_, socket)| socket.program.device == device);
        self.harmed.extend(hers.map(|((conn, _), _)| *conn));
    }

    /// The time that a machine slept is not held against it.
    fn wakes(&mut self, device: usize, at_us: u64) {
        let Some(since_us) = self.asleep.remove(&device) else { return };
        let slept_us = at_us - since_us;
        for (_, listening_us) in self.listeners.iter_mut().filter(|((program, _), _)| program.device == device) {
            *listening_us += slept_us;
        }
        for ((conn, _), socket) in self.sockets.iter_mut().filter(|(_, socket)| socket.program.device == device) {
            socket.since_us += slept_us;
            if let Some(half_us) = self.halves.get_mut(conn) {
                *half_us = at_us;
            }
        }
        for (_, call) in self.calls.iter_mut().filter(|((program, _), _)| program.device == device) {
            call.left_us = call.left_us.map(|left_us| left_us + slept_us);
        }
    }

    fn listens(&mut self, end: (Program, CallId), count: usize, at_us: u64) -> Result<(), String> {
        let (device, id) = (end.0.device, end.1);
        let call = self.calls.entry(end).or_default();
        if std::mem::replace(&mut call.listened, true) {
            return Err(format!("device {device} listens twice for call {id}"));
        }
        if count > DIRECT_ADDRESSES_MAX {
            return Err(format!("device {device} listens at {count} addresses for call {id}"));
        }
        self.listeners.insert(end, at_us);
        Ok(())
    }

    /// A call begins in the tunnel, may leave it once, and may come back once, with a reason.
    fn told(&mut self, end: (Program, CallId), event: &CallEvent, at_us: u64) -> Result<(), String> {
        let (device, id) = (end.0.device, end.1);
        let call = self.calls.entry(end).or_default();
        match event {
            CallEvent::Open(_, path) => call.path = Some(*path),
            CallEvent::Moved(Path::Direct, None) if call.path == Some(Path::Tunnel) && !call.moved => {
                (call.path, call.moved) = (Some(Path::Direct), true);
            }
            CallEvent::Moved(Path::Tunnel, Some(_)) if call.path == Some(Path::Direct) || !call.moved => {
                (call.path, call.moved, call.left_us) = (Some(Path::Tunnel), true, Some(at_us));
            }
            CallEvent::Moved(path, why) => {
                let (from, moved) = (call.path, call.moved);
                return Err(format!(
                    "call {id} of device {device} moves from {from:?} to {path:?} ({why:?}), moved before: {moved}"
                ));
            }
            CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::OTHER_WAY))) => {
                return Err(format!("call {id} of device {device} is over, and is said to go on by another way"));
            }
            CallEvent::Ended(_) => (call.ended, call.left_us, call.path) = (true, Some(at_us), None),
            _ => {}
        }
        Ok(())
    }

    fn overdue(&self, at_us: u64) -> Result<(), String> {
        let awake = |program: &Program| !self.asleep.contains_key(&program.device);
        for ((program, id), since_us) in self.listeners.iter().filter(|((program, _), _)| awake(program)) {
            let device = program.device;
            let over = self.calls.get(&(*program, *id)).filter(|call| call.ended || call.moved);
            if at_us > since_us + ATTEMPT_US {
                return Err(format!("device {device} has listened for call {id} for too long"));
            }
            let left_us = over.map(|call| call.left_us.unwrap_or(*since_us));
            if over.is_some_and(|call| call.ended) && left_us.is_some_and(|left_us| at_us > left_us + GRACE_US) {
                return Err(format!("device {device} listens for call {id}, which is over"));
            }
        }
        let mut old: BTreeMap<Program, usize> = BTreeMap::new();
        let too_old = |socket: &&Socket| at_us > socket.since_us + ATTEMPT_US + LEAVING_US;
        for socket in self.sockets.values().filter(|socket| awake(&socket.program)).filter(too_old) {
            *old.entry(socket.program).or_default() += 1;
        }
        for (program, count) in old {
            let of_use = |((holder, _), call): &(&(Program, CallId), &Call)| {
                *holder == program
                    && (call.path == Some(Path::Direct)
                        || call.left_us.is_some_and(|left_us| at_us <= left_us + LEAVING_US))
            };
            let most = self.calls.iter().filter(of_use).count();
            if count > most {
                let device = program.device;
                return Err(format!(
                    "device {device} keeps {count} direct connections, and {most} are of use to a call"
                ));
            }
        }
        for (conn, since_us) in &self.halves {
            let ends = [Side::Dialler, Side::Listener].map(|side| self.sockets.get(&(*conn, side)));
            if ends.into_iter().flatten().any(|socket| !awake(&socket.program)) {
                continue;
            }
            let most_us = if self.harmed.contains(conn) { UNTOLD_US } else { TOLD_US };
            if at_us > since_us + most_us {
                return Err(format!("one end of direct connection {conn} is gone and the other does not know"));
            }
        }
        Ok(())
    }
}
