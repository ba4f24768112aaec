//! What a relay tells whom, by three sets: connections, presences and calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_core::fault::Fault;
use countersign_core::id::{AskId, ConnId, DeviceName, TunnelId};
use countersign_core::limits::{
    CONNECTIONS_PER_DEVICE_MAX, INTRODUCTIONS_MAX, INTRODUCTIONS_SPAN, RING_TIME_MAX, TUNNELS_PER_DEVICE_MAX,
};
use countersign_core::time::Instant;
use countersign_core::wire::relay::{Person, RelayEvent};
use countersign_core::wire::{Code, Extensions};

use crate::Done;
use crate::cast::{cast, laptop};

/// Of the four members so many come and go; the last one is known and never here.
pub(super) const COMERS: usize = 3;
/// The number of every question.
pub(super) const ASK: AskId = AskId(7);

/// What there is to know of a relay.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Whose each connection is.
    conns: BTreeMap<ConnId, usize>,
    /// Who is present, and by which connection.
    pub(super) here: BTreeMap<usize, ConnId>,
    pub(super) calls: BTreeMap<TunnelId, Call>,
    last_call: u64,
    /// Since when each connection has asked for how many introductions.
    asked: BTreeMap<ConnId, (Instant, u32)>,
    /// How much time has passed.
    waited: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    caller: ConnId,
    callee: ConnId,
    /// Until when it rings; `None` once it was taken.
    pub(super) rings: Option<Instant>,
}

impl Call {
    fn other(&self, conn: ConnId) -> Option<ConnId> {
        match conn {
            _ if conn == self.caller => Some(self.callee),
            _ if conn == self.callee => Some(self.caller),
            _ => None,
        }
    }
}

/// What the model says that a request leads to: a fault, or what is told.
pub(super) type Told = Result<Vec<Done>, Fault>;

impl Model {
    pub(super) fn now(&self) -> Instant {
        Instant(1).plus(self.waited)
    }

    pub(super) fn connect(&mut self, conn: ConnId, member: usize) -> Vec<Done> {
        self.conns.insert(conn, member);
        let own = || self.conns.iter().filter(|(_, owner)| **owner == member).map(|(conn, _)| *conn);
        let oldest = own().find(|conn| self.here.get(&member) != Some(conn));
        let too_many = own().count() > CONNECTIONS_PER_DEVICE_MAX;
        oldest.filter(|_| too_many).map(|conn| Done::Part(conn, Code::REPLACED)).into_iter().collect()
    }

    pub(super) fn leave(&mut self, conn: ConnId) -> Vec<Done> {
        let member = self.conns.remove(&conn).unwrap();
        let mut told = self.end_calls(conn);
        if self.here.get(&member) == Some(&conn) {
            self.here.remove(&member);
            told.extend(self.tell_all(conn, &RelayEvent::Presence { device: name(member), online: false }));
        }
        told
    }

    pub(super) fn attend(&mut self, conn: ConnId) -> Vec<Done> {
        let member = self.conns[&conn];
        let mut told = match self.here.get(&member).copied() {
            Some(current) if current == conn => return Vec::new(),
            Some(current) if current > conn => return vec![Done::Part(conn, Code::REPLACED)],
            Some(older) => {
                let mut told = self.end_calls(older);
                told.push(Done::Part(older, Code::REPLACED));
                told
            }
            None => self.tell_all(conn, &RelayEvent::Presence { device: name(member), online: true }),
        };
        self.here.insert(member, conn);
        let devices = self.here.keys().filter(|other| **other != member).map(|other| name(*other)).collect();
        told.push(Done::Told(conn, RelayEvent::Here { devices }));
        told
    }

    pub(super) fn who(&self, conn: ConnId, after: Option<usize>) -> Vec<Done> {
        let online = |member: usize| Person { user: name(member).user, online: self.here.contains_key(&member) };
        let people = (after.map_or(0, |after| after + 1)..4).map(online).collect();
        vec![Done::Told(conn, RelayEvent::People { ask: ASK, people, more: false })]
    }

    pub(super) fn call(&mut self, conn: ConnId, to: usize) -> Vec<Done> {
        match self.may_call(conn, to) {
            Err(code) => vec![Done::Told(conn, RelayEvent::Refused { ask: ASK, code })],
            Ok(callee) => {
                self.last_call += 1;
                let tunnel = TunnelId(self.last_call);
                let rings = Some(self.now().plus(RING_TIME_MAX));
                self.calls.insert(tunnel, Call { caller: conn, callee, rings });
                let (from, extensions) = (name(self.conns[&conn]), Extensions::default());
                vec![
                    Done::Told(conn, RelayEvent::Ringing { ask: ASK, tunnel, device: name(to) }),
                    Done::Told(callee, RelayEvent::Introduced { tunnel, from, extensions }),
                ]
            }
        }
    }

    fn may_call(&mut self, conn: ConnId, to: usize) -> Result<ConnId, Code> {
        let member = self.conns[&conn];
        if self.here.get(&member) != Some(&conn) {
            return Err(Code::TOO_EARLY);
        }
        if to == member {
            return Err(Code::SELF_CALL);
        }
        if to > COMERS {
            return Err(Code::NO_SUCH_USER);
        }
        let callee = self.here.get(&to).copied().ok_or(Code::OFFLINE)?;
        let now = self.now();
        let asked = self.asked.entry(conn).or_insert((now, 0));
        if now.since(asked.0) >= INTRODUCTIONS_SPAN {
            *asked = (now, 0);
        }
        let calls_of = |conn| self.calls.values().filter(|call| call.other(conn).is_some()).count();
        if asked.1 >= INTRODUCTIONS_MAX {
            return Err(Code::TOO_MANY_CALLS);
        }
        asked.1 += 1;
        if calls_of(conn) >= TUNNELS_PER_DEVICE_MAX {
            return Err(Code::TOO_MANY_CALLS);
        }
        if calls_of(callee) >= TUNNELS_PER_DEVICE_MAX { Err(Code::IN_A_CALL) } else { Ok(callee) }
    }

    pub(super) fn accept(&mut self, conn: ConnId, tunnel: TunnelId) -> Told {
        let Some(call) = self.calls.get_mut(&tunnel) else { return Ok(Vec::new()) };
        if call.callee != conn || call.rings.take().is_none() {
            return Err(Fault::Unexpected);
        }
        Ok(vec![Done::Told(call.caller, RelayEvent::Accepted { tunnel })])
    }

    pub(super) fn hang_up(&mut self, conn: ConnId, tunnel: TunnelId, code: Code) -> Vec<Done> {
        let Some(other) = self.calls.get(&tunnel).and_then(|call| call.other(conn)) else { return Vec::new() };
        self.calls.remove(&tunnel);
        // The relay vouches for no word that is its own.
        let code = if code == Code::SHUTTING_DOWN { Code::HUNG_UP } else { code };
        vec![Done::Told(other, RelayEvent::Ended { tunnel, code })]
    }

    pub(super) fn forward(&self, conn: ConnId, tunnel: TunnelId, byte: u8) -> Told {
        let Some(call) = self.calls.get(&tunnel) else { return Ok(Vec::new()) };
        let other = call.other(conn).filter(|_| call.rings.is_none()).ok_or(Fault::Unexpected)?;
        Ok(vec![Done::Told(other, RelayEvent::Forwarded { tunnel, bytes: vec![byte].into() })])
    }

    pub(super) fn wait(&mut self, time: Duration) -> Vec<Done> {
        self.waited += time;
        let now = self.now();
        let due = |(id, call): (&TunnelId, &Call)| Some((call.rings.filter(|until| *until <= now)?, *id));
        let due: BTreeSet<(Instant, TunnelId)> = self.calls.iter().filter_map(due).collect();
        let mut told = Vec::new();
        for (_, tunnel) in due {
            let call = self.calls.remove(&tunnel).unwrap();
            let ended = RelayEvent::Ended { tunnel, code: Code::NO_ANSWER };
            told.extend([call.caller, call.callee].map(|conn| Done::Told(conn, ended.clone())));
        }
        told
    }

    fn end_calls(&mut self, conn: ConnId) -> Vec<Done> {
        self.asked.remove(&conn);
        let ends = |(id, call): (&TunnelId, &Call)| Some((*id, call.other(conn)?));
        let over: Vec<(TunnelId, ConnId)> = self.calls.iter().filter_map(ends).collect();
        self.calls.retain(|_, call| call.other(conn).is_none());
        over.into_iter()
            .map(|(tunnel, other)| Done::Told(other, RelayEvent::Ended { tunnel, code: Code::GONE }))
            .collect()
    }

    fn tell_all(&self, except: ConnId, event: &RelayEvent) -> Vec<Done> {
        let others = self.here.values().filter(|conn| **conn != except);
        others.map(|conn| Done::Told(*conn, event.clone())).collect()
    }
}

/// The members' names, somebody's whom nobody knows behind them.
pub(super) fn name(member: usize) -> DeviceName {
    cast().members.get(member).map_or_else(|| laptop("nobody"), |member| member.name.clone())
}
