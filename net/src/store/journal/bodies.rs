//! Decides how what stands beside records is kept: in the transaction of its record, until it is said that nobody needs it.
//!
//! The table came later than the first files: it is made where it is missing. What a crash leaves in it is cleared away at the
//! next start, when the server says what is needed.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::Journal;
use crate::store::StoreError;

/// Makes the table where it is missing.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS body (n INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT";

impl Journal {
    /// What stands beside record `n`, `None` if nothing does.
    pub fn body(&self, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.connection, n).map_err(|error| StoreError::from_sqlite(&self.path, error))
    }
}

/// What stands beside a record.
pub(super) fn read(connection: &Connection, n: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    let Ok(n) = i64::try_from(n) else { return Ok(None) };
    connection.prepare("SELECT bytes FROM body WHERE n = ?1")?.query_row([n], |row| row.get(0)).optional()
}

/// Puts something beside a record, which is written in the same transaction.
pub(super) fn insert(transaction: &Transaction<'_>, n: i64, bytes: &[u8]) -> rusqlite::Result<()> {
    transaction.prepare("INSERT INTO body (n, bytes) VALUES (?1, ?2)")?.execute((n, bytes)).map(drop)
}

/// What stands beside these records goes.
pub(super) fn discard(transaction: &Transaction<'_>, gone: &[u64]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("DELETE FROM body WHERE n = ?1")?;
    // No record has a number beyond SQLite's.
    for n in gone.iter().filter_map(|n| i64::try_from(*n).ok()) {
        statement.execute([n])?;
    }
    Ok(())
}

/// Everything goes that does not stand beside one of these records.
pub(super) fn keep(transaction: &Transaction<'_>, needed: &[u64]) -> rusqlite::Result<()> {
    let needed: BTreeSet<u64> = needed.iter().copied().collect();
    let mut statement = transaction.prepare("SELECT n FROM body")?;
    let places = statement.query_map([], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let left = places.into_iter().filter_map(|n| u64::try_from(n).ok()).filter(|n| !needed.contains(n));
    discard(transaction, &left.collect::<Vec<_>>())
}
