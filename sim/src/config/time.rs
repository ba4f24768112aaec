//! Decides how the machines' clocks go wrong and when laptops sleep: drawn from a stream of its own.

use super::SimConfig;
use super::draw::{family, rare};
use crate::rng::Draw;

/// An absence: some hours, a month, longer than two thirds of a certificate's life, longer than all of it, and longer than
/// that and the grace in which it is renewed.
const AWAY_H: [u64; 6] = [1, 40, 720, 1_600, 2_400, 3_600];

impl SimConfig {
    /// What time is like: nothing else is drawn from this stream.
    pub(super) fn draw_time(&mut self) {
        let rng = &mut self.streams().stream("config/time");
        self.drift_ppm = family(rng, 500);
        self.clock_step_mean_ms = rare(rng, 1_000, 30_000);
        self.clock_step_max_s = rng.between(1, 120);
        self.wrong_clock_percent = family(rng, 60);
        self.nap_mean_ms = rare(rng, 2_000, 30_000);
        self.nap_max_s = rng.between(1, 120);
        let (away, length) = (rng.chance(1, 6), rng.pick(&AWAY_H).copied().unwrap_or(1));
        self.away_h = if away { length } else { 0 };
    }
}
