//! Restorations (rules 4): the journal goes on from a backup, in another life, and so does the log under another name.
//!
//! The log keeps the leaves that the backup had, at their places. So whoever had seen no more of it than those goes on with a
//! proof, and whoever had seen more is told exactly from where on the rest is gone.
//!
//! The revocation lists go on with numbers far beyond those that the backup knows.
//!
//! No invite from before admits anybody any more: one that was used after the backup would admit a second time.

use std::time::Duration;

use super::{JournalFault, Outcome};
use crate::journal::state::State;
use crate::time::Wall;
use crate::tlog::{Leaf, NoteName};

/// How far beyond what is known the lists' numbers go on: they count seconds, and run ahead where lists are signed fast or a
/// clock was ahead. So nobody who has heard of the last ones that are gone takes the next ones for old.
const LIST_NUMBERS_PASSED_OVER_V4: u64 = 10_000_000;

pub(super) fn restored_v4(state: &mut State, previous: u64, at: Wall) -> Outcome {
    let realm = state.realm.as_ref().filter(|_| previous != state.position.incarnation);
    let Some(realm) = realm else {
        return Outcome::Contradicts(JournalFault::NotBefore);
    };
    let previous = NoteName::of_log(&realm.realm, previous);
    let head = state.log.tree.head();
    state.log.generation(Leaf::Generation { previous, head, at });
    let over = at.minus(Duration::from_secs(1));
    for invite in state.invites.values_mut().filter(|invite| invite.used.is_none()) {
        invite.expires = invite.expires.min(over);
    }
    for list in state.lists.values_mut() {
        list.number = list.number.max(at.0).saturating_add(LIST_NUMBERS_PASSED_OVER_V4);
    }
    Outcome::Restored
}

#[cfg(test)]
mod tests;
