//! Decides what a person does about their own devices besides approving one: they write down a recovery code, come back by it
//! or by the operator's word when all is lost, and ask who has acted when they have taken a device back.

mod password;

use std::fmt;

use countersign_core::device::Command;
use countersign_core::device::approve::Approval;
use countersign_core::id::{DeviceLabel, UserName};
use countersign_core::wire::Code;

use super::kin::Kin;
use super::{Act, Person, Prompt};
use crate::actors::Way;
use crate::config::SimConfig;
use crate::rng::{Choices, Draw, Streams};
use password::Passwords;

/// What a person has on their mind about their own devices.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that a person knows of themselves")]
pub(super) struct Own {
    rng: Choices,
    /// Whether they make a code when they have joined.
    is_careful: bool,
    /// Whether they would ask the operator to let them in again.
    asks_operator: bool,
    /// Whether a code is to be made when they are online, and whether one is being made.
    wants_code: bool,
    makes_code: bool,
    /// How they mean to come back, while they are out.
    back: Option<Back>,
    /// How many codes they have written down.
    papers: usize,
    /// How many of them have been refused, and whether they take the second newest for the newest.
    refused: usize,
    confuses: bool,
    /// How often a device of theirs has got another label.
    relabelled: u64,
    password: Passwords,
}

/// How somebody comes back who has lost every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// By a recovery code.
    Code,
    /// By the operator's word alone; with `true` their devices from before stay.
    Operator(bool),
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code => "come back by a code",
            Self::Operator(_) => "come back by the operator's word",
        })
    }
}

impl Own {
    /// Nothing yet.
    pub(super) fn new(config: &SimConfig, streams: Streams<'_>, number: usize) -> Self {
        let mut rng = streams.stream(&format!("person/{number}/own"));
        let is_careful = rng.chance(config.recovery_percent, 100) && !config.is_further(number);
        Self {
            rng,
            is_careful,
            asks_operator: config.lose_mean_ms > 0,
            wants_code: false,
            makes_code: false,
            back: None,
            papers: 0,
            refused: 0,
            confuses: false,
            relabelled: 0,
            password: Passwords::new(config, streams, number),
        }
    }

    /// Their program has ended: whether a code that was being made counts is not known.
    pub(super) fn stopped(&mut self) {
        self.wants_code |= std::mem::take(&mut self.makes_code);
    }

    /// Whether they are out, and mean to come back as who they were.
    pub(super) fn is_coming_back(&self) -> bool {
        self.back.is_some()
    }

    /// They will be somebody new.
    pub(super) fn give_up_coming_back(&mut self) {
        self.back = None;
    }

    /// By what right they ask for a certificate; those who are not out wait for their other device, or do not.
    pub(super) fn way(&mut self, waits: bool) -> Way {
        if self.back == Some(Back::Code) && self.refused >= self.papers {
            self.back = Some(self.operator());
        }
        match self.back {
            Some(Back::Code) => Way::Code(match (self.confuses && self.papers > 1, self.refused) {
                (true, 0) => 1,
                (true, 1) => 0,
                (_, refused) => refused,
            }),
            None if waits => Way::Waits,
            Some(Back::Operator(_)) | None => Way::Invite,
        }
    }

    /// Whether they ask the operator to let them in again, and whether their devices are to stay.
    pub(super) fn asks_back(&self) -> Option<bool> {
        if let Some(Back::Operator(keep)) = self.back { Some(keep) } else { None }
    }

    fn operator(&mut self) -> Back {
        Back::Operator(self.rng.chance(1, 4))
    }
}

impl Person {
    /// They look at their papers: how many codes they have written down.
    pub fn counts_papers(&mut self, papers: usize) {
        self.own.papers = papers;
    }

    /// Every device of theirs is lost, and with `true` every code, too.
    pub fn loses_everything(&mut self, code_too: bool) {
        let operator = self.own.operator();
        let back = if code_too || self.own.papers == 0 { operator } else { Back::Code };
        self.sets_out(back);
    }

    /// They have found somebody's code, and come as them.
    pub fn comes_as(&mut self, user: UserName) {
        self.name.user = user;
        self.own.papers = 1;
        self.sets_out(Back::Code);
    }

    /// How they come back, if they are out.
    pub fn comes_back_by(&self) -> Option<Back> {
        self.own.back
    }

    /// Their device was taken back: whether they come back as who they were, without the other one's word.
    pub(super) fn comes_back(&mut self) -> bool {
        let has_other = self.kin.as_ref().is_some_and(Kin::comes_second);
        let (in_four, in_three) = (self.own.rng.chance(1, 4), self.own.rng.chance(1, 3));
        let operator = self.own.operator();
        let first = !self.kin.as_ref().is_some_and(Kin::is_further);
        match (self.own.papers > 0, has_other) {
            (true, true) if in_four => self.sets_out(Back::Code),
            (true, false) if first => self.sets_out(Back::Code),
            (false, false) if first && in_three && self.own.asks_operator => self.sets_out(operator),
            _ => return false,
        }
        true
    }

    fn sets_out(&mut self, back: Back) {
        self.own.back = Some(back);
        (self.own.refused, self.own.confuses) = (0, self.own.rng.chance(1, 4));
    }

    /// They have a certificate: whoever came back makes the next code, since the one before was read.
    pub(super) fn has_come(&mut self) {
        self.own.wants_code |= self.own.back.take().is_some() || self.own.is_careful;
    }

    /// They are online: a code that is wanted is made.
    pub(super) fn makes_code(&mut self) -> Vec<Act> {
        if !std::mem::take(&mut self.own.wants_code) {
            return Vec::new();
        }
        self.own.makes_code = true;
        vec![Act::MakeCode]
    }

    /// They are out, and were refused.
    pub(super) fn is_not_let_back(&mut self, code: Code) -> Vec<Act> {
        match code {
            Code::BUSY | Code::ISSUE_FAILED => {}
            Code::DEVICE_TAKEN => self.relabel(),
            Code::NOT_RECOVERED => self.own.refused += 1,
            // The code counts, and leads nowhere any more.
            Code::ENDORSEMENTS_TOO_MANY => self.own.back = Some(self.own.operator()),
            Code::DEVICES_FULL => {
                self.own.back = None;
                self.rename();
            }
            // The answer was lost, and what was granted is of no use any more.
            Code::KEY_TAKEN | Code::EXPIRED | Code::REVOKED => return vec![Act::Anew],
            _ => (self.invite, self.asked_us) = (None, None),
        }
        if self.own.back == Some(Back::Code) && self.own.refused >= self.own.papers {
            // For this the operator makes another kind of invite.
            (self.own.back, self.invite, self.asked_us) = (Some(self.own.operator()), None, None);
        }
        Vec::new()
    }

    /// Their device tells them something about their devices.
    pub(super) fn hears_of_own(&mut self, approval: &Approval) -> Vec<Act> {
        match approval {
            Approval::Withdrawn(_, number) => {
                vec![Act::Later(self.own.rng.between(1_000, 3_000_000), Prompt::Own(Command::Acted(*number)))]
            }
            Approval::Armed => {
                self.own.makes_code = false;
                Vec::new()
            }
            Approval::Acted(..) | Approval::Recovery(_) => Vec::new(),
            Approval::Devices(..)
            | Approval::Waits(_)
            | Approval::Compared(..)
            | Approval::Uncommitted(_)
            | Approval::Endorsed(_)
            | Approval::Dismissed(_) => self.hears_of_other(approval),
        }
    }

    /// Another name for the device: the account has had one of this name.
    ///
    /// # Panics
    /// Never: a short label with a number is one.
    pub(super) fn relabel(&mut self) {
        self.own.relabelled += 1;
        let kind = self.name.device.as_str().split('-').next().unwrap_or("device");
        self.name.device =
            DeviceLabel::parse(&format!("{kind}-{}", self.own.relabelled)).expect("a short label with a number");
    }
}
