//! The key packages of one device, as the relay keeps them for others: which one is given out next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// A device's key packages, each by the position of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// Those that are given out once, each with its last second.
    once: BTreeMap<u64, Wall>,
    /// The one that is given out when no other is left, again and again.
    last_resort: Option<(u64, Wall)>,
}

/// A key package that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The position of its record.
    pub n: u64,
    /// Whether it is given out again.
    pub last_resort: bool,
}

impl Packages {
    /// How many are left at `now` that are given out once.
    pub fn left(&self, now: Wall) -> usize {
        self.once.values().filter(|not_after| **not_after >= now).count()
    }

    /// The last second of the one of last resort, if it holds at `now`.
    pub fn last_resort(&self, now: Wall) -> Option<Wall> {
        self.last_resort.map(|(_, not_after)| not_after).filter(|not_after| *not_after >= now)
    }

    /// The positions of all of them.
    pub(super) fn bodies(&self) -> impl Iterator<Item = u64> + '_ {
        self.once.keys().copied().chain(self.last_resort.map(|(n, _)| n))
    }

    /// Keeps another one, and says which ones are over or replaced.
    pub(super) fn keep(&mut self, n: u64, last_resort: bool, not_after: Wall, at: Wall) -> Vec<u64> {
        let mut over = self.over(at);
        if last_resort {
            over.extend(self.last_resort.replace((n, not_after)).map(|(before, _)| before));
        } else {
            self.once.insert(n, not_after);
        }
        over
    }

    /// Takes the one that was left first of those that hold at `at`, and says which ones are over.
    pub(super) fn take(&mut self, at: Wall) -> (Option<Taken>, Vec<u64>) {
        let over = self.over(at);
        let once = self.once.pop_first().map(|(n, _)| Taken { n, last_resort: false });
        let again = self.last_resort.filter(|(_, not_after)| *not_after >= at);
        (once.or(again.map(|(n, _)| Taken { n, last_resort: true })), over)
    }

    /// Forgets those that are given out once and hold no longer at `at`.
    fn over(&mut self, at: Wall) -> Vec<u64> {
        let over: Vec<u64> = self.once.iter().filter(|(_, not_after)| **not_after < at).map(|(n, _)| *n).collect();
        for n in &over {
            self.once.remove(n);
        }
        over
    }
}
