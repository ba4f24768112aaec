//! Rows of endorsements: what leads to a person's first device, and what only says that it does.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Fingerprint, Serial};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, rng};
use crate::tlog::{Endorsement, ReasonCode};

fn key(seed: u64) -> SecretKey {
    SecretKey::draw(&mut rng(seed))
}

fn certified(user: &str, device: &str, seed: u64, basis: Basis) -> Certified {
    Certified {
        name: device_name(user, device),
        serial: Serial::draw(&mut rng(seed + 1000)),
        key: key(seed).spki().id(),
        certificate: Fingerprint([7; 32]),
        not_after: START,
        basis,
        at: START,
    }
}

/// Alice's device of this key, by the word of another one.
fn endorsed(device: &str, seed: u64, by: (&str, u64)) -> Certified {
    let name = device_name("alice", device);
    let word = |by: (&str, u64)| {
        let label = device_name("alice", by.0).device;
        Endorsement::give(label, &key(by.1), &Realm::default(), &name, key(seed).spki().id())
    };
    certified("alice", device, seed, Basis::Endorsed(word(by)))
}

fn renewed(of: &Certified) -> Certified {
    Certified { basis: Basis::Renewed, serial: Serial([9; 16]), ..of.clone() }
}

fn laptop() -> Certified {
    certified("alice", "laptop", 1, Basis::FirstDevice)
}

fn traced(device: &Certified, row: &[&Certified]) -> Result<Founder, LineageRefusal> {
    let row: Vec<Certified> = row.iter().map(|entry| (*entry).clone()).collect();
    trace(device, &row, &Realm::default())
}

#[test]
fn every_device_of_a_row_is_the_person_of_its_first_one() {
    let (laptop, phone) = (laptop(), endorsed("phone", 2, ("laptop", 1)));
    let tablet = endorsed("tablet", 3, ("phone", 2));
    let founder = Founder { key: laptop.key, reissued: None };
    assert_eq!(traced(&laptop, &[]), Ok(founder));
    assert_eq!(traced(&phone, &[&laptop]), Ok(founder));
    assert_eq!(traced(&tablet, &[&phone, &laptop]), Ok(founder));
    assert_eq!(traced(&renewed(&laptop), &[&laptop]), Ok(founder));
    assert_eq!(traced(&renewed(&tablet), &[&tablet, &phone, &laptop]), Ok(founder));
    let elsewhere = certified("bob", "desk", 5, Basis::MadeElsewhere);
    assert_eq!(traced(&elsewhere, &[]), Ok(Founder { key: elsewhere.key, reissued: None }));
}

#[test]
fn a_reissue_is_another_person_and_says_so() {
    let reissue = certified("alice", "phone", 4, Basis::Reissue);
    let founder = Founder { key: reissue.key, reissued: Some(START) };
    assert_eq!(traced(&reissue, &[]), Ok(founder));
    assert_eq!(traced(&endorsed("tablet", 3, ("phone", 4)), &[&reissue]), Ok(founder));
}

#[test]
fn a_row_that_ends_early_goes_on_or_goes_elsewhere_is_none() {
    let (laptop, phone) = (laptop(), endorsed("phone", 2, ("laptop", 1)));
    assert_eq!(traced(&phone, &[]), Err(LineageRefusal::Incomplete));
    assert_eq!(traced(&renewed(&phone), &[]), Err(LineageRefusal::Incomplete));
    assert_eq!(traced(&laptop, &[&laptop]), Err(LineageRefusal::Superfluous));
    assert_eq!(traced(&phone, &[&laptop, &laptop]), Err(LineageRefusal::Superfluous));
    let others = [
        certified("bob", "laptop", 1, Basis::FirstDevice),
        certified("alice", "desk", 1, Basis::FirstDevice),
        certified("alice", "laptop", 6, Basis::FirstDevice),
        renewed(&laptop),
    ];
    for other in others {
        assert_eq!(traced(&phone, &[&other]), Err(LineageRefusal::OtherEntry), "{other:?}");
    }
    assert_eq!(traced(&renewed(&phone), &[&laptop]), Err(LineageRefusal::OtherEntry));
    assert_eq!(traced(&renewed(&laptop), &[&renewed(&laptop), &laptop]), Err(LineageRefusal::OtherEntry));
    assert_eq!(traced(&phone, &[&laptop; LINEAGE_MAX + 1]), Err(LineageRefusal::TooLong));
}

#[test]
fn a_word_for_another_device_vouches_for_none() {
    let (laptop, phone) = (laptop(), endorsed("phone", 2, ("laptop", 1)));
    let another_key = Certified { key: key(6).spki().id(), ..phone.clone() };
    assert_eq!(traced(&another_key, &[&laptop]), Err(LineageRefusal::Word));
    let another_name = Certified { name: device_name("alice", "fridge"), ..phone.clone() };
    assert_eq!(traced(&another_name, &[&laptop]), Err(LineageRefusal::Word));
    let other_realm = Realm::parse("chat.example").unwrap();
    assert_eq!(trace(&phone, &[laptop], &other_realm), Err(LineageRefusal::Word));
}

/// Which of these acts alice's device of this label and key finds strange.
fn strange(own: (&str, u64), kin: &mut Kin, acts: &[Leaf]) -> Vec<bool> {
    let (name, realm) = (device_name("alice", own.0), Realm::default());
    let owner = Owner { name: &name, key: key(own.1).spki().id(), realm: &realm };
    acts.iter().map(|leaf| kin.finds_strange(leaf, owner)).collect()
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
    let expected = [false, false, false, false, true, true, true, false];
    assert_eq!(strange(("laptop", 1), &mut Kin::default(), &leaves), expected);
    // The tablet reads the same, once it knows its own row.
    let [laptop, phone, tablet, ..] = &acts;
    assert_eq!(strange(("tablet", 3), &mut Kin::of([tablet, phone, laptop]), &leaves), expected);
}

#[test]
fn what_a_device_vouches_for_after_it_was_revoked_is_strange() {
    let revoked = Leaf::Revocation {
        name: device_name("alice", "phone"),
        serial: Serial([1; 16]),
        reason: ReasonCode::new(1).unwrap(),
        at: START,
    };
    let acts = [
        Leaf::DeviceCertificate(endorsed("phone", 2, ("laptop", 1))),
        revoked,
        Leaf::DeviceCertificate(endorsed("tablet", 3, ("phone", 2))),
    ];
    assert_eq!(strange(("laptop", 1), &mut Kin::default(), &acts), [false, true, true]);
}
