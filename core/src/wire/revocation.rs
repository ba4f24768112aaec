//! The revocation lists as they go out (design 4, protocol §3.4): all of a realm at once, each with the CA that signed it.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Extension;
use crate::fault::Fault;
use crate::limits::{CERTIFICATE_BYTES_MAX, LIST_BYTES_MAX, LISTS_MAX};

/// The extension that holds [`SignedLists`].
pub const LISTS: u16 = 4;

/// One revocation list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedList {
    /// The issuing CA in DER.
    pub issuing: ByteBuf,
    /// Its list in DER.
    pub list: ByteBuf,
}

/// The newest list of each issuing CA that holds, the one that signs first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedLists(pub Vec<SignedList>);

impl SignedLists {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        let is_sound = |list: &SignedList| {
            (1..=CERTIFICATE_BYTES_MAX).contains(&list.issuing.len()) && (1..=LIST_BYTES_MAX).contains(&list.list.len())
        };
        let sound = (1..=LISTS_MAX).contains(&self.0.len()) && self.0.iter().all(is_sound);
        if sound { Ok(()) } else { Err(Fault::Malformed) }
    }

    /// As an extension.
    ///
    /// # Panics
    /// Never: lists can always be encoded.
    pub fn extension(&self) -> Extension {
        let body = postcard::to_stdvec(self).expect("an extension can always be encoded");
        Extension { kind: LISTS, body: ByteBuf::from(body) }
    }
}
