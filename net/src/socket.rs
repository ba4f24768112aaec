//! Decides how much a socket is read and written in one turn: what came by an event is remembered until it is used up.
//!
//! The operating system tells of a change once (mio's events are edges), while a machine may take less than there is.
//! So a [`Socket`] remembers that it can be read or written until the system says "not now", and reads at most
//! [`TURN_BYTES_MAX`] in a turn: one that never stops talking does not starve the others, and [`Turn::Again`] tells the
//! loop to come back without waiting for an event, since none would come. A read that leaves room in the buffer has emptied the
//! socket, and is the last of its turn.
//!
//! Writing is tried first and waited for only when the socket is full: the interest in [`Interest::WRITABLE`] changes
//! when a socket fills up and when it has emptied, never with each write.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use countersign_core::limits::READ_TURN_BYTES_MAX;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// The most that is read from one socket in one turn of the loop.
pub const TURN_BYTES_MAX: usize = READ_TURN_BYTES_MAX;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What is left of a socket's readiness after a turn of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a socket that is to be read again, or has ended, is not announced by another event"]
pub enum Turn {
    /// Nothing is there now: an event will tell of more.
    Wait,
    /// The turn's share is used up and there may be more: read again in the next turn, without waiting for an event.
    Again,
    /// The other side has ended its direction, or the connection broke. Nothing more will come.
    Ended,
}

/// How far a connection that we asked for has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    /// Not decided yet: an event will tell.
    Wait,
    /// It is there.
    Connected,
}

/// A TCP connection that never blocks.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    token: Token,
    /// What the system tells us of.
    interest: Interest,
    /// Whether bytes (or the end) may be there to read.
    readable: bool,
    /// Whether the system has told of the end, which is to be read after what came before it.
    ending: bool,
    room: Room,
}

/// Whether a socket takes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// As far as is known: the next write finds out.
    Some,
    /// The last write found none, or the connection isn't there yet. An event tells when that changes.
    None,
    /// Never again: a write failed. What came in before is still to be read.
    Broken,
}

impl Socket {
    /// Takes a connection that a listener accepted; its events come under `token`.
    pub fn accepted(stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = Self::new(stream, token, Interest::READABLE, Room::Some);
        socket.register(registry)?;
        // A line of chat is small and must not wait for the acknowledgement of the one before it.
        socket.stream.set_nodelay(true)?;
        Ok(socket)
    }

    /// Begins to connect to `address`; [`Socket::connecting`] says what has come of it.
    pub fn connect(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = Self::new(TcpStream::connect(address)?, token, BOTH, Room::None);
        socket.register(registry)?;
        Ok(socket)
    }

    fn new(stream: TcpStream, token: Token, interest: Interest, room: Room) -> Self {
        Self { stream, token, interest, readable: false, ending: false, room }
    }

    fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.stream, self.token, self.interest)
    }

    /// What has come of [`Socket::connect`]; ask after each event until it is connected. An error is final.
    pub fn connecting(&mut self) -> io::Result<Connecting> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.stream.set_nodelay(true)?;
                Ok(Connecting::Connected)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(Connecting::Wait),
            Err(error) => Err(error),
        }
    }

    /// Remembers what an event of this socket's token says.
    pub fn event(&mut self, event: &Event) {
        self.ending |= event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || self.ending;
        let decided = event.is_writable() || event.is_write_closed() || event.is_error();
        if decided && self.room == Room::None {
            self.room = Room::Some;
        }
    }

    /// Whether reading may give something, so that a turn is worth it.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether the last write left something over and there has been no word of room since.
    pub fn is_full(&self) -> bool {
        self.room == Room::None
    }

    /// Whether a write has failed, so that all that is left is to read to the end.
    pub fn is_broken(&self) -> bool {
        self.room == Room::Broken
    }

    /// Reads one turn's share through `buffer` and hands each piece to `take`.
    ///
    /// # Panics
    /// If `buffer` is empty, which would read as the end.
    pub fn read(&mut self, buffer: &mut [u8], take: impl FnMut(&[u8])) -> Turn {
        assert!(!buffer.is_empty(), "a socket was to be read into nothing");
        self.read_share(TURN_BYTES_MAX, buffer, take)
    }

    fn read_share(&mut self, bytes_max: usize, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> Turn {
        let mut left = bytes_max;
        while self.readable {
            let share = buffer.len().min(left);
            if share == 0 {
                return Turn::Again;
            }
            let Some(room) = buffer.get_mut(..share) else { return Turn::Again };
            match self.stream.read(room) {
                Ok(0) => {
                    self.readable = false;
                    return Turn::Ended;
                }
                Ok(n) => {
                    left -= n;
                    take(room.get(..n).unwrap_or_default());
                    // A stream that gives less than there was room for has no more (epoll(7)), and whatever comes from here on,
                    // its end too, is another edge: a second call would only be told so.
                    if n < share && !self.ending {
                        self.readable = false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.readable = false;
                    return Turn::Ended;
                }
            }
        }
        if self.room == Room::Broken { Turn::Ended } else { Turn::Wait }
    }

    /// Writes as much of `bytes` as the socket takes now, and says how much that is. With less than all of it, an event
    /// will tell of room: then write the rest.
    ///
    /// A connection that broke takes nothing, and is readable from then on, so that its end is found by reading.
    pub fn write(&mut self, bytes: &[u8], registry: &Registry) -> usize {
        let mut taken = 0;
        while self.room == Room::Some {
            let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) else { break };
            match self.stream.write(rest) {
                Ok(0) => self.give_up(),
                Ok(n) => taken += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.room = Room::None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.give_up(),
            }
        }
        let interest = if self.is_full() { BOTH } else { Interest::READABLE };
        if interest != self.interest {
            self.change_interest(interest, registry);
        }
        taken
    }

    /// Ends our direction: the other side reads the end after what was written. Reading goes on.
    pub fn shut(&mut self) {
        // The only failure is a connection that is gone, and reading tells that.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Who is at the other end, as far as the system still knows.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Closes the socket and takes it out of the loop.
    pub fn close(mut self, registry: &Registry) {
        // Closing would take it out as well, but not on every system at once.
        let _ = registry.deregister(&mut self.stream);
    }

    fn change_interest(&mut self, interest: Interest, registry: &Registry) {
        match registry.reregister(&mut self.stream, self.token, interest) {
            Ok(()) => self.interest = interest,
            // Nobody would ever tell us of room.
            Err(_) => self.give_up(),
        }
    }

    fn give_up(&mut self) {
        self.room = Room::Broken;
        self.readable = true;
    }
}

#[cfg(test)]
mod tests;
