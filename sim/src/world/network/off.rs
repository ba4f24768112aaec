//! Decides whose machine is switched off: its programs are gone, and nobody is there who could say so.

use crate::node::Node;
use crate::node::device::{DeviceNode, Socket};
use crate::rng::Draw;
use crate::story::weather::Weather;
use crate::story::{Seen, Side, Who};
use crate::world::World;

impl World {
    /// Some device's machine is switched off, for a while.
    pub(super) fn switch_something_off(&mut self) {
        let on: Vec<usize> =
            self.devices.iter().enumerate().filter(|(_, node)| node.is_on()).map(|(device, _)| device).collect();
        let off_ms = self.network.rng.between(1, self.config.off_max_ms.max(1));
        if let Some(device) = self.network.rng.pick(&on).copied() {
            self.switch_off(device, self.now_us + off_ms * 1_000);
        }
    }

    fn switch_off(&mut self, device: usize, until_us: u64) {
        let Some(program) = self.program(device) else { return };
        self.pull_rows(device);
        let sockets = self.devices.get_mut(device).map(DeviceNode::stop).unwrap_or_default();
        self.wakes.remove(&Node::Device(device));
        self.see_weather(&Weather::SwitchedOff(program));
        let name = self.person(device).name().clone();
        self.see(&Seen::Killed(Who { program, name: &name }));
        let now_us = self.now_us;
        for socket in sockets.into_values() {
            let Socket::Wired(conn, side) = socket else { continue };
            if let Some(wire) = self.wires.get_mut(&conn) {
                wire.vanish(side);
                wire.cut(now_us);
            }
            self.see_weather(&Weather::HalfOpen(conn, side.other()));
            self.sweep_wire(conn);
        }
        self.unlisten_all(program);
        self.person(device).switched_off(until_us);
    }

    /// Whether the relay's crash takes its machine with it, so that its connections are half-open.
    pub(in crate::world) fn takes_machine(&mut self) -> bool {
        self.network.rng.chance(self.config.silent_crash_percent, 100)
    }

    /// The relay's machine is gone, and the other end of a connection has it still.
    pub(in crate::world) fn leave_half_open(&mut self, conn: countersign_core::id::ConnId) {
        self.see_weather(&Weather::HalfOpen(conn, Side::Dialler));
    }
}
