//! Decides how one visitor of a Unix socket of ours is heard: a line at a time, each answered before the next is read.

use std::io::{ErrorKind, Read, Write};

use mio::net::UnixStream;

/// One read.
const BUFFER_BYTES: usize = 8 * 1024;

/// A program at the other end of a Unix socket.
#[derive(Debug)]
pub struct Visitor {
    stream: UnixStream,
    /// The longest line that it may say, line end included.
    line_bytes_max: usize,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// The request whose answer is awaited.
    asked: Option<u64>,
    /// Whether it will say no more.
    silent: bool,
    /// Whether it can hear no more.
    gone: bool,
}

/// What a visitor said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A line, without its end.
    Line(Vec<u8>),
    /// More than a line may have. It is heard no more.
    TooLong,
}

impl Visitor {
    /// Somebody who has just come.
    pub fn new(stream: UnixStream, line_bytes_max: usize) -> Self {
        let (inbox, outbox) = (Vec::new(), Vec::new());
        Self { stream, line_bytes_max, inbox, outbox, asked: None, silent: false, gone: false }
    }

    /// Its socket.
    pub fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// The request whose answer is awaited.
    pub fn asked(&self) -> Option<u64> {
        self.asked
    }

    /// What it said has become this request: the next is read after its answer.
    pub fn asks(&mut self, request: u64) {
        self.asked = Some(request);
    }

    /// The next line, if a whole one is there and the one before it was answered.
    ///
    /// It is read only now, so what waits stays in the system's buffer, and holds up nobody but its sender.
    pub fn next_line(&mut self) -> Option<Said> {
        if self.asked.is_some() || !self.outbox.is_empty() || self.gone {
            return None;
        }
        loop {
            if let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.inbox.drain(..=end).collect();
                line.pop();
                return Some(Said::Line(line));
            }
            if self.silent {
                return None;
            }
            if self.inbox.len() >= self.line_bytes_max {
                self.silent = true;
                return Some(Said::TooLong);
            }
            let mut bytes = [0; BUFFER_BYTES];
            let room = bytes.get_mut(..BUFFER_BYTES.min(self.line_bytes_max - self.inbox.len()))?;
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
    pub fn reply(&mut self, line: &[u8]) {
        self.asked = None;
        self.say(line);
    }

    /// Says something that is no answer yet.
    pub fn say(&mut self, line: &[u8]) {
        self.outbox.extend_from_slice(line);
        self.write();
    }

    /// Writes what waits.
    pub fn write(&mut self) {
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

    /// It has closed its side, and waits for no answer.
    pub fn leaves(&mut self) {
        self.asked = None;
        self.silent = true;
    }

    /// Whether nothing is left to be done for it.
    pub fn is_done(&self) -> bool {
        self.gone || (self.silent && self.asked.is_none() && self.outbox.is_empty())
    }
}
