//! Rows of endorsements: what leads to a person's first device, and what only says that it does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::id::{DeviceName, Fingerprint, Serial};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, rng};
use crate::tlog::{Endorsement, ReasonCode, RecoveryWord};

pub(in crate::tlog) fn key(seed: u64) -> SecretKey {
    SecretKey::draw(&mut rng(seed))
}

pub(in crate::tlog) fn certified(user: &str, device: &str, seed: u64, basis: Basis) -> Certified {
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
pub(in crate::tlog) fn endorsed(device: &str, seed: u64, by: (&str, u64)) -> Certified {
    let name = device_name("alice", device);
    let word = |by: (&str, u64)| {
        let label = device_name("alice", by.0).device;
        Endorsement::give(label, &key(by.1), &Realm::default(), &name, key(seed).spki().id())
    };
    certified("alice", device, seed, Basis::Endorsed(word(by)))
}

pub(in crate::tlog) fn renewed(of: &Certified) -> Certified {
    Certified { basis: Basis::Renewed, serial: Serial([9; 16]), ..of.clone() }
}

pub(in crate::tlog) fn laptop() -> Certified {
    certified("alice", "laptop", 1, Basis::FirstDevice)
}

/// The recovery key of this seed, by the word of alice's device.
pub(in crate::tlog) fn armed(by: (&str, u64), recovery: u64) -> Leaf {
    let (DeviceName { user, device }, recovery) = (device_name("alice", by.0), key(recovery).spki());
    let endorsement = Endorsement::arm(device, &key(by.1), &Realm::default(), &user, recovery.id());
    Leaf::RecoveryKey { user, key: recovery, endorsement, at: START }
}

/// That alice's device takes one of hers back.
pub(in crate::tlog) fn withdrawn(device: &str, by: (&str, u64)) -> Leaf {
    let (name, reason) = (device_name("alice", device), ReasonCode::new(1).unwrap());
    let label = device_name("alice", by.0).device;
    let endorsement = Endorsement::withdraw(label, &key(by.1), &Realm::default(), &name, reason);
    Leaf::Withdrawal { name, reason, endorsement, at: START }
}

/// Alice's device of this key, by the word of a recovery key.
pub(in crate::tlog) fn recovered(device: &str, seed: u64, recovery: u64) -> Certified {
    let name = device_name("alice", device);
    let word = RecoveryWord::give(&key(recovery), &Realm::default(), &name, key(seed).spki().id());
    certified("alice", device, seed, Basis::Recovered(word))
}

fn traced(device: &Certified, row: &[&Certified]) -> Result<Founder, LineageRefusal> {
    let row: Vec<Leaf> = row.iter().map(|entry| Leaf::DeviceCertificate((*entry).clone())).collect();
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
    assert_eq!(trace(&phone, &[Leaf::DeviceCertificate(laptop)], &other_realm), Err(LineageRefusal::Word));
}

#[test]
fn a_recovered_device_is_the_person_whose_device_made_the_recovery_key() {
    let (laptop, phone) = (laptop(), endorsed("phone", 2, ("laptop", 1)));
    let desk = recovered("desk", 3, 50);
    let entry = |certified: &Certified| Leaf::DeviceCertificate(certified.clone());
    let row = [armed(("phone", 2), 50), entry(&phone), entry(&laptop)];
    let realm = Realm::default();
    assert_eq!(trace(&desk, &row, &realm), Ok(Founder { key: laptop.key, reissued: None }));
    let again = [entry(&desk), row[0].clone(), row[1].clone(), row[2].clone()];
    assert_eq!(trace(&renewed(&desk), &again, &realm), Ok(Founder { key: laptop.key, reissued: None }));
    // What another one has made of it.
    let refused = |row: &[Leaf]| trace(&desk, row, &realm).err();
    assert_eq!(refused(&[]), Some(LineageRefusal::Incomplete));
    assert_eq!(refused(&row[..1]), Some(LineageRefusal::Incomplete));
    assert_eq!(refused(&row[1..]), Some(LineageRefusal::OtherEntry), "a device where its key belongs");
    assert_eq!(refused(&[armed(("phone", 2), 51), row[1].clone(), row[2].clone()]), Some(LineageRefusal::OtherEntry));
    assert_eq!(refused(&[row[0].clone(), row[2].clone()]), Some(LineageRefusal::OtherEntry), "the laptop made none");
    assert_eq!(refused(&[row[0].clone(), row[0].clone()]), Some(LineageRefusal::OtherEntry));
    let Leaf::RecoveryKey { user, endorsement, at, .. } = armed(("phone", 2), 51) else { unreachable!() };
    let swapped = Leaf::RecoveryKey { user, key: key(50).spki(), endorsement, at };
    assert_eq!(refused(&[swapped, row[1].clone(), row[2].clone()]), Some(LineageRefusal::Word), "its word was for 51");
    let elsewhere = Certified { name: device_name("alice", "fridge"), ..desk.clone() };
    assert_eq!(trace(&elsewhere, &row, &realm), Err(LineageRefusal::Word));
    let Leaf::RecoveryKey { key, endorsement, at, .. } = row[0].clone() else { unreachable!() };
    let bobs = Leaf::RecoveryKey { user: device_name("bob", "x").user, key, endorsement, at };
    assert_eq!(refused(&[bobs, row[1].clone(), row[2].clone()]), Some(LineageRefusal::OtherEntry));
    // A recovery key alone is no device.
    assert_eq!(trace(&phone, &[row[0].clone()], &realm), Err(LineageRefusal::OtherEntry));
}
