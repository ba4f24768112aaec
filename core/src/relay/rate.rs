//! How often somebody does what is a burden to others, within a span of time. A new connection begins no new count.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::Instant;

/// What each device, or whoever else is counted, may do so often.
#[derive(Debug)]
pub(crate) struct Rate<Who> {
    most: u32,
    span: Duration,
    /// What was counted in spans that are not over: at most one for each who may do it.
    counts: BTreeMap<Who, u32>,
    /// When each of these spans began, the oldest first.
    begun: VecDeque<(Instant, Who)>,
}

impl<Who: Clone + Ord> Rate<Who> {
    /// So often in so long.
    pub(crate) fn new(most: u32, span: Duration) -> Self {
        Self { most, span, counts: BTreeMap::new(), begun: VecDeque::new() }
    }

    /// Counts once more, and says whether that is still allowed. A span begins with the first that is counted.
    pub(crate) fn allows(&mut self, who: &Who, now: Instant) -> bool {
        self.allows_so_many(who, 1, now)
    }

    /// Counts so many more, or none if they are more than is still allowed.
    pub(crate) fn allows_so_many(&mut self, who: &Who, more: u32, now: Instant) -> bool {
        while self.begun.front().is_some_and(|(since, _)| now.since(*since) >= self.span) {
            if let Some((_, over)) = self.begun.pop_front() {
                self.counts.remove(&over);
            }
        }
        if !self.counts.contains_key(who) {
            self.begun.push_back((now, who.clone()));
        }
        let count = self.counts.entry(who.clone()).or_insert(0);
        let is_allowed = more <= self.most - *count;
        if is_allowed {
            *count += more;
        }
        is_allowed
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        assert_eq!(self.counts.len(), self.begun.len());
        self.counts.len()
    }
}
