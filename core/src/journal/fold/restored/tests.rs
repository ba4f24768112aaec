//! Restorations: a test for RS-01, and what becomes of the log and of the invites from before.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Realm, Serial};
use crate::invite::TokenHash;
use crate::journal::Record;
use crate::journal::fold::EnrolRefusal;
use crate::journal::tests::{Ledger, grant};
use crate::testing::{START, device_name};

const BEFORE: u64 = 77;

fn restore(ledger: &mut Ledger, previous: u64) -> Outcome {
    ledger.add(&Record::Restored { previous, at: START })
}

#[test]
fn the_log_goes_on_where_the_backup_ended_and_says_so() {
    let mut ledger = Ledger::of_two();
    let (before, acts) = (ledger.state.log().head(), ledger.state.log().size());
    assert_eq!(ledger.state.generations().next(), None);
    assert_eq!(restore(&mut ledger, BEFORE), Outcome::Restored);
    let leaf = Leaf::Generation { previous: NoteName::of_log(&Realm::default(), BEFORE), head: before, at: START };
    assert_eq!(ledger.state.leaf(acts), Some(leaf.clone()));
    assert_eq!(ledger.state.generations().collect::<Vec<_>>(), [(acts, leaf)]);
    let consistency = ledger.state.log().consistency(acts, acts + 1).unwrap();
    assert_eq!(consistency.check(&before, &ledger.state.log().head()), Ok(()), "what was there is there");
    assert_eq!(restore(&mut ledger, BEFORE + 1), Outcome::Restored, "a backup of a server that was restored itself");
    assert_eq!(ledger.state.generations().map(|(index, _)| index).collect::<Vec<_>>(), [acts + 1, acts]);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn no_invite_from_before_admits_anybody() {
    let mut ledger = Ledger::of_two();
    ledger.invite(3, None);
    restore(&mut ledger, BEFORE);
    let used = |ledger: &mut Ledger, token| {
        ledger.add(&Record::CertificateGranted(grant(token, &device_name("carol", "laptop"), 30)))
    };
    assert_eq!(used(&mut ledger, 3), Outcome::Refused(EnrolRefusal::InviteExpired));
    ledger.invite(4, None);
    assert!(matches!(used(&mut ledger, 4), Outcome::Granted(_)), "a new one does");
    let again = ledger.add(&Record::CertificateGranted(grant(1, &device_name("alice", "laptop"), 10)));
    assert!(matches!(again, Outcome::GrantedBefore(Serial(_))), "an answer that was lost is given again");
    assert_eq!(ledger.state.invite(TokenHash([3; 32])).unwrap().used, None);
}

#[test]
fn nothing_is_restored_that_was_not_there() {
    let mut ledger = Ledger::of_two();
    let (own, before) = (ledger.state.position().incarnation, ledger.state.log().size());
    assert_eq!(restore(&mut ledger, own), Outcome::Contradicts(JournalFault::NotBefore));
    assert_eq!(ledger.state.log().size(), before);
    let record = Record::Restored { previous: BEFORE, at: START };
    assert_eq!(State::new(7).apply(1, &record.encode()), Ok(Outcome::Contradicts(JournalFault::NotBefore)));
}
