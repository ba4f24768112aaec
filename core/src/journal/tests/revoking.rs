//! The fold: one test for each RV check, and what a revocation makes of log and lists.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::super::revoking::{RevokeRefusal, may_revoke};
use super::*;
use crate::journal::revoking::{REVOKED_MAX_V3, have_room};
use crate::journal::state::{Device, Revocation, Revoked};
use crate::limits::{LIST_KEPT, LIST_LIFETIME, REVOKED_MAX};
use crate::pki::crl::ListFacts;
use crate::pki::facts::own_id;
use crate::tlog::ReasonCode;

fn reason(code: u8) -> ReasonCode {
    ReasonCode::new(code).unwrap()
}

/// A realm with Alice's laptop in it.
fn realm() -> (Ledger, DeviceName, Serial) {
    let mut ledger = Ledger::new();
    let alice = device_name("alice", "laptop");
    ledger.invite(1, None);
    let serial = serial(&ledger.grant(1, &alice, 10));
    ledger.issue(serial);
    (ledger, alice, serial)
}

/// The same, with another device of Alice's: as if it had been endorsed.
fn two_devices() -> (Ledger, DeviceName, Serial) {
    let (mut ledger, alice, serial) = realm();
    let key = SecretKey::draw(&mut rng(30)).spki().id();
    let user = ledger.state.users.get_mut(&alice.user).unwrap();
    let serial_of_phone = Serial([0x41; 16]);
    let phone = Device { key, serial: serial_of_phone, origin: serial_of_phone, depth: 1, revoked: None };
    user.devices.insert(device_name("alice", "phone").device, phone);
    (ledger, alice, serial)
}

/// The records of a revocation and of the list that says so.
pub(super) fn add_golden(ledger: &mut Ledger, name: &DeviceName) {
    assert_eq!(ledger.add(&revoke(name, 1, false, START)), Outcome::DeviceRevoked(name.clone()));
    let list = authority(&ledger.founded).lists(&ledger.state, 0, START).unwrap().remove(0).list;
    ledger.add(&Record::CrlSigned { der: ByteBuf::from(list.der()) });
}

fn revoke(name: &DeviceName, code: u8, force: bool, at: Wall) -> Record {
    Record::DeviceRevoked { name: name.clone(), reason: reason(code), force, at }
}

#[test]
fn an_unknown_device_is_not_revoked() {
    let (mut ledger, ..) = realm();
    for name in [device_name("bob", "laptop"), device_name("alice", "phone")] {
        let outcome = ledger.add(&revoke(&name, 1, true, START));
        assert_eq!(outcome, Outcome::NotRevoked(RevokeRefusal::UnknownDevice), "{name}");
    }
}

#[test]
fn a_device_is_revoked_once_and_for_ever() {
    let (mut ledger, alice, serial) = realm();
    assert_eq!(ledger.state.revoked(&alice), None);
    let at = Wall(START.0 + 5);
    assert_eq!(ledger.add(&revoke(&alice, 1, true, at)), Outcome::DeviceRevoked(alice.clone()));
    let revoked = Revoked { reason: reason(1), at };
    assert_eq!(ledger.state.revoked(&alice), Some(&revoked));
    let leaf = Leaf::Revocation { name: alice.clone(), serial, reason: reason(1), at };
    assert_eq!(ledger.state.leaf(ledger.state.log().size() - 1), Some(leaf));
    let before = ledger.state.clone();
    let again = ledger.add(&revoke(&alice, 4, true, at));
    assert_eq!(again, Outcome::NotRevoked(RevokeRefusal::Before));
    assert_eq!((ledger.state.log(), &ledger.state.revocations), (before.log(), &before.revocations));
    // Name and key stay taken.
    ledger.invite(2, None);
    let (name_again, key_again) = (ledger.grant(2, &alice, 11), ledger.grant(2, &device_name("bob", "desk"), 10));
    assert_eq!(name_again, Outcome::Refused(EnrolRefusal::NameTaken));
    assert_eq!(key_again, Outcome::Refused(EnrolRefusal::KeyTaken));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn the_last_device_of_a_user_is_kept_unless_the_operator_insists() {
    let (mut ledger, alice, _) = two_devices();
    let phone = device_name("alice", "phone");
    assert_eq!(ledger.add(&revoke(&alice, 1, false, START)), Outcome::DeviceRevoked(alice));
    let last = ledger.add(&revoke(&phone, 1, false, START));
    assert_eq!(last, Outcome::NotRevoked(RevokeRefusal::LastDevice));
    assert_eq!(ledger.state.revoked(&phone), None);
    assert_eq!(ledger.add(&revoke(&phone, 1, true, START)), Outcome::DeviceRevoked(phone));
}

#[test]
fn a_reason_that_is_none_for_a_device() {
    let (ledger, alice, _) = realm();
    for code in [0, 1, 2, 3, 4, 5, 6, 8, 9, 10] {
        let expected = if [2, 6, 8, 10].contains(&code) { Err(RevokeRefusal::Reason) } else { Ok(()) };
        assert_eq!(may_revoke(&ledger.state, &alice, reason(code), true, START), expected, "{code}");
    }
}

#[test]
fn more_than_the_lists_hold_is_not_revoked() {
    assert_eq!(REVOKED_MAX_V3, REVOKED_MAX);
    let (mut ledger, alice, _) = realm();
    let revoked = Revoked { reason: reason(1), at: START };
    for n in 0..u16::try_from(REVOKED_MAX).unwrap() {
        let mut serial = Serial([0x42; 16]);
        serial.0[14..].copy_from_slice(&n.to_be_bytes());
        ledger.state.revocations.insert(serial, Revocation { revoked, issuer: None, not_after: START });
    }
    let may = |state: &State, at| may_revoke(state, &alice, reason(1), true, at);
    let kept_until = START.plus(LIST_KEPT);
    assert_eq!(may(&ledger.state, kept_until), Err(RevokeRefusal::ListsFull));
    assert_eq!(may(&ledger.state, Wall(kept_until.0 + 1)), Ok(()), "what has ended makes room");
    ledger.state.revocations.pop_first();
    assert_eq!(may(&ledger.state, kept_until), Ok(()));
    // Each of two would find the one place that there is.
    ledger.invite(2, None);
    let bob = device_name("bob", "laptop");
    let certificate = serial(&ledger.grant(2, &bob, 20));
    ledger.issue(certificate);
    let (alices, bobs) = (std::slice::from_ref(&alice), std::slice::from_ref(&bob));
    assert!(have_room(&ledger.state, alices, kept_until) && have_room(&ledger.state, bobs, kept_until));
    assert!(!have_room(&ledger.state, &[alice, bob], kept_until));
}

#[test]
fn a_certificate_that_is_signed_after_its_device_was_revoked_is_revoked_with_it() {
    let mut ledger = Ledger::new();
    let alice = device_name("alice", "laptop");
    ledger.invite(1, None);
    let serial = serial(&ledger.grant(1, &alice, 10));
    ledger.add(&revoke(&alice, 5, true, START));
    assert_eq!(ledger.state.revocations(START).count(), 0, "there is nothing to list yet");
    ledger.issue(serial);
    let leaf = Leaf::Revocation { name: alice, serial, reason: reason(5), at: START };
    assert_eq!(ledger.state.leaf(1), Some(leaf));
    assert_eq!(ledger.state.revocations(START).map(|(serial, _)| serial).collect::<Vec<_>>(), [serial]);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_device_whose_certificates_have_all_ended_has_one_leaf_and_drops_out_of_the_lists() {
    let (mut ledger, alice, serial) = realm();
    let ends = ledger.state.progress(serial).unwrap().grant.not_after;
    ledger.add(&revoke(&alice, 1, true, Wall(ends.0 + 1)));
    let leaves = ledger.state.log().size();
    assert!(matches!(ledger.state.leaf(leaves - 1), Some(Leaf::Revocation { serial: leaf, .. }) if leaf == serial));
    assert_eq!(ledger.state.revocations(ends.plus(LIST_KEPT)).count(), 1);
    assert_eq!(ledger.state.revocations(Wall(ends.plus(LIST_KEPT).0 + 1)).count(), 0);
}

#[test]
fn each_list_names_what_is_revoked_and_stands_in_the_journal_with_its_number() {
    let (mut ledger, alice, serial) = realm();
    ledger.add(&revoke(&alice, 1, true, START));
    let lists = authority(&ledger.founded).lists(&ledger.state, 0, START).unwrap();
    let [issued] = lists.as_slice() else { panic!("{lists:?}") };
    assert!(issued.list.revoked(serial).is_some());
    assert_eq!(issued.list.facts().number, START.0);
    let record = Record::CrlSigned { der: ByteBuf::from(issued.list.der()) };
    assert_eq!(ledger.add(&record), Outcome::CrlSigned(START.0));
    let place = ledger.state.lists()[&own_id(&ledger.founded.issuing).unwrap()];
    assert_eq!((place.n, place.number), (ledger.state.position().n, START.0));
    assert_eq!((place.this_update, place.next_update), (START, START.plus(LIST_LIFETIME)));
    // Within the same second, and where the clock was set back, the number goes on.
    for at in [START, Wall(START.0 - 100)] {
        let lists = authority(&ledger.founded).lists(&ledger.state, 0, at).unwrap();
        assert_eq!(lists[0].list.facts().number, START.0 + 1);
    }
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_list_with_a_number_from_before() {
    let (mut ledger, ..) = realm();
    let list = |ledger: &Ledger, at| authority(&ledger.founded).lists(&ledger.state, 0, at).unwrap().remove(0).list;
    let (first, later) = (list(&ledger, START), list(&ledger, Wall(START.0 + 1)));
    let record = |der: &[u8]| Record::CrlSigned { der: ByteBuf::from(der) };
    assert_eq!(ledger.add(&record(later.der())), Outcome::CrlSigned(START.0 + 1));
    for der in [first.der(), later.der()] {
        assert_eq!(ledger.add(&record(der)), Outcome::Contradicts(JournalFault::ListOlder));
    }
    assert_eq!(ledger.state.lists().values().next().unwrap().number, START.0 + 1);
}

#[test]
fn a_list_that_is_none() {
    let (mut ledger, ..) = realm();
    let list = authority(&ledger.founded).lists(&ledger.state, 0, START).unwrap().remove(0).list;
    let trailing = [list.der(), &[0]].concat();
    let issuing = ledger.founded.issuing.clone();
    for der in [b"nonsense".as_slice(), &trailing, &list.der()[1..], &issuing] {
        assert_eq!(ListFacts::read(der), None);
        let outcome = ledger.add(&Record::CrlSigned { der: ByteBuf::from(der) });
        assert_eq!(outcome, Outcome::Contradicts(JournalFault::NoList));
    }
    assert!(ledger.state.lists().is_empty());
}
