//! Decides what must hold of a link, whatever is done to it: the oracles of `link`.
//!
//! - Nobody is believed but who the scene's keys can prove, for the right channel, in one session with both ends.
//! - What is read is what was said: in order, once, and nothing else; up to a goodbye, and the rest of a frame that lies.
//! - It is over once, for a reason that has a cause; nothing comes after that, and nothing is written after `Shut`.
//! - What waits for the socket, an unfinished handshake and a message are within their bounds.
//! - Where nothing was changed on the way, all that arrived was read, and TLS has nothing to object to.

use countersign_core::fault::{CloseReason, Fault};
use countersign_core::limits::{FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX};
use countersign_core::link::{Link, LinkEvent, Step};
use countersign_core::tls::Secured;
use countersign_core::wire::{Body, Code, Frame};

use super::other::Other;
use super::scene::{Belief, Promise};
use crate::frame::model;

/// What was seen of a link.
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that happened or not, in any combination")]
pub(super) struct Watch {
    promise: Promise,
    /// Something was changed on the way.
    pub(super) tampered: bool,
    /// The other side changed its keys: TLS bears that only so often.
    pub(super) keys_changed: bool,
    secured: Option<Secured>,
    messages: Vec<Vec<u8>>,
    closed: Option<CloseReason>,
    /// What the link has said inside TLS.
    sent: Vec<u8>,
    parted: Option<Code>,
    /// It was ended by ourselves, in a way of which no event tells.
    silent: bool,
    hung_up: bool,
    shut: bool,
    received: usize,
}

impl Watch {
    pub(super) fn new(promise: Promise) -> Self {
        Self {
            promise,
            tampered: false,
            keys_changed: false,
            secured: None,
            messages: Vec::new(),
            closed: None,
            sent: Vec::new(),
            parted: None,
            silent: false,
            hung_up: false,
            shut: false,
            received: 0,
        }
    }

    pub(super) fn is_secured(&self) -> bool {
        self.secured.is_some()
    }

    pub(super) fn event(&mut self, event: LinkEvent, other: &Other) {
        assert_eq!(self.closed, None, "{event:?} comes after the end");
        match event {
            LinkEvent::Secured(secured) => {
                assert_eq!(self.secured, None, "a handshake was over twice");
                let device = secured.device.as_ref().map(|proven| proven.who().clone());
                let believed = Belief::Of(device);
                assert_eq!(believed, self.promise.believes, "somebody is believed who is not there: {secured:?}");
                let channel = Some(secured.channel);
                assert!(!self.promise.is_server || channel == self.promise.channel, "{channel:?} was not asked for");
                assert!(!self.promise.is_server || other.exporter().is_some(), "a client had not finished");
                self.secured = Some(secured);
                self.same_session(other);
            }
            LinkEvent::Message(message) => {
                assert!(self.is_secured(), "a message came from nobody");
                assert!(message.len() < FRAME_BYTES_MAX, "a message of {} bytes", message.len());
                self.messages.push(message);
            }
            LinkEvent::Closed(reason) => {
                self.has_cause(reason, other);
                self.closed = Some(reason);
            }
        }
    }

    /// Two ends of one session have one name for it.
    fn same_session(&self, other: &Other) {
        if let (Some(secured), Some(exporter)) = (&self.secured, other.exporter()) {
            assert_eq!(secured.exporter.bytes(), &exporter, "two ends of different sessions");
        }
    }

    /// Whether a reason's cause was there.
    fn has_cause(&self, reason: CloseReason, other: &Other) {
        let (bodies, fault) = model(&other.said);
        let goodbye = bodies.iter().find_map(|body| match body {
            Body::Goodbye(code, _) => Some(*code),
            Body::Message(_) => None,
        });
        let is_known = self.is_secured();
        let has = match reason {
            CloseReason::Ours(code) => self.parted == Some(code) && (goodbye == Some(Code::FINISHED) || other.closed),
            CloseReason::Theirs(code) => is_known && goodbye == Some(code),
            // In a handshake anybody can say so.
            CloseReason::PeerClosed => !is_known || other.closed,
            CloseReason::Truncated => self.hung_up,
            CloseReason::Alert(_) => !is_known || other.failed,
            CloseReason::Fault(Fault::FrameLength | Fault::Version(_) | Fault::Malformed) => {
                is_known && reason == fault.map_or(CloseReason::PeerClosed, CloseReason::Fault)
            }
            CloseReason::Fault(Fault::BadRecord | Fault::NotTls) if is_known => self.tampered || self.keys_changed,
            // Changes of keys without end, in one bite with the last words of the handshake.
            CloseReason::Fault(Fault::NotTls) if self.keys_changed => true,
            CloseReason::Fault(_) => !is_known && (self.tampered || self.promise.believes == Belief::InNobody),
            CloseReason::TimedOut | CloseReason::Unreachable => false,
        };
        assert!(has, "the link ended by {reason:?} for no cause");
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.received += bytes;
    }

    pub(super) fn bounds(&self, link: &Link) {
        let most = self.promise.outbox_bytes_max;
        assert!(link.waiting() <= most, "{} bytes wait for the socket, of at most {most}", link.waiting());
        assert!(
            self.is_secured() || self.received <= HANDSHAKE_BYTES_MAX || link.is_closed(),
            "a stranger has sent {} bytes and is still here",
            self.received
        );
    }

    pub(super) fn sent(&mut self, frame: &Frame) {
        self.sent.extend_from_slice(frame.bytes());
    }

    pub(super) fn parts(&mut self, code: Code, link: &Link) {
        if link.is_closed() || link.has_parted() {
            return;
        }
        self.parted = Some(code);
        if self.is_secured() {
            self.sent.extend_from_slice(Frame::goodbye(code, 0).bytes());
        } else {
            self.silent = true;
        }
    }

    pub(super) fn faults(&mut self, fault: Fault, link: &Link) {
        if link.is_closed() {
            return;
        }
        self.silent = true;
        if self.is_secured() && !link.has_parted() {
            let detail = if let Fault::Version(_) = fault { u16::from(countersign_core::wire::VERSION) } else { 0 };
            self.sent.extend_from_slice(Frame::goodbye(fault.code(), detail).bytes());
        }
    }

    pub(super) fn hung_up(&mut self, link: &Link) {
        self.hung_up |= !link.is_closed();
    }

    pub(super) fn step(&mut self, step: Option<Step>) {
        assert!(!self.shut || step.is_none(), "after the last word there is {step:?}");
        self.shut |= step == Some(Step::Shut);
    }

    /// What was read against what was said, on both sides.
    pub(super) fn compare(&self, other: &Other, all_arrived: bool) {
        self.same_session(other);
        let (bodies, _) = model(&other.said);
        let said: Vec<&Vec<u8>> = bodies
            .iter()
            .map_while(|body| match body {
                Body::Message(message) => Some(message),
                Body::Goodbye(..) => None,
            })
            .collect();
        let read: Vec<&Vec<u8>> = self.messages.iter().collect();
        assert!(said.starts_with(&read), "the link read what was not said");
        if let Some(CloseReason::Theirs(_)) = self.closed {
            assert_eq!(read.len(), said.len(), "a goodbye came before what was said before it");
        }
        let undisturbed = !self.tampered && !self.keys_changed && !self.silent && !self.hung_up;
        if undisturbed && all_arrived && self.is_secured() {
            assert_eq!(read.len(), said.len(), "what was said has arrived and was not read");
        }
        // What a fault of the link's own makes it say is told apart by no event.
        let mut sent = self.sent.clone();
        if let Some(CloseReason::Fault(fault)) = self.closed {
            let detail = if let Fault::Version(_) = fault { u16::from(countersign_core::wire::VERSION) } else { 0 };
            sent.extend_from_slice(Frame::goodbye(fault.code(), detail).bytes());
        }
        assert!(sent.starts_with(&other.heard), "the other side heard what the link never said");
    }

    /// At the end there was exactly one end.
    pub(super) fn is_over(&self) {
        assert_eq!(self.closed.is_some(), !self.silent, "{:?}", self.closed);
    }
}
