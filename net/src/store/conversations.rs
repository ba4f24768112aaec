//! Decides what of a device's conversations is on its disk, and that what was taken from there is not.
//!
//! One file, `conversations.db`, holds the rows of the device's machine (`kept`, secrets among them), the history that people
//! read (`entry`, and `said` for finding words in it), the rooms (`room`), and up to where history was shown. What the machine wants kept is one
//! transaction. A failure of any kind ends the process: whether the last transaction is on the disk is then unknown.
//!
//! - `secure_delete`: what is overwritten or removed is zeroed in the file.
//! - The log beside the file (`-wal`) holds older pages. It is taken in and cut off when the file is opened and closed, after
//!   [`KEEPS_BETWEEN_CHECKPOINTS_MAX`] writings, and at once where a secret was removed. What the file system does with what
//!   was cut off is its own affair.
//! - One program at a time writes (`client/holding.rs`); any reads.

mod history;
mod messages;
mod rooms;
mod rows;

use std::ops::Deref;
use std::path::{Path, PathBuf};

use countersign_core::device::conversations::{Keep, Row, Rows};
use countersign_core::limits::KEEPS_BETWEEN_CHECKPOINTS_MAX;
use rusqlite::{Connection, TransactionBehavior};
use zeroize::Zeroize;

use super::StoreError;
use super::sqlite::{Form, Opened};

pub use history::{HistoryFile, Line, Of};
pub use messages::{About, Fate, State};
pub use rooms::KnownRoom;

/// The file's name in the data folder.
pub const FILE: &str = "conversations.db";

/// "Csgc". What is sorted is sorted in memory, since a file beside would have texts in it.
const FORM: Form = Form {
    application: 0x4373_6763,
    format: 1,
    settings: "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 0",
};
const SCHEMA: &str = "
    CREATE TABLE kept (kind INTEGER NOT NULL, id BLOB NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (kind, id)) STRICT;
    CREATE TABLE entry (
        n INTEGER PRIMARY KEY,
        conversation BLOB NOT NULL,
        place INTEGER NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        people TEXT,
        text TEXT,
        what BLOB NOT NULL,
        UNIQUE (conversation, place)
    ) STRICT;
    CREATE INDEX entry_of ON entry (people, n);
    CREATE VIRTUAL TABLE said USING fts5 (text, content = 'entry', content_rowid = 'n');
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
    INSERT INTO meta (key, value) VALUES ('shown', 0);
";

/// What is kept of a device's conversations, open to be written.
#[derive(Debug)]
pub struct ConversationsFile {
    connection: Connection,
    path: PathBuf,
    /// How often something was written since the log was cut off.
    keeps: u32,
}

/// The rows of the device's machine. They hold secrets, and are wiped with this.
#[derive(Debug, Default)]
pub struct KeptRows(Rows);

impl Deref for KeptRows {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.0
    }
}

impl Drop for KeptRows {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl ConversationsFile {
    /// Opens the file of a data folder, and makes it if there is none. The caller is the one program that writes it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let Opened { mut connection, path, is_new } = FORM.open(&folder.join(FILE))?;
        if is_new {
            create(&mut connection).map_err(|error| StoreError::from_sqlite(&path, error))?;
        }
        add(&mut connection).map_err(|error| StoreError::from_sqlite(&path, error))?;
        let mut file = Self { connection, path, keeps: 0 };
        // A program that was killed may have left something there.
        file.checkpoint()?;
        Ok(file)
    }

    /// What was kept for the machine.
    pub fn rows(&self) -> Result<KeptRows, StoreError> {
        let mut kept = KeptRows::default();
        let mut read = || {
            let mut statement = self.connection.prepare("SELECT kind, id, bytes FROM kept")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let Some(name) = rows::read(row.get(0)?, row.get_ref(1)?.as_blob()?) else { return Ok(false) };
                kept.0.insert(name, row.get(2)?);
            }
            Ok(true)
        };
        if read().map_err(|error| self.failed(error))? {
            return Ok(kept);
        }
        Err(StoreError::Damaged { path: self.path.clone(), what: "it keeps what is no row" })
    }

    /// Keeps this, all of it or nothing; it is durable when this returns. A place of a conversation that history has is not
    /// written twice.
    pub fn keep(&mut self, mut keep: Keep) -> Result<(), StoreError> {
        let written = if keep == Keep::default() { Ok(()) } else { self.write(&keep) };
        let removes = |(row, bytes): (&Row, &Option<Vec<u8>>)| bytes.is_none() && rows::is_secret(*row);
        let is_secret_gone = keep.rows.iter().any(removes);
        keep.rows.values_mut().flatten().for_each(Zeroize::zeroize);
        written.map_err(|error| self.failed(error))?;
        self.keeps += 1;
        if is_secret_gone || self.keeps >= KEEPS_BETWEEN_CHECKPOINTS_MAX { self.checkpoint() } else { Ok(()) }
    }

    fn write(&mut self, keep: &Keep) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (row, bytes) in &keep.rows {
            rows::write(&transaction, *row, bytes.as_deref())?;
        }
        for entry in &keep.entries {
            history::write(&transaction, entry)?;
        }
        for (id, (name, view)) in &keep.rooms {
            rooms::write(&transaction, *id, name, view.as_ref())?;
        }
        transaction.commit()
    }

    /// What stands in conversations and was not shown yet, in the order in which it came: a page of it.
    pub fn unshown(&self) -> Result<Vec<Line>, StoreError> {
        history::unshown(&self.connection).map_err(|error| self.failed(error))?.ok_or_else(|| self.damaged())
    }

    /// What stands up to here was shown.
    pub fn shown(&mut self, last: &Line) -> Result<(), StoreError> {
        history::shown(&self.connection, last).map_err(|error| self.failed(error))
    }

    /// Closes the file, and cuts the log beside it off.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.checkpoint()?;
        let Self { connection, path, .. } = self;
        connection.close().map_err(|(_, error)| StoreError::from_sqlite(&path, error))
    }

    /// Takes in what the log has, and cuts it off. While somebody reads what is in there it stays until the next time.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.keeps = 0;
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(checkpoint, [], |_| Ok(())).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, error)
    }

    fn damaged(&self) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: history::NO_ENTRY }
    }
}

/// Adds what was not there from the beginning, to a file that lacks it.
fn add(connection: &mut Connection) -> rusqlite::Result<()> {
    if !messages::are_there(connection)? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(rooms::ADDED)?;
        transaction.execute_batch(messages::ADDED)?;
        transaction.commit()?;
    }
    Ok(())
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    FORM.mark(&transaction)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.commit()
}

#[cfg(test)]
mod tests;
