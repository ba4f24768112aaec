//! A device's way to the relay: dial, be admitted, stay alive, and try again when it is lost.

use std::collections::VecDeque;
use std::time::Duration;

use rand_core::CryptoRng;
use rustls_pki_types::CertificateDer;

use super::backoff::Backoff;
use super::{Output, Wake};
use crate::fault::{CloseReason, Fault};
use crate::id::ConnId;
use crate::limits::{
    BACKOFF_MAX, HANDSHAKE_TIME_MAX, LINGER_TIME_MAX, LONG_BYTES_MAX, OUTBOX_BYTES_MAX, PING_AFTER, SILENCE_TIME_MAX,
};
use crate::link::{Link, LinkEvent, Step};
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::tls::Dial;
use crate::wire::frame::decode;
use crate::wire::relay::{RelayEvent, RelayRequest, Welcome};
use crate::wire::{Code, Frame};

/// What waits for the socket at most: the longest request there is, and what may wait besides. A commit that adds many to a large
/// room is longer than a link's usual outbox, and one that lacks a piece is nothing that the relay can read.
const REQUESTS_BYTES_MAX: usize = LONG_BYTES_MAX + OUTBOX_BYTES_MAX;

/// What came of the way to the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The relay has admitted us.
    Admitted(Welcome),
    /// The relay said something.
    Said(RelayEvent),
    /// The connection is lost; the next try is after this long.
    Lost(CloseReason, Duration),
    /// Trying again is of no use.
    GivenUp(CloseReason),
    /// We left in good order, as it was wished.
    Parted,
    /// The certificate has expired, by our clock or by the relay's word, so another way has to be gone first: by a
    /// connection of this number. Where one is lost by it, why.
    Lapsed(ConnId, Option<CloseReason>),
}

/// The way to the relay.
#[allow(clippy::struct_excessive_bools, reason = "each may be so or not, whatever the others are")]
#[derive(Debug)]
pub struct RelaySession {
    dial: Dial,
    /// The last second of our certificate.
    ends: Wall,
    stage: Stage,
    last_conn: u64,
    /// The connection before, whose socket has not ended yet.
    leaving: Option<(ConnId, Link)>,
    backoff: Backoff,
    deadlines: Deadlines<Wake>,
    events: VecDeque<SessionEvent>,
    outputs: VecDeque<Output>,
    /// Whether a link may have something for its socket.
    turned: bool,
    quitting: bool,
    /// When the current connection was admitted.
    admitted_at: Option<Instant>,
    /// Whether this certificate was ever good enough.
    ever_admitted: bool,
    /// Whether the current connection's handshake is over: what is said now is the relay's word.
    secured: bool,
    /// Whether the relay was asked to renew the certificate since it last admitted us.
    asked_to_renew: bool,
    /// The certificate that the relay of the current connection has shown.
    relay: Option<CertificateDer<'static>>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Waiting,
    Dialling(ConnId),
    Greeting(ConnId, Link),
    Admitted(ConnId, Link, Instant),
    GivenUp,
}

impl RelaySession {
    /// A way that was never gone, for a certificate that ends so.
    pub fn new(dial: Dial, ends: Wall) -> Self {
        Self {
            dial,
            ends,
            stage: Stage::Idle,
            last_conn: 0,
            leaving: None,
            backoff: Backoff::default(),
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
            outputs: VecDeque::new(),
            turned: false,
            quitting: false,
            admitted_at: None,
            ever_admitted: false,
            secured: false,
            asked_to_renew: false,
            relay: None,
        }
    }

    /// Dials for the first time.
    pub fn start(&mut self, now: Now) {
        if let Stage::Idle = self.stage {
            self.dial(now);
        }
    }

    /// The socket is connected.
    pub fn connected(&mut self, conn: ConnId, now: Now) {
        if matches!(self.stage, Stage::Dialling(awaited) if awaited == conn) {
            self.stage = Stage::Greeting(conn, Link::connect(&self.dial).with_outbox(REQUESTS_BYTES_MAX));
            self.secured = false;
            self.turned = true;
            self.deadlines.set(Wake::Admission, now.mono.plus(HANDSHAKE_TIME_MAX));
        } else {
            self.outputs.push_back(Output::Drop(conn));
        }
    }

    /// No socket could be connected.
    pub fn unreachable(&mut self, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        if matches!(self.stage, Stage::Dialling(awaited) if awaited == conn) {
            self.lost(CloseReason::Unreachable, now, rng);
        }
    }

    /// Bytes came in.
    pub fn received(&mut self, conn: ConnId, bytes: &[u8], now: Now, rng: &mut dyn CryptoRng) {
        let (link, heard) = match &mut self.stage {
            Stage::Greeting(current, link) if *current == conn => (link, None),
            Stage::Admitted(current, link, heard) if *current == conn => (link, Some(heard)),
            Stage::Idle
            | Stage::Waiting
            | Stage::Dialling(_)
            | Stage::GivenUp
            | Stage::Greeting(..)
            | Stage::Admitted(..) => return,
        };
        let (mut events, before) = (Vec::new(), link.opened_bytes());
        link.received(bytes, &mut events);
        if let Some(heard) = heard.filter(|_| link.opened_bytes() > before) {
            *heard = now.mono;
        }
        self.turned = true;
        self.link_events(events, now, rng);
    }

    /// The socket took bytes.
    pub fn sent(&mut self, conn: ConnId, n: usize) {
        if let Some(link) = self.link_of(conn) {
            link.sent(n);
            self.turned |= link.waiting() == 0;
        }
    }

    /// The socket has ended.
    pub fn ended(&mut self, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        if self.leaving.as_ref().is_some_and(|(leaving, _)| *leaving == conn) {
            self.forget_leaving();
            return;
        }
        let mut events = Vec::new();
        if let Some(link) = self.link_of(conn) {
            link.ended(&mut events);
            self.link_events(events, now, rng);
            if self.leaving.as_ref().is_some_and(|(leaving, _)| *leaving == conn) {
                self.forget_leaving();
            }
        }
    }

    /// Sends a request; without an admission it comes to nothing, and its asker hears of the loss otherwise.
    pub fn request(&mut self, request: &RelayRequest) {
        if let Stage::Admitted(_, link, _) = &mut self.stage {
            // A device's own requests are bounded: its calls' windows, and a commit with what else is on its way.
            let _ = link.send(&Frame::message(request));
            self.turned = true;
        }
    }

    /// Whether the relay has admitted us.
    pub fn is_admitted(&self) -> bool {
        matches!(self.stage, Stage::Admitted(..))
    }

    /// The certificate of the relay that we are, or were last, connected to.
    pub fn relay(&self) -> Option<&CertificateDer<'static>> {
        self.relay.as_ref()
    }

    /// The relay broke the protocol.
    pub fn fault(&mut self, fault: Fault, now: Now, rng: &mut dyn CryptoRng) {
        // What it said besides, in the same breath, counts for nothing.
        self.events.retain(|event| !matches!(event, SessionEvent::Said(_)));
        if let Stage::Greeting(_, link) | Stage::Admitted(_, link, _) = &mut self.stage {
            let reason = link.fault(fault);
            self.lost(reason, now, rng);
        }
    }

    /// Leaves in good order.
    pub fn quit(&mut self, now: Now) {
        if self.quitting {
            return;
        }
        self.quitting = true;
        if let Stage::Greeting(_, link) | Stage::Admitted(_, link, _) = &mut self.stage {
            link.part(Code::FINISHED, 0);
            self.leave(now);
        } else if let Stage::Dialling(conn) = self.stage {
            self.outputs.push_back(Output::Drop(conn));
        }
        self.stage = Stage::GivenUp;
        self.deadlines.clear(Wake::Redial);
        self.deadlines.clear(Wake::Admission);
        if self.leaving.is_none() {
            self.events.push_back(SessionEvent::Parted);
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        while let Some(wake) = self.deadlines.take_due(now.mono) {
            match wake {
                Wake::Redial => self.dial(now),
                Wake::Admission => {
                    if let Stage::Greeting(_, link) = &mut self.stage {
                        link.part(Code::TIMED_OUT, 0);
                        self.lost(CloseReason::TimedOut, now, rng);
                    } else if let Stage::Dialling(conn) = self.stage {
                        self.outputs.push_back(Output::Drop(conn));
                        self.lost(CloseReason::Unreachable, now, rng);
                    }
                }
                Wake::Liveness => self.liveness(now, rng),
                Wake::Linger => self.forget_leaving(),
                Wake::Call(_)
                | Wake::Direct(_)
                | Wake::Leaving
                | Wake::Who
                | Wake::Fetch
                | Wake::ReadLog
                | Wake::Password
                | Wake::Watch
                | Wake::Doubt
                | Wake::Conversations
                | Wake::Approve
                | Wake::Renewal => {
                    unreachable!("the calls keep those")
                }
            }
        }
    }

    /// When something is due next.
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadlines.next()
    }

    /// What a socket should take.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        match (&self.stage, &self.leaving) {
            (Stage::Greeting(current, link) | Stage::Admitted(current, link, _), _) if *current == conn => {
                link.outbound()
            }
            (_, Some((leaving, link))) if *leaving == conn => link.outbound(),
            _ => &[],
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// The next thing to be done with a socket. Seals what the turn has queued.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && std::mem::take(&mut self.turned) {
            let current = match &mut self.stage {
                Stage::Greeting(conn, link) | Stage::Admitted(conn, link, _) => Some((*conn, link)),
                Stage::Idle | Stage::Waiting | Stage::Dialling(_) | Stage::GivenUp => None,
            };
            let leaving = self.leaving.as_mut().map(|(conn, link)| (*conn, link));
            for (conn, link) in leaving.into_iter().chain(current) {
                match link.step() {
                    Some(Step::Write) => self.outputs.push_back(Output::Write(conn)),
                    Some(Step::Shut) => self.outputs.push_back(Output::Shut(conn)),
                    None => {}
                }
            }
        }
        self.outputs.pop_front()
    }

    fn dial(&mut self, now: Now) {
        if now.wall > self.ends {
            return self.lapse(None);
        }
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        self.stage = Stage::Dialling(conn);
        self.deadlines.set(Wake::Admission, now.mono.plus(HANDSHAKE_TIME_MAX));
        self.outputs.push_back(Output::Dial(conn));
    }

    /// Nothing is dialled before the certificate was renewed, or that has come to nothing.
    fn lapse(&mut self, lost: Option<CloseReason>) {
        self.last_conn += 1;
        self.stage = Stage::Idle;
        self.asked_to_renew = true;
        self.events.push_back(SessionEvent::Lapsed(ConnId(self.last_conn), lost));
    }

    /// The certificate is another one from here on: it is shown in the next connection.
    pub fn renewed(&mut self, dial: Dial, ends: Wall) {
        (self.dial, self.ends) = (dial, ends);
    }

    /// After [`SessionEvent::Lapsed`]: the certificate was not renewed.
    pub fn not_renewed(&mut self, reason: CloseReason, is_final: bool, now: Now, rng: &mut dyn CryptoRng) {
        if let Stage::Idle = self.stage {
            self.next_try(
                reason,
                is_final || useless(reason, true, self.ever_admitted, now.wall > self.ends),
                now,
                rng,
            );
        }
    }

    fn link_events(&mut self, events: Vec<LinkEvent>, now: Now, rng: &mut dyn CryptoRng) {
        for event in events {
            if !matches!(self.stage, Stage::Greeting(..) | Stage::Admitted(..)) {
                // What came before it in the same bite has ended the connection, which ends once.
                return;
            }
            match event {
                LinkEvent::Secured(secured) => {
                    self.secured = true;
                    self.relay = secured.shown.into_iter().next();
                }
                LinkEvent::Message(message) => {
                    match decode::<RelayEvent>(&message).and_then(|event| event.check().map(|()| event)) {
                        Ok(event) => self.said(event, now, rng),
                        Err(fault) => self.fault(fault, now, rng),
                    }
                }
                LinkEvent::Closed(reason) => self.lost(reason, now, rng),
            }
        }
    }

    fn said(&mut self, event: RelayEvent, now: Now, rng: &mut dyn CryptoRng) {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Greeting(conn, link) => {
                self.stage = Stage::Greeting(conn, link);
                let RelayEvent::Welcome(welcome) = event else {
                    return self.fault(Fault::Unexpected, now, rng);
                };
                if let Stage::Greeting(conn, link) = std::mem::replace(&mut self.stage, Stage::Idle) {
                    self.stage = Stage::Admitted(conn, link, now.mono);
                }
                self.ever_admitted = true;
                self.asked_to_renew = false;
                self.admitted_at = Some(now.mono);
                self.deadlines.clear(Wake::Admission);
                self.deadlines.set(Wake::Liveness, now.mono.plus(PING_AFTER));
                self.events.push_back(SessionEvent::Admitted(welcome));
            }
            Stage::Admitted(conn, link, heard) => {
                self.stage = Stage::Admitted(conn, link, heard);
                self.events.push_back(SessionEvent::Said(event));
            }
            stage @ (Stage::Idle | Stage::Waiting | Stage::Dialling(_) | Stage::GivenUp) => self.stage = stage,
        }
    }

    /// The connection is over.
    fn lost(&mut self, reason: CloseReason, now: Now, rng: &mut dyn CryptoRng) {
        self.leave(now);
        if self.admitted_at.take().is_some_and(|at| now.mono.since(at) >= BACKOFF_MAX) {
            // A relay that admits and dies at once is dialled ever more slowly, too.
            self.backoff.succeeded();
        }
        if self.secured && !self.asked_to_renew && wants_another(reason) {
            return self.lapse(Some(reason));
        }
        self.next_try(reason, useless(reason, self.secured, self.ever_admitted, now.wall > self.ends), now, rng);
    }

    fn next_try(&mut self, reason: CloseReason, is_final: bool, now: Now, rng: &mut dyn CryptoRng) {
        if is_final {
            self.stage = Stage::GivenUp;
            self.deadlines.clear(Wake::Redial);
            self.events.push_back(SessionEvent::GivenUp(reason));
        } else {
            let wait = self.backoff.next(rng);
            self.stage = Stage::Waiting;
            self.deadlines.set(Wake::Redial, now.mono.plus(wait));
            self.events.push_back(SessionEvent::Lost(reason, wait));
        }
    }

    /// Gives the current connection's socket a while to take what is left and to end.
    fn leave(&mut self, now: Now) {
        self.turned = true;
        self.deadlines.clear(Wake::Admission);
        self.deadlines.clear(Wake::Liveness);
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Greeting(conn, link) | Stage::Admitted(conn, link, _) => {
                // An older one that lingers goes now, and that alone is no parting.
                if let Some((older, _)) = self.leaving.replace((conn, link)) {
                    self.outputs.push_back(Output::Drop(older));
                }
                self.deadlines.set(Wake::Linger, now.mono.plus(LINGER_TIME_MAX));
            }
            Stage::Idle | Stage::Waiting | Stage::Dialling(_) | Stage::GivenUp => {}
        }
    }

    fn forget_leaving(&mut self) {
        if let Some((conn, _)) = self.leaving.take() {
            self.deadlines.clear(Wake::Linger);
            self.outputs.push_back(Output::Drop(conn));
            if self.quitting {
                self.events.push_back(SessionEvent::Parted);
            }
        }
    }

    /// Asks for a sign of life, and gives up when none came for long. It asks however much it hears: the relay gives up
    /// on whom it doesn't hear, too, and somebody who only listens says nothing else.
    fn liveness(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        let Stage::Admitted(_, link, heard) = &mut self.stage else { return };
        if now.mono.since(*heard) >= SILENCE_TIME_MAX {
            link.part(Code::TIMED_OUT, 0);
            return self.lost(CloseReason::TimedOut, now, rng);
        }
        let _ = link.send(&Frame::message(&RelayRequest::Ping));
        self.turned = true;
        self.deadlines.set(Wake::Liveness, now.mono.plus(PING_AFTER));
    }

    fn link_of(&mut self, conn: ConnId) -> Option<&mut Link> {
        match (&mut self.stage, &mut self.leaving) {
            (Stage::Greeting(current, link) | Stage::Admitted(current, link, _), _) if *current == conn => Some(link),
            (_, Some((leaving, link))) if *leaving == conn => Some(link),
            _ => None,
        }
    }
}

/// Whether the relay says that our certificate has expired: by its word, or by its refusal of the handshake
/// (`certificate_expired`, RFC 8446 §6.2); or that it does not have it, as one that was restored from a backup has no renewal
/// from after it. In either case the key may get another one.
fn wants_another(reason: CloseReason) -> bool {
    matches!(reason, CloseReason::Theirs(Code::EXPIRED | Code::NOT_LOGGED) | CloseReason::Alert(45))
}

/// Whether dialling again would end the same way. What the relay said inside the connection is final: its refusal of our
/// certificate, too, which comes once it is secured, but that it has `expired` only if our own clock says so; an alert in
/// the clear is anybody's. So is another certificate than the relay's, but to whom it never went well before it is a wrong
/// address more often than a villain.
fn useless(reason: CloseReason, secured: bool, ever_admitted: bool, expired: bool) -> bool {
    match reason {
        CloseReason::Fault(Fault::Certificate(_) | Fault::Version(_)) => !ever_admitted,
        // Whoever lost what it once signed does not find it again, and nothing that it says is to be believed meanwhile.
        CloseReason::Fault(Fault::History) => true,
        CloseReason::Theirs(Code::EXPIRED) => expired,
        CloseReason::Theirs(code) => {
            matches!(code, Code::REPLACED | Code::UNKNOWN_DEVICE | Code::NOT_LOGGED | Code::REVOKED | Code::VERSION)
        }
        // bad_certificate to certificate_unknown, unknown_ca, access_denied, certificate_required (RFC 8446 §6.2)
        CloseReason::Alert(number) => secured && matches!(number, 42..=46 | 48 | 49 | 116) && !ever_admitted,
        CloseReason::Ours(_)
        | CloseReason::PeerClosed
        | CloseReason::Truncated
        | CloseReason::Fault(_)
        | CloseReason::TimedOut
        | CloseReason::Unreachable => false,
    }
}

#[cfg(test)]
mod tests;
