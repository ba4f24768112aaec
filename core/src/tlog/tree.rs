//! The tree that the log's keeper holds: appended to, and asked for roots and proofs at any size that it ever had.
//!
//! ```text
//! level 2        h0123                  kept: every node over a full power of two of leaves
//! level 1     h01      h23     h45      computed: the few on the right edge of the size that is asked for
//! level 0    0    1   2    3   4   5  6
//! ```
//!
//! So a root costs as many hashes as the size has bits, a proof no more than that, and a start from leaf hashes one hash
//! for each leaf. A node that is kept never changes, which is why every older size can still be proved.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::hash::{HASH_BYTES, Hash};
use super::proof::{ConsistencyProof, InclusionProof};

/// What a tree was at one size: with its size, its root says all that is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// An append-only Merkle tree over leaf hashes (RFC 6962 §2.1).
///
/// Equal trees have equal bytes: its form for storage is its leaf hashes, one after the other, and nothing else.
#[derive(Clone, Default)]
pub struct Tree {
    /// The nodes over full powers of two of leaves, by the exponent and from left to right; the leaves are the first.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Appends a leaf, and gives its index.
    pub fn push(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else { break };
            let left = if nodes.len() % 2 == 1 { nodes.last().copied() } else { None };
            nodes.push(node);
            match left {
                Some(left) => node = Hash::node(&left, &node),
                None => break,
            }
        }
        index
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.leaves().len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.leaves().is_empty()
    }

    /// The leaf hashes, for a snapshot: [`Tree::from_iter`] makes the tree of them again.
    pub fn leaves(&self) -> &[Hash] {
        self.levels.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.head().root
    }

    /// Size and root.
    ///
    /// # Panics
    /// Never: a tree has had the size that it has.
    pub fn head(&self) -> Head {
        self.head_at(self.size()).expect("a tree has had the size that it has")
    }

    /// The root that the tree had at `size`; `None` if it never had it.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size == 0 { Some(Hash::of_nothing()) } else { self.node(0, size) }
    }

    /// Size and root as they were at `size`; `None` if the tree never had it.
    pub fn head_at(&self, size: u64) -> Option<Head> {
        Some(Head { size, root: self.root_at(size)? })
    }

    /// The proof that the leaf at `index` is in the tree as it was at `size` (RFC 6962 §2.1.1); `None` if there is no
    /// such leaf or size.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<InclusionProof> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut end, mut hashes) = (0, size, Vec::new());
        while end - start > 1 {
            let middle = split(start, end);
            if index < middle {
                hashes.push(self.node(middle, end)?);
                end = middle;
            } else {
                hashes.push(self.node(start, middle)?);
                start = middle;
            }
        }
        hashes.reverse();
        InclusionProof::new(index, size, hashes).ok()
    }

    /// The proof that the tree as it was at `old` is the beginning of what it was at `new` (RFC 6962 §2.1.2); `None` if
    /// it never had these sizes, in this order, or if `old` is 0, about which there is nothing to prove.
    pub fn consistency(&self, old: u64, new: u64) -> Option<ConsistencyProof> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let (mut start, mut end, mut hashes) = (0, new, Vec::new());
        while end != old {
            let middle = split(start, end);
            if old <= middle {
                hashes.push(self.node(middle, end)?);
                end = middle;
            } else {
                hashes.push(self.node(start, middle)?);
                start = middle;
            }
        }
        // The subtree that both sizes have whole, unless it is the whole old tree, whose root the verifier has.
        if start > 0 {
            hashes.push(self.node(start, end)?);
        }
        hashes.reverse();
        ConsistencyProof::new(old, new, hashes).ok()
    }

    /// The node over the leaves from `start` until before `end`, of which there is at least one. `start` is a multiple
    /// of the power of two that `end - start` fills or reaches into, as it is everywhere in such a tree.
    fn node(&self, start: u64, end: u64) -> Option<Hash> {
        let width = end.checked_sub(start).filter(|width| *width > 0)?;
        if width.is_power_of_two() {
            let level = usize::try_from(width.ilog2()).ok()?;
            let at = usize::try_from(start / width).ok()?;
            return self.levels.get(level)?.get(at).copied();
        }
        let middle = split(start, end);
        Some(Hash::node(&self.node(start, middle)?, &self.node(middle, end)?))
    }
}

/// Where a node over more than one leaf divides: after the largest power of two that leaves something to the right.
fn split(start: u64, end: u64) -> u64 {
    start + (1 << (end - start - 1).ilog2())
}

impl Extend<Hash> for Tree {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}

impl FromIterator<Hash> for Tree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::default();
        tree.extend(leaves);
        tree
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.leaves() == other.leaves()
    }
}

impl Eq for Tree {}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} leaves, root {})", self.size(), self.root())
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.leaves().len() * HASH_BYTES);
        self.leaves().iter().for_each(|leaf| bytes.extend_from_slice(&leaf.0));
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = ByteBuf::deserialize(deserializer)?;
        let (leaves, []) = bytes.as_chunks() else { return Err(D::Error::custom("a leaf hash is cut off")) };
        Ok(leaves.iter().copied().map(Hash).collect())
    }
}

#[cfg(test)]
mod tests;
