//! Decides how a test has a person: the real client with a data folder of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Ended, Program};
use crate::programs;
use crate::server::Server;

/// Somebody with a device called `laptop`, enrolled or not.
#[derive(Debug)]
pub struct Person {
    /// Their user name.
    pub name: String,
    folder: TempDir,
}

impl Person {
    /// Somebody who has not enrolled.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), folder: tempfile::tempdir().expect("a folder can be made") }
    }

    /// Somebody who has.
    pub fn enrolled(server: &Server, name: &str) -> Self {
        let person = Self::new(name);
        let _: Ended = person.join(&server.invite(&[])).done();
        person
    }

    /// The data folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `client` on this person's folder.
    pub fn client(&self, args: &[&str]) -> Command {
        let mut command = Command::new(programs::client());
        command.arg("--data-dir").arg(self.folder()).args(args);
        command
    }

    /// Runs the client to its end, with nothing on its standard input.
    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::run(&mut self.client(args))
    }

    /// Starts the client.
    pub fn start(&self, args: &[&str]) -> Program {
        Program::start(&mut self.client(args))
    }

    /// Joins by a link, under their own name.
    pub fn join(&self, link: &str) -> Ended {
        self.run(&["join", link, "--user", &self.name])
    }
}
