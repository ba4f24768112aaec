//! Further devices: a test for each EN check, and what the log says of one.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Realm, Serial};
use crate::invite::TokenHash;
use crate::journal::Record;
use crate::journal::tests::{Ledger, grant};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, rng};
use crate::time::Wall;
use crate::tlog::Leaf;

fn word(by: (&str, u64), of: &Grant) -> Endorsement {
    let own = SecretKey::draw(&mut rng(by.1));
    Endorsement::give(device_name("x", by.0).device, &own, &Realm::default(), &of.name, of.key.id())
}

/// Alice asks for another device, by an invite of its own.
fn ask(ledger: &mut Ledger, token: u8, device: &str, key: u64) -> Grant {
    ledger.invite(token, Some("alice"));
    grant(token, &device_name("alice", device), key)
}

fn endorse(ledger: &mut Ledger, grant: &Grant, endorsement: Endorsement) -> Outcome {
    ledger.add(&Record::CertificateEndorsed { grant: grant.clone(), endorsement })
}

#[test]
fn a_further_device_is_certified_by_the_word_of_another_and_the_log_has_the_word() {
    let mut ledger = Ledger::of_two();
    let phone = ask(&mut ledger, 3, "phone", 11);
    let word = word(("laptop", 10), &phone);
    assert_eq!(endorse(&mut ledger, &phone, word.clone()), Outcome::Granted(phone.serial));
    assert_eq!(endorse(&mut ledger, &phone, word.clone()), Outcome::GrantedBefore(phone.serial), "an answer was lost");
    assert_eq!(ledger.issue(phone.serial), Outcome::Issued(phone.serial));
    let device = ledger.state.device(&phone.name).unwrap();
    assert_eq!((device.serial, device.origin, device.depth), (phone.serial, phone.serial, 1));
    let (index, leaf) = ledger.state.logged(phone.serial).unwrap();
    let Leaf::DeviceCertificate(certified) = leaf else { panic!("another leaf: {leaf:?}") };
    assert_eq!((index, certified.basis), (2, Basis::Endorsed(word)));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn an_invite_admits_a_further_device_as_it_admits_a_first_one() {
    let mut ledger = Ledger::of_two();
    let unknown = grant(9, &device_name("alice", "phone"), 11);
    let refused = endorse(&mut ledger, &unknown, word(("laptop", 10), &unknown));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::InviteUnknown));
    let mut late = ask(&mut ledger, 3, "phone", 11);
    late.at = Wall(START.0 + 3601);
    let refused = endorse(&mut ledger, &late, word(("laptop", 10), &late));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::InviteExpired));
    ledger.invite(4, Some("bob"));
    let others = grant(4, &device_name("alice", "phone"), 11);
    let refused = endorse(&mut ledger, &others, word(("laptop", 10), &others));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::InviteForOther));
    let used = grant(1, &device_name("alice", "phone"), 11);
    let refused = endorse(&mut ledger, &used, word(("laptop", 10), &used));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::InviteUsed));
}

#[test]
fn a_device_name_is_given_once() {
    let mut ledger = Ledger::of_two();
    let laptop = ask(&mut ledger, 3, "laptop", 11);
    let refused = endorse(&mut ledger, &laptop, word(("laptop", 10), &laptop));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::DeviceTaken));
    let key = ask(&mut ledger, 4, "phone", 20);
    let refused = endorse(&mut ledger, &key, word(("laptop", 10), &key));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::KeyTaken), "Bob's key");
}

/// The next device of Alice's, by her laptop's word.
fn next(ledger: &mut Ledger, n: u8) -> (DeviceName, Outcome) {
    let next = ask(ledger, 10 + n, &format!("d{n}"), 100 + u64::from(n));
    let outcome = endorse(ledger, &next, word(("laptop", 10), &next));
    if let Outcome::Granted(serial) = outcome {
        ledger.issue(serial);
    }
    (next.name, outcome)
}

fn revoke(ledger: &mut Ledger, name: DeviceName) {
    let reason = crate::tlog::ReasonCode::new(1).unwrap();
    let revoked = ledger.add(&Record::DeviceRevoked { name: name.clone(), reason, force: true, at: START });
    assert_eq!(revoked, Outcome::DeviceRevoked(name));
}

#[test]
fn a_person_has_so_many_devices_at_a_time_and_comes_back_by_the_code_however_many_there_were() {
    let mut ledger = Ledger::of_two();
    let full = Outcome::Refused(EnrolRefusal::DevicesFull);
    let mut devices = 1;
    for n in 1..u8::try_from(LIVING_PER_USER_MAX).unwrap() {
        assert!(matches!(next(&mut ledger, n).1, Outcome::Granted(_)));
        devices += 1;
    }
    assert_eq!(next(&mut ledger, 50).1, full);
    // One that is revoked makes room for another one, as long as there are names.
    revoke(&mut ledger, device_name("alice", "d1"));
    for n in 51.. {
        let (name, outcome) = next(&mut ledger, n);
        if outcome == full {
            break;
        }
        devices += 1;
        revoke(&mut ledger, name);
    }
    assert_eq!(devices, DEVICES_PER_USER_MAX - KEPT_FOR_RETURN_V4);
    let alice = device_name("alice", "x").user;
    let (recovery, laptop) = (SecretKey::draw(&mut rng(5)), SecretKey::draw(&mut rng(10)));
    let endorsement =
        Endorsement::arm(device_name("x", "laptop").device, &laptop, &Realm::default(), &alice, recovery.spki().id());
    ledger.add(&Record::RecoveryArmed { user: alice, key: recovery.spki(), endorsement, at: START });
    let desk = ask(&mut ledger, 240, "desk", 250);
    let word = crate::tlog::RecoveryWord::give(&recovery, &Realm::default(), &desk.name, desk.key.id());
    let recovered = ledger.add(&Record::CertificateRecovered { grant: desk.clone(), word });
    assert_eq!(recovered, Outcome::Granted(desk.serial));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn the_word_of_anybody_else_is_none() {
    let mut ledger = Ledger::of_two();
    let phone = ask(&mut ledger, 3, "phone", 11);
    let no = Outcome::Refused(EnrolRefusal::NotEndorsed);
    assert_eq!(endorse(&mut ledger, &phone, word(("laptop", 20), &phone)), no, "Bob's key under the laptop's name");
    assert_eq!(endorse(&mut ledger, &phone, word(("desk", 10), &phone)), no, "a device that she does not have");
    assert_eq!(endorse(&mut ledger, &phone, word(("phone", 11), &phone)), no, "its own");
    ledger.invite(5, None);
    let first = grant(5, &device_name("carol", "laptop"), 30);
    assert_eq!(endorse(&mut ledger, &first, word(("laptop", 30), &first)), no, "a first device needs no word");
}

#[test]
fn the_word_of_a_device_that_was_revoked_is_none() {
    let mut ledger = Ledger::of_two();
    let phone = ask(&mut ledger, 3, "phone", 11);
    assert_eq!(endorse(&mut ledger, &phone, word(("laptop", 10), &phone)), Outcome::Granted(phone.serial));
    let reason = crate::tlog::ReasonCode::new(1).unwrap();
    ledger.add(&Record::DeviceRevoked { name: phone.name, reason, force: false, at: START });
    let tablet = ask(&mut ledger, 4, "tablet", 12);
    let refused = endorse(&mut ledger, &tablet, word(("phone", 11), &tablet));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::NotEndorsed));
    assert_eq!(endorse(&mut ledger, &tablet, word(("laptop", 10), &tablet)), Outcome::Granted(tablet.serial));
}

#[test]
fn the_word_for_another_device_is_none() {
    let mut ledger = Ledger::of_two();
    let phone = ask(&mut ledger, 3, "phone", 11);
    let no = Outcome::Refused(EnrolRefusal::NotEndorsed);
    for (name, key) in [("tablet", 11), ("phone", 12)] {
        let other = grant(3, &device_name("alice", name), key);
        assert_eq!(endorse(&mut ledger, &phone, word(("laptop", 10), &other)), no);
    }
    assert_eq!(endorse(&mut ledger, &phone, word(("laptop", 10), &phone)), Outcome::Granted(phone.serial));
}

#[test]
fn a_row_of_endorsements_has_an_end() {
    let mut ledger = Ledger::of_two();
    let mut by = ("laptop".to_owned(), 10);
    for n in 1..=ENDORSEMENTS_MAX_V3 {
        let (device, key) = (format!("d{n}"), 100 + u64::from(n));
        let next = ask(&mut ledger, 10 + n, &device, key);
        assert_eq!(endorse(&mut ledger, &next, word((&by.0, by.1), &next)), Outcome::Granted(next.serial));
        by = (device, key);
    }
    let next = ask(&mut ledger, 50, "one-more", 200);
    let refused = endorse(&mut ledger, &next, word((&by.0, by.1), &next));
    assert_eq!(refused, Outcome::Refused(EnrolRefusal::EndorsementsTooMany));
    assert_eq!(endorse(&mut ledger, &next, word(("laptop", 10), &next)), Outcome::Granted(next.serial));
}

#[test]
fn who_may_wait_is_who_could_be_endorsed() {
    let mut ledger = Ledger::of_two();
    let may = |ledger: &Ledger, token, name: (&str, &str), key: u64| {
        let key = SecretKey::draw(&mut rng(key)).spki().id();
        may_wait(&ledger.state, &TokenHash([token; 32]), &device_name(name.0, name.1), key, START)
    };
    ledger.invite(3, None);
    assert_eq!(may(&ledger, 3, ("alice", "phone"), 11), Ok(()));
    assert_eq!(may(&ledger, 3, ("alice", "laptop"), 11), Err(EnrolRefusal::DeviceTaken));
    assert_eq!(may(&ledger, 3, ("alice", "phone"), 20), Err(EnrolRefusal::KeyTaken));
    assert_eq!(may(&ledger, 3, ("carol", "laptop"), 30), Err(EnrolRefusal::NotEndorsed));
    assert_eq!(may(&ledger, 8, ("alice", "phone"), 11), Err(EnrolRefusal::InviteUnknown));
}

#[test]
fn no_serial_is_given_twice() {
    let mut ledger = Ledger::of_two();
    let mut phone = ask(&mut ledger, 3, "phone", 11);
    phone.serial = ledger.state.device(&device_name("alice", "laptop")).unwrap().serial;
    let taken: Serial = phone.serial;
    let word = word(("laptop", 10), &phone);
    assert_eq!(endorse(&mut ledger, &phone, word), Outcome::Contradicts(JournalFault::SerialTwice));
    assert_eq!(ledger.state.device(&device_name("alice", "laptop")).unwrap().serial, taken);
}
