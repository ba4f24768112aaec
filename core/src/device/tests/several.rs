//! People with several devices: a call rings at all of them, the first to take it has it, and two who call each other speak.

use super::*;
use crate::device::Input;
use crate::id::DeviceName;
use crate::limits::RING_TIME_MAX;

const CALL: CallId = CallId(1);

/// Alice's laptop and phone, and bob's.
fn two_and_two() -> (Town, [usize; 2], [usize; 2]) {
    let town = Town::of_many(&[("alice", &["phone"]), ("bob", &["phone"])]);
    let [laptop, phone, bobs_laptop, bobs_phone] = town.devices()[..] else { panic!("four devices") };
    (town, [laptop, phone], [bobs_laptop, bobs_phone])
}

/// Alice's laptop, which calls bob, and his three, at which it rings.
fn ringing_at_three() -> (Town, usize, [(usize, CallId); 3]) {
    let mut town = Town::of_many(&[("alice", &[]), ("bob", &["phone", "tablet"])]);
    let [alice, laptop, phone, tablet] = town.devices()[..] else { panic!("four devices") };
    town.command(alice, Command::Call(CALL, user("bob"), NO_PATIENCE));
    let devices = ["laptop", "phone", "tablet"].map(|device| CallEvent::Ringing(device_name("bob", device)));
    assert_eq!(call_events(&town.news(alice)), devices, "each is told, in order of name");
    let theirs = [laptop, phone, tablet].map(|device| (device, incoming(&town.news(device))));
    (town, alice, theirs)
}

fn refused(code: Code) -> CallEvent {
    CallEvent::Ended(CallEnd::Refused(code))
}

fn last(town: &mut Town, member: usize) -> Option<CallEvent> {
    call_events(&town.news(member)).pop()
}

/// With whom a member's call is open, by what it was told last.
fn open_with(town: &mut Town, member: usize) -> Option<DeviceName> {
    match last(town, member) {
        Some(CallEvent::Open(with, _)) => Some(with),
        _ => None,
    }
}

#[test]
fn a_call_rings_at_all_devices_and_the_first_to_take_it_has_it() {
    let (mut town, alice, [laptop, phone, tablet]) = ringing_at_three();
    town.command(phone.0, Command::Accept(phone.1));
    assert_eq!(call_events(&town.news(alice)), [CallEvent::Open(device_name("bob", "phone"), Path::Tunnel)]);
    assert_eq!(open_with(&mut town, phone.0), Some(device_name("alice", "laptop")));
    for (other, _) in [laptop, tablet] {
        assert_eq!(last(&mut town, other), Some(refused(Code::ELSEWHERE)));
    }
    town.command(alice, Command::Say(CALL, "to your phone".into()));
    assert_eq!(last(&mut town, phone.0), Some(CallEvent::Line(0, "to your phone".into())));
    town.command(alice, Command::HangUp(CALL, Code::HUNG_UP));
    assert!(matches!(last(&mut town, phone.0), Some(CallEvent::Ended(CallEnd::Closed(_)))));
    for (other, _) in [laptop, tablet] {
        assert_eq!(town.news(other), [], "the others hear nothing of it");
    }
}

#[test]
fn of_two_devices_that_take_a_call_in_one_moment_one_has_it_and_the_other_hears_so() {
    for first in [0, 1] {
        let (mut town, alice, theirs) = ringing_at_three();
        // Neither hears of the other before both have gone out.
        for at in [first, 1 - first] {
            town.device(theirs[at].0, Input::Command(Command::Accept(theirs[at].1)));
        }
        town.settle();
        let with = open_with(&mut town, alice).expect("the call is open");
        let (has_it, has_not) = if with == device_name("bob", "laptop") { (0, 1) } else { (1, 0) };
        assert_eq!(open_with(&mut town, theirs[has_it].0), Some(device_name("alice", "laptop")));
        for other in [has_not, 2] {
            assert_eq!(last(&mut town, theirs[other].0), Some(refused(Code::ELSEWHERE)));
        }
        assert!(!town.closings().iter().any(|reason| matches!(reason, CloseReason::Fault(_))), "nobody was at fault");
        town.command(theirs[has_not].0, Command::Call(CallId(2), user("alice"), NO_PATIENCE));
        assert_eq!(
            last(&mut town, theirs[has_not].0),
            Some(refused(Code::IN_A_CALL)),
            "and its connection is in order"
        );
    }
}

#[test]
fn whoever_declines_declines_for_all_devices() {
    let (mut town, alice, [laptop, phone, tablet]) = ringing_at_three();
    town.command(tablet.0, Command::HangUp(tablet.1, Code::DECLINED));
    for device in [alice, laptop.0, phone.0, tablet.0] {
        let ends: Vec<_> = call_events(&town.news(device));
        assert_eq!(ends, [refused(Code::DECLINED)], "told once");
    }
}

#[test]
fn a_device_that_is_busy_or_gone_ends_its_branch_alone() {
    let (mut town, alice, [laptop, phone, tablet]) = ringing_at_three();
    town.command(laptop.0, Command::HangUp(laptop.1, Code::IN_A_CALL));
    town.cut(phone.0);
    assert_eq!(call_events(&town.news(alice)), [], "it rings at the tablet");
    town.command(tablet.0, Command::Accept(tablet.1));
    assert_eq!(open_with(&mut town, alice), Some(device_name("bob", "tablet")));

    let (mut town, alice, [laptop, phone, _]) = ringing_at_three();
    town.command(laptop.0, Command::HangUp(laptop.1, Code::IN_A_CALL));
    town.cut(phone.0);
    town.wait(RING_TIME_MAX);
    assert_eq!(call_events(&town.news(alice)), [refused(Code::IN_A_CALL)]);
}

#[test]
fn a_caller_who_gives_up_ends_the_ringing_everywhere() {
    for gone in [false, true] {
        let (mut town, alice, theirs) = ringing_at_three();
        let code = if gone { Code::GONE } else { Code::HUNG_UP };
        if gone {
            town.cut(alice);
            assert_eq!(call_events(&town.news(alice)), [CallEvent::Ended(CallEnd::RelayLost)]);
        } else {
            town.command(alice, Command::HangUp(CALL, Code::HUNG_UP));
        }
        for (device, _) in theirs {
            assert_eq!(call_events(&town.news(device)), [refused(code)]);
        }
    }
}

#[test]
fn a_device_that_comes_while_it_rings_is_not_asked() {
    let mut town = Town::new();
    let (alice, bob) = (town.enrol("alice"), town.enrol("bob"));
    let phone = town.further(&bob, "phone");
    let [alice, bob] = [alice, bob].map(|identity| town.join(identity, true));
    town.command(alice, Command::Call(CALL, user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    let phone = town.join(phone, true);
    assert_eq!(call_events(&town.news(phone)), []);
    town.command(bob, Command::Accept(theirs));
    assert_eq!(open_with(&mut town, alice), Some(device_name("bob", "laptop")));
    assert_eq!(call_events(&town.news(phone)), []);
}

#[test]
fn who_is_patient_reaches_whichever_device_comes() {
    let mut town = Town::new();
    let (alice, bob) = (town.enrol("alice"), town.enrol("bob"));
    let phone = town.further(&bob, "phone");
    let alice = town.join(alice, true);
    town.command(alice, Command::Call(CALL, user("bob"), Duration::from_secs(60)));
    let phone = town.join(phone, true);
    let theirs = incoming(&town.news(phone));
    town.command(phone, Command::Accept(theirs));
    assert_eq!(open_with(&mut town, alice), Some(device_name("bob", "phone")));
}

/// What everybody's calls came to: each pair that speaks, by the number of the device.
fn glare(town: &mut Town, devices: &[usize], callers: &[(usize, &str)]) -> Vec<Vec<CallEvent>> {
    // Nobody hears of another's wish before all have gone out.
    for (caller, called) in callers {
        town.device(*caller, Input::Command(Command::Call(CALL, user(called), NO_PATIENCE)));
    }
    town.settle();
    devices.iter().map(|device| call_events(&town.news(*device))).collect()
}

#[test]
fn two_who_call_each_other_speak_whichever_devices_they_call_by() {
    for (of_alice, of_bob) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for bob_first in [false, true] {
            let (mut town, alices, bobs) = two_and_two();
            let mut callers = vec![(alices[of_alice], "bob"), (bobs[of_bob], "alice")];
            if bob_first {
                callers.reverse();
            }
            let all = [alices[0], alices[1], bobs[0], bobs[1]];
            let told = glare(&mut town, &all, &callers);
            let opens = |at: usize| matches!(told[at].last(), Some(CallEvent::Open(..)));
            let ended = |at: usize| matches!(told[at].last(), Some(CallEvent::Ended(_)));
            assert!(opens(of_alice) && opens(2 + of_bob), "{told:?}");
            // The other devices rang, and ring no more.
            assert!(ended(1 - of_alice) && ended(3 - of_bob), "{told:?}");
            assert_eq!(told[3 - of_bob].last(), Some(&refused(Code::ELSEWHERE)), "alice's call goes on");
            // Where bob had given his up before he heard that it rings, that is what the relay is told.
            let given_up = [Code::GLARE, Code::HUNG_UP].map(refused);
            assert!(
                told[1 - of_alice].last().is_some_and(|end| given_up.contains(end)),
                "and bob's does not: {told:?}"
            );
        }
    }
}

#[test]
fn whoever_calls_with_two_devices_at_once_gets_one_call() {
    let (mut town, alices, bobs) = two_and_two();
    let all = [alices[0], bobs[0], bobs[1]];
    let told = glare(&mut town, &all, &[(bobs[0], "alice"), (bobs[1], "alice"), (alices[0], "bob")]);
    assert!(matches!(told[0].last(), Some(CallEvent::Open(..))), "{told:?}");
    let open = |at: usize| matches!(told[at].last(), Some(CallEvent::Open(..)));
    assert!(open(1) != open(2), "{told:?}");
    let other = if open(1) { 2 } else { 1 };
    assert_eq!(told[other].last(), Some(&refused(Code::ELSEWHERE)));
}

/// The one whose call would stand by the names does not ask the device that calls: it has come since.
#[test]
fn a_call_from_a_device_that_ours_does_not_ask_is_taken() {
    let mut town = Town::new();
    let (alice, bob) = (town.enrol("alice"), town.enrol("bob"));
    let phone = town.further(&bob, "phone");
    let [alice, laptop] = [alice, bob].map(|identity| town.join(identity, true));
    town.command(alice, Command::Call(CALL, user("bob"), NO_PATIENCE));
    let phone = town.join(phone, true);
    town.command(phone, Command::Call(CALL, user("alice"), NO_PATIENCE));
    assert_eq!(open_with(&mut town, alice), Some(device_name("bob", "phone")));
    assert_eq!(open_with(&mut town, phone), Some(device_name("alice", "laptop")));
    assert_eq!(last(&mut town, laptop), Some(refused(Code::GLARE)), "nobody calls there any more");
}

#[test]
fn a_device_that_has_come_back_is_asked_no_more_and_its_call_is_taken() {
    let (mut town, [alice, _], [laptop, phone]) = two_and_two();
    town.command(alice, Command::Call(CALL, user("bob"), NO_PATIENCE));
    town.cut(laptop);
    town.wait(crate::limits::BACKOFF_MIN);
    town.command(laptop, Command::Call(CALL, user("alice"), NO_PATIENCE));
    assert_eq!(open_with(&mut town, alice), Some(device_name("bob", "laptop")));
    assert_eq!(last(&mut town, phone), Some(refused(Code::GLARE)));
}

#[test]
fn to_call_somebody_whose_call_rings_everywhere_takes_it_here() {
    let (mut town, alice, [laptop, phone, _]) = ringing_at_three();
    town.command(phone.0, Command::Call(CALL, user("alice"), NO_PATIENCE));
    assert_eq!(open_with(&mut town, alice), Some(device_name("bob", "phone")));
    assert_eq!(open_with(&mut town, phone.0), Some(device_name("alice", "laptop")));
    assert_eq!(last(&mut town, laptop.0), Some(refused(Code::ELSEWHERE)));
}

#[test]
fn a_person_who_speaks_already_is_busy_there_and_rings_elsewhere() {
    let (mut town, [alice, alices_phone], [laptop, phone]) = two_and_two();
    town.command(alice, Command::Call(CALL, user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(laptop));
    town.command(laptop, Command::Accept(theirs));
    town.news(phone);
    town.command(alices_phone, Command::Call(CALL, user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(phone));
    town.command(phone, Command::Accept(theirs));
    assert_eq!(open_with(&mut town, alices_phone), Some(device_name("bob", "phone")));
    assert!(!matches!(last(&mut town, alice), Some(CallEvent::Ended(_))), "the first call goes on");
}

#[test]
fn a_call_that_lost_its_tunnel_goes_on_though_another_device_of_that_person_calls() {
    let mut town = Town::new();
    town.reach = crate::peer::Reach::default();
    let (alice, bob) = (town.enrol("alice"), town.enrol("bob"));
    let phone = town.further(&alice, "phone");
    let [laptop, phone, bob] = [alice, phone, bob].map(|identity| town.join(identity, true));
    town.command(laptop, Command::Call(CALL, user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    town.cut(laptop);
    assert_eq!(last(&mut town, bob), Some(CallEvent::Moved(Path::Direct, None)));
    town.command(phone, Command::Call(CALL, user("bob"), NO_PATIENCE));
    assert_eq!(last(&mut town, phone), Some(refused(Code::IN_A_CALL)));
    town.command(laptop, Command::Say(CALL, "still here".into()));
    assert_eq!(call_events(&town.news(bob)), [CallEvent::Line(0, "still here".into())]);
}
