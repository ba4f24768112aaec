//! What the relay once folded, it folds again: each replay gives the live states, and nothing that it heard of is lost.
//!
//! A snapshot holds the live state of its place; and a start from one comes to the very state of the whole journal, part for
//! part: hashes are made of what a snapshot keeps, and would not miss what it forgets.
//!
//! Where its operator restores an older journal, what is gone is gone, and that is another life of the journal: no
//! position of it may be taken for one of the life before. A backup has no bodies: what it says is kept of key packages and of what was
//! posted may be gone, and the relay may be alarmed by that, and by nothing else.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::effect::Note;
use countersign_core::id::{Fingerprint, Position};
use countersign_core::journal::State;

use super::Oracle;
use crate::story::Seen;

/// See the module.
#[derive(Debug, Default)]
pub struct Agreement {
    /// The digest of the live state at each place of the journal.
    live: BTreeMap<u64, Fingerprint>,
    incarnation: Option<u64>,
    /// What the whole journal came to when it was read last.
    replayed: Option<State>,
    /// The lives of the journal that an older copy has ended.
    former: BTreeSet<u64>,
}

impl Oracle for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Folded(n, digest) => match self.live.insert(*n, *digest) {
                Some(before) if before != *digest => {
                    Err(format!("two processes of the relay folded up to record {n} and came to different states"))
                }
                _ => Ok(()),
            },
            // What the relay itself takes for a contradiction in the journal, or in its own work.
            Seen::Noted(Note::Alarm(words)) if !self.former.is_empty() && is_of_a_body(words) => Ok(()),
            Seen::Noted(Note::Alarm(words)) => Err(format!("the relay raises an alarm: {words}")),
            Seen::Restored(..) => {
                self.live.clear();
                self.former.extend(self.incarnation.take());
                Ok(())
            }
            Seen::Replayed(state, digests) => {
                self.replayed = Some((*state).clone());
                self.replayed(state.position(), digests)
            }
            Seen::Snapshot(n, bytes) => self.snapshot(*n, bytes),
            Seen::Resumed(..) if self.replayed.is_none() => Err("the relay starts and has read no journal".to_owned()),
            Seen::Resumed(n, state, _) if self.replayed.as_ref() != Some(state) => Err(format!(
                "the relay goes on from the snapshot of record {n} and comes to another state than the whole journal does"
            )),
            _ => Ok(()),
        }
    }
}

impl Agreement {
    fn snapshot(&self, n: u64, bytes: &[u8]) -> Result<(), String> {
        let state = State::restore(bytes).map_err(|why| format!("the snapshot of record {n} can't be used: {why}"))?;
        let of = state.position().n;
        if of != n || self.live.get(&n) != Some(&state.digest()) {
            return Err(format!(
                "the snapshot that is kept for record {n}, of {of}, holds another state than the live one"
            ));
        }
        Ok(())
    }

    fn replayed(&mut self, position: Position, digests: &BTreeMap<u64, Fingerprint>) -> Result<(), String> {
        if self.former.contains(&position.incarnation) {
            return Err("the journal was restored and has the same incarnation again".to_owned());
        }
        if *self.incarnation.get_or_insert(position.incarnation) != position.incarnation {
            return Err("the journal has another incarnation than before".to_owned());
        }
        if let Some((n, _)) = self.live.last_key_value().filter(|(n, _)| **n > position.n) {
            return Err(format!("record {n} was durable and is not in the journal any more"));
        }
        // At places that no replay has come to before; what an earlier one found there was asked then.
        match digests.iter().find(|(n, digest)| self.live.get(n).is_some_and(|live| live != *digest)) {
            Some((n, _)) => Err(format!("the replay differs from the live state at record {n}")),
            None => Ok(()),
        }
    }
}

/// Whether the relay misses something that it has posted or keeps for somebody.
fn is_of_a_body(words: &str) -> bool {
    words.starts_with("there is no key package") || words.starts_with("what was posted")
}

#[cfg(test)]
mod tests {
    use countersign_core::id::Realm;
    use countersign_core::invite::TokenHash;
    use countersign_core::journal::Record;
    use countersign_core::time::Wall;

    use super::*;

    fn digest(n: u64) -> Fingerprint {
        Fingerprint([u8::try_from(n).expect("few"); 32])
    }

    const NONE: BTreeMap<u64, Fingerprint> = BTreeMap::new();

    /// A state to which so many records of no consequence have come.
    fn after(records: u64) -> State {
        let mut state = State::new(7);
        for n in 1..=records {
            let (realm, root, at) = (Realm::default(), digest(0), Wall(0));
            let record = match n {
                1 => Record::RealmFounded { realm, root, at },
                n => Record::InviteCreated { token: TokenHash(digest(n).0), user: None, expires: Wall(n), at },
            };
            state.apply(n, &record.encode()).expect("it can be read");
        }
        state
    }

    #[test]
    fn a_replay_that_lacks_or_changes_a_live_state_is_objected_to() {
        let replay = |records, digests: &[(u64, u64)]| {
            let digests = digests.iter().map(|(n, of)| (*n, digest(*of))).collect();
            let mut oracle = Agreement::default();
            oracle.see(0, &Seen::Replayed(&State::new(7), &NONE)).expect("an empty journal agrees");
            oracle.see(1, &Seen::Folded(1, digest(1))).expect("folding is free");
            oracle.see(2, &Seen::Folded(2, digest(2))).expect("folding is free");
            oracle.see(3, &Seen::Replayed(&after(records), &digests))
        };
        assert_eq!(replay(2, &[(1, 1), (2, 2)]), Ok(()));
        assert_eq!(replay(3, &[(1, 1), (2, 2), (3, 3)]), Ok(()));
        // The first was asked for when it was new.
        assert_eq!(replay(2, &[(2, 2)]), Ok(()));
        assert!(replay(1, &[(1, 1)]).is_err());
        assert!(replay(2, &[(1, 1), (2, 9)]).is_err());
        assert!(replay(2, &[(1, 9), (2, 2)]).is_err());
    }

    #[test]
    fn a_restored_journal_may_lack_records_and_must_have_another_incarnation() {
        let restored = |incarnation| {
            let mut oracle = Agreement::default();
            oracle.see(0, &Seen::Replayed(&State::new(7), &NONE)).expect("an empty journal agrees");
            oracle.see(1, &Seen::Folded(1, digest(1))).expect("folding is free");
            oracle.see(2, &Seen::Restored(0, 1)).expect("restoring is free");
            oracle.see(3, &Seen::Replayed(&State::new(incarnation), &NONE))
        };
        assert_eq!(restored(8), Ok(()));
        assert!(restored(7).is_err());
    }

    #[test]
    fn a_snapshot_of_another_state_than_the_live_one_is_objected_to() {
        let state = State::new(7);
        let bytes = state.snapshot().expect("a small state");
        let oracle = |n, digest| {
            let mut oracle = Agreement::default();
            oracle.see(0, &Seen::Folded(n, digest)).expect("folding is free");
            oracle
        };
        assert_eq!(oracle(0, state.digest()).see(1, &Seen::Snapshot(0, &bytes)), Ok(()));
        assert!(oracle(0, digest(9)).see(1, &Seen::Snapshot(0, &bytes)).is_err());
        assert!(oracle(1, state.digest()).see(1, &Seen::Snapshot(1, &bytes)).is_err());
        assert!(oracle(1, state.digest()).see(1, &Seen::Snapshot(0, &bytes)).is_err());
        assert!(oracle(0, state.digest()).see(1, &Seen::Snapshot(0, b"")).is_err());
    }

    #[test]
    fn a_start_that_comes_to_another_state_than_the_journal_is_objected_to() {
        let (state, other) = (State::new(7), State::new(8));
        let mut oracle = Agreement::default();
        assert!(oracle.see(0, &Seen::Resumed(0, &state, &[])).is_err());
        oracle.see(1, &Seen::Replayed(&state, &NONE)).expect("an empty journal agrees");
        assert_eq!(oracle.see(2, &Seen::Resumed(0, &state, &[])), Ok(()));
        assert!(oracle.see(3, &Seen::Resumed(0, &other, &[])).is_err());
    }

    #[test]
    fn another_incarnation_is_objected_to() {
        let mut oracle = Agreement::default();
        assert_eq!(oracle.see(0, &Seen::Replayed(&State::new(7), &NONE)), Ok(()));
        assert!(oracle.see(1, &Seen::Replayed(&State::new(8), &NONE)).is_err());
    }
}
