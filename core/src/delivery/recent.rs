//! What was posted last, as it was encoded for all: whoever is a little behind gets the same frames.

use std::collections::BTreeMap;

use super::events::Shared;
use crate::limits::RECENT_BYTES_MAX;

/// The newest of what was posted, by the position of its record.
#[derive(Debug, Default)]
pub(super) struct Recent {
    posted: BTreeMap<u64, Shared>,
    bytes: usize,
}

impl Recent {
    /// Keeps another one, and forgets the oldest beyond the bound.
    pub(super) fn keep(&mut self, n: u64, shared: Shared) {
        self.bytes += shared.bytes();
        self.posted.insert(n, shared);
        while self.bytes > RECENT_BYTES_MAX {
            let Some((_, oldest)) = self.posted.pop_first() else { return };
            self.bytes -= oldest.bytes();
        }
    }

    /// What has this position.
    pub(super) fn get(&self, n: u64) -> Option<&Shared> {
        self.posted.get(&n)
    }

    /// Nobody needs these any more.
    pub(super) fn forget(&mut self, gone: &[u64]) {
        for shared in gone.iter().filter_map(|n| self.posted.remove(n)) {
            self.bytes -= shared.bytes();
        }
    }

    /// How many bytes they take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        assert_eq!(self.bytes, self.posted.values().map(Shared::bytes).sum::<usize>());
        self.bytes
    }
}
