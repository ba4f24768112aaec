//! A session's own sockets, as its caller sees them: what happened to them goes in, what is to be done with them comes out.

use std::net::{IpAddr, SocketAddr};

use rand_core::CryptoRng;

use super::{DirectOutput, Peer};
use crate::id::ConnId;
use crate::link::Step;
use crate::time::Now;
use crate::tls::Proven;
use crate::wire::peer::PeerMessage;

/// What happened to a session's sockets.
#[derive(Clone, Copy, Debug)]
pub enum DirectInput<'a> {
    /// These are the machine's addresses.
    Addresses(&'a [IpAddr]),
    /// The listener that was asked for is at these; at none, it could not be made.
    Listening(&'a [SocketAddr]),
    /// Somebody connected to it, or a connection of ours is there.
    Connected(ConnId),
    /// A connection of ours could not be made.
    Unreachable(ConnId),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket took this many bytes of [`Peer::outbound`].
    Sent(ConnId, usize),
    /// The socket has ended for reading.
    Ended(ConnId),
}

impl Peer {
    /// Takes what happened to the session's sockets.
    pub fn direct_input(&mut self, input: DirectInput<'_>, now: Now, rng: &mut dyn CryptoRng) {
        match input {
            DirectInput::Addresses(own) => {
                if let Some(from) = self.direct.addresses(own, &self.reach) {
                    self.tunnelled(&PeerMessage::Propose { from });
                }
            }
            DirectInput::Listening(at) => {
                let shown = self.proven.as_ref().map(Proven::certificate);
                if let Some((nonce, at)) = shown.and_then(|shown| self.direct.listening(at, shown, rng)) {
                    self.tunnelled(&PeerMessage::Listening { nonce, at });
                }
            }
            DirectInput::Connected(conn) => self.direct.connected(conn),
            DirectInput::Unreachable(conn) => self.direct.unreachable(conn),
            DirectInput::Received(conn, bytes) => self.direct.received(conn, bytes, now),
            DirectInput::Sent(conn, n) => self.direct.sent(conn, n),
            DirectInput::Ended(conn) => self.direct.ended(conn),
        }
        self.direct_events(now);
        self.confirm();
    }

    /// What the socket of a direct connection should take.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        self.direct.outbound(conn)
    }

    /// Whether a connection is one of this session's.
    pub fn has(&self, conn: ConnId) -> bool {
        self.direct.has(conn)
    }

    /// The next thing to be done with sockets.
    pub fn poll_direct(&mut self) -> Option<DirectOutput> {
        self.direct.poll_output()
    }

    /// What the sockets of the session's connections should do next. Seals what the turn has queued.
    pub fn steps(&mut self) -> Vec<(ConnId, Step)> {
        self.direct.steps()
    }
}
