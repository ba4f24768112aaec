//! How a machine sleeps, and how everybody goes away for a month.
//!
//! A machine that sleeps takes nothing and says nothing. Its sockets are still there for the others, who find out by
//! silence; when it wakes it finds what came meanwhile, or its connections reset, or nothing at all. While everybody is
//! away the server runs and hears nobody, so a month is a few events.

use countersign_core::id::ConnId;

use super::World;
use super::event::Event;
use super::hours::away_us;
use super::network::Gust;
use super::wire::{Party, Wire};
use crate::node::Node;
use crate::rng::Draw;
use crate::story::{Phase, Seen, Side, Waking};

/// Beyond this nobody sends again what a sleeping machine does not take, in microseconds.
const RESENT_US: u64 = 900_000_000;

/// A machine's sleep, by its number, with what waits for its end.
pub(super) struct Nap {
    pub(super) number: u64,
    since_us: u64,
    held: Vec<Event>,
}

impl World {
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
            Event::Deliver { conn, to: side, .. }
            | Event::Ended(conn, side)
            | Event::Writable(conn, side)
            // A slow machine that sleeps reads nothing at all.
            | Event::Gust(Gust::Read(conn, side)) => at(conn, *side),
            Event::Unreachable(program, _)
            | Event::Found(program, _)
            | Event::Bind(program, ..)
            | Event::Stored(program)
            | Event::Kept(program) => Some(program.device),
            Event::Prompt(person, _)
            | Event::Handed(person, _)
            | Event::InviteRefused(person)
            | Event::MendClock(person) => Some(*person),
            _ => None,
        }
    }

    /// Draws when a machine falls asleep next.
    pub(super) fn plan_nap(&mut self) {
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
        let devices = u64::try_from(self.devices.len()).unwrap_or(1);
        let device = usize::try_from(self.hours.rng.below(devices)).unwrap_or(0);
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
                // It had passed the network before: whatever is held up there now was sent later.
                self.come(event);
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
            | Event::Revoke
            | Event::Own(_)
            | Event::Writes
            | Event::ActsInRoom
            // A month of a villain who comes every few seconds would be millions of events, and as many looks.
            | Event::Villain(_)
            | Event::Gust(_)
            | Event::LookInside
    )
}
