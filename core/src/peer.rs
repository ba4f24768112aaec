//! An end-to-end session between two devices: mutual TLS through a tunnel, then lines (protocol §7).
//!
//! ```text
//!                  both handshakes over; the callee says Welcome
//! Securing -----------------------------------------------------> Open ---goodbye---> Parting ---> (closed)
//!     |  a certificate is refused, it takes too long                |  fault, cut         |
//! ```
//!
//! The machine is a link of its own, whose ciphertext travels in the tunnel's frames: the relay sees a length. Each
//! end demands the very name that was called or that was announced as calling, so a relay that introduces somebody
//! else is found out by the handshake.

pub mod glare;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::fault::{CloseReason, Fault};
use crate::id::DeviceName;
use crate::limits::{
    FORWARD_BYTES_MAX, FORWARD_OVERHEAD_BYTES, LINE_BYTES_MAX, PEER_OUTBOX_BYTES_MAX, TUNNEL_CREDIT_BYTES,
    TUNNEL_WINDOW_BYTES,
};
use crate::link::{Link, LinkEvent};
use crate::relay::tunnel::forward_cost;
use crate::time::Wall;
use crate::tls::{Credentials, Dial, Doors, Proven, TlsEnv, Trust};
use crate::wire::frame::decode;
use crate::wire::peer::PeerMessage;
use crate::wire::{Code, Extensions, Frame};

/// Which end of the call this is, and so which side of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Called: TLS client.
    Caller,
    /// Was called: TLS server.
    Callee,
}

/// What came of the other end's bytes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Both ends have proved who they are. Lines may be said.
    Open(Proven<DeviceName>),
    /// The other end said a line.
    Line {
        /// Counted from 0.
        n: u64,
        /// Without end of line.
        text: String,
    },
    /// The session is over. Nothing follows.
    Closed(CloseReason),
}

/// Why a line can't be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayRefusal {
    /// The session is not open, or is parting.
    NotOpen,
    /// The line is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// Too much waits already: say it again when some has gone.
    Full,
}

/// One end of a session.
#[derive(Debug)]
pub struct Peer {
    link: Link,
    role: Role,
    open: bool,
    over: bool,
    proven: Option<Proven<DeviceName>>,
    lines_said: u64,
    lines_heard: u64,
    /// How many bytes the tunnel still takes.
    credit: u32,
    /// How many bytes came in for which no credit was given back yet.
    owed: u32,
    events: VecDeque<PeerEvent>,
}

impl Peer {
    /// The caller's end: the other must be `called`.
    pub fn calling(env: &TlsEnv, credentials: &Credentials, trust: &Trust, called: &DeviceName) -> Self {
        Self::new(Link::connect(&Dial::peer(env, credentials, trust, called)), Role::Caller)
    }

    /// The callee's end: the other must be `caller`.
    pub fn called(env: &TlsEnv, credentials: &Credentials, trust: &Trust, caller: DeviceName) -> Self {
        Self::new(Link::accept(Arc::new(Doors::of_peer(env, credentials, trust, caller))), Role::Callee)
    }

    fn new(link: Link, role: Role) -> Self {
        Self {
            link: link.with_outbox(PEER_OUTBOX_BYTES_MAX),
            role,
            open: false,
            over: false,
            proven: None,
            lines_said: 0,
            lines_heard: 0,
            credit: TUNNEL_WINDOW_BYTES,
            owed: 0,
            events: VecDeque::new(),
        }
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Takes bytes that came through the tunnel.
    pub fn received(&mut self, bytes: &[u8]) {
        self.owed = self.owed.saturating_add(forward_cost(bytes.len()));
        let mut events = Vec::new();
        self.link.received(bytes, &mut events);
        for event in events {
            let result = match event {
                LinkEvent::Secured(secured) => {
                    self.proven = secured.device;
                    if self.role == Role::Callee {
                        let welcome = PeerMessage::Welcome { extensions: Extensions::default() };
                        // An empty outbox has room for one frame.
                        let _ = self.link.send(&Frame::message(&welcome));
                        self.opened();
                    }
                    Ok(())
                }
                LinkEvent::Message(message) => self.message(&message),
                LinkEvent::Closed(reason) => {
                    self.closed(reason);
                    Ok(())
                }
            };
            if let Err(fault) = result {
                let reason = self.link.fault(fault);
                self.closed(reason);
            }
        }
    }

    /// The tunnel is gone. After our goodbye, too, that is no good end: that everything arrived is for the other end
    /// to say, inside the session, and the relay can't say it in its place.
    pub fn tunnel_ended(&mut self) {
        self.link.ended(&mut Vec::new());
        self.closed(CloseReason::Truncated);
    }

    /// The tunnel takes this many bytes more.
    pub fn credited(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes).min(TUNNEL_WINDOW_BYTES);
    }

    /// Says a line.
    pub fn say(&mut self, text: &str) -> Result<u64, SayRefusal> {
        if !self.open || self.over || self.link.has_parted() {
            return Err(SayRefusal::NotOpen);
        }
        if text.len() > LINE_BYTES_MAX {
            return Err(SayRefusal::TooLong);
        }
        let n = self.lines_said;
        let frame = Frame::message(&PeerMessage::Line { n, text: text.to_owned() });
        // Half of the outbox stays for what TLS adds and for the goodbye.
        if self.link.waiting() + frame.bytes().len() > PEER_OUTBOX_BYTES_MAX / 2 {
            return Err(SayRefusal::Full);
        }
        self.link.send(&frame).map_err(|_| SayRefusal::Full)?;
        self.lines_said += 1;
        Ok(n)
    }

    /// Ends the session in good order: what was said goes out first. The other end's goodbye is awaited.
    pub fn part(&mut self, code: Code) {
        self.link.part(code, 0);
        if self.link.is_closed() {
            self.closed(CloseReason::Ours(code));
        }
    }

    /// Whether we have said goodbye and wait for the other's.
    pub fn has_parted(&self) -> bool {
        self.link.has_parted()
    }

    /// Whether lines can be said.
    pub fn is_open(&self) -> bool {
        self.open && !self.over && !self.link.has_parted()
    }

    /// Whether both ends had proved who they are, whatever came then.
    pub fn was_open(&self) -> bool {
        self.open
    }

    /// The last second of the other end's proof, once there is one.
    pub fn proof_ends(&self) -> Option<Wall> {
        self.proven.as_ref().map(Proven::not_after)
    }

    /// Whether a line of any allowed length would be taken now.
    pub fn has_room(&self) -> bool {
        self.is_open() && self.link.waiting() + LINE_BYTES_MAX + 64 <= PEER_OUTBOX_BYTES_MAX / 2
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// The next bytes for the tunnel, as far as its credit goes.
    pub fn poll_forward(&mut self) -> Option<Vec<u8>> {
        self.link.flush();
        let credit = usize::try_from(self.credit.saturating_sub(FORWARD_OVERHEAD_BYTES)).unwrap_or(usize::MAX);
        let length = self.link.outbound().len().min(FORWARD_BYTES_MAX).min(credit);
        if length == 0 {
            return None;
        }
        let bytes = self.link.outbound().get(..length)?.to_vec();
        self.link.sent(length);
        self.credit -= forward_cost(length);
        Some(bytes)
    }

    /// Credit that is to be given back to the other end, once it is worth a message.
    pub fn poll_credit(&mut self) -> Option<u32> {
        if self.owed < TUNNEL_CREDIT_BYTES || self.over {
            return None;
        }
        // A relay that brings more than the window would be the first to break it; never give more than one back.
        Some(std::mem::take(&mut self.owed).min(TUNNEL_WINDOW_BYTES))
    }

    /// Whether everything was handed to the tunnel.
    pub fn is_drained(&self) -> bool {
        self.link.waiting() == 0
    }

    fn message(&mut self, message: &[u8]) -> Result<(), Fault> {
        if self.over {
            return Ok(());
        }
        let message: PeerMessage = decode(message)?;
        message.check()?;
        match message {
            PeerMessage::Welcome { .. } if self.role == Role::Caller && !self.open => {
                self.opened();
                Ok(())
            }
            PeerMessage::Line { n, text } if self.open && n == self.lines_heard => {
                self.lines_heard += 1;
                self.events.push_back(PeerEvent::Line { n, text });
                Ok(())
            }
            PeerMessage::Welcome { .. } | PeerMessage::Line { .. } => Err(Fault::Unexpected),
        }
    }

    fn opened(&mut self) {
        self.open = true;
        let proven = self.proven.clone().expect("a peer's handshake proves a device");
        self.events.push_back(PeerEvent::Open(proven));
    }

    fn closed(&mut self, reason: CloseReason) {
        if !self.over {
            self.over = true;
            self.events.push_back(PeerEvent::Closed(reason));
        }
    }
}

#[cfg(test)]
mod tests;
