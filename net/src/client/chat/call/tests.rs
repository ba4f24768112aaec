//! A call as the caller's role sees it: values in, wishes and an end out.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use countersign_core::device::calls::{CallEnd, Path};
use countersign_core::fault::CloseReason;
use countersign_core::id::{DeviceLabel, DeviceName};

use super::*;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn laptop(name: &str) -> DeviceName {
    DeviceName { user: user(name), device: DeviceLabel::parse("laptop").unwrap() }
}

fn desk() -> Desk {
    Desk::new(false)
}

fn wishes(desk: &mut Desk) -> Vec<Command> {
    desk.wishes.drain(..).collect()
}

/// Alice calls bob and he has taken the call.
fn open() -> (Caller, Desk) {
    let mut desk = desk();
    let mut caller = Caller::new(user("bob"), Duration::ZERO);
    caller.online(&mut desk);
    assert_eq!(wishes(&mut desk), [Command::Call(CALL, user("bob"), Duration::ZERO)]);
    assert_eq!(caller.ear(), Ear::Later, "nothing is said before the call is open");
    caller.call(CALL, CallEvent::Ringing(laptop("bob")), &mut desk);
    caller.call(CALL, CallEvent::Open(laptop("bob"), Path::Tunnel), &mut desk);
    (caller, desk)
}

fn ended(end: CallEnd, caller: &mut Caller, mut desk: Desk) -> Result<(), Exit> {
    caller.call(CALL, CallEvent::Ended(end), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::Quit]);
    desk.end.unwrap().map_err(|failure| failure.exit)
}

#[test]
fn a_line_is_said_when_there_is_room_and_the_end_of_input_hangs_up_once() {
    let (mut caller, mut desk) = open();
    assert_eq!(caller.ear(), Ear::WithRoom(CALL));
    caller.typed(Typed::Line("hello".into()), &mut desk);
    caller.typed(Typed::TooLong, &mut desk);
    caller.typed(Typed::NotText, &mut desk);
    caller.typed(Typed::End, &mut desk);
    caller.interrupted(&mut desk);
    assert_eq!(wishes(&mut desk), [Command::Say(CALL, "hello".into()), Command::HangUp(CALL, Code::HUNG_UP)]);
    assert_eq!(caller.ear(), Ear::Later);
    assert!(!desk.is_finished(), "the other's goodbye is awaited");
    let end = CallEnd::Closed(CloseReason::Ours(Code::FINISHED));
    assert_eq!(ended(end, &mut caller, desk), Ok(()));
}

#[test]
fn the_ends_of_an_open_call_are_told_apart() {
    for (end, expected) in [
        (CallEnd::Closed(CloseReason::Theirs(Code::FINISHED)), Ok(())),
        (CallEnd::Closed(CloseReason::Truncated), Err(Exit::Failed)),
        (CallEnd::Closed(CloseReason::TimedOut), Err(Exit::Failed)),
        (CallEnd::RelayLost, Err(Exit::Failed)),
    ] {
        let (mut caller, desk) = open();
        assert_eq!(ended(end, &mut caller, desk), expected, "{end:?}");
    }
}

#[test]
fn a_call_that_is_given_up_before_it_opens_is_a_failure() {
    let mut desk = desk();
    let mut caller = Caller::new(user("bob"), Duration::from_secs(10));
    caller.online(&mut desk);
    caller.call(CALL, CallEvent::Waiting, &mut desk);
    wishes(&mut desk);
    caller.interrupted(&mut desk);
    assert_eq!(wishes(&mut desk), [Command::HangUp(CALL, Code::HUNG_UP)]);
    assert_eq!(ended(CallEnd::Refused(Code::HUNG_UP), &mut caller, desk), Err(Exit::Failed));

    let mut desk = self::desk();
    Caller::new(user("bob"), Duration::ZERO).interrupted(&mut desk);
    assert_eq!(desk.end.unwrap().unwrap_err().exit, Exit::Failed);
}

#[test]
fn each_device_that_rings_is_told() {
    let mut desk = desk();
    let mut caller = Caller::new(user("bob"), Duration::ZERO);
    caller.online(&mut desk);
    desk.sayings.clear();
    for device in ["laptop", "phone", "tablet"] {
        let name = DeviceName { device: DeviceLabel::parse(device).unwrap(), ..laptop("bob") };
        caller.call(CALL, CallEvent::Ringing(name), &mut desk);
    }
    let words = desk.sayings.iter().map(|saying| match saying {
        Saying::Notice(notice) => notice.to_string(),
        Saying::ForPrograms(_) | Saying::Hint(_) | Saying::Loud(_) => panic!("{saying:?}"),
    });
    assert_eq!(words.collect::<Vec<_>>(), ["ringing bob/laptop ...", "and bob/phone ...", "and bob/tablet ..."]);
}

#[test]
fn whoever_else_calls_is_told_that_we_are_busy() {
    let (mut caller, mut desk) = open();
    caller.call(CallId(1 << 33), CallEvent::Incoming(laptop("carol")), &mut desk);
    caller.call(CallId(1 << 33), CallEvent::Ended(CallEnd::Refused(Code::IN_A_CALL)), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::HangUp(CallId(1 << 33), Code::IN_A_CALL)]);
    assert!(!desk.is_finished());
}

#[test]
fn a_call_that_is_denied_by_our_own_machine_ends_the_program() {
    let mut desk = desk();
    let mut caller = Caller::new(user("bob"), Duration::ZERO);
    caller.online(&mut desk);
    caller.denied(CALL, CallDenied::TooMany, &mut desk);
    assert_eq!(desk.end.unwrap().unwrap_err().exit, Exit::Failed);
}
