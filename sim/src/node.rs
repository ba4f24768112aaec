//! Decides what a node is made of: its machine, its own chance, its own clocks. Nothing is shared between two nodes.

pub mod device;
mod ear;
pub mod holding;
pub mod liar;
pub(crate) mod lists;
pub mod relay;

use std::fmt;
use std::sync::Arc;

use countersign_core::time::{Instant, Now, Wall};
use countersign_core::tls::TlsEnv;
use countersign_core::{device as device_machine, server};
use rand_chacha::ChaCha20Rng;
use rand_core::CryptoRng;

use crate::crypto;
use crate::rng::{Draw, Streams};

/// The second of the civil clock at which every run begins.
const START: Wall = Wall(1_800_000_000);

/// Which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The server.
    Relay,
    /// A person's device, by its number from 0.
    Device(usize),
}

/// A node's two streams of random numbers: one for its machine, one for TLS, which can't be given an argument.
#[derive(Debug)]
pub struct Chance {
    core: ChaCha20Rng,
    tls: ChaCha20Rng,
}

impl Chance {
    /// The streams of the node called `name`.
    pub fn new(streams: Streams, name: &str) -> Self {
        Self { core: streams.secret(&format!("{name}/core")), tls: streams.secret(&format!("{name}/tls")) }
    }

    /// Runs one outermost call of a machine with both streams lent to it.
    pub fn lend<R>(&mut self, call: impl FnOnce(&mut dyn CryptoRng) -> R) -> R {
        let _lent = crypto::lend(&mut self.tls);
        call(&mut self.core)
    }
}

/// A node's clocks. Both begin somewhere else than the world's and than each other's, so that a machine which takes
/// one for the other is found out. Both may run fast or slow; the civil one is set now and then, and the monotonic one
/// may stand still while its machine sleeps, but never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The moment of the world's clock from which on both are counted, and what they showed then, in microseconds.
    since_us: u64,
    mono_us: u64,
    wall_us: u64,
    /// How far they go in a million microseconds of the world's.
    rate: u64,
}

/// The rate of a clock that is right.
const RIGHT_RATE: u64 = 1_000_000;

impl Clocks {
    /// Clocks that are off by at most `skew_max_s` seconds.
    pub fn draw(streams: Streams, name: &str, skew_max_s: u64) -> Self {
        let rng = &mut streams.stream(&format!("{name}/clocks"));
        // One clock ahead of the world's by up to twice the skew, another by nothing: that is the skew between them.
        let (mono_us, ahead_s) = (rng.between(1, 1 << 40), rng.between(0, 2 * skew_max_s));
        Self { since_us: 0, mono_us, wall_us: (START.0 + ahead_s) * 1_000_000, rate: RIGHT_RATE }
    }

    /// What both clocks show when the world's shows `at_us`.
    pub fn now(self, at_us: u64) -> Now {
        let passed_us = self.passed_us(at_us);
        Now { mono: Instant(self.mono_us + passed_us), wall: Wall((self.wall_us + passed_us) / 1_000_000) }
    }

    /// The first moment of the world's clock at which a deadline of this node has come.
    pub fn world_us(self, deadline: Instant) -> u64 {
        let wait_us = u128::from(deadline.0.saturating_sub(self.mono_us));
        let world_us = (wait_us * u128::from(RIGHT_RATE)).div_ceil(u128::from(self.rate));
        self.since_us.saturating_add(u64::try_from(world_us).unwrap_or(u64::MAX))
    }

    /// From `at_us` on both run so many millionths too fast, or too slow.
    pub fn drift(&mut self, at_us: u64, ppm: i64) {
        self.count_from(at_us);
        self.rate = RIGHT_RATE.saturating_add_signed(ppm).max(1);
    }

    /// At `at_us` the civil clock is set so far ahead of the right time, or behind it, and not before 1970. The
    /// monotonic one takes no notice.
    pub fn set_wall(&mut self, at_us: u64, ahead_s: i64) {
        self.count_from(at_us);
        self.wall_us = (START.0.saturating_mul(1_000_000) + at_us).saturating_add_signed(ahead_s * 1_000_000);
    }

    /// The machine slept from `from_us` to `to_us`, and the monotonic clock stood still meanwhile.
    pub fn stand_still(&mut self, from_us: u64, to_us: u64) {
        let mono = self.now(from_us).mono;
        self.count_from(to_us);
        self.mono_us = mono.0;
    }

    fn count_from(&mut self, at_us: u64) {
        let passed_us = self.passed_us(at_us);
        (self.since_us, self.mono_us, self.wall_us) = (at_us, self.mono_us + passed_us, self.wall_us + passed_us);
    }

    /// How far the clocks have gone since they were looked after.
    fn passed_us(self, at_us: u64) -> u64 {
        let passed = u128::from(at_us.saturating_sub(self.since_us)) * u128::from(self.rate) / u128::from(RIGHT_RATE);
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

/// When a machine wants to be woken, on the world's clock, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When, in microseconds.
    pub at_us: u64,
    /// Why.
    pub why: Why,
}

/// Why a machine wants to be woken: each kind has its own words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The server.
    Relay(server::Wake),
    /// A device.
    Device(device_machine::Wake),
    /// An enrolment, which has one reason at a time.
    Enrolment,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(wake) => write!(f, "{wake:?}"),
            Self::Device(wake) => write!(f, "{wake:?}"),
            Self::Enrolment => f.write_str("Enrolment"),
        }
    }
}

/// What TLS needs of a node that starts: the seeded provider and a clock of its own.
pub(crate) fn tls_env() -> TlsEnv {
    TlsEnv::new(Arc::new(crypto::provider()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_on_a_nodes_clock_is_a_time_on_the_worlds() {
        let clocks = Clocks::draw(Streams::new(1), "relay", 60);
        let now = clocks.now(5_000_000);
        assert_eq!(clocks.world_us(now.mono), 5_000_000);
        assert!(now.wall.0 >= START.0 + 5 && now.wall.0 <= START.0 + 5 + 120);
    }

    #[test]
    fn a_clock_that_runs_fast_or_slow_reaches_a_deadline_at_the_moment_that_is_said_and_not_before() {
        for ppm in [-900, -1, 0, 7, 900] {
            let mut clocks = Clocks::draw(Streams::new(2), "relay", 60);
            clocks.drift(3_000_001, ppm);
            for wait_us in [0, 1, 2, 999, 1_000_000, 20_000_000, 2_600_000_000_000] {
                let deadline = Instant(clocks.now(3_000_001).mono.0 + wait_us);
                let at_us = clocks.world_us(deadline);
                assert!(clocks.now(at_us).mono >= deadline, "{ppm} {wait_us}");
                assert!(at_us == 3_000_001 || clocks.now(at_us - 1).mono < deadline, "{ppm} {wait_us}");
            }
        }
    }

    #[test]
    fn the_civil_clock_is_set_and_the_monotonic_one_goes_on() {
        let mut clocks = Clocks::draw(Streams::new(3), "relay", 60);
        clocks.drift(0, 500);
        for ahead_s in [100, -100, -1_800_000_000, -1_900_000_000, 400_000_000, 0] {
            let before = clocks.now(8_000_000);
            clocks.set_wall(8_000_000, ahead_s);
            assert_eq!(clocks.now(8_000_000).mono, before.mono);
            let right = START.0 + 8;
            assert_eq!(clocks.now(8_000_000).wall.0, right.saturating_add_signed(ahead_s));
        }
    }

    #[test]
    fn where_sleep_is_not_counted_the_monotonic_clock_goes_on_as_it_was_and_the_civil_one_has_jumped() {
        let mut clocks = Clocks::draw(Streams::new(4), "relay", 0);
        clocks.drift(0, -300);
        let (before, month_us) = (clocks.now(7_000_000), 2_592_000_000_000);
        clocks.stand_still(7_000_000, 7_000_000 + month_us);
        let after = clocks.now(7_000_000 + month_us);
        assert_eq!(after.mono, before.mono);
        assert!(after.wall.0 - before.wall.0 > 2_590_000);
        let second = clocks.now(8_000_000 + month_us);
        assert_eq!(second.mono.0 - after.mono.0, 999_700);
    }
}
