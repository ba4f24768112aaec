//! A person takes back a device of their own: what ends, who is told, and what is refused.

use super::approving::approved;
use super::*;
use crate::device::approve::Approval;
use crate::id::DeviceLabel;
use crate::limits::LOG_WATCH_SPAN;
use crate::tlog::{Leaf, ReasonCode};

fn take_back(town: &mut Town, by: usize, device: &str, force: bool) -> Vec<Asked> {
    town.news(by);
    let device = DeviceLabel::parse(device).unwrap();
    town.command(by, Command::Withdraw(device, ReasonCode::new(1).unwrap(), force));
    let asked = |event: &Event| if let Event::Asked(asked) = event { Some(asked.clone()) } else { None };
    town.news(by).iter().filter_map(asked).collect()
}

/// What this member was told of the log that it did not ask for: the act, and whether it is an alarm.
fn unasked(events: &[Event]) -> Vec<(&Leaf, bool)> {
    let mut found = Vec::new();
    for event in events {
        if let Event::Unasked(unasked) = event {
            found.push((&unasked.leaf, unasked.is_alarm));
        }
    }
    found
}

#[test]
fn a_device_of_ones_own_is_out_at_once_with_its_calls_and_everybody_goes_by_it() {
    let mut town = Town::of(&["alice", "bob"]);
    let [laptop, bob] = town.devices()[..] else { panic!("two devices") };
    let [phone, tablet] =
        [("phone", 30), ("tablet", 40)].map(|(device, seed)| approved(&mut town, laptop, device, seed));
    town.command(phone, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    let came = take_back(&mut town, laptop, "phone", false);
    let [Asked::Approval(Approval::Withdrawn(device, number))] = &came[..] else { panic!("{came:?}") };
    assert_eq!(device.as_str(), "phone");
    // No time has passed.
    let told = town.news(phone);
    assert!(told.contains(&Event::GivenUp(CloseReason::Theirs(Code::REVOKED))), "{told:?}");
    let ended = call_events(&town.news(bob));
    assert!(matches!(ended.last(), Some(CallEvent::Ended(_))), "{ended:?}");
    town.command(laptop, Command::Acted(*number));
    assert!(town.news(laptop).contains(&Event::Asked(Asked::Approval(Approval::Acted(3, 0)))));
    town.command(laptop, Command::Acted(*number + 1));
    assert!(town.news(laptop).contains(&Event::Asked(Asked::Approval(Approval::Acted(0, 3)))));

    // An hour later each has read the log: who asked knows, the other one is told once, and nobody is alarmed.
    town.news(tablet);
    town.wait(LOG_WATCH_SPAN * 2);
    let (ours, theirs) = (town.news(laptop), town.news(tablet));
    assert_eq!(unasked(&ours), []);
    let [(Leaf::Withdrawal { name, endorsement, .. }, false)] = unasked(&theirs)[..] else {
        panic!("{:?}", unasked(&theirs))
    };
    assert_eq!((name.device.as_str(), endorsement.by.as_str()), ("phone", "laptop"));
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn a_device_takes_itself_back_and_the_last_one_has_to_insist() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let phone = approved(&mut town, laptop, "phone", 30);
    let out = Event::GivenUp(CloseReason::Theirs(Code::REVOKED));
    take_back(&mut town, laptop, "laptop", false);
    town.wait(LOG_WATCH_SPAN * 2);
    let told = town.news(phone);
    assert!(matches!(unasked(&told)[..], [(Leaf::Withdrawal { .. }, false)]), "{:?}", unasked(&told));
    assert_eq!(take_back(&mut town, phone, "phone", false), [Asked::Refused(Code::LAST_DEVICE)]);
    town.news(phone);
    town.command(phone, Command::Withdraw(DeviceLabel::parse("phone").unwrap(), ReasonCode::new(5).unwrap(), true));
    assert!(town.news(phone).contains(&out));
}

#[test]
fn what_is_not_taken_back_has_its_reason() {
    let mut town = Town::of_many(&[("alice", &["phone"]), ("bob", &["desk"])]);
    let [laptop, _, bob, _] = town.devices()[..] else { panic!("four devices") };
    assert_eq!(take_back(&mut town, laptop, "desk", true), [Asked::Refused(Code::NO_SUCH_DEVICE)], "it is Bob's");
    assert_eq!(take_back(&mut town, bob, "phone", true), [Asked::Refused(Code::NO_SUCH_DEVICE)]);
    take_back(&mut town, laptop, "phone", false);
    assert_eq!(take_back(&mut town, laptop, "phone", false), [Asked::Refused(Code::REVOKED_BEFORE)]);
}

#[test]
fn a_second_wish_while_the_first_is_being_written_down_is_told_to_wait() {
    let mut town = Town::of_many(&[("alice", &["phone", "tablet"])]);
    let [laptop, phone, _] = town.devices()[..] else { panic!("three devices") };
    town.hold = true;
    assert_eq!(take_back(&mut town, laptop, "tablet", false), []);
    assert_eq!(take_back(&mut town, phone, "laptop", false), [Asked::Refused(Code::BUSY)]);
    town.hold = false;
    town.release();
    let is_done = |event: &Event| matches!(event, Event::Asked(Asked::Approval(Approval::Withdrawn(..))));
    assert!(town.news(laptop).iter().any(is_done));
}
