//! An admitted connection: the only kind that the relay hears.
//!
//! ```text
//! Proven<DeviceName> (TLS) --directory has this name with this key--> Admitted --certificate expires--> closed
//! ```

use crate::id::{ConnId, DeviceName};
use crate::journal::State;
use crate::time::Wall;
use crate::tls::Proven;
use crate::wire::Code;

/// A proven device on a connection, known to the directory. Made by [`Admitted::admit`] alone, and of no use once its
/// certificate has expired ([`Admitted::holds_at`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    conn: ConnId,
    device: Proven<DeviceName>,
}

impl Admitted {
    /// Admits a proven device that the directory has with this very key.
    ///
    /// A certificate alone is not enough: after a restore from an older backup there may be certificates that this
    /// server never issued.
    pub fn admit(conn: ConnId, device: Proven<DeviceName>, state: &State) -> Result<Self, Code> {
        match state.device(device.who()) {
            Some(known) if known.key == device.key() => Ok(Self { conn, device }),
            Some(_) | None => Err(Code::UNKNOWN_DEVICE),
        }
    }

    /// The connection.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// The device.
    pub fn device(&self) -> &DeviceName {
        self.device.who()
    }

    /// The last second of the proof.
    pub fn not_after(&self) -> Wall {
        self.device.not_after()
    }

    /// Whether the proof still holds.
    pub fn holds_at(&self, now: Wall) -> bool {
        now <= self.device.not_after()
    }
}
