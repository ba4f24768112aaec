//! What a bad shell sends besides what its machine wants: a saboteur's doing, and nothing of it in any other run.

use countersign_core::id::ConnId;

use super::World;
use crate::node::device::Socket;
use crate::story::{Program, Seen, Side, is_direct};

impl World {
    /// A device's shell sends something of its own to the relay.
    pub(super) fn slip(&mut self, device: usize, bytes: &[u8]) {
        let sockets = self.devices.get(device).map(|node| node.sockets.values().copied().collect::<Vec<_>>());
        for socket in sockets.unwrap_or_default() {
            if let Socket::Wired(conn, side) = socket
                && !is_direct(conn)
            {
                self.slip_on(conn, side, bytes);
            }
        }
    }

    /// A device's shell is connected to the relay.
    pub(super) fn greet(&mut self, program: Program, conn: ConnId) {
        let store = self.devices.get(program.device).map(|node| &node.store);
        if let Some(bytes) = store.and_then(|store| self.saboteur.greets(store)) {
            self.slip_on(conn, Side::Dialler, &bytes);
        }
    }

    fn slip_on(&mut self, conn: ConnId, by: Side, bytes: &[u8]) {
        let Some(wire) = self.wires.get_mut(&conn).filter(|wire| wire.has(by)) else { return };
        let arrivals = wire.write(by, bytes, self.now_us);
        for (at_us, event) in arrivals {
            self.at(at_us, event);
        }
        self.see(&Seen::Written { conn, by, taken: bytes.len(), waiting: bytes.len(), bytes });
    }
}
