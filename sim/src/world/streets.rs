//! Decides how devices find each other: their addresses, their listeners, who is met there, and what goes wrong.
//!
//! What is wrong with a device's host (a filter in front of it, ports that can't be had, addresses at which somebody
//! else answers) stays so in the calm: a call has to get through without a direct connection.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use countersign_core::device::Input;
use countersign_core::id::{CallId, ConnId};
use countersign_core::peer::Reach;
use countersign_core::peer::network::Network;

use super::World;
use super::event::Event;
use super::wire::{Party, Wire};
use crate::config::SimConfig;
use crate::node::Node;
use crate::node::device::Socket;
use crate::rng::{Draw, Streams};
use crate::story::{FIRST_DIRECT, Phase, Program, Seen, Side};

/// How long a shell takes to answer what it is asked about addresses and listeners, at most, in microseconds.
const SHELL_US: u64 = 20_000;
/// How long a stranger stays, at most, in microseconds.
const STRANGER_US: u64 = 15_000_000;
/// The ports of listeners: from the first on, over and over.
const PORTS: std::ops::Range<u16> = 32_768..61_000;

/// What the network is like around a device.
#[allow(clippy::struct_excessive_bools, reason = "each may be so or not, whatever the others are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The addresses of its interfaces, loopback among them.
    pub addresses: Vec<IpAddr>,
    /// Whether its user wishes for the tunnel alone.
    pub tunnel_only: bool,
    /// Whether loopback counts: nobody else has the same one.
    pub loopback: bool,
    /// Whether whoever connects to it is swallowed.
    pub filtered: bool,
    /// Whether it can't make a listener.
    pub closed: bool,
    /// Whether somebody else answers at its addresses.
    pub lies: bool,
    /// Whether its configuration names its own addresses alone, so that it dials nobody.
    pub narrow: bool,
}

impl Host {
    /// What it is like around the device of this number.
    pub fn draw(config: &SimConfig, streams: Streams, number: usize) -> Self {
        let rng = &mut streams.stream(&format!("host/{number}"));
        let n = u16::try_from(number + 1).unwrap_or(u16::MAX);
        let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        // From the blocks that are for documentation (RFC 5737, RFC 3849).
        addresses.push(IpAddr::V4(Ipv4Addr::new(192, 0, 2, u8::try_from(n).unwrap_or(u8::MAX))));
        if rng.chance(config.ipv6_percent, 100) {
            addresses.push(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n)));
        }
        Self {
            addresses,
            tunnel_only: rng.chance(config.tunnel_only_percent, 100),
            loopback: rng.chance(config.loopback_percent, 100),
            filtered: rng.chance(config.filtered_percent, 100),
            closed: rng.chance(config.closed_port_percent, 100),
            lies: rng.chance(config.lying_percent, 100),
            narrow: rng.chance(config.narrow_percent, 100),
        }
    }

    /// How far its device goes.
    pub fn reach(&self) -> Reach {
        let own = || self.addresses.iter().filter_map(|ip| ip.to_string().parse::<Network>().ok()).collect();
        Reach { direct: !self.tunnel_only, networks: self.narrow.then(own), loopback: self.loopback }
    }

    /// Whether its device can be reached by those who wish it.
    pub fn is_open(&self) -> bool {
        !(self.tunnel_only || self.filtered || self.closed || self.lies || self.narrow)
    }
}

/// A listener: which device it is on, which keeps loopback apart, and where.
pub(super) type Place = (usize, SocketAddr);

impl World {
    /// A device asks which addresses there are, and its shell answers after a while.
    pub(super) fn asked_for_addresses(&mut self, device: usize, call: CallId) {
        let after_us = self.streets.between(1, SHELL_US);
        if let Some(program) = self.program(device) {
            self.later(after_us, Event::Found(program, call));
        }
    }

    pub(super) fn found(&mut self, program: Program, call: CallId) {
        let own = self.hosts.get(program.device).map(|host| host.addresses.clone()).unwrap_or_default();
        self.tell_program(program, Input::Addresses(call, &own));
    }

    /// A device wants a listener, and its shell makes one after a while, whatever the device thinks of it then.
    pub(super) fn asked_to_listen(&mut self, device: usize, call: CallId, on: Vec<IpAddr>) {
        let after_us = self.streets.between(1, SHELL_US);
        if let Some(program) = self.program(device) {
            self.later(after_us, Event::Bind(program, call, on));
        }
    }

    pub(super) fn bind(&mut self, program: Program, call: CallId, on: Vec<IpAddr>) {
        if self.program(program.device) != Some(program) {
            return;
        }
        let closed = self.hosts.get(program.device).is_none_or(|host| host.closed);
        let mut at = Vec::new();
        for ip in on.into_iter().filter(|_| !closed) {
            let address = SocketAddr::new(ip, self.next_port());
            self.listeners.insert((program.device, address), (program, call));
            at.push(address);
        }
        self.see(&Seen::Listens(program, call, &at));
        self.tempt();
        self.tell_program(program, Input::Listening(call, &at));
    }

    fn next_port(&mut self) -> u16 {
        self.last_port += 1;
        let span = u64::from(PORTS.end - PORTS.start);
        PORTS.start + u16::try_from(self.last_port % span).unwrap_or(0)
    }

    /// A device listens for a call no more.
    pub(super) fn unlisten(&mut self, device: usize, call: CallId) {
        if !self.saboteur.lets_unlisten() {
            return;
        }
        let Some(program) = self.program(device) else { return };
        let before = self.listeners.len();
        self.listeners.retain(|_, owner| *owner != (program, call));
        if self.listeners.len() < before {
            self.see(&Seen::Unlistens(program, call));
        }
    }

    /// A program is gone, and its listeners with it.
    pub(super) fn unlisten_all(&mut self, program: Program) {
        let calls: BTreeSet<CallId> =
            self.listeners.values().filter(|(owner, _)| *owner == program).map(|(_, call)| *call).collect();
        self.listeners.retain(|_, (owner, _)| *owner != program);
        for call in calls {
            self.see(&Seen::Unlistens(program, call));
        }
    }

    pub(super) fn dial_peer(&mut self, device: usize, local: ConnId, address: SocketAddr) {
        let Some(program) = self.program(device) else { return };
        if let Some(node) = self.devices.get_mut(device) {
            node.sockets.insert(local, Socket::Dialling);
        }
        self.see(&Seen::DialledPeer(program, local, address));
        let after_us = self.streets.between(1, self.config.direct_latency_max_us);
        let (fails, hangs) = (self.streets.chance(self.config.direct_fail_percent, 100), self.streets.chance(1, 2));
        match (fails && self.phase == Phase::Storm, hangs) {
            (false, _) => self.later(after_us, Event::DialledPeer(program, local, address)),
            (true, false) => self.later(after_us, Event::Unreachable(program, local)),
            // Swallowed: the device has to lose patience.
            (true, true) => {}
        }
    }

    /// An attempt to connect reaches whoever is at the address.
    pub(super) fn dialled_peer(&mut self, program: Program, local: ConnId, address: SocketAddr) {
        if !self.still_dials(program, local) {
            return;
        }
        let owner = self.lives_at(program, address);
        let host = owner.and_then(|owner| self.hosts.get(owner));
        let (filtered, lies) = host.map_or((false, false), |host| (host.filtered, host.lies));
        let own = address.ip().is_loopback();
        // Nobody answers for a machine that sleeps.
        if (filtered && !own) || owner.is_some_and(|owner| self.hours.sleeps(owner)) {
            return;
        }
        let place = owner.map(|owner| (owner, address)).filter(|place| self.listeners.contains_key(place));
        if lies && !own {
            let others: Vec<Place> = self
                .listeners
                .keys()
                .filter(|(device, _)| Some(*device) != owner && !self.hours.sleeps(*device))
                .copied()
                .collect();
            let stranger = self.streets.chance(1, 2);
            let other = self.streets.pick(&others).copied().filter(|_| !stranger);
            self.meet(Party::Device(program, local), other, true);
        } else if let Some(place) = place {
            self.meet(Party::Device(program, local), Some(place), false);
        } else {
            let after_us = self.streets.between(1, self.config.direct_latency_max_us);
            self.later(after_us, Event::Unreachable(program, local));
        }
    }

    /// A connection is there: from a device or a stranger, to a listener or a stranger.
    fn meet(&mut self, dialler: Party, place: Option<Place>, astray: bool) {
        let (conn, party) = self.join(dialler, place, astray);
        for (side, party) in [(Side::Dialler, dialler), (Side::Listener, party)] {
            if party == Party::Stranger {
                let (says_us, leaves_us) = (self.streets.between(1, 200_000), self.streets.between(1, STRANGER_US));
                self.later(says_us, Event::StrangerSays(conn, side));
                self.later(leaves_us, Event::StrangerLeaves(conn, side));
            }
        }
    }

    /// The same, without a word about what a stranger does there: the connection, and who was reached.
    pub(super) fn join(&mut self, dialler: Party, place: Option<Place>, astray: bool) -> (ConnId, Party) {
        self.last_direct += 1;
        let conn = ConnId(FIRST_DIRECT.0 + self.last_direct);
        let listener = place.and_then(|place| self.listeners.get(&place)).copied();
        let party = match listener.and_then(|(owner, _)| self.devices.get_mut(owner.device).map(|node| (owner, node))) {
            Some((owner, node)) => Party::Device(owner, node.accept(conn)),
            None => Party::Stranger,
        };
        let mut wire = Wire::new(&self.config, conn, dialler, party);
        self.fit_windows(&mut wire);
        let connected_us = wire.connect(self.now_us);
        self.wires.insert(conn, wire);
        let by = if let Party::Device(program, _) = dialler { Some(program) } else { None };
        self.see(&Seen::Met { conn, dialler: by, listener, astray });
        if let (Party::Device(owner, local), Some((_, call))) = (party, listener) {
            self.tell_program(owner, Input::Accepted(call, local));
        }
        if let Some(at_us) = connected_us {
            self.at(at_us, Event::Connected(conn));
        }
        (conn, party)
    }

    /// Whatever strangers say: nothing, noise, another protocol, the beginning of a TLS record that never comes.
    pub(super) fn stranger_says(&mut self, conn: ConnId, side: Side) {
        let (kind, noise) = (self.streets.below(4), self.streets.between(0, u64::MAX).to_be_bytes());
        let bytes: &[u8] = match kind {
            0 => return,
            1 => &noise,
            2 => b"GET / HTTP/1.1\r\nhost: example.com\r\n\r\n",
            _ => &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        };
        let Some(wire) = self.wires.get_mut(&conn).filter(|wire| wire.has(side)) else { return };
        let arrivals = wire.write(side, bytes, self.now_us);
        for (at_us, event) in arrivals {
            self.at(at_us, event);
        }
    }

    pub(super) fn stranger_leaves(&mut self, conn: ConnId, side: Side) {
        if self.wires.get(&conn).is_some_and(|wire| wire.has(side)) {
            self.forget(conn, side);
        }
    }

    /// A stranger connects to a port that happens to listen.
    pub(super) fn scan(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let open = self.open_places();
        if let Some(place) = self.streets.pick(&open).copied() {
            self.meet(Party::Stranger, Some(place), false);
        }
        self.plan_scan();
    }

    /// The listeners that anybody can reach.
    pub(super) fn open_places(&self) -> Vec<Place> {
        let filtered =
            |device: usize| self.hosts.get(device).is_none_or(|host| host.filtered) || self.hours.sleeps(device);
        let open = |(device, at): &&Place| !filtered(*device) && !at.ip().is_loopback();
        self.listeners.keys().filter(open).copied().collect()
    }

    pub(super) fn plan_scan(&mut self) {
        let mean_ms = self.config.scan_mean_ms;
        let after_ms = self.streets.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Scan);
        }
    }

    /// Draws when the network cuts a direct connection next.
    pub(super) fn plan_direct_cut(&mut self) {
        let mean_ms = self.config.direct_cut_mean_ms;
        let after_ms = self.streets.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::CutDirect);
        }
    }

    pub(super) fn cut_direct(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let conns: Vec<ConnId> = self.wires.range(FIRST_DIRECT..).map(|(conn, _)| *conn).collect();
        let silent = self.streets.chance(self.config.silent_percent, 100);
        let one_way = self.streets.chance(self.config.one_way_percent, 100);
        let to = if self.streets.chance(1, 2) { Side::Dialler } else { Side::Listener };
        if let Some(conn) = self.streets.pick(&conns).copied() {
            if one_way {
                self.see(&Seen::CutOneWay(conn, to));
                if let Some(wire) = self.wires.get_mut(&conn) {
                    wire.cut_one_way(to, self.now_us);
                }
            } else {
                self.cut(conn, silent);
            }
        }
        self.plan_direct_cut();
    }

    /// The program that runs on a device.
    pub(super) fn program(&self, device: usize) -> Option<Program> {
        self.devices.get(device).filter(|node| node.is_on()).map(crate::node::device::DeviceNode::program)
    }

    /// Tells a program something, if it is still the one that runs.
    fn tell_program(&mut self, program: Program, input: Input<'_>) {
        let now_us = self.now_us;
        if let Some(node) = self.devices.get_mut(program.device).filter(|node| node.program() == program) {
            node.direct(input, now_us);
            self.dirty.insert(Node::Device(program.device));
        }
    }
}
