//! Decides what a person is told about a folder or file that can't be used: the cause, and what to do.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::args::ShellWord;

/// Why a folder or a file in it can't be used, by cause.
#[derive(Debug)]
pub enum FolderError {
    /// No space is left, or none in the user's quota.
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// The file system is mounted for reading only.
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// Something that is no folder stands at this path, or further up in it.
    NotAFolder {
        /// Where a folder was expected.
        path: PathBuf,
    },
    /// Something that is no regular file stands at this path.
    NotAFile {
        /// Where a file was expected.
        path: PathBuf,
    },
    /// A link stands where only a file itself is accepted.
    Link {
        /// Where a file was expected.
        path: PathBuf,
    },
    /// There is nothing at this path.
    Missing {
        /// Where something was expected.
        path: PathBuf,
    },
    /// There is something at this path already, and it is not overwritten.
    Exists {
        /// Where nothing was expected.
        path: PathBuf,
    },
    /// The operating system doesn't let this user.
    NoPermission {
        /// What was to be used.
        path: PathBuf,
    },
    /// Other users of the machine could read or change it.
    LooseMode {
        /// What has the mode.
        path: PathBuf,
        /// The permission bits it has.
        found: u32,
        /// The permission bits that repair it.
        wanted: u32,
    },
    /// A second program is at work on the folder.
    Locked {
        /// The data folder.
        path: PathBuf,
        /// What kind of program, as given to [`Folder::lock`](super::Folder::lock).
        program: &'static str,
    },
    /// The file is longer than anything that belongs there.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What would have been accepted.
        bytes_max: usize,
    },
    /// Any other failure of the operating system.
    Io {
        /// What was to be used.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl FolderError {
    /// Sorts a failure at `path` by its cause.
    pub fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        #[expect(clippy::wildcard_enum_match_arm, reason = "the list is open, and Io keeps the rest")]
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::NotADirectory => Self::NotAFolder { path },
            ErrorKind::IsADirectory => Self::NotAFile { path },
            ErrorKind::NotFound => Self::Missing { path },
            ErrorKind::AlreadyExists => Self::Exists { path },
            ErrorKind::PermissionDenied => Self::NoPermission { path },
            _ => Self::Io { path, source },
        }
    }
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { path } => {
                write!(f, "the disk that holds {} is full: free some space, then try again", path.display())
            }
            Self::ReadOnly { path } => write!(
                f,
                "{} is on a read-only file system: remount it for writing, or choose another folder with --data-dir",
                path.display()
            ),
            Self::NotAFolder { path } => {
                write!(f, "{} is not a folder, or a part of that path is a file: choose another folder", path.display())
            }
            Self::NotAFile { path } => {
                write!(f, "{} is not a regular file: move it away, or name the right file", path.display())
            }
            Self::Link { path } => write!(
                f,
                "{} is a symbolic link, which is not followed to a secret: put the file itself there",
                path.display()
            ),
            Self::Missing { path } => {
                write!(f, "{} does not exist: check the path", path.display())
            }
            Self::Exists { path } => {
                write!(f, "{} exists already and is not overwritten: name a file that is not there yet", path.display())
            }
            Self::NoPermission { path } => write!(
                f,
                "no permission for {}: run as the user who owns it, or choose another folder with --data-dir",
                path.display()
            ),
            Self::LooseMode { path, found, wanted } => write!(
                f,
                "{} has mode {found:04o}, which lets other users in: run chmod {wanted:o} {}",
                path.display(),
                ShellWord(path)
            ),
            Self::Locked { path, program } => write!(
                f,
                "another {program} is running on this data folder ({}): stop it first, or choose another folder with --data-dir",
                path.display()
            ),
            Self::TooLarge { path, bytes_max } => write!(
                f,
                "{} is longer than {bytes_max} bytes, so it is not what belongs there: check that it is the right file",
                path.display()
            ),
            Self::Io { path, source } => {
                write!(f, "{} can't be used ({source}): check the disk, then try again", path.display())
            }
        }
    }
}

impl std::error::Error for FolderError {}
