//! Decides how a configuration is drawn: each family of faults from a stream of its own, off in about half of all runs.

use super::SimConfig;
use crate::rng::{Chooser, Draw, Tape};

/// A small run has two devices and up to so many more, without this number itself.
const SMALL_DEVICES: u64 = 3;
/// The storm of a small run takes twenty seconds and up to so many more, without this number itself.
const SMALL_STORM_S: u64 = 40;
/// How many times faster people act and things break in a small run.
const SMALL_HURRY: u64 = 3;
/// The most lines that somebody says in a call of a small run.
const SMALL_LINES: u64 = 8;

impl SimConfig {
    /// The configuration that `seed` stands for.
    pub fn draw(seed: u64) -> Self {
        Self::blank(seed).drawn()
    }

    /// The configuration that a tape stands for, and which decides its run too: a small one, so that a fuzzer can try
    /// many. What the tape does not say is that of seed 0.
    pub fn draw_from(tape: Tape) -> Self {
        let mut config = Self { tape: Some(tape), ..Self::blank(0) }.drawn();
        config.devices = 2 + (config.devices - 2) % SMALL_DEVICES;
        config.further = config.further.min(config.devices);
        config.storm_s = 20 + config.storm_s % SMALL_STORM_S;
        // As much happens in less time.
        for mean_ms in
            [&mut config.pace_ms, &mut config.cut_mean_ms, &mut config.crash_mean_ms, &mut config.direct_cut_mean_ms]
        {
            *mean_ms /= SMALL_HURRY;
        }
        config.lines_max = config.lines_max.min(SMALL_LINES);
        config
    }

    /// The same seed and tape, and everything else as they draw it.
    fn drawn(self) -> Self {
        let rng = &mut self.streams().stream("config");
        let latency_min_us = rng.between(50, 5_000);
        let mut config = Self {
            devices: rng.between(2, 16),
            storm_s: rng.between(40, 150),
            latency_min_us,
            latency_max_us: latency_min_us + family(rng, 200_000),
            split_percent: family(rng, 80),
            merge_percent: family(rng, 60),
            segments_max: rng.between(1, 24),
            short_write_percent: family(rng, 50),
            blocked_max_us: rng.between(1, 300_000),
            stall_percent: family(rng, 5),
            glare_percent: family(rng, 60),
            late_max_us: family(rng, 5_000),
            skew_max_s: family(rng, 120),
            silent_percent: family(rng, 90),
            dial_fail_percent: family(rng, 30),
            crash_before_percent: family(rng, 25),
            crash_after_percent: family(rng, 25),
            down_max_ms: 10 * 10_u64.pow(u32::try_from(rng.between(0, 3)).unwrap_or(0)) * rng.between(1, 2),
            append_max_us: rng.between(100, 300_000),
            pace_ms: rng.between(300, 4_000),
            shared_invite_percent: family(rng, 40),
            rival_percent: family(rng, 50),
            brief_invite_percent: family(rng, 30),
            bound_invite_percent: family(rng, 60),
            call_weight: rng.between(10, 100),
            hang_up_weight: rng.between(0, 30),
            who_weight: rng.between(0, 20),
            quit_weight: family(rng, 12),
            kill_weight: family(rng, 12),
            accept_percent: rng.between(40, 100),
            lines_max: rng.between(1, 40),
            long_line_percent: family(rng, 20),
            ..self
        };
        config.cut_mean_ms = rare(rng, 1_000, 40_000);
        config.crash_mean_ms = rare(rng, 8_000, 60_000);
        config.decline_percent = rng.between(0, 100 - config.accept_percent);
        config.draw_direct();
        config.draw_network();
        config.draw_time();
        config.draw_disk();
        config.draw_villains();
        config.draw_secret();
        config.draw_revoking();
        config.draw_further();
        config.draw_split();
        config.draw_thieves();
        config.draw_withdrawing();
        config.draw_recovering();
        config.draw_passwords();
        config.draw_guessers();
        config.draw_conversing();
        config.draw_intruder();
        config.draw_rooms();
        config
    }

    /// What direct connections are like: drawn from a stream of their own, so that they shift nothing else.
    fn draw_direct(&mut self) {
        let rng = &mut self.streams().stream("config/direct");
        self.tunnel_only_percent = family(rng, 40);
        self.ipv6_percent = rng.between(0, 100);
        self.loopback_percent = family(rng, 30);
        self.filtered_percent = family(rng, 40);
        self.closed_port_percent = family(rng, 30);
        self.lying_percent = family(rng, 40);
        self.direct_fail_percent = family(rng, 40);
        self.direct_latency_max_us = 1_000 + family(rng, 200_000);
        self.direct_cut_mean_ms = rare(rng, 500, 20_000);
        self.one_way_percent = family(rng, 60);
        self.scan_mean_ms = rare(rng, 50, 3_000);
        self.narrow_percent = family(rng, 30);
    }

    /// The same run without any fault of the network, the disk or the people's programs, and with one device for each of them.
    #[must_use]
    pub fn without_faults(mut self) -> Self {
        for field in [
            &mut self.short_write_percent,
            &mut self.stall_percent,
            &mut self.late_max_us,
            &mut self.skew_max_s,
            &mut self.cut_mean_ms,
            &mut self.dial_fail_percent,
            &mut self.crash_before_percent,
            &mut self.crash_after_percent,
            &mut self.crash_mean_ms,
            &mut self.shared_invite_percent,
            &mut self.rival_percent,
            &mut self.brief_invite_percent,
            &mut self.quit_weight,
            &mut self.kill_weight,
            &mut self.filtered_percent,
            &mut self.closed_port_percent,
            &mut self.lying_percent,
            &mut self.direct_fail_percent,
            &mut self.direct_cut_mean_ms,
            &mut self.scan_mean_ms,
            &mut self.drift_ppm,
            &mut self.clock_step_mean_ms,
            &mut self.wrong_clock_percent,
            &mut self.nap_mean_ms,
            &mut self.away_h,
            &mut self.torn_percent,
            &mut self.disk_full_percent,
            &mut self.sync_fail_percent,
            &mut self.store_fail_percent,
            &mut self.store_crash_percent,
            &mut self.restore_after_s,
            &mut self.snapshot_full_percent,
            &mut self.snapshot_rot_percent,
            &mut self.revoke_mean_ms,
            &mut self.further,
            &mut self.withdraw_mean_ms,
            &mut self.recovery_percent,
            &mut self.code_mean_ms,
            &mut self.lose_mean_ms,
            &mut self.lose_code_percent,
            &mut self.sign_up,
            &mut self.password_percent,
            &mut self.password_mean_ms,
            &mut self.room_mean_ms,
            &mut self.lobby,
        ] {
            *field = 0;
        }
        self.still_network();
        self.without_villains();
        self
    }
}

/// The strength of a family of faults: none in half of all runs, and anything from 1 to `most` in the others.
pub(super) fn family(rng: &mut dyn Chooser, most: u64) -> u64 {
    let (on, strength) = (rng.chance(1, 2), rng.between(1, most));
    if on { strength } else { 0 }
}

/// The mean time between two faults: none in half of all runs.
pub(super) fn rare(rng: &mut dyn Chooser, least: u64, most: u64) -> u64 {
    let (on, mean) = (rng.chance(1, 2), rng.between(least, most));
    if on { mean } else { 0 }
}
