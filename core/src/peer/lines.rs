//! The lines of a session, each heard once and in order, whatever ways they took.
//!
//! A line is kept until the other end has confirmed it, so that a change of path can say it again: the other end knows
//! by its number that it has heard it. Between the two ends there is one order, and the paths do not matter to it.

use std::collections::VecDeque;

use super::SayRefusal;
use crate::fault::Fault;
use crate::limits::{LINE_BYTES_MAX, PEER_LINE_OVERHEAD_BYTES, PEER_UNHEARD_BYTES_MAX};
use crate::time::Instant;

/// Both directions of a session's lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The number of our next line.
    said: u64,
    /// Our lines that the other end has not confirmed, oldest first.
    unheard: VecDeque<String>,
    unheard_bytes: usize,
    /// Since when nothing was confirmed though something is unheard.
    waiting_since: Option<Instant>,
    /// The number of their next line.
    heard: u64,
    /// How many of theirs we have confirmed.
    confirmed: u64,
}

impl Lines {
    /// Takes a line of ours and gives its number.
    pub(super) fn say(&mut self, text: &str, now: Instant) -> Result<u64, SayRefusal> {
        if text.len() > LINE_BYTES_MAX {
            return Err(SayRefusal::TooLong);
        }
        if !self.have_room(text.len()) {
            return Err(SayRefusal::Full);
        }
        self.unheard.push_back(text.to_owned());
        self.unheard_bytes += cost(text.len());
        self.waiting_since.get_or_insert(now);
        self.said += 1;
        Ok(self.said - 1)
    }

    /// Whether a line of this many bytes would be taken now.
    pub(super) fn have_room(&self, bytes: usize) -> bool {
        self.unheard_bytes + cost(bytes) <= PEER_UNHEARD_BYTES_MAX
    }

    /// The other end has heard our lines below `n`.
    pub(super) fn confirmed_by_other(&mut self, n: u64, now: Instant) -> Result<(), Fault> {
        if n > self.said {
            // Nobody can have heard what was not said.
            return Err(Fault::Unexpected);
        }
        while n > self.first_unheard() {
            if let Some(text) = self.unheard.pop_front() {
                self.unheard_bytes -= cost(text.len());
            }
            self.waiting_since = Some(now);
        }
        if self.unheard.is_empty() {
            self.waiting_since = None;
        }
        Ok(())
    }

    /// Takes a line of theirs: the next one is heard, one that was heard already is passed over (`false`). A gap is a
    /// breach, and so is a repetition while nothing but one path was used.
    pub(super) fn hear(&mut self, n: u64, may_repeat: bool) -> Result<bool, Fault> {
        if n == self.heard {
            self.heard += 1;
            return Ok(true);
        }
        if n < self.heard && may_repeat { Ok(false) } else { Err(Fault::Unexpected) }
    }

    /// What the other end is to be told of their lines, if it is news.
    pub(super) fn news(&self) -> Option<u64> {
        (self.heard > self.confirmed).then_some(self.heard)
    }

    /// How many of their lines were heard: what any confirmation says.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// The other end was told of their lines below `n`.
    pub(super) fn told(&mut self, n: u64) {
        self.confirmed = n;
    }

    /// Our lines that may not have arrived, with their numbers, oldest first. The wait for them begins anew.
    pub(super) fn say_again(&mut self, now: Instant) -> impl Iterator<Item = (u64, &String)> {
        if self.waiting_since.is_some() {
            self.waiting_since = Some(now);
        }
        (self.first_unheard()..).zip(&self.unheard)
    }

    /// Since when our oldest unheard line has waited without any being confirmed.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.waiting_since
    }

    fn first_unheard(&self) -> u64 {
        self.said - u64::try_from(self.unheard.len()).unwrap_or(0)
    }
}

/// What a line takes of the bound.
fn cost(bytes: usize) -> usize {
    bytes + PEER_LINE_OVERHEAD_BYTES
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1);

    #[test]
    fn what_is_not_confirmed_is_said_again_and_nothing_else() {
        let mut lines = Lines::default();
        for text in ["zero", "one", "two"] {
            lines.say(text, NOW).unwrap();
        }
        lines.confirmed_by_other(1, NOW).unwrap();
        let again: Vec<_> = lines.say_again(NOW).map(|(n, text)| (n, text.clone())).collect();
        assert_eq!(again, [(1, "one".to_owned()), (2, "two".to_owned())]);
        lines.confirmed_by_other(0, NOW).unwrap();
        lines.confirmed_by_other(3, NOW).unwrap();
        assert_eq!(lines.say_again(NOW).count(), 0);
        assert_eq!(lines.waiting_since(), None);
        assert_eq!(lines.confirmed_by_other(4, NOW), Err(Fault::Unexpected), "nobody has said it");
    }

    #[test]
    fn a_gap_is_a_breach_and_a_repetition_only_on_one_path() {
        let mut lines = Lines::default();
        assert_eq!(lines.hear(0, false), Ok(true));
        assert_eq!(lines.hear(0, false), Err(Fault::Unexpected));
        assert_eq!(lines.hear(0, true), Ok(false));
        assert_eq!(lines.hear(2, true), Err(Fault::Unexpected));
        assert_eq!(lines.hear(1, true), Ok(true));
        assert_eq!(lines.news(), Some(2));
        lines.told(2);
        assert_eq!(lines.news(), None);
    }

    #[test]
    fn unheard_lines_are_bounded_in_bytes_however_short_they_are() {
        for text in ["", "x", &"x".repeat(LINE_BYTES_MAX)] {
            let mut lines = Lines::default();
            let most = PEER_UNHEARD_BYTES_MAX / cost(text.len());
            for _ in 0..most {
                lines.say(text, NOW).unwrap();
            }
            assert_eq!(lines.say(text, NOW), Err(SayRefusal::Full));
            lines.confirmed_by_other(1, NOW).unwrap();
            assert!(lines.say(text, NOW).is_ok());
        }
        assert_eq!(Lines::default().say(&"x".repeat(LINE_BYTES_MAX + 1), NOW), Err(SayRefusal::TooLong));
    }

    #[test]
    fn the_wait_for_a_confirmation_begins_anew_with_each_one() {
        let mut lines = Lines::default();
        lines.say("zero", Instant(5)).unwrap();
        lines.say("one", Instant(6)).unwrap();
        assert_eq!(lines.waiting_since(), Some(Instant(5)));
        lines.confirmed_by_other(1, Instant(9)).unwrap();
        assert_eq!(lines.waiting_since(), Some(Instant(9)));
        lines.confirmed_by_other(1, Instant(12)).unwrap();
        assert_eq!(lines.waiting_since(), Some(Instant(9)), "that was no news");
    }
}
