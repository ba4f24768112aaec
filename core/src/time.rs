//! What time is to a machine: two values that the caller hands in, and the one ordered set of deadlines.
//!
//! Timers run on the monotonic [`Instant`], certificates are judged by the [`Wall`] second, and the two are never
//! crossed: a person who sets their clock back must neither stall a timeout nor stretch one (protocol §1.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the caller's monotonic clock, in microseconds since a moment of the caller's choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// This moment moved on by `by`; stays at the end of time rather than wrapping.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// How long it is from `earlier` until this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A second of the civil clock, counted from 1970 (Unix time). Certificates and invites expire by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub u64);

impl Wall {
    /// This second moved on by `by`, in whole seconds.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_secs()))
    }

    /// This second moved back by `by`, in whole seconds; not before 1970.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by.as_secs()))
    }

    /// How long it is from `earlier` until this second; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match time::OffsetDateTime::from_unix_timestamp(i64::try_from(self.0).unwrap_or(i64::MAX)) {
            Ok(at) => write!(
                f,
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second()
            ),
            Err(_) => write!(f, "second {} since 1970", self.0),
        }
    }
}

/// Both clocks at the moment of a call. Every `handle` takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For timers.
    pub mono: Instant,
    /// For certificates and invites.
    pub wall: Wall,
}

impl Now {
    /// The monotonic moment at which the civil clock will read `wall`, if it is not set meanwhile.
    /// Never earlier than one microsecond from now, so that a deadline made of it always moves.
    pub fn when(self, wall: Wall) -> Instant {
        let wait = wall.since(self.wall).max(Duration::from_micros(1));
        self.mono.plus(wait)
    }
}

/// The deadlines of one machine, each with the reason for waking (`W`), at most one for each reason.
///
/// Finding the next costs the same with two connections or two thousand.
#[derive(Debug)]
pub struct Deadlines<W> {
    by_reason: BTreeMap<W, Instant>,
    by_time: BTreeSet<(Instant, W)>,
}

impl<W: Ord + Copy> Default for Deadlines<W> {
    fn default() -> Self {
        Self { by_reason: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<W: Ord + Copy> Deadlines<W> {
    /// Wakes for `why` at `at`, instead of any moment set for it before.
    pub fn set(&mut self, why: W, at: Instant) {
        if let Some(old) = self.by_reason.insert(why, at) {
            self.by_time.remove(&(old, why));
        }
        self.by_time.insert((at, why));
    }

    /// Forgets the deadline of `why`, if there is one.
    pub fn clear(&mut self, why: W) {
        if let Some(old) = self.by_reason.remove(&why) {
            self.by_time.remove(&(old, why));
        }
    }

    /// The earliest deadline and its reason.
    pub fn next(&self) -> Option<(Instant, W)> {
        self.by_time.first().copied()
    }

    /// Takes out one deadline that is due at `now`; call until it gives `None`.
    pub fn take_due(&mut self, now: Instant) -> Option<W> {
        let (at, why) = self.next()?;
        if at > now {
            return None;
        }
        self.clear(why);
        Some(why)
    }

    /// Whether there is a deadline for `why`.
    pub fn contains(&self, why: W) -> bool {
        self.by_reason.contains_key(&why)
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.by_reason.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.by_reason.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_deadline_and_the_last_one_set_holds() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', Instant(10));
        deadlines.set('b', Instant(5));
        deadlines.set('a', Instant(3));
        assert_eq!(deadlines.next(), Some((Instant(3), 'a')));
        assert_eq!(deadlines.len(), 2);
        deadlines.clear('a');
        assert_eq!(deadlines.take_due(Instant(4)), None);
        assert_eq!(deadlines.take_due(Instant(5)), Some('b'));
        assert!(deadlines.is_empty());
    }

    #[test]
    fn a_wall_second_in_the_past_still_gives_a_later_instant() {
        let now = Now { mono: Instant(7), wall: Wall(100) };
        assert!(now.when(Wall(50)) > now.mono);
        assert_eq!(now.when(Wall(101)), Instant(7 + 1_000_000));
    }

    #[test]
    fn a_wall_second_reads_as_a_date() {
        assert_eq!(Wall(1_800_000_000).to_string(), "2027-01-15 08:00:00 UTC");
    }
}
