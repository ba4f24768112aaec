//! What one device has seen of a log: its newest checkpoint, and the two questions that are asked of it.
//!
//! [`View::advance`]: is another checkpoint of the same history? [`View::believe`]: is this act in that history? The one
//! checkpoint is enough for both, so a view is less than a kilobyte, however large the log.

use std::fmt;

use super::checkpoint::{CheckpointRefusal, LogKey, VerifiedCheckpoint};
use super::leaf::Leaf;
use super::name::NoteName;
use super::proof::{ConsistencyProof, InclusionProof, ProofRefusal};
use super::tree::Head;

/// A log as one device knows it. Its text is its newest checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    newest: VerifiedCheckpoint,
}

/// What another checkpoint turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The one that is known.
    Same,
    /// A newer one, which is now the newest.
    Moved {
        /// The size before.
        from: u64,
    },
    /// An older one, of the same history. A member may show such a one; a server that does has lost what came after.
    Behind,
}

/// Two checkpoints of one size that the same log has signed, with different roots: nobody honest has two. Anybody who has
/// the log's key can check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    one: VerifiedCheckpoint,
    other: VerifiedCheckpoint,
}

impl Split {
    /// The two as evidence; `None` if they don't contradict each other by themselves.
    pub fn of(one: VerifiedCheckpoint, other: VerifiedCheckpoint) -> Option<Self> {
        let is_split = one.key() == other.key() && one.head().size == other.head().size && one.head() != other.head();
        is_split.then_some(Self { one, other })
    }

    /// The first, which for a view is its own.
    pub fn one(&self) -> &VerifiedCheckpoint {
        &self.one
    }

    /// The second.
    pub fn other(&self) -> &VerifiedCheckpoint {
        &self.other
    }
}

/// Why a checkpoint is not taken into a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewRefusal {
    /// It is of another log: of another realm, or of the server's life after a restoration.
    OtherLog {
        /// Which.
        theirs: NoteName,
        /// The one that is followed.
        ours: NoteName,
    },
    /// It is signed under the same name by another key.
    OtherKey,
    /// The log has signed two histories.
    Split(Box<Split>),
    /// A proof was shown, of the right sizes, and it is wrong. An honest log can always prove: so these two checkpoints are
    /// to be kept, and to be shown to others.
    Inconsistent {
        /// Ours.
        ours: Box<VerifiedCheckpoint>,
        /// The other.
        theirs: Box<VerifiedCheckpoint>,
        /// What is wrong with the proof.
        why: ProofRefusal,
    },
    /// It is newer: the log has to prove that it goes on from ours.
    Unproven {
        /// Our size.
        ours: u64,
        /// Its size.
        theirs: u64,
    },
    /// It is older, without a proof that it is of the same history.
    Older {
        /// Our size.
        ours: u64,
        /// Its size.
        theirs: u64,
    },
    /// A proof was shown that is about other sizes.
    Proof(ProofRefusal),
    /// Somebody else was shown another size of the same log, and the server can't show that the two are one history. These
    /// two checkpoints are to be kept, and anybody who has the log's key can ask for the same.
    Diverged {
        /// Ours.
        ours: Box<VerifiedCheckpoint>,
        /// What somebody else was shown.
        theirs: Box<VerifiedCheckpoint>,
    },
}

impl fmt::Display for ViewRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherLog { theirs, ours } => write!(
                f,
                "the server shows the log {theirs}, and this device follows {ours}: ask the operator whether the server was \
                 restored from a backup"
            ),
            Self::OtherKey => f.write_str("the log is signed by another key than before: ask the operator why"),
            Self::Split(split) => write!(
                f,
                "the server has shown two different logs of {} entries: keep the evidence and tell the others",
                split.one.head().size
            ),
            Self::Inconsistent { ours, theirs, why } => write!(
                f,
                "the server can't show that its log of {} entries and its log of {} entries are one, keep the evidence and \
                 tell the others: {why}",
                ours.head().size,
                theirs.head().size
            ),
            Self::Unproven { ours, theirs } => write!(
                f,
                "the log has grown from {ours} to {theirs} entries without a proof that it is the same: ask the server for it"
            ),
            Self::Older { ours, theirs } => write!(
                f,
                "the log that was shown has {theirs} entries, and this device has seen {ours}: the server was restored from \
                 an older backup, or hides what it did"
            ),
            Self::Proof(refusal) => write!(f, "{refusal}"),
            Self::Diverged { ours, theirs } => write!(
                f,
                "the server has shown somebody else a log of {} entries, and can't show that it is the one of {} entries that \
                 this device follows: keep the evidence and tell the others",
                theirs.head().size,
                ours.head().size
            ),
        }
    }
}

impl std::error::Error for ViewRefusal {}

/// An act that is in the log as this device has followed it. Its fields are private, and [`View::believe`] alone makes
/// one: so what demands it can't be reached without the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    leaf: Leaf,
    index: u64,
    under: VerifiedCheckpoint,
}

impl Included {
    /// The act.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// Where it stands in the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint under which it was proved.
    pub fn under(&self) -> &VerifiedCheckpoint {
        &self.under
    }
}

impl View {
    /// Begins to follow a log with the first checkpoint that is seen of it: at enrolment, or when a person has acknowledged
    /// a new generation.
    pub fn begin(first: VerifiedCheckpoint) -> Self {
        Self { newest: first }
    }

    /// Reads what [`Display`](fmt::Display) wrote. The log's signature is checked anew.
    pub fn restore(key: &LogKey, text: &[u8]) -> Result<Self, CheckpointRefusal> {
        key.open(text).map(Self::begin)
    }

    /// The newest checkpoint.
    pub fn newest(&self) -> &VerifiedCheckpoint {
        &self.newest
    }

    /// Holds another checkpoint against ours, and takes it if it is newer and of the same history.
    ///
    /// A proof is needed where the sizes differ, from the smaller one to the larger (unless the smaller is 0: everything
    /// goes on from nothing). Nothing changes where it is refused.
    pub fn advance(
        &mut self,
        other: VerifiedCheckpoint,
        proof: Option<&ConsistencyProof>,
    ) -> Result<Advance, ViewRefusal> {
        if other.origin() != self.newest.origin() {
            let (theirs, ours) = (other.origin().clone(), self.newest.origin().clone());
            return Err(ViewRefusal::OtherLog { theirs, ours });
        }
        if other.key() != self.newest.key() {
            return Err(ViewRefusal::OtherKey);
        }
        let (ours, theirs) = (*self.newest.head(), *other.head());
        if ours == theirs {
            return Ok(Advance::Same);
        }
        if let Some(split) = Split::of(self.newest.clone(), other.clone()) {
            return Err(ViewRefusal::Split(Box::new(split)));
        }
        let grows = ours.size < theirs.size;
        let (older, newer) = if grows { (ours, theirs) } else { (theirs, ours) };
        match proved(&older, &newer, proof) {
            Some(Ok(())) => {}
            Some(Err(refusal @ ProofRefusal::OtherSize { .. })) => return Err(ViewRefusal::Proof(refusal)),
            Some(Err(why)) => {
                let (ours, theirs) = (Box::new(self.newest.clone()), Box::new(other));
                return Err(ViewRefusal::Inconsistent { ours, theirs, why });
            }
            None if grows => return Err(ViewRefusal::Unproven { ours: ours.size, theirs: theirs.size }),
            None => return Err(ViewRefusal::Older { ours: ours.size, theirs: theirs.size }),
        }
        if !grows {
            return Ok(Advance::Behind);
        }
        self.newest = other;
        Ok(Advance::Moved { from: ours.size })
    }

    /// Whether a checkpoint of another log has all that this view has seen, at its places: then nothing is lost by going on
    /// with that one. A server that was restored from a backup has such a log for whoever had seen no more than the backup.
    pub fn is_continued_by(&self, other: &VerifiedCheckpoint, proof: Option<&ConsistencyProof>) -> bool {
        let (ours, theirs) = (self.newest.head(), other.head());
        ours == theirs || (ours.size < theirs.size && proved(ours, theirs, proof) == Some(Ok(())))
    }

    /// Believes that an act is in the log, if the proof shows it under the newest checkpoint.
    pub fn believe(&self, leaf: &Leaf, proof: &InclusionProof) -> Result<Included, ProofRefusal> {
        proof.check(leaf.leaf_hash(), self.newest.head())?;
        Ok(Included { leaf: leaf.clone(), index: proof.index(), under: self.newest.clone() })
    }
}

/// Whether `older` is the beginning of `newer`; `None` if nothing was shown.
fn proved(older: &Head, newer: &Head, proof: Option<&ConsistencyProof>) -> Option<Result<(), ProofRefusal>> {
    if older.size == 0 { Some(Ok(())) } else { Some(proof?.check(older, newer)) }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.newest.fmt(f)
    }
}

#[cfg(test)]
mod tests;
