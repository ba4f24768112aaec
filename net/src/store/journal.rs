//! Decides when a record counts as journalled: when `SQLite` has synced the transaction that holds it, and not a moment before.
//!
//! One file holds the records, numbered from 1 without gaps, and snapshots of what they come to. The program opens it under
//! the folder's lock, replays it with [`Journal::for_each_after`], and then hands it to a thread of its own ([`Journal::spawn`]): a
//! sync takes milliseconds, and the main loop must not wait for it. What gathers while one sync runs goes
//! into the next transaction together, so under load many appends cost one sync.
//!
//! ```text
//!  main loop                                   thread
//!  append(id, records) --> bounded queue --> BEGIN, all that waits, COMMIT (sync)
//!  done() <-------------- bounded queue <-- Appended { id, first, count } ..., then wake
//! ```
//!
//! - What was appended first has the lower number: requests are carried out in the order they were made.
//! - A failure of any kind ends the thread, after one [`Done::Failed`]. Whether the last transaction is on
//!   the disk is then unknown, so the process has to end too and start again from what the disk holds.
//! - A snapshot is written after the records that gathered with it, by itself, and its failure is told and ends nothing.

mod bodies;
mod commit;
mod handle;
mod lives;
mod snapshots;

pub use lives::read_beside;

pub use handle::{Done, JournalHandle, JournalStats, NotQueued, Request};

use super::StoreError;
use super::sqlite::{Form, Opened};
use countersign_core::limits;
use mio::Waker;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The most requests whose outcome has not been taken with [`JournalHandle::done`]: what waits, what runs and
/// what is finished together. It bounds both queues, so that neither side ever blocks on the other.
pub const REQUESTS_MAX: usize = limits::JOURNAL_REQUESTS_MAX;
/// The most requests in one transaction. It bounds how long the first of them waits for the others' writing.
pub const BATCH_REQUESTS_MAX: usize = limits::JOURNAL_BATCH_MAX;

/// "Csgn". After a snapshot the log gives back all but 16 MiB of its room.
const FORM: Form = Form { application: 0x4373_676e, format: 1, settings: "PRAGMA journal_size_limit = 16777216" };
const SCHEMA: &str = "
    CREATE TABLE record (n INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
";

/// The journal before its thread has started: open, checked, and readable for the replay.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    path: PathBuf,
    incarnation: u64,
    last: u64,
    /// By how much each sync is slower than the disk's.
    slowed: Duration,
}

impl Journal {
    /// Opens the journal at `path`, and creates it with `new_incarnation` if there is none.
    ///
    /// The caller holds the lock of the folder that the file is in. A file that this program didn't write, or
    /// a later version did, is refused and left as it is.
    ///
    /// # Panics
    ///
    /// If `new_incarnation` is not below 2^63, which is `SQLite`'s bound.
    pub fn open(path: &Path, new_incarnation: u64) -> Result<Self, StoreError> {
        let new_incarnation = i64::try_from(new_incarnation).expect("an incarnation is below 2^63");
        let Opened { mut connection, path, is_new } = FORM.open(path)?;
        let at = |error| StoreError::from_sqlite(&path, error);
        if is_new {
            create(&mut connection, new_incarnation).map_err(at)?;
        }
        connection.execute_batch(snapshots::TABLE).map_err(at)?;
        connection.execute_batch(bodies::TABLE).map_err(at)?;
        let (incarnation, last) = read_meta(&connection).map_err(at)?;
        let unsigned = |number: Option<i64>, what| {
            number
                .and_then(|number| u64::try_from(number).ok())
                .ok_or_else(|| StoreError::Damaged { path: path.clone(), what })
        };
        Ok(Self {
            incarnation: unsigned(incarnation, "it has no incarnation")?,
            last: unsigned(Some(last), "it has records before the first")?,
            connection,
            path,
            slowed: Duration::ZERO,
        })
    }

    /// The same journal on a disk that takes so much longer for each sync: for measurements.
    #[must_use]
    pub fn slowed_by(mut self, time: Duration) -> Self {
        self.slowed = time;
        self
    }

    /// The random number that this journal got when it was created, or restored from a backup.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The number of the last record, 0 if there is none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Gives each record after number `after` to `visit` in order, one in memory at a time, until `visit` refuses one. What
    /// stands before is not read.
    ///
    /// A missing record is [`StoreError::Gap`], after those before it were given.
    pub fn for_each_after<E: From<StoreError>>(
        &mut self,
        after: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = |error| E::from(StoreError::from_sqlite(&self.path, error));
        let mut statement =
            self.connection.prepare("SELECT n, body FROM record WHERE n > ?1 ORDER BY n").map_err(at)?;
        // No record has a number beyond SQLite's.
        let mut rows = statement.query([i64::try_from(after).unwrap_or(i64::MAX)]).map_err(at)?;
        let mut expected = after.saturating_add(1);
        while let Some(row) = rows.next().map_err(at)? {
            let found: i64 = row.get(0).map_err(at)?;
            if u64::try_from(found) != Ok(expected) {
                return Err(E::from(StoreError::Gap { path: self.path.clone(), expected, found }));
            }
            let body = row.get_ref(1).map_err(at)?.as_blob();
            visit(expected, body.map_err(|error| at(error.into()))?)?;
            expected += 1;
        }
        Ok(())
    }

    /// The body of record `n`, `None` if there is no such record.
    pub fn read(&self, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        read_body(&self.connection, n).map_err(|error| StoreError::from_sqlite(&self.path, error))
    }

    /// Starts the journal's thread. It wakes `waker` when there is something for [`JournalHandle::done`].
    pub fn spawn(self, waker: Arc<Waker>) -> Result<JournalHandle, StoreError> {
        self.spawn_after(waker, || ())
    }

    /// [`Journal::spawn`] with something to wait for first, so that a test can fill the queue before anything runs.
    fn spawn_after(self, waker: Arc<Waker>, gate: impl FnOnce() + Send + 'static) -> Result<JournalHandle, StoreError> {
        handle::spawn(self, waker, gate)
    }
}

fn create(connection: &mut Connection, incarnation: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    FORM.mark(&transaction)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT INTO meta (key, value) VALUES ('incarnation', ?1)", [incarnation])?;
    transaction.commit()
}

/// The incarnation, and the number of the last record.
fn read_meta(connection: &Connection) -> rusqlite::Result<(Option<i64>, i64)> {
    let incarnation = connection
        .query_row("SELECT value FROM meta WHERE key = 'incarnation' AND typeof(value) = 'integer'", [], |row| {
            row.get(0)
        })
        .optional()?;
    let last = connection.query_row("SELECT coalesce(max(n), 0) FROM record", [], |row| row.get(0))?;
    Ok((incarnation, last))
}

fn read_body(connection: &Connection, n: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    let Ok(n) = i64::try_from(n) else {
        return Ok(None);
    };
    connection.prepare("SELECT body FROM record WHERE n = ?1")?.query_row([n], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests;
