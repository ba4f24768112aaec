//! Reissues: a test for each RI check, and what becomes of the devices and the recovery key from before.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Realm, Serial};
use crate::journal::Record;
use crate::journal::revoking::REVOKED_MAX_V3;
use crate::journal::state::Revocation;
use crate::journal::tests::{Ledger, grant};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, rng};
use crate::tlog::lineage::trace;
use crate::tlog::{Endorsement, Founder, Leaf};

/// A realm in which Alice has a laptop with the key 10 and a recovery key, and Bob a laptop with the key 20.
fn realm() -> Ledger {
    let mut ledger = Ledger::of_two();
    let (laptop, key) = (device_name("alice", "laptop"), SecretKey::draw(&mut rng(50)).spki());
    let own = SecretKey::draw(&mut rng(10));
    let endorsement = Endorsement::arm(laptop.device, &own, &Realm::default(), &laptop.user, key.id());
    ledger.add(&Record::RecoveryArmed { user: laptop.user, key, endorsement, at: START });
    ledger
}

fn create(ledger: &mut Ledger, token: u8, user: &str, keep: bool) -> Outcome {
    let (token, user, expires) = (TokenHash([token; 32]), device_name(user, "x").user, Wall(START.0 + 3600));
    ledger.add(&Record::ReissueCreated { token, user, keep, expires, at: START })
}

fn reissue(ledger: &mut Ledger, token: u8, device: &str, key: u64) -> (Outcome, Serial) {
    let grant = grant(token, &device_name("alice", device), key);
    let serial = grant.serial;
    (ledger.add(&Record::CertificateReissued(grant)), serial)
}

#[test]
fn a_person_who_has_lost_everything_is_let_in_as_somebody_new_and_the_devices_from_before_are_out() {
    let mut ledger = realm();
    assert_eq!(create(&mut ledger, 3, "alice", false), Outcome::Invited);
    assert!(ledger.state.revoked(&device_name("alice", "laptop")).is_none(), "not before the new one is there");
    let (outcome, serial) = reissue(&mut ledger, 3, "desk", 11);
    let laptop = device_name("alice", "laptop");
    assert_eq!(outcome, Outcome::Reissued(serial, vec![laptop.clone()]));
    assert_eq!(ledger.state.revoked(&laptop).unwrap().reason.code(), SUPERSEDED_V4);
    assert!(ledger.state.revoked(&device_name("bob", "laptop")).is_none());
    let account = ledger.state.users().get(&laptop.user).unwrap();
    assert_eq!(account.recoveries.newest(), None, "the old code is the old identity's");
    let (again, same) = reissue(&mut ledger, 3, "desk", 11);
    assert_eq!(again, Outcome::GrantedBefore(same), "an answer was lost");
    ledger.issue(serial);
    let (_, leaf) = ledger.state.logged(serial).unwrap();
    assert_eq!(ledger.state.lineage(serial), []);
    let founder = Founder { key: SecretKey::draw(&mut rng(11)).spki().id(), reissued: Some(START) };
    assert_eq!(trace(leaf.certified().unwrap(), &[], &Realm::default()), Ok(founder));
    let revoked = |leaf: &Leaf| matches!(leaf, Leaf::Revocation { name, .. } if *name == laptop);
    assert!((0..ledger.state.log().size()).filter_map(|at| ledger.state.leaf(at)).any(|leaf| revoked(&leaf)));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn the_devices_from_before_stay_where_the_operator_says_so() {
    let mut ledger = realm();
    create(&mut ledger, 3, "alice", true);
    let (outcome, serial) = reissue(&mut ledger, 3, "desk", 11);
    assert_eq!(outcome, Outcome::Reissued(serial, Vec::new()));
    assert_eq!(ledger.state.revoked(&device_name("alice", "laptop")), None);
}

#[test]
fn nobody_is_let_in_again_who_was_not_there() {
    let mut ledger = realm();
    assert_eq!(create(&mut ledger, 3, "carol", false), Outcome::Refused(EnrolRefusal::NotReissued));
    assert_eq!(create(&mut ledger, 1, "alice", false), Outcome::Contradicts(JournalFault::InviteTwice));
}

#[test]
fn an_invite_is_no_reissue() {
    let mut ledger = realm();
    ledger.invite(3, Some("alice"));
    assert_eq!(reissue(&mut ledger, 3, "desk", 11).0, Outcome::Refused(EnrolRefusal::NotReissued));
    create(&mut ledger, 4, "bob", false);
    assert_eq!(reissue(&mut ledger, 4, "desk", 11).0, Outcome::Refused(EnrolRefusal::InviteForOther));
    create(&mut ledger, 5, "alice", false);
    assert_eq!(reissue(&mut ledger, 5, "laptop", 11).0, Outcome::Refused(EnrolRefusal::DeviceTaken));
    assert_eq!(reissue(&mut ledger, 5, "desk", 20).0, Outcome::Refused(EnrolRefusal::KeyTaken));
    assert!(matches!(reissue(&mut ledger, 5, "desk", 11).0, Outcome::Reissued(..)));
    assert_eq!(reissue(&mut ledger, 5, "tablet", 12).0, Outcome::Refused(EnrolRefusal::InviteUsed));
}

#[test]
fn a_reissue_that_the_lists_have_no_room_for() {
    let mut ledger = realm();
    create(&mut ledger, 3, "alice", false);
    create(&mut ledger, 4, "alice", true);
    let revoked = Revoked { reason: ReasonCode::new(1).unwrap(), at: START };
    for n in 0..u16::try_from(REVOKED_MAX_V3).unwrap() {
        let mut serial = Serial([0x42; 16]);
        serial.0.iter_mut().skip(14).zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
        ledger.state.revocations.insert(serial, Revocation { revoked, issuer: None, not_after: START });
    }
    assert_eq!(reissue(&mut ledger, 3, "desk", 11).0, Outcome::Refused(EnrolRefusal::ListsFull));
    assert_eq!(ledger.state.revoked(&device_name("alice", "laptop")), None);
    assert!(matches!(reissue(&mut ledger, 4, "desk", 11).0, Outcome::Reissued(..)), "nothing is to be listed");
}
