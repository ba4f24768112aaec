//! Introductions and the tunnels that they become: bytes the relay forwards and can't read (protocol §6).
//!
//! ```text
//!            accept by the callee                 hang-up, gone
//! Ringing ------------------------> Open ----------------------> (over)
//!    |  hang-up, gone, no answer; taken by another branch, declined at another branch
//! ```
//!
//! An introduction has a branch for each device that is asked, and each branch would be a tunnel of its own: it has its
//! number, its end and its time to ring. What the branches of one introduction have in common is that the first that is
//! taken, or declined, is the end of the others.
//!
//! Each direction of a tunnel has a window of its own: its sender stops when the receiver gives no credit, so one slow
//! call neither stalls its owner's other traffic nor fills the relay.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_bytes::ByteBuf;

use crate::effect::Effects;
use crate::fault::Fault;
use crate::id::{ConnId, TunnelId};
use crate::limits::{FORWARD_OVERHEAD_BYTES, RING_TIME_MAX, TUNNEL_WINDOW_BYTES, TUNNELS_PER_DEVICE_MAX};
use crate::time::{Deadlines, Instant};
use crate::wire::relay::RelayEvent;
use crate::wire::{Code, Frame};

/// All introductions and tunnels.
#[derive(Debug)]
pub struct Tunnels {
    ring_time: Duration,
    last: u64,
    by_id: BTreeMap<TunnelId, Tunnel>,
    of_conn: BTreeMap<ConnId, BTreeSet<TunnelId>>,
    ringing: Deadlines<TunnelId>,
}

impl Default for Tunnels {
    fn default() -> Self {
        Self {
            ring_time: RING_TIME_MAX,
            last: 0,
            by_id: BTreeMap::new(),
            of_conn: BTreeMap::new(),
            ringing: Deadlines::default(),
        }
    }
}

#[derive(Debug)]
struct Tunnel {
    /// Whose branch it is: the number of the introduction's first.
    introduction: TunnelId,
    caller: End,
    callee: End,
    open: bool,
}

#[derive(Debug)]
struct End {
    conn: ConnId,
    /// How many bytes this end may still send.
    credit: u32,
}

impl Tunnel {
    /// The end at `conn` and the one opposite.
    fn ends(&mut self, conn: ConnId) -> Option<(&mut End, &mut End)> {
        if self.caller.conn == conn {
            Some((&mut self.caller, &mut self.callee))
        } else if self.callee.conn == conn {
            Some((&mut self.callee, &mut self.caller))
        } else {
            None
        }
    }
}

impl Tunnels {
    /// Lets calls ring so long from now on.
    pub fn set_ring_time(&mut self, time: Duration) {
        self.ring_time = time;
    }

    /// Begins an introduction, with a branch to each of these connections that has room for one more: the branches.
    pub fn introduce(&mut self, from: ConnId, to: &[ConnId], now: Instant) -> Result<BTreeMap<ConnId, TunnelId>, Code> {
        if self.introductions_at(from) >= TUNNELS_PER_DEVICE_MAX {
            return Err(Code::TOO_MANY_CALLS);
        }
        let has_room = |conn: &ConnId| self.introductions_at(*conn) < TUNNELS_PER_DEVICE_MAX;
        let callees: Vec<ConnId> = to.iter().copied().filter(has_room).collect();
        if callees.is_empty() {
            return Err(Code::IN_A_CALL);
        }
        let (introduction, end) = (TunnelId(self.last + 1), |conn| End { conn, credit: TUNNEL_WINDOW_BYTES });
        let mut branches = BTreeMap::new();
        for callee in callees {
            self.last += 1;
            let id = TunnelId(self.last);
            self.by_id.insert(id, Tunnel { introduction, caller: end(from), callee: end(callee), open: false });
            for conn in [from, callee] {
                self.of_conn.entry(conn).or_default().insert(id);
            }
            self.ringing.set(id, now.plus(self.ring_time));
            branches.insert(callee, id);
        }
        Ok(branches)
    }

    /// The callee takes the call, and no other branch has it any more. One that is over by now is passed over: the two
    /// crossed on the way, as they do where two devices take a call in one moment.
    pub fn accept(&mut self, conn: ConnId, id: TunnelId, out: &mut Effects) -> Result<(), Fault> {
        let Some(tunnel) = self.by_id.get_mut(&id) else { return Ok(()) };
        if tunnel.callee.conn != conn || tunnel.open {
            return Err(Fault::Unexpected);
        }
        tunnel.open = true;
        self.ringing.clear(id);
        out.send(tunnel.caller.conn, Frame::message(&RelayEvent::Accepted { tunnel: id }));
        for other in self.branches_beside(id) {
            self.end(other, Code::ELSEWHERE, out);
        }
        Ok(())
    }

    /// One end ends it; the other is told. Somebody else's tunnel is not touched. To decline is the person's word and not
    /// the device's: it ends the other branches as well.
    pub fn hang_up(&mut self, conn: ConnId, id: TunnelId, code: Code, out: &mut Effects) {
        let Some(tunnel) = self.by_id.get_mut(&id) else { return };
        let declines = code == Code::DECLINED && tunnel.callee.conn == conn;
        let Some(other) = tunnel.ends(conn).map(|(_, other)| other.conn) else { return };
        let beside = if declines { self.branches_beside(id) } else { Vec::new() };
        self.remove(id);
        out.send(other, Frame::message(&RelayEvent::Ended { tunnel: id, code }));
        for id in beside {
            self.end(id, Code::DECLINED, out);
        }
    }

    /// Forwards bytes to the other end, within the sender's credit.
    pub fn forward(&mut self, conn: ConnId, id: TunnelId, bytes: ByteBuf, out: &mut Effects) -> Result<(), Fault> {
        let Some(tunnel) = self.by_id.get_mut(&id) else { return Ok(()) };
        let open = tunnel.open;
        let Some((from, to)) = tunnel.ends(conn).filter(|_| open) else { return Err(Fault::Unexpected) };
        from.credit = from.credit.checked_sub(forward_cost(bytes.len())).ok_or(Fault::Credit)?;
        out.send(to.conn, Frame::message(&RelayEvent::Forwarded { tunnel: id, bytes }));
        Ok(())
    }

    /// The receiver lets more come.
    pub fn credit(&mut self, conn: ConnId, id: TunnelId, bytes: u32, out: &mut Effects) -> Result<(), Fault> {
        let Some(tunnel) = self.by_id.get_mut(&id) else { return Ok(()) };
        let open = tunnel.open;
        let Some((_, sender)) = tunnel.ends(conn).filter(|_| open) else { return Err(Fault::Unexpected) };
        let credit = sender.credit.saturating_add(bytes);
        if credit > TUNNEL_WINDOW_BYTES {
            return Err(Fault::Credit);
        }
        sender.credit = credit;
        out.send(sender.conn, Frame::message(&RelayEvent::Credited { tunnel: id, bytes }));
        Ok(())
    }

    /// A connection is gone, and with it the tunnels that end there.
    pub fn gone(&mut self, conn: ConnId, out: &mut Effects) {
        for id in self.of_conn.get(&conn).cloned().unwrap_or_default() {
            self.hang_up(conn, id, Code::GONE, out);
        }
    }

    /// How many tunnels that are open end at a connection.
    pub fn open_at(&self, conn: ConnId) -> usize {
        let is_open = |id: &&TunnelId| self.by_id.get(id).is_some_and(|tunnel| tunnel.open);
        self.of_conn.get(&conn).map_or(0, |ids| ids.iter().filter(is_open).count())
    }

    /// When the next call has rung long enough.
    pub fn next_deadline(&self) -> Option<(Instant, TunnelId)> {
        self.ringing.next()
    }

    /// Ends the calls that have rung long enough.
    pub fn tick(&mut self, now: Instant, out: &mut Effects) {
        while let Some(id) = self.ringing.take_due(now) {
            self.end(id, Code::NO_ANSWER, out);
        }
    }

    /// How many introductions a connection has a part in. The branches of a call that it makes are one.
    fn introductions_at(&self, conn: ConnId) -> usize {
        let ids = self.of_conn.get(&conn).into_iter().flatten();
        ids.filter_map(|id| Some(self.by_id.get(id)?.introduction)).collect::<BTreeSet<_>>().len()
    }

    /// The other branches of the same introduction. One that is open has none.
    fn branches_beside(&self, id: TunnelId) -> Vec<TunnelId> {
        let Some(tunnel) = self.by_id.get(&id) else { return Vec::new() };
        let of_caller = self.of_conn.get(&tunnel.caller.conn).into_iter().flatten();
        let is_beside = |other: &TunnelId| {
            *other != id && self.by_id.get(other).is_some_and(|other| other.introduction == tunnel.introduction)
        };
        of_caller.copied().filter(is_beside).collect()
    }

    /// Ends it for both.
    fn end(&mut self, id: TunnelId, code: Code, out: &mut Effects) {
        if let Some(tunnel) = self.remove(id) {
            let frame = Frame::message(&RelayEvent::Ended { tunnel: id, code });
            out.send(tunnel.caller.conn, frame.clone());
            out.send(tunnel.callee.conn, frame);
        }
    }

    fn remove(&mut self, id: TunnelId) -> Option<Tunnel> {
        let tunnel = self.by_id.remove(&id)?;
        self.ringing.clear(id);
        for conn in [tunnel.caller.conn, tunnel.callee.conn] {
            if let Some(ids) = self.of_conn.get_mut(&conn) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.of_conn.remove(&conn);
                }
            }
        }
        Some(tunnel)
    }
}

/// What a `Forward` of so many bytes costs of its window, for each of the three who count.
pub fn forward_cost(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(FORWARD_OVERHEAD_BYTES)
}

/// Which reasons one end may have the other told.
pub mod codes {
    use crate::wire::Code;

    /// `code` if an end may say it, and a plain hang-up otherwise: the relay vouches for no other words.
    pub fn allowed(code: Code) -> Code {
        match code {
            Code::DECLINED
            | Code::IN_A_CALL
            | Code::NO_ANSWER
            | Code::GLARE
            | Code::CHANGED
            | Code::FINISHED
            | Code::TIMED_OUT
            | Code::TLS_FAILED => code,
            _ => Code::HUNG_UP,
        }
    }
}
