//! What happens to the machines' time: clocks that drift and are set, laptops that sleep, an absence of everybody.
//!
//! A machine that sleeps takes nothing and says nothing. Its sockets are still there for the others, who find out by
//! silence; when it wakes it finds what came meanwhile, or its connections reset, or nothing at all. While everybody is
//! away the server runs and hears nobody, so a month is a few events.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::ConnId;

use super::World;
use super::event::Event;
use super::wire::{Party, Wire};
use crate::config::SimConfig;
use crate::node::Node;
use crate::rng::{Choices, Draw, Streams};
use crate::story::{Phase, Seen, Side, Waking, Who};

/// Beyond this nobody sends again what a sleeping machine does not take, in microseconds.
const RESENT_US: u64 = 900_000_000;
/// How long a wrong clock stays wrong at most, in microseconds.
const WRONG_US: u64 = 30_000_000;
/// The least and the most that a wrong clock is behind, in seconds: beyond the backdating and all clocks that are right
/// enough, and about as far as 1970.
const BEHIND_S: [u64; 2] = [700, 1_799_000_000];
/// The least and the most that a wrong clock is ahead: beyond a certificate, and within the root.
const AHEAD_S: [u64; 2] = [8_000_000, 300_000_000];

/// How long everybody is away, in microseconds.
fn away_us(config: &SimConfig) -> u64 {
    config.away_h * 3_600_000_000
}

/// The machines' clocks and sleep.
pub(super) struct Hours {
    rng: Choices,
    /// Whether a device's monotonic clock counts the time that its machine sleeps.
    counts_sleep: Vec<bool>,
    asleep: BTreeMap<usize, Nap>,
    naps: u64,
    /// The devices whose civil clock is beyond what certificates allow.
    wrong: BTreeSet<usize>,
    /// While everybody is away: what waits for their return.
    away: Option<Vec<Event>>,
    /// How long everybody was away, in microseconds.
    pub(super) away_us: u64,
}

/// A machine's sleep.
struct Nap {
    number: u64,
    since_us: u64,
    held: Vec<Event>,
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

    /// What happens now, if it can. What is for a machine that sleeps or a person who is away waits for them.
    pub(super) fn put_off(&mut self, event: Event) -> Option<Event> {
        if let Event::Tick(Node::Device(device)) = event
            && self.hours.sleeps(device)
        {
            return None;
        }
        let device = self.whose(&event);
        if let Some(nap) = device.and_then(|device| self.hours.asleep.get_mut(&device)) {
            nap.held.push(event);
            return None;
        }
        if let Some(held) = self.hours.away.as_mut().filter(|_| waits(&event)) {
            held.push(event);
            return None;
        }
        Some(event)
    }

    /// The device that takes an event.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the other events are no single device's")]
    fn whose(&self, event: &Event) -> Option<usize> {
        let at = |conn: &ConnId, side: Side| match self.wires.get(conn)?.party(side) {
            Party::Device(program, _) => Some(program.device),
            Party::Relay | Party::Stranger | Party::Liar => None,
        };
        match event {
            Event::Connected(conn) => at(conn, Side::Dialler),
            Event::Deliver { conn, to: side, .. } | Event::Ended(conn, side) | Event::Writable(conn, side) => {
                at(conn, *side)
            }
            Event::Unreachable(program, _)
            | Event::Found(program, _)
            | Event::Bind(program, ..)
            | Event::Stored(program) => Some(program.device),
            Event::Prompt(person, _)
            | Event::Handed(person, _)
            | Event::InviteRefused(person)
            | Event::MendClock(person) => Some(*person),
            _ => None,
        }
    }

    fn nodes(&self) -> Vec<Node> {
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

    fn set_right(&mut self, node: Node) {
        let ahead_s = self.hours.rng.between(0, 2 * self.config.clock_step_max_s);
        if let Node::Device(device) = node {
            self.hours.wrong.remove(&device);
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

    fn plan_nap(&mut self) {
        let mean_ms = self.config.nap_mean_ms;
        let after_ms = self.hours.rng.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Doze);
        }
    }

    /// Somebody closes their laptop for a while.
    pub(super) fn doze(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let device = usize::try_from(self.hours.rng.below(self.config.devices)).unwrap_or(0);
        let long_us = self.hours.rng.between(1, self.config.nap_max_s.max(1) * 1_000_000);
        if !self.hours.sleeps(device) {
            let nap = self.fall_asleep(device);
            self.later(long_us, Event::Awaken(device, nap));
        }
        self.plan_nap();
    }

    /// The number of the sleep.
    fn fall_asleep(&mut self, device: usize) -> u64 {
        self.hours.naps += 1;
        let nap = Nap { number: self.hours.naps, since_us: self.now_us, held: Vec::new() };
        self.hours.asleep.insert(device, nap);
        self.wakes.remove(&Node::Device(device));
        self.see(&Seen::Slept(device));
        self.hours.naps
    }

    /// A machine wakes. What it had to hear is heard first, and then it is late for whatever it wanted to be woken for.
    pub(super) fn awaken(&mut self, device: usize, number: u64) {
        if self.hours.asleep.get(&device).is_none_or(|nap| nap.number != number) {
            return;
        }
        let Some(nap) = self.hours.asleep.remove(&device) else { return };
        let now_us = self.now_us;
        if let Some(node) = self.devices.get_mut(device)
            && self.hours.counts_sleep.get(device) == Some(&false)
        {
            node.clocks.stand_still(nap.since_us, now_us);
        }
        let (gone, silent) = (self.hours.rng.chance(1, 2), self.hours.rng.chance(1, 2));
        let how = match (gone || now_us - nap.since_us > RESENT_US, silent) {
            (false, _) => Waking::Whole,
            (true, false) => Waking::Reset,
            (true, true) => Waking::Silent,
        };
        self.see(&Seen::Awoke(device, how));
        if now_us - nap.since_us > RESENT_US {
            self.set_right(Node::Device(device));
        }
        if how != Waking::Whole {
            self.lose_sockets(device, how == Waking::Reset);
        }
        self.wakes.remove(&Node::Device(device));
        for event in nap.held {
            if waits(&event) {
                // Whoever opens the lid needs a moment.
                let after_us = self.hours.rng.between(1, 1_000_000);
                self.later(after_us, event);
            } else {
                self.happen(event);
            }
        }
        self.mark(Node::Device(device));
    }

    /// Nothing passes any more on the connections that a device had when it fell asleep.
    fn lose_sockets(&mut self, device: usize, told: bool) {
        let is_hers =
            |wire: &Wire, side| matches!(wire.party(side), Party::Device(program, _) if program.device == device);
        for side in [Side::Dialler, Side::Listener] {
            let hers: Vec<ConnId> =
                self.wires.iter().filter(|(_, wire)| is_hers(wire, side)).map(|(conn, _)| *conn).collect();
            for conn in hers {
                if let Some(wire) = self.wires.get_mut(&conn) {
                    wire.cut(self.now_us);
                }
                let after_us = self.hours.rng.between(1, 2_000_000);
                if told {
                    self.later(after_us, Event::Ended(conn, side));
                }
            }
        }
    }

    /// Everybody goes away: one closes the laptop, another one ends the program first. The server stays.
    pub(super) fn leave(&mut self) {
        self.hours.away = Some(Vec::new());
        self.see(&Seen::Away(true));
        for device in 0..self.devices.len() {
            let closes = self.hours.rng.chance(2, 3);
            if let Some(nap) = self.hours.asleep.get_mut(&device) {
                // It sleeps on.
                nap.number = 0;
                continue;
            }
            if !closes {
                self.stop(device, true);
            }
            self.fall_asleep(device);
        }
        self.later(away_us(&self.config), Event::Return);
    }

    /// Everybody comes back. A machine that was off or asleep for long asks somebody for the time.
    pub(super) fn come_back(&mut self) {
        let held = self.hours.away.take().unwrap_or_default();
        self.hours.away_us = away_us(&self.config);
        self.see(&Seen::Away(false));
        self.set_right(Node::Relay);
        let asleep: Vec<(usize, u64)> = self.hours.asleep.iter().map(|(device, nap)| (*device, nap.number)).collect();
        for (device, nap) in asleep {
            let after_us = self.hours.rng.between(1, 10_000_000);
            self.later(after_us, Event::Awaken(device, nap));
        }
        for event in held {
            let after_us = self.hours.rng.between(1, 10_000_000);
            self.later(after_us, event);
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

/// What somebody does, or the weather: nothing of it happens while everybody is away.
fn waits(event: &Event) -> bool {
    matches!(
        event,
        Event::Prompt(..)
            | Event::Handed(..)
            | Event::InviteRefused(_)
            | Event::AskOperator(_)
            | Event::CutSomething
            | Event::CutDirect
            | Event::Scan
            | Event::CrashRelay
            | Event::SetClock
            | Event::MendClock(_)
            | Event::Doze
            | Event::BackUp
            | Event::Restore
    )
}
