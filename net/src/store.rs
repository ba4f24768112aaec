//! What the program keeps on disk, and why a database there can't be used.
//!
//! - [`folder`]: the data folder, its modes, its lock, and files that are written whole or not at all.
//! - [`journal`]: the one order of events, on `SQLite`.
//! - [`conversations`]: what a device keeps of its conversations, on `SQLite`, too; `sqlite`: how such a file is opened.
//! - [`backup`]: what a backup file is.
//! - [`keys`]: key and certificate files; [`foreign`], [`pbes2`]: keys made elsewhere; [`request`]: certificate requests.
//!
//! A database is used only under the folder's lock ([`folder::Folder::lock`]): `SQLite` would let a second
//! program in, and then two programs would each believe that they decide the order of events.

pub mod backup;
pub mod conversations;
pub mod folder;
pub mod foreign;
pub mod journal;
pub mod keys;
pub mod pbes2;
pub mod request;
mod sqlite;

use folder::FolderError;
use rusqlite::ErrorCode;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a database can't be used, by cause.
#[derive(Debug)]
pub enum StoreError {
    /// The file itself can't be used.
    File(FolderError),
    /// The file is no database, or another program's.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote the file.
    Newer {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// A record is missing, or one stands where none belongs.
    Gap {
        /// The file.
        path: PathBuf,
        /// The number that had to come next.
        expected: u64,
        /// The number that came.
        found: i64,
    },
    /// The file's content is not what this program wrote.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The disk is full.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be written to.
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another program keeps the database locked.
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file system lacks what `SQLite`'s write-ahead log needs.
    NoWal {
        /// The file.
        path: PathBuf,
    },
    /// Any other failure of `SQLite`, a failed sync among them.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What `SQLite` says.
        source: rusqlite::Error,
    },
    /// The database's thread can't be started, or can't wake the main loop.
    Thread {
        /// What the operating system says.
        source: io::Error,
    },
    /// The database's thread ended without saying why.
    Stopped,
}

impl StoreError {
    /// Sorts a failure of `SQLite` by its cause.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        // Where the memory beside the write-ahead log finds no room, SQLite calls it an I/O error.
        if source.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full { path };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: "SQLite finds its structure broken" },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Sqlite { path, source },
        }
    }
}

impl From<FolderError> for StoreError {
    fn from(error: FolderError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Foreign { path } => write!(
                f,
                "{} belongs to another program: move it away, or choose another folder with --data-dir",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{} has format {found} and this program knows only up to {known}: install a newer version of the program",
                path.display()
            ),
            Self::Gap { path, expected, found } => write!(
                f,
                "{} is damaged (record {found} stands where record {expected} belongs): restore it from a backup",
                path.display()
            ),
            Self::Damaged { path, what } => {
                write!(f, "{} is damaged ({what}): restore it from a backup", path.display())
            }
            Self::Full { path } => {
                write!(f, "the disk that holds {} is full: free some space, then start again", path.display())
            }
            Self::ReadOnly { path } => write!(
                f,
                "{} can't be written to: make the file and its disk writable, then start again",
                path.display()
            ),
            Self::Busy { path } => {
                write!(f, "another program keeps {} locked: end that program, then start again", path.display())
            }
            Self::NoWal { path } => write!(
                f,
                "the file system of {} lacks the shared memory that SQLite needs: choose a folder on a local disk with --data-dir",
                path.display()
            ),
            Self::Sqlite { path, source } => {
                write!(f, "{} can't be used ({source}): check the disk, then start again", path.display())
            }
            Self::Thread { source } => write!(
                f,
                "the journal's thread can't do its work ({source}): raise the limits on processes and open files, then start again"
            ),
            Self::Stopped => write!(
                f,
                "the journal's thread ended unexpectedly: start again, and report what was printed before this"
            ),
        }
    }
}

impl std::error::Error for StoreError {}
