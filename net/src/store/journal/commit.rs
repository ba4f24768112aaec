//! Decides what becomes durable together: all that has gathered while the last sync ran, in one transaction.

use super::handle::{Done, Request};
use super::{BATCH_REQUESTS_MAX, Journal, bodies, read_body, snapshots};
use crate::store::StoreError;
use countersign_core::server::Written;
use mio::Waker;
use rusqlite::{Transaction, TransactionBehavior};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

/// What was written since the start of the thread.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Transactions that wrote.
    pub(super) transactions: AtomicU64,
    /// Records that they wrote.
    pub(super) records: AtomicU64,
}

/// The thread's end. The order of the fields is the order of their end: the file is closed first, the channel
/// next, and the main loop is woken last, when it can see both.
pub(super) struct Committer {
    journal: Journal,
    counters: Arc<Counters>,
    requests: Receiver<Request>,
    done: SyncSender<Done>,
    waker: WakeAtEnd,
}

impl Committer {
    /// The thread's end of `journal`, which answers what comes through `requests` to `done`.
    pub(super) fn new(
        journal: Journal,
        counters: Arc<Counters>,
        requests: Receiver<Request>,
        done: SyncSender<Done>,
        waker: Arc<Waker>,
    ) -> Self {
        Self { journal, counters, requests, done, waker: WakeAtEnd(waker) }
    }

    /// Works until nobody can ask for more, or something fails.
    pub(super) fn run(mut self) {
        // Both ends of the loop are in order: a failure has been told, or nobody can ask for more.
        while let Ok(first) = self.requests.recv() {
            let others = self.requests.try_iter().take(BATCH_REQUESTS_MAX - 1);
            let batch = std::iter::once(first).chain(others);
            // A snapshot may take a second, for which nobody waits who wants a record written or read.
            let (snapshots, batch): (Vec<_>, Vec<_>) =
                batch.partition(|request| matches!(request, Request::Snapshot { .. }));
            if !batch.is_empty() {
                let outcomes = self.carry_out(batch);
                if !self.goes_on_after(outcomes) {
                    return;
                }
            }
            for request in snapshots {
                let Request::Snapshot { id, n, body } = request else { continue };
                let outcome = self.keep(id, n, &body).map(|done| vec![done]);
                if !self.goes_on_after(outcome) {
                    return;
                }
            }
        }
    }

    /// Tells what came of something, and whether anything can be done after it.
    fn goes_on_after(&self, outcomes: Result<Vec<Done>, StoreError>) -> bool {
        let failed = outcomes.is_err();
        self.tell(outcomes.unwrap_or_else(|error| vec![Done::Failed { error }]));
        if let Err(source) = self.waker.0.wake() {
            // The main loop will not look of its own accord, but when it does it must not go on.
            let error = StoreError::Thread { source };
            self.tell(vec![Done::Failed { error }]);
            return false;
        }
        !failed
    }

    /// Keeps a snapshot, or leaves everything as it was. An error is one after which nobody knows what the file is like.
    fn keep(&mut self, id: u64, n: u64, body: &[u8]) -> Result<Done, StoreError> {
        let Journal { connection, path, .. } = &mut self.journal;
        let error = snapshots::keep(connection, n, body).err().map(|error| StoreError::from_sqlite(path, error));
        match error {
            // The transaction was not even undone.
            Some(error) if !connection.is_autocommit() => Err(error),
            error => Ok(Done::Snapshotted { id, error }),
        }
    }

    /// All of `batch` in one transaction, and the outcomes only when it is on the disk.
    fn carry_out(&mut self, batch: Vec<Request>) -> Result<Vec<Done>, StoreError> {
        let Journal { connection, path, last, slowed, .. } = &mut self.journal;
        let at = |error| StoreError::from_sqlite(path, error);
        let before = *last;
        let is_write = |request: &Request| {
            matches!(request, Request::Append { .. } | Request::DropBodies { .. } | Request::KeepBodies { .. })
        };
        let writes = batch.iter().any(is_write);
        let behavior = if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
        let transaction = connection.transaction_with_behavior(behavior).map_err(at)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            outcomes.push(match request {
                Request::Append { id, records } => {
                    let first = *last + 1;
                    *last = insert(&transaction, *last, &records).map_err(at)?;
                    Done::Appended { id, first, count: *last + 1 - first }
                }
                Request::Load { id, n } => Done::Loaded { id, body: read_body(&transaction, n).map_err(at)? },
                Request::LoadBody { id, n } => {
                    Done::LoadedBody { id, bytes: bodies::read(&transaction, n).map_err(at)? }
                }
                Request::DropBodies { gone } => {
                    bodies::discard(&transaction, &gone).map_err(at)?;
                    Done::Cleared
                }
                Request::KeepBodies { needed } => {
                    bodies::keep(&transaction, &needed).map_err(at)?;
                    Done::Cleared
                }
                // Has a transaction of its own.
                Request::Snapshot { .. } => continue,
            });
        }
        if writes && !slowed.is_zero() {
            std::thread::sleep(*slowed);
        }
        transaction.commit().map_err(at)?;
        if before == 0 && *last > 0 {
            // From its first record on the file by itself says that there is a realm: whoever loses what lies beside it
            // loses the newest records, and is not taken for a founding that was cut off.
            connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(at)?;
        }
        if writes {
            let written = *last - before;
            self.counters.records.fetch_add(written, Ordering::Release);
            self.counters.transactions.fetch_add(1, Ordering::Release);
        }
        Ok(outcomes)
    }

    fn tell(&self, outcomes: Vec<Done>) {
        for done in outcomes {
            // Nobody listens: the handle was dropped, and what is queued is finished all the same.
            let _ = self.done.send(done);
        }
    }
}

/// Puts `records` after number `last`, and returns the last number then.
fn insert(transaction: &Transaction<'_>, last: u64, records: &[Written]) -> rusqlite::Result<u64> {
    let mut statement = transaction.prepare("INSERT INTO record (n, body) VALUES (?1, ?2)")?;
    let mut n = last;
    for Written { record, body } in records {
        n += 1;
        // Beyond 2^63 records SQLite itself would be at its end.
        let number = i64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))?;
        statement.execute((number, record))?;
        if let Some(body) = body {
            bodies::insert(transaction, number, body)?;
        }
    }
    Ok(n)
}

/// Wakes the main loop when the thread ends, also by a panic.
struct WakeAtEnd(Arc<Waker>);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        // There is nobody left to tell of a failure.
        let _ = self.0.wake();
    }
}
