//! A snapshot: the state at one place of the journal as bytes, so that a start need not fold what stands before it.
//!
//! ```text
//! format: u8 | rules: u8 | SHA-256 of what follows | postcard(State)
//! ```
//!
//! The hash is [`State::digest`], so a snapshot says the same of itself as a replay says of the state.
//!
//! A snapshot is a copy, and the journal is the truth: one that can't be used is passed over for the one before it, and
//! at last for a replay of everything. So nothing has to be read here that another program wrote. [`FORMAT`] goes up when
//! the state learns to keep more, or keeps it in another form, or the fold makes something else of records than before,
//! and [`RULES`] with each new kind of record; where either differs, older or newer, the journal is
//! folded from its beginning, once, and the next snapshot is this program's. It is one reason why no record is ever
//! dropped; the other is that certificates are found by their position.
//!
//! Bytes of any origin are safe to restore: the hash is checked before anything is decoded, and decoding takes memory in
//! proportion to the bytes that are there, never to what they claim.

use std::fmt;

use super::record::RULES;
use super::state::State;
use crate::id::{Fingerprint, Position};
use crate::limits::SNAPSHOT_BYTES_MAX;

/// The form in which this program keeps a state, and the only one that it reads.
pub const FORMAT: u8 = 7;

/// What stands before the state.
const HEADER_BYTES: usize = 2 + 32;

/// Why a snapshot is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotRefusal {
    /// Longer than a snapshot can be.
    TooLong,
    /// A program wrote it that knows more: its format and rules.
    Newer(u8, u8),
    /// A program wrote it that knew less: its format and rules.
    Older(u8, u8),
    /// It is cut off, or its state can't be read.
    Damaged,
    /// Its state has another hash than the one that stands before it.
    OtherDigest,
    /// It was kept for one place of the journal, and is of another.
    OtherPlace {
        /// The place that it was kept for.
        kept_for: u64,
        /// The place that it is of.
        found: u64,
    },
    /// It is of another life of the journal, from before a backup was restored.
    OtherIncarnation,
    /// The journal ends before it.
    BeyondEnd,
}

impl fmt::Display for SnapshotRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the snapshot is too long"),
            Self::Newer(format, rules) => {
                write!(f, "the snapshot's format {format} or rules {rules} are newer than this program")
            }
            Self::Older(format, rules) => {
                write!(f, "the snapshot's format {format} or rules {rules} are an older program's")
            }
            Self::Damaged => f.write_str("the snapshot is damaged"),
            Self::OtherDigest => f.write_str("the snapshot is damaged: its hash is another than it says"),
            Self::OtherPlace { kept_for, found } => {
                write!(f, "the snapshot was kept for record {kept_for} and is of record {found}")
            }
            Self::OtherIncarnation => f.write_str("the snapshot is of another life of the journal"),
            Self::BeyondEnd => f.write_str("the journal ends before the snapshot"),
        }
    }
}

impl std::error::Error for SnapshotRefusal {}

impl State {
    /// The state as a snapshot; `None` if it has grown beyond [`SNAPSHOT_BYTES_MAX`], where only a replay helps.
    pub fn snapshot(&self) -> Option<Vec<u8>> {
        self.snapshot_within(SNAPSHOT_BYTES_MAX)
    }

    pub(super) fn snapshot_within(&self, bytes_max: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes = postcard::to_extend(self, bytes).expect("a state can always be encoded");
        let digest = Fingerprint::of(bytes.get(HEADER_BYTES..)?);
        let header = [&[FORMAT, RULES], &digest.0[..]].concat();
        bytes.get_mut(..HEADER_BYTES)?.copy_from_slice(&header);
        (bytes.len() <= bytes_max).then_some(bytes)
    }

    /// The state that a snapshot holds, whatever bytes these are.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotRefusal> {
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotRefusal::TooLong);
        }
        let (&[format, rules], rest) = bytes.split_first_chunk().ok_or(SnapshotRefusal::Damaged)?;
        if format > FORMAT || rules > RULES {
            return Err(SnapshotRefusal::Newer(format, rules));
        }
        if (format, rules) != (FORMAT, RULES) {
            return Err(SnapshotRefusal::Older(format, rules));
        }
        let (digest, body) = rest.split_first_chunk().ok_or(SnapshotRefusal::Damaged)?;
        if Fingerprint::of(body) != Fingerprint(*digest) {
            return Err(SnapshotRefusal::OtherDigest);
        }
        match postcard::take_from_bytes(body) {
            Ok((state, [])) => Ok(state),
            Ok(_) | Err(_) => Err(SnapshotRefusal::Damaged),
        }
    }
}

/// The state from which a start goes on: that of the first of these snapshots that can be used, or the empty one.
///
/// `end` is where the journal ends. The snapshots come with the place that each was kept for, the newest first; `pass_over`
/// hears of those that can't be used. What follows the state's position is to be folded with [`State::apply`].
pub fn newest<B: AsRef<[u8]>>(
    end: Position,
    snapshots: impl IntoIterator<Item = (u64, B)>,
    mut pass_over: impl FnMut(u64, SnapshotRefusal),
) -> State {
    for (n, bytes) in snapshots {
        match restore_at(end, n, bytes.as_ref()) {
            Ok(state) => return state,
            Err(refusal) => pass_over(n, refusal),
        }
    }
    State::new(end.incarnation)
}

fn restore_at(end: Position, kept_for: u64, bytes: &[u8]) -> Result<State, SnapshotRefusal> {
    let state = State::restore(bytes)?;
    let Position { incarnation, n: found } = state.position();
    if incarnation != end.incarnation {
        Err(SnapshotRefusal::OtherIncarnation)
    } else if found != kept_for {
        Err(SnapshotRefusal::OtherPlace { kept_for, found })
    } else if found > end.n {
        Err(SnapshotRefusal::BeyondEnd)
    } else {
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
