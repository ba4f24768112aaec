//! The transparency log as the fold keeps it: the tree of its leaves, and what each leaf says.

use serde::{Deserialize, Serialize};

use crate::id::Serial;
use crate::tlog::{Leaf, Tree};

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) tree: Tree,
    acts: Vec<Act>,
    /// Where a restoration stands, the oldest first.
    generations: Vec<u64>,
}

/// What a leaf is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Act {
    /// The certificate with this number: the rest stands with its grant.
    Device(Serial),
    /// Anything that is kept nowhere else.
    Other(Box<Leaf>),
}

impl Book {
    /// Writes down that a device was certified.
    pub(super) fn device(&mut self, serial: Serial, leaf: &Leaf) {
        self.acts.push(Act::Device(serial));
        self.tree.push(leaf.leaf_hash());
    }

    /// Writes down anything else.
    pub(super) fn other(&mut self, leaf: Leaf) {
        self.tree.push(leaf.leaf_hash());
        self.acts.push(Act::Other(Box::new(leaf)));
    }

    /// Writes down that the log goes on under another name.
    pub(super) fn generation(&mut self, leaf: Leaf) {
        self.generations.push(self.tree.size());
        self.other(leaf);
    }

    /// Where a restoration stands, the newest first.
    pub(super) fn generations(&self) -> impl Iterator<Item = u64> + '_ {
        self.generations.iter().rev().copied()
    }

    /// What the leaf at `index` is about.
    pub(super) fn act(&self, index: u64) -> Option<&Act> {
        self.acts.get(usize::try_from(index).ok()?)
    }
}
