//! Introductions and the tunnels that they become: bytes the relay forwards and can't read (protocol §6).
//!
//! ```text
//!            accept by the callee                 hang-up, gone
//! Ringing ------------------------> Open ----------------------> (over)
//!    |  hang-up, gone, no answer
//! ```
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

    /// Begins an introduction between two connections.
    pub fn introduce(&mut self, from: ConnId, to: ConnId, now: Instant) -> Result<TunnelId, Code> {
        let count = |conn| self.of_conn.get(&conn).map_or(0, BTreeSet::len);
        if count(from) >= TUNNELS_PER_DEVICE_MAX {
            return Err(Code::TOO_MANY_CALLS);
        }
        if count(to) >= TUNNELS_PER_DEVICE_MAX {
            return Err(Code::IN_A_CALL);
        }
        self.last += 1;
        let id = TunnelId(self.last);
        let end = |conn| End { conn, credit: TUNNEL_WINDOW_BYTES };
        self.by_id.insert(id, Tunnel { caller: end(from), callee: end(to), open: false });
        for conn in [from, to] {
            self.of_conn.entry(conn).or_default().insert(id);
        }
        self.ringing.set(id, now.plus(self.ring_time));
        Ok(id)
    }

    /// The callee takes the call. One that is over by now is passed over: the two crossed on the way.
    pub fn accept(&mut self, conn: ConnId, id: TunnelId, out: &mut Effects) -> Result<(), Fault> {
        let Some(tunnel) = self.by_id.get_mut(&id) else { return Ok(()) };
        if tunnel.callee.conn != conn || tunnel.open {
            return Err(Fault::Unexpected);
        }
        tunnel.open = true;
        self.ringing.clear(id);
        out.send(tunnel.caller.conn, Frame::message(&RelayEvent::Accepted { tunnel: id }));
        Ok(())
    }

    /// One end ends it; the other is told. Somebody else's tunnel is not touched.
    pub fn hang_up(&mut self, conn: ConnId, id: TunnelId, code: Code, out: &mut Effects) {
        let other = self.by_id.get_mut(&id).and_then(|tunnel| Some(tunnel.ends(conn)?.1.conn));
        if let Some(other) = other {
            self.remove(id);
            out.send(other, Frame::message(&RelayEvent::Ended { tunnel: id, code }));
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
            if let Some(tunnel) = self.remove(id) {
                let frame = Frame::message(&RelayEvent::Ended { tunnel: id, code: Code::NO_ANSWER });
                out.send(tunnel.caller.conn, frame.clone());
                out.send(tunnel.callee.conn, frame);
            }
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
            Code::DECLINED | Code::IN_A_CALL | Code::GLARE | Code::FINISHED | Code::TIMED_OUT | Code::TLS_FAILED => {
                code
            }
            _ => Code::HUNG_UP,
        }
    }
}
