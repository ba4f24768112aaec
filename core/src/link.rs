//! One connection: TLS, frames, a bounded outbox. It speaks in bytes to the socket's side and in messages to the other.
//!
//! ```text
//!  socket -> received -> TLS -> frames -> LinkEvent            send -> frames of one turn -> flush: sealed once
//!  socket <- outbound / sent <------------------------------------------------- outbox
//! ```
//!
//! The same link serves the relay's connections, a device's way to the relay, and two devices, through a tunnel
//! and directly.
//! However the other side ends it, [`LinkEvent::Closed`] comes exactly once and says why (when we end it by
//! [`Link::fault`], or before the handshake is over, we know already, and it does not come); what then still waits in the outbox (an
//! alert, a goodbye) is to be sent before the socket is closed.

use std::sync::Arc;

use crate::fault::{CloseReason, Fault};
use crate::limits::{OUTBOX_BYTES_MAX, PARTING_BYTES, RECORD_BYTES_MAX, RECORD_OVERHEAD_BYTES};
use crate::tls::session::Opened;
use crate::tls::{Dial, Doors, Secured, Session};
use crate::wire::{Body, Channel, Code, Frame, FrameReader};

/// What came of received bytes, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The handshake is over, and this is who the other side is.
    Secured(Secured),
    /// A message of the channel, still encoded.
    Message(Vec<u8>),
    /// The connection is over. Nothing follows.
    Closed(CloseReason),
}

/// The outbox is full: the other side does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFull;

/// What the socket should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take what is in [`Link::outbound`].
    Write,
    /// Close the writing side: nothing more will come. Said once.
    Shut,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    tls: Session,
    frames: FrameReader,
    /// Frames of this turn, not sealed yet.
    turn: Vec<u8>,
    outbox: Vec<u8>,
    /// How much of the outbox the socket has taken.
    taken: usize,
    outbox_bytes_max: usize,
    /// How much plaintext the other side has sent so far.
    opened_bytes: usize,
    /// Set when we said goodbye.
    parted: Option<Code>,
    /// Whether the other side's goodbye is still to be answered by our end. What is sent in the same turn goes before it:
    /// the other side reads until then.
    answering: bool,
    closed: bool,
    shut: bool,
}

impl Link {
    /// The side that is connected to.
    pub fn accept(doors: Arc<Doors>) -> Self {
        Self::new(Session::accept(doors))
    }

    /// The same for strangers: nothing that costs public-key work is done before [`Link::proceed`].
    pub fn accept_held(doors: Arc<Doors>) -> Self {
        Self::new(Session::accept_held(doors))
    }

    /// The side that connects.
    pub fn connect(dial: &Dial) -> Self {
        Self::new(Session::connect(dial))
    }

    /// Holds at most `bytes` for the socket instead of [`OUTBOX_BYTES_MAX`].
    #[must_use]
    pub fn with_outbox(mut self, bytes: usize) -> Self {
        self.outbox_bytes_max = bytes;
        self
    }

    fn new(tls: Session) -> Self {
        let mut link = Self {
            tls,
            frames: FrameReader::default(),
            turn: Vec::new(),
            outbox: Vec::new(),
            taken: 0,
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            opened_bytes: 0,
            parted: None,
            answering: false,
            closed: false,
            shut: false,
        };
        link.tls.take_ciphertext(&mut link.outbox);
        link
    }

    /// Takes bytes from the socket. Bytes after the end are passed over.
    pub fn received(&mut self, bytes: &[u8], events: &mut Vec<LinkEvent>) {
        if self.closed {
            return;
        }
        let mut opened = Opened::default();
        let result = self.tls.received(bytes, &mut opened);
        self.opened(opened, result, events);
    }

    /// Which door the other side asked for, while its handshake waits for [`Link::proceed`].
    pub fn held(&self) -> Option<Channel> {
        self.tls.held().filter(|_| !self.closed)
    }

    /// Lets a handshake that waits go on.
    pub fn proceed(&mut self, events: &mut Vec<LinkEvent>) {
        if self.closed {
            return;
        }
        let mut opened = Opened::default();
        let result = self.tls.proceed(&mut opened);
        self.opened(opened, result, events);
    }

    fn opened(&mut self, opened: Opened, result: Result<(), CloseReason>, events: &mut Vec<LinkEvent>) {
        self.opened_bytes = self.opened_bytes.saturating_add(opened.plaintext.len());
        self.collect();
        if let Some(secured) = opened.secured {
            events.push(LinkEvent::Secured(secured));
        }
        let mut bodies = Vec::new();
        let read = self.frames.read(&opened.plaintext, &mut bodies);
        for body in bodies {
            match body {
                Body::Message(message) => events.push(LinkEvent::Message(message)),
                Body::Goodbye(code, _) => {
                    // After a bad record in the same bite there is nobody to answer.
                    self.answering = self.tls.is_open();
                    return self.end(CloseReason::Theirs(code), events);
                }
            }
        }
        if let Err(fault) = read {
            let reason = self.fault(fault);
            return self.end(reason, events);
        }
        if let Err(reason) = result {
            // TLS has put its alert into the ciphertext; a goodbye could no longer be read.
            return self.end(reason, events);
        }
        if opened.peer_closed {
            self.seal_close();
            self.end(CloseReason::PeerClosed, events);
        }
    }

    /// The socket has ended, whether well or badly.
    pub fn ended(&mut self, events: &mut Vec<LinkEvent>) {
        if !self.closed {
            self.end(CloseReason::Truncated, events);
        }
    }

    /// Queues a frame for this turn. After the end it is passed over, except in the turn of the other side's goodbye.
    ///
    /// # Panics
    /// If the handshake is not over.
    pub fn send(&mut self, frame: &Frame) -> Result<(), OutboxFull> {
        if !self.takes_frames() {
            return Ok(());
        }
        assert!(self.tls.is_open(), "a frame was to be sent before the other side was known");
        let sealed = sealed_bytes(self.turn.len() + frame.bytes().len());
        if self.outbound().len() + sealed + PARTING_BYTES > self.outbox_bytes_max {
            return Err(OutboxFull);
        }
        self.turn.extend_from_slice(frame.bytes());
        Ok(())
    }

    /// Whether a frame would go out: neither side has ended, or the other side's goodbye came in this very turn.
    pub fn takes_frames(&self) -> bool {
        (!self.closed || self.answering) && self.parted.is_none()
    }

    /// Says goodbye: what was queued goes out first, then the code, then TLS's own end. The other side's end is still
    /// to come, as [`LinkEvent::Closed`]; but before the handshake is over there is nobody to say goodbye to, and the
    /// link is closed at once, without an event.
    pub fn part(&mut self, code: Code, detail: u16) {
        if self.closed || self.parted.is_some() {
            return;
        }
        self.parted = Some(code);
        if self.tls.is_open() {
            self.turn.extend_from_slice(Frame::goodbye(code, detail).bytes());
        } else {
            self.closed = true;
        }
        self.seal_close();
    }

    /// Parts because the other side broke the protocol, and says what that makes of the connection. No event follows.
    pub fn fault(&mut self, fault: Fault) -> CloseReason {
        self.part(fault.code(), if let Fault::Version(_) = fault { u16::from(crate::wire::VERSION) } else { 0 });
        self.closed = true;
        CloseReason::Fault(fault)
    }

    /// Seals what this turn has queued, as few records as can be, and answers a goodbye. Call once at the end of a turn.
    pub fn flush(&mut self) {
        if std::mem::take(&mut self.answering) {
            return self.seal_close();
        }
        if !self.turn.is_empty() {
            self.tls.seal(&std::mem::take(&mut self.turn));
            self.collect();
        }
    }

    /// The bytes that the socket should take now.
    pub fn outbound(&self) -> &[u8] {
        self.outbox.get(self.taken..).unwrap_or_default()
    }

    /// The socket took `n` of [`Link::outbound`].
    ///
    /// # Panics
    /// If it claims to have taken more than there was.
    pub fn sent(&mut self, n: usize) {
        assert!(n <= self.outbound().len(), "more was sent than there was");
        self.taken += n;
        if self.taken == self.outbox.len() {
            // A connection is idle most of the time, and has no buffers then.
            (self.outbox, self.taken) = (Vec::new(), 0);
        }
        // Moving the rest down is paid for by what has gone, so a byte is moved at most once on average.
        if self.taken >= self.outbox.len() - self.taken {
            self.outbox.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// What the socket should do next, if anything. Seals what the turn has queued.
    pub fn step(&mut self) -> Option<Step> {
        self.flush();
        if !self.outbound().is_empty() {
            return Some(Step::Write);
        }
        if (self.closed || self.parted.is_some()) && !self.shut {
            self.shut = true;
            return Some(Step::Shut);
        }
        None
    }

    /// How many bytes wait for the socket, sealed or not.
    pub fn waiting(&self) -> usize {
        self.outbound().len() + self.turn.len() + if self.answering { PARTING_BYTES } else { 0 }
    }

    /// Whether we said goodbye already.
    pub fn has_parted(&self) -> bool {
        self.parted.is_some()
    }

    /// How much plaintext came in so far: what the other side has said, unlike bytes of a record that never ends.
    pub fn opened_bytes(&self) -> usize {
        self.opened_bytes
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What our own buffers take, empty or not.
    #[cfg(test)]
    fn buffer_bytes(&self) -> usize {
        self.turn.capacity() + self.outbox.capacity() + self.tls.buffer_bytes() + self.frames.buffer_bytes()
    }

    fn seal_close(&mut self) {
        self.flush();
        self.tls.close();
        self.collect();
    }

    /// Moves ciphertext to the outbox, unless the socket's writing side is closed already.
    fn collect(&mut self) {
        if self.shut {
            self.tls.take_ciphertext(&mut Vec::new());
        } else {
            self.tls.take_ciphertext(&mut self.outbox);
        }
    }

    /// The end has come. What answers our goodbye is its good end; anything else is worth knowing as it is.
    fn end(&mut self, reason: CloseReason, events: &mut Vec<LinkEvent>) {
        self.closed = true;
        let reason = match (self.parted, reason) {
            (Some(code), CloseReason::PeerClosed | CloseReason::Theirs(Code::FINISHED)) => CloseReason::Ours(code),
            (_, reason) => reason,
        };
        events.push(LinkEvent::Closed(reason));
    }
}

/// How long plaintext is at most once it is sealed.
fn sealed_bytes(plaintext: usize) -> usize {
    plaintext + plaintext.div_ceil(RECORD_BYTES_MAX) * RECORD_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests;
