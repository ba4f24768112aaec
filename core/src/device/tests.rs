//! Two people and more, as they see it: calls, presence, losses. Each test is a short story over memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::time::Duration;

use super::calls::{CallEnd, CallEvent, Path};
use super::{Asked, Command, Event};
use crate::fault::CloseReason;
use crate::id::{CallId, UserName};
use crate::limits::{CALLS_MAX, LINE_BYTES_MAX, RING_TIME_MAX};
use crate::peer::SayRefusal;
use crate::testing::{Town, device_name};
use crate::wire::Code;

mod approving;
mod asking;
mod bounds;
mod conversing;
mod delivered;
mod direct;
mod doubting;
mod faulty_relay;
mod leaving;
mod open_rooms;
mod recovering;
mod renewal;
mod restored;
mod rooms;
mod rooms_meanwhile;
mod several;
mod signing_up;
mod withdrawing;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

const NO_PATIENCE: Duration = Duration::ZERO;

/// What happened in calls; whom somebody meets for the first time is for the tests of that (`calls/changed/tests.rs`).
fn call_events(events: &[Event]) -> Vec<CallEvent> {
    let call = |event: &Event| if let Event::Call(_, call) = event { Some(call.clone()) } else { None };
    events.iter().filter_map(call).filter(|call| !matches!(call, CallEvent::Met(..))).collect()
}

fn incoming(events: &[Event]) -> CallId {
    let incoming = |event: &Event| if let Event::Call(id, CallEvent::Incoming(_)) = event { Some(*id) } else { None };
    events.iter().find_map(incoming).unwrap()
}

/// Alice calls bob and he takes it: the town, both members, both calls.
fn talking() -> (Town, (usize, CallId), (usize, CallId)) {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    (town, (alice, CallId(1)), (bob, theirs))
}

#[test]
fn two_people_call_each_prove_who_they_are_and_speak_both_ways() {
    let (mut town, (alice, call), (bob, theirs)) = talking();
    town.command(alice, Command::Say(call, "hello bob".into()));
    town.command(bob, Command::Say(theirs, "hello alice".into()));
    town.command(alice, Command::Say(call, "bye".into()));
    town.command(alice, Command::HangUp(call, Code::HUNG_UP));
    let heard_by_alice = call_events(&town.news(alice));
    assert_eq!(
        heard_by_alice,
        [
            CallEvent::Ringing(device_name("bob", "laptop")),
            CallEvent::Open(device_name("bob", "laptop"), Path::Tunnel),
            CallEvent::Line(0, "hello alice".into()),
            CallEvent::Ended(CallEnd::Closed(CloseReason::Ours(Code::FINISHED))),
        ]
    );
    assert_eq!(
        call_events(&town.news(bob)),
        [
            CallEvent::Open(device_name("alice", "laptop"), Path::Tunnel),
            CallEvent::Line(0, "hello bob".into()),
            CallEvent::Line(1, "bye".into()),
            CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::FINISHED))),
        ]
    );
}

#[test]
fn glare_both_call_at_once_and_get_one_call() {
    for first in [0, 1] {
        let mut town = Town::of(&["alice", "bob"]);
        let devices = town.devices();
        let names = ["bob", "alice"];
        // Neither hears of the other's wish before both have gone out.
        for who in [first, 1 - first] {
            town.device(devices[who], super::Input::Command(Command::Call(CallId(9), user(names[who]), NO_PATIENCE)));
        }
        town.settle();
        for who in [0, 1] {
            let events = call_events(&town.news(devices[who]));
            assert!(
                matches!(events.last(), Some(CallEvent::Open(with, _)) if with.user == user(names[who])),
                "{events:?}"
            );
            assert!(!events.iter().any(|event| matches!(event, CallEvent::Ended(_))), "{events:?}");
        }
        town.command(devices[0], Command::Say(CallId(9), "one call".into()));
        assert_eq!(call_events(&town.news(devices[1])), [CallEvent::Line(0, "one call".into())]);
    }
}

#[test]
fn a_call_is_declined_unanswered_or_given_up_each_told_to_the_other() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::HangUp(theirs, Code::DECLINED));
    assert_eq!(call_events(&town.news(alice)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::DECLINED))));

    town.command(alice, Command::Call(CallId(2), user("bob"), NO_PATIENCE));
    town.wait(RING_TIME_MAX);
    assert_eq!(call_events(&town.news(alice)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::NO_ANSWER))));
    assert_eq!(call_events(&town.news(bob)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::NO_ANSWER))));

    town.command(alice, Command::Call(CallId(3), user("bob"), NO_PATIENCE));
    town.command(alice, Command::HangUp(CallId(3), Code::HUNG_UP));
    assert_eq!(call_events(&town.news(bob)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::HUNG_UP))));

    town.command(alice, Command::Call(CallId(4), user("bob"), NO_PATIENCE));
    town.cut(bob);
    assert_eq!(call_events(&town.news(alice)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::GONE))));
}

#[test]
fn unknown_offline_and_own_names_are_refused_each_for_its_own_reason() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(bob, Command::Quit);
    for (n, (name, code)) in
        [("carol", Code::NO_SUCH_USER), ("bob", Code::OFFLINE), ("alice", Code::SELF_CALL)].into_iter().enumerate()
    {
        town.command(alice, Command::Call(CallId(n as u64), user(name), NO_PATIENCE));
        assert_eq!(call_events(&town.news(alice)), [CallEvent::Ended(CallEnd::Refused(code))], "{name}");
    }
}

#[test]
fn who_is_patient_reaches_somebody_who_comes_online_later() {
    let mut town = Town::of(&["alice"]);
    let bob = town.enrol("bob");
    let alice = town.devices()[0];
    town.command(alice, Command::Call(CallId(1), user("bob"), Duration::from_secs(60)));
    assert_eq!(call_events(&town.news(alice)), [CallEvent::Waiting]);
    let bob = town.join(bob, true);
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    assert!(matches!(call_events(&town.news(alice)).last(), Some(CallEvent::Open(..))));

    let mut town = Town::of(&["alice"]);
    town.enrol("bob");
    let alice = town.devices()[0];
    town.command(alice, Command::Call(CallId(1), user("bob"), Duration::from_secs(60)));
    town.wait(Duration::from_secs(60));
    assert_eq!(call_events(&town.news(alice)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::OFFLINE))));
}

#[test]
fn presence_tells_everybody_who_comes_and_goes_and_newcomers_who_is_here() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    assert!(town.news(alice).contains(&Event::Presence(device_name("bob", "laptop"), true)));
    assert!(town.news(bob).contains(&Event::Here(vec![device_name("alice", "laptop")])));
    town.command(bob, Command::Quit);
    assert!(town.news(alice).contains(&Event::Presence(device_name("bob", "laptop"), false)));
    assert!(town.news(bob).contains(&Event::Done));
}

#[test]
fn who_lists_everybody_page_by_page_and_disturbs_nobody() {
    let mut town = Town::of(&["alice"]);
    for n in 0..crate::limits::WHO_PAGE_MAX + 3 {
        town.enrol(&format!("user-{n:03}"));
    }
    let alice = town.devices()[0];
    town.news(alice);
    let identity = town.enrol("bob");
    let asker = town.join(identity, false);
    town.command(asker, Command::Who);
    let news = town.news(asker);
    let Some(Event::Asked(Asked::People(people))) = news.last() else { panic!("{news:?}") };
    assert_eq!(people.len(), crate::limits::WHO_PAGE_MAX + 5);
    assert!(people.windows(2).all(|pair| pair[0].user < pair[1].user));
    let online: Vec<_> = people.iter().filter(|person| person.online).map(|person| person.user.as_str()).collect();
    assert_eq!(online, ["alice"]);
    assert_eq!(town.news(alice), []);
}

#[test]
fn the_newest_connection_of_a_device_replaces_the_older_one_without_a_flicker() {
    let mut town = Town::of(&["alice"]);
    let identity = town.enrol("bob");
    let older = town.join(identity.clone(), true);
    let alice = town.devices()[0];
    town.news(alice);
    let newer = town.join(identity, true);
    assert_eq!(town.news(older).last(), Some(&Event::GivenUp(CloseReason::Theirs(Code::REPLACED))));
    assert_eq!(town.news(alice), [], "nobody else sees a coming or going");
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    incoming(&town.news(newer));
}

#[test]
fn a_lost_relay_is_announced_survived_and_ends_the_calls_that_went_through_it() {
    let (mut town, (alice, _), (bob, _)) = talking();
    town.unreachable = true;
    town.cut(alice);
    let news = town.news(alice);
    assert!(news.iter().any(|event| matches!(event, Event::Offline(CloseReason::Truncated, _))), "{news:?}");
    assert_eq!(call_events(&news).last(), Some(&CallEvent::Ended(CallEnd::RelayLost)));
    assert_eq!(
        call_events(&town.news(bob)).last(),
        Some(&CallEvent::Ended(CallEnd::Closed(CloseReason::Truncated))),
        "the other end sees that it was no goodbye"
    );
    town.wait(Duration::from_secs(60));
    town.unreachable = false;
    town.wait(crate::limits::BACKOFF_MAX);
    assert!(town.news(alice).iter().any(|event| matches!(event, Event::Online(_))));
    assert!(town.news(bob).contains(&Event::Presence(device_name("alice", "laptop"), true)));
}

#[test]
fn a_quiet_connection_stays_and_a_dead_one_is_given_up() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    town.wait(crate::limits::SILENCE_TIME_MAX * 5);
    assert_eq!(town.news(alice), [], "signs of life keep it");
}

/// A review's find: who hears much and says nothing was given up by the relay every minute.
#[test]
fn whoever_only_listens_is_not_taken_for_dead() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.news(bob);
    for _ in 0..20 {
        town.wait(Duration::from_secs(10));
        town.cut(alice);
        town.wait(Duration::from_secs(1));
    }
    assert!(town.news(bob).iter().all(|event| matches!(event, Event::Presence(..))));
}

#[test]
fn a_call_to_somebody_who_calls_takes_their_call() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Call(CallId(2), user("alice"), NO_PATIENCE));
    let news = town.news(bob);
    assert!(news.contains(&Event::Call(theirs, CallEvent::Ended(CallEnd::Refused(Code::GLARE)))), "{news:?}");
    assert!(matches!(news.last(), Some(Event::Call(CallId(2), CallEvent::Open(..)))), "{news:?}");
}

#[test]
fn a_call_whose_caller_is_gone_before_it_is_up_was_not_cut() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    // The hang-up and the taking cross.
    town.device(alice, super::Input::Command(Command::HangUp(CallId(1), Code::HUNG_UP)));
    town.device(bob, super::Input::Command(Command::Accept(theirs)));
    town.settle();
    assert_eq!(call_events(&town.news(bob)).last(), Some(&CallEvent::Ended(CallEnd::Refused(Code::HUNG_UP))));
}

/// A review's find: a relay whose clock was ahead for a moment sent everybody home for good.
#[test]
fn a_certificate_is_expired_for_good_only_if_our_own_clock_says_so() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    town.server_wall = Some(town.now.wall.plus(crate::limits::DEVICE_LIFETIME * 2));
    town.command(alice, Command::Who);
    town.server_wall = None;
    let expired = CloseReason::Theirs(Code::EXPIRED);
    let news = town.news(alice);
    let said = |event: &Event| *event == Event::Lapsed(Some(expired));
    assert!(news.iter().any(said), "{news:?}");
    assert!(!news.iter().any(|event| matches!(event, Event::GivenUp(_))), "{news:?}");
    town.wait(crate::limits::BACKOFF_MAX);
    let news = town.news(alice);
    assert!(matches!(news.iter().find(|event| !matches!(event, Event::Listed(_))), Some(Event::Online(_))), "{news:?}");
}

#[test]
fn nobody_makes_others_ring_without_end_by_coming_and_going_either() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, _] = town.devices()[..] else { panic!("two devices") };
    let call = |town: &mut Town, n| {
        town.command(alice, Command::Call(CallId(n), user("bob"), NO_PATIENCE));
        town.command(alice, Command::HangUp(CallId(n), Code::HUNG_UP));
        call_events(&town.news(alice)).pop()
    };
    let most = u64::from(crate::limits::INTRODUCTIONS_MAX);
    for n in 0..most {
        assert_eq!(call(&mut town, n), Some(CallEvent::Ended(CallEnd::Refused(Code::HUNG_UP))));
    }
    town.cut(alice);
    town.wait(crate::limits::BACKOFF_MIN);
    assert_eq!(call(&mut town, most), Some(CallEvent::Ended(CallEnd::Refused(Code::TOO_MANY_CALLS))));
    town.wait(crate::limits::INTRODUCTIONS_SPAN);
    assert_eq!(call(&mut town, most + 1), Some(CallEvent::Ended(CallEnd::Refused(Code::HUNG_UP))));
}

#[test]
fn whoever_comes_and_goes_without_end_is_not_announced_without_end() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    let identity = town.enrol("bob");
    town.news(alice);
    let come = |town: &mut Town| {
        let bob = town.join(identity.clone(), true);
        let news = town.news(bob);
        town.command(bob, Command::Quit);
        town.wait(crate::limits::KEY_OPERATIONS_SPAN);
        news
    };
    for _ in 0..crate::limits::ATTENDANCES_MAX {
        assert!(come(&mut town).iter().any(|event| matches!(event, Event::Here(_))));
    }
    assert_eq!(town.news(alice).len(), 2 * crate::limits::ATTENDANCES_MAX as usize);
    let busy = CloseReason::Theirs(Code::BUSY);
    let news = come(&mut town);
    assert!(matches!(news.last(), Some(Event::Offline(reason, _)) if *reason == busy), "{news:?}");
    assert_eq!(town.news(alice), []);
    town.wait(crate::limits::ATTENDANCES_SPAN);
    assert!(come(&mut town).iter().any(|event| matches!(event, Event::Here(_))));
}

#[test]
fn a_relay_that_is_lost_before_it_answers_leaves_no_deadline_behind() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.lose_wire(alice);
    town.wait(crate::limits::SILENCE_TIME_MAX.saturating_sub(Duration::from_secs(5)));
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    town.unreachable = true;
    town.wait(Duration::from_secs(30));
    assert!(matches!(call_events(&town.news(alice)).last(), Some(CallEvent::Ended(_))));
}

#[test]
fn a_call_ends_with_the_other_ends_certificate() {
    let (mut town, (alice, _), (bob, _)) = talking();
    town.news(bob);
    town.news(alice);
    // Nothing becomes durable any more, so nobody's certificate is renewed.
    town.hold = true;
    town.wait(crate::limits::DEVICE_LIFETIME + Duration::from_secs(2));
    for who in [alice, bob] {
        assert!(matches!(call_events(&town.news(who)).last(), Some(CallEvent::Ended(_))));
    }
}

#[test]
fn a_stranger_on_the_way_does_not_end_a_member_for_good() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    let conn = town.conn_of(alice);
    // A fatal alert in the clear, which is no alert of an open connection and ends it; and then one while greeting.
    town.device(alice, super::Input::Received(conn, &[21, 3, 3, 0, 2, 2, 42]));
    town.settle();
    town.wait(crate::limits::BACKOFF_MAX);
    let news = town.news(alice);
    assert!(!news.iter().any(|event| matches!(event, Event::GivenUp(_))), "{news:?}");
    assert!(matches!(news.last(), Some(Event::Here(_) | Event::Online(_))), "{news:?}");
}

#[test]
fn a_long_monologue_meets_backpressure_and_arrives_whole() {
    let (mut town, (alice, call), (bob, _)) = talking();
    town.news(alice);
    town.news(bob);
    let line = "x".repeat(LINE_BYTES_MAX);
    let mut said = 0;
    // Nothing moves between the lines, so the outbox fills.
    loop {
        town.device(alice, super::Input::Command(Command::Say(call, line.clone())));
        let mut denied = false;
        while let Some(output) = town.poll_only(alice) {
            denied |= output;
        }
        if denied {
            break;
        }
        said += 1;
        assert!(said < 1000, "no queue is without a bound");
    }
    town.settle();
    let heard = call_events(&town.news(bob));
    assert_eq!(heard.len(), said);
    assert!(heard.iter().enumerate().all(|(n, event)| *event == CallEvent::Line(n as u64, line.clone())));
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_call_goes_on() {
    let (mut town, (alice, call), (bob, _)) = talking();
    town.news(bob);
    town.command(alice, Command::Say(call, "x".repeat(LINE_BYTES_MAX + 1)));
    let denied = Event::Denied(call, super::calls::CallDenied::Say(SayRefusal::TooLong));
    assert!(town.news(alice).contains(&denied));
    town.command(alice, Command::Say(call, "short".into()));
    assert_eq!(call_events(&town.news(bob)), [CallEvent::Line(0, "short".into())]);
}

#[test]
fn too_many_calls_are_refused() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    for n in 0..=CALLS_MAX {
        town.enrol(&format!("user-{n}"));
        let call = Command::Call(CallId(n as u64), user(&format!("user-{n}")), Duration::from_secs(60));
        town.command(alice, call);
    }
    let denied = Event::Denied(CallId(CALLS_MAX as u64), super::calls::CallDenied::TooMany);
    assert!(town.news(alice).contains(&denied));
}

#[test]
fn lines_of_one_turn_are_sealed_once_in_the_tunnel_too() {
    let (mut town, (alice, call), (bob, _)) = talking();
    town.news(bob);
    let conn = town.conn_of(alice);
    let mut sent = |lines: u8| {
        for _ in 0..lines {
            town.device(alice, super::Input::Command(Command::Say(call, "x".into())));
        }
        town.outbound_of(alice, conn).len()
    };
    let (one, many) = (sent(1), sent(20));
    // Length, version, kind, number, and the text with its length: no record comes with each line, nor a message.
    let frames = 19 * (4 + 1 + 1 + 1 + 2);
    assert!(many < one + frames + crate::limits::RECORD_OVERHEAD_BYTES, "{one} and {many}");
}

#[test]
fn quitting_in_a_call_delivers_what_was_said() {
    let (mut town, (alice, call), (bob, _)) = talking();
    town.device(alice, super::Input::Command(Command::Say(call, "last words".into())));
    town.device(alice, super::Input::Command(Command::Quit));
    town.settle();
    let heard = call_events(&town.news(bob));
    assert!(heard.contains(&CallEvent::Line(0, "last words".into())));
    assert_eq!(heard.last(), Some(&CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::FINISHED)))));
    assert_eq!(town.news(alice).last(), Some(&Event::Done));
    assert!(town.closings().contains(&CloseReason::Theirs(Code::FINISHED)));
}

#[test]
fn a_goodbye_that_nobody_answered_is_no_good_end() {
    for (cut_own, end) in [(false, CallEnd::Closed(CloseReason::Truncated)), (true, CallEnd::RelayLost)] {
        let (mut town, (alice, call), (bob, _)) = talking();
        town.device(alice, super::Input::Command(Command::HangUp(call, Code::HUNG_UP)));
        town.cut(if cut_own { alice } else { bob });
        assert_eq!(call_events(&town.news(alice)).last(), Some(&CallEvent::Ended(end)));
    }
}

#[test]
fn a_goodbye_is_answered_though_the_one_who_answers_has_no_credit_left() {
    let (mut town, (alice, call), (bob, theirs)) = talking();
    town.news(alice);
    let line = "x".repeat(LINE_BYTES_MAX);
    // Far more than the tunnel's window, and nothing moves meanwhile.
    for _ in 0..7 {
        town.device(bob, super::Input::Command(Command::Say(theirs, line.clone())));
    }
    town.device(alice, super::Input::Command(Command::HangUp(call, Code::HUNG_UP)));
    town.settle();
    let heard = call_events(&town.news(alice));
    assert_eq!(heard.len(), 8, "what was said before the goodbye came is heard");
    assert_eq!(heard.last(), Some(&CallEvent::Ended(CallEnd::Closed(CloseReason::Ours(Code::FINISHED)))));
    assert_eq!(
        call_events(&town.news(bob)).last(),
        Some(&CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::FINISHED))))
    );
    town.command(bob, Command::Call(CallId(2), user("alice"), NO_PATIENCE));
    incoming(&town.news(alice));
}
