//! Key packages: in which order they are taken, and when none is left.

use super::*;
use crate::journal::conversations::Taken;
use crate::limits::KEY_PACKAGES_MAX;

impl Ledger {
    /// Leaves a key package. Its position.
    fn leaves(&mut self, user: &str, last_resort: bool, not_after: Wall) -> u64 {
        let record = Record::KeyPackagePublished { device: laptop(user), last_resort, not_after, at: START };
        assert_eq!(self.converse(&record), Conversed::Kept);
        self.state.position().n
    }

    fn takes(&mut self, of: &[&str], at: Wall) -> Vec<Option<Taken>> {
        let of = of.iter().map(|user| laptop(user)).collect();
        let conversed = self.converse(&Record::KeyPackagesTaken { by: laptop("alice"), of, at });
        let Conversed::Taken(taken) = conversed else { panic!("nothing was taken: {conversed:?}") };
        taken
    }
}

fn once(n: u64) -> Taken {
    Taken { n, last_resort: false }
}

fn again(n: u64) -> Taken {
    Taken { n, last_resort: true }
}

#[test]
fn packages_are_taken_in_the_order_of_their_coming_and_the_last_one_again_and_again() {
    let mut ledger = realm();
    let late = Wall(START.0 + 100);
    let last = ledger.leaves("bob", true, late);
    let [first, second] = [(); 2].map(|()| ledger.leaves("bob", false, late));
    assert_eq!(ledger.state.conversations().packages(&laptop("bob")).unwrap().left(START), 2);
    assert_eq!(ledger.takes(&["bob", "carol"], START), [Some(once(first)), None]);
    assert_eq!(ledger.takes(&["bob", "nobody", "bob"], START), [Some(once(second)), None, Some(again(last))]);
    assert_eq!(ledger.takes(&["bob"], START), [Some(again(last))]);
    assert_eq!(ledger.state.conversations().unneeded(), NOTHING);
    let newer = ledger.leaves("bob", true, late);
    assert_eq!(ledger.state.conversations().unneeded(), [last], "one takes the place of the other");
    assert_eq!(ledger.takes(&["bob"], late), [Some(again(newer))]);
    assert_eq!(ledger.takes(&["bob"], Wall(late.0 + 1)), [None]);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn packages_that_hold_no_longer_are_not_given_out_and_go() {
    let mut ledger = realm();
    let short = ledger.leaves("bob", false, START);
    let long = ledger.leaves("bob", false, Wall(START.0 + 100));
    let later = Wall(START.0 + 1);
    assert_eq!(ledger.state.conversations().packages(&laptop("bob")).unwrap().left(later), 1);
    assert_eq!(ledger.takes(&["bob"], later), [Some(once(long))]);
    assert_eq!(ledger.state.conversations().unneeded(), [short]);
}

#[test]
fn so_many_key_packages_are_kept_and_no_more() {
    let mut ledger = realm();
    assert_eq!(super::super::KEY_PACKAGES_MAX_V5, KEY_PACKAGES_MAX);
    let first = ledger.leaves("bob", false, Wall(START.0 + 1));
    for _ in 1..KEY_PACKAGES_MAX {
        ledger.leaves("bob", false, Wall(START.0 + 100));
    }
    let (device, not_after) = (laptop("bob"), Wall(START.0 + 100));
    let mut more = |last_resort, at| {
        let device = device.clone();
        ledger.converse(&Record::KeyPackagePublished { device, last_resort, not_after, at })
    };
    assert_eq!(more(false, START), refused(ConversationRefusal::PackagesFull));
    assert_eq!(more(true, START), Conversed::Kept, "the one of last resort is besides");
    assert_eq!(more(false, Wall(START.0 + 2)), Conversed::Kept, "what is over makes room");
    assert_eq!(ledger.state.conversations().unneeded(), [first]);
}

#[test]
fn a_revoked_device_has_no_packages() {
    let mut ledger = realm();
    let [one, other] = [false, true].map(|last_resort| ledger.leaves("bob", last_resort, Wall(START.0 + 100)));
    ledger.revokes("bob");
    assert_eq!(ledger.state.conversations().unneeded(), [one, other]);
    assert_eq!(ledger.takes(&["bob"], START), [None]);
    assert_eq!(ledger.state.conversations().needed(), NOTHING);
    assert_eq!(ledger.replayed(), ledger.state);
}
