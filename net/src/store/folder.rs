//! Decides how the data folder is kept: seen by its owner alone, used by one program at a time, each file written whole or not at all.
//!
//! Permission bits are checked on what is there, never repaired silently: if they were loose, somebody may
//! have read a key, and that is for a person to know.

use std::fmt;
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
        let path = self.file("lock");
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

/// Creates an empty file of mode 0600, which must not exist yet.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Checks what is at `path` without opening it: a regular file, not a link, and the owner's alone.
pub(super) fn check_private(path: &Path) -> Result<Metadata, FolderError> {
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
pub(super) fn sync_parent(path: &Path) -> Result<(), FolderError> {
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
        /// What kind of program, as given to [`Folder::lock`].
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

/// A path as one word of a shell's command line, so that the advised command can be pasted.
struct ShellWord<'a>(&'a Path);

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display().to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
        // A leading hyphen would be taken for an option.
        let lead = if path.starts_with('-') { "./" } else { "" };
        if path.chars().all(plain) {
            write!(f, "{lead}{path}")
        } else {
            write!(f, "'{lead}{}'", path.replace('\'', r"'\''"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_folder_and_its_new_parents_are_the_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b/c");
        Folder::open(&path).unwrap();
        for made in ["a", "a/b", "a/b/c"] {
            assert_eq!(mode(&place.path().join(made)), 0o700, "{made}");
        }
        Folder::open(&path).unwrap();
    }

    #[test]
    fn a_loose_folder_is_refused_with_the_command_that_repairs_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("my data");
        fs::create_dir(&path).unwrap();
        chmod(&path, 0o750);
        let error = Folder::open(&path).unwrap_err().to_string();
        let expected = format!("{0} has mode 0750, which lets other users in: run chmod 700 '{0}'", path.display());
        assert_eq!(error, expected);
        assert_eq!(mode(&path), 0o750, "the mode is not repaired silently");
        chmod(&path, 0o500);
        Folder::open(&path).unwrap();
    }

    #[test]
    fn the_advised_command_survives_odd_names() {
        for (name, word) in
            [("/srv/chat", "/srv/chat"), ("/srv/$HOME", "'/srv/$HOME'"), ("it's", r"'it'\''s'"), ("-rf", "./-rf")]
        {
            assert_eq!(ShellWord(Path::new(name)).to_string(), word);
        }
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = Folder::open(&path).unwrap_err();
            assert!(matches!(error, FolderError::NotAFolder { .. }), "{error}");
        }
    }

    #[test]
    fn a_second_program_is_refused_until_the_first_lets_go() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("data")).unwrap();
        let lock = folder.lock("server").unwrap();
        assert_eq!(mode(&folder.file("lock")), 0o600);
        let error = folder.lock("server").unwrap_err();
        assert!(matches!(error, FolderError::Locked { .. }));
        assert!(error.to_string().starts_with("another server is running on this data folder"));
        drop(lock);
        let _lock = folder.lock("server").unwrap();
    }

    #[test]
    fn a_written_file_is_whole_private_and_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        // What a crash in the middle of an earlier write leaves.
        fs::write(place.path().join("file.new"), "half").unwrap();
        for bytes in [&b"first"[..], b"second, longer", b""] {
            write_file(&path, bytes).unwrap();
            assert_eq!(read_file(&path, 100).unwrap(), bytes);
            assert_eq!(mode(&path), 0o600);
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_link_is_replaced_by_a_write_and_its_target_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let (target, path) = (place.path().join("target"), place.path().join("file"));
        fs::write(&target, "theirs").unwrap();
        symlink(&target, &path).unwrap();
        write_file(&path, b"ours").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"theirs");
        assert_eq!(read_secret_file(&path, 10).unwrap().as_slice(), b"ours");
    }

    #[test]
    fn a_failed_write_keeps_the_old_and_removes_the_half() {
        let place = tempfile::tempdir().unwrap();
        // A folder can't be replaced by a file: the rename fails, after everything was written.
        let path = place.path().join("file");
        fs::create_dir(&path).unwrap();
        assert!(write_file(&path, b"new").is_err());
        assert!(path.is_dir());
        assert!(!place.path().join("file.new").exists());
    }

    #[test]
    fn a_file_over_the_bound_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        write_file(&path, &[7; 10]).unwrap();
        assert_eq!(read_file(&path, 10).unwrap(), [7; 10]);
        assert_eq!(read_secret_file(&path, 10).unwrap().as_slice(), [7; 10]);
        let too_large = |error| matches!(error, FolderError::TooLarge { bytes_max: 9, .. });
        assert!(too_large(read_file(&path, 9).unwrap_err()));
        assert!(too_large(read_secret_file(&path, 9).unwrap_err()));
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused_and_a_tighter_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        write_file(&path, b"secret").unwrap();
        for loose in [0o640, 0o604, 0o620, 0o601] {
            chmod(&path, loose);
            let error = read_secret_file(&path, 100).unwrap_err();
            assert!(matches!(error, FolderError::LooseMode { found, wanted: 0o600, .. } if found == loose));
        }
        chmod(&path, 0o400);
        read_secret_file(&path, 100).unwrap();
    }

    #[test]
    fn a_secret_is_not_read_through_a_link_nor_from_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let (key, link) = (place.path().join("key"), place.path().join("link"));
        write_file(&key, b"secret").unwrap();
        symlink(&key, &link).unwrap();
        let error = read_secret_file(&link, 100).unwrap_err();
        assert!(matches!(error, FolderError::Link { .. }), "{error}");
        let error = read_secret_file(place.path(), 100).unwrap_err();
        assert!(matches!(error, FolderError::NotAFile { .. }), "{error}");
        let error = read_secret_file(&place.path().join("none"), 100).unwrap_err();
        assert!(matches!(error, FolderError::Missing { .. }), "{error}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_as_one() {
        let path = Path::new("/dev/full");
        let mut full = OpenOptions::new().write(true).open(path).unwrap();
        let error = at(path, full.write_all(b"x")).unwrap_err();
        assert!(matches!(error, FolderError::Full { .. }), "{error}");
    }

    /// The tests may run as root, whom permission bits and most mounts don't stop, so the causes come from their kinds.
    #[test]
    fn each_cause_has_its_own_variant_and_a_sentence_that_names_the_path() {
        let path = Path::new("/data");
        let sort = |kind: ErrorKind| FolderError::from_io(path, kind.into());
        assert!(matches!(sort(ErrorKind::ReadOnlyFilesystem), FolderError::ReadOnly { .. }));
        assert!(matches!(sort(ErrorKind::PermissionDenied), FolderError::NoPermission { .. }));
        assert!(matches!(sort(ErrorKind::QuotaExceeded), FolderError::Full { .. }));
        assert!(matches!(sort(ErrorKind::TimedOut), FolderError::Io { .. }));
        for kind in
            [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied, ErrorKind::StorageFull, ErrorKind::TimedOut]
        {
            assert!(sort(kind).to_string().contains("/data"));
        }
    }
}
