//! What is told, what is an alarm, and what is neither.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::testing::START;
use crate::tlog::ReasonCode;
use crate::tlog::lineage::tests::{armed, certified, endorsed, key, laptop, recovered, renewed, withdrawn};

/// What these acts are to alice's device of this label and key.
fn heard(own: (&str, u64), kin: &mut Kin, acts: &[Leaf]) -> Vec<Heard> {
    let (name, realm) = (crate::testing::device_name("alice", own.0), Realm::default());
    let owner = Owner { name: &name, key: key(own.1).spki().id(), realm: &realm };
    acts.iter().map(|leaf| kin.hear(leaf, owner)).collect()
}

fn device(certified: Certified) -> Leaf {
    Leaf::DeviceCertificate(certified)
}

use Heard::{Known, Strange, Told};

fn revoked(device: &str) -> Leaf {
    let (name, reason) = (crate::testing::device_name("alice", device), ReasonCode::new(1).unwrap());
    Leaf::Revocation { name, serial: crate::id::Serial([1; 16]), reason, at: START }
}

#[test]
fn what_ones_own_devices_vouch_for_is_asked_for_and_nothing_else_is() {
    let acts = [
        laptop(),
        endorsed("phone", 2, ("laptop", 1)),
        endorsed("tablet", 3, ("phone", 2)),
        renewed(&endorsed("phone", 2, ("laptop", 1))),
        certified("alice", "fridge", 4, Basis::Reissue),
        endorsed("freezer", 5, ("fridge", 4)),
        certified("alice", "phone", 6, Basis::Renewed),
        certified("bob", "laptop", 7, Basis::FirstDevice),
    ];
    let leaves = acts.clone().map(Leaf::DeviceCertificate);
    let expected = [Known, Known, Known, Known, Strange, Strange, Strange, Known];
    assert_eq!(heard(("laptop", 1), &mut Kin::default(), &leaves), expected);
    // The tablet reads the same, once it knows its own row.
    let row = [3, 2, 1].map(|n: usize| leaves.get(n - 1).unwrap());
    assert_eq!(heard(("tablet", 3), &mut Kin::of(row), &leaves), expected);
}

#[test]
fn what_a_device_vouches_for_after_it_was_revoked_is_strange() {
    let revoked = revoked("phone");
    let acts = [
        device(laptop()),
        device(endorsed("phone", 2, ("laptop", 1))),
        armed(("phone", 2), 50),
        revoked,
        device(endorsed("tablet", 3, ("phone", 2))),
        armed(("phone", 2), 51),
        device(recovered("desk", 4, 51)),
        // Made while its device counted.
        device(recovered("desk", 4, 50)),
    ];
    let expected = [Known, Known, Told, Strange, Strange, Strange, Strange, Told];
    assert_eq!(heard(("laptop", 1), &mut Kin::default(), &acts), expected);
}

#[test]
fn a_device_by_the_newest_recovery_key_is_told_and_one_by_any_other_is_an_alarm() {
    let acts = [
        device(laptop()),
        armed(("laptop", 1), 50),
        armed(("laptop", 1), 51),
        device(recovered("desk", 2, 50)),
        device(recovered("desk", 3, 51)),
        device(endorsed("phone", 4, ("desk", 3))),
        armed(("desk", 3), 52),
        device(recovered("tablet", 5, 51)),
        // Nobody's of hers has made it.
        armed(("laptop", 6), 53),
        device(recovered("tablet", 5, 53)),
    ];
    let expected = [Known, Known, Known, Strange, Told, Known, Told, Strange, Strange, Strange];
    assert_eq!(heard(("laptop", 1), &mut Kin::default(), &acts), expected);
}

#[test]
fn a_new_device_is_told_nothing_of_what_was_before_it() {
    let acts = [
        device(laptop()),
        armed(("laptop", 1), 50),
        device(recovered("desk", 2, 50)),
        armed(("desk", 2), 51),
        armed(("laptop", 1), 52),
    ];
    let row = [2, 1, 0].map(|n: usize| acts.get(n).unwrap());
    assert_eq!(heard(("desk", 2), &mut Kin::of(row), &acts), [Known, Known, Known, Known, Told]);
}

#[test]
fn the_word_for_another_user_or_key_arms_nothing() {
    let Leaf::RecoveryKey { user, endorsement, at, .. } = armed(("laptop", 1), 50) else {
        unreachable!("it was just made")
    };
    let swapped = Leaf::RecoveryKey { user, key: key(66).spki(), endorsement, at };
    let acts = [device(laptop()), swapped, device(recovered("desk", 2, 66))];
    assert_eq!(heard(("laptop", 1), &mut Kin::default(), &acts), [Known, Strange, Strange]);
}

#[test]
fn a_device_that_one_of_theirs_has_taken_back_is_told_to_the_others_and_its_revocations_are_no_alarm() {
    let row =
        [device(laptop()), device(endorsed("phone", 2, ("laptop", 1))), device(endorsed("tablet", 3, ("laptop", 1)))];
    let theirs = [withdrawn("phone", ("laptop", 1)), revoked("phone"), revoked("phone")];
    let acts = [&row[..], &theirs].concat();
    assert_eq!(heard(("laptop", 1), &mut Kin::default(), &acts), [Known; 6]);
    let mut tablet = Kin::of([&row[2], &row[0]]);
    assert_eq!(heard(("tablet", 3), &mut tablet, &acts), [Known, Known, Known, Told, Known, Known]);
    // A device that takes itself back, with two certificates that hold; and what it vouches for then is nothing.
    let own = [withdrawn("phone", ("phone", 2)), revoked("phone"), revoked("phone"), withdrawn("tablet", ("phone", 2))];
    let acts = [&row[..], &own].concat();
    let expected = [Known, Known, Known, Told, Known, Known, Strange];
    assert_eq!(heard(("laptop", 1), &mut Kin::default(), &acts), expected);
    // The operator alone; a device that is nobody's; a word for another one.
    let Leaf::Withdrawal { endorsement, reason, at, .. } = withdrawn("phone", ("laptop", 1)) else {
        unreachable!("it is one")
    };
    let swapped = Leaf::Withdrawal { name: crate::testing::device_name("alice", "tablet"), reason, endorsement, at };
    for strange in [revoked("phone"), withdrawn("phone", ("fridge", 9)), withdrawn("phone", ("laptop", 9)), swapped] {
        let acts = [&row[..], &[strange, revoked("phone")]].concat();
        assert_eq!(heard(("laptop", 1), &mut Kin::default(), &acts)[3..], [Strange, Strange]);
    }
}
