//! Decides what a slow machine reads of what has arrived: a little, late, and in the calm all.

use std::collections::VecDeque;

use countersign_core::id::ConnId;

use super::{Gust, Way};
use crate::rng::Draw;
use crate::story::weather::Weather;
use crate::story::{Phase, Side};
use crate::world::World;
use crate::world::event::Event;
use crate::world::wire::Party;

impl World {
    /// What arrives is read, or waits where the machine is a slow one.
    pub(super) fn read_slowly(&mut self, way: Way, event: Event) -> Option<Event> {
        if let Some(unread) = self.network.unread.get_mut(&way) {
            unread.push_back(event);
            return None;
        }
        let slow = |party| matches!(party, Party::Device(program, _) if self.network.slow.contains(&program.device));
        let waits = self.phase == Phase::Storm
            && matches!(event, Event::Deliver { .. } | Event::Ended(..))
            && self.wires.get(&way.0).is_some_and(|wire| slow(wire.party(way.1)));
        if !waits {
            return Some(event);
        }
        self.network.unread.insert(way, VecDeque::from([event]));
        if self.network.read_slowly.insert(way) {
            self.see_weather(&Weather::ReadsSlowly(way.0, way.1));
        }
        self.read_later(way);
        None
    }

    fn read_later(&mut self, (conn, to): Way) {
        let after_ms = self.network.rng.between(1, self.config.slow_read_max_ms.max(1));
        self.later(after_ms * 1_000, Event::Gust(Gust::Read(conn, to)));
    }

    /// A slow machine comes to it.
    #[allow(clippy::wildcard_enum_match_arm, reason = "bytes and an end wait here, and nothing else does")]
    pub(super) fn read_some(&mut self, conn: ConnId, to: Side) {
        let way = (conn, to);
        let most = self.network.rng.between(1, self.config.slow_read_bytes_max);
        let most = if self.phase == Phase::Storm { usize::try_from(most).unwrap_or(usize::MAX) } else { usize::MAX };
        let mut read = 0;
        while read < most {
            // What is read may have the way reset, and then nothing waits any more.
            match self.network.unread.get_mut(&way).and_then(VecDeque::pop_front) {
                Some(Event::Deliver { conn, to, mut bytes, flipped }) => {
                    let rest = bytes.split_off(bytes.len().min(most - read));
                    read += bytes.len();
                    if let (false, Some(unread)) = (rest.is_empty(), self.network.unread.get_mut(&way)) {
                        unread.push_front(Event::Deliver { conn, to, bytes: rest, flipped });
                    }
                    self.deliver(conn, to, bytes, flipped);
                }
                Some(Event::Ended(conn, to)) => self.ended(conn, to),
                Some(_) | None => break,
            }
        }
        if self.network.unread.get(&way).is_some_and(VecDeque::is_empty) {
            self.network.unread.remove(&way);
        } else if self.network.unread.contains_key(&way) {
            self.read_later(way);
        }
    }
}
