//! A connection's life at the server, from the first byte to the dropped socket.
//!
//! It decides what each stage may do and that each connection ends once, for one reason; what the messages mean is for
//! the rooms to say.

use std::time::Duration;

use rand_core::CryptoRng;
use zeroize::Zeroize;

use super::pause::Pause;
use super::strangers::Source;
use super::{Output, Server, Wake};
use crate::delivery::Round;
use crate::effect::{Note, Renewed, Turn};
use crate::fault::{CloseReason, Fault};
use crate::id::{ConnId, StretchId};
use crate::limits::{LINGER_TIME_MAX, STRANGERS_NOTE_SPAN, WAITING_TIME_MAX};
use crate::link::{Link, LinkEvent, OutboxFull};
use crate::password::Stretched;
use crate::relay::Admitted;
use crate::time::{Instant, Now};
use crate::tls::{Exporter, Secured};
use crate::wire::enrol::{EnrolEvent, EnrolRequest};
use crate::wire::frame::decode;
use crate::wire::relay::{RelayEvent, RelayRequest, Welcome};
use crate::wire::{Channel, Code, Frame};

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    /// Apart from the rest, as what is in [`Stage`] is: the table of connections has room for twice as many as there are.
    pub(super) link: Box<Link>,
    pub(super) stage: Stage,
    pub(super) opened: Instant,
    pub(super) source: Source,
    pub(super) heard: Instant,
    /// Set while it is not read.
    pub(super) pause: Option<Box<Pause>>,
}

/// How far a connection has come.
///
/// ```text
/// Stranger --ALPN enrol--> Newcomer --asks--> Asked, or Waiting for another device's word
///    |     --ALPN relay, proven, in the directory--> Admitted
///    |  either waits (Held) while there are no revocation lists to go with the welcome
///    +-- and from each of them --> Over
/// ```
#[derive(Debug)]
pub(super) enum Stage {
    Stranger,
    Held(Box<Secured>),
    Newcomer(Exporter),
    Asked,
    Waiting,
    Admitted(Box<Admitted>),
    Over,
}

impl Server {
    pub(super) fn opened(&mut self, conn: ConnId, source: Source, now: Now, rng: &mut dyn CryptoRng) {
        if !self.kept.contains(&now.wall) {
            self.renew(now, rng);
        }
        if !self.revoker.are_fresh(now.wall) {
            self.sign_lists(now);
        }
        let is_full = self.conns.len() >= self.settings.connections_max;
        if is_full || self.strangers.len() >= self.settings.strangers_max {
            // Strangers alone yield: a server that is full of members turns newcomers away.
            self.make_room(now);
        }
        if self.conns.len() >= self.settings.connections_max || self.shutting_down {
            self.effects.note(Note::TurnedAway(conn));
            self.outputs.push_back(Output::Drop(conn));
            return;
        }
        let link = Box::new(Link::accept_held(self.doors.clone()));
        let known = Conn { link, stage: Stage::Stranger, opened: now.mono, source, heard: now.mono, pause: None };
        let old = self.conns.insert(conn, known);
        assert!(old.is_none(), "a connection's number was used twice");
        self.strangers.enter(conn, source);
        self.deadlines.set(Wake::Handshake(conn), now.mono.plus(self.settings.handshake_time));
    }

    pub(super) fn received(&mut self, conn: ConnId, bytes: &[u8], now: Now, rng: &mut dyn CryptoRng) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let (mut events, before) = (Vec::new(), known.link.opened_bytes());
        known.link.received(bytes, &mut events);
        if known.link.opened_bytes() > before {
            known.heard = now.mono;
        }
        self.turned.insert(conn);
        for event in events {
            let event = match event {
                LinkEvent::Message(message) => match self.hold(conn, message, now) {
                    Some(message) => LinkEvent::Message(message),
                    None => continue,
                },
                LinkEvent::Closed(_) => {
                    self.take_all_held(conn, now, rng);
                    event
                }
                LinkEvent::Secured(_) => event,
            };
            self.event(conn, event, now, rng);
            // Event by event, so that one bite full of requests meets the bound of its own outbox in time.
            self.carry_out(now);
        }
        if let Some(door) = self.conns.get(&conn).and_then(|known| known.link.held())
            && self.strangers.wait(conn, door)
        {
            self.take_turns(now, rng);
            self.strangers.held_back(conn);
            if self.strangers_noted.1.is_none() {
                self.note_strangers(now);
            }
        }
    }

    /// Lets those strangers go on whose turn it is, as far as the budget of public-key work reaches.
    pub(super) fn take_turns(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        while let Some(conn) = self.strangers.next(now.mono, rng) {
            let Some(known) = self.conns.get_mut(&conn) else { continue };
            let mut events = Vec::new();
            known.link.proceed(&mut events);
            self.turned.insert(conn);
            for event in events {
                self.event(conn, event, now, rng);
                self.carry_out(now);
            }
        }
        match self.strangers.next_turn(now.mono) {
            Some(at) => self.deadlines.set(Wake::Turn, at),
            None => self.deadlines.clear(Wake::Turn),
        }
    }

    /// Tells the log that strangers are held back: at once, and then at most once in a while.
    pub(super) fn note_strangers(&mut self, now: Now) {
        let (work, (noted, _)) = (self.strangers.work(), self.strangers_noted);
        if work.held_back == noted.held_back && work.unserved == noted.unserved {
            self.strangers_noted.1 = None;
            return;
        }
        self.effects.note(Note::Strangers(work));
        self.strangers_noted = (work, Some(now.mono));
        self.deadlines.set(Wake::StrangersNote, now.mono.plus(STRANGERS_NOTE_SPAN));
    }

    pub(super) fn ended(&mut self, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        self.take_all_held(conn, now, rng);
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let mut events = Vec::new();
        known.link.ended(&mut events);
        for event in events {
            if let LinkEvent::Closed(reason) = event {
                self.over(conn, reason, now);
            }
        }
        self.forget(conn);
    }

    pub(super) fn sent(&mut self, conn: ConnId, n: usize, now: Now, rng: &mut dyn CryptoRng) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.link.sent(n);
            if known.link.waiting() == 0 {
                self.turned.insert(conn);
                self.delivery.drained(conn, &self.state, &mut self.effects);
            }
        }
        self.caught_up(conn, now, rng);
    }

    pub(super) fn event(&mut self, conn: ConnId, event: LinkEvent, now: Now, rng: &mut dyn CryptoRng) {
        let result = match event {
            LinkEvent::Closed(reason) => {
                self.over(conn, reason, now);
                Ok(())
            }
            LinkEvent::Secured(secured) => {
                self.secured(conn, secured, now);
                Ok(())
            }
            LinkEvent::Message(mut message) => self.message(conn, &mut message, now, rng),
        };
        if let Err(fault) = result {
            self.fault(conn, fault, now);
        }
    }

    /// The handshake is over: a newcomer is welcomed to ask, a device is admitted or told why not.
    pub(super) fn secured(&mut self, conn: ConnId, secured: Secured, now: Now) {
        let Some(Conn { stage: Stage::Stranger, source, .. }) = self.conns.get(&conn) else { return };
        let source = *source;
        if !self.lists_hold(now) {
            return self.set_stage(conn, Stage::Held(Box::new(secured)));
        }
        let extensions = self.revoker.extensions();
        match (secured.channel, secured.device) {
            (Channel::Enrol, _) => {
                self.set_stage(conn, Stage::Newcomer(secured.exporter));
                self.effects.send(conn, Frame::message(&EnrolEvent::Welcome { time: now.wall, extensions }));
            }
            (Channel::Relay, Some(device)) => match Admitted::admit(conn, device, &self.state) {
                Ok(admitted) => {
                    let position = self.state.position();
                    let device = admitted.device().clone();
                    let welcome = Welcome { device: device.clone(), position, time: now.wall, extensions };
                    self.effects.send(conn, Frame::message(&RelayEvent::Welcome(welcome)));
                    self.effects.note(Note::Admitted(conn, device));
                    self.relay.admitted(&admitted, &mut self.effects);
                    self.ca.seen(&admitted.device().user, source, &self.state);
                    self.deadlines.set(Wake::Expiry(conn), now.when(admitted.not_after().plus(Duration::from_secs(1))));
                    self.deadlines.set(Wake::Silence(conn), now.mono.plus(self.settings.silence_time));
                    self.deadlines.clear(Wake::Handshake(conn));
                    self.strangers.leave(conn);
                    self.set_stage(conn, Stage::Admitted(Box::new(admitted)));
                }
                Err(code) => self.part(conn, code, now),
            },
            (Channel::Relay | Channel::Peer, _) => {
                unreachable!("the relay's doors open to enrolment and to proven devices alone")
            }
        }
    }

    fn message(&mut self, conn: ConnId, message: &mut Vec<u8>, now: Now, rng: &mut dyn CryptoRng) -> Result<(), Fault> {
        let Some(known) = self.conns.get_mut(&conn) else { return Ok(()) };
        let source = known.source;
        match &known.stage {
            Stage::Admitted(admitted) => {
                if !admitted.holds_at(now.wall) {
                    self.part(conn, Code::EXPIRED, now);
                    return Ok(());
                }
                let request: Result<RelayRequest, Fault> = decode(message);
                if matches!(request, Err(_) | Ok(RelayRequest::Password { .. })) {
                    message.zeroize();
                }
                let request = request?;
                request.check()?;
                if let RelayRequest::Devices(request) = request {
                    let admitted = admitted.clone();
                    self.own_devices(&admitted, request, now, rng);
                    return Ok(());
                }
                let round = &mut Round { state: &self.state, now, out: &mut self.effects };
                if let RelayRequest::Conversations(request) = request {
                    self.delivery.request(admitted, request, round);
                    return Ok(());
                }
                if let RelayRequest::Piece { bytes, last } = request {
                    return self.delivery.piece(admitted, &bytes, last, round);
                }
                if let RelayRequest::Renew { ask } = request {
                    let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                    self.ca.renew(ask, admitted, turn);
                    return Ok(());
                }
                if let RelayRequest::Password { ask, password } = request {
                    let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                    self.ca.set_password(ask, admitted, password, turn);
                    return Ok(());
                }
                if let RelayRequest::ListsBefore(lists) = &request {
                    return self.lists_before(lists, now);
                }
                let attends = matches!(request, RelayRequest::Attend { .. });
                self.relay.request(admitted, request, &mut self.ca.books(&self.state), now, &mut self.effects)?;
                if attends {
                    self.ca.tell_waiting(admitted, &mut self.effects);
                }
                Ok(())
            }
            Stage::Newcomer(_) => {
                let request: Result<EnrolRequest, Fault> = decode(message);
                // It may have held a token or a password.
                message.zeroize();
                let request = request?;
                request.check()?;
                let Stage::Newcomer(exporter) = std::mem::replace(&mut known.stage, Stage::Asked) else {
                    unreachable!("the stage was just looked at");
                };
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                match request {
                    EnrolRequest::Enrol(enrol) => self.ca.request(conn, &exporter, &enrol, turn),
                    EnrolRequest::Renew(renew) => self.ca.renew_expired(conn, &exporter, &renew, turn),
                    EnrolRequest::SignUp(asked) => self.ca.sign_up(conn, source, &exporter, asked, turn),
                    EnrolRequest::Reveal { .. } => return Err(Fault::Unexpected),
                }
                self.seat(conn, now);
                Ok(())
            }
            Stage::Waiting => match decode(message)? {
                EnrolRequest::Reveal { nonce, next } => self.ca.revealed(conn, nonce, next, &mut self.effects),
                EnrolRequest::Enrol(_) | EnrolRequest::Renew(_) | EnrolRequest::SignUp(_) => Err(Fault::Unexpected),
            },
            // Nobody says anything before the welcome.
            Stage::Asked | Stage::Held(_) => Err(Fault::Unexpected),
            // We said goodbye already, and what was on its way is of no use.
            Stage::Over => Ok(()),
            Stage::Stranger => unreachable!("a link gives no message before it is secured"),
        }
    }

    /// A password was stretched: whoever asked by it goes on, if they are still there.
    pub(super) fn stretched(
        &mut self,
        id: StretchId,
        stretched: Option<&Stretched>,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) {
        let conns = &self.conns;
        let is_there = |conn| matches!(conns.get(&conn), Some(Conn { stage: Stage::Asked, .. }));
        let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
        if let Some(conn) = self.ca.stretched(id, stretched, &is_there, turn) {
            self.seat(conn, now);
        }
    }

    /// A newcomer that waits for another device holds a good invite or password, and has a place of its own: no stranger's
    /// flood is to cost it that one.
    fn seat(&mut self, conn: ConnId, now: Now) {
        if self.ca.is_waiting(conn) {
            self.set_stage(conn, Stage::Waiting);
            self.strangers.leave(conn);
            self.deadlines.set(Wake::Handshake(conn), now.mono.plus(WAITING_TIME_MAX));
        }
    }

    /// A member's certificate was renewed: the proof of its connection moves on with it, if it is still there.
    pub(super) fn renewed(&mut self, conn: ConnId, renewed: Renewed, now: Now) {
        let Some(Conn { stage: Stage::Admitted(admitted), .. }) = self.conns.get_mut(&conn) else { return };
        if admitted.renewed(renewed.serial, &self.state) {
            self.deadlines.set(Wake::Expiry(conn), now.when(admitted.not_after().plus(Duration::from_secs(1))));
            let certificates = (renewed.leaf, renewed.issuing);
            let books = &mut self.ca.books(&self.state);
            self.relay.renewed(admitted, renewed.ask, certificates, books, &mut self.effects);
        }
    }

    /// A stranger has had time enough.
    pub(super) fn too_late(&mut self, conn: ConnId, now: Now) {
        self.part_as(conn, Code::TIMED_OUT, CloseReason::TimedOut, now);
    }

    /// A proof may have expired; if the civil clock was set back meanwhile it has not.
    pub(super) fn expiry(&mut self, conn: ConnId, now: Now) {
        if let Some(Conn { stage: Stage::Admitted(admitted), .. }) = self.conns.get(&conn) {
            if admitted.holds_at(now.wall) {
                self.deadlines.set(Wake::Expiry(conn), now.when(admitted.not_after().plus(Duration::from_secs(1))));
            } else {
                self.part(conn, Code::EXPIRED, now);
            }
        }
    }

    pub(super) fn silence(&mut self, conn: ConnId, now: Now) {
        let Some(known) = self.conns.get(&conn) else { return };
        // Who is paused is not heard.
        let heard = if known.pause.is_some() { now.mono } else { known.heard };
        let until = heard.plus(self.settings.silence_time);
        if until > now.mono {
            self.deadlines.set(Wake::Silence(conn), until);
        } else {
            self.part_as(conn, Code::TIMED_OUT, CloseReason::TimedOut, now);
        }
    }

    pub(super) fn send(&mut self, conn: ConnId, frame: &Frame, now: Now) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        if let Stage::Over = known.stage {
            return;
        }
        match known.link.send(frame) {
            Ok(()) => {
                self.turned.insert(conn);
                self.pause_if_slow(conn, now);
            }
            // What it did not read is lost with the connection; nothing that was promised is.
            Err(OutboxFull) => self.part(conn, Code::TOO_SLOW, now),
        }
    }

    /// Says goodbye with a code.
    pub(super) fn part(&mut self, conn: ConnId, code: Code, now: Now) {
        self.part_as(conn, code, CloseReason::Ours(code), now);
    }

    fn part_as(&mut self, conn: ConnId, code: Code, reason: CloseReason, now: Now) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.link.part(code, 0);
            self.over(conn, reason, now);
        }
    }

    fn fault(&mut self, conn: ConnId, fault: Fault, now: Now) {
        if let Some(known) = self.conns.get_mut(&conn) {
            let reason = known.link.fault(fault);
            self.over(conn, reason, now);
        }
    }

    /// A connection is over, for one reason: the rooms forget it, its socket gets what is left and a while to end.
    fn over(&mut self, conn: ConnId, reason: CloseReason, now: Now) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let stage = std::mem::replace(&mut known.stage, Stage::Over);
        let device = match stage {
            Stage::Over => return,
            Stage::Admitted(admitted) => {
                self.relay.gone(&admitted, &mut self.effects);
                self.delivery.gone(conn, &mut self.effects);
                Some(admitted.device().clone())
            }
            // A stranger's place comes free with its socket, not before.
            Stage::Stranger | Stage::Held(_) | Stage::Newcomer(_) | Stage::Asked => None,
            Stage::Waiting => {
                self.ca.gone(conn, &mut self.effects);
                None
            }
        };
        for wake in [Wake::Handshake(conn), Wake::Expiry(conn), Wake::Silence(conn)] {
            self.deadlines.clear(wake);
        }
        self.strangers.give_up(conn);
        self.resume(conn, now);
        self.deadlines.set(Wake::Linger(conn), now.mono.plus(LINGER_TIME_MAX));
        self.turned.insert(conn);
        self.effects.note(Note::Closed(conn, device, reason));
    }

    /// Frees a place for a newcomer. Members on their way in are quicker than those who only sit there, and come from
    /// elsewhere than a flood.
    fn make_room(&mut self, now: Now) {
        if let Some(yielding) = self.strangers.yielding() {
            self.part(yielding, Code::FULL, now);
            self.forget(yielding);
        }
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        if self.conns.remove(&conn).is_some() {
            self.strangers.leave(conn);
            self.deadlines.clear(Wake::Linger(conn));
            self.turned.remove(&conn);
            self.outputs.push_back(Output::Drop(conn));
        }
    }

    fn set_stage(&mut self, conn: ConnId, stage: Stage) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.stage = stage;
        }
    }
}
