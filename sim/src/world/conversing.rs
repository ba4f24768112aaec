//! Decides who writes to whom or into which room, and what becomes of what devices keep of their conversations.
//!
//! As `client listen` does (`net/src/client/holding.rs`): what the machine wants kept is one transaction, answered when it is
//! durable, in order; after a failure of any kind the program ends, and nobody knows whether the transaction is there. A program that
//! ends in the middle leaves the first of what was on its way, however much that is.

mod rooms;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{Keep, Target};
use countersign_core::device::{Command, Input};
use countersign_core::id::{DeviceName, KeepId, SendId, UserName};
use countersign_core::limits::TEXT_BYTES_MAX;

use super::World;
use super::event::Event;
use crate::actors::Prompt;
use crate::actors::person::whims;
use crate::node::Node;
use crate::node::device::DeviceNode;
use crate::rng::{Choices, Draw, Streams};
use crate::story::{Phase, Program, Seen, Stored, Who};
use rooms::Rooms;

/// A device's disk fails in this part of the writings of which its files do: there are many more.
const FAILS_SELDOM: u64 = 2_000;

/// What is drawn for conversations.
pub(super) struct Conversing {
    writes: Choices,
    disk: Choices,
    /// How many texts were written, and how many of the roll call.
    written: u64,
    probes: u64,
    /// When the newest of what each device keeps is there: none overtakes another.
    newest_us: BTreeMap<usize, u64>,
    rooms: Rooms,
}

impl Conversing {
    /// Nobody has written anything.
    pub(super) fn new(streams: Streams<'_>) -> Self {
        Self {
            writes: streams.stream("writing"),
            disk: streams.stream("rows"),
            written: 0,
            probes: 0,
            newest_us: BTreeMap::new(),
            rooms: Rooms::new(streams),
        }
    }
}

impl World {
    /// Draws when somebody writes next.
    pub(super) fn plan_writing(&mut self) {
        let mean_ms = self.config.write_mean_ms;
        let after_ms = self.conversing.writes.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 && self.config.conversing > 0 {
            self.later(after_ms * 1_000, Event::Writes);
        }
    }

    /// The devices that have joined and take part in conversations.
    fn who_converses(&self) -> Vec<(usize, DeviceName)> {
        self.joined().filter(|(device, _)| self.config.converses(*device)).collect()
    }

    /// Somebody writes to somebody, now and then more than once: mostly to one who writes, too, and now and then to
    /// themselves, to one who does not, or to nobody at all.
    pub(super) fn writes(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let who = self.who_converses();
        let rng = &mut self.conversing.writes;
        let (by, other) = (rng.pick(&who).cloned(), rng.pick(&who).cloned());
        let (odd, times) = (rng.below(24), if rng.chance(1, 4) { rng.between(2, 6) } else { 1 });
        let anybody = rng.pick(&self.people).map(|person| person.name().user.clone());
        if let (Some((device, own)), Some((_, other))) = (by, other) {
            let to = match odd {
                0 => Some(own.user),
                1 => anybody,
                2 => UserName::parse("nobody").ok(),
                _ => Some(other.user),
            };
            let to = self.room_to_write_into(device).or(to.map(Target::from));
            for _ in 0..times {
                let Some(to) = to.clone() else { break };
                let text = self.text(device);
                self.conversing.written += 1;
                let send = Command::Send(SendId(self.conversing.written), to, text.into());
                self.later(1, Event::Prompt(device, Prompt::Own(send)));
            }
        }
        self.plan_writing();
    }

    /// A text that nobody else ever writes, by its mark.
    fn text(&mut self, device: usize) -> String {
        let number = self.conversing.written + self.conversing.probes + 1;
        let rng = &mut self.conversing.writes;
        let bytes = match rng.below(60) {
            0 => return String::new(),
            1 => TEXT_BYTES_MAX + 1,
            2 => TEXT_BYTES_MAX,
            3 | 4 => 20_000,
            _ => usize::try_from(rng.between(0, 400)).unwrap_or(0),
        };
        whims::written(device, number, bytes)
    }

    /// Faults have stopped: of each two people who take part one writes to the other, and each to themselves; and somebody
    /// into each room.
    pub(super) fn probe(&mut self) {
        let who = self.who_converses();
        let mut pairs: BTreeMap<(UserName, UserName), BTreeSet<usize>> = BTreeMap::new();
        for (device, name) in &who {
            for (_, other) in &who {
                let (one, two) = (name.user.clone().min(other.user.clone()), name.user.clone().max(other.user.clone()));
                pairs.entry((one, two)).or_default().insert(*device);
            }
        }
        for ((one, two), devices) in pairs {
            let devices: Vec<usize> = devices.into_iter().collect();
            let Some(device) = self.conversing.writes.pick(&devices).copied() else { continue };
            let own = who.iter().find(|(other, _)| *other == device).map(|(_, name)| name.user.clone());
            let to = if own.as_ref() == Some(&one) { two } else { one };
            self.probe_by(device, to.into());
        }
        self.probe_rooms();
    }

    fn probe_by(&mut self, device: usize, to: Target) {
        self.conversing.probes += 1;
        let number = self.conversing.written + self.conversing.probes;
        let send = SendId(whims::FIRST_PROBE.0 + self.conversing.probes);
        let text = whims::written(device, number, 0);
        self.later(1, Event::Prompt(device, Prompt::Write(Command::Send(send, to, text.into()))));
    }

    /// A device's program wants this kept.
    pub(super) fn keep_rows(&mut self, device: usize, id: KeepId, keep: Keep) {
        let after_us = self.conversing.disk.between(1, self.config.store_max_us.max(1));
        let newest_us = self.conversing.newest_us.entry(device).or_default();
        *newest_us = (*newest_us).max(self.now_us + after_us);
        let at_us = *newest_us;
        let Some(node) = self.devices.get_mut(device) else { return };
        node.store.holding.await_keep(id, keep);
        let program = node.program();
        self.at(at_us, Event::Kept(program));
    }

    /// The oldest of what a program keeps is there, or is not.
    pub(super) fn rows_kept(&mut self, program: Program) {
        let device = program.device;
        if self.program(device) != Some(program) || !self.saboteur.lets_rows_answer(device, self.phase) {
            return;
        }
        let (stored, there) = self.rows_fate();
        let id = if there { self.commit_rows(device) } else { None };
        if stored != Stored::Kept {
            let name = self.person(device).name().clone();
            self.see(&Seen::RowsFailed(Who { program, name: &name }, stored));
        }
        match (stored, id) {
            (Stored::Kept, Some(id)) => {
                let now_us = self.now_us;
                if let Some(node) = self.devices.get_mut(device) {
                    node.direct(Input::Kept(id), now_us);
                }
                self.mark(Node::Device(device));
            }
            (Stored::Kept, None) => {}
            (Stored::Killed, _) => self.stop(device, true),
            (Stored::Full | Stored::SyncFailed, _) => {
                let now_us = self.now_us;
                self.stop(device, true);
                self.person(device).not_kept(now_us);
            }
        }
    }

    /// What a writing comes to, and whether it is there afterwards.
    fn rows_fate(&mut self) -> (Stored, bool) {
        let (rng, config) = (&mut self.conversing.disk, &self.config);
        let dies = rng.chance(config.store_crash_percent, FAILS_SELDOM);
        let fails = rng.chance(config.store_fail_percent, FAILS_SELDOM);
        let (full, there) = (rng.chance(1, 2), rng.chance(1, 2));
        match (self.phase, dies, fails) {
            (Phase::Storm, true, _) => (Stored::Killed, there),
            (Phase::Storm, false, true) if full => (Stored::Full, false),
            (Phase::Storm, false, true) => (Stored::SyncFailed, there),
            _ => (Stored::Kept, true),
        }
    }

    /// The oldest of what a device keeps is on its disk.
    fn commit_rows(&mut self, device: usize) -> Option<KeepId> {
        let node = self.devices.get_mut(device)?;
        let (program, (id, keep)) = (node.program(), node.store.holding.commit()?);
        // Its person may look for another name already.
        let name = node.store.identity.as_ref()?.name.clone();
        let keep = self.saboteur.keeps(device, &name.user, &keep);
        self.see(&Seen::Kept(Who { program, name: &name }, &keep));
        Some(id)
    }

    /// A program is about to end: the first of what it wanted kept may be there, although it will not hear of it.
    pub(super) fn pull_rows(&mut self, device: usize) {
        let waiting = self.devices.get(device).map_or(0, |node: &DeviceNode| node.store.holding.on_their_way());
        if waiting == 0 {
            return;
        }
        let there = self.conversing.disk.between(0, u64::try_from(waiting).unwrap_or(0));
        for _ in 0..there {
            self.commit_rows(device);
        }
    }
}
