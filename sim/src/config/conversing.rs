//! Decides how many people write to each other, and how often: drawn from a stream of its own.

use super::SimConfig;
use super::draw::rare;
use crate::rng::Draw;

/// How many do at most: what they write is sealed for each device and opened by each, which costs more than all else.
const MOST: u64 = 4;

impl SimConfig {
    /// In half of all runs some do: nothing else is drawn from this stream.
    pub(super) fn draw_conversing(&mut self) {
        let rng = &mut self.streams().stream("config/conversing");
        let (mean_ms, many) = (rare(rng, 1_000, 12_000), rng.between(2, MOST));
        if mean_ms > 0 {
            (self.write_mean_ms, self.conversing) = (mean_ms, many.min(self.devices));
        }
    }

    /// Whether a member breaks into conversations: from a stream of their own, where there are any and no relay lies.
    pub(super) fn draw_intruder(&mut self) {
        let mean_ms = rare(&mut self.streams().stream("config/intruder"), 500, 8_000);
        self.intrude_mean_ms = if self.conversing > 0 && !self.has_liar() { mean_ms } else { 0 };
    }

    /// Whether a device takes part in conversations: with its person it does, or does not.
    pub fn converses(&self, device: usize) -> bool {
        let owner = if self.is_further(device) { self.sibling(device).unwrap_or(device) } else { device };
        usize::try_from(self.conversing).is_ok_and(|conversing| owner < conversing)
    }
}
