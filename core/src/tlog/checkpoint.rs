//! What the log signs: its name, its size and its root, as a note (C2SP `tlog-checkpoint`), and who is believed about it.
//!
//! ```text
//! relay.chat.internal/log/00000000499602d2        origin
//! 20852163                                        size
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    root
//!
//! — relay.chat.internal/log/00000000499602d2 Az3grlgtzPICa5OS8npVmf1Myq/5IZni...
//! ```
//!
//! There are no extension lines: what nobody can audit is not signed. The log signs under its own name, and a checkpoint of
//! one log is never one of another. A [`Checkpoint`] is what was read, a [`VerifiedCheckpoint`] what the log has signed.

use std::fmt;

use super::hash::Hash;
use super::name::NoteName;
use super::note::{Note, NoteKey, NoteRefusal, SignatureKind, SignatureRefusal};
use super::tree::Head;
use crate::limits::LOG_ENTRIES_MAX;
use crate::pki::{SecretKey, Spki};

/// Why a text is no checkpoint, or not the log's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointRefusal {
    /// It is no signed note.
    Note(NoteRefusal),
    /// It has less than three lines.
    Short,
    /// It has more than three lines.
    Extended,
    /// Its first line names no log.
    Origin,
    /// Its second line is no number.
    Size,
    /// Its size begins with a zero.
    LeadingZero,
    /// Its size is larger than a log can be.
    TooLarge,
    /// Its third line is no hash.
    Root,
    /// It says that the log is empty, and gives the root of one that is not.
    EmptyRoot,
    /// It is a checkpoint of another log.
    OtherLog {
        /// Which.
        theirs: NoteName,
        /// The one that was expected.
        ours: NoteName,
    },
    /// The log's key has not signed it.
    Signature(SignatureRefusal),
    /// A cosignature that can't be one: not as long as it is, or made at a time that is none.
    Cosignature,
}

impl fmt::Display for CheckpointRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note(refusal) => return write!(f, "{refusal}"),
            Self::Signature(refusal) => return write!(f, "{refusal}"),
            Self::Short => "the log's checkpoint lacks its name, size or root",
            Self::Extended => "the log's checkpoint has more lines than name, size and root",
            Self::Origin => "the log's checkpoint names no log",
            Self::Size => "the size in the log's checkpoint is no number",
            Self::LeadingZero => "the size in the log's checkpoint begins with a zero",
            Self::TooLarge => "the size in the log's checkpoint is larger than any log's",
            Self::Root => "the root in the log's checkpoint is no hash",
            Self::EmptyRoot => "the log's checkpoint says that the log is empty, and its root says that it is not",
            Self::OtherLog { theirs, ours } => {
                return write!(f, "the checkpoint is of the log {theirs}, not of {ours}");
            }
            Self::Cosignature => "the log's checkpoint has a cosignature that can't be one",
        })
    }
}

impl std::error::Error for CheckpointRefusal {}

impl From<NoteRefusal> for CheckpointRefusal {
    fn from(refusal: NoteRefusal) -> Self {
        Self::Note(refusal)
    }
}

impl From<SignatureRefusal> for CheckpointRefusal {
    fn from(refusal: SignatureRefusal) -> Self {
        Self::Signature(refusal)
    }
}

/// A checkpoint as it came. Nobody has checked a signature yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: NoteName,
    head: Head,
    note: Note,
}

impl Checkpoint {
    /// Reads a checkpoint, with whatever signatures it has.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointRefusal> {
        let note = Note::parse(bytes)?;
        let mut lines = note.text().split_terminator('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointRefusal::Short);
        };
        let origin = NoteName::parse(origin).ok_or(CheckpointRefusal::Origin)?;
        let head = Head { size: parse_size(size)?, root: Hash::from_base64(root).ok_or(CheckpointRefusal::Root)? };
        // Blank lines at the end are lines, too.
        if body(&origin, &head) != note.text() {
            return Err(CheckpointRefusal::Extended);
        }
        if head.size == 0 && head.root != Hash::of_nothing() {
            return Err(CheckpointRefusal::EmptyRoot);
        }
        Ok(Self { origin, head, note })
    }

    /// The log that it says to be of.
    pub fn origin(&self) -> &NoteName {
        &self.origin
    }

    /// What it says that the log is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Text and signatures.
    pub fn note(&self) -> &Note {
        &self.note
    }
}

/// A log's public key: what it signs is the log's word.
///
/// Who is believed to be the log is not decided here: the root certifies the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey(NoteKey);

impl LogKey {
    /// The key of the log with this name; `None` if it is not Ed25519.
    pub fn new(origin: NoteName, key: &Spki) -> Option<Self> {
        NoteKey::new(origin, SignatureKind::Text, key).map(Self)
    }

    /// Reads C2SP's verifier key, as [`Display`](fmt::Display) writes it; `None` if it is none of a log.
    pub fn parse(text: &str) -> Option<Self> {
        NoteKey::parse(text).filter(|key| key.kind() == SignatureKind::Text).map(Self)
    }

    /// The log's name.
    pub fn origin(&self) -> &NoteName {
        self.0.name()
    }

    /// The key itself.
    pub fn spki(&self) -> &Spki {
        self.0.spki()
    }

    /// Checks that the log has signed this checkpoint.
    pub fn verify(&self, checkpoint: &Checkpoint) -> Result<VerifiedCheckpoint, CheckpointRefusal> {
        if checkpoint.origin != *self.origin() {
            let (theirs, ours) = (checkpoint.origin.clone(), self.origin().clone());
            return Err(CheckpointRefusal::OtherLog { theirs, ours });
        }
        let signature = self.0.find(&checkpoint.note)?;
        self.0.check(checkpoint.note.text().as_bytes(), signature)?;
        let signature = signature.try_into().map_err(|_| SignatureRefusal::Forged)?;
        Ok(VerifiedCheckpoint { key: self.clone(), head: checkpoint.head, signature })
    }

    /// Reads a checkpoint and checks that the log has signed it.
    pub fn open(&self, bytes: &[u8]) -> Result<VerifiedCheckpoint, CheckpointRefusal> {
        self.verify(&Checkpoint::parse(bytes)?)
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A checkpoint that the log with this key has signed. Its fields are private, and only a check of the signature, or the
/// log itself, makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    key: LogKey,
    head: Head,
    signature: [u8; 64],
}

impl VerifiedCheckpoint {
    /// The log.
    pub fn origin(&self) -> &NoteName {
        self.key.origin()
    }

    /// The key that has signed it.
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// What the log is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        body(self.origin(), &self.head)
    }

    /// Whether these bytes are this very checkpoint, signature included: then they need not be checked again.
    pub fn is(&self, note: &[u8]) -> bool {
        self.to_string().as_bytes() == note
    }

    /// The note with the log's signature alone.
    pub fn note(&self) -> Note {
        Note::signed(self.text(), self.key.0.line(self.signature.to_vec()))
    }
}

impl fmt::Display for VerifiedCheckpoint {
    /// The note, as it is stored and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note().fmt(f)
    }
}

/// The one who signs for a log. The key inside is wiped when dropped, and never shown.
#[derive(Clone, Debug)]
pub struct LogSigner {
    secret: SecretKey,
    key: LogKey,
}

impl LogSigner {
    /// Signs for the log with this name.
    ///
    /// # Panics
    /// Never: each secret key that is made here is Ed25519.
    pub fn new(origin: NoteName, secret: SecretKey) -> Self {
        let key = LogKey::new(origin, &secret.spki()).expect("a secret key made here is Ed25519");
        Self { secret, key }
    }

    /// The public half.
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// Signs what [`Tree::head`](super::Tree::head) says. The caller has made sure that whatever the log signed before is
    /// the beginning of it, and that it is durable.
    pub fn sign(&self, head: Head) -> VerifiedCheckpoint {
        let signature = self.secret.sign(body(self.key.origin(), &head).as_bytes());
        VerifiedCheckpoint { key: self.key.clone(), head, signature }
    }
}

fn body(origin: &NoteName, head: &Head) -> String {
    format!("{origin}\n{}\n{}\n", head.size, head.root)
}

fn parse_size(text: &str) -> Result<u64, CheckpointRefusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CheckpointRefusal::Size);
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(CheckpointRefusal::LeadingZero);
    }
    // Only digits: what does not parse is too large.
    text.parse().ok().filter(|size| *size <= LOG_ENTRIES_MAX).ok_or(CheckpointRefusal::TooLarge)
}

#[cfg(test)]
mod tests;
