//! The keys of signed notes: what makes one, how it is written down, and when a note has its signature.

use std::fmt;

use base64ct::{Base64, Encoding};

use super::super::name::NoteName;
use super::{ID_BYTES, Note, Signature};
use crate::id::Fingerprint;
use crate::pki::Spki;

/// What a signature of the key says (C2SP `signed-note`, the signature type byte). It is part of the key's id, so that no
/// signature of one kind is ever tried as one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureKind {
    /// The text as it stands, signed with Ed25519.
    Text,
    /// A checkpoint, seen at a certain time by somebody who has followed its log (C2SP `tlog-cosignature`, Ed25519).
    Cosignature,
}

impl SignatureKind {
    fn byte(self) -> u8 {
        match self {
            Self::Text => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::Text, Self::Cosignature].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Why a note is not taken for signed by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureRefusal {
    /// Nothing under the key's name.
    Missing,
    /// Signed under the key's name, but by another key.
    OtherKey,
    /// The key did not make the signature that stands there as its own.
    Forged,
}

impl fmt::Display for SignatureRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the signed note is not signed by the one who should have signed it",
            Self::OtherKey => "the signed note is signed under the right name by another key",
            Self::Forged => "the signature under the signed note is wrong: the note was altered or forged",
        })
    }
}

impl std::error::Error for SignatureRefusal {}

/// A public key that signs notes, with the name under which it does. Always Ed25519.
///
/// Its text is C2SP's verifier key, `<name>+<id>+<base64 of type and key>`, which other programs read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: NoteName,
    kind: SignatureKind,
    key: Spki,
}

impl NoteKey {
    /// The key under this name; `None` if it is not Ed25519.
    pub fn new(name: NoteName, kind: SignatureKind, key: &Spki) -> Option<Self> {
        key.ed25519_bytes()?;
        Some(Self { name, kind, key: key.clone() })
    }

    /// Reads a verifier key; `None` if it is none, not Ed25519, or of a kind that is not known here.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (_, base64) = rest.split_once('+')?;
        let bytes = Base64::decode_vec(base64).ok()?;
        let (kind, key) = bytes.split_first()?;
        let key = Spki::from_ed25519_bytes(key.try_into().ok()?)?;
        let read = Self { name: NoteName::parse(name)?, kind: SignatureKind::of_byte(*kind)?, key };
        // The id follows from the rest; and whatever is read has one form.
        (read.to_string() == text).then_some(read)
    }

    /// Under which name it signs.
    pub fn name(&self) -> &NoteName {
        &self.name
    }

    /// What its signatures say.
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The key itself.
    pub fn spki(&self) -> &Spki {
        &self.key
    }

    /// What its signatures begin with.
    pub(in crate::tlog) fn id(&self) -> [u8; ID_BYTES] {
        let name = self.name.as_str().as_bytes();
        let hash = Fingerprint::of(&[name, b"\n", self.tagged().as_slice()].concat());
        let [a, b, c, d, ..] = hash.0;
        [a, b, c, d]
    }

    /// A line with a signature of this key.
    pub(in crate::tlog) fn line(&self, bytes: Vec<u8>) -> Signature {
        Signature::new(self.name.clone(), self.id(), bytes)
    }

    /// What stands in a note as this key's signature, checked by nobody yet.
    pub(in crate::tlog) fn find<'a>(&self, note: &'a Note) -> Result<&'a [u8], SignatureRefusal> {
        let id = self.id();
        let mut found = Err(SignatureRefusal::Missing);
        for signature in note.signatures.iter().filter(|signature| signature.name == self.name) {
            if signature.id == id {
                return Ok(&signature.bytes);
            }
            found = Err(SignatureRefusal::OtherKey);
        }
        found
    }

    /// Whether the key has signed `message`.
    pub(in crate::tlog) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureRefusal> {
        if self.key.verifies(message, signature) { Ok(()) } else { Err(SignatureRefusal::Forged) }
    }

    /// Type and key, as ids and verifier keys have them.
    fn tagged(&self) -> Vec<u8> {
        let key = self.key.ed25519_bytes().unwrap_or_default();
        [&[self.kind.byte()][..], &key].concat()
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, Base64::encode_string(&self.tagged()))
    }
}
