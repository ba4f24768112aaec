//! The calls' own sockets: direct connections, each of one call, and the listening for one.
//!
//! Connections are numbered by whoever makes them: those that calls dial from [`FIRST_DIALLED`] on, those that a
//! listener takes by the shell, from [`FIRST_ACCEPTED`] on; the device's way to the relay stays below both.

use std::net::{IpAddr, SocketAddr};

use rand_core::CryptoRng;

use super::{Call, Calls, Stage};
use crate::device::{Output, Wake};
use crate::id::{CallId, ConnId};
use crate::limits::DIRECT_ADDRESSES_MAX;
use crate::link::Step;
use crate::peer::{DirectInput, DirectOutput, Peer};
use crate::time::{Instant, Now};

/// The first number of a direct connection that a device dials.
pub const FIRST_DIALLED: u64 = 1 << 32;
/// The first number that a shell gives to a connection which its listeners take.
pub const FIRST_ACCEPTED: u64 = 1 << 48;

impl Calls {
    /// Whether a connection would be one of these.
    pub fn is_direct(conn: ConnId) -> bool {
        conn.0 >= FIRST_DIALLED
    }

    /// These are the machine's addresses.
    pub fn addresses(&mut self, id: CallId, own: &[IpAddr], now: Now, rng: &mut dyn CryptoRng) {
        self.direct_input(id, DirectInput::Addresses(own), now, rng);
    }

    /// A call's listener is at these addresses; at none, it could not be made.
    pub fn listening(&mut self, id: CallId, at: &[SocketAddr], now: Now, rng: &mut dyn CryptoRng) {
        if self.peer(id).is_some() {
            self.direct_input(id, DirectInput::Listening(at), now, rng);
        } else {
            self.outputs.push_back(Output::Unlisten(id));
        }
    }

    /// Somebody connected to a call's listener.
    pub fn accepted_direct(&mut self, id: CallId, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        if self.peer(id).is_some() {
            self.direct_input(id, DirectInput::Connected(conn), now, rng);
        } else {
            self.outputs.push_back(Output::Drop(conn));
        }
    }

    /// Something happened to a direct connection.
    pub fn direct(&mut self, conn: ConnId, input: DirectInput<'_>, now: Now, rng: &mut dyn CryptoRng) {
        let owner = |call: &Call| call.stage.session().is_some_and(|peer| peer.has(conn));
        if let Some(id) = self.by_id.iter().find(|(_, call)| owner(call)).map(|(id, _)| *id) {
            return self.direct_input(id, input, now, rng);
        }
        match input {
            DirectInput::Sent(_, n) => self.leaving.sent(conn, n, now),
            DirectInput::Ended(_) => self.leaving.ended(conn),
            // The call that dialled it is over.
            DirectInput::Connected(_) if !self.leaving.has(conn) => self.outputs.push_back(Output::Drop(conn)),
            DirectInput::Addresses(_)
            | DirectInput::Listening(_)
            | DirectInput::Connected(_)
            | DirectInput::Unreachable(_)
            | DirectInput::Received(..) => {}
        }
    }

    /// What a direct connection's socket should take.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        let mut sessions = self.by_id.values().filter_map(|call| call.stage.session());
        match sessions.find(|peer| peer.has(conn)) {
            Some(peer) => peer.outbound(conn),
            None => self.leaving.outbound(conn),
        }
    }

    /// The next thing to be done with a socket. Seals what the turn has queued.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            let mut steps = self.leaving.steps();
            for call in self.by_id.values_mut() {
                if let Stage::Up(_, peer) = &mut call.stage {
                    steps.extend(peer.steps());
                }
            }
            self.outputs.extend(steps.into_iter().map(|(conn, step)| match step {
                Step::Write => Output::Write(conn),
                Step::Shut => Output::Shut(conn),
            }));
            while let Some(conn) = self.leaving.take_done() {
                self.outputs.push_back(Output::Drop(conn));
            }
        }
        self.outputs.pop_front()
    }

    /// Numbers for the connections of one more session.
    pub(super) fn numbers(&mut self) -> ConnId {
        let first = ConnId(FIRST_DIALLED + self.sessions * u64::try_from(DIRECT_ADDRESSES_MAX).unwrap_or(u64::MAX));
        self.sessions += 1;
        first
    }

    /// Hands on what a session wants done with sockets.
    pub(super) fn direct_outputs(&mut self, id: CallId, now: Now) {
        let Some(Stage::Up(_, peer) | Stage::Ending(_, peer, _)) = self.by_id.get_mut(&id).map(|call| &mut call.stage)
        else {
            return;
        };
        while let Some(output) = peer.poll_direct() {
            self.outputs.push_back(match output {
                DirectOutput::FindAddresses => Output::FindAddresses(id),
                DirectOutput::Listen(on) => Output::Listen(id, on),
                DirectOutput::Unlisten => Output::Unlisten(id),
                DirectOutput::Dial(conn, address) => Output::DialPeer(conn, address),
                DirectOutput::Drop(conn) => Output::Drop(conn),
                DirectOutput::Leave(conn, link) => {
                    self.leaving.add(conn, link, now);
                    continue;
                }
            });
        }
    }

    /// Does what is due with sockets.
    pub(super) fn tick_sockets(&mut self, now: Now) {
        while let Some(conn) = self.leaving.take_due(now) {
            self.outputs.push_back(Output::Drop(conn));
        }
        let due = |call: &Call| call.stage.session().and_then(Peer::next_deadline).is_some_and(|at| at <= now.mono);
        let ids: Vec<CallId> = self.by_id.iter().filter(|(_, call)| due(call)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(peer) = self.peer(id) {
                peer.tick(now);
            }
            self.pump(id, now);
        }
    }

    /// When something is due next with sockets.
    pub(super) fn next_of_sockets(&self) -> Option<(Instant, Wake)> {
        let leaving = self.leaving.next_deadline().map(|at| (at, Wake::Leaving));
        let direct = self.by_id.iter().filter_map(|(id, call)| {
            call.stage.session().and_then(Peer::next_deadline).map(|at| (at, Wake::Direct(*id)))
        });
        direct.chain(leaving).min()
    }

    fn direct_input(&mut self, id: CallId, input: DirectInput<'_>, now: Now, rng: &mut dyn CryptoRng) {
        if let Some(peer) = self.peer(id) {
            peer.direct_input(input, now, rng);
            self.keep_leaving(id, now);
            self.pump(id, now);
        }
    }

    fn peer(&mut self, id: CallId) -> Option<&mut Peer> {
        match self.by_id.get_mut(&id).map(|call| &mut call.stage) {
            Some(Stage::Up(_, peer)) => Some(peer),
            Some(Stage::Waiting | Stage::Asking(_) | Stage::Ringing(..) | Stage::Incoming(..) | Stage::Ending(..))
            | None => None,
        }
    }
}
