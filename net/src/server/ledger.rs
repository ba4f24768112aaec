//! Decides what happens to a request that the journal's queue has no room for: it waits its turn, and the loop stops listening.

use std::collections::VecDeque;

use countersign_core::id::{AppendId, LoadId, SnapshotId};
use countersign_core::server::Written;

use crate::store::journal::{Done, JournalHandle, JournalStats, NotQueued, Request};

/// The journal's thread behind a queue that takes everything and says when it is behind.
///
/// One turn of the loop can ask for more than the journal's own queue holds. What is over waits here, in order; while
/// something does, the loop reads from no socket, so that what waits is bounded by what one turn can ask for.
#[derive(Debug)]
pub(super) struct Ledger {
    journal: JournalHandle,
    waiting: VecDeque<Request>,
}

impl Ledger {
    /// A ledger over the journal's thread.
    pub(super) fn new(journal: JournalHandle) -> Self {
        Self { journal, waiting: VecDeque::new() }
    }

    /// Asks for records to be written, with what stands beside them.
    pub(super) fn append(&mut self, id: AppendId, records: Vec<Written>) {
        self.waiting.push_back(Request::Append { id: id.0, records });
        self.hand_over();
    }

    /// Asks for a record to be read.
    pub(super) fn load(&mut self, id: LoadId, n: u64) {
        self.waiting.push_back(Request::Load { id: id.0, n });
        self.hand_over();
    }

    /// Asks for what stands beside a record.
    pub(super) fn load_body(&mut self, id: LoadId, n: u64) {
        self.waiting.push_back(Request::LoadBody { id: id.0, n });
        self.hand_over();
    }

    /// Lets what stands beside these records go.
    pub(super) fn drop_bodies(&mut self, gone: Vec<u64>) {
        self.waiting.push_back(Request::DropBodies { gone });
        self.hand_over();
    }

    /// Lets everything go that does not stand beside one of these records.
    pub(super) fn keep_bodies(&mut self, needed: Vec<u64>) {
        self.waiting.push_back(Request::KeepBodies { needed });
        self.hand_over();
    }

    /// Asks for a snapshot to be kept.
    pub(super) fn snapshot(&mut self, id: SnapshotId, n: u64, body: Vec<u8>) {
        self.waiting.push_back(Request::Snapshot { id: id.0, n, body });
        self.hand_over();
    }

    /// Whether the journal has more to do than it can queue.
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next outcome, if there is one.
    pub(super) fn next(&mut self) -> Option<Done> {
        let done = self.journal.done()?;
        self.hand_over();
        Some(done)
    }

    /// What was written so far.
    pub(super) fn stats(&self) -> JournalStats {
        self.journal.stats()
    }

    /// Waits until what the journal has is done and its file is closed; the outcomes that nobody took.
    pub(super) fn close(self) -> Vec<Done> {
        self.journal.close()
    }

    fn hand_over(&mut self) {
        while let Some(request) = self.waiting.pop_front() {
            let result = match request {
                Request::Append { id, records } => self.journal.append_with(id, records),
                Request::Load { id, n } => self.journal.load(id, n),
                Request::LoadBody { id, n } => self.journal.load_body(id, n),
                Request::DropBodies { gone } => self.journal.drop_bodies(gone),
                Request::KeepBodies { needed } => self.journal.keep_bodies(needed),
                Request::Snapshot { id, n, body } => self.journal.snapshot(id, n, body),
            };
            // After a failure the request is of no use any more, but the failure itself is still to be taken.
            if let Err(NotQueued::Full(request) | NotQueued::Stopped(request)) = result {
                self.waiting.push_front(request);
                return;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use mio::{Events, Poll, Token, Waker};

    use super::*;
    use crate::store::journal::{Journal, REQUESTS_MAX};

    #[test]
    fn more_than_the_journal_can_queue_waits_and_is_carried_out_in_order() {
        let place = tempfile::tempdir().unwrap();
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let journal = Journal::open(&place.path().join("journal.sqlite3"), 1).unwrap();
        let mut ledger = Ledger::new(journal.spawn(waker).unwrap());
        // Nothing is taken meanwhile, so the journal's own bound is reached for certain.
        let total = u64::try_from(REQUESTS_MAX).unwrap() + 100;
        for id in 1..total {
            ledger.append(AppendId(id), vec![Written { record: vec![1], body: None }]);
        }
        ledger.load(LoadId(total), 1);
        assert!(ledger.is_behind());
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut events = Events::with_capacity(8);
        let mut next = 1;
        while next <= total {
            match ledger.next() {
                Some(Done::Appended { id, first, .. }) => assert_eq!((id, first), (next, next)),
                Some(Done::Loaded { id, body }) => assert_eq!((id, next, body), (total, total, Some(vec![1]))),
                Some(done @ (Done::LoadedBody { .. } | Done::Cleared)) => panic!("{done:?}: nobody asked for that"),
                Some(Done::Snapshotted { id, .. }) => panic!("snapshot {id}: nobody asked for one"),
                Some(Done::Failed { error }) => panic!("{error}"),
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    assert!(!left.is_zero(), "the journal did not answer within a minute");
                    poll.poll(&mut events, Some(left)).unwrap();
                    continue;
                }
            }
            next += 1;
        }
        assert!(!ledger.is_behind());
        assert!(ledger.close().is_empty());
    }
}
