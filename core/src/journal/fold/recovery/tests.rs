//! Recovery keys: a test for each RC check, and the row that the log shows of a device that came by one.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::Realm;
use crate::journal::Record;
use crate::journal::revoking::{RevokeRefusal, may_revoke};
use crate::journal::tests::{Ledger, grant};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, rng};
use crate::tlog::lineage::trace;
use crate::tlog::{Founder, ReasonCode};

fn key(seed: u64) -> SecretKey {
    SecretKey::draw(&mut rng(seed))
}

/// The word of somebody's device for a recovery key.
fn armed(user: &str, by: (&str, u64), recovery: u64, at: Wall) -> Record {
    let (user, label, realm) = (device_name(user, "x").user, device_name("x", by.0).device, Realm::default());
    let recovery = key(recovery).spki();
    let endorsement = Endorsement::arm(label, &key(by.1), &realm, &user, recovery.id());
    Record::RecoveryArmed { user, key: recovery, endorsement, at }
}

fn arm(ledger: &mut Ledger, recovery: u64) -> Outcome {
    ledger.add(&armed("alice", ("laptop", 10), recovery, START))
}

fn alice_is_armed() -> Outcome {
    Outcome::RecoveryArmed(device_name("alice", "x").user)
}

/// Somebody asks for a device of Alice's, by an invite of its own.
fn ask(ledger: &mut Ledger, token: u8, device: &str, key: u64) -> Grant {
    ledger.invite(token, Some("alice"));
    grant(token, &device_name("alice", device), key)
}

fn recover(ledger: &mut Ledger, grant: &Grant, recovery: u64) -> Outcome {
    let word = RecoveryWord::give(&key(recovery), &Realm::default(), &grant.name, grant.key.id());
    ledger.add(&Record::CertificateRecovered { grant: grant.clone(), word })
}

#[test]
fn a_device_comes_by_the_recovery_key_when_all_others_are_revoked_and_is_the_same_person() {
    let mut ledger = Ledger::of_two();
    assert_eq!(arm(&mut ledger, 50), alice_is_armed());
    assert_eq!(arm(&mut ledger, 50), alice_is_armed(), "an answer was lost");
    let size = ledger.state.log().size();
    let laptop = device_name("alice", "laptop");
    let reason = ReasonCode::new(1).unwrap();
    let revoked = ledger.add(&Record::DeviceRevoked { name: laptop.clone(), reason, force: false, at: START });
    assert_eq!(revoked, Outcome::DeviceRevoked(laptop.clone()), "RV-03 is lifted");
    let desk = ask(&mut ledger, 3, "desk", 11);
    assert_eq!(recover(&mut ledger, &desk, 50), Outcome::Granted(desk.serial));
    assert_eq!(recover(&mut ledger, &desk, 50), Outcome::GrantedBefore(desk.serial));
    ledger.issue(desk.serial);
    let row = ledger.state.lineage(desk.serial);
    assert_eq!(row.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [size - 1, 0]);
    let row: Vec<Leaf> = row.into_iter().map(|(_, leaf)| leaf).collect();
    let (_, leaf) = ledger.state.logged(desk.serial).unwrap();
    let founder = Founder { key: key(10).spki().id(), reissued: None };
    assert_eq!(trace(leaf.certified().unwrap(), &row, &Realm::default()), Ok(founder));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn nobody_else_makes_a_persons_recovery_key() {
    let mut ledger = Ledger::of_two();
    let no = Outcome::NotArmed(RecoveryRefusal::NoDevice);
    assert_eq!(ledger.add(&armed("alice", ("laptop", 20), 50, START)), no, "Bob's key under the laptop's name");
    assert_eq!(ledger.add(&armed("alice", ("desk", 10), 50, START)), no);
    assert_eq!(ledger.add(&armed("carol", ("laptop", 10), 50, START)), no);
    let (name, reason) = (device_name("alice", "laptop"), ReasonCode::new(1).unwrap());
    ledger.add(&Record::DeviceRevoked { name, reason, force: true, at: START });
    assert_eq!(arm(&mut ledger, 50), no, "what was revoked has no word any more");
    assert!(ledger.state.users().values().all(|account| account.recoveries.newest().is_none()));
}

#[test]
fn a_recovery_key_that_was_swapped_is_not_taken() {
    let mut ledger = Ledger::of_two();
    let Record::RecoveryArmed { user, endorsement, at, .. } = armed("alice", ("laptop", 10), 50, START) else {
        unreachable!("it was just made")
    };
    let swapped = Record::RecoveryArmed { user, key: key(66).spki(), endorsement, at };
    assert_eq!(ledger.add(&swapped), Outcome::NotArmed(RecoveryRefusal::Word));
    let Record::RecoveryArmed { endorsement, .. } = armed("bob", ("laptop", 10), 50, START) else {
        unreachable!("it was just made")
    };
    let for_bob = Record::RecoveryArmed { user: device_name("alice", "x").user, key: key(50).spki(), endorsement, at };
    assert_eq!(ledger.add(&for_bob), Outcome::NotArmed(RecoveryRefusal::Word));
}

#[test]
fn a_recovery_key_is_made_once() {
    let mut ledger = Ledger::of_two();
    let taken = Outcome::NotArmed(RecoveryRefusal::KeyTaken);
    assert_eq!(arm(&mut ledger, 20), taken, "Bob's device has it");
    assert_eq!((arm(&mut ledger, 50), arm(&mut ledger, 51)), (alice_is_armed(), alice_is_armed()));
    assert_eq!(arm(&mut ledger, 50), taken, "the one from before does not come back");
}

#[test]
fn recovery_keys_are_not_made_without_end() {
    let mut ledger = Ledger::of_two();
    for n in 0..KEYS_IN_SPAN_V4 as u64 {
        assert_eq!(arm(&mut ledger, 50 + n), alice_is_armed());
    }
    assert_eq!(arm(&mut ledger, 80), Outcome::NotArmed(RecoveryRefusal::TooOften));
    let tomorrow = START.plus(SPAN_V4);
    assert_eq!(ledger.add(&armed("alice", ("laptop", 10), 80, tomorrow)), alice_is_armed());
}

#[test]
fn a_row_of_recoveries_has_an_end() {
    let mut ledger = Ledger::of_two();
    let mut by = ("laptop".to_owned(), 10);
    let arm = |ledger: &mut Ledger, by: &(String, u64), recovery| {
        ledger.add(&armed("alice", (&by.0, by.1), recovery, START.plus(SPAN_V4 * u32::try_from(recovery).unwrap())))
    };
    for n in 1..=ENDORSEMENTS_MAX_V3 {
        let (device, own, recovery) = (format!("d{n}"), 100 + u64::from(n), 200 + u64::from(n));
        assert_eq!(arm(&mut ledger, &by, recovery), alice_is_armed());
        let next = ask(&mut ledger, 10 + n, &device, own);
        assert_eq!(recover(&mut ledger, &next, recovery), Outcome::Granted(next.serial));
        ledger.issue(next.serial);
        let row: Vec<Leaf> = ledger.state.lineage(next.serial).into_iter().map(|(_, leaf)| leaf).collect();
        assert_eq!(row.len(), 2 * usize::from(n));
        let (_, leaf) = ledger.state.logged(next.serial).unwrap();
        assert!(trace(leaf.certified().unwrap(), &row, &Realm::default()).is_ok());
        by = (device, own);
    }
    assert_eq!(arm(&mut ledger, &by, 300), Outcome::NotArmed(RecoveryRefusal::TooDeep));
    assert_eq!(2 * usize::from(ENDORSEMENTS_MAX_V3) + 1, crate::limits::LINEAGE_MAX, "and its own, renewed");
}

#[test]
fn an_old_code_and_that_of_another_user_are_none() {
    let mut ledger = Ledger::of_two();
    let desk = ask(&mut ledger, 3, "desk", 11);
    let no = Outcome::Refused(EnrolRefusal::NotRecovered);
    assert_eq!(recover(&mut ledger, &desk, 50), no, "none was made");
    arm(&mut ledger, 50);
    arm(&mut ledger, 51);
    ledger.add(&armed("bob", ("laptop", 20), 60, START));
    assert_eq!(recover(&mut ledger, &desk, 50), no, "another has taken its place");
    assert_eq!(recover(&mut ledger, &desk, 60), no, "Bob's");
    assert_eq!(recover(&mut ledger, &desk, 10), no, "a device's key is none");
    assert_eq!(recover(&mut ledger, &desk, 51), Outcome::Granted(desk.serial));
}

#[test]
fn the_word_for_another_device_is_none() {
    let mut ledger = Ledger::of_two();
    arm(&mut ledger, 50);
    let desk = ask(&mut ledger, 3, "desk", 11);
    for (name, own) in [("tablet", 11), ("desk", 12)] {
        let (name, own) = (device_name("alice", name), key(own).spki().id());
        let word = RecoveryWord::give(&key(50), &Realm::default(), &name, own);
        let refused = ledger.add(&Record::CertificateRecovered { grant: desk.clone(), word });
        assert_eq!(refused, Outcome::Refused(EnrolRefusal::NotRecovered));
    }
}

#[test]
fn a_recovered_device_needs_an_invite_a_name_and_a_key_as_any_other() {
    let mut ledger = Ledger::of_two();
    arm(&mut ledger, 50);
    let unknown = grant(9, &device_name("alice", "desk"), 11);
    assert_eq!(recover(&mut ledger, &unknown, 50), Outcome::Refused(EnrolRefusal::InviteUnknown));
    let taken = ask(&mut ledger, 3, "laptop", 11);
    assert_eq!(recover(&mut ledger, &taken, 50), Outcome::Refused(EnrolRefusal::DeviceTaken));
    let key = ask(&mut ledger, 4, "desk", 20);
    assert_eq!(recover(&mut ledger, &key, 50), Outcome::Refused(EnrolRefusal::KeyTaken));
    let mut serial = ask(&mut ledger, 5, "desk", 11);
    serial.serial = ledger.state.device(&device_name("bob", "laptop")).unwrap().serial;
    assert_eq!(recover(&mut ledger, &serial, 50), Outcome::Contradicts(JournalFault::SerialTwice));
}

#[test]
fn who_may_recover_is_whom_the_fold_lets_in() {
    let mut ledger = Ledger::of_two();
    arm(&mut ledger, 50);
    ledger.invite(3, Some("alice"));
    let may = |recovery, device: &str| {
        let (name, own) = (device_name("alice", device), key(11).spki().id());
        let word = RecoveryWord::give(&key(recovery), &Realm::default(), &name, own);
        may_recover(&ledger.state, &TokenHash([3; 32]), &name, own, &word, START)
    };
    assert_eq!(may(50, "desk"), Ok(()));
    assert_eq!(may(51, "desk"), Err(EnrolRefusal::NotRecovered));
    assert_eq!(may(50, "laptop"), Err(EnrolRefusal::DeviceTaken));
}

#[test]
fn a_recovery_code_lifts_the_rule_of_the_last_device_alone() {
    let mut ledger = Ledger::of_two();
    let (laptop, reason) = (device_name("alice", "laptop"), ReasonCode::new(1).unwrap());
    let may = |ledger: &Ledger| may_revoke(&ledger.state, &laptop, reason, false, START);
    assert_eq!(may(&ledger), Err(RevokeRefusal::LastDevice));
    ledger.add(&armed("bob", ("laptop", 20), 60, START));
    assert_eq!(may(&ledger), Err(RevokeRefusal::LastDevice), "Bob's code is of no use to Alice");
    arm(&mut ledger, 50);
    assert_eq!(may(&ledger), Ok(()));
}
