//! Decides who calls whom when faults have stopped: everybody somebody, and nobody two at once.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::id::UserName;

use super::World;
use super::event::Event;
use crate::actors::Prompt;
use crate::rng::Draw;

/// How long a call of the roll call waits for the other.
const ROLL_CALL_PATIENCE: Duration = Duration::from_secs(10);
/// When the calls of further devices begin, in microseconds: those of the first ones are over.
const SECOND_ROUND_US: u64 = 20_000_000;

impl World {
    /// Everybody calls the one after them in a circle that is drawn, within a few seconds: one device of each. When that is
    /// over, so does each further device, since a person has one call with somebody else at a time.
    pub(super) fn roll_call(&mut self) {
        let mut circle: Vec<(usize, UserName)> =
            self.people.iter().enumerate().map(|(number, person)| (number, person.name().user.clone())).collect();
        let mut seen = BTreeSet::new();
        let (mut circle_of_users, mut rest) = (Vec::new(), Vec::new());
        for (number, user) in circle.drain(..) {
            if seen.insert(user.clone()) { circle_of_users.push((number, user)) } else { rest.push((number, user)) }
        }
        let mut circle = circle_of_users;
        for place in (1..circle.len()).rev() {
            let other = usize::try_from(self.faults.below(u64::try_from(place + 1).unwrap_or(1))).unwrap_or(0);
            circle.swap(place, other);
        }
        let after = |user: &UserName| {
            let place = circle.iter().position(|(_, other)| other == user)?;
            circle.get(place + 1).or(circle.first()).map(|(_, user)| user.clone())
        };
        let first = circle.iter().map(|(number, user)| (*number, user.clone(), 0));
        let all = first.chain(rest.into_iter().map(|(number, user)| (number, user, SECOND_ROUND_US)));
        let calls: Vec<_> = all.filter_map(|(number, user, wait_us)| Some((number, after(&user)?, wait_us))).collect();
        for (person, user, wait_us) in calls {
            let after_us = wait_us + self.faults.between(0, 3_000_000);
            self.later(after_us, Event::Prompt(person, Prompt::Call(user, ROLL_CALL_PATIENCE)));
        }
    }
}
