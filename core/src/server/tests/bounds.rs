//! The bounds of the server as a whole, each at its value and one beyond.
#![allow(clippy::indexing_slicing, reason = "a test may stop at once")]

use std::time::Duration;

use super::super::*;
use crate::device::calls::{CallEnd, CallEvent};
use crate::device::enrol::EnrolResult;
use crate::device::{self, Event};
use crate::fault::CloseReason;
use crate::id::CallId;
use crate::limits::{
    APPENDS_PENDING_MAX, CONNECTIONS_PER_DEVICE_MAX, INVITES_OPEN_MAX, ISSUING_LIFETIME, PING_AFTER, RENEWAL_RETRY,
};
use crate::operator::{Answer, Command as Operator, OperatorRefusal};
use crate::testing::{Town, device_name, rng};

fn times(town: &Town, reason: CloseReason) -> usize {
    town.closings().iter().filter(|closing| **closing == reason).count()
}

fn strangers_come(town: &mut Town, first: u64, count: u64) {
    for n in first..first + count {
        town.server.handle(Input::Opened(ConnId(n), Source::default()), town.now, &mut rng(1));
    }
    town.settle();
}

#[test]
fn what_the_operator_chose_is_obeyed() {
    let settings = Settings {
        connections_max: 4,
        strangers_max: 2,
        handshake_time: Duration::from_secs(2),
        silence_time: Duration::from_secs(41),
        ring_time: Duration::from_secs(7),
        ..Settings::default()
    };
    let mut town = Town::new();
    town.server.choose(settings);
    for name in ["alice", "bob"] {
        let identity = town.enrol(name);
        town.join(identity, true);
    }
    assert_eq!(town.server.settings(), &settings);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    strangers_come(&mut town, 900, 3);
    assert_eq!(times(&town, CloseReason::Ours(Code::FULL)), 1, "two strangers and no more");
    assert_eq!(town.server.connections(), 4);

    let called = town.now.mono;
    let call = device::Command::Call(CallId(1), device_name("bob", "laptop").user, Duration::ZERO);
    town.command(alice, call);
    town.wait(Duration::from_millis(1_999));
    assert_eq!(times(&town, CloseReason::TimedOut), 0);
    town.wait(Duration::from_millis(1));
    assert_eq!(times(&town, CloseReason::TimedOut), 2, "the other two strangers");

    let no_answer = Event::Call(CallId(1), CallEvent::Ended(CallEnd::Refused(Code::NO_ANSWER)));
    town.wait(Duration::from_millis(4_999));
    assert!(!town.news(alice).contains(&no_answer));
    town.wait(Duration::from_millis(1));
    assert!(town.news(alice).contains(&no_answer));
    assert_eq!(town.now.mono.since(called), Duration::from_secs(7));

    town.lose_wire(bob);
    town.wait(Duration::from_secs(41));
    assert_eq!(times(&town, CloseReason::TimedOut), 3, "bob was silent");
    assert!(town.news(alice).contains(&Event::Presence(device_name("bob", "laptop"), false)));
}

#[test]
fn a_full_server_turns_the_next_one_away() {
    let mut town = Town::of(&["alice"]);
    town.server.choose(Settings { connections_max: 3, strangers_max: 2, ..Settings::default() });
    strangers_come(&mut town, 900, 2);
    assert_eq!(town.server.connections(), 3);
    // A stranger's place is found at another's cost; but a member who comes back needs none of those.
    strangers_come(&mut town, 902, 1);
    assert_eq!((town.server.connections(), times(&town, CloseReason::Ours(Code::FULL))), (3, 1));
    assert!(!town.notes.iter().any(|note| matches!(note, Note::TurnedAway(_))));
    // However far strangers are from their own bound: where all places are taken, one of theirs is found.
    town.server.choose(Settings { connections_max: 3, strangers_max: 3, ..Settings::default() });
    strangers_come(&mut town, 903, 1);
    assert_eq!((town.server.connections(), times(&town, CloseReason::Ours(Code::FULL))), (3, 2));
    // Members yield to nobody.
    town.server.choose(Settings { connections_max: 1, strangers_max: 1, ..Settings::default() });
    town.wait(Duration::from_secs(20));
    assert_eq!(town.server.connections(), 1);
    strangers_come(&mut town, 904, 1);
    assert!(town.notes.contains(&Note::TurnedAway(ConnId(904))), "one connection and no more");
}

#[test]
fn settings_out_of_bounds_are_not_taken() {
    let wrong = Settings { strangers_max: 0, ..Settings::default() };
    let refusal = Town::new().server.with_settings(wrong).expect_err("no stranger at all could ever come in");
    assert_eq!(refusal.setting(), settings::Setting::StrangersMax);
}

#[test]
fn so_many_invites_are_open_and_no_more() {
    let mut town = Town::new();
    let invite = Operator::Invite { user: None, lifetime: Duration::from_secs(60) };
    for _ in 0..INVITES_OPEN_MAX {
        assert!(matches!(town.operator(&invite), Answer::Invite(..)));
    }
    assert_eq!(town.operator(&invite), Answer::Refused(OperatorRefusal::TooMany));
    town.wait(Duration::from_secs(61));
    assert!(matches!(town.operator(&invite), Answer::Invite(..)), "those that have expired are not open");
}

#[test]
fn a_device_has_so_many_connections_and_the_oldest_that_does_not_attend_yields() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    town.join(identity.clone(), true);
    for _ in 1..CONNECTIONS_PER_DEVICE_MAX {
        town.join(identity.clone(), false);
    }
    assert_eq!((town.server.connections(), times(&town, CloseReason::Ours(Code::REPLACED))), (4, 0));
    town.join(identity, false);
    assert_eq!(times(&town, CloseReason::Ours(Code::REPLACED)), 1);
    let members = town.devices();
    let replaced =
        |town: &mut Town, member| town.news(member).contains(&Event::GivenUp(CloseReason::Theirs(Code::REPLACED)));
    assert!(!replaced(&mut town, members[0]), "it attends");
    assert!(replaced(&mut town, members[1]), "the oldest of the others");
}

#[test]
fn so_many_enrolments_wait_for_the_disk_and_the_next_is_told_to_come_again() {
    let mut town = Town::new();
    let links: Vec<_> = (0..=APPENDS_PENDING_MAX).map(|_| town.invite(None)).collect();
    town.hold = true;
    let newcomers: Vec<usize> = links
        .into_iter()
        .enumerate()
        .map(|(n, link)| {
            let key = SecretKey::draw(&mut rng(1_000 + n as u64));
            let newcomer = town.begin_enrolment(link, device_name(&format!("user-{n:03}"), "laptop"), key);
            // One after the other, each in its turn.
            town.wait(Duration::from_millis(5));
            newcomer
        })
        .collect();
    assert_eq!(town.held.len(), APPENDS_PENDING_MAX);
    let (last, others) = newcomers.split_last().expect("there are newcomers");
    assert!(matches!(town.enrolment_result(*last), Some(EnrolResult::Refused(Code::BUSY, _))));
    town.release();
    let enrolled = |newcomer: &&usize| matches!(town.enrolment_result(**newcomer), Some(EnrolResult::Enrolled(_)));
    assert_eq!(others.iter().filter(enrolled).count(), APPENDS_PENDING_MAX);
}

#[test]
fn a_device_asks_for_a_sign_of_life_in_time() {
    let mut town = Town::of(&["alice"]);
    let conn = town.wire_of(town.devices()[0]);
    let (begun, heard) = (town.now.mono, |town: &Town| town.server.conns.get(&conn).map(|known| known.heard));
    town.wait(PING_AFTER.saturating_sub(Duration::from_micros(1)));
    assert_eq!(heard(&town), Some(begun));
    town.wait(Duration::from_micros(1));
    assert_eq!(heard(&town), Some(begun.plus(PING_AFTER)));
}

#[test]
fn a_renewal_of_the_relays_certificate_that_fails_is_tried_again_after_a_while() {
    let mut town = Town::new();
    // No leaf outlives its issuer, and this one's time is nearly over.
    town.wait(ISSUING_LIFETIME);
    let is_alarm = |note: &&Note| matches!(note, Note::Alarm(why) if why.starts_with("the relay's certificate"));
    let alarms = |town: &Town| town.notes.iter().filter(is_alarm).count();
    while alarms(&town) == 0 {
        town.wait(Duration::from_secs(60 * 60));
        assert!(town.now.wall < crate::testing::START.plus(2 * ISSUING_LIFETIME), "it was never tried");
    }
    let first = alarms(&town);
    town.wait(RENEWAL_RETRY.saturating_sub(Duration::from_secs(60 * 60 + 1)));
    assert_eq!(alarms(&town), first);
    town.wait(Duration::from_secs(60 * 60 + 1));
    assert_eq!(alarms(&town), first + 1);
}
