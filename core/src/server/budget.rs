//! How much public-key work may be begun at a moment: so many operations a second, and a little ahead.
//!
//! A bucket that fills by time. Its unit inside is a millionth of an operation, since time comes in microseconds: so
//! nothing is rounded, and the same inputs give the same answers.

use std::time::Duration;

use crate::limits::{KEY_OPERATIONS_PER_STRANGER, KEY_OPERATIONS_SPAN};
use crate::time::Instant;

const MICRO: u64 = 1_000_000;

/// The budget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    per_second: u32,
    /// Millionths of an operation.
    level: u64,
    filled_at: Instant,
}

impl Budget {
    /// A full one.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, level: capacity(per_second), filled_at: now }
    }

    /// The same with another rate.
    pub(super) fn choose(&mut self, per_second: u32) {
        *self = Self::new(per_second, self.filled_at);
    }

    /// Pays for what one stranger may cause, if there is enough.
    pub(super) fn pay(&mut self, now: Instant) -> bool {
        self.fill(now);
        let left = self.level.checked_sub(price());
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }

    /// When there will be enough for one stranger more: always later than `now`, since it is asked after a refusal.
    pub(super) fn pays_at(&self, now: Instant) -> Instant {
        let missing = price().saturating_sub(self.level);
        let wait = missing.div_ceil(u64::from(self.per_second)).max(1);
        now.plus(Duration::from_micros(wait))
    }

    fn fill(&mut self, now: Instant) {
        let micros = u64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(u64::MAX);
        let gained = micros.saturating_mul(u64::from(self.per_second));
        self.level = self.level.saturating_add(gained).min(capacity(self.per_second));
        self.filled_at = now;
    }
}

fn price() -> u64 {
    KEY_OPERATIONS_PER_STRANGER * MICRO
}

/// What comes in over [`KEY_OPERATIONS_SPAN`], and never less than one stranger needs.
fn capacity(per_second: u32) -> u64 {
    let span = u64::try_from(KEY_OPERATIONS_SPAN.as_micros()).unwrap_or(MICRO);
    (u64::from(per_second) * span).max(price())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{KEY_OPERATIONS_PER_SECOND_MAX, KEY_OPERATIONS_PER_SECOND_MIN};

    /// How many strangers are paid for until `until`, by somebody who asks at every moment at which it could help.
    fn paid(budget: &mut Budget, from: Instant, until: Instant) -> u64 {
        let (mut now, mut paid) = (from, 0);
        while now <= until {
            if budget.pay(now) {
                paid += 1;
            } else {
                let next = budget.pays_at(now);
                assert!(next > now, "a deadline moves");
                now = next;
            }
        }
        paid
    }

    #[test]
    fn in_any_time_no_more_is_paid_than_the_rate_and_one_span_ahead_and_no_less_than_the_rate() {
        for per_second in [KEY_OPERATIONS_PER_SECOND_MIN, 2_800, 7_777, KEY_OPERATIONS_PER_SECOND_MAX] {
            let start = Instant(5);
            let mut budget = Budget::new(per_second, start);
            let operations =
                paid(&mut budget, start, start.plus(Duration::from_secs(10))) * KEY_OPERATIONS_PER_STRANGER;
            let rate = u64::from(per_second);
            let most = rate * 10 + (rate / 8).max(KEY_OPERATIONS_PER_STRANGER);
            assert!(operations <= most, "{operations} of {most}");
            assert!(operations + KEY_OPERATIONS_PER_STRANGER > most, "{operations} of {most}: the rest was withheld");
        }
    }

    #[test]
    fn a_long_rest_saves_up_no_more_than_a_span() {
        let mut budget = Budget::new(KEY_OPERATIONS_PER_SECOND_MAX, Instant(0));
        let later = Instant(0).plus(Duration::from_secs(1_000_000));
        let at_once = paid(&mut budget, later, later) * KEY_OPERATIONS_PER_STRANGER;
        let most = u64::from(KEY_OPERATIONS_PER_SECOND_MAX) / 8;
        assert!(at_once <= most && at_once + KEY_OPERATIONS_PER_STRANGER > most);
    }
}
