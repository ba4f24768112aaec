//! Decides when the server asks for a snapshot of its state: after so many records, one at a time, and nothing waits for it.

use super::{Output, Server};
use crate::effect::Note;
use crate::id::SnapshotId;
use crate::limits::SNAPSHOT_EVERY_RECORDS;

/// What the server knows of its snapshots.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// Where the newest one was asked for, or the one that the server was started from.
    last: u64,
    /// After how many records the next one is due.
    every: u64,
    /// The one that is being written down, and its place.
    awaited: Option<(SnapshotId, u64)>,
    asked: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { last: 0, every: SNAPSHOT_EVERY_RECORDS, awaited: None, asked: 0 }
    }
}

impl Server {
    /// The same server, before its first input, whose newest snapshot is of record `last` (0 if there is none that could
    /// be used), and which asks for one after every `every` records.
    #[must_use]
    pub fn with_snapshots(mut self, last: u64, every: u64) -> Self {
        self.snapshots = Snapshots { last, every, ..Snapshots::default() };
        self
    }

    /// Asks for a snapshot if one is due. To be called when an append has been folded: what is in the state is durable.
    pub(super) fn ask_for_snapshot(&mut self) {
        let n = self.state.position().n;
        let is_due = n.saturating_sub(self.snapshots.last) >= self.snapshots.every;
        if !is_due || self.snapshots.awaited.is_some() || self.shutting_down {
            return;
        }
        // Where it fails, too, the next one is due after as many records again.
        self.snapshots.last = n;
        let Some(bytes) = self.state.snapshot() else {
            // It does not get smaller: this life needs no more tries.
            self.snapshots.every = u64::MAX;
            self.effects.note(Note::Snapshot(n, false));
            return;
        };
        self.snapshots.asked += 1;
        let id = SnapshotId(self.snapshots.asked);
        self.snapshots.awaited = Some((id, n));
        self.outputs.push_back(Output::Snapshot(id, n, bytes));
    }

    /// A snapshot was written down, or not.
    pub(super) fn snapshotted(&mut self, id: SnapshotId, written: bool) {
        let Some((_, n)) = self.snapshots.awaited.take_if(|(awaited, _)| *awaited == id) else {
            unreachable!("a snapshot was answered that nobody asked for")
        };
        self.effects.note(Note::Snapshot(n, written));
    }
}
