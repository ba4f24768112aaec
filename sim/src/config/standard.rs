//! Decides what the standard world is: the one whose cost is measured, the same whatever the drawing code does.

use countersign_core::limits::KEY_OPERATIONS_PER_SECOND;

use super::SimConfig;

impl SimConfig {
    /// The standard world: 10 people, 10 virtual minutes, every family of faults on at a strength at which people still
    /// talk. Only the values of the streams come from the seed. Off are a relay that lies and one that is restored, since
    /// oracles then ask for less, and absences, which take longer than ten minutes.
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
        .with_a_standard_network()
        .with_standard_clocks_and_disks()
        .with_standard_villains()
    }

    fn with_a_standard_network(self) -> Self {
        Self {
            reset_percent: 5,
            meddled_percent: 5,
            meddle_mean_bytes: 3_000,
            meddle_flip_weight: 1,
            meddle_drop_weight: 1,
            meddle_double_weight: 1,
            meddle_replay_weight: 1,
            meddle_insert_weight: 1,
            way_stall_mean_ms: 20_000,
            way_stall_max_ms: 3_000,
            part_mean_ms: 60_000,
            part_max_ms: 5_000,
            part_one_way_percent: 30,
            part_alone_percent: 50,
            part_forget_percent: 20,
            off_mean_ms: 120_000,
            off_max_ms: 5_000,
            silent_crash_percent: 20,
            slow_reader_percent: 10,
            slow_read_bytes_max: 4_096,
            slow_read_max_ms: 100,
            refuse_mean_ms: 60_000,
            refuse_max_ms: 3_000,
            refuse_mute_percent: 30,
            window_bytes: 65_536,
            ..self
        }
    }

    fn with_standard_clocks_and_disks(self) -> Self {
        Self {
            drift_ppm: 50,
            clock_step_mean_ms: 60_000,
            clock_step_max_s: 60,
            wrong_clock_percent: 5,
            nap_mean_ms: 60_000,
            nap_max_s: 20,
            torn_percent: 3,
            snapshot_every: 20,
            snapshot_full_percent: 5,
            snapshot_rot_percent: 5,
            disk_full_percent: 1,
            disk_full_max_ms: 2_000,
            sync_fail_percent: 2,
            store_max_us: 20_000,
            store_fail_percent: 5,
            store_crash_percent: 5,
            ..self
        }
    }

    fn with_standard_villains(self) -> Self {
        Self {
            forge_mean_ms: 10_000,
            mute_mean_ms: 10_000,
            crowd_mean_ms: 60_000,
            crowd_max: 20,
            crowd_sources: 3,
            strangers_max: 100,
            key_operations: u64::from(KEY_OPERATIONS_PER_SECOND),
            slow_mean_ms: 60_000,
            slow_bytes: 2_000,
            hasty_mean_ms: 10_000,
            hasty_max: 50,
            fetch_weight: 5,
            slip_percent: 10,
            revoke_mean_ms: 60_000,
            invite_thief_mean_ms: 20_000,
            revoked_thief_mean_ms: 20_000,
            copy_mean_ms: 60_000,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_world_is_sound_and_has_every_family_but_what_makes_promises_void() {
        let config = SimConfig::standard(1);
        assert_eq!(config.check(), Ok(()));
        let off: Vec<_> = config.numbers().into_iter().filter(|(_, value)| *value == 0).map(|(name, _)| name).collect();
        let left_out = [
            // It is run to its end, and everybody is there all the time: ten minutes are ten minutes.
            "end_ms",
            "away_h",
            // An older server makes some of the promises void.
            "backup_after_s",
            "restore_after_s",
            // For one moment that somebody asks for, not families.
            "fail_append",
            "fail_append_how",
            "fail_store",
            "fail_store_how",
            // So does a relay that lies.
            "lie_percent",
            "liar_leaves",
            "secret_mean_ms",
            // Everybody has one device: what ten people cost is what ten devices cost.
            "further",
            "secret_hides",
            "secret_plays",
            // And keeps it.
            "withdraw_mean_ms",
            "recovery_percent",
            "code_mean_ms",
            "lose_mean_ms",
            "lose_code_percent",
            "sign_up",
            "password_percent",
            "password_mean_ms",
            // So nobody has a password to be guessed.
            "guess_mean_ms",
            "guess_max",
            "guess_sources",
            // Nor does anybody write: what a run of conversations costs is mostly MLS's.
            "conversing",
            "write_mean_ms",
            "intrude_mean_ms",
            "room_mean_ms",
            "lobby",
        ];
        assert_eq!(off, left_out.to_vec());
    }
}
