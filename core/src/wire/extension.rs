//! Room in messages for what later versions add, as they have added proofs, checkpoints, endorsements and revocation lists.
//!
//! `postcard` bodies do not describe themselves, so what may come later comes as a numbered extension: a reader
//! passes over kinds that it does not know, unless the kind's highest bit says that it must know them (protocol §3.4).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::fault::Fault;
use crate::limits::EXTENSIONS_MAX;

/// A kind with this bit must be understood by the reader.
pub const MUST_UNDERSTAND: u16 = 0x8000;

/// One extension of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Which one: 1, 2 and 5 are of the transparency log ([`super::log`]), 4 of the revocation lists
    /// ([`super::revocation`]), 3, 8 and 9 of enrolments and renewals ([`super::enrol`]).
    pub kind: u16,
    /// Its content, in the form that its kind says.
    pub body: ByteBuf,
}

/// The extensions of one message, in the order of the sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extensions(pub Vec<Extension>);

impl Extensions {
    /// The content of the extension of a kind, if there is one. Two of a kind, or one that can't be read, is a fault.
    pub fn get<T: DeserializeOwned>(&self, kind: u16) -> Result<Option<T>, Fault> {
        let mut of_kind = self.0.iter().filter(|extension| extension.kind == kind);
        match (of_kind.next(), of_kind.next()) {
            (None, _) => Ok(None),
            (Some(only), None) => match postcard::take_from_bytes(&only.body) {
                Ok((content, [])) => Ok(Some(content)),
                Ok(_) | Err(_) => Err(Fault::Malformed),
            },
            (Some(_), Some(_)) => Err(Fault::Malformed),
        }
    }

    /// Checks what every reader must: not too many, and none that must be understood and isn't.
    pub fn check(&self) -> Result<(), Fault> {
        if self.0.len() > EXTENSIONS_MAX {
            return Err(Fault::Malformed);
        }
        // None of those that this version understands insists, so each that does is refused.
        if self.0.iter().any(|extension| extension.kind & MUST_UNDERSTAND != 0) {
            return Err(Fault::UnknownExtension);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: u16) -> Extensions {
        Extensions(vec![Extension { kind, body: ByteBuf::from(vec![1, 2, 3]) }])
    }

    #[test]
    fn an_unknown_extension_is_passed_over_unless_it_insists() {
        assert_eq!(one(0x7abc).check(), Ok(()));
        assert_eq!(one(0xfabc).check(), Err(Fault::UnknownExtension));
        assert_eq!(Extensions(vec![one(1).0.remove(0); EXTENSIONS_MAX + 1]).check(), Err(Fault::Malformed));
    }
}
