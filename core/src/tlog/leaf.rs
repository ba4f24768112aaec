//! What the log says: one leaf for each act of the certificate authority, in one encoding.
//!
//! ```text
//! format: u8 | postcard(Leaf)
//! ```
//!
//! Bytes that were hashed once keep their meaning: variants and fields are added at the end under a new format, never
//! changed (`golden/leaves-v1.hex`). What does not encode to the same bytes again is no leaf, so that one act has one
//! hash and a proof is about one act.
//!
//! A leaf holds what a monitor needs to judge the act by the log alone: by what right a certificate was given, with the
//! signature that gave it and the key that made the signature.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::hash::Hash;
use super::name::NoteName;
use super::tree::Head;
use crate::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Serial, UserName};
use crate::limits::LEAF_BYTES_MAX;
use crate::pki::Spki;
use crate::time::Wall;

/// The encoding that this program writes.
pub const FORMAT: u8 = 1;

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaf {
    /// The root certified an issuing CA.
    IssuingCa {
        /// The certificate.
        certificate: Fingerprint,
        /// Its key.
        key: KeyId,
        /// The last second of its validity.
        not_after: Wall,
        /// When.
        at: Wall,
    },
    /// The relay was certified.
    RelayCertificate {
        /// The certificate.
        certificate: Fingerprint,
        /// Its number.
        serial: Serial,
        /// Its key.
        key: KeyId,
        /// The last second of its validity.
        not_after: Wall,
        /// When.
        at: Wall,
    },
    /// A device was certified.
    DeviceCertificate(Certified),
    /// A device's certificate was revoked.
    Revocation {
        /// Whose.
        name: DeviceName,
        /// Its number.
        serial: Serial,
        /// Why.
        reason: ReasonCode,
        /// When.
        at: Wall,
    },
    /// From now on another issuing CA certifies. Its own leaf comes before.
    Rotation {
        /// The one that certified until now.
        from: Fingerprint,
        /// The one that does from now on.
        to: Fingerprint,
        /// When.
        at: Wall,
    },
    /// A user's recovery key, which can endorse a device when all others are gone.
    RecoveryKey {
        /// Whose.
        user: UserName,
        /// The key.
        key: Spki,
        /// One of the user's devices vouches for it: otherwise whoever keeps the log could make one.
        endorsement: Endorsement,
        /// When.
        at: Wall,
    },
    /// This log goes on from an older one: the server was restored from a backup. What stands before it, the older one has
    /// at the same places.
    Generation {
        /// The older log.
        previous: NoteName,
        /// What of it the backup still had: all that stands before this leaf.
        head: Head,
        /// When.
        at: Wall,
    },
    /// A user takes back a device of theirs. The revocations of its certificates come after it.
    Withdrawal {
        /// Which device.
        name: DeviceName,
        /// Why.
        reason: ReasonCode,
        /// One of the user's devices says so: otherwise it would be the operator's doing.
        endorsement: Endorsement,
        /// When.
        at: Wall,
    },
}

/// A device's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certified {
    /// Whose.
    pub name: DeviceName,
    /// Its number.
    pub serial: Serial,
    /// Its key.
    pub key: KeyId,
    /// The certificate.
    pub certificate: Fingerprint,
    /// The last second of its validity.
    pub not_after: Wall,
    /// By what right.
    pub basis: Basis,
    /// When.
    pub at: Wall,
}

impl Certified {
    /// Whether this is the certificate that somebody has shown: its DER tells all others apart, and what a reader takes
    /// from it must be what the log says of it.
    pub fn is(&self, name: &DeviceName, key: KeyId, serial: Serial, certificate: Fingerprint) -> bool {
        self.name == *name && self.key == key && self.serial == serial && self.certificate == certificate
    }
}

/// By what right a device was certified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// It is the first of a new user, who was invited or signed up.
    FirstDevice,
    /// Another device of the user vouches for it.
    Endorsed(Endorsement),
    /// The user's recovery key vouches for it.
    Recovered(RecoveryWord),
    /// The same name and key had a certificate before.
    Renewed,
    /// The operator certified the first device of a new user, whose key was made elsewhere.
    MadeElsewhere,
    /// The operator certified it for a user who was there already, and nobody vouches for it: a new identity.
    Reissue,
}

/// A device's word for a key of its own user, or against a device of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// The device that gives it.
    pub by: DeviceLabel,
    /// Its key, so that the signature can be checked; that it is this device's, its own leaf says.
    pub key: Spki,
    /// Its signature.
    pub signature: ByteArray<64>,
}

/// A recovery key's word for a device of its own user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryWord {
    /// The recovery key; a leaf of its own says whose it is.
    pub key: Spki,
    /// Its signature.
    pub signature: ByteArray<64>,
}

/// Why a certificate was revoked, by its number in RFC 5280 §5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct ReasonCode(u8);

impl ReasonCode {
    /// The reason with this number, if there is one: 0 to 10, without 7.
    pub fn new(code: u8) -> Option<Self> {
        (code <= 10 && code != 7).then_some(Self(code))
    }

    /// The number.
    pub fn code(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for ReasonCode {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        Self::new(code).ok_or("there is no reason with this number")
    }
}

impl From<ReasonCode> for u8 {
    fn from(reason: ReasonCode) -> Self {
        reason.0
    }
}

/// Why bytes are no leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeafRefusal {
    /// Longer than a leaf can be.
    TooLong,
    /// Written in a format that this program does not know: by a newer one.
    Format(u8),
    /// It can't be read.
    Malformed,
    /// It can be read, but the act that it says is written in other bytes.
    NotCanonical,
}

impl fmt::Display for LeafRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the log's entry is longer than {LEAF_BYTES_MAX} bytes"),
            Self::Format(format) => {
                write!(f, "the format {format} of the log's entry is newer than this program: update it")
            }
            Self::Malformed => f.write_str("the log's entry can't be read"),
            Self::NotCanonical => f.write_str("the log's entry is not written as it must be"),
        }
    }
}

impl std::error::Error for LeafRefusal {}

impl Leaf {
    /// The leaf as it is hashed, stored and sent.
    ///
    /// # Panics
    /// If it is longer than [`LEAF_BYTES_MAX`], which the bounds of its parts rule out.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = postcard::to_extend(self, vec![FORMAT]).expect("a leaf can always be encoded");
        assert!(bytes.len() <= LEAF_BYTES_MAX, "a leaf of {} bytes was to be logged", bytes.len());
        bytes
    }

    /// Reads a leaf.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafRefusal> {
        if bytes.len() > LEAF_BYTES_MAX {
            return Err(LeafRefusal::TooLong);
        }
        let (&format, body) = bytes.split_first().ok_or(LeafRefusal::Malformed)?;
        if format != FORMAT {
            return Err(LeafRefusal::Format(format));
        }
        let leaf: Self = match postcard::take_from_bytes(body) {
            Ok((leaf, [])) => leaf,
            Ok(_) | Err(_) => return Err(LeafRefusal::Malformed),
        };
        if leaf.encode() == bytes { Ok(leaf) } else { Err(LeafRefusal::NotCanonical) }
    }

    /// The hash under which it stands in the tree.
    pub fn leaf_hash(&self) -> Hash {
        Hash::leaf(&self.encode())
    }

    /// Whose name it concerns, if it is about a person: what a monitor of this name has to look at.
    pub fn about(&self) -> Option<&UserName> {
        match self {
            Self::DeviceCertificate(certified) => Some(&certified.name.user),
            Self::Revocation { name, .. } | Self::Withdrawal { name, .. } => Some(&name.user),
            Self::RecoveryKey { user, .. } => Some(user),
            Self::IssuingCa { .. }
            | Self::RelayCertificate { .. }
            | Self::Rotation { .. }
            | Self::Generation { .. } => None,
        }
    }

    /// The certificate that it is about, if it is a device's.
    pub fn certified(&self) -> Option<&Certified> {
        match self {
            Self::DeviceCertificate(certified) => Some(certified),
            Self::IssuingCa { .. }
            | Self::RelayCertificate { .. }
            | Self::Revocation { .. }
            | Self::Rotation { .. }
            | Self::RecoveryKey { .. }
            | Self::Generation { .. }
            | Self::Withdrawal { .. } => None,
        }
    }

    /// When it happened, by the server's clock.
    pub fn at(&self) -> Wall {
        match self {
            Self::DeviceCertificate(certified) => certified.at,
            Self::IssuingCa { at, .. }
            | Self::RelayCertificate { at, .. }
            | Self::Revocation { at, .. }
            | Self::Rotation { at, .. }
            | Self::RecoveryKey { at, .. }
            | Self::Generation { at, .. }
            | Self::Withdrawal { at, .. } => *at,
        }
    }
}

#[cfg(test)]
mod tests;
