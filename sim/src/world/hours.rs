//! What happens to the machines' clocks: they drift, and the civil ones are set, within what certificates allow or beyond.
//!
//! The server's clock and most devices' stay close enough to each other for certificates, which are backdated. A device
//! whose clock is beyond that believes nobody, until somebody mends it.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use super::event::Event;
use super::sleep::Nap;
use crate::config::SimConfig;
use crate::node::Node;
use crate::rng::{Choices, Draw, Streams};
use crate::story::{Phase, Seen};

/// How long a wrong clock stays wrong at most, in microseconds.
const WRONG_US: u64 = 30_000_000;
/// The least and the most that a wrong clock is behind, in seconds: beyond the backdating and all clocks that are right
/// enough, and about as far as 1970.
const BEHIND_S: [u64; 2] = [700, 1_799_000_000];
/// The least and the most that a wrong clock is ahead: beyond a certificate, and within the root.
const AHEAD_S: [u64; 2] = [8_000_000, 300_000_000];

/// How long everybody is away, in microseconds.
pub(super) fn away_us(config: &SimConfig) -> u64 {
    config.away_h * 3_600_000_000
}

/// The machines' clocks and sleep.
pub(super) struct Hours {
    /// The draws of this family.
    pub(super) rng: Choices,
    /// Whether a device's monotonic clock counts the time that its machine sleeps.
    pub(super) counts_sleep: Vec<bool>,
    /// The machines that sleep.
    pub(super) asleep: BTreeMap<usize, Nap>,
    pub(super) naps: u64,
    /// The devices whose civil clock is beyond what certificates allow.
    pub(super) wrong: BTreeSet<usize>,
    /// While everybody is away: what waits for their return.
    pub(super) away: Option<Vec<Event>>,
    /// How long everybody was away, in microseconds.
    pub(super) away_us: u64,
}

impl Hours {
    /// So many devices, all awake.
    pub(super) fn new(streams: Streams, devices: usize) -> Self {
        let mut rng = streams.stream("time");
        let counts_sleep = (0..devices).map(|_| rng.chance(1, 2)).collect();
        Self { rng, counts_sleep, asleep: BTreeMap::new(), naps: 0, wrong: BTreeSet::new(), away: None, away_us: 0 }
    }

    /// Whether a device's machine sleeps.
    pub(super) fn sleeps(&self, device: usize) -> bool {
        self.asleep.contains_key(&device)
    }
}

impl World {
    /// Draws how the clocks go and plans what will happen to them. When the storm is over.
    pub(super) fn begin_hours(&mut self) -> u64 {
        for node in self.nodes() {
            let (most, slow) = (self.config.drift_ppm, self.hours.rng.chance(1, 2));
            let ppm = i64::try_from(self.hours.rng.between(0, most)).unwrap_or(0);
            if let Some(clocks) = self.clocks(node) {
                clocks.drift(0, if slow { -ppm } else { ppm });
            }
        }
        for device in 0..self.devices.len() {
            if self.hours.rng.chance(self.config.wrong_clock_percent, 100) {
                self.set_wrong(device);
            }
        }
        self.plan_clock();
        self.plan_nap();
        let (storm_us, away_us) = (self.config.storm_s * 1_000_000, away_us(&self.config));
        if away_us > 0 {
            self.later(storm_us / 2, Event::Leave);
        }
        storm_us + away_us
    }

    pub(super) fn nodes(&self) -> Vec<Node> {
        std::iter::once(Node::Relay).chain((0..self.devices.len()).map(Node::Device)).collect()
    }

    fn clocks(&mut self, node: Node) -> Option<&mut crate::node::Clocks> {
        match node {
            Node::Relay => Some(&mut self.relay.clocks),
            Node::Device(device) => self.devices.get_mut(device).map(|node| &mut node.clocks),
        }
    }

    fn plan_clock(&mut self) {
        let mean_ms = self.config.clock_step_mean_ms;
        let after_ms = self.hours.rng.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::SetClock);
        }
    }

    /// Somebody sets the civil clock of a machine: within what certificates allow, or a device's now and then beyond it.
    pub(super) fn set_some_clock(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let nodes = self.nodes();
        let wrong = self.hours.rng.chance(self.config.wrong_clock_percent, 100);
        match self.hours.rng.pick(&nodes).copied() {
            Some(Node::Device(device)) if self.hours.sleeps(device) => {}
            Some(Node::Device(device)) if wrong => self.set_wrong(device),
            Some(node) => self.set_right(node),
            None => {}
        }
        self.plan_clock();
    }

    /// A device's clock is beyond what certificates allow, until somebody mends it.
    fn set_wrong(&mut self, device: usize) {
        let rng = &mut self.hours.rng;
        let (behind, far) = (rng.chance(1, 2), rng.chance(1, 2));
        let [least, most] = if behind { BEHIND_S } else { AHEAD_S };
        let seconds = rng.between(least, if far { most } else { least.saturating_mul(10) });
        let (seconds, mended_us) = (i64::try_from(seconds).unwrap_or(0), rng.between(1, WRONG_US));
        self.hours.wrong.insert(device);
        self.set_clock(Node::Device(device), if behind { -seconds } else { seconds }, true);
        self.later(mended_us, Event::MendClock(device));
    }

    pub(super) fn set_right(&mut self, node: Node) {
        let ahead_s = self.hours.rng.between(0, 2 * self.config.clock_step_max_s);
        if let Node::Device(device) = node {
            self.hours.wrong.remove(&device);
        }
        if node == Node::Relay && self.config.restore_after_s > 0 {
            // A restored server whose clock was ahead before numbers its revocation lists below those that went out, and is
            // believed again when its clock has passed that: longer after than a calm lasts.
            return;
        }
        self.set_clock(node, i64::try_from(ahead_s).unwrap_or(0), false);
    }

    fn set_clock(&mut self, node: Node, ahead_s: i64, wrong: bool) {
        let now_us = self.now_us;
        if let Some(clocks) = self.clocks(node) {
            clocks.set_wall(now_us, ahead_s);
        }
        self.see(&Seen::ClockSet(node, ahead_s, wrong));
    }

    pub(super) fn mend_clock(&mut self, device: usize) {
        if self.hours.wrong.contains(&device) {
            self.set_right(Node::Device(device));
        }
    }

    /// The storm is over: all machines are awake, and their clocks are right.
    pub(super) fn end_hours(&mut self) {
        for device in 0..self.devices.len() {
            if let Some(nap) = self.hours.asleep.get(&device) {
                self.awaken(device, nap.number);
            }
        }
        for node in self.nodes() {
            let was_wrong = matches!(node, Node::Device(device) if self.hours.wrong.contains(&device));
            if was_wrong || self.config.clock_step_mean_ms > 0 {
                self.set_right(node);
            }
        }
    }
}
