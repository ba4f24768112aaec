//! What a relay tells whom, by three sets: connections, presences and calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_core::fault::Fault;
use countersign_core::id::{AskId, ConnId, DeviceName, TunnelId, UserName};
use countersign_core::limits::{
    CONNECTIONS_PER_DEVICE_MAX, INTRODUCTIONS_MAX, INTRODUCTIONS_SPAN, RING_TIME_MAX, TUNNELS_PER_DEVICE_MAX,
};
use countersign_core::time::Instant;
use countersign_core::wire::relay::{Person, RelayEvent};
use countersign_core::wire::{Code, Extensions};

use crate::Done;
use crate::cast::cast;

/// Of all devices so many come and go; the last one's person is known and never here.
pub(super) const COMERS: usize = 6;
/// So many people are known; whoever has this number is not.
pub(super) const USERS: usize = 4;
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
    last_introduction: u64,
    /// Since when each device has asked for how many introductions.
    asked: BTreeMap<usize, (Instant, u32)>,
    /// How much time has passed.
    waited: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The introduction of which it is a branch.
    introduction: u64,
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
        let online = |of: usize| Person { user: user(of), online: self.devices_of(of).next().is_some() };
        let people = (after.map_or(0, |after| after + 1)..USERS).map(online).collect();
        vec![Done::Told(conn, RelayEvent::People { ask: ASK, people, more: false })]
    }

    /// The devices by which a person is present.
    fn devices_of(&self, of: usize) -> impl Iterator<Item = (usize, ConnId)> + '_ {
        self.here
            .iter()
            .filter(move |(member, _)| name(**member).user == user(of))
            .map(|(member, conn)| (*member, *conn))
    }

    pub(super) fn call(&mut self, conn: ConnId, to: usize) -> Vec<Done> {
        match self.may_call(conn, to) {
            Err(code) => vec![Done::Told(conn, RelayEvent::Refused { ask: ASK, code })],
            Ok(callees) => {
                self.last_introduction += 1;
                callees.into_iter().flat_map(|(member, callee)| self.branch(conn, member, callee)).collect()
            }
        }
    }

    fn branch(&mut self, caller: ConnId, member: usize, callee: ConnId) -> [Done; 2] {
        self.last_call += 1;
        let (tunnel, introduction) = (TunnelId(self.last_call), self.last_introduction);
        let rings = Some(self.now().plus(RING_TIME_MAX));
        self.calls.insert(tunnel, Call { introduction, caller, callee, rings });
        let (from, extensions) = (name(self.conns[&caller]), Extensions::default());
        [
            Done::Told(caller, RelayEvent::Ringing { ask: ASK, tunnel, device: name(member) }),
            Done::Told(callee, RelayEvent::Introduced { tunnel, from, extensions }),
        ]
    }

    fn may_call(&mut self, conn: ConnId, to: usize) -> Result<Vec<(usize, ConnId)>, Code> {
        let member = self.conns[&conn];
        if self.here.get(&member) != Some(&conn) {
            return Err(Code::TOO_EARLY);
        }
        if user(to) == name(member).user {
            return Err(Code::SELF_CALL);
        }
        if to >= USERS {
            return Err(Code::NO_SUCH_USER);
        }
        let mut callees: Vec<(usize, ConnId)> = self.devices_of(to).collect();
        if callees.is_empty() {
            return Err(Code::OFFLINE);
        }
        let now = self.now();
        let asked = self.asked.entry(member).or_insert((now, 0));
        if now.since(asked.0) >= INTRODUCTIONS_SPAN {
            *asked = (now, 0);
        }
        if asked.1 >= INTRODUCTIONS_MAX {
            return Err(Code::TOO_MANY_CALLS);
        }
        asked.1 += 1;
        let has_room = |conn| {
            let calls = self.calls.values().filter(|call| call.other(conn).is_some());
            calls.map(|call| call.introduction).collect::<BTreeSet<_>>().len() < TUNNELS_PER_DEVICE_MAX
        };
        if !has_room(conn) {
            return Err(Code::TOO_MANY_CALLS);
        }
        callees.retain(|(_, callee)| has_room(*callee));
        if callees.is_empty() { Err(Code::IN_A_CALL) } else { Ok(callees) }
    }

    /// Whose answer a call awaits.
    pub(super) fn rings_at(&self, tunnel: TunnelId) -> Option<ConnId> {
        self.calls.get(&tunnel).filter(|call| call.rings.is_some()).map(|call| call.callee)
    }

    pub(super) fn accept(&mut self, conn: ConnId, tunnel: TunnelId) -> Told {
        let Some(call) = self.calls.get_mut(&tunnel) else { return Ok(Vec::new()) };
        if call.callee != conn || call.rings.take().is_none() {
            return Err(Fault::Unexpected);
        }
        let call = call.clone();
        let mut told = vec![Done::Told(call.caller, RelayEvent::Accepted { tunnel })];
        told.extend(self.end_beside(call.introduction, tunnel, Code::ELSEWHERE));
        Ok(told)
    }

    pub(super) fn hang_up(&mut self, conn: ConnId, tunnel: TunnelId, code: Code) -> Vec<Done> {
        let Some(call) = self.calls.get(&tunnel).filter(|call| call.other(conn).is_some()).cloned() else {
            return Vec::new();
        };
        self.calls.remove(&tunnel);
        let others = call.other(conn);
        // The relay vouches for no word that is its own.
        let code = if code == Code::SHUTTING_DOWN { Code::HUNG_UP } else { code };
        let mut told: Vec<_> =
            others.map(|other| Done::Told(other, RelayEvent::Ended { tunnel, code })).into_iter().collect();
        if code == Code::DECLINED && conn == call.callee {
            told.extend(self.end_beside(call.introduction, tunnel, code));
        }
        told
    }

    /// Ends every branch of an introduction but one, for both its ends.
    fn end_beside(&mut self, introduction: u64, but: TunnelId, code: Code) -> Vec<Done> {
        let beside = |(id, call): (&TunnelId, &Call)| (call.introduction == introduction && *id != but).then_some(*id);
        let over: Vec<TunnelId> = self.calls.iter().filter_map(beside).collect();
        over.into_iter().flat_map(|tunnel| self.end_for_both(tunnel, code)).collect()
    }

    fn end_for_both(&mut self, tunnel: TunnelId, code: Code) -> [Done; 2] {
        let call = self.calls.remove(&tunnel).unwrap();
        [call.caller, call.callee].map(|conn| Done::Told(conn, RelayEvent::Ended { tunnel, code }))
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
        due.into_iter().flat_map(|(_, tunnel)| self.end_for_both(tunnel, Code::NO_ANSWER)).collect()
    }

    fn end_calls(&mut self, conn: ConnId) -> Vec<Done> {
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

/// What each device is called.
pub(super) fn name(member: usize) -> DeviceName {
    cast().members[member].name.clone()
}

/// What each person is called, and behind them somebody whom nobody knows.
pub(super) fn user(of: usize) -> UserName {
    UserName::parse(["alice", "bob", "carol", "dave", "nobody"][of]).unwrap()
}
