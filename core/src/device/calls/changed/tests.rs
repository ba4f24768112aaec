//! People who are met, met again, and met as somebody else.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use crate::device::calls::{CallEnd, CallEvent};
use crate::device::{Acquaintances, Command, Event, Met};
use crate::id::{CallId, KeyId, UserName};
use crate::testing::{START, Town, device_name};
use crate::tlog::Founder;
use crate::wire::Code;

const CALL: CallId = CallId(1);

/// What a member is told of calls.
fn told(town: &mut Town, member: usize) -> Vec<CallEvent> {
    let call = |event| if let Event::Call(_, call) = event { Some(call) } else { None };
    town.news(member).into_iter().filter_map(call).collect()
}

fn user(name: &str) -> UserName {
    device_name(name, "laptop").user
}

/// Alice's memory of somebody else under the name of bob.
fn another() -> (Acquaintances, Met) {
    let met = Met { founder: Founder { key: KeyId([7; 32]), reissued: None }, since: START };
    let mut all = Acquaintances::default();
    assert!(all.meet(&user("bob"), met));
    (all, met)
}

fn calls(town: &mut Town, who: usize, whom: &str) {
    town.command(who, Command::Call(CALL, user(whom), Duration::ZERO));
}

fn takes(town: &mut Town, member: usize) -> Vec<CallEvent> {
    let news = town.news(member);
    let incoming = |event: &Event| if let Event::Call(id, CallEvent::Incoming(_)) = event { Some(*id) } else { None };
    let id = news.iter().find_map(incoming).expect("it rings");
    town.command(member, Command::Accept(id));
    told(town, member)
}

#[test]
fn who_is_met_for_the_first_time_is_kept_before_they_are_said_to_be_there_and_then_known() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    let key = town.replayed().device(&device_name("bob", "laptop")).unwrap().key;
    calls(&mut town, alice, "bob");
    takes(&mut town, bob);
    let events = told(&mut town, alice);
    let [CallEvent::Ringing(_), CallEvent::Met(name, met), CallEvent::Open(..)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((name, met.founder.key, met.since), (&user("bob"), key, START));
    town.command(alice, Command::HangUp(CALL, Code::HUNG_UP));
    told(&mut town, alice);
    calls(&mut town, alice, "bob");
    takes(&mut town, bob);
    let events = told(&mut town, alice);
    assert!(matches!(events[..], [CallEvent::Ringing(_), CallEvent::Open(..)]), "{events:?}");
}

#[test]
fn a_call_to_somebody_who_is_not_who_they_were_is_not_made() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    let (all, before) = another();
    town.machine(alice).calls.set_acquaintances(all);
    calls(&mut town, alice, "bob");
    let name = device_name("bob", "laptop");
    let refused = CallEvent::Ended(CallEnd::Refused(Code::CHANGED));
    assert_eq!(told(&mut town, alice), [CallEvent::Changed(name, before), refused.clone()]);
    let theirs = told(&mut town, bob);
    assert!(matches!(&theirs[..], [CallEvent::Incoming(_), end] if *end == refused), "{theirs:?}");
}

#[test]
fn a_call_from_somebody_who_is_not_who_they_were_does_not_ring_and_both_are_told() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    let (all, before) = another();
    town.machine(alice).calls.set_acquaintances(all);
    calls(&mut town, bob, "alice");
    let name = device_name("bob", "laptop");
    let refused = CallEvent::Ended(CallEnd::Refused(Code::CHANGED));
    assert_eq!(told(&mut town, alice), [CallEvent::Changed(name, before), refused.clone()]);
    assert_eq!(told(&mut town, bob).pop(), Some(refused));
}

#[test]
fn a_further_device_of_somebody_who_is_known_is_them() {
    let mut town = Town::of_many(&[("alice", &[]), ("bob", &["phone"])]);
    let [alice, laptop, phone] = town.devices()[..] else { panic!("three devices") };
    calls(&mut town, alice, "bob");
    takes(&mut town, laptop);
    town.command(alice, Command::HangUp(CALL, Code::HUNG_UP));
    told(&mut town, alice);
    told(&mut town, phone);
    calls(&mut town, alice, "bob");
    takes(&mut town, phone);
    let events = told(&mut town, alice);
    let opened = |event: &CallEvent| matches!(event, CallEvent::Open(with, _) if *with == device_name("bob", "phone"));
    assert!(events.iter().any(opened) && !events.iter().any(|event| matches!(event, CallEvent::Met(..))), "{events:?}");
}
