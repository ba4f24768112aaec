//! What the network does besides cutting connections: its state, and when the next of it begins.
//!
//! Whatever arrives anywhere passes `World::weather` first. All of it stops with the storm.

mod held;
mod meddler;
mod off;
mod parts;
mod port;
mod reset;
mod slow;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_core::id::ConnId;

use super::World;
use super::event::Event;
use super::wire::{Party, Wire};
use crate::config::SimConfig;
use crate::node::Node;
use crate::rng::{Choices, Draw, Streams};
use crate::story::weather::{Partition, Weather};
use crate::story::{Phase, Seen, Side};
use held::Held;
use meddler::Meddlers;
use port::Shut;
use reset::Fuse;

/// How long the network takes to carry on after something was in its way, at most, in microseconds: who got no answer
/// tries again more and more seldom.
const RESUME_US: u64 = 2_000_000;
/// How many bytes wait for a slow reader, at most, where nothing else bounds them: a small socket's buffer.
const SLOW_WINDOW_BYTES: u64 = 16 * 1024;

/// One direction of a connection, by the end that reads.
type Way = (ConnId, Side);

/// Something that the network does at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gust {
    /// It stalls one direction of a connection, if there is one.
    Stall,
    /// What was held up arrives, if nothing is in the way any more.
    Release(ConnId, Side),
    /// It is parted.
    Part,
    /// This partition is over.
    Heal(u64),
    /// A device's machine is switched off, if one is on.
    SwitchOff,
    /// The relay's port takes nobody.
    ShutPort,
    /// A slow machine reads some of what waits at this end.
    Read(ConnId, Side),
}

/// What the network is up to.
#[derive(Debug)]
pub struct Network {
    rng: Choices,
    /// What is on its way and is held up.
    held: BTreeMap<Way, Held>,
    /// Attempts to connect that got no answer.
    attempts: Vec<Event>,
    parts: BTreeMap<u64, Partition>,
    last_part: u64,
    shut: Option<Shut>,
    /// The devices whose machines read slowly.
    slow: BTreeSet<usize>,
    /// What waits for them.
    unread: BTreeMap<Way, VecDeque<Event>>,
    read_slowly: BTreeSet<Way>,
    /// When each connection is reset, if it is; drawn when something first arrives on it.
    fuses: BTreeMap<ConnId, Option<Fuse>>,
    meddlers: Meddlers,
}

impl Network {
    /// A network in which nothing has happened yet.
    pub fn new(config: &SimConfig, streams: Streams<'_>) -> Self {
        let mut rng = streams.stream("network");
        let devices = 0..config.all_devices();
        let slow = devices.filter(|_| rng.chance(config.slow_reader_percent, 100)).collect();
        Self {
            rng,
            held: BTreeMap::new(),
            attempts: Vec::new(),
            parts: BTreeMap::new(),
            last_part: 0,
            shut: None,
            slow,
            unread: BTreeMap::new(),
            read_slowly: BTreeSet::new(),
            fuses: BTreeMap::new(),
            meddlers: Meddlers::default(),
        }
    }
}

/// The node at an end, if it is one of the realm.
fn node(party: Party) -> Option<Node> {
    match party {
        Party::Relay | Party::Liar => Some(Node::Relay),
        Party::Device(program, _) => Some(Node::Device(program.device)),
        Party::Stranger => None,
    }
}

impl World {
    /// Draws when each kind of weather comes first.
    pub(super) fn plan_weather(&mut self) {
        let config = &self.config;
        for (mean_ms, gust) in [
            (config.way_stall_mean_ms, Gust::Stall),
            (config.part_mean_ms, Gust::Part),
            (config.off_mean_ms, Gust::SwitchOff),
            (config.refuse_mean_ms, Gust::ShutPort),
        ] {
            self.plan_gust(mean_ms, gust);
        }
    }

    fn plan_gust(&mut self, mean_ms: u64, gust: Gust) {
        let after_ms = self.network.rng.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Gust(gust));
        }
    }

    pub(super) fn gust(&mut self, gust: Gust) {
        match gust {
            Gust::Release(conn, to) => return self.release(conn, to),
            Gust::Heal(part) => return self.heal(part),
            Gust::Read(conn, to) => return self.read_some(conn, to),
            Gust::Stall | Gust::Part | Gust::SwitchOff | Gust::ShutPort => {}
        }
        if self.phase != Phase::Storm {
            return;
        }
        let mean_ms = match gust {
            Gust::Stall => {
                self.stall_way();
                self.config.way_stall_mean_ms
            }
            Gust::Part => {
                self.part();
                self.config.part_mean_ms
            }
            Gust::SwitchOff => {
                self.switch_something_off();
                self.config.off_mean_ms
            }
            Gust::ShutPort => {
                self.shut_port();
                self.config.refuse_mean_ms
            }
            Gust::Release(..) | Gust::Heal(_) | Gust::Read(..) => return,
        };
        self.plan_gust(mean_ms, gust);
    }

    /// What arrives now of an event whose time has come: the event, or nothing for now, or nothing ever.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the weather meets with what travels, and nothing else does")]
    pub(super) fn weather(&mut self, event: Event) -> Option<Event> {
        let (conn, to) = match &event {
            Event::Deliver { conn, to, .. } | Event::Ended(conn, to) => (*conn, *to),
            Event::Connected(conn) => (*conn, Side::Dialler),
            Event::Dialled(..) | Event::DialledPeer(..) => return self.attempt(event),
            _ => return Some(event),
        };
        let event = self.hold_up((conn, to), event)?;
        let event = self.reset_within(event)?;
        self.read_slowly((conn, to), event)
    }

    /// Faults have stopped: nothing is in anybody's way any more, and what was held up arrives soon.
    pub(super) fn clear_up(&mut self) {
        for part in self.network.parts.keys().copied().collect::<Vec<_>>() {
            self.heal(part);
        }
        self.network.shut = None;
        for held in self.network.held.values_mut() {
            held.until_us = self.now_us;
        }
        let ways: Vec<Way> = self.network.held.keys().copied().collect();
        for (conn, to) in ways {
            self.resume_later(Event::Gust(Gust::Release(conn, to)));
        }
    }

    /// Something happens when the network carries on.
    fn resume_later(&mut self, event: Event) {
        let after_us = self.network.rng.between(1, RESUME_US);
        self.later(after_us, event);
    }

    /// How much may be on its way to each end of a new connection.
    pub(super) fn fit_windows(&self, wire: &mut Wire) {
        for side in [Side::Dialler, Side::Listener] {
            let slow =
                matches!(wire.party(side), Party::Device(program, _) if self.network.slow.contains(&program.device));
            let window =
                if slow && self.config.window_bytes == 0 { SLOW_WINDOW_BYTES } else { self.config.window_bytes };
            wire.set_window(side, window);
        }
    }

    /// An end has read so many bytes: the other's socket may take more.
    pub(super) fn has_read(&mut self, conn: ConnId, to: Side, count: usize) {
        if self.wires.get_mut(&conn).is_some_and(|wire| wire.took(to, count)) {
            let after_us = self.network.rng.between(self.config.latency_min_us, self.config.latency_max_us);
            self.later(after_us, Event::Writable(conn, to.other()));
        }
    }

    /// A socket took nothing of what an end has to say: whether that is because the other does not read, and new.
    pub(super) fn see_if_full(&mut self, conn: ConnId, by: Side) {
        if self.wires.get_mut(&conn).is_some_and(|wire| wire.fills(by)) {
            self.see_weather(&Weather::WindowFull(conn, by));
        }
    }

    fn see_weather(&mut self, weather: &Weather) {
        self.see(&Seen::Network(weather));
    }
}
