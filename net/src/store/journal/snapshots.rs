//! Decides which snapshots stand beside the records, and that one which can't be written or read harms nothing but itself.
//!
//! A snapshot is a copy of what the records come to. So it has a transaction of its own, after those of the records, and
//! when that fails nothing has happened: unlike a failure of an append, which ends the thread. The table came later than
//! the first files: it is made where it is missing, and a program that does not know it loses nothing.

use super::Journal;
use crate::store::StoreError;
use countersign_core::limits::SNAPSHOTS_KEPT;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// Makes the table where it is missing.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS snapshot (n INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT";

impl Journal {
    /// The places of the snapshots, the newest first.
    pub fn snapshots(&self) -> Result<Vec<u64>, StoreError> {
        places(&self.connection).map_err(|error| StoreError::from_sqlite(&self.path, error))
    }

    /// The snapshot of a place, `None` if there is none. Whether it is a good one is for its reader to say.
    pub fn snapshot(&self, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Ok(n) = i64::try_from(n) else { return Ok(None) };
        let read = || {
            self.connection
                .prepare("SELECT body FROM snapshot WHERE n = ?1")?
                .query_row([n], |row| row.get(0))
                .optional()
        };
        read().map_err(|error| StoreError::from_sqlite(&self.path, error))
    }
}

fn places(connection: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare("SELECT n FROM snapshot ORDER BY n DESC")?;
    let places = statement.query_map([], |row| row.get::<_, i64>(0))?;
    let places: Vec<i64> = places.collect::<rusqlite::Result<_>>()?;
    // Before the first record there is nothing to keep a snapshot of.
    Ok(places.into_iter().filter_map(|n| u64::try_from(n).ok()).collect())
}

/// Keeps a snapshot, and of those before it as many as belong with it; one that claims a later place is no use.
pub(super) fn keep(connection: &mut Connection, n: u64, body: &[u8]) -> rusqlite::Result<()> {
    let n = i64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))?;
    let kept = i64::try_from(SNAPSHOTS_KEPT).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT OR REPLACE INTO snapshot (n, body) VALUES (?1, ?2)", (n, body))?;
    transaction.execute(
        "DELETE FROM snapshot WHERE n NOT IN (SELECT n FROM snapshot WHERE n <= ?1 ORDER BY n DESC LIMIT ?2)",
        [n, kept],
    )?;
    transaction.commit()
}
