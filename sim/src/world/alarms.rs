//! Decides when a machine is woken: at the deadline that it has said last, or a little after, as a busy machine wakes a program.

use countersign_core::server::Input;

use super::World;
use super::event::Event;
use crate::node::device::Nudge;
use crate::node::{Deadline, Node};
use crate::rng::Draw;
use crate::story::Seen;

impl World {
    /// Wakes a machine, if this is the alarm that it set last.
    pub(super) fn tick(&mut self, node: Node) {
        if self.wakes.get(&node).is_none_or(|at_us| *at_us > self.now_us) {
            return;
        }
        self.wakes.remove(&node);
        let deadline = self.deadline(node).filter(|deadline| deadline.at_us <= self.now_us);
        if let Some(deadline) = deadline {
            let woken_us = self.saboteur.woken_at(self.now_us);
            if self.saboteur.wakes(node) {
                match node {
                    Node::Relay => {
                        self.relay.handle(Input::Tick, woken_us);
                        self.see_unsealed();
                    }
                    Node::Device(device) => self.wake_device(device, woken_us),
                }
            }
            let next_us = self.deadline(node).map(|deadline| deadline.at_us);
            self.see(&Seen::Woken { node, why: &deadline.why.to_string(), next_us });
        }
        self.dirty.insert(node);
    }

    fn wake_device(&mut self, device: usize, woken_us: u64) {
        if let Some(node) = self.devices.get_mut(device) {
            node.handle(Nudge::Tick, woken_us);
        }
    }

    fn deadline(&self, node: Node) -> Option<Deadline> {
        let deadline = match node {
            Node::Relay => self.relay.next_deadline(),
            Node::Device(device) => self.devices.get(device)?.next_deadline(),
        };
        deadline.filter(|deadline| self.saboteur.sets_alarm(deadline.why))
    }

    /// Sees to it that a node is woken at its deadline, or a little after, as a busy machine wakes a program.
    pub(super) fn set_alarm(&mut self, node: Node) {
        let Some(Deadline { at_us: deadline_us, .. }) = self.deadline(node) else {
            self.wakes.remove(&node);
            return;
        };
        let soonest_us = deadline_us.max(self.now_us);
        let most_us = soonest_us + self.config.late_max_us;
        if self.wakes.get(&node).is_some_and(|at_us| (soonest_us..=most_us).contains(at_us)) {
            return;
        }
        let at_us = soonest_us + self.late.between(0, self.config.late_max_us);
        self.wakes.insert(node, at_us);
        self.later(at_us - self.now_us, Event::Tick(node));
    }
}
