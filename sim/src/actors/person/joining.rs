//! Decides how a person comes to have a device: whom they ask for an invite, what they do with it, and what they make of a
//! refusal.

use countersign_core::device::enrol::EnrolResult;
use countersign_core::invite::InviteLink;
use countersign_core::wire::Code;

use super::kin::Kin;
use super::{Act, Person, Prompt};
use crate::rng::Draw;

impl Person {
    /// They get an invite, and use it at once.
    pub fn handed(&mut self, link: InviteLink, now_us: u64) -> Vec<Act> {
        if self.enrolled || self.is_on() || self.invite.is_some() {
            return Vec::new();
        }
        self.invite = Some(link);
        self.wake_up(now_us)
    }

    /// The operator could not invite them by that name.
    pub fn invite_refused(&mut self) {
        // Somebody may have handed them another one meanwhile, and a name that is asked for or theirs stays.
        if !self.enrolled && !self.is_on() {
            self.own.give_up_coming_back();
            self.rename();
            self.asked_us = None;
        }
    }

    /// Their enrolment has come to something.
    pub fn enrol_ended(&mut self, result: &EnrolResult, now_us: u64) -> Vec<Act> {
        match result {
            EnrolResult::Enrolled(_) => {
                self.enrolled = true;
                self.has_come();
            }
            // They look at the link again.
            EnrolResult::Refused(..) if self.slipped => {}
            EnrolResult::Refused(code, detail) if self.own.signs_up() => {
                return self.is_not_signed_up(*code, *detail, now_us);
            }
            EnrolResult::Refused(code, _) if self.own.is_coming_back() => return self.is_not_let_back(*code),
            EnrolResult::Refused(code, _) => match *code {
                Code::NAME_TAKEN | Code::NAME_LOOKS_TAKEN | Code::SECOND_DEVICE => self.rename(),
                Code::BUSY | Code::ISSUE_FAILED => {}
                Code::INVITES_OFF => self.own.turns_to_passwords(),
                Code::DEVICE_TAKEN => self.relabel(),
                // The answer was lost, and by now they ask for a device of another user: the key is the first one's for ever.
                Code::KEY_TAKEN => return vec![Act::Anew],
                // The answer was lost, and by now the certificate has lapsed: neither key nor name will do.
                Code::EXPIRED | Code::REVOKED => {
                    self.rename();
                    return vec![Act::Anew];
                }
                _ => {
                    self.invite = None;
                    self.asked_us = None;
                }
            },
            // The same key asks again, and gets the same certificate if there was one.
            EnrolResult::Lost(_) | EnrolResult::BadCertificate(_) | EnrolResult::LogRefused(_) => {
                self.away_us = now_us + self.rng.between(100_000, 2_000_000);
            }
        }
        Vec::new()
    }

    /// What their enrolment needed or brought could not be written down, and they were told so: they make room.
    pub fn not_kept(&mut self, now_us: u64) {
        self.away_us = now_us + self.rng.between(100_000, 3_000_000);
    }

    /// Their device has a certificate already.
    pub fn has_joined(&mut self) {
        self.enrolled = true;
    }

    pub(super) fn wake_up(&mut self, now_us: u64) -> Vec<Act> {
        if now_us < self.away_us {
            return Vec::new();
        }
        if self.enrolled {
            return vec![Act::Start];
        }
        if self.kin.as_ref().is_some_and(Kin::holds_back) {
            return Vec::new();
        }
        let waits = self.kin.as_ref().is_some_and(Kin::comes_second);
        let way = self.own.way(waits);
        if let Some(act) = self.signs_up(&way) {
            let trips = self.whims.trips(&mut self.rng).then(|| self.rng.between(1, 600_000));
            return [act].into_iter().chain(trips.map(|after_us| Act::Later(after_us, Prompt::Trip))).collect();
        }
        if let Some(invite) = &self.invite {
            let slip = if self.calm { None } else { self.hands.link(invite) };
            let mut acts = match slip {
                None => vec![Act::Enrol(Box::new(invite.clone()), self.name.clone(), way)],
                Some((slip, None)) => return vec![Act::Slip(slip, false)],
                Some((slip, Some(typed))) => {
                    self.slipped = true;
                    vec![Act::Enrol(Box::new(typed), self.name.clone(), way), Act::Slip(slip, true)]
                }
            };
            if self.whims.trips(&mut self.rng) {
                acts.push(Act::Later(self.rng.between(1, 600_000), Prompt::Trip));
            }
            return acts;
        }
        // An answer that does not come is asked for again: the relay may have crashed over it.
        if self.asked_us.is_some_and(|asked_us| now_us < asked_us + 3_000_000) {
            return Vec::new();
        }
        self.asked_us = Some(now_us);
        vec![self.own.asks_back().map_or(Act::AskOperator, Act::AskBack)]
    }
}
