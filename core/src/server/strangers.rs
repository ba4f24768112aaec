//! What those who have not been admitted may have of the server: places, and turns at public-key work.
//!
//! A stranger costs nothing but its place until its ClientHello is whole. What comes after that costs public-key
//! operations, and those are what a flood would take from the members. So a hello waits for its **turn**, and all turns
//! together are paid from one [`Budget`]. A turn is paid for once, for everything that the connection may cause before
//! it is admitted, whatever it then does:
//!
//! | door | the dearest that one connection can ask for | operations |
//! | --- | --- | --- |
//! | relay | key agreement, our signature, four of two chains that lead to the same issuer's name, their signature | 7 |
//! | enrolment | key agreement, our signature, the request's, its binding's, the certificate's, two when it is linted | 7 |
//!
//! A recovery that is granted costs two more, once for each invite that the operator made for somebody who is there.
//!
//! So the budget bounds handshakes and enrolments alike, and nothing has to be counted in the middle of either.
//!
//! Before any public-key work two things tell strangers apart: the door that they ask for (ALPN), and the [`Source`] they
//! come from. Members on their way in are kept from starving by both, without the server having to know them:
//!
//! - The doors take turns while both have somebody waiting: garbage at one takes at most half from the other.
//! - At each door the sources take turns. One address, however many connections it opens, has one share.
//! - Within a source chance decides. Any other order could be played by whoever opens most connections.
//! - When all places are taken, a newcomer gets one of the source that has most of them: that of its oldest stranger
//!   who has had no turn, or who has had one, whichever are more. So who is in the middle of a handshake keeps its
//!   place longer than a crowd takes to come by.
//!
//! So whoever floods from few addresses crowds out itself, and those who share its address have the same chance as each
//! of its connections. From many addresses it makes members wait, at most for as many turns as there are places;
//! established sessions are not touched by any of this. A stranger whose turn does not come before its time is up is
//! closed like any other that is too slow.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand_core::CryptoRng;

use super::budget::Budget;
use crate::id::ConnId;
use crate::limits::KEY_OPERATIONS_PER_STRANGER;
use crate::time::Instant;
use crate::wire::Channel;

/// Where a connection comes from, as far as it matters who shares a lot: an IPv4 address, or the first half of an IPv6
/// address, since a host has all of the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(u64);

impl Source {
    /// The source of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            // No address in use begins with 32 zeros, so the two kinds don't meet.
            IpAddr::V6(v6) => Self(u64::try_from(v6.to_bits() >> 64).unwrap_or(0)),
        }
    }
}

/// The address, or the IPv6 network of half an address: `127.0.0.1`, `2001:db8:1:2::/64`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.0) {
            // What begins with zeros alone is this machine's own `::1`.
            Ok(v4) if v4 != 0 => Ipv4Addr::from_bits(v4).fmt(f),
            Ok(_) | Err(_) => f.pad(&format!("{}/64", Ipv6Addr::from_bits(u128::from(self.0) << 64))),
        }
    }
}

/// What strangers have had of the server since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrangersWork {
    /// Handshakes that had their turn.
    pub turns: u64,
    /// Public-key operations that were paid for them: at least as many as were done.
    pub key_operations: u64,
    /// Handshakes that had to wait for their turn.
    pub held_back: u64,
    /// Those among them that ended before it came.
    pub unserved: u64,
}

/// The strangers.
#[derive(Debug)]
pub(super) struct Strangers {
    known: BTreeMap<ConnId, Stranger>,
    places: BTreeMap<Source, Places>,
    /// Those who wait at the relay's door, and at that of enrolment.
    lines: [Line; 2],
    /// The door whose turn is next.
    next_door: usize,
    waiting: usize,
    budget: Budget,
    work: StrangersWork,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Stranger {
    source: Source,
    /// At which door it waits.
    waits_at: Option<usize>,
    served: bool,
}

/// Those of one source, oldest first: connections are numbered in the order of their coming.
#[derive(Debug, Default)]
struct Places {
    unserved: BTreeSet<ConnId>,
    served: BTreeSet<ConnId>,
}

/// Those who wait at one door, by source.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<Source, Vec<ConnId>>,
    /// Who had the last turn.
    served: Option<Source>,
}

impl Strangers {
    pub(super) fn new(key_operations_per_second: u32, now: Instant) -> Self {
        Self {
            known: BTreeMap::new(),
            places: BTreeMap::new(),
            lines: [Line::default(), Line::default()],
            next_door: 0,
            waiting: 0,
            budget: Budget::new(key_operations_per_second, now),
            work: StrangersWork::default(),
        }
    }

    /// Turns are paid from so much a second from now on.
    pub(super) fn choose(&mut self, key_operations_per_second: u32) {
        self.budget.choose(key_operations_per_second);
    }

    /// What they have had so far.
    pub(super) fn work(&self) -> StrangersWork {
        self.work
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// One comes.
    pub(super) fn enter(&mut self, conn: ConnId, source: Source) {
        self.known.insert(conn, Stranger { source, waits_at: None, served: false });
        self.places.entry(source).or_default().unserved.insert(conn);
    }

    /// One is a stranger no longer, or gone.
    pub(super) fn leave(&mut self, conn: ConnId) {
        self.give_up(conn);
        if let Some(Stranger { source, .. }) = self.known.remove(&conn)
            && let Some(places) = self.places.get_mut(&source)
        {
            places.unserved.remove(&conn);
            places.served.remove(&conn);
            if places.len() == 0 {
                self.places.remove(&source);
            }
        }
    }

    /// Whose place a newcomer gets when there is none left: of several sources with equally many, the oldest's.
    pub(super) fn yielding(&self) -> Option<ConnId> {
        let most = self.places.values().map(Places::len).max()?;
        self.places.values().filter(|places| places.len() == most).filter_map(Places::yielding).min()
    }

    /// One has said which door it wants, and waits for its turn from now on. Whether it did not wait already.
    pub(super) fn wait(&mut self, conn: ConnId, door: Channel) -> bool {
        let Some(known) = self.known.get_mut(&conn).filter(|known| known.waits_at.is_none()) else { return false };
        let door = usize::from(door == Channel::Enrol);
        known.waits_at = Some(door);
        if let Some(line) = self.lines.get_mut(door) {
            line.waiting.entry(known.source).or_default().push(conn);
        }
        self.waiting += 1;
        true
    }

    /// One that may have waited waits no longer.
    pub(super) fn give_up(&mut self, conn: ConnId) {
        let Some(known) = self.known.get_mut(&conn) else { return };
        if let Some(line) = known.waits_at.take().and_then(|door| self.lines.get_mut(door)) {
            line.remove(known.source, |of_source| of_source.iter().position(|other| *other == conn));
            self.waiting -= 1;
            self.work.unserved += 1;
        }
    }

    /// Whose turn it is, if anybody waits and there is a turn to be had.
    pub(super) fn next(&mut self, now: Instant, rng: &mut dyn CryptoRng) -> Option<ConnId> {
        if self.waiting == 0 || !self.budget.pay(now) {
            return None;
        }
        let doors = [self.next_door, 1 - self.next_door];
        let somebody_waits = |door: &usize| self.lines.get(*door).is_some_and(|line| !line.waiting.is_empty());
        let door = doors.into_iter().find(somebody_waits)?;
        let conn = self.lines.get_mut(door)?.next(rng)?;
        self.next_door = 1 - door;
        self.waiting -= 1;
        if let Some(known) = self.known.get_mut(&conn) {
            known.waits_at = None;
            known.served = true;
            if let Some(places) = self.places.get_mut(&known.source) {
                places.unserved.remove(&conn);
                places.served.insert(conn);
            }
        }
        self.work.turns += 1;
        self.work.key_operations += KEY_OPERATIONS_PER_STRANGER;
        Some(conn)
    }

    /// When the next turn can be had, if anybody waits. Asked after [`Strangers::next`] gave none.
    pub(super) fn next_turn(&self, now: Instant) -> Option<Instant> {
        (self.waiting > 0).then(|| self.budget.pays_at(now))
    }

    /// Counts one that could not go on at once.
    pub(super) fn held_back(&mut self, conn: ConnId) {
        if self.known.get(&conn).is_some_and(|known| known.waits_at.is_some()) {
            self.work.held_back += 1;
        }
    }
}

impl Places {
    fn len(&self) -> usize {
        self.unserved.len() + self.served.len()
    }

    /// The oldest of those who are more.
    fn yielding(&self) -> Option<ConnId> {
        let crowd = if self.served.len() > self.unserved.len() { &self.served } else { &self.unserved };
        crowd.first().copied()
    }
}

impl Line {
    /// One of the source after that which was served last.
    fn next(&mut self, rng: &mut dyn CryptoRng) -> Option<ConnId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.served.map_or(Unbounded, Excluded);
        let next = self.waiting.range((after, Unbounded)).next().or_else(|| self.waiting.first_key_value());
        let source = *next?.0;
        self.served = Some(source);
        // The difference that a remainder makes to so few is none.
        self.remove(source, |of_source| usize::try_from(rng.next_u64() % of_source.len().max(1) as u64).ok())
    }

    /// Takes one of a source out, and the source with the last of it.
    fn remove(&mut self, source: Source, which: impl FnOnce(&[ConnId]) -> Option<usize>) -> Option<ConnId> {
        let of_source = self.waiting.get_mut(&source)?;
        let which = which(of_source).filter(|which| *which < of_source.len())?;
        let conn = of_source.swap_remove(which);
        if of_source.is_empty() {
            self.waiting.remove(&source);
        }
        Some(conn)
    }
}

#[cfg(test)]
mod tests;
