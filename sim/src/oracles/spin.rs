//! Nothing spins: a machine that was woken wants to be woken later next, not often, nobody dials without a pause, and no
//! moment lasts for ever.

use std::collections::BTreeMap;

use countersign_core::limits::BACKOFF_MIN;

use super::Oracle;
use crate::node::Node;
use crate::story::Seen;

/// How many events one moment may hold.
const EVENTS_AT_ONCE_MAX: u64 = 100_000;
/// How many times a machine may be woken in one second.
const WAKES_PER_SECOND_MAX: u64 = 500;
/// How many times a device may try to connect in one second: twice as often as the shortest wait allows.
const DIALS_PER_SECOND_MAX: u64 = 16;
const _: () = assert!(BACKOFF_MIN.as_millis() >= 250, "half of the shortest wait is an eighth of a second");

/// See the module.
#[derive(Debug, Default)]
pub struct Spin {
    now_us: u64,
    at_once: u64,
    wakes: Rate<Node>,
    dials: Rate<usize>,
}

/// How often somebody did something in the current second.
#[derive(Debug)]
struct Rate<K>(BTreeMap<K, (u64, u64)>);

impl<K> Default for Rate<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Rate<K> {
    /// Counts one more: how many there are in this second.
    fn count(&mut self, who: K, at_us: u64) -> u64 {
        let (second, count) = self.0.entry(who).or_default();
        if *second != at_us / 1_000_000 {
            (*second, *count) = (at_us / 1_000_000, 0);
        }
        *count += 1;
        *count
    }
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
        if let Seen::Dialled(program) = seen
            && self.dials.count(program.device, at_us) > DIALS_PER_SECOND_MAX
        {
            return Err(format!("device {} dials without a pause", program.device));
        }
        let Seen::Woken { node, why, next_us } = seen else { return Ok(()) };
        if next_us.is_some_and(|next_us| next_us <= at_us) {
            return Err(format!("{node:?} was woken for {why} and wants to be woken at the same moment again"));
        }
        let wakes = self.wakes.count(*node, at_us);
        if wakes > WAKES_PER_SECOND_MAX {
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
        let dial = Seen::Dialled(crate::story::Program { device: 0, life: 1 });
        let mut oracle = Spin::default();
        assert_eq!((1..=9).try_for_each(|second| oracle.see(second * 1_000_000, &dial)), Ok(()));
        assert!((0..=DIALS_PER_SECOND_MAX).try_for_each(|at_us| oracle.see(at_us, &dial)).is_err());
        let mut oracle = Spin::default();
        let opened = Seen::Phase(crate::story::Phase::Storm);
        assert!((0..=EVENTS_AT_ONCE_MAX).try_for_each(|_| oracle.see(1, &opened)).is_err());
    }
}
