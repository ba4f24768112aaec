//! Decides who is parted from whom, and for how long: what TCP sent meanwhile arrives after that, unless the network
//! forgets the connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use countersign_core::id::ConnId;

use super::{Gust, Way, node};
use crate::node::Node;
use crate::rng::Draw;
use crate::story::weather::{Partition, Weather};
use crate::story::{Phase, Program};
use crate::world::World;
use crate::world::event::Event;

impl World {
    /// The network falls apart for a while.
    pub(super) fn part(&mut self) {
        let nodes: Vec<Node> = std::iter::once(Node::Relay).chain((0..self.devices.len()).map(Node::Device)).collect();
        let (config, rng) = (&self.config, &mut self.network.rng);
        let alone = rng.chance(config.part_alone_percent, 100);
        let (one_way, out) = (rng.chance(config.part_one_way_percent, 100), rng.chance(1, 2));
        let for_us = rng.between(1, config.part_max_ms.max(1)) * 1_000;
        let single = rng.pick(&nodes).copied();
        let some: BTreeSet<Node> = nodes.iter().copied().filter(|_| rng.chance(1, 2)).collect();
        let several = (2..nodes.len()).contains(&some.len());
        let group = if several && !alone { some } else { single.into_iter().collect() };
        let partition = Partition { group, out: out || !one_way, into: !out || !one_way };
        self.network.last_part += 1;
        let part = self.network.last_part;
        self.see_weather(&Weather::Parted(partition.clone(), for_us));
        self.network.parts.insert(part, partition);
        self.later(for_us, Event::Gust(Gust::Heal(part)));
    }

    /// A partition is over. What it alone had held up arrives soon, or the network has forgotten what it belongs to.
    pub(super) fn heal(&mut self, part: u64) {
        let Some(partition) = self.network.parts.remove(&part) else { return };
        self.see_weather(&Weather::Healed(partition));
        let free: Vec<Way> = self.network.held.keys().copied().filter(|way| !self.is_parted(*way)).collect();
        for (conn, to) in free {
            let forgets = self.network.rng.chance(self.config.part_forget_percent, 100);
            if forgets && self.phase == Phase::Storm {
                self.forget_wire(conn);
            }
            self.resume_later(Event::Gust(Gust::Release(conn, to)));
        }
        for attempt in std::mem::take(&mut self.network.attempts) {
            self.resume_later(attempt);
        }
    }

    /// Nothing arrives any more on a connection, if there still is one.
    fn forget_wire(&mut self, conn: ConnId) {
        let now_us = self.now_us;
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.cut(now_us);
            self.see_weather(&Weather::Forgotten(conn));
        }
    }

    /// Whether nothing gets from one end of a connection to the other now.
    pub(super) fn is_parted(&self, (conn, to): Way) -> bool {
        let Some(wire) = self.wires.get(&conn) else { return false };
        let (from, to) = (node(wire.party(to.other())), node(wire.party(to)));
        self.network.parts.values().any(|part| part.swallows(from, to))
    }

    /// An attempt to connect arrives, unless something is in its way.
    #[allow(clippy::wildcard_enum_match_arm, reason = "two kinds of event are attempts")]
    pub(super) fn attempt(&mut self, event: Event) -> Option<Event> {
        let (program, local, to) = match &event {
            Event::Dialled(program, local) => (*program, *local, Some(Node::Relay)),
            Event::DialledPeer(program, local, address) => {
                (*program, *local, self.lives_at(*program, *address).map(Node::Device))
            }
            _ => return Some(event),
        };
        if !self.still_dials(program, local) {
            return None;
        }
        let from = Some(Node::Device(program.device));
        if self.network.parts.values().any(|part| part.swallows(from, to)) {
            self.see_weather(&Weather::DialHeldUp(program));
            self.network.attempts.push(event);
            return None;
        }
        if to == Some(Node::Relay) { self.knock(program, local, event) } else { Some(event) }
    }

    /// The device that whoever dials this address means.
    pub(in crate::world) fn lives_at(&self, dialler: Program, address: SocketAddr) -> Option<usize> {
        if address.ip().is_loopback() {
            return Some(dialler.device);
        }
        self.hosts.iter().position(|host| host.addresses.contains(&address.ip()))
    }
}
