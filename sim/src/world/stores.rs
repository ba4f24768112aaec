//! How a device writes down its key and its certificate, what of it fails, and what its user does with what is there.
//!
//! As `client join` does (`net/src/client/home.rs`): the key before anybody hears of it, the identity once it was checked.
//! A write is there as a whole or not at all; where it fails the program ends with a sentence, and its user runs it again.

use countersign_core::device::enrol::EnrolResult;

use super::World;
use super::event::Event;
use crate::actors::Act;
use crate::node::Node;
use crate::node::device::Item;
use crate::rng::Draw;
use crate::story::{Phase, Program, Seen, Stored, Who};

impl World {
    /// A program that will enrol has begun: it writes down its key first, if that is new.
    pub(super) fn write_key(&mut self, device: usize) {
        let now_us = self.now_us;
        let Some(node) = self.devices.get_mut(device) else { return };
        if node.writing().is_some() {
            self.write_down(device);
        } else {
            node.ask(now_us);
            self.see_request(device);
            self.mark(Node::Device(device));
        }
    }

    /// What is being written takes a while.
    pub(super) fn write_down(&mut self, device: usize) {
        let after_us = self.disks.rng.between(1, self.config.store_max_us.max(1));
        if let Some(program) = self.program(device) {
            self.later(after_us, Event::Stored(program));
        }
    }

    /// What a write comes to, and whether it is there afterwards.
    fn write_fate(&mut self) -> (Stored, bool) {
        let (rng, config) = (&mut self.disks.rng, &self.config);
        let (fails, dies) = (rng.chance(config.store_fail_percent, 100), rng.chance(config.store_crash_percent, 100));
        let (full, there) = (rng.chance(1, 2), rng.chance(1, 2));
        if self.phase != Phase::Storm {
            return (Stored::Kept, true);
        }
        self.disks.stores += 1;
        let forced = if self.disks.stores == config.fail_store { config.fail_store_how } else { 0 };
        match forced {
            1 => (Stored::Full, false),
            2 | 3 => (Stored::SyncFailed, forced == 3),
            4 | 5 => (Stored::Killed, forced == 5),
            _ if dies => (Stored::Killed, there),
            _ if fails && full => (Stored::Full, false),
            _ if fails => (Stored::SyncFailed, there),
            _ => (Stored::Kept, true),
        }
    }

    /// The write is over, however.
    pub(super) fn stored(&mut self, program: Program) {
        let ((stored, there), device) = (self.write_fate(), program.device);
        let Some(node) = self.devices.get_mut(device).filter(|node| node.is_on() && node.program() == program) else {
            return;
        };
        let (Some(item), Some(key)) = (node.writing(), node.newest_key()) else { return };
        if there {
            node.written();
        } else {
            node.unwritten();
        }
        let name = self.person(device).name().clone();
        self.see(&Seen::Stored(Who { program, name: &name }, item, stored, key));
        match stored {
            Stored::Kept => self.kept(device, item),
            Stored::Killed => self.stop(device, true),
            Stored::Full | Stored::SyncFailed => {
                let now_us = self.now_us;
                self.stop(device, false);
                self.person(device).not_kept(now_us);
            }
        }
    }

    fn kept(&mut self, device: usize, item: Item) {
        let now_us = self.now_us;
        let Some(node) = self.devices.get_mut(device) else { return };
        match item {
            Item::Key => {
                node.ask(now_us);
                self.see_request(device);
                self.mark(Node::Device(device));
            }
            Item::Identity => {
                let program = node.program();
                if let Some(result @ EnrolResult::Enrolled(_)) = node.enrol_result() {
                    if let Some(back) = self.person(device).comes_back_by() {
                        let name = self.person(device).name().clone();
                        self.see(&Seen::CameBack(Who { program, name: &name }, back));
                    }
                    let mut acts = self.person(device).enrol_ended(&result, now_us);
                    self.stop(device, false);
                    acts.push(Act::Start);
                    self.act(device, acts);
                }
            }
        }
    }

    /// Whether a person is to enrol a device that has an identity already, since nobody knew whether it was kept: they
    /// are told so, and start it.
    pub(super) fn has_joined(&mut self, person: usize) -> bool {
        let joined = self.devices.get(person).is_some_and(|node| node.store.identity.is_some() && !node.is_on());
        if joined {
            self.person(person).has_joined();
            self.act(person, vec![Act::Start]);
        }
        joined
    }

    /// Whether a person's program refuses to start with the certificate that it has now. The person is told.
    pub(super) fn is_disbelieved(&mut self, person: usize) -> bool {
        let Some(node) = self.devices.get(person) else { return false };
        let (Some(refusal), program) = (node.disbelief(self.now_us), node.program()) else { return false };
        let (now_us, wrong) = (self.now_us, self.hours.wrong.contains(&person));
        let name = self.person(person).name().clone();
        self.see(&Seen::NotStarted(Who { program, name: &name }, refusal));
        let acts = self.person(person).not_started(wrong, now_us);
        self.act(person, acts);
        true
    }

    /// A person makes a new device in place of theirs.
    pub(super) fn begin_anew(&mut self, person: usize) {
        let Some(node) = self.devices.get_mut(person).filter(|node| !node.is_on()) else { return };
        node.store = crate::node::device::Store::default();
        let program = node.program();
        let name = self.person(person).name().clone();
        self.see(&Seen::Anew(Who { program, name: &name }));
        self.person(person).begin_anew();
    }
}
