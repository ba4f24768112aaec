//! Decides what happens next on the stage: every machine is polled, and every parcel delivered, in one fixed order.

use std::time::Duration;

use countersign_core::device::enrol::{EnrolInput, Enrolment};
use countersign_core::device::{self, Device};
use countersign_core::id::ConnId;
use countersign_core::server::{self, Server};
use countersign_core::time::Now;

use super::{DeviceId, End, NewcomerId, Node, Parcel, Stage, To, VillainId};
use crate::crypto::lend;

impl Stage {
    /// Lets time pass for everybody.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = Now { mono: self.now.mono.plus(time), wall: self.now.wall.plus(time) };
        self.at_relay(server::Input::Tick);
        for id in 0..self.devices.len() {
            self.at_device(DeviceId(id), device::Input::Tick);
        }
        for id in 0..self.newcomers.len() {
            self.at_newcomer(NewcomerId(id), &EnrolInput::Tick);
        }
        self.run();
    }

    /// Goes on until nobody has anything to do.
    pub(crate) fn run(&mut self) {
        loop {
            self.poll_relay();
            self.poll_devices();
            self.poll_newcomers();
            self.poll_villains();
            let Some((to, parcel)) = self.parcels.pop_front() else { return };
            self.delivered += 1;
            if let Some((at, mishap)) = self.mishap
                && at == self.delivered
            {
                self.befall(mishap);
            }
            if !self.is_swallowed(to) {
                self.deliver(to, &parcel);
            }
        }
    }

    fn deliver(&mut self, to: End, parcel: &Parcel) {
        let bytes = match parcel {
            Parcel::Bytes(bytes) => Some(bytes.as_slice()),
            Parcel::End => None,
        };
        let (at, kind) = (self.now.mono.0, if bytes.is_some() { "bytes" } else { "end" });
        self.trace.step(at, kind, &[format!("{to:?}").as_bytes(), bytes.unwrap_or_default()]);
        match (to, bytes) {
            (End::Relay(conn), Some(bytes)) => self.at_relay(server::Input::Received(conn, bytes)),
            (End::Relay(conn), None) => self.at_relay(server::Input::Ended(conn)),
            (End::Device(id, conn), Some(bytes)) => self.at_device(id, device::Input::Received(conn, bytes)),
            (End::Device(id, conn), None) => self.at_device(id, device::Input::Ended(conn)),
            (End::Newcomer(id), Some(bytes)) => self.at_newcomer(id, &EnrolInput::Received(ConnId(1), bytes)),
            (End::Newcomer(id), None) => self.at_newcomer(id, &EnrolInput::Ended(ConnId(1))),
            (End::Villain(id), Some(bytes)) => self.villain(id).give(bytes),
            // A villain that is hung up on hangs up: only so does a machine see the end of a line.
            (End::Villain(_), None) => self.send(to, Parcel::End),
        }
    }

    fn poll_relay(&mut self) {
        while let Some(output) = self.relay.lent(Server::poll_output) {
            match output {
                server::Output::Append(id, records) => {
                    let first = u64::try_from(self.journal.len()).expect("a short journal") + 1;
                    self.journal.extend(records.into_iter().map(|written| written.record));
                    self.at_relay(server::Input::Appended(id, first));
                }
                server::Output::Load(id, n) => {
                    let index = usize::try_from(n).expect("a short journal").checked_sub(1);
                    let record = index.and_then(|index| self.journal.get(index)).cloned();
                    self.at_relay(server::Input::Loaded(id, record.as_deref()));
                }
                server::Output::LoadBody(id, _) => self.at_relay(server::Input::LoadedBody(id, None)),
                // Nobody starts anew here, so it is of no use.
                server::Output::Snapshot(id, ..) => self.at_relay(server::Input::Snapshotted(id, false)),
                server::Output::Stretch(id, stretch) => {
                    self.at_relay(server::Input::Stretched(id, stretch.run().as_ref()));
                }
                server::Output::Write(conn) => {
                    let bytes = self.relay.machine.outbound(conn).to_vec();
                    self.at_relay(server::Input::Sent(conn, bytes.len()));
                    self.send(End::Relay(conn), Parcel::Bytes(bytes));
                }
                server::Output::Shut(conn) | server::Output::Drop(conn) => self.send(End::Relay(conn), Parcel::End),
                // Here everything that is sent is taken at once, so nothing piles up; and nobody converses.
                server::Output::Pause(_)
                | server::Output::Resume(_)
                | server::Output::DropBodies(_)
                | server::Output::KeepBodies(_) => {}
                server::Output::Answer(id, answer) => {
                    self.answers.insert(id, answer);
                }
                server::Output::Note(note) => self.notes.push(note),
            }
        }
    }

    fn poll_devices(&mut self) {
        for id in (0..self.devices.len()).map(DeviceId) {
            if self.gone.contains(&id) {
                continue;
            }
            while let Some(output) = self.devices.get_mut(id.0).and_then(|node| node.lent(Device::poll_output)) {
                match output {
                    device::Output::Dial(conn) => {
                        let reached = self.open(End::Device(id, conn));
                        let answer = device::Input::Connected(conn);
                        self.at_device(id, if reached { answer } else { device::Input::Unreachable(conn) });
                    }
                    device::Output::Write(conn) => {
                        let node = self.devices.get(id.0);
                        let bytes = node.map(|node| node.machine.outbound(conn).to_vec()).unwrap_or_default();
                        self.at_device(id, device::Input::Sent(conn, bytes.len()));
                        self.send(End::Device(id, conn), Parcel::Bytes(bytes));
                    }
                    device::Output::Shut(conn) | device::Output::Drop(conn) => {
                        self.send(End::Device(id, conn), Parcel::End);
                    }
                    device::Output::DialPeer(conn, address) => self.dial_peer(id, conn, address),
                    device::Output::FindAddresses(call) => {
                        let own = self.addresses_of(id);
                        self.at_device(id, device::Input::Addresses(call, &own));
                    }
                    device::Output::Listen(call, on) => self.listen(id, call, on),
                    device::Output::Unlisten(call) => self.unlisten(id, call),
                    device::Output::Keep(..) => unreachable!("nobody here takes part in conversations"),
                    device::Output::Tell(event) => {
                        if let Some(node) = self.devices.get_mut(id.0) {
                            node.told.push(event);
                        }
                    }
                }
            }
        }
    }

    fn poll_newcomers(&mut self) {
        for id in (0..self.newcomers.len()).map(NewcomerId) {
            while let Some(output) = self.newcomers.get_mut(id.0).and_then(|node| node.lent(Enrolment::poll_output)) {
                match output {
                    device::Output::Dial(conn) => {
                        let reached = self.open(End::Newcomer(id));
                        let answer = EnrolInput::Connected(conn);
                        self.at_newcomer(id, &if reached { answer } else { EnrolInput::Unreachable(conn) });
                    }
                    device::Output::Write(conn) => {
                        let node = self.newcomers.get(id.0);
                        let bytes = node.map(|node| node.machine.outbound().to_vec()).unwrap_or_default();
                        self.at_newcomer(id, &EnrolInput::Sent(conn, bytes.len()));
                        self.send(End::Newcomer(id), Parcel::Bytes(bytes));
                    }
                    device::Output::Shut(_) | device::Output::Drop(_) => self.send(End::Newcomer(id), Parcel::End),
                    device::Output::DialPeer(..)
                    | device::Output::FindAddresses(_)
                    | device::Output::Listen(..)
                    | device::Output::Unlisten(_)
                    | device::Output::Keep(..)
                    | device::Output::Tell(_) => unreachable!("an enrolment tells nothing and knows no peers"),
                }
            }
        }
    }

    fn poll_villains(&mut self) {
        for id in (0..self.villains.len()).map(VillainId) {
            // One that is not on a line speaks through a tunnel, and a scene carries its bytes.
            if self.lines.contains_key(&End::Villain(id)) {
                let bytes = self.villain(id).take();
                if !bytes.is_empty() {
                    self.send(End::Villain(id), Parcel::Bytes(bytes));
                }
            }
        }
    }

    pub(crate) fn at_relay(&mut self, input: server::Input<'_>) {
        let now = self.now;
        let Node { machine, rng, tls, .. } = &mut self.relay;
        let _lent = lend(tls);
        machine.handle(input, now, rng);
    }

    pub(crate) fn at_device(&mut self, id: DeviceId, input: device::Input<'_>) {
        let now = self.now;
        if let Some(Node { machine, rng, tls, .. }) = self.devices.get_mut(id.0).filter(|_| !self.gone.contains(&id)) {
            let _lent = lend(tls);
            machine.handle(input, now, rng);
        }
    }

    pub(crate) fn at_newcomer(&mut self, id: NewcomerId, input: &EnrolInput<'_>) {
        let now = self.now;
        if let Some(Node { machine, tls, .. }) = self.newcomers.get_mut(id.0) {
            let _lent = lend(tls);
            machine.handle(input, now);
        }
    }

    /// Draws a line from `end` to whom its owner calls; whether there is anybody.
    pub(super) fn open(&mut self, end: End) -> bool {
        let to = match end {
            End::Device(id, _) => self.devices.get_mut(id.0).map(|node| &mut node.to),
            End::Newcomer(id) => self.newcomers.get_mut(id.0).map(|node| &mut node.to),
            End::Villain(_) | End::Relay(_) => None,
        };
        // The villain has one connection to give; whoever calls again finds nobody.
        let to =
            to.map_or(To::Relay, |to| if let To::Villain(_) = to { std::mem::replace(to, To::Nobody) } else { *to });
        let other = match to {
            To::Relay => End::Relay(ConnId(self.next())),
            To::Villain(id) => End::Villain(id),
            To::Nobody => return false,
        };
        self.lines.insert(end, other);
        self.lines.insert(other, end);
        if let End::Relay(conn) = other {
            self.at_relay(server::Input::Opened(conn, server::Source::default()));
        }
        true
    }

    pub(super) fn send(&mut self, from: End, parcel: Parcel) {
        let Some(to) = self.lines.get(&from).copied() else { return };
        let last = matches!(parcel, Parcel::End);
        if !self.ended.contains(&from) {
            if last {
                self.ended.insert(from);
            }
            self.parcels.push_back((to, parcel));
        }
    }
}

impl<M> Node<M> {
    /// Calls the machine while its generator is lent to TLS.
    fn lent<R>(&mut self, call: impl FnOnce(&mut M) -> R) -> R {
        let _lent = lend(&mut self.tls);
        call(&mut self.machine)
    }
}
