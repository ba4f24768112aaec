//! Decides which sockets are heard in a turn, and that what is said to one goes out as far as it has room.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

use countersign_core::id::ConnId;
use mio::Registry;
use mio::event::Event;
use mio::net::TcpStream;

use super::place::Place;
use crate::socket::{Socket, Turn};

const READ_BYTES: usize = 16 * 1024;

/// The connections through the port, by the numbers that the machine knows them by.
#[derive(Debug)]
pub(super) struct Conns {
    by_id: BTreeMap<ConnId, Conn>,
    /// How many there have been: a number is never used twice.
    accepted: u64,
    /// Those that have something to read.
    readable: BTreeSet<ConnId>,
    /// Those that were full and have room again.
    roomy: BTreeSet<ConnId>,
    /// Those that the machine has let go of. They are closed at the end of the turn, when its notes have been logged.
    dropped: Vec<ConnId>,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Conn {
    socket: Socket,
    from: SocketAddr,
    /// Whether it is not to be read.
    paused: bool,
}

impl Default for Conns {
    fn default() -> Self {
        Self {
            by_id: BTreeMap::new(),
            accepted: 0,
            readable: BTreeSet::new(),
            roomy: BTreeSet::new(),
            dropped: Vec::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
        }
    }
}

impl Conns {
    /// Takes in a newcomer, and gives it its number.
    pub(super) fn open(&mut self, stream: TcpStream, from: SocketAddr, registry: &Registry) -> io::Result<ConnId> {
        self.accepted += 1;
        let id = ConnId(self.accepted);
        let socket = Socket::accepted(stream, registry, Place::Conn(id).token())?;
        self.by_id.insert(id, Conn { socket, from, paused: false });
        Ok(id)
    }

    /// Remembers what an event says.
    pub(super) fn event(&mut self, id: ConnId, event: &Event) {
        let Some(conn) = self.by_id.get_mut(&id) else { return };
        let was_full = conn.socket.is_full();
        conn.socket.event(event);
        if conn.socket.is_readable() {
            self.readable.insert(id);
        }
        if was_full && !conn.socket.is_full() {
            self.roomy.insert(id);
        }
    }

    /// Whether there is something to read that no event will tell of again.
    pub(super) fn has_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Reads a turn's share of each that has something, and returns those that have ended.
    pub(super) fn read(&mut self, mut take: impl FnMut(ConnId, &[u8])) -> Vec<ConnId> {
        let mut ended = Vec::new();
        for id in std::mem::take(&mut self.readable) {
            let Some(conn) = self.by_id.get_mut(&id) else { continue };
            if conn.paused && !conn.socket.is_broken() {
                // The socket remembers that there is something.
                continue;
            }
            match conn.socket.read(&mut self.buffer, |bytes| take(id, bytes)) {
                Turn::Wait => {}
                Turn::Again => drop(self.readable.insert(id)),
                Turn::Ended => ended.push(id),
            }
        }
        ended
    }

    /// Reads no more from one, until further notice.
    pub(super) fn pause(&mut self, id: ConnId) {
        if let Some(conn) = self.by_id.get_mut(&id) {
            conn.paused = true;
        }
    }

    /// Reads from one again, beginning with what came meanwhile.
    pub(super) fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.by_id.get_mut(&id) {
            conn.paused = false;
            if conn.socket.is_readable() {
                self.readable.insert(id);
            }
        }
    }

    /// Those that have room again since this was last asked.
    pub(super) fn take_roomy(&mut self) -> BTreeSet<ConnId> {
        std::mem::take(&mut self.roomy)
    }

    /// Writes as much as the socket takes, and says how much that was.
    pub(super) fn write(&mut self, id: ConnId, bytes: &[u8], registry: &Registry) -> usize {
        let Some(conn) = self.by_id.get_mut(&id) else { return 0 };
        let taken = conn.socket.write(bytes, registry);
        if conn.socket.is_readable() {
            // A write that failed: the end is found by reading.
            self.readable.insert(id);
        }
        taken
    }

    /// Ends our direction.
    pub(super) fn shut(&mut self, id: ConnId) {
        if let Some(conn) = self.by_id.get_mut(&id) {
            conn.socket.shut();
        }
    }

    /// Lets go of one; it is closed by [`Conns::close_dropped`].
    pub(super) fn drop_later(&mut self, id: ConnId) {
        self.dropped.push(id);
    }

    /// Closes those that were let go of.
    pub(super) fn close_dropped(&mut self, registry: &Registry) {
        for id in std::mem::take(&mut self.dropped) {
            if let Some(conn) = self.by_id.remove(&id) {
                conn.socket.close(registry);
            }
        }
    }

    /// Where one comes from.
    pub(super) fn from(&self, id: ConnId) -> Option<SocketAddr> {
        self.by_id.get(&id).map(|conn| conn.from)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// How many there have been.
    #[cfg(test)]
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }
}
