//! A device whose certificate has expired comes back by the enrolment channel, and goes on with the log that it knows.
//!
//! Whether it is too late is the server's to say: by its own clock the device knows no more than that it has to ask. What
//! the server's clock reads is told on the way, so that a clock that is off is said to be off.

use rand_core::CryptoRng;

use super::enrol::{EnrolInput, EnrolResult, Enrolment, check_own};
use super::renewal::NotRenewed;
use super::{Device, Event, Identity, Input, Output};
use crate::fault::{CloseReason, Fault};
use crate::id::ConnId;
use crate::limits::RENEWAL_GRACE;
use crate::time::Now;
use crate::wire::Code;

/// The way back by the enrolment channel.
#[derive(Debug)]
pub(super) struct Returning {
    pub(super) conn: ConnId,
    pub(super) machine: Enrolment,
}

impl Device {
    /// The certificate has expired: the relay is asked for another one by the enrolment channel.
    pub(super) fn come_back(&mut self, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        let Identity { name, credentials, trust, .. } = &self.identity;
        let ends = self.renewing.ends();
        match check_own(trust, &credentials.leaf, &credentials.issuing, name, &credentials.key, ends) {
            Ok(judged) => {
                let mut machine = Enrolment::renewal(self.env.clone(), self.identity.clone(), judged.serial);
                machine.handle(&EnrolInput::Start, now);
                self.renewing.returning = Some(Returning { conn, machine });
            }
            Err(refusal) => {
                let reason = CloseReason::Fault(Fault::Certificate(refusal));
                self.session.not_renewed(reason, true, now, rng);
            }
        }
    }

    /// Whether an input is about the way back, which then has it.
    pub(super) fn took_returning(&mut self, input: &Input<'_>, now: Now) -> bool {
        let Some(Returning { conn: own, machine }) = &mut self.renewing.returning else { return false };
        let own = *own;
        let input = match *input {
            Input::Connected(conn) if conn == own => EnrolInput::Connected(conn),
            Input::Unreachable(conn) if conn == own => EnrolInput::Unreachable(conn),
            Input::Received(conn, bytes) if conn == own => EnrolInput::Received(conn, bytes),
            Input::Sent(conn, n) if conn == own => EnrolInput::Sent(conn, n),
            Input::Ended(conn) if conn == own => EnrolInput::Ended(conn),
            Input::Start
            | Input::Connected(_)
            | Input::Unreachable(_)
            | Input::Received(..)
            | Input::Sent(..)
            | Input::Ended(_)
            | Input::Addresses(..)
            | Input::Listening(..)
            | Input::Accepted(..)
            | Input::Command(_)
            | Input::Kept(_)
            | Input::Tick => return false,
        };
        machine.handle(&input, now);
        true
    }

    /// The next thing to be done outside for the way back.
    pub(super) fn poll_returning(&mut self) -> Option<Output> {
        let Returning { conn, machine } = self.renewing.returning.as_mut()?;
        let conn = *conn;
        Some(match machine.poll_output()? {
            Output::Dial(_) => Output::Dial(conn),
            Output::Write(_) => Output::Write(conn),
            Output::Shut(_) => Output::Shut(conn),
            Output::Drop(_) => Output::Drop(conn),
            other @ (Output::DialPeer(..)
            | Output::FindAddresses(_)
            | Output::Listen(..)
            | Output::Unlisten(_)
            | Output::Keep(..)
            | Output::Tell(_)) => other,
        })
    }

    /// What the way back has for its socket, if it is that one's.
    pub(super) fn outbound_returning(&self, conn: ConnId) -> Option<&[u8]> {
        let way = self.renewing.returning.as_ref().filter(|way| way.conn == conn)?;
        Some(way.machine.outbound())
    }

    /// Takes what the way back has come to, once its connection has ended.
    pub(super) fn end_returning(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        let Some(way) = self.renewing.returning.as_mut() else { return };
        let Some(result) = way.machine.result().cloned() else { return };
        // What it still wants done with its socket.
        while let Some(output) = self.poll_returning() {
            self.outputs.push_back(output);
        }
        let Some(way) = self.renewing.returning.take() else { return };
        if let Some(time) = way.machine.server_time() {
            self.tell(Event::ServerClock(time));
        }
        let (why, reason, is_final) = match result {
            EnrolResult::Enrolled(identity) => return self.came_back(*identity, way.machine.incarnation(), now),
            EnrolResult::Refused(code, _) => {
                let is_late = code == Code::RENEWAL_TOO_LATE && now.wall > self.renewing.ends().plus(RENEWAL_GRACE);
                let is_final = is_late || matches!(code, Code::RENEWAL_UNKNOWN | Code::RENEWAL_UNPROVED);
                (Some(NotRenewed::Refused(code)), CloseReason::Theirs(code), is_final)
            }
            EnrolResult::BadCertificate(refusal) => {
                let reason = CloseReason::Fault(Fault::Certificate(refusal));
                (Some(NotRenewed::BadCertificate(refusal)), reason, false)
            }
            EnrolResult::LogRefused(refusal) => (None, CloseReason::Fault(self.refuse(refusal)), false),
            EnrolResult::Lost(reason) => (None, reason, false),
        };
        if let Some(why) = why {
            self.tell(Event::NotRenewed(why));
        }
        self.session.not_renewed(reason, is_final, now, rng);
    }

    /// The way back has led to a certificate; the log's head came with it.
    fn came_back(&mut self, identity: Identity, incarnation: Option<u64>, now: Now) {
        let origin = |identity: &Identity| identity.log.view().map(|view| view.newest().origin().clone());
        let is_another = origin(&self.identity).is_some_and(|known| Some(known) != origin(&identity));
        self.incarnation = incarnation.unwrap_or(self.incarnation);
        self.identity.log = identity.log;
        if let Some(followed) = self.identity.log.followed() {
            let followed = Box::new(followed);
            self.tell(if is_another { Event::AnotherLog(followed) } else { Event::Followed(followed) });
        }
        self.take_certificate(identity.credentials.leaf, identity.credentials.issuing, now);
        self.session.start(now);
    }
}
