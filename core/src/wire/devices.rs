//! A person's own devices, as one of them asks about them and has another one join (design 4, protocol §4.13).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::fault::Fault;
use crate::id::{AskId, DeviceLabel, KeyId};
use crate::limits::{DEVICES_PER_USER_MAX, WAITING_PER_USER_MAX};
use crate::pki::Spki;
use crate::pki::comparison::{Commitment, ComparisonNonce};
use crate::time::Wall;
use crate::tlog::{Endorsement, ReasonCode};

/// What a device asks about the devices of its own user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DevicesRequest {
    /// Asks which there are, and which wait to be approved.
    List {
        /// Echoed in the answer.
        ask: AskId,
    },
    /// Begins the comparison with one that waits.
    Compare {
        /// Echoed in the answer.
        ask: AskId,
        /// Which.
        device: DeviceLabel,
        /// Its key, as it was listed.
        key: KeyId,
        /// What this side adds to the code, drawn after the other side has committed itself.
        nonce: ComparisonNonce,
    },
    /// Vouches for one that waits.
    Endorse {
        /// Echoed in the answer.
        ask: AskId,
        /// Which.
        device: DeviceLabel,
        /// The word for it, which holds for its key alone.
        endorsement: Box<Endorsement>,
    },
    /// Sends one away that waits.
    Dismiss {
        /// Echoed in the answer.
        ask: AskId,
        /// Which.
        device: DeviceLabel,
    },
    /// Makes the user's recovery key: from here on it is the one that counts.
    Arm {
        /// Echoed in the answer.
        ask: AskId,
        /// The key.
        key: Spki,
        /// The word for it, which holds for this key alone.
        endorsement: Box<Endorsement>,
    },
    /// Takes a device of the user's back: another one, or the one that asks.
    Withdraw {
        /// Echoed in the answer.
        ask: AskId,
        /// Which.
        device: DeviceLabel,
        /// Why.
        reason: ReasonCode,
        /// Whether nothing may be left to the user.
        force: bool,
        /// The word of the device that asks, which holds for this device and reason alone.
        endorsement: Box<Endorsement>,
    },
    /// Asks how many of those who are present go by the revocation lists of this number.
    Acted {
        /// Echoed in the answer.
        ask: AskId,
        /// The number.
        number: u64,
    },
    /// Asks whether a recovery key of the user's counts.
    Recovery {
        /// Echoed in the answer.
        ask: AskId,
    },
}

/// What the relay says about them. What comes to nothing is a [`super::relay::RelayEvent::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DevicesEvent {
    /// The devices of the asking user.
    List {
        /// As asked.
        ask: AskId,
        /// Those that they have, in order of label.
        own: Vec<OwnDevice>,
        /// Those that wait to be approved.
        waiting: Vec<WaitingDevice>,
    },
    /// What the device that waits has added to the code.
    Compared {
        /// As asked.
        ask: AskId,
        /// It was committed to before.
        nonce: ComparisonNonce,
    },
    /// It was done, and is durable.
    Done {
        /// As asked.
        ask: AskId,
    },
    /// A device has begun to wait.
    Waits {
        /// Which.
        device: DeviceLabel,
    },
    /// The device was taken back, and everybody who is present is told by lists of this number.
    Withdrawn {
        /// As asked.
        ask: AskId,
        /// The number.
        number: u64,
    },
    /// Who goes by the lists that were asked about.
    Acted {
        /// As asked.
        ask: AskId,
        /// So many devices that are present do.
        acted: u32,
        /// And so many do not yet.
        left: u32,
    },
    /// The user's recovery key.
    Recovery {
        /// As asked.
        ask: AskId,
        /// Which device has made the one that counts, and when; nothing if none does.
        armed: Option<(DeviceLabel, Wall)>,
    },
}

/// A device that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnDevice {
    /// Which.
    pub device: DeviceLabel,
    /// Its key.
    pub key: KeyId,
    /// Since when.
    pub since: Wall,
    /// Which device has vouched for it, if one has.
    pub endorsed_by: Option<DeviceLabel>,
    /// Whether it is present.
    pub online: bool,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A device that waits to be approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingDevice {
    /// Which.
    pub device: DeviceLabel,
    /// Its Ed25519 key.
    pub key: ByteArray<32>,
    /// To what it has committed itself.
    pub commitment: Commitment,
    /// Since when.
    pub since: Wall,
}

impl DevicesEvent {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::List { own, waiting, .. } => {
                let fits = own.len() <= DEVICES_PER_USER_MAX && waiting.len() <= WAITING_PER_USER_MAX;
                if fits { Ok(()) } else { Err(Fault::Malformed) }
            }
            Self::Compared { .. }
            | Self::Done { .. }
            | Self::Waits { .. }
            | Self::Withdrawn { .. }
            | Self::Acted { .. }
            | Self::Recovery { .. } => Ok(()),
        }
    }
}
