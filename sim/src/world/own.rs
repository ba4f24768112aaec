//! What people do with their own devices now and then, whatever these do at the moment: they take one back, make another
//! recovery code, lose all that they have, or set another password.

mod losing;
pub(super) mod passwords;

use std::collections::BTreeMap;

use countersign_core::device::Command;
use countersign_core::id::{DeviceLabel, DeviceName};
use countersign_core::tlog::ReasonCode;

use super::World;
use super::event::Event;
use crate::actors::Prompt;
use crate::rng::{Choices, Draw, Streams};
use crate::story::Phase;
use losing::Papers;
use passwords::{Known, Worker};

/// The reasons that people give. One is for CAs alone, and refused.
const REASONS: [u8; 7] = [0, 1, 2, 3, 4, 5, 9];

/// What somebody does with their own devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Takes one back, or tries to.
    TakeBack,
    /// Makes another recovery code, or asks whether one counts.
    Code,
    /// Loses all.
    Lose,
    /// Sets another password.
    Password,
}

/// What is drawn for this, and what has been done.
pub(super) struct Owners {
    withdrawals: Choices,
    /// The devices that somebody has asked to be taken back.
    asked: Vec<DeviceName>,
    codes: Choices,
    losses: Choices,
    papers: BTreeMap<usize, Papers>,
    passwords: Choices,
    known: BTreeMap<usize, Known>,
    worker: Worker,
}

impl Owners {
    /// Nothing yet.
    pub(super) fn new(streams: Streams) -> Self {
        let [withdrawals, codes, losses] = ["withdrawing", "codes", "losing"].map(|name| streams.stream(name));
        Self {
            withdrawals,
            asked: Vec::new(),
            codes,
            losses,
            papers: BTreeMap::new(),
            passwords: streams.stream("passwords"),
            known: BTreeMap::new(),
            worker: Worker::new(streams),
        }
    }
}

impl World {
    /// Plans the first of each.
    pub(super) fn plan_own(&mut self) {
        self.plan_withdrawal();
        self.plan_code();
        self.plan_loss();
        self.plan_password();
    }

    /// Somebody does something with their own devices. In the calm they leave them alone.
    pub(super) fn own(&mut self, deed: Deed) {
        if self.phase != Phase::Storm {
            return;
        }
        match deed {
            Deed::TakeBack => self.take_back(),
            Deed::Code => self.think_of_code(),
            Deed::Lose => self.lose(),
            Deed::Password => self.think_of_password(),
        }
    }

    fn plan_withdrawal(&mut self) {
        let mean_ms = self.config.withdraw_mean_ms;
        let after_ms = self.owners.withdrawals.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Own(Deed::TakeBack));
        }
    }

    /// Somebody who has joined takes a device of theirs back: this one, the other one, one that they have had, or one that they
    /// think they have.
    fn take_back(&mut self) {
        let joined: Vec<(usize, DeviceName)> = self.joined().collect();
        let Some((person, by)) = self.owners.withdrawals.pick(&joined).cloned() else { return self.plan_withdrawal() };
        let rng = &mut self.owners.withdrawals;
        let (which, insists, reason) = (rng.below(6), rng.chance(1, 3), rng.pick(&REASONS).copied());
        let reason = reason.and_then(ReasonCode::new).expect("each of these is a reason");
        let other =
            joined.iter().find(|(other, name)| self.config.sibling(person) == Some(*other) && name.user == by.user);
        let before = self.owners.asked.iter().rfind(|name| name.user == by.user);
        let device = match which {
            0 | 1 => other.map(|(_, name)| name.device.clone()),
            2 | 3 => Some(by.device.clone()),
            4 => before.map(|name| name.device.clone()),
            _ => Some(DeviceLabel::parse("toaster").expect("a label")),
        };
        let device = device.unwrap_or_else(|| by.device.clone());
        self.owners.asked.push(DeviceName { user: by.user, device: device.clone() });
        self.later(1, Event::Prompt(person, Prompt::Own(Command::Withdraw(device, reason, insists))));
        self.plan_withdrawal();
    }

    /// The devices that have joined, by what they are called.
    pub(in crate::world) fn joined(&self) -> impl Iterator<Item = (usize, DeviceName)> {
        let name = |(number, node): (usize, &crate::node::device::DeviceNode)| {
            Some((number, node.store.identity.as_ref()?.name.clone()))
        };
        self.devices.iter().enumerate().filter_map(name)
    }
}
