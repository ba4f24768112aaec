//! Decides what a node is made of: its machine, its own chance, its own clocks. Nothing is shared between two nodes.

pub mod device;
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
/// one for the other is found out.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    mono_ahead_us: u64,
    wall_ahead_s: u64,
}

impl Clocks {
    /// Clocks that are off by at most `skew_max_s` seconds.
    pub fn draw(streams: Streams, name: &str, skew_max_s: u64) -> Self {
        let rng = &mut streams.stream(&format!("{name}/clocks"));
        // One clock ahead of the world's by up to twice the skew, another by nothing: that is the skew between them.
        Self { mono_ahead_us: rng.between(1, 1 << 40), wall_ahead_s: rng.between(0, 2 * skew_max_s) }
    }

    /// What both clocks show when the world's shows `at_us`.
    pub fn now(self, at_us: u64) -> Now {
        let mono = Instant(at_us + self.mono_ahead_us);
        Now { mono, wall: Wall(START.0 + self.wall_ahead_s + at_us / 1_000_000) }
    }

    /// When the world's clock shows what a deadline of this node means.
    pub fn world_us(self, deadline: Instant) -> u64 {
        deadline.0.saturating_sub(self.mono_ahead_us)
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
fn tls_env() -> TlsEnv {
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
}
