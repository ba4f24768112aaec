//! A server that was restored from a backup: who goes on with it, who does not before a person says so, and what is revoked
//! again.

use std::time::Duration;

use super::*;
use crate::device::{Identity, LogRefusal};
use crate::fault::Fault;
use crate::operator::{Answer, Command as Operator, Revoke};
use crate::tlog::{NoteName, ReasonCode};
use crate::tls::Lists;
use crate::wire::relay::RelayRequest;

/// A realm before its server was lost, and what is left of it.
struct Lost {
    /// Alice as she was last online, who has seen all that happened.
    alice: Identity,
    /// Dave as he was at the time of the backup.
    dave: Identity,
    /// Bob, who was revoked after it, and Carol, who came after it.
    bob: Identity,
    carol: Identity,
    backup: Vec<Vec<u8>>,
}

impl Lost {
    fn new() -> Self {
        let mut town = Town::new();
        let [alice, bob, dave] = ["alice", "bob", "dave"].map(|name| town.enrol(name));
        let backup = town.journal.clone();
        let member = town.join(alice, true);
        revoke(&mut town, &bob);
        let carol = town.enrol("carol");
        // Her coming is in the log, which Alice asks for each hour.
        town.wait(crate::limits::LOG_WATCH_SPAN + Duration::from_secs(1));
        let alice = town.machine(member).identity.clone();
        assert_eq!(alice.log.seen(), town.server.state().log().size());
        Self { alice, dave, bob, carol, backup }
    }

    /// The server as it was restored a day later.
    fn restored(&self) -> Town {
        Town::restored(self.backup.clone(), Duration::from_hours(24))
    }
}

fn revoke(town: &mut Town, who: &Identity) {
    let (user, device, reason) = (who.name.user.clone(), Some(who.name.device.clone()), ReasonCode::new(1).unwrap());
    let answer = town.operator(&Operator::Revoke(Revoke { user, device, reason, force: true }));
    assert!(matches!(answer, Answer::Revoked { .. }), "{answer:?}");
}

fn log_of(town: &Town) -> NoteName {
    NoteName::of_log(town.server.realm(), town.server.state().position().incarnation)
}

/// Joins, with the person's word for the log or without it: what was told.
fn join(town: &mut Town, who: &Identity, accepts: bool) -> Vec<Event> {
    let mut identity = who.clone();
    if accepts {
        identity.log.accept(log_of(town));
    }
    let member = town.join(identity, true);
    town.news(member)
}

fn is_online(told: &[Event]) -> bool {
    told.iter().any(|event| matches!(event, Event::Online(_)))
        && !told.iter().any(|event| matches!(event, Event::GivenUp(_)))
}

#[test]
fn whoever_has_seen_no_more_than_the_backup_goes_on_and_is_told_so() {
    let lost = Lost::new();
    let mut town = lost.restored();
    let told = join(&mut town, &lost.dave, false);
    assert!(is_online(&told), "{told:?}");
    let Some(Event::AnotherLog(followed)) = told.iter().find(|event| matches!(event, Event::AnotherLog(_))) else {
        panic!("{told:?}")
    };
    assert!(followed.checkpoint.starts_with(log_of(&town).as_str()));
}

#[test]
fn whoever_has_seen_more_leaves_until_their_person_takes_the_log_as_it_is() {
    let lost = Lost::new();
    let mut town = lost.restored();
    let kept = u64::try_from(lost.backup.len()).unwrap();
    let told = join(&mut town, &lost.alice, false);
    let refusal =
        told.iter().find_map(|event| if let Event::LogRefused(refusal) = event { Some(refusal) } else { None });
    let Some(LogRefusal::Restored(restored)) = refusal else { panic!("{told:?}") };
    assert_eq!((restored.log.clone(), restored.seen), (log_of(&town), lost.alice.log.seen()));
    let before = town.server.state().generations().next().unwrap().0;
    assert_eq!(restored.kept, Some(before), "of {kept} records");
    assert!(told.contains(&Event::GivenUp(CloseReason::Fault(Fault::History))), "for good: {told:?}");
    let told = join(&mut town, &lost.alice, true);
    assert!(is_online(&told) && told.iter().any(|event| matches!(event, Event::AnotherLog(_))), "{told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Unasked(_))), "nothing is new to her: {told:?}");
}

#[test]
fn what_was_revoked_after_the_backup_is_revoked_again_by_a_list_that_a_member_has() {
    let lost = Lost::new();
    let mut town = lost.restored();
    assert!(town.server.state().revoked(&lost.bob.name).is_none(), "forgotten");
    assert!(is_online(&join(&mut town, &lost.bob, false)), "whoever stole it is in again");
    // Though she does not go on with the log.
    let told = join(&mut town, &lost.alice, false);
    assert!(!is_online(&told));
    let revoked = *town.server.state().revoked(&lost.bob.name).expect("revoked again");
    assert_eq!(revoked.reason, ReasonCode::new(1).unwrap());
    let numbers = |lists: &Lists| lists.number().unwrap();
    let (before, now) = (numbers(&lost.alice.lists), town.server.state().lists().values().next().unwrap().number);
    assert!(now > before + 1_000_000, "{now} is far beyond {before}, however fast those were signed");
    let bob = town.devices().first().copied().unwrap();
    let told = town.news(bob);
    assert!(told.contains(&Event::GivenUp(CloseReason::Theirs(Code::REVOKED))), "{told:?}");
    let others = [&lost.alice, &lost.dave].map(|who| town.server.state().revoked(&who.name));
    assert_eq!(others, [None, None]);
    let records = town.journal.len();
    join(&mut town, &lost.alice, true);
    assert_eq!(town.journal.len(), records, "once");
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn whoever_came_after_the_backup_is_told_that_nobody_knows_them() {
    let lost = Lost::new();
    let mut town = lost.restored();
    let told = join(&mut town, &lost.carol, false);
    assert!(told.contains(&Event::GivenUp(CloseReason::Theirs(Code::UNKNOWN_DEVICE))), "{told:?}");
    let told = join(&mut town, &lost.carol, true);
    assert!(told.contains(&Event::GivenUp(CloseReason::Theirs(Code::UNKNOWN_DEVICE))), "{told:?}");
}

#[test]
fn whoever_has_renewed_since_the_backup_is_given_another_certificate_for_the_same_key() {
    let mut town = Town::new();
    let alice = town.enrol("alice");
    let backup = town.journal.clone();
    let member = town.join(alice, true);
    town.wait(Duration::from_hours(48));
    town.command(member, Command::Renew);
    let alice = town.machine(member).identity.clone();
    let first = *town.server.state().device(&alice.name).unwrap();
    let mut town = Town::restored(backup, Duration::from_hours(72));
    assert_ne!(town.server.state().device(&alice.name).unwrap().serial, first.serial);

    // She has seen her renewal in the log, so her person decides first.
    let told = join(&mut town, &alice, false);
    let is_restored = |event: &&Event| matches!(event, Event::LogRefused(LogRefusal::Restored(_)));
    assert!(!is_online(&told) && told.iter().any(|event| is_restored(&event)), "{told:?}");
    let told = join(&mut town, &alice, true);
    assert!(is_online(&told) && told.iter().any(|event| matches!(event, Event::Renewed(_))), "{told:?}");
    let device = *town.server.state().device(&alice.name).unwrap();
    assert_eq!((device.key, town.server.state().revoked(&alice.name)), (first.key, None));
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn a_list_that_no_ca_of_the_realm_has_signed_revokes_nobody_and_ends_the_connection() {
    let lost = Lost::new();
    let mut town = lost.restored();
    let member = town.join(lost.dave.clone(), true);
    let mut lists = lost.alice.lists.kept();
    assert_eq!(lists.0.len(), 1);
    // Its signature is the last of it.
    *lists.0[0].list.last_mut().unwrap() ^= 1;
    town.machine(member).session.request(&RelayRequest::ListsBefore(lists));
    town.command(member, Command::Who);
    assert!(town.server.state().revoked(&lost.bob.name).is_none());
    assert!(town.closings().contains(&CloseReason::Fault(Fault::Lists)), "{:?}", town.closings());
}
