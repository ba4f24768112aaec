//! What the fold makes of renewals: one test for each RN check, and that the device's newest certificate stays one that is
//! there.

use std::time::Duration;

use super::*;
use crate::journal::renewal::may_renew;
use crate::journal::{RenewRefusal, Renewal};
use crate::limits::{CERTIFICATES_PER_DEVICE_MAX, RENEWAL_GRACE, RENEWAL_SPACING};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Alice's certificate, which was issued at the start.
fn with_alice() -> (Ledger, Serial) {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    let first = serial(&ledger.grant(1, &device_name("alice", "laptop"), 10));
    assert_eq!(ledger.issue(first), Outcome::Issued(first));
    (ledger, first)
}

fn number(n: u8) -> Serial {
    Serial([0x40 | n; 16])
}

fn renewal(of: Serial, n: u8, at: Wall) -> Record {
    let not_before = at.minus(Duration::from_secs(300));
    Record::CertificateRenewed { of, serial: number(n), not_before, not_after: at.plus(DEVICE_LIFETIME), at }
}

/// Alice's certificate is renewed, and asked for once more; bob's is too old.
pub(super) fn add_golden(ledger: &mut Ledger) {
    let [alice, bob] = [("alice", "laptop"), ("bob", "desk")]
        .map(|(user, device)| ledger.state.device(&device_name(user, device)).unwrap().serial);
    let at = START.plus(DAY * 60);
    ledger.add(&renewal(alice, 1, at));
    ledger.issue(number(1));
    ledger.add(&renewal(alice, 2, at));
    ledger.add(&renewal(bob, 3, at.plus(DAY * 100)));
}

fn newest(ledger: &Ledger) -> Serial {
    ledger.state.device(&device_name("alice", "laptop")).unwrap().serial
}

#[test]
fn a_renewal_is_the_same_name_key_and_token_and_the_newest_once_it_is_issued() {
    let (mut ledger, first) = with_alice();
    let at = START.plus(DAY * 60);
    assert_eq!(ledger.add(&renewal(first, 1, at)), Outcome::Granted(number(1)));
    assert_eq!(newest(&ledger), first, "until it is signed the old one is shown");
    assert_eq!(ledger.state.unissued().collect::<Vec<_>>(), [number(1)]);
    assert_eq!(ledger.issue(number(1)), Outcome::Issued(number(1)));
    assert_eq!(newest(&ledger), number(1));
    let [before, now] = [first, number(1)].map(|serial| ledger.state.progress(serial).unwrap().clone());
    assert_eq!(now.basis, Basis::Renewed);
    assert_eq!(
        (&now.grant.name, &now.grant.key, now.grant.token),
        (&before.grant.name, &before.grant.key, before.grant.token)
    );
    assert_eq!((now.grant.at, now.grant.not_after), (at, at.plus(DEVICE_LIFETIME)));
    let Some((_, Leaf::DeviceCertificate(said))) = ledger.state.logged(number(1)) else { panic!("not logged") };
    assert_eq!((said.basis, said.serial), (Basis::Renewed, number(1)));
    assert!(ledger.state.logged(first).is_some(), "the old one stays one that was issued");
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn only_what_was_issued_is_renewed() {
    let (mut ledger, _) = with_alice();
    ledger.invite(2, None);
    let unissued = serial(&ledger.grant(2, &device_name("bob", "desk"), 11));
    let before = ledger.state.grants.clone();
    for (n, of) in [(1, number(9)), (2, unissued)] {
        let outcome = ledger.add(&renewal(of, n, START.plus(DAY * 60)));
        assert_eq!(outcome, Outcome::NotRenewed(RenewRefusal::Unknown));
    }
    assert_eq!(ledger.state.grants, before);
}

#[test]
fn a_renewal_asked_for_twice_is_one() {
    let (mut ledger, first) = with_alice();
    let at = START.plus(DAY * 60);
    assert_eq!(ledger.add(&renewal(first, 1, at)), Outcome::Granted(number(1)));
    assert_eq!(ledger.add(&renewal(first, 2, at)), Outcome::GrantedBefore(number(1)), "it is being signed");
    assert_eq!(ledger.issue(number(1)), Outcome::Issued(number(1)));
    assert_eq!(ledger.add(&renewal(first, 3, at)), Outcome::GrantedBefore(number(1)), "the answer was lost");
    // An old certificate stands for the newest, but no record names it as that.
    let late = at.plus(DAY * 60);
    assert_eq!(may_renew(&ledger.state, first, late.plus(DEVICE_LIFETIME), late), Ok(Renewal::Of(number(1))));
    assert_eq!(ledger.add(&renewal(first, 4, late)), Outcome::GrantedBefore(number(1)));
    assert_eq!(ledger.add(&renewal(number(1), 5, late)), Outcome::Granted(number(5)));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn beyond_the_grace_nothing_is_renewed() {
    let (mut ledger, first) = with_alice();
    let last = START.plus(DEVICE_LIFETIME + RENEWAL_GRACE);
    let late = last.plus(Duration::from_secs(1));
    assert_eq!(ledger.add(&renewal(first, 1, late)), Outcome::NotRenewed(RenewRefusal::TooLate));
    assert_eq!(ledger.add(&renewal(first, 2, last)), Outcome::Granted(number(2)));
}

#[test]
fn what_was_revoked_is_not_renewed() {
    let (mut ledger, first) = with_alice();
    let (name, reason) = (device_name("alice", "laptop"), crate::tlog::ReasonCode::new(1).unwrap());
    ledger.add(&Record::DeviceRevoked { name, reason, force: true, at: START });
    let at = START.plus(DAY * 60);
    assert_eq!(ledger.add(&renewal(first, 1, at)), Outcome::NotRenewed(RenewRefusal::Revoked));
    assert_eq!(RenewRefusal::Revoked.code(), crate::wire::Code::REVOKED);
}

#[test]
fn a_fresh_certificate_is_its_own_renewal() {
    let (mut ledger, first) = with_alice();
    let fresh = START.plus(RENEWAL_SPACING.saturating_sub(Duration::from_secs(1)));
    assert_eq!(ledger.add(&renewal(first, 1, fresh)), Outcome::GrantedBefore(first));
    // One of the future is of no use, however fresh it is: the server's clock was ahead.
    let behind = START.minus(DAY);
    assert_eq!(ledger.add(&renewal(first, 2, behind)), Outcome::Granted(number(2)));
    let (mut ledger, first) = with_alice();
    assert_eq!(ledger.add(&renewal(first, 3, START.plus(RENEWAL_SPACING))), Outcome::Granted(number(3)));
}

#[test]
fn a_device_that_renews_each_day_has_few_certificates_that_hold() {
    let (mut ledger, mut newest) = with_alice();
    let mut held = 0;
    for n in 1..200 {
        let at = START.plus(DAY * n);
        let mut serial = Serial([0x40; 16]);
        serial.0[15] = u8::try_from(n).unwrap();
        let (not_before, not_after) = (at.minus(Duration::from_secs(300)), at.plus(DEVICE_LIFETIME));
        if ledger.add(&Record::CertificateRenewed { of: newest, serial, not_before, not_after, at })
            == Outcome::Granted(serial)
        {
            ledger.issue(serial);
            newest = serial;
        }
        let holding = ledger.state.grants().filter(|progress| progress.grant.not_after >= at).count();
        held = holding.max(held);
        let left = ledger.state.progress(newest).unwrap().grant.not_after.since(at);
        assert!(left >= DEVICE_LIFETIME / 3, "there is always one with time left: {left:?} on day {n}");
    }
    // One more while the newest is in its last third.
    assert_eq!(held, CERTIFICATES_PER_DEVICE_MAX + 1);
}

#[test]
fn a_renewal_that_gains_nothing_is_none() {
    let (mut ledger, first) = with_alice();
    let at = START.plus(DAY * 60);
    let until = |n: u8, not_after: Wall| Record::CertificateRenewed {
        of: first,
        serial: number(n),
        not_before: at,
        not_after,
        at,
    };
    let ends = START.plus(DEVICE_LIFETIME);
    assert_eq!(ledger.add(&until(1, ends)), Outcome::GrantedBefore(first), "its issuer ends as early");
    assert_eq!(ledger.add(&until(2, ends.plus(DAY))), Outcome::Granted(number(2)));
}

#[test]
fn a_number_that_is_in_use_is_no_renewals() {
    let (mut ledger, first) = with_alice();
    let at = START.plus(DAY * 60);
    let record = Record::CertificateRenewed {
        of: first,
        serial: first,
        not_before: at,
        not_after: at.plus(DEVICE_LIFETIME),
        at,
    };
    assert_eq!(ledger.add(&record), Outcome::Contradicts(JournalFault::SerialTwice));
}
