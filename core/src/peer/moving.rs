//! How a session changes its way without losing, doubling or reordering a line (protocol §7.5, §7.6).

use super::direct::DirectEvent;
use super::{DirectEnd, Path, Peer, PeerEvent};
use crate::fault::{CloseReason, Fault};
use crate::limits::SILENCE_TIME_MAX;
use crate::time::{Instant, Now};
use crate::wire::peer::PeerMessage;
use crate::wire::{Code, Frame};

impl Peer {
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
        if !self.direct.is_up() && self.unheard_until().is_some_and(|until| until <= now.mono) {
            // However lively the relay is: whoever confirms nothing for so long does not read.
            self.say_goodbye(Code::TIMED_OUT);
            return self.closed(CloseReason::TimedOut);
        }
        if self.direct.tick(self.lines.waiting_since(), now) {
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
        let direct = self.direct.next_deadline(self.lines.waiting_since());
        if self.direct.is_up() { direct } else { direct.into_iter().chain(self.unheard_until()).min() }
    }

    /// How long unconfirmed lines are waited for in the tunnel.
    fn unheard_until(&self) -> Option<Instant> {
        self.lines.waiting_since().map(|since| since.plus(SILENCE_TIME_MAX))
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
                DirectEvent::Closed(reason) if ends_the_session(reason) => self.directly_closed(reason, now),
                DirectEvent::Closed(reason) => self.back(Some(reason), DirectEnd::Broken(reason), now),
                DirectEvent::Failed(_) if self.over => {}
                DirectEvent::Failed(end) => {
                    self.tunnelled(&PeerMessage::Detach);
                    self.events.push_back(PeerEvent::Tunnelled(end));
                }
            }
        }
    }

    /// The session ends with its direct connection. A goodbye may have been long on its way, and its sender in the tunnel
    /// by now: there it is answered, too, after what the sender may not have heard.
    fn directly_closed(&mut self, reason: CloseReason, now: Now) {
        if let CloseReason::Theirs(_) | CloseReason::Ours(_) = reason
            && self.has_tunnel()
            && !self.over
        {
            self.direct.leave(Code::FINISHED);
            self.say_again(now);
            self.say_goodbye(Code::FINISHED);
        }
        self.closed(reason);
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
