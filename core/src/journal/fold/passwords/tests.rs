//! Passwords in the fold: a test for each PW check, and that the first in the journal has the name.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Realm, UserName};
use crate::journal::Record;
use crate::journal::tests::{Ledger, grant, serial};
use crate::password::{Cost, Password, Stretch};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, rng};

fn verifier(seed: u64) -> Verifier {
    let stretch = Stretch::new(Password::new(b"four words".to_vec().into()), Cost::LEAST, &mut rng(seed));
    Verifier::new(stretch.salt, stretch.cost, &stretch.run().unwrap())
}

/// What somebody asks for by a password.
fn asked(user: &str, device: &str, key: u64) -> Grant {
    let name = device_name(user, device);
    Grant { token: TokenHash::of_password(&name.user), ..grant(100, &name, key) }
}

fn word(by: (&str, u64), of: &Grant) -> Endorsement {
    let own = SecretKey::draw(&mut rng(by.1));
    Endorsement::give(device_name("x", by.0).device, &own, &Realm::default(), &of.name, of.key.id())
}

fn signed_up(ledger: &mut Ledger, grant: &Grant, seed: u64) -> Outcome {
    ledger.add(&Record::SignedUp { grant: grant.clone(), password: verifier(seed) })
}

fn alice() -> UserName {
    device_name("alice", "laptop").user
}

/// A realm in which Alice has signed up with a laptop, and Bob came with one by an invite.
fn realm() -> Ledger {
    let mut ledger = Ledger::new();
    let laptop = serial(&signed_up(&mut ledger, &asked("alice", "laptop", 10), 1));
    ledger.invite(2, Some("bob"));
    let bobs = serial(&ledger.grant(2, &device_name("bob", "laptop"), 20));
    for serial in [laptop, bobs] {
        ledger.issue(serial);
    }
    ledger
}

#[test]
fn the_first_in_the_journal_has_the_name_and_its_password_is_the_one_that_holds() {
    let mut ledger = realm();
    let taken = Outcome::Refused(EnrolRefusal::NameTaken);
    assert_eq!(signed_up(&mut ledger, &asked("alice", "laptop", 11), 2), taken);
    let second = Outcome::Refused(EnrolRefusal::SecondDevice);
    assert_eq!(signed_up(&mut ledger, &asked("alice", "phone", 11), 2), second);
    let alike = Outcome::Refused(EnrolRefusal::NameLooksTaken);
    assert_eq!(signed_up(&mut ledger, &asked("a1ice", "phone", 11), 2), alike);
    let key = Outcome::Refused(EnrolRefusal::KeyTaken);
    assert_eq!(signed_up(&mut ledger, &asked("carol", "phone", 10), 2), key);
    assert_eq!(ledger.state.password(&alice()), Some(&verifier(1)));
    let first = ledger.state.device(&device_name("alice", "laptop")).unwrap().origin;
    let mut again = asked("alice", "laptop", 10);
    again.serial = Serial([0x55; 16]);
    assert_eq!(signed_up(&mut ledger, &again, 2), Outcome::GrantedBefore(first), "an answer was lost");
    assert_eq!(ledger.state.password(&alice()), Some(&verifier(1)));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_grant_by_password_says_so_itself() {
    let mut ledger = realm();
    ledger.invite(3, None);
    let by_invite = grant(3, &device_name("carol", "laptop"), 30);
    let no = Outcome::Contradicts(JournalFault::NoSignUp);
    assert_eq!(signed_up(&mut ledger, &by_invite, 3), no);
    let mut others = asked("alice", "phone", 11);
    others.token = TokenHash::of_password(&device_name("bob", "x").user);
    let endorsement = word(("laptop", 10), &others);
    assert_eq!(ledger.add(&Record::SignedIn { grant: others, endorsement }), no);
    // Nor is a password an invite to anybody.
    let phone = asked("carol", "laptop", 30);
    let unknown = Outcome::Refused(EnrolRefusal::InviteUnknown);
    assert_eq!(ledger.add(&Record::CertificateGranted(phone.clone())), unknown);
    assert_eq!(
        ledger.add(&Record::CertificateEndorsed { endorsement: word(("laptop", 10), &phone), grant: phone }),
        unknown
    );
}

#[test]
fn who_has_no_password_has_no_further_device_by_one() {
    let mut ledger = realm();
    let signed_in = |ledger: &mut Ledger, phone: &Grant, by| {
        ledger.add(&Record::SignedIn { grant: phone.clone(), endorsement: word(by, phone) })
    };
    let bobs = asked("bob", "phone", 21);
    let wrong = Outcome::Refused(EnrolRefusal::PasswordWrong);
    assert_eq!(signed_in(&mut ledger, &bobs, ("laptop", 20)), wrong);
    let alices = asked("alice", "phone", 11);
    let nobodys = Outcome::Refused(EnrolRefusal::NotEndorsed);
    assert_eq!(signed_in(&mut ledger, &alices, ("laptop", 20)), nobodys, "a password alone gives nothing");
    assert_eq!(signed_in(&mut ledger, &alices, ("laptop", 10)), Outcome::Granted(alices.serial));
    assert_eq!(signed_in(&mut ledger, &alices, ("laptop", 10)), Outcome::GrantedBefore(alices.serial));
    assert_eq!(ledger.issue(alices.serial), Outcome::Issued(alices.serial));
    assert_eq!(ledger.state.device(&alices.name).unwrap().depth, 1);
    let taken = asked("alice", "phone", 12);
    let refused = Outcome::Refused(EnrolRefusal::DeviceTaken);
    assert_eq!(signed_in(&mut ledger, &taken, ("laptop", 10)), refused);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_password_is_set_by_a_device_that_is_there() {
    let mut ledger = realm();
    let mut set = |user: &str, seed| {
        let (by, password) = (device_name(user, "laptop"), verifier(seed));
        ledger.add(&Record::PasswordSet { by, password, at: START })
    };
    assert_eq!(set("alice", 5), Outcome::PasswordSet(alice()));
    assert_eq!(set("alice", 5), Outcome::LoggedBefore, "nothing changes");
    assert_eq!(set("bob", 6), Outcome::PasswordSet(device_name("bob", "x").user));
    assert_eq!(set("carol", 7), Outcome::Contradicts(JournalFault::NoDevice));
    assert_eq!(ledger.state.password(&alice()), Some(&verifier(5)));
    let (name, reason) = (device_name("alice", "laptop"), crate::tlog::ReasonCode::try_from(0).unwrap());
    ledger.add(&Record::DeviceRevoked { name, reason, force: true, at: START });
    let (by, password) = (device_name("alice", "laptop"), verifier(8));
    assert_eq!(
        ledger.add(&Record::PasswordSet { by, password, at: START }),
        Outcome::Contradicts(JournalFault::NoDevice)
    );
    assert_eq!(ledger.state.password(&alice()), Some(&verifier(5)));
    assert_eq!(ledger.replayed(), ledger.state);
}
