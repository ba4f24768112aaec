//! Decides which datagrams of one direction of a path arrive, when, and how often.
//!
//! What UDP promises is kept: a datagram arrives whole and undamaged or not at all. What it doesn't promise is drawn:
//! it may be lost, alone or with those after it, arrive twice, late, and after others that were sent later. Like
//! [`pipe`](crate::pipe) the path holds no bytes and knows no queue: a send answers at once with all its arrivals.
//!
//! No node sends datagrams yet, so a run draws none of this: the fields of [`PathConfig`] belong into `SimConfig` with
//! the first machine that does.

use std::fmt;

use crate::rng::{Chooser, Draw};

/// The most bytes of a datagram over IPv4: 65,535 without the headers of IP and UDP (RFC 768, RFC 791).
pub const DATAGRAM_BYTES_MAX: usize = 65_507;

/// How one direction of a path behaves. Plain data: the path has no other source of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathConfig {
    /// The shortest way, in microseconds.
    pub latency_min_us: u64,
    /// The longest way, in microseconds; not less than the shortest (if it is, the shortest counts).
    pub latency_max_us: u64,
    /// How many percent of the datagrams are lost.
    pub loss_percent: u64,
    /// How many are lost in a row, at most, when one is; at least 1.
    pub loss_run_max: u64,
    /// How many percent of those that arrive do so twice.
    pub double_percent: u64,
    /// How many percent of the arrivals may be overtaken by what is sent later; all others keep their order.
    pub reorder_percent: u64,
    /// How much later than by their own way such arrivals come, at most, in microseconds.
    pub reorder_max_us: u64,
    /// The largest datagram that passes; a larger one is lost, and nobody is told.
    pub passes_bytes_max: usize,
}

impl PathConfig {
    /// A path without faults: every datagram arrives once, after `latency_us`.
    pub fn calm(latency_us: u64) -> Self {
        Self {
            latency_min_us: latency_us,
            latency_max_us: latency_us,
            loss_percent: 0,
            loss_run_max: 1,
            double_percent: 0,
            reorder_percent: 0,
            reorder_max_us: 0,
            passes_bytes_max: DATAGRAM_BYTES_MAX,
        }
    }
}

/// A socket takes no such datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// How many bytes it had.
    pub bytes: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a datagram has at most {DATAGRAM_BYTES_MAX} bytes: send these {} in several", self.bytes)
    }
}

impl std::error::Error for TooLarge {}

/// A datagram that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When, in microseconds.
    pub at_us: u64,
    /// How many were sent before it.
    pub number: u64,
    /// What; possibly nothing, for an empty datagram is one.
    pub bytes: Vec<u8>,
}

/// What became of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many were sent.
    pub sent: u64,
    /// How many of them were lost by chance.
    pub lost: u64,
    /// How many were lost because they were too large for the path.
    pub too_large: u64,
    /// How many were lost because the path was cut.
    pub cut: u64,
    /// How many arrive twice.
    pub doubled: u64,
    /// How many arrivals may be overtaken.
    pub late: u64,
}

/// One direction of a path for datagrams.
#[derive(Clone, Debug)]
pub struct Path {
    config: PathConfig,
    counts: Counts,
    /// How many more are lost, whatever is drawn.
    losing: u64,
    /// The newest arrival of those that keep their order.
    newest_us: u64,
    /// From when on nothing arrives.
    cut_us: Option<u64>,
}

impl Path {
    /// A path on which nothing was sent yet.
    pub fn new(config: PathConfig) -> Self {
        Self { config, counts: Counts::default(), losing: 0, newest_us: 0, cut_us: None }
    }

    /// Sends a datagram and answers with its arrivals, none to two, the sooner one first.
    ///
    /// The number of draws is the same for each datagram, so that a fault changes nothing but what arrives.
    pub fn send(&mut self, now_us: u64, bytes: &[u8], rng: &mut dyn Chooser) -> Result<Vec<Arrival>, TooLarge> {
        if bytes.len() > DATAGRAM_BYTES_MAX {
            return Err(TooLarge { bytes: bytes.len() });
        }
        let number = self.counts.sent;
        self.counts.sent += 1;
        let (loses, run) = (rng.chance(self.config.loss_percent, 100), rng.between(1, self.config.loss_run_max.max(1)));
        let doubles = rng.chance(self.config.double_percent, 100);
        let drawn = [self.way(now_us, rng), self.way(now_us, rng)];
        if self.losing == 0 && loses {
            self.losing = run;
        }
        if self.losing > 0 {
            self.losing -= 1;
            self.counts.lost += 1;
            return Ok(Vec::new());
        }
        if bytes.len() > self.config.passes_bytes_max {
            self.counts.too_large += 1;
            return Ok(Vec::new());
        }
        self.counts.doubled += u64::from(doubles);
        let mut times: Vec<u64> =
            drawn.into_iter().take(if doubles { 2 } else { 1 }).map(|way| self.arrive(way)).collect();
        times.retain(|at_us| self.delivers(*at_us));
        if times.is_empty() {
            self.counts.cut += 1;
        }
        times.sort_unstable();
        Ok(times.into_iter().map(|at_us| Arrival { at_us, number, bytes: bytes.to_vec() }).collect())
    }

    /// Cuts the path: from `at_us` on nothing arrives, whenever it was sent. The earliest cut counts, until it is mended.
    ///
    /// Arrivals that [`send`](Self::send) gave out before are with the caller, who asks [`delivers`](Self::delivers) when
    /// their time comes.
    pub fn cut(&mut self, at_us: u64) {
        self.cut_us = Some(self.cut_us.map_or(at_us, |cut_us| cut_us.min(at_us)));
    }

    /// What is sent from now on arrives again; what the cut swallowed does not come back.
    pub fn mend(&mut self) {
        self.cut_us = None;
    }

    /// Whether what arrives at `at_us` still gets through.
    pub fn delivers(&self, at_us: u64) -> bool {
        self.cut_us.is_none_or(|cut_us| at_us < cut_us)
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When one copy arrives by its own way alone, and whether what is sent later may overtake it.
    fn way(&self, now_us: u64, rng: &mut dyn Chooser) -> (u64, bool) {
        let PathConfig { latency_min_us: min, latency_max_us: max, reorder_max_us, .. } = self.config;
        let alone_us = now_us.saturating_add(rng.between(min, max.max(min)));
        let (late, extra_us) = (rng.chance(self.config.reorder_percent, 100), rng.between(0, reorder_max_us));
        (alone_us.saturating_add(if late { extra_us } else { 0 }), late)
    }

    fn arrive(&mut self, (alone_us, late): (u64, bool)) -> u64 {
        if late {
            self.counts.late += 1;
            return alone_us;
        }
        self.newest_us = self.newest_us.max(alone_us);
        self.newest_us
    }
}

#[cfg(test)]
mod tests;
