//! Decides how disks fail, the relay's and the devices', and whether an older one is restored: from a stream of its own.

use super::SimConfig;
use super::draw::family;
use crate::rng::Draw;

impl SimConfig {
    /// What disks are like: nothing else is drawn from this stream.
    pub(super) fn draw_disk(&mut self) {
        let rng = &mut self.streams().stream("config/disk");
        self.torn_percent = family(rng, 15);
        self.disk_full_percent = family(rng, 8);
        self.disk_full_max_ms = rng.between(1, 6_000);
        self.sync_fail_percent = family(rng, 15);
        self.store_max_us = rng.between(1, 200_000);
        self.store_fail_percent = family(rng, 40);
        self.store_crash_percent = family(rng, 40);
        let (restores, at_s) = (rng.chance(1, 8), rng.between(2, self.storm_s));
        self.restore_after_s = if restores { at_s } else { 0 };
        self.backup_after_s = rng.between(1, at_s);
        self.snapshot_every = family(rng, 40);
        self.snapshot_full_percent = family(rng, 40);
        self.snapshot_rot_percent = family(rng, 60);
    }
}
