//! How often a device does what is a burden to others, within a span of time. A new connection begins no new count.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::DeviceName;
use crate::time::Instant;

/// What each device may do so often.
#[derive(Debug)]
pub(super) struct Rate {
    most: u32,
    span: Duration,
    /// What was counted in spans that are not over: at most one for each device of the directory.
    counts: BTreeMap<DeviceName, u32>,
    /// When each of these spans began, the oldest first.
    begun: VecDeque<(Instant, DeviceName)>,
}

impl Rate {
    /// So often in so long.
    pub(super) fn new(most: u32, span: Duration) -> Self {
        Self { most, span, counts: BTreeMap::new(), begun: VecDeque::new() }
    }

    /// Counts once more, and says whether that is still allowed. A span begins with the first that is counted.
    pub(super) fn allows(&mut self, device: &DeviceName, now: Instant) -> bool {
        while self.begun.front().is_some_and(|(since, _)| now.since(*since) >= self.span) {
            if let Some((_, over)) = self.begun.pop_front() {
                self.counts.remove(&over);
            }
        }
        if !self.counts.contains_key(device) {
            self.begun.push_back((now, device.clone()));
        }
        let count = self.counts.entry(device.clone()).or_insert(0);
        if *count >= self.most {
            return false;
        }
        *count += 1;
        true
    }

    /// How many devices are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        assert_eq!(self.counts.len(), self.begun.len());
        self.counts.len()
    }
}
