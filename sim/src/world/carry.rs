//! Carries out what the machines want: their outputs become writes, appends, answers and news.

use countersign_core::device;
use countersign_core::device::calls::Calls;
use countersign_core::effect::Note;
use countersign_core::id::ConnId;
use countersign_core::operator::{Answer, OperatorRefusal};
use countersign_core::server::{Input, Output};

use super::World;
use super::event::Event;
use super::wire::{Party, Wire};
use crate::actors::operator::Operator;
use crate::crypto::weakness;
use crate::node::Node;
use crate::node::device::{Nudge, Socket};
use crate::rng::Draw;
use crate::story::{Phase, Program, Seen, Side, Who, is_direct};

/// The longest time for which a socket takes nothing at all, in microseconds.
const STALL_US: u64 = 30_000_000;

impl World {
    pub(super) fn carry_out_relay(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Append(append, records) => {
                    let encoded: Vec<Vec<u8>> = records.iter().map(|written| written.record.clone()).collect();
                    self.see(&Seen::Appending(append, &encoded));
                    for body in records.iter().filter_map(|written| written.body.as_deref()) {
                        let body = self.saboteur.beside(body);
                        self.see(&Seen::Beside(append, &body));
                    }
                    for record in &encoded {
                        weakness::written(record);
                    }
                    let at_us = self.relay.disk.append(append, records, self.now_us);
                    self.at(at_us, Event::Durable(self.relay_life));
                }
                Output::Load(load, n) => {
                    let after_us = self.faults.between(1, self.config.append_max_us.max(1));
                    self.later(after_us, Event::Loaded(self.relay_life, load, n));
                }
                Output::LoadBody(load, n) => {
                    let after_us = self.faults.between(1, self.config.append_max_us.max(1));
                    self.later(after_us, Event::LoadedBody(self.relay_life, load, n));
                }
                Output::DropBodies(gone) => self.relay.disk.drop_bodies(gone),
                Output::KeepBodies(needed) => self.relay.disk.keep_bodies(&needed),
                Output::Snapshot(snapshot, n, bytes) => self.write_snapshot(snapshot, n, bytes),
                Output::Stretch(id, stretch) => {
                    self.see(&Seen::Look(id, Some(stretch.salt)));
                    self.stretch(id, &stretch);
                }
                Output::Write(conn) => self.write(conn, Side::Listener),
                Output::Pause(conn) => self.pause(conn),
                Output::Resume(conn) => self.resume(conn),
                Output::Shut(conn) => self.shut(conn, Side::Listener),
                Output::Drop(conn) => self.forget(conn, Side::Listener),
                Output::Answer(id, answer) => {
                    if self.villain_answered(id, &answer) {
                        continue;
                    }
                    let Some(person) = self.operator.answered(id) else { continue };
                    self.see_token(&answer);
                    self.see(&Seen::Answered(person, &answer));
                    self.answer(person, &answer);
                }
                Output::Note(note) => {
                    if let Note::Revoked(name) = &note {
                        self.tempt_thief(name);
                    }
                    if let Some(note) = self.saboteur.noted(note) {
                        self.see(&Seen::Noted(&note));
                    }
                }
            }
        }
    }

    fn answer(&mut self, person: usize, answer: &Answer) {
        let Some(link) = Operator::link(answer, self.relay.realm(), self.relay.root()) else {
            if matches!(answer, Answer::Refused(OperatorRefusal::InvitesOff)) {
                return self.person(person).hears_of_passwords();
            }
            self.later(100_000, Event::InviteRefused(person));
            return;
        };
        let after_us = self.faults.between(1_000, 1_000_000);
        if let Some(other) = self.operator.also(person, self.phase >= Phase::Calm) {
            let other_us = self.faults.between(1_000, 1_000_000);
            self.later(other_us, Event::Handed(other, link.clone()));
        }
        self.later(after_us, Event::Handed(person, link));
    }

    pub(super) fn carry_out_device(&mut self, device: usize) {
        while let Some(output) = self.devices.get_mut(device).and_then(crate::node::device::DeviceNode::poll_output) {
            match output {
                device::Output::Dial(local) => self.dial(device, local),
                device::Output::DialPeer(local, address) => self.dial_peer(device, local, address),
                device::Output::FindAddresses(call) => self.asked_for_addresses(device, call),
                device::Output::Listen(call, on) => self.asked_to_listen(device, call, on),
                device::Output::Unlisten(call) => self.unlisten(device, call),
                device::Output::Keep(id, keep) => self.keep_rows(device, id, keep),
                device::Output::Write(local) => self.at_wire(device, local, Self::write),
                device::Output::Shut(local) => self.at_wire(device, local, Self::shut),
                device::Output::Drop(local) => {
                    if !self.saboteur.lets_drop(local) {
                        continue;
                    }
                    self.at_wire(device, local, Self::forget);
                    if let Some(node) = self.devices.get_mut(device) {
                        node.sockets.remove(&local);
                    }
                }
                device::Output::Tell(event) => self.tell(device, event),
            }
        }
        self.see_news(device);
        self.see_enrolment(device);
    }

    fn at_wire(&mut self, device: usize, local: ConnId, then: impl FnOnce(&mut Self, ConnId, Side)) {
        let socket = self.devices.get(device).and_then(|node| node.sockets.get(&local)).copied();
        match socket {
            Some(Socket::Wired(conn, side)) => then(self, conn, side),
            Some(Socket::Dialling) => {
                if let Some(program) = self.devices.get(device).map(crate::node::device::DeviceNode::program) {
                    self.see(&Seen::Abandoned(program));
                }
            }
            None => {}
        }
    }

    fn dial(&mut self, device: usize, local: ConnId) {
        let Some(node) = self.devices.get_mut(device) else { return };
        node.sockets.insert(local, Socket::Dialling);
        let program = node.program();
        self.see(&Seen::Dialled(program));
        let after_us = self.faults.between(self.config.latency_min_us, self.config.latency_max_us);
        let (fails, hangs) = (self.faults.chance(self.config.dial_fail_percent, 100), self.faults.chance(1, 3));
        match (fails && self.phase == Phase::Storm, hangs) {
            (false, _) => self.later(after_us, Event::Dialled(program, local)),
            (true, false) => self.later(after_us, Event::Unreachable(program, local)),
            // Nobody answers at all: the device has to lose patience.
            (true, true) => {}
        }
    }

    /// An attempt to connect reaches the relay's host, where a process listens or doesn't.
    pub(super) fn dialled(&mut self, program: Program, local: ConnId) {
        if !self.still_dials(program, local) {
            return;
        }
        if !self.relay.is_up() {
            let after_us = self.config.latency_min_us;
            self.later(after_us, Event::Unreachable(program, local));
            return;
        }
        if self.lure(program, local) {
            return;
        }
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let mut wire = Wire::new(&self.config, conn, Party::Device(program, local), Party::Relay);
        self.fit_windows(&mut wire);
        let connected_us = wire.connect(self.now_us);
        self.wires.insert(conn, wire);
        self.see(&Seen::Opened(conn, program));
        let source = self.saboteur.shows_address(conn, self.source_of(program.device));
        self.tell_relay(Input::Opened(conn, source));
        if let Some(at_us) = connected_us {
            self.at(at_us, Event::Connected(conn));
        }
    }

    pub(super) fn still_dials(&self, program: Program, local: ConnId) -> bool {
        self.devices.get(program.device).is_some_and(|node| {
            node.is_on() && node.program() == program && node.sockets.get(&local) == Some(&Socket::Dialling)
        })
    }

    pub(super) fn unreachable(&mut self, program: Program, local: ConnId) {
        if self.still_dials(program, local) {
            if let Some(node) = self.devices.get_mut(program.device) {
                node.sockets.remove(&local);
            }
            self.see(&if Calls::is_direct(local) { Seen::Missed(program, local) } else { Seen::Unreachable(program) });
            self.tell_device(program.device, Nudge::Unreachable(local));
        }
    }

    /// Whoever was dialled has answered: the device is connected, or the connection was cut meanwhile, or nobody waits.
    pub(super) fn connected(&mut self, conn: ConnId) {
        let Some(wire) = self.wires.get(&conn) else { return };
        let Party::Device(program, local) = wire.party(Side::Dialler) else { return };
        let intact = wire.reads(Side::Dialler, self.now_us);
        if !self.still_dials(program, local) {
            self.forget(conn, Side::Dialler);
            return;
        }
        if !intact {
            if let Some(wire) = self.wires.get_mut(&conn) {
                wire.vanish(Side::Dialler);
            }
            self.unreachable(program, local);
            return;
        }
        if let Some(node) = self.devices.get_mut(program.device) {
            node.sockets.insert(local, Socket::Wired(conn, Side::Dialler));
        }
        if is_direct(conn) {
            self.see(&Seen::Reached(conn, program));
        } else if let Some(name) = self.people.get(program.device).map(|person| person.name().clone()) {
            self.see(&Seen::Connected(conn, Who { program, name: &name }));
            self.greet(program, conn);
        }
        self.tell_device(program.device, Nudge::Connected(local));
    }

    /// A socket takes what waits for it, or a part.
    pub(super) fn write(&mut self, conn: ConnId, by: Side) {
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let party = wire.party(by);
        if !wire.has(by) {
            return;
        }
        let outbound = match party {
            Party::Relay => self.relay.outbound(conn),
            Party::Device(program, local) => {
                self.devices.get(program.device).map(|node| node.outbound(local)).unwrap_or_default()
            }
            Party::Stranger => &[],
            Party::Liar => self.villains.liar.as_ref().map(|liar| liar.outbound(conn)).unwrap_or_default(),
        };
        let waiting = outbound.len();
        let takes = waiting.min(self.villains.takes(conn));
        let Some(taken) = wire.room(by, takes, self.config.short_write_percent) else {
            return self.see_if_full(conn, by);
        };
        let bytes = outbound.get(..taken).unwrap_or_default().to_vec();
        let bytes = self.meddle(conn, by, bytes);
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let arrivals = wire.write(by, &bytes, self.now_us);
        self.villains.took(conn, taken);
        let blocked_us = (taken < takes).then(|| wire.block(by, self.config.blocked_max_us));
        for (at_us, event) in arrivals {
            self.at(at_us, event);
        }
        self.see(&Seen::Written { conn, by, taken, waiting, bytes: &bytes });
        if let Some(blocked_us) = blocked_us {
            let (stalls, stall_us) =
                (self.faults.chance(self.config.stall_percent, 100), self.faults.between(1_000_000, STALL_US));
            let stalls = stalls && self.phase == Phase::Storm;
            if stalls {
                self.see(&Seen::Stalled(conn, by));
            }
            self.later(if stalls { stall_us } else { blocked_us }, Event::Writable(conn, by));
        }
        match party {
            Party::Relay => self.tell_relay(Input::Sent(conn, taken)),
            Party::Device(program, local) => self.tell_device(program.device, Nudge::Sent(local, taken)),
            Party::Stranger => {}
            Party::Liar => {
                if let Some(liar) = &mut self.villains.liar {
                    liar.sent(conn, taken);
                }
            }
        }
    }

    fn shut(&mut self, conn: ConnId, by: Side) {
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let arrival = wire.shut(by, self.now_us);
        self.see(&Seen::Shut(conn, by));
        if let Some((at_us, event)) = arrival {
            self.at(at_us, event);
        }
    }

    /// One end closes its socket.
    pub(super) fn forget(&mut self, conn: ConnId, by: Side) {
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let arrival = wire.forget(by, self.now_us);
        self.see(&Seen::Dropped(conn, by));
        if let Some((at_us, event)) = arrival {
            self.at(at_us, event);
        }
        self.sweep_wire(conn);
    }

    /// A connection that neither end has any more is taken down.
    pub(super) fn sweep_wire(&mut self, conn: ConnId) {
        let over = self.wires.get(&conn).is_some_and(Wire::is_over);
        if let Some(wire) = over.then(|| self.wires.remove(&conn)).flatten()
            && self.phase == Phase::Storm
        {
            self.storm_bytes.insert(conn, [wire.written(Side::Listener), wire.written(Side::Dialler)]);
        }
    }

    pub(super) fn mark(&mut self, node: Node) {
        self.dirty.insert(node);
    }
}
