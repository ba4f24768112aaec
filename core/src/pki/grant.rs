//! What the journal decides about a certificate before anybody signs it.

use serde::{Deserialize, Serialize};

use super::profile::Validity;
use super::spki::Spki;
use crate::id::{DeviceName, Serial};
use crate::invite::TokenHash;
use crate::time::Wall;

/// A certificate to be: everything in it that isn't the same for every device, and by what right it was asked for.
///
/// As a record it is a proposal; the fold (`journal/fold.rs`) makes it a [`Granted`] or refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The invite that admits.
    pub token: TokenHash,
    /// Whose certificate.
    pub name: DeviceName,
    /// The key, whose possession was proved.
    pub key: Spki,
    /// Its number.
    pub serial: Serial,
    /// The first second of its validity.
    pub not_before: Wall,
    /// The last second of its validity.
    pub not_after: Wall,
    /// When it was asked for, by the server's clock.
    pub at: Wall,
}

impl Grant {
    /// From when until when.
    pub fn validity(&self) -> Validity {
        Validity { not_before: self.not_before, not_after: self.not_after }
    }
}

/// A grant that the journal holds and the fold allowed. Only the fold's state gives one out, so nothing can be signed
/// that wasn't granted and durable first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted(Grant);

impl Granted {
    /// For `journal/state.rs` alone.
    pub(crate) fn by_journal(grant: Grant) -> Self {
        Self(grant)
    }

    /// What was granted.
    pub fn grant(&self) -> &Grant {
        &self.0
    }
}
