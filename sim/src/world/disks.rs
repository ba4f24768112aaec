//! How the relay's disk fails, and how its operator puts an older one in its place.
//!
//! The shell ends the process at any failure of its journal, a full disk included (`net/src/store/journal/commit.rs`), and
//! whoever watches over it starts it again: so here.

use countersign_core::id::SnapshotId;
use countersign_core::server::Input;

use super::World;
use super::event::Event;
use crate::disk::Committed;
use crate::rng::{Choices, Draw, Streams};
use crate::story::{Crash, Phase, Seen};

/// How long whoever watches over the server lets it rest when it says that there is no room, in microseconds.
const FULL_REST_US: u64 = 1_000_000;

/// The shortest time until the relay is started again.
pub(super) fn rest_us(how: Crash) -> u64 {
    if how == Crash::DiskFull { FULL_REST_US } else { 0 }
}

/// What goes wrong with disks.
pub(super) struct Disks {
    /// The draws of this family.
    pub(super) rng: Choices,
    /// What goes wrong with snapshots, drawn apart from all else.
    snapshots: Choices,
    /// How many appends of the storm have been decided on.
    appends: u64,
    /// Until when there is no room on the relay's disk.
    full_until_us: u64,
    /// How many records the backup has, once there is one.
    backup: Option<usize>,
    /// How many writes of devices have been decided on in the storm.
    pub(super) stores: u64,
}

impl Disks {
    /// Disks that work.
    pub(super) fn new(streams: Streams) -> Self {
        let [rng, snapshots] = ["disks", "snapshots"].map(|name| streams.stream(name));
        Self { rng, snapshots, appends: 0, full_until_us: 0, backup: None, stores: 0 }
    }
}

impl World {
    /// How the process ends over the oldest append on its way, if it does. The network's faults have been drawn already.
    pub(super) fn append_fate(&mut self, crash_before: bool, crash_after: bool) -> Option<Crash> {
        let config = &self.config;
        let rng = &mut self.disks.rng;
        let [torn, full, unsynced] = [config.torn_percent, config.disk_full_percent, config.sync_fail_percent]
            .map(|chance| rng.chance(chance, 100));
        let (full_us, kept, some) =
            (rng.between(0, config.disk_full_max_ms) * 1_000, rng.chance(1, 2), rng.between(0, u64::MAX));
        if self.phase != Phase::Storm {
            return None;
        }
        self.disks.appends += 1;
        let forced = if self.disks.appends == config.fail_append { config.fail_append_how } else { 0 };
        let how = match forced {
            1 => Crash::BeforeAppend,
            2 => Crash::AfterAppend,
            3 => Crash::TornAppend,
            4 => Crash::DiskFull,
            5 | 6 => Crash::SyncFailed,
            _ if self.now_us < self.disks.full_until_us => Crash::DiskFull,
            _ if crash_before => Crash::BeforeAppend,
            _ if torn => Crash::TornAppend,
            _ if full => Crash::DiskFull,
            _ if unsynced => Crash::SyncFailed,
            _ if crash_after => Crash::AfterAppend,
            _ => return None,
        };
        match how {
            Crash::TornAppend => self.relay.disk.tear(),
            Crash::DiskFull => self.disks.full_until_us = self.disks.full_until_us.max(self.now_us + full_us),
            // All that had gathered was in one transaction, or in several of which the last was cut off.
            Crash::SyncFailed if if forced == 0 { kept } else { forced == 6 } => {
                let on_their_way = u64::try_from(self.relay.disk.on_their_way()).unwrap_or(1).max(1);
                for _ in 0..=some % on_their_way {
                    self.commit();
                }
            }
            Crash::SyncFailed | Crash::BeforeAppend | Crash::AfterAppend | Crash::Whenever | Crash::Stopped => {}
        }
        Some(how)
    }

    /// The oldest append on its way becomes durable, and nobody has heard of it.
    pub(super) fn commit(&mut self) -> Option<Committed> {
        let committed = self.relay.disk.commit()?;
        let places = (committed.first..).take(committed.count);
        let records: Vec<Vec<u8>> = places.filter_map(|n| self.relay.disk.read(n).map(<[u8]>::to_vec)).collect();
        self.see(&Seen::Durable(committed.first, &records));
        Some(committed)
    }

    /// The relay wants a snapshot to be kept. Nothing waits for it, neither appends nor their answers.
    pub(super) fn write_snapshot(&mut self, snapshot: SnapshotId, n: u64, bytes: Vec<u8>) {
        let (n, bytes) = self.saboteur.snapshot(n, bytes);
        self.relay.disk.write_snapshot(snapshot, n, bytes);
        let after_us = self.disks.snapshots.between(1, 4 * self.config.append_max_us.max(1));
        self.later(after_us, Event::Snapshotted(self.relay_life));
    }

    /// The snapshot on its way is durable, or had no room; either ends nothing.
    pub(super) fn snapshotted(&mut self, life: u64) {
        if life != self.relay_life {
            return;
        }
        let has_room =
            !self.disks.snapshots.chance(self.config.snapshot_full_percent, 100) || self.phase != Phase::Storm;
        let Some(snapshot) = self.relay.disk.end_snapshot(has_room) else { return };
        let written = self.relay.disk.snapshots().next().map(|(n, bytes)| (n, bytes.to_vec()));
        if let Some((n, bytes)) = written.filter(|_| has_room) {
            self.see(&Seen::Snapshot(n, &bytes));
        }
        self.tell_relay(Input::Snapshotted(snapshot, has_room));
    }

    /// The relay's newest snapshot may have gone bad since it was written.
    pub(super) fn rot(&mut self) {
        let rots = self.disks.snapshots.chance(self.config.snapshot_rot_percent, 100) && self.phase == Phase::Storm;
        if rots && self.relay.disk.rot(&mut self.disks.snapshots) {
            self.see(&Seen::Rotten);
        }
    }

    /// Plans the backup and its restore, if there will be one.
    pub(super) fn plan_restore(&mut self) {
        if self.config.restore_after_s > 0 {
            self.later(self.config.backup_after_s * 1_000_000, Event::BackUp);
            // After the backup also where both are planned for one second.
            self.later(self.config.restore_after_s * 1_000_000 + 500_000, Event::Restore);
        }
    }

    /// The operator copies the journal as it is on the disk.
    pub(super) fn back_up(&mut self) {
        self.disks.backup = Some(self.relay.disk.records().count());
    }

    /// The operator stops the server, puts the copy in the journal's place, and starts the server over it. The journal
    /// gets another incarnation, so that no position ever means two things (design 3).
    pub(super) fn restore(&mut self) {
        let Some(keep) = self.disks.backup.filter(|_| self.phase == Phase::Storm) else { return };
        if self.relay.is_up() {
            self.crash(Crash::Stopped);
        }
        let incarnation = self.disks.rng.between(1, u64::MAX >> 1);
        let gone = self.relay.restore(keep, incarnation, self.now_us);
        if self.saboteur.takes_any_log() {
            for node in &mut self.devices {
                node.store.accepted = Some(self.relay.log());
            }
        }
        self.see(&Seen::Restored(keep, gone));
    }
}
