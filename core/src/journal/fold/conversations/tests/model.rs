//! The fold against a model that keeps, for each device, the list of what it has not acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const USERS: [&str; 4] = ["alice", "bob", "carol", "dora"];

/// What happens in the room.
#[derive(Clone, Debug)]
enum Deed {
    Send(usize),
    /// Who is in goes, and who is not comes.
    Swap(usize, usize),
    Acknowledge(usize, u64),
    Revoke(usize),
    Expire(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let who = 0..USERS.len();
    prop_oneof![
        8 => who.clone().prop_map(Deed::Send),
        3 => (who.clone(), who.clone()).prop_map(|(by, whom)| Deed::Swap(by, whom)),
        6 => (who.clone(), 0..60u64).prop_map(|(who, upto)| Deed::Acknowledge(who, upto)),
        1 => who.prop_map(Deed::Revoke),
        1 => (0..60u64).prop_map(Deed::Expire),
    ]
}

#[derive(Default)]
struct Model {
    epoch: u64,
    last: u64,
    roster: BTreeSet<usize>,
    revoked: BTreeSet<usize>,
    waits: BTreeMap<usize, BTreeSet<u64>>,
    missed: BTreeMap<usize, u64>,
}

impl Model {
    fn post(&mut self, whom: &BTreeSet<usize>) -> u64 {
        self.last += 1;
        for who in whom.difference(&self.revoked) {
            self.waits.entry(*who).or_default().insert(self.last);
        }
        self.last
    }

    fn does(&mut self, deed: &Deed, ledger: &mut Ledger) {
        match *deed {
            Deed::Send(by) => {
                let may = self.roster.contains(&by) && !self.revoked.contains(&by);
                let conversed = ledger.sends(USERS[by], self.epoch, u8::try_from(self.last).unwrap());
                let roster = self.roster.clone();
                assert_eq!(matches!(conversed, Conversed::Posted(..)), may, "{conversed:?}");
                if may {
                    assert_eq!(conversed, Conversed::Posted(ROOM, self.post(&roster)));
                }
            }
            Deed::Swap(by, whom) => {
                let is_in = self.roster.contains(&whom);
                let change = if is_in { change(&[], &[USERS[whom]]) } else { change(&[USERS[whom]], &[]) };
                let conversed = ledger.commits(USERS[by], self.epoch, change);
                let may = self.roster.contains(&by) && !self.revoked.contains(&by) && by != whom;
                let may = may && (is_in || !self.revoked.contains(&whom));
                assert_eq!(matches!(conversed, Conversed::Posted(..)), may, "{conversed:?}");
                if may {
                    self.epoch += 1;
                    let whole: BTreeSet<usize> = self.roster.iter().copied().chain([whom]).collect();
                    self.post(&whole);
                    if is_in {
                        self.roster.remove(&whom)
                    } else {
                        self.roster.insert(whom)
                    };
                }
            }
            Deed::Acknowledge(who, upto) => {
                ledger.has(USERS[who], upto);
                if upto <= self.last {
                    self.waits.entry(who).or_default().retain(|place| *place > upto);
                    self.missed.retain(|other, place| *other != who || *place > upto);
                }
            }
            Deed::Revoke(who) => {
                ledger.revokes(USERS[who]);
                self.revoked.insert(who);
                self.waits.remove(&who);
                self.missed.remove(&who);
            }
            Deed::Expire(upto) => {
                ledger.converse(&Record::PostedExpired { conversation: ROOM, upto, at: START });
                for (who, places) in &mut self.waits {
                    if let Some(highest) = places.iter().rfind(|place| **place <= upto) {
                        self.missed.insert(*who, *highest);
                    }
                    places.retain(|place| *place > upto);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_is_what_somebody_has_not_acknowledged(deeds in proptest::collection::vec(deed(), 1..60)) {
        let mut ledger = realm();
        ledger.founds(ROOM, Kind::Room, "alice");
        let mut model = Model { roster: BTreeSet::from([0]), ..Model::default() };
        let mut needed: BTreeSet<u64> = BTreeSet::new();
        for deed in &deeds {
            model.does(deed, &mut ledger);
            for (who, user) in USERS.iter().enumerate() {
                let waits = model.waits.get(&who).into_iter().flatten();
                let expected: Vec<u64> = model.missed.get(&who).into_iter().chain(waits).copied().collect();
                prop_assert_eq!(ledger.posted_to(user), expected, "{} after {:?}", user, deed);
            }
            let standing: BTreeSet<u64> = model.waits.values().flatten().copied().collect();
            prop_assert_eq!(ledger.standing(), standing.into_iter().collect::<Vec<_>>());
            // Whatever is not needed any more was told once, as it came to that.
            let now: BTreeSet<u64> = ledger.state.conversations().needed().into_iter().collect();
            let n = ledger.state.position().n;
            let gone: BTreeSet<u64> = needed.difference(&now).copied().collect();
            let told: BTreeSet<u64> = ledger.state.conversations().unneeded().iter().copied().collect();
            prop_assert_eq!(told, gone);
            prop_assert!(now.difference(&needed).all(|body| *body == n));
            needed = now;
        }
        prop_assert_eq!(ledger.state.conversations().standing(), needed.len() as u64);
        prop_assert_eq!(ledger.replayed(), ledger.state);
    }
}
