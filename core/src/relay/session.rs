//! An admitted connection: the only kind that the relay hears.
//!
//! ```text
//! Proven<DeviceName> (TLS) --directory has this name with this key, the log this certificate--> Admitted --certificate expires--> closed
//!                                                                                               ^   |
//!                                                                                               +---+ renewed
//! ```

use crate::id::{ConnId, DeviceName, Serial};
use crate::journal::State;
use crate::time::Wall;
use crate::tlog::Leaf;
use crate::tls::Proven;
use crate::wire::Code;

/// A proven device on a connection, known to the directory. Made by [`Admitted::admit`] alone, and of no use once its
/// certificate has expired ([`Admitted::holds_at`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    conn: ConnId,
    device: Proven<DeviceName>,
    /// The certificate whose time is the proof's: the one that was shown, or a later one for the same name and key.
    serial: Serial,
    not_after: Wall,
}

impl Admitted {
    /// Admits a proven device that the directory has with this very key, if the log has this very certificate (V-12) and
    /// it was not revoked.
    ///
    /// A certificate alone is not enough: after a restore from an older backup there may be certificates that this
    /// server never issued, and whoever has stolen the CA's key makes what the log knows nothing of.
    pub fn admit(conn: ConnId, device: Proven<DeviceName>, state: &State) -> Result<Self, Code> {
        let is_known = state.device(device.who()).is_some_and(|known| known.key == device.key());
        if !is_known {
            return Err(Code::UNKNOWN_DEVICE);
        }
        if state.revoked(device.who()).is_some() {
            return Err(Code::REVOKED);
        }
        let leaf = state.logged(device.serial()).map(|(_, leaf)| leaf);
        let is_logged = leaf
            .as_ref()
            .and_then(Leaf::certified)
            .is_some_and(|certified| certified.is(device.who(), device.key(), device.serial(), device.certificate()));
        let (serial, not_after) = (device.serial(), device.not_after());
        if is_logged { Ok(Self { conn, device, serial, not_after }) } else { Err(Code::NOT_LOGGED) }
    }

    /// The proof holds from now on as long as this certificate, if the journal has it for the very name and key that the
    /// handshake proved: there was nothing else to prove, and whoever speaks here has the key still.
    #[must_use]
    pub fn renewed(&mut self, serial: Serial, state: &State) -> bool {
        let renewed = state.progress(serial).filter(|progress| {
            let grant = &progress.grant;
            progress.issued.is_some() && grant.name == *self.device() && grant.key.id() == self.device.key()
        });
        if let Some(progress) = renewed {
            (self.serial, self.not_after) = (serial, progress.grant.not_after);
        }
        renewed.is_some()
    }

    /// The connection.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// The device.
    pub fn device(&self) -> &DeviceName {
        self.device.who()
    }

    /// The number of the certificate that was proved, or of the one that has renewed it.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The last second of the proof.
    pub fn not_after(&self) -> Wall {
        self.not_after
    }

    /// Whether the proof still holds.
    pub fn holds_at(&self, now: Wall) -> bool {
        now <= self.not_after
    }
}
