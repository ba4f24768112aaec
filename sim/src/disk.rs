//! Decides which of the relay's appends survive a crash: those that had become durable, in order and each as a whole.
//!
//! An append whose sync fails is there afterwards, or is not; one that is torn is not, whatever lies there of it. Snapshots
//! are written beside the appends, one at a time, and so many of them are kept; one on its way is lost in a crash. What stands
//! beside a record is written with it, and goes with the first append after it was said to be needed no more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use countersign_core::id::{AppendId, SnapshotId};
use countersign_core::limits::SNAPSHOTS_KEPT;
use countersign_core::server::Written;

use crate::rng::{Choices, Draw};

/// The relay's journal on its disk.
#[derive(Debug)]
pub struct Disk {
    /// What survives a crash.
    durable: Vec<Vec<u8>>,
    /// Appends on their way, oldest first.
    pending: VecDeque<(AppendId, Vec<Written>)>,
    /// What stands beside records, and survives a crash.
    bodies: BTreeMap<u64, Arc<[u8]>>,
    /// What goes of it with the next append.
    going: Vec<u64>,
    /// What a crash left of an append in the middle of being written, behind the last whole one.
    torn: Vec<Vec<u8>>,
    /// The snapshots that survive, the newest last, each with the place that it is kept for.
    snapshots: Vec<(u64, Vec<u8>)>,
    /// The snapshot on its way.
    writing: Option<(SnapshotId, u64, Vec<u8>)>,
    rng: Choices,
    append_max_us: u64,
    /// When the newest append on its way becomes durable: none overtakes another.
    newest_us: u64,
}

/// An append that has become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Which.
    pub append: AppendId,
    /// The place of its first record.
    pub first: u64,
    /// How many records it has.
    pub count: usize,
}

impl Disk {
    /// An empty disk on which an append takes at most `append_max_us`.
    pub fn new(rng: Choices, append_max_us: u64) -> Self {
        Self {
            durable: Vec::new(),
            pending: VecDeque::new(),
            bodies: BTreeMap::new(),
            going: Vec::new(),
            torn: Vec::new(),
            snapshots: Vec::new(),
            writing: None,
            rng,
            append_max_us,
            newest_us: 0,
        }
    }

    /// Takes an append, and says when it becomes durable unless a crash comes first.
    pub fn append(&mut self, append: AppendId, records: Vec<Written>, now_us: u64) -> u64 {
        self.pending.push_back((append, records));
        let alone_us = now_us + self.rng.between(1, self.append_max_us.max(1));
        self.newest_us = self.newest_us.max(alone_us);
        self.newest_us
    }

    /// The oldest append on its way becomes durable.
    pub fn commit(&mut self) -> Option<Committed> {
        let (append, records) = self.pending.pop_front()?;
        let (first, count) = (place(self.durable.len()), records.len());
        for n in self.going.drain(..) {
            self.bodies.remove(&n);
        }
        for (n, Written { record, body }) in (first..).zip(records) {
            self.durable.push(record);
            self.bodies.extend(body.map(|body| (n, body)));
        }
        Some(Committed { append, first, count })
    }

    /// What was on its way is lost. How many appends that were.
    pub fn crash(&mut self) -> usize {
        let lost = self.pending.len();
        self.pending.clear();
        self.going.clear();
        self.writing = None;
        lost
    }

    /// The oldest append on its way is written in part, as the machine goes down.
    pub fn tear(&mut self) {
        let Some((_, records)) = self.pending.front() else { return };
        self.torn = records.iter().map(|written| written.record.clone()).collect();
        if let Some(last) = self.torn.last_mut() {
            last.truncate(last.len() / 2);
        }
    }

    /// The disk is opened again. The beginning of an append is none: it goes as a whole. How many records that were.
    pub fn recover(&mut self) -> usize {
        std::mem::take(&mut self.torn).len()
    }

    /// Takes a snapshot that is kept for a place of the journal.
    pub fn write_snapshot(&mut self, snapshot: SnapshotId, n: u64, bytes: Vec<u8>) {
        self.writing = Some((snapshot, n, bytes));
    }

    /// The snapshot on its way becomes durable, or else there is no room for it. Which it was.
    pub fn end_snapshot(&mut self, is_written: bool) -> Option<SnapshotId> {
        let (snapshot, n, bytes) = self.writing.take()?;
        if is_written {
            self.snapshots.push((n, bytes));
            let gone = self.snapshots.len().saturating_sub(SNAPSHOTS_KEPT);
            self.snapshots.drain(..gone);
        }
        Some(snapshot)
    }

    /// The snapshots that survive, the newest first, each with the place that it is kept for.
    pub fn snapshots(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.snapshots.iter().rev().map(|(n, bytes)| (*n, bytes.as_slice()))
    }

    /// One byte of the newest snapshot is not what it was. Whether there is one.
    pub fn rot(&mut self, rng: &mut Choices) -> bool {
        let Some((_, bytes)) = self.snapshots.last_mut() else { return false };
        let at = rng.below(u64::try_from(bytes.len()).unwrap_or(1).max(1));
        let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) else { return false };
        *byte ^= 1;
        true
    }

    /// What stands beside a record.
    pub fn read_body(&self, n: u64) -> Option<&[u8]> {
        self.bodies.get(&n).map(AsRef::as_ref)
    }

    /// What stands beside these records is needed no more.
    pub fn drop_bodies(&mut self, gone: Vec<u64>) {
        self.going.extend(gone);
    }

    /// Nothing is needed but what stands beside these records.
    pub fn keep_bodies(&mut self, needed: &[u64]) {
        self.bodies.retain(|n, _| needed.binary_search(n).is_ok());
    }

    /// How many appends are on their way.
    pub fn on_their_way(&self) -> usize {
        self.pending.len()
    }

    /// Something is written at once by a program that does nothing else.
    pub fn write_down(&mut self, record: Vec<u8>) {
        self.durable.push(record);
    }

    /// A copy of an older state takes the place of what was there: its first `keep` records. How many are gone. The snapshots
    /// are those of the newer one, as it can happen where files are copied one by one: none of them is of any use.
    pub fn restore(&mut self, keep: usize) -> usize {
        self.pending.clear();
        let gone = self.durable.len().saturating_sub(keep);
        self.forget_beyond(keep);
        gone
    }

    /// The record at a place.
    pub fn read(&self, n: u64) -> Option<&[u8]> {
        let index = usize::try_from(n.checked_sub(1)?).ok()?;
        self.durable.get(index).map(Vec::as_slice)
    }

    /// The records that survive, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.durable.iter().map(Vec::as_slice)
    }

    /// Forgets all records but the first `keep`, as no disk may that has answered for them.
    pub fn forget_beyond(&mut self, keep: usize) {
        self.durable.truncate(keep);
        self.bodies.split_off(&place(keep));
    }
}

/// The place of the record after `before` records.
fn place(before: usize) -> u64 {
    u64::try_from(before).expect("no journal is longer than u64 counts") + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;

    fn disk() -> Disk {
        Disk::new(Streams::new(1).stream("disk"), 1_000)
    }

    fn plain(records: &[&[u8]]) -> Vec<Written> {
        records.iter().map(|record| Written { record: record.to_vec(), body: None }).collect()
    }

    fn all(disk: &Disk) -> Vec<&[u8]> {
        disk.records().collect()
    }

    #[test]
    fn appends_become_durable_in_their_order_and_are_found_at_their_place() {
        let mut disk = disk();
        let times: Vec<u64> = (1..=20).map(|id| disk.append(AppendId(id), plain(&[&[0], &[1]]), id * 10)).collect();
        assert!(times.is_sorted());
        for id in 1..=20 {
            assert_eq!(disk.commit(), Some(Committed { append: AppendId(id), first: id * 2 - 1, count: 2 }));
        }
        assert_eq!(disk.commit(), None);
        assert_eq!((disk.read(0), disk.read(2), disk.read(41)), (None, Some(&[1][..]), None));
    }

    #[test]
    fn a_crash_takes_whole_appends_from_the_end_and_nothing_that_was_durable() {
        let mut disk = disk();
        disk.append(AppendId(1), plain(&[&[1]]), 0);
        disk.append(AppendId(2), plain(&[&[2], &[3]]), 0);
        disk.append(AppendId(3), plain(&[&[4]]), 0);
        disk.commit();
        assert_eq!(disk.crash(), 2);
        assert_eq!(all(&disk), [&[1]]);
        disk.append(AppendId(1), plain(&[&[5]]), 0);
        assert_eq!(disk.commit().map(|committed| committed.first), Some(2));
        assert_eq!(all(&disk), [[1], [5]]);
    }

    #[test]
    fn a_torn_append_is_gone_as_a_whole_once_the_disk_is_opened_again() {
        let mut disk = disk();
        disk.append(AppendId(1), plain(&[&[1]]), 0);
        disk.commit();
        disk.append(AppendId(2), plain(&[&[2; 4], &[3; 4]]), 0);
        disk.tear();
        assert_eq!((disk.crash(), disk.recover(), disk.recover()), (1, 2, 0));
        assert_eq!(all(&disk), [&[1]]);
        disk.append(AppendId(3), plain(&[&[4]]), 0);
        assert_eq!(disk.commit().map(|committed| committed.first), Some(2));
    }

    #[test]
    fn a_restored_disk_has_the_beginning_and_nothing_that_was_on_its_way() {
        let mut disk = disk();
        for id in 1..=3 {
            disk.append(AppendId(id), plain(&[&[0]]), 0);
            disk.commit();
        }
        disk.append(AppendId(4), plain(&[&[0]]), 0);
        assert_eq!((disk.restore(1), disk.records().count(), disk.commit()), (2, 1, None));
    }

    #[test]
    fn the_newest_snapshots_are_kept_and_one_on_its_way_is_lost_with_the_process() {
        let mut disk = disk();
        for n in 1..=3_u8 {
            disk.write_snapshot(SnapshotId(n.into()), n.into(), vec![n]);
            assert_eq!(disk.end_snapshot(true), Some(SnapshotId(n.into())));
        }
        disk.write_snapshot(SnapshotId(4), 4, vec![4]);
        assert_eq!(disk.end_snapshot(false), Some(SnapshotId(4)), "there was no room");
        disk.write_snapshot(SnapshotId(5), 5, vec![5]);
        disk.crash();
        assert_eq!(disk.end_snapshot(true), None);
        assert_eq!(disk.snapshots().collect::<Vec<_>>(), [(3, &[3][..]), (2, &[2])]);
        assert!(disk.rot(&mut Streams::new(2).stream("rot")));
        assert_eq!(disk.snapshots().collect::<Vec<_>>(), [(3, &[2][..]), (2, &[2])]);
    }

    #[test]
    fn what_stands_beside_a_record_survives_with_it_and_goes_with_a_later_append() {
        let mut disk = disk();
        let with_body = |byte: u8| vec![Written { record: vec![byte], body: Some(vec![byte; 3].into()) }];
        disk.append(AppendId(1), with_body(1), 0);
        disk.append(AppendId(2), with_body(2), 0);
        disk.commit();
        assert_eq!((disk.read_body(1), disk.read_body(2)), (Some(&[1; 3][..]), None));
        disk.drop_bodies(vec![1]);
        assert_eq!(disk.crash(), 1);
        disk.append(AppendId(3), with_body(3), 0);
        disk.commit();
        assert_eq!(
            (disk.read_body(1), disk.read_body(2)),
            (Some(&[1; 3][..]), Some(&[3; 3][..])),
            "a crash keeps both"
        );
        disk.keep_bodies(&[2]);
        assert_eq!((disk.read_body(1), disk.read_body(2)), (None, Some(&[3; 3][..])));
        disk.drop_bodies(vec![2]);
        disk.append(AppendId(4), with_body(4), 0);
        disk.commit();
        assert_eq!((disk.read_body(2), disk.read_body(3)), (None, Some(&[4; 3][..])));
        disk.restore(2);
        assert_eq!(disk.read_body(3), None);
    }
}
