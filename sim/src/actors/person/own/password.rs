//! Decides how a person joins by a password: which one they type, and what they make of a refusal.

use countersign_core::wire::Code;

use super::Own;
use crate::actors::Way;
use crate::actors::person::kin::Kin;
use crate::actors::person::{Act, Person};
use crate::config::SimConfig;
use crate::rng::{Choices, Draw, Streams};

/// How often somebody mistypes, who then looks twice: each wrong one makes the next wait longer.
const MISTYPED_MAX: u64 = 2;
/// How often somebody is told that it is not the password of a name until they take it for another one's.
const WRONG_MAX: usize = 2;
/// For longer than this nobody waits to try again who can take another name, in seconds.
const WAIT_S: u16 = 15;

/// What a person thinks of passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    rng: Choices,
    /// Whether they would rather join by one.
    prefers: bool,
    slip_percent: u64,
    mistyped: u64,
    /// How often in a row it was not the password of the name.
    wrong: usize,
    /// Whether their enrolment that runs, or ran last, is by one.
    in_use: bool,
}

impl Passwords {
    /// What they think to begin with.
    pub(super) fn new(config: &SimConfig, streams: Streams<'_>, number: usize) -> Self {
        let mut rng = streams.stream(&format!("person/{number}/password"));
        let prefers = rng.chance(config.password_percent, 100);
        Self { rng, prefers, slip_percent: config.slip_percent, mistyped: 0, wrong: 0, in_use: false }
    }
}

impl Own {
    /// Whether their enrolment is by a password.
    pub(in crate::actors::person) fn signs_up(&self) -> bool {
        self.password.in_use
    }

    /// Invites admit nobody here.
    pub(in crate::actors::person) fn turns_to_passwords(&mut self) {
        self.password.prefers = true;
    }
}

impl Person {
    /// The operator says that nobody is invited here, and that a password admits.
    pub fn hears_of_passwords(&mut self) {
        self.own.turns_to_passwords();
        self.asked_us = None;
    }

    /// They ask for a certificate by a password, if they do. Whoever comes back needs an invite.
    pub(in crate::actors::person) fn signs_up(&mut self, way: &Way) -> Option<Act> {
        let password = &mut self.own.password;
        password.in_use = password.prefers && self.own.back.is_none();
        if !password.in_use {
            return None;
        }
        let slips = password.rng.chance(password.slip_percent, 100) && !self.calm;
        // Whoever takes a name types the password twice: one that nobody knows would lock their next device out.
        let mistyped = slips && *way == Way::Waits && password.mistyped < MISTYPED_MAX;
        password.mistyped += u64::from(mistyped);
        Some(Act::SignUp(self.name.clone(), way.clone(), password.wrong, mistyped))
    }

    /// They were refused.
    pub(in crate::actors::person) fn is_not_signed_up(&mut self, code: Code, detail: u16, now_us: u64) -> Vec<Act> {
        let has_other = self.kin.as_ref().is_some_and(Kin::comes_second);
        match code {
            Code::PASSWORDS_OFF => self.own.password.prefers = false,
            Code::PASSWORD_WRONG => {
                self.own.password.wrong += 1;
                if self.own.password.wrong >= WRONG_MAX {
                    self.own.password.wrong = 0;
                    if has_other {
                        // They may have none: whoever was invited has set none.
                        self.own.password.prefers = false;
                    } else {
                        self.rename();
                    }
                }
            }
            Code::TRIES_TOO_MANY if detail > WAIT_S && !has_other => self.rename(),
            Code::TRIES_TOO_MANY if detail > WAIT_S => self.own.password.prefers = false,
            Code::TRIES_TOO_MANY => self.away_us = now_us + u64::from(detail) * 1_000_000,
            Code::NAME_TAKEN | Code::NAME_LOOKS_TAKEN | Code::SECOND_DEVICE => self.rename(),
            Code::DEVICE_TAKEN => self.relabel(),
            Code::KEY_TAKEN => return vec![Act::Anew],
            Code::EXPIRED | Code::REVOKED => {
                self.rename();
                return vec![Act::Anew];
            }
            _ => {}
        }
        Vec::new()
    }
}
