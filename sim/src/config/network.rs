//! Decides how the network's further faults are drawn: resets, a meddler, stalls, partitions, machines that are off.

use super::draw::{family, rare};
use super::{ConfigRefusal, SimConfig};
use crate::rng::Draw;

/// The smallest window with which the roll call's lines get through in time.
const WINDOW_MIN_BYTES: u64 = 32 * 1024;

impl SimConfig {
    /// Drawn from a stream of their own, so that they shift nothing else.
    pub(super) fn draw_network(&mut self) {
        let rng = &mut self.streams().stream("config/network");
        self.reset_percent = family(rng, 30);
        self.meddled_percent = family(rng, 40);
        // From a deed in every handshake to one in a long conversation.
        self.meddle_mean_bytes = 100 * 4_u64.pow(u32::try_from(rng.between(0, 5)).unwrap_or(0)) * rng.between(1, 3);
        self.meddle_flip_weight = family(rng, 100);
        self.meddle_drop_weight = family(rng, 100);
        self.meddle_double_weight = family(rng, 100);
        self.meddle_replay_weight = family(rng, 100);
        self.meddle_insert_weight = family(rng, 100);
        self.way_stall_mean_ms = rare(rng, 500, 20_000);
        self.way_stall_max_ms = rng.between(100, 60_000);
        self.part_mean_ms = rare(rng, 3_000, 40_000);
        self.part_max_ms = rng.between(500, 90_000);
        self.part_one_way_percent = family(rng, 100);
        self.part_alone_percent = rng.between(0, 100);
        self.part_forget_percent = family(rng, 80);
        self.off_mean_ms = rare(rng, 5_000, 60_000);
        self.off_max_ms = rng.between(500, 30_000);
        self.silent_crash_percent = family(rng, 60);
        self.slow_reader_percent = family(rng, 30);
        self.slow_read_bytes_max = 4_u64.pow(u32::try_from(rng.between(0, 6)).unwrap_or(0));
        self.slow_read_max_ms = rng.between(1, 2_000);
        self.refuse_mean_ms = rare(rng, 3_000, 40_000);
        self.refuse_max_ms = rng.between(200, 20_000);
        self.refuse_mute_percent = family(rng, 100);
        let window = family(rng, 8 * WINDOW_MIN_BYTES);
        self.window_bytes = if window == 0 { 0 } else { window.max(WINDOW_MIN_BYTES) };
    }

    /// Nothing of it happens.
    pub(super) fn still_network(&mut self) {
        for field in [
            &mut self.reset_percent,
            &mut self.meddled_percent,
            &mut self.way_stall_mean_ms,
            &mut self.part_mean_ms,
            &mut self.off_mean_ms,
            &mut self.silent_crash_percent,
            &mut self.slow_reader_percent,
            &mut self.refuse_mean_ms,
            &mut self.window_bytes,
        ] {
            *field = 0;
        }
    }

    /// Whether a run can be made of it.
    pub(super) fn check_network(&self) -> Result<(), ConfigRefusal> {
        match self {
            _ if self.meddle_mean_bytes == 0 => Err(ConfigRefusal::Range("meddle_mean_bytes")),
            _ if self.slow_read_bytes_max == 0 => Err(ConfigRefusal::Range("slow_read_bytes_max")),
            _ if (1..WINDOW_MIN_BYTES).contains(&self.window_bytes) => Err(ConfigRefusal::Range("window_bytes")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_of_the_network_is_off_in_some_runs_and_on_in_others() {
        let configs: Vec<_> = (0..100).map(SimConfig::draw).collect();
        let families: [fn(&SimConfig) -> u64; 13] = [
            |config| config.reset_percent,
            |config| config.meddled_percent,
            |config| config.meddle_flip_weight,
            |config| config.meddle_drop_weight,
            |config| config.meddle_double_weight,
            |config| config.meddle_replay_weight,
            |config| config.meddle_insert_weight,
            |config| config.way_stall_mean_ms,
            |config| config.part_mean_ms,
            |config| config.off_mean_ms,
            |config| config.slow_reader_percent,
            |config| config.refuse_mean_ms,
            |config| config.window_bytes,
        ];
        for family in families {
            let off = configs.iter().filter(|config| family(config) == 0).count();
            assert!((20..80).contains(&off), "off in {off} of 100");
        }
    }

    #[test]
    fn what_no_run_can_be_made_of_is_refused() {
        let refused = |change: fn(&mut SimConfig)| {
            let mut config = SimConfig::draw(1);
            change(&mut config);
            config.check().is_err()
        };
        assert!(refused(|config| config.meddle_mean_bytes = 0));
        assert!(refused(|config| config.slow_read_bytes_max = 0));
        assert!(refused(|config| config.window_bytes = 1));
        assert!(!refused(|config| config.window_bytes = 0));
    }
}
