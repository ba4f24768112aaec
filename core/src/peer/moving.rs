//! How a session changes its way without losing, doubling or reordering a line (protocol §7.5, §7.6).

use std::net::{IpAddr, SocketAddr};

use rand_core::CryptoRng;

use super::direct::DirectEvent;
use super::{DirectEnd, DirectOutput, Path, Peer, PeerEvent};
use crate::fault::{CloseReason, Fault};
use crate::id::ConnId;
use crate::limits::{DIRECT_HEARD_TIME_MAX, SILENCE_TIME_MAX};
use crate::link::Step;
use crate::time::{Instant, Now};
use crate::tls::Proven;
use crate::wire::peer::PeerMessage;
use crate::wire::{Code, Frame};

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
                let key = self.proven.as_ref().map(Proven::key);
                if let Some((nonce, at)) = key.and_then(|key| self.direct.listening(at, key, rng)) {
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

    /// Whether this end speaks directly and could speak in the tunnel.
    pub fn can_retreat(&self) -> bool {
        self.direct.is_up() && self.has_tunnel()
    }

    /// Gives up a direct connection on which nobody answers, and speaks in the tunnel.
    pub fn retreat(&mut self, now: Now) {
        let reason = CloseReason::TimedOut;
        self.back(Some(reason), DirectEnd::Broken(reason), now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        let unheard_until = self.unheard_until();
        if !self.direct.is_up() && unheard_until.is_some_and(|until| until <= now.mono) {
            // However lively the relay is: whoever confirms nothing for so long does not read.
            self.say_goodbye(Code::TIMED_OUT);
            return self.closed(CloseReason::TimedOut);
        }
        if self.direct.tick(unheard_until, now) {
            // A sign of life: it says nothing new.
            let n = self.lines.heard();
            self.speak(&PeerMessage::Heard { n });
        }
        self.direct_events(now);
    }

    /// When something is due next.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let direct = self.direct.next_deadline(self.unheard_until());
        if self.direct.is_up() { direct } else { direct.into_iter().chain(self.unheard_until()).min() }
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

    fn unheard_until(&self) -> Option<Instant> {
        let patience = if self.direct.is_up() { DIRECT_HEARD_TIME_MAX } else { SILENCE_TIME_MAX };
        self.lines.waiting_since().map(|since| since.plus(patience))
    }

    /// Does what the direct way's news come to.
    pub(super) fn direct_events(&mut self, now: Now) {
        while let Some(event) = self.direct.poll_event() {
            match event {
                DirectEvent::Attached => {
                    self.events.push_back(PeerEvent::Direct);
                    self.say_again(now);
                }
                DirectEvent::Message(message) => {
                    let result = self.message(&message, Path::Direct, now);
                    self.judge(result);
                }
                DirectEvent::Closed(reason) if ends_the_session(reason) => self.closed(reason),
                DirectEvent::Closed(reason) => self.back(Some(reason), DirectEnd::Broken(reason), now),
                DirectEvent::Failed(_) if self.over => {}
                DirectEvent::Failed(end) => {
                    self.tunnelled(&PeerMessage::Detach);
                    self.events.push_back(PeerEvent::Tunnelled(end));
                }
            }
        }
    }

    /// Speaks in the tunnel again, or still. With a `broken` connection and no tunnel this is the end.
    pub(super) fn back(&mut self, broken: Option<CloseReason>, end: DirectEnd, now: Now) {
        let was_up = self.direct.is_up();
        let left = self.direct.leave(Code::OTHER_WAY);
        if self.over {
            return;
        }
        let end = if let (DirectEnd::GivenUp, Some(left)) = (end, left) { left } else { end };
        // Where the other end has said that it goes on in the tunnel, there is one, though its goodbye may have come
        // with the same bytes: what stands between the two is still to be heard.
        if let Some(reason) = broken.filter(|_| !self.has_tunnel()) {
            // The way by which the other end means to go on is one that we have not: to us it is a cut.
            let left = reason == CloseReason::Theirs(Code::OTHER_WAY);
            return self.closed(if left { CloseReason::Truncated } else { reason });
        }
        let theirs = matches!(end, DirectEnd::GivenUp | DirectEnd::Declined);
        if !theirs {
            self.tunnelled(&PeerMessage::Detach);
        }
        if left.is_some() || !theirs {
            self.events.push_back(PeerEvent::Tunnelled(end));
        }
        if was_up {
            self.say_again(now);
            if let Some(code) = self.parted.filter(|_| self.has_tunnel()) {
                self.say_goodbye(code);
            }
        }
    }

    /// Says again, on the way that this end speaks on now, what the other end has not confirmed.
    pub(super) fn say_again(&mut self, now: Now) {
        let again: Vec<Frame> = self
            .lines
            .say_again(now.mono)
            .map(|(n, text)| Frame::message(&PeerMessage::Line { n, text: text.clone() }))
            .collect();
        let heard = self.lines.heard();
        let full = self.speaking().is_some_and(|link| {
            let confirmed = link.send(&Frame::message(&PeerMessage::Heard { n: heard }));
            confirmed.is_err() || again.iter().any(|frame| link.send(frame).is_err())
        });
        self.lines.told(heard);
        if full {
            self.closed(CloseReason::Ours(Code::TOO_SLOW));
        }
    }
}

/// Whether the end of one way is the other end's doing, and so the end of all. What can be anybody's doing on
/// the way, or says that the session goes on by the other way, costs the connection alone.
pub(super) fn ends_the_session(reason: CloseReason) -> bool {
    match reason {
        CloseReason::Theirs(code) => code != Code::OTHER_WAY,
        CloseReason::Ours(_) => true,
        CloseReason::Fault(fault) => !matches!(fault, Fault::BadRecord | Fault::NotTls),
        CloseReason::PeerClosed
        | CloseReason::Truncated
        | CloseReason::Alert(_)
        | CloseReason::TimedOut
        | CloseReason::Unreachable => false,
    }
}
