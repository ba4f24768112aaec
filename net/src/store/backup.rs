//! Decides what a backup file is: a stream of items in sealed pieces, of which nothing can be cut off, swapped or added unseen.
//!
//! ```text
//! "countersign backup\n" | format: u8 | kind: u8 | if sealed: salt: 16 bytes, memory, passes, lanes: u32 each
//! piece*  = length: u32 (its highest bit marks the last piece) | bytes | tag: 16 bytes
//! bytes   = item*, cut into pieces of 64 KiB: length: u32 | postcard(Item)
//! ```
//!
//! A sealed file is encrypted with AES-256-GCM under a key that Argon2id makes of the passphrase and the file's own salt; the
//! nonce counts the pieces and says which is the last, and the header is sealed with each. One that is not sealed has in the
//! tag's place the beginning of a SHA-256 over the same: it tells of a bad disk, not of a bad person.
//!
//! All whole numbers have their most significant byte first. Whatever a file claims, no more than one item is held.

mod pieces;

pub use pieces::{BackupReader, BackupWriter, Sealing};

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use zeroize::ZeroizeOnDrop;

/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u8 = 1;
/// The longest item: the longest record of a journal, or file of a realm.
pub const ITEM_BYTES_MAX: usize = 128 * 1024;

/// What is in a backup, in this order: one head, files, records, one end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// What it is of.
    Head(Head),
    /// A file of the data folder.
    File {
        /// Its name there.
        name: String,
        /// What is in it.
        bytes: FileBytes,
    },
    /// The next record of the journal.
    Record(ByteBuf),
    /// The end.
    End {
        /// How many records there were.
        records: u64,
    },
}

/// What is in a file, which may be a key: wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ZeroizeOnDrop)]
pub struct FileBytes(#[serde(with = "serde_bytes")] Vec<u8>);

impl FileBytes {
    /// A copy of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl std::ops::Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The realm's name.
    pub realm: String,
    /// The life of the journal.
    pub incarnation: u64,
    /// When it was made, in seconds of the civil clock.
    pub at: u64,
    /// Whether the CA's keys are in it.
    pub has_keys: bool,
}

impl fmt::Debug for Item {
    /// Without what is in files: some are keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => head.fmt(f),
            Self::File { name, bytes } => write!(f, "File({name}, {} bytes)", bytes.len()),
            Self::Record(bytes) => write!(f, "Record({} bytes)", bytes.len()),
            Self::End { records } => write!(f, "End({records} records)"),
        }
    }
}

/// Why a backup can't be read or written.
#[derive(Debug)]
pub enum BackupError {
    /// The disk, or whatever the file is on.
    Io(io::Error),
    /// It is no backup of this program.
    Foreign,
    /// A later version of this program wrote it.
    Newer(u8),
    /// It ends before its end: it was cut off.
    CutOff,
    /// Something in it is not what was written, or the passphrase is wrong.
    Sealed,
    /// Something in it is not what was written.
    Damaged,
    /// It is encrypted, and no passphrase was given.
    NeedsPassphrase,
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io(error) => return write!(f, "{error}"),
            Self::Newer(format) => {
                return write!(
                    f,
                    "it was written by a newer version of this program (format {format}): install that one"
                );
            }
            Self::Foreign => "it is no backup of a server: name the file that server backup has written",
            Self::CutOff => "it is cut off: take another copy of it, or another backup",
            Self::Sealed => "the passphrase is wrong, or the file is damaged",
            Self::Damaged => "it is damaged: take another copy of it, or another backup",
            Self::NeedsPassphrase => "it is encrypted, and needs its passphrase",
        })
    }
}

impl std::error::Error for BackupError {}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::CutOff } else { Self::Io(error) }
    }
}

#[cfg(test)]
mod tests;
