//! Decides where a run keeps its files: a fresh folder that goes with the run, however that ends.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use countersign_core::id::MessageId;

use crate::entropy::OsEntropy;
use crate::exit::Failure;

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    /// Makes one in `parent`, or where this machine keeps what is temporary.
    pub(super) fn make(parent: Option<&Path>) -> Result<Self, Failure> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        // Short, since the admin socket in it has to have a short path.
        let name = MessageId::draw(&mut OsEntropy).to_string();
        let path = parent.join(format!("countersign-load-{}", name.get(..12).unwrap_or_default()));
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Failure::failed(format_args!("{} can't be made ({error}): name another folder with --dir", path.display()))
        })?;
        Ok(Self(path))
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What can't be removed is the system's to clear away, and there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
