//! Decides how an `SQLite` file of ours is opened: made for its owner alone, known by its number, and synced at each commit.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::folder::{FolderError, check_private, create_file, sync_parent};

/// Syncs each commit. On macOS only `fullfsync` reaches the disk itself; elsewhere it means nothing.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
";

/// Which kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Says in the file's header whose it is, so that `file` and other programs can tell.
    pub application: i64,
    /// The format that this program writes, and the newest that it reads.
    pub format: i64,
    /// What is set besides what all files have.
    pub settings: &'static str,
}

/// A file that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub connection: Connection,
    /// Where it is, absolutely.
    pub path: PathBuf,
    /// Whether it is empty, and to be filled.
    pub is_new: bool,
}

impl Form {
    /// Opens the file at `path` for writing, and creates it if there is none. A file that this program didn't write, or a
    /// later version did, is refused and left as it is.
    pub(super) fn open(self, path: &Path) -> Result<Opened, StoreError> {
        // SQLite takes a relative path that starts with "file:" for a URI, and an absolute one never.
        let path = std::path::absolute(path).map_err(|error| FolderError::from_io(path, error))?;
        // The file is made here since SQLite would make it for everybody; -wal and -shm take over its mode.
        match create_file(&path) {
            Ok(file) => drop(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                check_private(&path)?;
            }
            Err(error) => return Err(FolderError::from_io(&path, error).into()),
        }
        sync_parent(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let at = |error| StoreError::from_sqlite(&path, error);
        let connection = Connection::open_with_flags(&path, flags).map_err(at)?;
        // What can't be written SQLite opens for reading, without a word.
        if connection.is_readonly("main").map_err(at)? {
            return Err(StoreError::ReadOnly { path });
        }
        let is_new = self.identify(&connection, &path)?;
        connection.execute_batch(SETTINGS).and_then(|()| connection.execute_batch(self.settings)).map_err(at)?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(at)?;
        if mode != "wal" {
            return Err(StoreError::NoWal { path });
        }
        Ok(Opened { connection, path, is_new })
    }

    /// Opens a file that another program may be writing, to read it; nothing if there is none, or none was filled yet.
    pub(super) fn read(self, path: &Path) -> Result<Option<Opened>, StoreError> {
        let path = std::path::absolute(path).map_err(|error| FolderError::from_io(path, error))?;
        match check_private(&path) {
            Ok(_) => {}
            Err(FolderError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let at = |error| StoreError::from_sqlite(&path, error);
        // Not for reading alone: what a crash has left in the log beside the file has to be taken in first.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(at)?;
        let is_new = self.identify(&connection, &path)?;
        connection.execute_batch(SETTINGS).and_then(|()| connection.execute_batch(self.settings)).map_err(at)?;
        connection.execute_batch("PRAGMA query_only = ON").map_err(at)?;
        Ok((!is_new).then_some(Opened { connection, path, is_new }))
    }

    /// Writes whose file it is.
    pub(super) fn mark(self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "application_id", self.application)?;
        connection.pragma_update(None, "user_version", self.format)
    }

    /// Whether the file is empty and so ours to fill; an error if it isn't ours.
    fn identify(self, connection: &Connection, path: &Path) -> Result<bool, StoreError> {
        let number = |sql: &str| -> Result<i64, StoreError> {
            connection.query_row(sql, [], |row| row.get(0)).map_err(|error| StoreError::from_sqlite(path, error))
        };
        let application = number("PRAGMA application_id")?;
        let found = number("PRAGMA user_version")?;
        let path = path.to_owned();
        if application == self.application && found == self.format {
            Ok(false)
        } else if application == self.application && found > self.format {
            Err(StoreError::Newer { path, found, known: self.format })
        } else if (application, found) == (0, 0) && number("SELECT count(*) FROM sqlite_schema")? == 0 {
            // New, or a start that ended before the first transaction.
            Ok(true)
        } else {
            Err(StoreError::Foreign { path })
        }
    }
}
