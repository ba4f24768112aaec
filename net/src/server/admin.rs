//! Decides who reaches the operator's desk and how: a Unix socket in the data folder, open to the folder's owner alone.

pub mod ask;
pub mod protocol;
pub mod views;
mod visitor;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_core::id::AdminId;
use countersign_core::limits::ADMIN_VISITORS_MAX;
use countersign_core::operator::{Answer, Command};
use mio::net::UnixListener;
use mio::{Interest, Registry};

use super::issuing::{self, IssuingFiles};
use super::place::Place;
use crate::exit::Failure;
use crate::store::folder::{Folder, FolderError};
use protocol::{Links, Reply, Request};
use visitor::Visitor;

/// The socket's name in the data folder.
pub const SOCKET: &str = "admin.sock";
/// Requests that are taken in one turn of the loop.
const REQUESTS_PER_TURN: usize = 64;

/// The operator's desk: the admin socket and who came to it.
#[derive(Debug)]
pub(super) struct Desk {
    listener: UnixListener,
    path: PathBuf,
    folder: Folder,
    links: Links,
    visitors: BTreeMap<u64, Visitor>,
    /// How many visitors and requests there have been: their numbers are never used again.
    visits: u64,
    requests: u64,
    /// Visitors who may have said something.
    heard: BTreeSet<u64>,
    somebody_waits: bool,
}

impl Desk {
    /// Opens the socket of a folder whose lock the caller holds: whatever socket is there is a dead server's.
    pub(super) fn open(folder: &Folder, links: Links) -> Result<Self, Failure> {
        let path = folder.file(SOCKET);
        let failed = |error| Failure::failed(FolderError::from_io(&path, error));
        check_path(&path)?;
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&path).map_err(failed)?,
            Ok(_) => {
                let path = path.display();
                return Err(Failure::failed(format_args!("{path} is in the way of the admin socket: move it away")));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        // Until here the folder's own mode kept others out.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self {
            listener,
            path,
            folder: folder.clone(),
            links,
            visitors: BTreeMap::new(),
            visits: 0,
            requests: 0,
            heard: BTreeSet::new(),
            somebody_waits: false,
        })
    }

    /// Puts the socket into the loop.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.listener, Place::Desk.token(), Interest::READABLE)
    }

    /// What every link says.
    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// Somebody came.
    pub(super) fn event(&mut self) {
        self.somebody_waits = true;
    }

    /// A visitor said something, or can hear again.
    pub(super) fn visitor_event(&mut self, number: u64) {
        if let Some(visitor) = self.visitors.get_mut(&number) {
            visitor.write();
            self.heard.insert(number);
        }
    }

    /// A number for a request that comes from elsewhere than the socket.
    pub(super) fn next_request(&mut self) -> AdminId {
        self.requests += 1;
        AdminId(self.requests)
    }

    /// Whether there is more to do than a turn took, so that the next must not wait for an event.
    pub(super) fn has_work(&self) -> bool {
        self.somebody_waits || !self.heard.is_empty()
    }

    /// Lets visitors in and takes their requests, as many as a turn takes.
    pub(super) fn requests(&mut self, registry: &Registry) -> Vec<(AdminId, Command)> {
        self.let_in(registry);
        let mut commands = Vec::new();
        let folder = self.folder.clone();
        let newest = || match issuing::read(&folder) {
            Ok(IssuingFiles { issuing, key, .. }) => Ok((issuing, key)),
            Err(error) => Err(error.to_string()),
        };
        for _ in 0..REQUESTS_PER_TURN {
            let Some(number) = self.heard.pop_first() else { break };
            let Some(visitor) = self.visitors.get_mut(&number) else { continue };
            match visitor.next_line().map(|line| Request::read(&line, self.links.lifetime, newest)) {
                Some(Ok(command)) => {
                    self.requests += 1;
                    let id = AdminId(self.requests);
                    visitor.asked = Some(id);
                    commands.push((id, command));
                }
                Some(Err(sentence)) => {
                    visitor.reply(&Reply::Wrong { sentence });
                    self.heard.insert(number);
                }
                None if visitor.is_done() => self.let_out(number, registry),
                None => {}
            }
        }
        commands
    }

    /// Answers a visitor's request. One who has left is not looked for.
    pub(super) fn answer(&mut self, id: AdminId, answer: &Answer) {
        let asker = self.visitors.iter_mut().find(|(_, visitor)| visitor.asked == Some(id));
        if let Some((number, visitor)) = asker {
            visitor.reply(&Reply::new(answer, &self.links));
            // The next request may be there already, and would not be announced again.
            self.heard.insert(*number);
        }
    }

    /// Closes the desk and takes its socket away.
    pub(super) fn close(self) {
        // If it can't be removed, the next server does it.
        let _ = fs::remove_file(&self.path);
    }

    fn let_in(&mut self, registry: &Registry) {
        while self.somebody_waits {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    self.visits += 1;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    if registry.register(&mut stream, Place::Visitor(self.visits).token(), interest).is_ok() {
                        self.visitors.insert(self.visits, Visitor::new(stream));
                        self.heard.insert(self.visits);
                    }
                    if self.visitors.len() > ADMIN_VISITORS_MAX {
                        self.visitors.pop_first();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Without room for another file there is nothing to be done but to wait for the next to come.
                Err(_) => self.somebody_waits = false,
            }
        }
    }

    fn let_out(&mut self, number: u64, registry: &Registry) {
        if let Some(mut visitor) = self.visitors.remove(&number) {
            // Closing takes it out of the loop as well.
            let _ = registry.deregister(visitor.stream());
        }
    }
}

/// Refuses a path that is too long for a Unix socket, in words that say what to do.
pub(super) fn check_path(path: &Path) -> Result<(), Failure> {
    match SocketAddr::from_pathname(path) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::failed(format_args!(
            "the path {} is too long for a Unix socket: choose a shorter folder with --data-dir",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests;
