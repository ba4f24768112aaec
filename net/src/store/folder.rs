//! Decides how the data folder is kept: seen by its owner alone, used by one program at a time, each file written whole or not at all.
//!
//! Permission bits are checked on what is there, never repaired silently: if they were loose, somebody may
//! have read a key, and that is for a person to know.

mod error;

pub use error::FolderError;

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Everything that a group or others could do.
const STRANGERS: u32 = 0o077;

/// A data folder that exists and that only its owner can enter.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Takes the folder at `path`, and makes it, with what is missing above it, if it is not there.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => check_mode(path, &found, FOLDER_MODE)?,
            Ok(_) => {
                return Err(FolderError::NotAFolder { path: path.to_owned() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => create_folder(path)?,
            Err(error) => return Err(FolderError::from_io(path, error)),
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file `name` of this folder is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Keeps other programs off this folder until the returned lock is dropped or the process ends, however it ends.
    ///
    /// `program` is what the refusal calls the other one: `"server"` or `"client"`.
    pub fn lock(&self, program: &'static str) -> Result<FolderLock, FolderError> {
        self.lock_file("lock", program)
    }

    /// The same by another file, for work that goes on beside a program.
    pub fn lock_file(&self, name: &str, program: &'static str) -> Result<FolderLock, FolderError> {
        let path = self.file(name);
        let file = match create_file(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => open_private(&path)?,
            Err(error) => return Err(FolderError::from_io(&path, error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked { path: self.path.clone(), program }),
            Err(TryLockError::Error(error)) => Err(FolderError::from_io(&path, error)),
        }
    }
}

/// Waits until no other program has this lock file, and keeps it until what is returned is dropped or the process ends. For
/// what several programs of one folder write, each for a moment.
pub fn take_turn(path: &Path) -> Result<FolderLock, FolderError> {
    let file = match create_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open_private(path)?,
        Err(error) => return Err(FolderError::from_io(path, error)),
    };
    at(path, file.lock())?;
    Ok(FolderLock { _file: file })
}

/// The right to be the one program on a data folder, held until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it lets a second program onto the folder"]
pub struct FolderLock {
    _file: File,
}

/// Writes `bytes` to `path` durably, with mode 0600: after a crash the file is the old one or the new one, never a part.
///
/// The folder must be there. A link at `path` is replaced, not followed. Two writers of one file at the same
/// time are not supported: one of them may be refused.
///
/// # Panics
///
/// If `path` does not end in a file's name.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let name = path.file_name().expect("a path that ends in a file's name");
    let mut temporary_name = name.to_owned();
    temporary_name.push(".new");
    let temporary = path.with_file_name(temporary_name);
    let written = write_new(&temporary, bytes).and_then(|()| at(path, fs::rename(&temporary, path)));
    if written.is_err() {
        // It may hold half a key, so it goes at once; if even that fails, the next write removes it.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

/// Writes `bytes` to a file at `path` that is not there yet, durably and with mode 0600. What is there is left alone.
///
/// After a crash the file may be a part: for a caller who reads it back before it relies on it.
pub fn write_new_file(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut file = at(path, create_file(path))?;
    let written = at(path, file.write_all(bytes).and_then(|()| file.sync_all()));
    if written.is_err() {
        // It is ours, and of no use to anybody.
        let _ = fs::remove_file(path);
    }
    written?;
    sync_parent(path)
}

/// Removes a file durably.
pub fn remove_file(path: &Path) -> Result<(), FolderError> {
    at(path, fs::remove_file(path))?;
    sync_parent(path)
}

/// Gives a file another name in its folder, durably; what had that name is replaced.
pub fn rename_file(from: &Path, to: &Path) -> Result<(), FolderError> {
    at(to, fs::rename(from, to))?;
    sync_parent(to)
}

/// Reads a file that is no secret, at most `bytes_max` of it: a longer one is refused before it is in memory.
pub fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, FolderError> {
    let mut bytes = Vec::new();
    read_bounded(path, at(path, File::open(path))?, bytes_max, &mut bytes)?;
    Ok(bytes)
}

/// Reads a file that holds a secret: a regular file, not a link, which nobody but its owner can read.
pub fn read_secret_file(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, FolderError> {
    let file = open_private(path)?;
    // One more than is ever read, so that the buffer never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max.saturating_add(1)));
    read_bounded(path, file, bytes_max, &mut bytes)?;
    Ok(bytes)
}

/// Reads a secret that somebody keeps outside of our folders, where its mode is theirs to choose; gives that mode where
/// others can read it. It may be a pipe.
pub fn read_outside_secret(path: &Path, bytes_max: usize) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), FolderError> {
    let file = at(path, File::open(path))?;
    let found = at(path, file.metadata())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max.saturating_add(1)));
    read_bounded(path, file, bytes_max, &mut bytes)?;
    let mode = found.mode() & 0o7777;
    Ok((bytes, (found.is_file() && mode & STRANGERS != 0).then_some(mode)))
}

/// Creates an empty file of mode 0600, which must not exist yet.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Checks what is at `path` without opening it: a regular file, not a link, and the owner's alone.
pub(crate) fn check_private(path: &Path) -> Result<Metadata, FolderError> {
    let found = at(path, fs::symlink_metadata(path))?;
    let path = || path.to_owned();
    if found.is_symlink() {
        return Err(FolderError::Link { path: path() });
    }
    if !found.is_file() {
        return Err(FolderError::NotAFile { path: path() });
    }
    check_mode(&path(), &found, FILE_MODE)?;
    Ok(found)
}

/// Makes the name of a file that was just created or renamed survive a crash.
pub(crate) fn sync_parent(path: &Path) -> Result<(), FolderError> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    at(parent, File::open(parent).and_then(|file| file.sync_all()))
}

fn create_folder(path: &Path) -> Result<(), FolderError> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    let mut builder = DirBuilder::new();
    at(path, builder.recursive(true).mode(FOLDER_MODE).create(path))?;
    missing.into_iter().try_for_each(sync_parent)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(FolderError::from_io(path, error));
        }
        // Removed: a crash had left it.
        Ok(()) | Err(_) => {}
    }
    let mut file = at(path, create_file(path))?;
    at(path, file.write_all(bytes).and_then(|()| file.sync_all()))
}

/// Opens for reading what [`check_private`] has seen, and nothing that took its place since.
fn open_private(path: &Path) -> Result<File, FolderError> {
    let seen = check_private(path)?;
    let file = at(path, File::open(path))?;
    let opened = at(path, file.metadata())?;
    if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
        return Err(FolderError::Link { path: path.to_owned() });
    }
    check_mode(path, &opened, FILE_MODE)?;
    Ok(file)
}

fn read_bounded(path: &Path, file: File, bytes_max: usize, bytes: &mut Vec<u8>) -> Result<(), FolderError> {
    let one_more = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    at(path, file.take(one_more).read_to_end(bytes))?;
    if bytes.len() > bytes_max {
        return Err(FolderError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(())
}

fn check_mode(path: &Path, found: &Metadata, wanted: u32) -> Result<(), FolderError> {
    let mode = found.mode() & 0o7777;
    if mode & STRANGERS == 0 {
        return Ok(());
    }
    Err(FolderError::LooseMode { path: path.to_owned(), found: mode, wanted })
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, FolderError> {
    result.map_err(|error| FolderError::from_io(path, error))
}

#[cfg(test)]
mod tests;
