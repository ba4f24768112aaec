//! Decides how a journal is copied while a server writes it, and how a copy begins another life.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{FORM, Journal, read_meta};
use crate::store::StoreError;
use crate::store::folder::check_private;

const INSERT: &str = "INSERT INTO record (n, body) VALUES (?1, ?2)";

/// Reads a journal that another program may be writing, as it is at one moment: its life, then each record in order.
pub fn read_beside<E: From<StoreError>>(
    path: &Path,
    begin: impl FnOnce(u64) -> Result<(), E>,
    mut visit: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let at = |error| E::from(StoreError::from_sqlite(path, error));
    check_private(path).map_err(StoreError::from)?;
    let absolute = std::path::absolute(path)
        .map_err(|error| StoreError::from(crate::store::folder::FolderError::from_io(path, error)))?;
    // Not for reading alone: what a crash has left in the log beside the file has to be taken in first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(absolute, flags).map_err(at)?;
    let number = |connection: &Connection, sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    if number(&connection, "PRAGMA application_id").map_err(at)? != FORM.application {
        return Err(StoreError::Foreign { path: path.to_owned() }.into());
    }
    connection.execute_batch("PRAGMA query_only = ON").map_err(at)?;
    let found = number(&connection, "PRAGMA user_version").map_err(at)?;
    if found != FORM.format {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: FORM.format }.into());
    }
    // One moment: what is written meanwhile is not seen.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(at)?;
    let (incarnation, _) = read_meta(&transaction).map_err(at)?;
    let incarnation = incarnation.and_then(|number| u64::try_from(number).ok());
    begin(incarnation.ok_or(StoreError::Damaged { path: path.to_owned(), what: "it has no incarnation" })?)?;
    let mut statement = transaction.prepare("SELECT n, body FROM record ORDER BY n").map_err(at)?;
    let mut rows = statement.query([]).map_err(at)?;
    let mut expected = 1;
    while let Some(row) = rows.next().map_err(at)? {
        let found: i64 = row.get(0).map_err(at)?;
        if u64::try_from(found) != Ok(expected) {
            return Err(StoreError::Gap { path: path.to_owned(), expected, found }.into());
        }
        visit(row.get(1).map_err(at)?)?;
        expected += 1;
    }
    Ok(())
}

impl Journal {
    /// Writes records behind those that there are, in one transaction.
    pub fn fill(&mut self, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let (path, mut last) = (self.path.clone(), self.last);
        let written =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
                let mut insert = transaction.prepare(INSERT)?;
                for body in records {
                    last += 1;
                    insert.execute((row(last)?, body))?;
                }
                drop(insert);
                transaction.commit()
            });
        written.map_err(|error| StoreError::from_sqlite(&path, error))?;
        self.last = last;
        Ok(())
    }

    /// Begins another life of this journal, with the record that says so; both, or neither. Snapshots of the life before are
    /// of no use to it.
    ///
    /// # Panics
    ///
    /// If `incarnation` is not below 2^63, which is `SQLite`'s bound.
    pub fn begin_life(&mut self, incarnation: u64, record: &[u8]) -> Result<(), StoreError> {
        let number = i64::try_from(incarnation).expect("an incarnation is below 2^63");
        let last = self.last + 1;
        let path = self.path.clone();
        let written =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
                transaction.execute("UPDATE meta SET value = ?1 WHERE key = 'incarnation'", [number])?;
                transaction.execute(INSERT, (row(last)?, record))?;
                transaction.execute("DELETE FROM snapshot", [])?;
                transaction.commit()
            });
        written.map_err(|error| StoreError::from_sqlite(&path, error))?;
        (self.incarnation, self.last) = (incarnation, last);
        Ok(())
    }
}

fn row(n: u64) -> rusqlite::Result<i64> {
    i64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))
}
