//! Signed notes (C2SP `signed-note`): a text, a blank line, and who signed it.
//!
//! ```text
//! text, one or more lines
//!
//! — name base64(key id: 4 bytes | signature)
//! ```
//!
//! Parsing is strict and bounded, and says nothing about who signed: [`NoteKey`] checks that. What is parsed has one text,
//! so it is written again byte by byte.

mod key;

use std::fmt;

use base64ct::{Base64, Encoding};

use super::name::NoteName;
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

pub use key::{NoteKey, SignatureKind, SignatureRefusal};

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";
/// The key id in front of each signature.
const ID_BYTES: usize = 4;

/// Why a text is no note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteRefusal {
    /// More than [`NOTE_BYTES_MAX`] bytes.
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// A carriage return: some program has changed its line ends.
    CarriageReturn,
    /// Another control character than the line feed.
    ControlCharacter,
    /// It has no blank line between its text and its signatures.
    NoBlankLine,
    /// There is nothing in front of the blank line.
    NoText,
    /// There is nothing behind the blank line.
    NoSignature,
    /// More than [`NOTE_SIGNATURES_MAX`] signatures.
    TooManySignatures,
    /// The last line has no end: it was cut.
    Cut,
    /// A line behind the blank line that is no signature.
    NotASignature,
    /// A signature under a name that is none.
    Name,
    /// A signature that is not standard base64, or not in its one form.
    Base64,
    /// A signature that is too short to be one.
    Short,
    /// Two signatures of one key.
    SignedTwice,
}

impl fmt::Display for NoteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => return write!(f, "the signed note is longer than {NOTE_BYTES_MAX} bytes"),
            Self::NotUtf8 => "the signed note is no UTF-8 text",
            Self::CarriageReturn => "the signed note has carriage returns: its line ends must be what they were",
            Self::ControlCharacter => "the signed note has a control character in it",
            Self::NoBlankLine => "the signed note has no blank line in front of its signatures",
            Self::NoText => "the signed note has no text",
            Self::NoSignature => "the signed note has no signature",
            Self::TooManySignatures => {
                return write!(f, "the signed note has more than {NOTE_SIGNATURES_MAX} signatures");
            }
            Self::Cut => "the signed note was cut: its last line has no end",
            Self::NotASignature => "the signed note has a line among its signatures that is none",
            Self::Name => "the signed note has a signature without a proper name",
            Self::Base64 => "the signed note has a signature that is not in base64",
            Self::Short => "the signed note has a signature that is too short",
            Self::SignedTwice => "the signed note has two signatures of one key",
        })
    }
}

impl std::error::Error for NoteRefusal {}

/// One signature line, checked by nobody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: NoteName,
    id: [u8; ID_BYTES],
    bytes: Vec<u8>,
}

impl Signature {
    pub(super) fn new(name: NoteName, id: [u8; ID_BYTES], bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// Whose it says to be.
    pub fn name(&self) -> &NoteName {
        &self.name
    }

    fn parse(line: &str) -> Result<Self, NoteRefusal> {
        let (name, base64) =
            line.strip_prefix(DASH).and_then(|line| line.split_once(' ')).ok_or(NoteRefusal::NotASignature)?;
        let name = NoteName::parse(name).ok_or(NoteRefusal::Name)?;
        let bytes = Base64::decode_vec(base64).map_err(|_| NoteRefusal::Base64)?;
        match bytes.split_first_chunk() {
            None | Some((_, [])) => Err(NoteRefusal::Short),
            Some((id, rest)) => Ok(Self { name, id: *id, bytes: rest.to_vec() }),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.bytes].concat();
        writeln!(f, "{DASH}{} {}", self.name, Base64::encode_string(&bytes))
    }
}

/// A note: a text, and signatures that nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A text that we have signed ourselves.
    pub(super) fn signed(text: String, signature: Signature) -> Self {
        Self { text, signatures: vec![signature] }
    }

    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteRefusal> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteRefusal::TooLong);
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteRefusal::NotUtf8)?;
        if let Some(control) = note.bytes().find(|byte| *byte < b' ' && *byte != b'\n') {
            return Err(if control == b'\r' { NoteRefusal::CarriageReturn } else { NoteRefusal::ControlCharacter });
        }
        // The last blank line is the one: there may be others in the text, and there is none among signatures.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteRefusal::NoBlankLine)?;
        if text.is_empty() {
            return Err(NoteRefusal::NoText);
        }
        if lines.is_empty() {
            return Err(NoteRefusal::NoSignature);
        }
        let mut read = Self { text: format!("{text}\n"), signatures: Vec::new() };
        for line in lines.strip_suffix('\n').ok_or(NoteRefusal::Cut)?.split('\n') {
            read.add(Signature::parse(line)?)?;
        }
        Ok(read)
    }

    /// Adds a signature to those that are there.
    pub fn add(&mut self, signature: Signature) -> Result<(), NoteRefusal> {
        if self.signatures.len() == NOTE_SIGNATURES_MAX {
            return Err(NoteRefusal::TooManySignatures);
        }
        if self.signatures.iter().any(|other| (&other.name, other.id) == (&signature.name, signature.id)) {
            return Err(NoteRefusal::SignedTwice);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// What is signed, line ends included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    /// The note as it is stored and sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}

#[cfg(test)]
mod tests;
