//! Decides which connections are reset, and where: between two bytes of a TLS record.

use std::collections::btree_map::Entry;

use countersign_core::id::ConnId;

use crate::config::SimConfig;
use crate::records::Records;
use crate::rng::{Choices, Draw};
use crate::story::weather::Weather;
use crate::story::{Phase, Side};
use crate::world::World;
use crate::world::event::Event;

/// A handshake's flights have about so many bytes.
const HANDSHAKE_BYTES: u64 = 3_000;
/// Beyond so many bytes no connection is reset any more.
const TALK_BYTES: u64 = 60_000;

/// Where a connection is reset.
#[derive(Debug)]
pub(super) struct Fuse {
    to: Side,
    /// After so many bytes more, at the first place within a record.
    rest: u64,
    records: Records,
}

impl Fuse {
    /// Whether, and where, a connection is reset; half of them in the handshake.
    fn draw(config: &SimConfig, rng: &mut Choices) -> Option<Self> {
        let (resets, early) = (rng.chance(config.reset_percent, 100), rng.chance(1, 2));
        let to = if rng.chance(1, 2) { Side::Dialler } else { Side::Listener };
        let rest = rng.between(1, if early { HANDSHAKE_BYTES } else { TALK_BYTES });
        resets.then(|| Self { to, rest, records: Records::default() })
    }

    /// Bytes arrive: how many still do, if the connection is reset after them.
    fn burn(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            self.records.read(*byte);
            self.rest = self.rest.saturating_sub(1);
            if self.rest == 0 && self.records.is_inside() {
                return Some(index + 1);
            }
        }
        None
    }
}

impl World {
    /// Lets bytes arrive, or the first of them and the connection's end.
    #[allow(clippy::wildcard_enum_match_arm, reason = "only bytes are parts of records")]
    pub(super) fn reset_within(&mut self, event: Event) -> Option<Event> {
        let (conn, to, mut bytes, flipped) = match event {
            Event::Deliver { conn, to, bytes, flipped } => (conn, to, bytes, flipped),
            other => return Some(other),
        };
        let alive = self.wires.get(&conn).is_some_and(|wire| wire.reads(to, self.now_us));
        let cut = if alive && self.phase == Phase::Storm { self.burn(conn, to, &bytes) } else { None };
        let Some(kept) = cut else { return Some(Event::Deliver { conn, to, bytes, flipped }) };
        bytes.truncate(kept);
        // What waits for a slow reader is lost with the connection.
        if self.network.unread.remove(&(conn, to)).is_none() {
            self.deliver(conn, to, bytes, flipped);
        }
        self.see_weather(&Weather::Reset(conn, to));
        let now_us = self.now_us;
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.cut(now_us);
        }
        self.ended(conn, Side::Dialler);
        self.ended(conn, Side::Listener);
        None
    }

    fn burn(&mut self, conn: ConnId, to: Side, bytes: &[u8]) -> Option<usize> {
        let fuse = match self.network.fuses.entry(conn) {
            Entry::Occupied(fuse) => fuse.into_mut(),
            Entry::Vacant(none) => {
                let rng = &mut self.config.streams().stream(&format!("network/reset/{conn}"));
                none.insert(Fuse::draw(&self.config, rng))
            }
        };
        let cut = fuse.as_mut().filter(|fuse| fuse.to == to)?.burn(bytes);
        if cut.is_some() {
            *fuse = None;
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_never_reset_between_two_records() {
        let record = [23, 3, 3, 0, 3, 9, 9, 9];
        let stream: Vec<u8> = record.iter().copied().cycle().take(80).collect();
        for rest in 1..=70 {
            let mut fuse = Fuse { to: Side::Dialler, rest, records: Records::default() };
            let kept = fuse.burn(&stream).expect("there is a place");
            assert!(
                !kept.is_multiple_of(record.len()) && kept >= usize::try_from(rest).expect("small"),
                "{rest}: {kept}"
            );
        }
        let mut fuse = Fuse { to: Side::Dialler, rest: 8, records: Records::default() };
        assert_eq!((fuse.burn(&record), fuse.burn(&record)), (None, Some(1)), "over two pieces, too");
    }
}
