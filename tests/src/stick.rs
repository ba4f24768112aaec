//! Decides how a test has a place outside of the realm for the root's key: a folder of the operator's, with a passphrase.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::Ended;
use crate::server::Server;

/// What stands in the file `passphrase` of a stick.
pub const PASSPHRASE: &str = "vier Wörter für uns";

/// A folder of the operator's, in which the file `passphrase` is.
#[derive(Debug)]
pub struct Stick(TempDir);

impl Default for Stick {
    fn default() -> Self {
        let stick = Self(tempfile::tempdir().expect("a folder can be made"));
        stick.secret("passphrase", PASSPHRASE);
        stick
    }
}

impl Stick {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The same, as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    /// Writes a file that is its owner's alone.
    pub fn secret(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file can be written");
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).expect("it is ours");
    }

    /// `server ca export-root` to this file.
    pub fn export(&self, server: &Server, name: &str, options: &[&str]) -> Ended {
        let (file, passphrase) = (self.arg(name), self.arg("passphrase"));
        server.run(&[&["ca", "export-root", &file, "--passphrase-file", &passphrase], options].concat())
    }

    /// `server ca rotate` with the root's key in this file and its passphrase in another.
    pub fn rotate(&self, server: &Server, name: &str, passphrase: &str) -> Ended {
        let (file, passphrase) = (self.arg(name), self.arg(passphrase));
        server.run(&["ca", "rotate", "--root-key", &file, "--passphrase-file", &passphrase])
    }
}
