//! Decides who reaches the operator's desk and how: a Unix socket in the data folder, open to the folder's owner alone.

pub mod ask;
pub mod protocol;
pub mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use countersign_core::id::AdminId;
use countersign_core::limits::{ADMIN_REQUEST_BYTES_MAX, ADMIN_VISITORS_MAX};
use countersign_core::operator::{Answer, Command};
use mio::net::UnixListener;
use mio::{Interest, Registry};

use super::issuing::{self, IssuingFiles};
use super::place::Place;
use crate::exit::Failure;
use crate::store::folder::Folder;
use crate::unix_socket;
use crate::visitor::{Said, Visitor};
use protocol::{Links, Reply, Request};

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
        let listener = unix_socket::listen(&path, "the admin socket")?;
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
            let read = |said| match said {
                Said::Line(line) => Request::read(&line, self.links.lifetime, newest),
                Said::TooLong => Err(format!("a request is at most {ADMIN_REQUEST_BYTES_MAX} bytes long")),
            };
            match visitor.next_line().map(read) {
                Some(Ok(command)) => {
                    self.requests += 1;
                    let id = AdminId(self.requests);
                    visitor.asks(id.0);
                    commands.push((id, command));
                }
                Some(Err(sentence)) => {
                    visitor.reply(&Reply::Wrong { sentence }.to_line());
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
        let asker = self.visitors.iter_mut().find(|(_, visitor)| visitor.asked() == Some(id.0));
        if let Some((number, visitor)) = asker {
            visitor.reply(&Reply::new(answer, &self.links).to_line());
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
                        self.visitors.insert(self.visits, Visitor::new(stream, ADMIN_REQUEST_BYTES_MAX));
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

#[cfg(test)]
mod tests;
