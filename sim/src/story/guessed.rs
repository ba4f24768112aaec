//! Decides what is counted of owners whose password is guessed at: that they get through all the same.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::enrol::EnrolNews;
use countersign_core::device::{Asked, Event};
use countersign_core::id::UserName;

use super::plots::Plot;
use super::{Program, Seen};

/// Whose password is guessed at, and who comes by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guessed {
    users: BTreeSet<UserName>,
    coming: BTreeMap<Program, UserName>,
}

impl Guessed {
    /// What is to be counted of this event, if anything is.
    #[allow(clippy::wildcard_enum_match_arm, reason = "this looks at a few kinds of event")]
    pub(crate) fn see(&mut self, seen: &Seen<'_>) -> Option<&'static str> {
        match seen {
            Seen::Plot(Plot::Guess(_, user, _)) => drop(self.users.insert(user.clone())),
            Seen::SignsUp(who, _) => drop(self.coming.insert(who.program, who.name.user.clone())),
            Seen::Waits(who, EnrolNews::Waits(_)) => {
                let user = self.coming.remove(&who.program)?;
                return self.users.contains(&user).then_some("an owner came by a password that is guessed at");
            }
            Seen::Told(who, Event::Asked(Asked::PasswordSet)) if self.users.contains(&who.name.user) => {
                return Some("an owner set a password that is guessed at");
            }
            _ => {}
        }
        None
    }
}
