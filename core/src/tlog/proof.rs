//! What a proof is, and when it proves something: the arithmetic of inclusion and consistency, with a reason for each no.
//!
//! A proof names the sizes that it was made for, so that one for another checkpoint is told from a wrong one. The checks
//! here know nothing of signatures: a door demands an [`Included`](super::Included), and only a device's
//! [`View`](super::View) gives one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::tree::Head;
use crate::limits::PROOF_HASHES_MAX;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProofRefusal {
    /// More hashes than a proof can need.
    TooLong,
    /// It is about trees of other sizes: the right proof has to be asked for.
    OtherSize {
        /// The (larger) size that it is about.
        proof: u64,
        /// The one that it was held against.
        wanted: u64,
    },
    /// The leaf would lie outside of the tree.
    OutOfRange {
        /// Where.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// It leads from a larger tree to a smaller one.
    Backwards,
    /// It leads from the empty tree, about which nothing can be proved.
    FromNothing,
    /// Too few hashes, or too many, for these sizes.
    Length,
    /// What it computes is not the root of the old tree.
    OldRoot,
    /// What it computes is not the root of the tree.
    Root,
}

impl fmt::Display for ProofRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => {
                write!(f, "the log's proof is longer than any: it has more than {PROOF_HASHES_MAX} hashes")
            }
            Self::OtherSize { proof, wanted } => {
                write!(f, "the log's proof is about {proof} entries, not about {wanted}: ask for the right one")
            }
            Self::OutOfRange { index, size } => {
                write!(f, "the log's proof is about entry {index}, and the log has only {size}")
            }
            Self::Backwards => f.write_str("the log's proof leads from a larger log to a smaller one"),
            Self::FromNothing => {
                f.write_str("the log's proof begins with an empty log, about which it can prove nothing")
            }
            Self::Length => f.write_str("the log's proof does not have as many hashes as it needs"),
            Self::OldRoot => f.write_str("the log's proof does not fit what the log was before"),
            Self::Root => f.write_str("the log's proof does not lead to what the log signed"),
        }
    }
}

impl std::error::Error for ProofRefusal {}

/// The hashes of a proof, from the bottom up; never more than [`PROOF_HASHES_MAX`], from the wire either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Hash>", into = "Vec<Hash>")]
struct Path(Vec<Hash>);

impl TryFrom<Vec<Hash>> for Path {
    type Error = ProofRefusal;

    fn try_from(hashes: Vec<Hash>) -> Result<Self, ProofRefusal> {
        if hashes.len() > PROOF_HASHES_MAX { Err(ProofRefusal::TooLong) } else { Ok(Self(hashes)) }
    }
}

impl From<Path> for Vec<Hash> {
    fn from(path: Path) -> Self {
        path.0
    }
}

/// The proof that a leaf is in a tree (RFC 6962 §2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    index: u64,
    size: u64,
    path: Path,
}

impl InclusionProof {
    /// Puts a proof together that came in parts.
    pub fn new(index: u64, size: u64, hashes: Vec<Hash>) -> Result<Self, ProofRefusal> {
        Ok(Self { index, size, path: hashes.try_into()? })
    }

    /// Which leaf it is about.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The size of the tree that it is about.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its hashes, from the bottom up.
    pub fn hashes(&self) -> &[Hash] {
        &self.path.0
    }

    /// Checks that a leaf with this hash is in the tree with this head. It says nothing about who vouches for the head.
    pub fn check(&self, leaf: Hash, head: &Head) -> Result<(), ProofRefusal> {
        let Self { index, size, .. } = *self;
        if size != head.size {
            return Err(ProofRefusal::OtherSize { proof: size, wanted: head.size });
        }
        let Some(last) = size.checked_sub(1).filter(|last| index <= *last) else {
            return Err(ProofRefusal::OutOfRange { index, size });
        };
        let mut node = leaf;
        climb(index, last, self.hashes().iter(), |sibling| {
            node = match sibling {
                Sibling::Left(left) => Hash::node(left, &node),
                Sibling::Right(right) => Hash::node(&node, right),
            };
        })?;
        if node == head.root { Ok(()) } else { Err(ProofRefusal::Root) }
    }

    /// The nodes to the left of the leaf's path, from the bottom up: together they are all leaves before it. That they
    /// are, [`InclusionProof::check`] says.
    pub(super) fn left_siblings(&self) -> Result<Vec<Hash>, ProofRefusal> {
        let Self { index, size, .. } = *self;
        let last = size.checked_sub(1).ok_or(ProofRefusal::OutOfRange { index, size })?;
        let mut left = Vec::new();
        climb(index, last, self.hashes().iter(), |sibling| match sibling {
            Sibling::Left(hash) => left.push(*hash),
            Sibling::Right(_) => {}
        })?;
        Ok(left)
    }
}

/// The proof that one tree is the beginning of another (RFC 6962 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    old: u64,
    new: u64,
    path: Path,
}

impl ConsistencyProof {
    /// Puts a proof together that came in parts.
    pub fn new(old: u64, new: u64, hashes: Vec<Hash>) -> Result<Self, ProofRefusal> {
        Ok(Self { old, new, path: hashes.try_into()? })
    }

    /// The size of the tree that is the beginning.
    pub fn older(&self) -> u64 {
        self.old
    }

    /// The size of the tree that goes on.
    pub fn newer(&self) -> u64 {
        self.new
    }

    /// Its hashes, from the bottom up.
    pub fn hashes(&self) -> &[Hash] {
        &self.path.0
    }

    /// Checks that the tree with the head `old` is the beginning of the one with the head `new`. It says nothing about
    /// who vouches for the heads.
    pub fn check(&self, old: &Head, new: &Head) -> Result<(), ProofRefusal> {
        for (proof, wanted) in [(self.new, new.size), (self.old, old.size)] {
            if proof != wanted {
                return Err(ProofRefusal::OtherSize { proof, wanted });
            }
        }
        if old.size > new.size {
            return Err(ProofRefusal::Backwards);
        }
        let Some(end) = old.size.checked_sub(1) else {
            return Err(ProofRefusal::FromNothing);
        };
        // The largest full node at the right end of the old tree, which the new one has, too. If it is the old tree itself
        // (or both trees are one), its root is known; otherwise it is the first hash.
        let height = end.checked_ilog2().map_or(0, |bit| bit + 1);
        let shared = if old.size == new.size { height } else { old.size.trailing_zeros() };
        let mut hashes = self.hashes().iter();
        let seed = if shared == height { &old.root } else { hashes.next().ok_or(ProofRefusal::Length)? };
        let (mut before, mut after) = (*seed, *seed);
        climb(up(end, shared), up(new.size - 1, shared), hashes, |sibling| match sibling {
            Sibling::Left(left) => (before, after) = (Hash::node(left, &before), Hash::node(left, &after)),
            // What stands to the right came later.
            Sibling::Right(right) => after = Hash::node(&after, right),
        })?;
        if before != old.root {
            return Err(ProofRefusal::OldRoot);
        }
        if after == new.root { Ok(()) } else { Err(ProofRefusal::Root) }
    }
}

/// The other child of a node's parent.
enum Sibling<'a> {
    Left(&'a Hash),
    Right(&'a Hash),
}

/// Walks from the node `at` up to the root of a tree whose last node on the same level is `last`, and hands each sibling
/// on the way to `each`. A node at the right edge may have none; then it is its own parent. All hashes have to be used.
fn climb<'a>(
    mut at: u64,
    mut last: u64,
    mut hashes: impl Iterator<Item = &'a Hash>,
    mut each: impl FnMut(Sibling<'a>),
) -> Result<(), ProofRefusal> {
    while last > 0 {
        if at % 2 == 1 {
            each(Sibling::Left(hashes.next().ok_or(ProofRefusal::Length)?));
        } else if at < last {
            each(Sibling::Right(hashes.next().ok_or(ProofRefusal::Length)?));
        }
        (at, last) = (at / 2, last / 2);
    }
    if hashes.next().is_none() { Ok(()) } else { Err(ProofRefusal::Length) }
}

/// The node over this one, so many levels up.
fn up(node: u64, levels: u32) -> u64 {
    node.checked_shr(levels).unwrap_or(0)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
