//! The fold: who takes back a device of their own (RV-08), and what the log says of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::super::revoking::RevokeRefusal;
use super::*;
use crate::tlog::ReasonCode;

fn reason(code: u8) -> ReasonCode {
    ReasonCode::new(code).unwrap()
}

/// A realm of Alice's laptop (key 10) and phone (key 11) and Bob's laptop (key 20).
fn realm() -> Ledger {
    let mut ledger = Ledger::of_two();
    ledger.invite(3, Some("alice"));
    let phone = grant(3, &device_name("alice", "phone"), 11);
    let own = SecretKey::draw(&mut rng(10));
    let by = device_name("alice", "laptop").device;
    let endorsement = Endorsement::give(by, &own, &Realm::default(), &phone.name, phone.key.id());
    let granted = ledger.add(&Record::CertificateEndorsed { grant: phone, endorsement });
    ledger.issue(serial(&granted));
    ledger
}

/// The device of this name and key asks for one of Alice's.
fn asks(by: (&str, u64), device: &str, code: u8, force: bool) -> Record {
    let (name, reason) = (device_name("alice", device), reason(code));
    let (label, own) = (device_name("alice", by.0).device, SecretKey::draw(&mut rng(by.1)));
    let endorsement = Endorsement::withdraw(label, &own, &Realm::default(), &name, reason);
    Record::DeviceWithdrawn { name, reason, force, endorsement, at: START }
}

#[test]
fn a_device_takes_back_another_one_of_its_user_and_the_log_says_by_whose_word() {
    let mut ledger = realm();
    let phone = device_name("alice", "phone");
    let size = ledger.state.log().size();
    let serial = ledger.state.device(&phone).unwrap().serial;
    let record = asks(("laptop", 10), "phone", 1, false);
    assert_eq!(ledger.add(&record), Outcome::DeviceRevoked(phone.clone()));
    let Record::DeviceWithdrawn { name, reason, endorsement, at, .. } = record.clone() else {
        unreachable!("it is one")
    };
    let withdrawal = Leaf::Withdrawal { name: name.clone(), reason, endorsement, at };
    assert_eq!(ledger.state.leaf(size), Some(withdrawal));
    assert_eq!(ledger.state.leaf(size + 1), Some(Leaf::Revocation { name, serial, reason, at }));
    assert_eq!(ledger.state.log().size(), size + 2);
    assert!(ledger.state.revoked(&phone).is_some());
    assert_eq!(ledger.add(&record), Outcome::NotRevoked(RevokeRefusal::Before), "an answer was lost");
    assert_eq!(ledger.state.log().size(), size + 2);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn nobody_takes_back_a_device_by_the_word_of_another() {
    let mut ledger = realm();
    let refused = Outcome::NotRevoked(RevokeRefusal::NotTheirs);
    // Bob's key under a name of Alice's, a key that nobody has, a device that she does not have.
    for by in [("laptop", 20), ("laptop", 99), ("tablet", 10), ("phone", 10)] {
        assert_eq!(ledger.add(&asks(by, "phone", 1, true)), refused, "{by:?}");
    }
    // A word for another reason, another device or another user.
    let Record::DeviceWithdrawn { name, endorsement, at, .. } = asks(("laptop", 10), "phone", 1, true) else {
        unreachable!("it is one")
    };
    for (name, code) in [(name.clone(), 4), (device_name("alice", "laptop"), 1), (device_name("bob", "laptop"), 1)] {
        let (reason, endorsement) = (reason(code), endorsement.clone());
        let other = Record::DeviceWithdrawn { name, reason, force: true, endorsement, at };
        assert_eq!(ledger.add(&other), refused, "{other:?}");
    }
    assert_eq!(ledger.state.revoked(&name), None);
    let gone = asks(("laptop", 10), "tablet", 1, false);
    assert_eq!(ledger.add(&gone), Outcome::NotRevoked(RevokeRefusal::UnknownDevice));
    let never = asks(("laptop", 10), "phone", 6, false);
    assert_eq!(ledger.add(&never), Outcome::NotRevoked(RevokeRefusal::Reason));
}

#[test]
fn of_two_devices_that_take_each_other_back_the_first_in_the_journal_does() {
    let mut ledger = realm();
    let phone = device_name("alice", "phone");
    assert_eq!(ledger.add(&asks(("laptop", 10), "phone", 1, false)), Outcome::DeviceRevoked(phone));
    let late = ledger.add(&asks(("phone", 11), "laptop", 1, true));
    assert_eq!(late, Outcome::NotRevoked(RevokeRefusal::NotTheirs));
}

#[test]
fn a_device_takes_itself_back_and_the_last_one_only_with_force_or_a_recovery_key() {
    let mut ledger = realm();
    let [phone, laptop] = ["phone", "laptop"].map(|device| device_name("alice", device));
    assert_eq!(ledger.add(&asks(("phone", 11), "phone", 5, false)), Outcome::DeviceRevoked(phone));
    let last = ledger.add(&asks(("laptop", 10), "laptop", 5, false));
    assert_eq!(last, Outcome::NotRevoked(RevokeRefusal::LastDevice));
    assert_eq!(ledger.add(&asks(("laptop", 10), "laptop", 5, true)), Outcome::DeviceRevoked(laptop));
    assert_eq!(ledger.replayed(), ledger.state);
}

/// The record of somebody who takes back a device of their own.
pub(super) fn add_golden(ledger: &mut Ledger) {
    let (record, desk) = (asks(("laptop", 10), "desk", 4, false), device_name("alice", "desk"));
    assert_eq!(ledger.add(&record), Outcome::DeviceRevoked(desk));
}
