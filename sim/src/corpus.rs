//! The failures of old: configurations that failed once, each of which has to hold now and says which bug it was.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::failure::saved::{Saved, SavedRefusal};
use crate::run::attempt;
use crate::trace::Keep;

/// Where they are.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

/// Why there is no corpus in a folder.
#[derive(Debug)]
pub enum CorpusRefusal {
    /// The folder can't be read.
    Folder(PathBuf, io::Error),
    /// A file is no saved configuration.
    File(SavedRefusal),
    /// A file does not say which bug it was.
    NoBug(PathBuf),
}

impl fmt::Display for CorpusRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path, error) => write!(f, "{} can't be read: {error}", path.display()),
            Self::File(refusal) => write!(f, "{refusal}"),
            Self::NoBug(path) => {
                write!(f, "{} does not say which bug it was: add a line `# bug: ...` to its head", path.display())
            }
        }
    }
}

impl std::error::Error for CorpusRefusal {}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of its file.
    pub name: String,
    /// Which bug it was.
    pub bug: String,
    /// The run.
    pub saved: Saved,
}

impl Entry {
    /// Runs it: what fails, if it fails again.
    pub fn replay(&self) -> Option<Failure> {
        attempt(&self.saved.config, Keep::default()).failure(&self.saved.config)
    }
}

/// All in a folder, in the order of their names: every file that ends in `.txt`.
pub fn read(folder: &Path) -> Result<Vec<Entry>, CorpusRefusal> {
    let unread = |error| CorpusRefusal::Folder(folder.to_owned(), error);
    let files: Result<Vec<PathBuf>, _> =
        fs::read_dir(folder).map_err(unread)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = files.map_err(unread)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.into_iter().map(entry).collect()
}

fn entry(path: PathBuf) -> Result<Entry, CorpusRefusal> {
    let saved = Saved::read(&path).map_err(CorpusRefusal::File)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match saved.bug.clone() {
        Some(bug) => Ok(Entry { name, bug, saved }),
        None => Err(CorpusRefusal::NoBug(path)),
    }
}
