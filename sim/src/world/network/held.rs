//! Decides what is held up on its way and when it goes on: in its order, all of it, late.

use std::collections::VecDeque;

use countersign_core::id::ConnId;

use super::{Gust, Way};
use crate::rng::Draw;
use crate::story::Side;
use crate::story::weather::Weather;
use crate::world::World;
use crate::world::event::Event;

/// What does not arrive for now in one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Held {
    events: VecDeque<Event>,
    /// Until when it is held up whatever else is in the way.
    pub(super) until_us: u64,
}

impl World {
    /// One direction of some connection delivers nothing for a while.
    pub(super) fn stall_way(&mut self) {
        let conns: Vec<ConnId> = self.wires.keys().copied().collect();
        let most_ms = self.config.way_stall_max_ms.max(1);
        let rng = &mut self.network.rng;
        let (us, to) = (rng.between(1, most_ms) * 1_000, if rng.chance(1, 2) { Side::Dialler } else { Side::Listener });
        let Some(conn) = rng.pick(&conns).copied() else { return };
        let until_us = self.now_us + us;
        let held = self.network.held.entry((conn, to)).or_default();
        held.until_us = held.until_us.max(until_us);
        self.see_weather(&Weather::WayStalled(conn, to, us));
        self.at(until_us, Event::Gust(Gust::Release(conn, to)));
    }

    /// What arrives waits, if something is in the way, or waits before it.
    pub(super) fn hold_up(&mut self, way: Way, event: Event) -> Option<Event> {
        if !self.network.held.contains_key(&way) {
            if !self.is_parted(way) {
                return Some(event);
            }
            self.see_weather(&Weather::HeldUp(way.0, way.1));
        }
        self.network.held.entry(way).or_default().events.push_back(event);
        None
    }

    /// What was held up arrives, unless it is held up still: then whatever is in the way calls for this again.
    pub(super) fn release(&mut self, conn: ConnId, to: Side) {
        let way = (conn, to);
        let free = self.network.held.get(&way).is_some_and(|held| held.until_us <= self.now_us);
        if !free || self.is_parted(way) {
            return;
        }
        let events = self.network.held.remove(&way).map(|held| held.events).unwrap_or_default();
        if !events.is_empty() {
            self.see_weather(&Weather::Released(conn, to, events.len()));
        }
        for event in events {
            self.happen(event);
        }
    }
}
