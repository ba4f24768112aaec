//! Nothing spins: a machine that was woken wants to be woken later next, not often, and no moment lasts for ever.

use std::collections::BTreeMap;

use super::Oracle;
use crate::node::Node;
use crate::story::Seen;

/// How many events one moment may hold.
const EVENTS_AT_ONCE_MAX: u64 = 100_000;
/// How many times a machine may be woken in one second.
const WAKES_PER_SECOND_MAX: u64 = 500;

/// See the module.
#[derive(Debug, Default)]
pub struct Spin {
    now_us: u64,
    at_once: u64,
    /// The wakes of each node in a second.
    wakes: BTreeMap<Node, (u64, u64)>,
}

impl Oracle for Spin {
    fn name(&self) -> &'static str {
        "spin"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        if at_us > self.now_us {
            (self.now_us, self.at_once) = (at_us, 0);
        }
        self.at_once += 1;
        if self.at_once > EVENTS_AT_ONCE_MAX {
            return Err(format!("{EVENTS_AT_ONCE_MAX} things happened and no time passed"));
        }
        let Seen::Woken { node, why, next_us } = seen else { return Ok(()) };
        if next_us.is_some_and(|next_us| next_us <= at_us) {
            return Err(format!("{node:?} was woken for {why} and wants to be woken at the same moment again"));
        }
        let second = at_us / 1_000_000;
        let (counted, wakes) = self.wakes.entry(*node).or_default();
        if *counted != second {
            (*counted, *wakes) = (second, 0);
        }
        *wakes += 1;
        if *wakes > WAKES_PER_SECOND_MAX {
            return Err(format!("{node:?} was woken {wakes} times in one second"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken(next_us: Option<u64>) -> Seen<'static> {
        Seen::Woken { node: Node::Relay, why: "Linger", next_us }
    }

    #[test]
    fn a_deadline_that_does_not_move_is_objected_to() {
        let mut oracle = Spin::default();
        assert_eq!(oracle.see(5, &woken(None)), Ok(()));
        assert_eq!(oracle.see(5, &woken(Some(6))), Ok(()));
        assert!(oracle.see(5, &woken(Some(5))).is_err());
        assert!(oracle.see(5, &woken(Some(4))).is_err());
    }

    #[test]
    fn too_many_wakes_in_a_second_and_a_moment_without_end_are_objected_to() {
        let mut oracle = Spin::default();
        let often = (0..=WAKES_PER_SECOND_MAX).try_for_each(|at_us| oracle.see(at_us, &woken(Some(at_us + 1))));
        assert!(often.is_err());
        let mut oracle = Spin::default();
        let opened = Seen::Phase(crate::story::Phase::Storm);
        assert!((0..=EVENTS_AT_ONCE_MAX).try_for_each(|_| oracle.see(1, &opened)).is_err());
    }
}
