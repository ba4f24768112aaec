//! Decides how somebody with two devices has one of them approve the other: when they wait and lose patience, compare, look at
//! both, and say yes.

use countersign_core::device::Command;
use countersign_core::device::approve::Approval;
use countersign_core::device::enrol::EnrolNews;
use countersign_core::id::{DeviceLabel, UserName};
use countersign_core::pki::comparison::ComparisonCode;

use super::{Act, Person, Program, Prompt};
use crate::config::SimConfig;
use crate::rng::{Choices, Draw, Streams};

/// How long a comparison takes at most, in microseconds: nobody begins another one meanwhile.
const COMPARING_US: u64 = 8_000_000;

/// What a person knows of their two devices, at one of them.
#[derive(Debug)]
pub(super) struct Kin {
    rng: Choices,
    /// Whether this is the one that comes later.
    further: bool,
    /// Whether the other one has joined.
    other_is_in: bool,
    /// Until when they wait for the other one to approve this one.
    patience_us: Option<u64>,
    /// What this one shows while it waits.
    code: Option<ComparisonCode>,
    /// Until when they are busy comparing.
    comparing_us: u64,
}

/// How the names of further devices begin: no first device's does.
pub const FURTHER: &str = "tablet";

/// What further devices are called at first.
pub(super) fn further_label() -> DeviceLabel {
    DeviceLabel::parse(FURTHER).expect("a label")
}

impl Kin {
    /// Of somebody who comes to have two devices.
    pub(super) fn of(config: &SimConfig, streams: Streams<'_>, number: usize) -> Option<Self> {
        config.sibling(number)?;
        Some(Self {
            rng: streams.stream(&format!("person/{number}/kin")),
            further: config.is_further(number),
            other_is_in: false,
            patience_us: None,
            code: None,
            comparing_us: 0,
        })
    }

    /// Whether they let it be for now: the first one comes first.
    pub(super) fn holds_back(&self) -> bool {
        self.further && !self.other_is_in
    }

    /// Whether this one comes to a user who is there, by the other one.
    pub(super) fn comes_second(&self) -> bool {
        self.other_is_in
    }

    /// Whether it is the one that comes later.
    pub(super) fn is_further(&self) -> bool {
        self.further
    }

    /// Whether it waits to be approved.
    pub(super) fn waits(&self) -> bool {
        self.patience_us.is_some()
    }

    /// Whether a new device gets another label than the one that was lost; now and then nobody thinks of it.
    pub(super) fn finds_another_label(&mut self) -> bool {
        self.rng.chance(3, 4)
    }

    /// Its program has ended.
    pub(super) fn stopped(&mut self) {
        (self.patience_us, self.code, self.comparing_us) = (None, None, 0);
    }

    fn delay_us(&mut self, calm: bool) -> u64 {
        let drawn_us = self.rng.between(50_000, 4_000_000);
        if calm { 20_000 } else { drawn_us }
    }
}

impl Person {
    /// They look at their other device: whose it is, if it has joined.
    pub fn sees_other(&mut self, joined: Option<UserName>) {
        let is_on = self.is_on();
        let Some(kin) = &mut self.kin else { return };
        kin.other_is_in = joined.is_some();
        if let Some(user) = joined.filter(|_| !self.enrolled && !is_on) {
            self.name.user = user;
        }
    }

    /// The code that their device shows while it waits by this name.
    pub fn shows(&self, device: &DeviceLabel) -> Option<ComparisonCode> {
        self.kin.as_ref()?.code.filter(|_| self.name.device == *device)
    }

    /// Their device, which enrols, tells them how it waits.
    pub fn told_news(&mut self, news: &EnrolNews, now_us: u64) {
        let calm = self.calm;
        let Some(kin) = &mut self.kin else { return };
        match news {
            EnrolNews::Waits(_) => {
                let (storm_us, calm_us) = (kin.rng.between(5_000_000, 60_000_000), 20_000_000);
                kin.patience_us = Some(now_us + if calm { calm_us } else { storm_us });
            }
            EnrolNews::Compare(_, code) => kin.code = Some(*code),
        }
    }

    /// They have looked at both: whether the codes are the same.
    pub fn looked(&mut self, device: DeviceLabel, same: bool) -> Vec<Act> {
        vec![Act::Wish(if same { Command::Endorse } else { Command::Dismiss(device) })]
    }

    /// Their device tells them something about their devices.
    pub(super) fn hears_of_other(&mut self, approval: &Approval) -> Vec<Act> {
        let calm = self.calm;
        let Some(kin) = &mut self.kin else { return Vec::new() };
        match approval {
            Approval::Waits(device) => vec![Act::Later(kin.delay_us(calm), Prompt::Approve(device.clone()))],
            Approval::Devices(_, waiting) => {
                let newest = waiting.iter().max_by_key(|waiting| waiting.since).map(|waiting| waiting.device.clone());
                newest.map(|device| Act::Later(kin.delay_us(calm), Prompt::Approve(device))).into_iter().collect()
            }
            Approval::Compared(device, code) => {
                vec![Act::Later(kin.delay_us(calm), Prompt::LookAt(device.clone(), *code))]
            }
            // Somebody is between the two.
            Approval::Uncommitted(device) => vec![Act::Wish(Command::Dismiss(device.clone()))],
            Approval::Endorsed(_) | Approval::Dismissed(_) => {
                kin.comparing_us = 0;
                Vec::new()
            }
            Approval::Armed | Approval::Withdrawn(..) | Approval::Acted(..) | Approval::Recovery(_) => Vec::new(),
        }
    }

    /// They get round to what waits: mostly they compare, and now and then this is not the moment.
    pub(super) fn approve(&mut self, device: DeviceLabel, now_us: u64) -> Vec<Act> {
        let calm = self.calm;
        let Some(kin) = &mut self.kin else { return Vec::new() };
        let refuses = kin.rng.chance(1, 12) && !calm;
        if refuses {
            return vec![Act::Wish(Command::Dismiss(device))];
        }
        if now_us < kin.comparing_us {
            return Vec::new();
        }
        kin.comparing_us = now_us + COMPARING_US;
        vec![Act::Wish(Command::Compare(device))]
    }

    /// What they do for the sake of their other device, whatever they feel like: they give up waiting at this one, or look at
    /// this one whether the other one waits.
    pub(super) fn looks_after_other(&mut self, now_us: u64) -> Option<Act> {
        let (calm, online) = (self.calm, self.program == Program::Online && self.enrolled);
        let kin = self.kin.as_mut()?;
        if !self.enrolled {
            return kin.patience_us.is_some_and(|until_us| until_us <= now_us).then_some(Act::Kill);
        }
        let looks = kin.rng.chance(1, if calm { 4 } else { 12 });
        let free = online && !kin.other_is_in && now_us >= kin.comparing_us;
        (looks && free).then_some(Act::Wish(Command::Devices))
    }
}
