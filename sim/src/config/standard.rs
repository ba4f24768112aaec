//! Decides what the standard world is: the one whose cost is measured, the same whatever the drawing code does.

use super::SimConfig;

impl SimConfig {
    /// The standard world: 10 people, 10 virtual minutes, every family of faults on at a strength at which people still
    /// talk. Only the values of the streams come from the seed.
    #[must_use]
    pub fn standard(seed: u64) -> Self {
        Self {
            devices: 10,
            // With the calm, the roll call and the shutdown this makes ten minutes.
            storm_s: 428,
            latency_min_us: 1_000,
            latency_max_us: 60_000,
            split_percent: 20,
            merge_percent: 20,
            segments_max: 8,
            short_write_percent: 10,
            blocked_max_us: 50_000,
            stall_percent: 1,
            glare_percent: 5,
            late_max_us: 2_000,
            skew_max_s: 60,
            cut_mean_ms: 12_000,
            silent_percent: 20,
            dial_fail_percent: 10,
            crash_before_percent: 3,
            crash_after_percent: 3,
            crash_mean_ms: 150_000,
            down_max_ms: 2_000,
            append_max_us: 20_000,
            pace_ms: 5_000,
            shared_invite_percent: 5,
            rival_percent: 10,
            brief_invite_percent: 5,
            bound_invite_percent: 20,
            call_weight: 40,
            hang_up_weight: 5,
            who_weight: 10,
            quit_weight: 2,
            kill_weight: 2,
            accept_percent: 85,
            decline_percent: 10,
            lines_max: 25,
            long_line_percent: 5,
            tunnel_only_percent: 20,
            ipv6_percent: 30,
            loopback_percent: 10,
            filtered_percent: 10,
            closed_port_percent: 5,
            lying_percent: 5,
            direct_fail_percent: 10,
            direct_latency_max_us: 30_000,
            direct_cut_mean_ms: 15_000,
            one_way_percent: 20,
            narrow_percent: 5,
            scan_mean_ms: 5_000,
            ..Self::blank(seed)
        }
    }
}
