//! Decides how one visitor of the admin socket is heard: a line at a time, each answered before the next is read.

use std::io::{ErrorKind, Read, Write};

use countersign_core::id::AdminId;
use countersign_core::limits::ADMIN_REQUEST_BYTES_MAX;
use mio::net::UnixStream;

use super::protocol::Reply;

/// A program at the other end of the admin socket.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// The request whose answer is awaited.
    pub(super) asked: Option<AdminId>,
    /// Whether it will say no more.
    silent: bool,
    /// Whether it can hear no more.
    gone: bool,
}

impl Visitor {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, inbox: Vec::new(), outbox: Vec::new(), asked: None, silent: false, gone: false }
    }

    pub(super) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// The next request, if a whole line is there and the one before it was answered.
    ///
    /// It is read only now, so what waits stays in the system's buffer, and holds up nobody but its sender.
    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        if self.asked.is_some() || !self.outbox.is_empty() || self.gone {
            return None;
        }
        loop {
            if let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.inbox.drain(..=end).collect();
                line.pop();
                return Some(line);
            }
            if self.silent {
                return None;
            }
            if self.inbox.len() >= ADMIN_REQUEST_BYTES_MAX {
                self.reply(&Reply::Wrong {
                    sentence: format!("a request is at most {ADMIN_REQUEST_BYTES_MAX} bytes long"),
                });
                self.silent = true;
                return None;
            }
            let mut bytes = [0; ADMIN_REQUEST_BYTES_MAX];
            let room = bytes.get_mut(..ADMIN_REQUEST_BYTES_MAX - self.inbox.len())?;
            match self.stream.read(room) {
                Ok(0) => self.silent = true,
                Ok(n) => self.inbox.extend_from_slice(room.get(..n)?),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => self.gone = true,
            }
            if self.gone {
                return None;
            }
        }
    }

    /// Answers, as far as the socket takes it; the rest goes out when it has room.
    pub(super) fn reply(&mut self, reply: &Reply) {
        self.asked = None;
        self.outbox.extend_from_slice(&reply.to_line());
        self.write();
    }

    /// Writes what waits.
    pub(super) fn write(&mut self) {
        while !self.outbox.is_empty() && !self.gone {
            match self.stream.write(&self.outbox) {
                Ok(0) => self.gone = true,
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
        }
    }

    /// Whether nothing is left to be done for it.
    pub(super) fn is_done(&self) -> bool {
        self.gone || (self.silent && self.asked.is_none() && self.outbox.is_empty())
    }
}
