//! Decides what a search of nights keeps: so much of each failure that it can be understood, and no more than somebody
//! can look at.

use std::collections::BTreeMap;

use crate::failure::Failure;

/// How many failures of one cause are kept: a second and a third show what they have in common.
pub const KEPT_OF_A_CAUSE: u64 = 3;
/// How many are kept in all.
pub const KEPT_MAX: u64 = 30;

/// How often each cause was met.
#[derive(Clone, Debug, Default)]
pub struct Bag {
    causes: BTreeMap<String, u64>,
    kept: u64,
}

impl Bag {
    /// Counts a failure, and says whether it is to be kept.
    pub fn meet(&mut self, failure: &Failure) -> bool {
        let met = self.causes.entry(failure.cause.name()).or_default();
        *met += 1;
        let keep = *met <= KEPT_OF_A_CAUSE && self.kept < KEPT_MAX;
        self.kept += u64::from(keep);
        keep
    }

    /// Every cause that was met, and how often.
    pub fn causes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.causes.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SimConfig;
    use crate::failure::Cause;
    use crate::failure::caught::Panic;

    fn failure(place: u64) -> Failure {
        let cause = Cause::Panic(Panic { words: String::new(), place: place.to_string() });
        Failure { config: SimConfig::draw(1), cause, step: 0, at_us: 0, hash: String::new() }
    }

    #[test]
    fn a_few_of_each_cause_are_kept_and_a_bounded_number_in_all() {
        let mut bag = Bag::default();
        let kept: Vec<bool> = (0..5).map(|_| bag.meet(&failure(0))).collect();
        assert_eq!(kept, [true, true, true, false, false]);
        let others = (1..100).filter(|place| bag.meet(&failure(*place))).count();
        assert_eq!(u64::try_from(others), Ok(KEPT_MAX - 3));
        assert_eq!(bag.causes().next(), Some(("panic at 0", 5)));
        assert_eq!(bag.causes().count(), 100);
    }
}
