//! The right edge of a tree: all that is needed to append leaves and to compute the root, one hash for each one-bit of the
//! size.
//!
//! ```text
//! size 7 = 4 + 2 + 1        h0123   h45   6        kept: the full nodes that no other full node covers, from the left
//! ```
//!
//! So whoever reads a log on and on keeps less than two kilobytes, however long it is. Reading need not begin at the first
//! leaf: the nodes to the left of a leaf's path are the edge of the tree before it, so that a proof of that leaf is a place
//! to begin at which nobody has to be believed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::proof::{InclusionProof, ProofRefusal};
use super::tree::Head;
use crate::limits::LOG_ENTRIES_MAX;

/// The right edge of a tree.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Frontier {
    size: u64,
    /// From the left, which is from the largest on.
    nodes: Vec<Hash>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Parts {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// The edge of the tree that ends before this leaf, if the proof shows the leaf in the tree with this head.
    pub fn before(leaf: Hash, proof: &InclusionProof, head: &Head) -> Result<Self, ProofRefusal> {
        proof.check(leaf, head)?;
        let size = proof.index();
        if size > LOG_ENTRIES_MAX {
            return Err(ProofRefusal::OutOfRange { index: size, size: head.size });
        }
        let mut nodes = proof.left_siblings()?;
        nodes.reverse();
        Ok(Self { size, nodes })
    }

    /// Appends a leaf. A log that is as long as one can be stays as it is.
    pub fn push(&mut self, leaf: Hash) {
        if self.size >= LOG_ENTRIES_MAX {
            return;
        }
        let full = self.size.trailing_ones();
        let node = (0..full).fold(leaf, |node, _| match self.nodes.pop() {
            Some(left) => Hash::node(&left, &node),
            None => node,
        });
        self.nodes.push(node);
        self.size += 1;
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        let mut nodes = self.nodes.iter().rev();
        let root = match nodes.next() {
            Some(last) => nodes.fold(*last, |right, left| Hash::node(left, &right)),
            None => Hash::of_nothing(),
        };
        Head { size: self.size, root }
    }
}

impl TryFrom<Parts> for Frontier {
    type Error = &'static str;

    fn try_from(parts: Parts) -> Result<Self, Self::Error> {
        let Parts { size, nodes } = parts;
        let fits = size <= LOG_ENTRIES_MAX && u32::try_from(nodes.len()) == Ok(size.count_ones());
        if fits { Ok(Self { size, nodes }) } else { Err("these are not the nodes of a tree of this size") }
    }
}

impl From<Frontier> for Parts {
    fn from(frontier: Frontier) -> Self {
        Self { size: frontier.size, nodes: frontier.nodes }
    }
}

impl fmt::Debug for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frontier({} leaves, root {})", self.size, self.head().root)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::tlog::Tree;

    /// More than a hundred levels of small trees, and the edges of the powers of two among them.
    const SIZES: u64 = 200;

    fn leaf(index: u64) -> Hash {
        Hash::leaf(&index.to_be_bytes())
    }

    #[test]
    fn at_every_size_the_edge_has_the_roots_of_the_tree_and_a_hash_for_each_one_bit() {
        let (mut tree, mut frontier) = (Tree::default(), Frontier::default());
        for index in 0..SIZES {
            assert_eq!(frontier.head(), tree.head());
            assert_eq!(u32::try_from(frontier.nodes.len()).unwrap(), index.count_ones());
            tree.push(leaf(index));
            frontier.push(leaf(index));
        }
        assert_eq!(frontier.head(), tree.head());
    }

    #[test]
    fn a_proof_of_any_leaf_in_any_tree_is_the_edge_before_it() {
        let tree: Tree = (0..SIZES).map(leaf).collect();
        let mut edges = vec![Frontier::default()];
        for index in 0..SIZES {
            let mut next = edges.last().unwrap().clone();
            next.push(leaf(index));
            edges.push(next);
        }
        for size in 1..=SIZES {
            let head = tree.head_at(size).unwrap();
            for (index, edge) in (0..size).zip(&edges) {
                let proof = tree.inclusion(index, size).unwrap();
                assert_eq!(Frontier::before(leaf(index), &proof, &head).as_ref(), Ok(edge), "{index} of {size}");
            }
        }
    }

    #[test]
    fn a_proof_that_proves_nothing_is_no_place_to_begin() {
        let tree: Tree = (0..9).map(leaf).collect();
        let (proof, head) = (tree.inclusion(5, 9).unwrap(), tree.head());
        assert_eq!(Frontier::before(leaf(4), &proof, &head), Err(ProofRefusal::Root));
        let older = tree.head_at(8).unwrap();
        let refused = Err(ProofRefusal::OtherSize { proof: 9, wanted: 8 });
        assert_eq!(Frontier::before(leaf(5), &proof, &older), refused);
    }

    #[test]
    fn it_is_written_and_read_and_what_can_be_no_edge_is_refused() {
        let mut frontier = Frontier::default();
        (0..6).for_each(|index| frontier.push(leaf(index)));
        let bytes = postcard::to_stdvec(&frontier).unwrap();
        assert_eq!(postcard::from_bytes::<Frontier>(&bytes), Ok(frontier.clone()));
        let wrong =
            |size, nodes| postcard::from_bytes::<Frontier>(&postcard::to_stdvec(&Parts { size, nodes }).unwrap());
        assert!(wrong(7, frontier.nodes.clone()).is_err(), "a node too few");
        assert!(wrong(4, frontier.nodes.clone()).is_err(), "a node too many");
        assert!(wrong(LOG_ENTRIES_MAX, vec![leaf(0)]).is_ok());
        assert!(wrong(LOG_ENTRIES_MAX + 1, vec![leaf(0), leaf(1)]).is_err(), "longer than a log can be");
    }

    #[test]
    fn the_longest_log_takes_no_more_leaves() {
        let mut frontier = Frontier { size: LOG_ENTRIES_MAX, nodes: vec![leaf(0)] };
        let before = frontier.clone();
        frontier.push(leaf(1));
        assert_eq!(frontier, before);
    }
}
