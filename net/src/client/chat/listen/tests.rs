//! Being called, as the listener's role sees it: one call at a time, by consent.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use countersign_core::device::calls::{CallEnd, Path};
use countersign_core::fault::CloseReason;
use countersign_core::id::{DeviceLabel, UserName};

use super::*;

const FIRST: CallId = CallId(1 << 33);
const SECOND: CallId = CallId((1 << 33) + 1);

fn laptop(name: &str) -> DeviceName {
    DeviceName { user: UserName::parse(name).unwrap(), device: DeviceLabel::parse("laptop").unwrap() }
}

fn wishes(desk: &mut Desk) -> Vec<Command> {
    desk.wishes.drain(..).collect()
}

fn line(text: &str) -> Typed {
    Typed::Line(text.to_owned())
}

/// A listener in a pipe whom alice calls.
fn called(accept: bool) -> (Listener, Desk) {
    called_at(Desk::new(false), accept)
}

fn called_at(mut desk: Desk, accept: bool) -> (Listener, Desk) {
    let mut listener = Listener::new(accept);
    listener.call(FIRST, CallEvent::Incoming(laptop("alice")), &mut desk);
    (listener, desk)
}

#[test]
fn the_next_line_answers_whether_to_take_a_call() {
    for (answer, wish) in [
        ("y", Command::Accept(FIRST)),
        (" yes ", Command::Accept(FIRST)),
        ("n", Command::HangUp(FIRST, Code::DECLINED)),
        ("N", Command::HangUp(FIRST, Code::DECLINED)),
    ] {
        let (mut listener, mut desk) = called(false);
        assert_eq!(listener.ear(), Ear::Now);
        assert_eq!(wishes(&mut desk), []);
        listener.typed(line("what?"), &mut desk);
        assert_eq!(wishes(&mut desk), [], "what is no answer is asked for again, and said to nobody");
        listener.typed(line(answer), &mut desk);
        assert_eq!(wishes(&mut desk), [wish], "{answer}");
        assert_eq!(listener.ear(), Ear::Later, "lines wait until the call is open, or over");
    }
}

#[test]
fn a_call_that_is_given_up_while_it_rings_leaves_no_question_behind() {
    let (mut listener, mut desk) = called(false);
    listener.call(FIRST, CallEvent::Ended(CallEnd::Refused(Code::HUNG_UP)), &mut desk);
    listener.typed(line("y"), &mut desk);
    assert_eq!(wishes(&mut desk), []);
}

#[test]
fn a_call_that_another_device_takes_leaves_no_question_behind_and_is_said_to_be_taken() {
    let (mut listener, mut desk) = called(false);
    desk.sayings.clear();
    listener.call(FIRST, CallEvent::Ended(CallEnd::Refused(Code::ELSEWHERE)), &mut desk);
    let [Saying::Notice(Notice::Ended { reason, code: 311, .. })] = desk.sayings.make_contiguous() else {
        panic!("{:?}", desk.sayings)
    };
    assert_eq!(reason, "the call from alice was taken on another device");
    listener.typed(line("y"), &mut desk);
    assert_eq!(wishes(&mut desk), []);
}

#[test]
fn with_accept_one_call_is_taken_after_the_other_and_a_second_one_meanwhile_is_declined() {
    let (mut listener, mut desk) = called(true);
    assert_eq!(wishes(&mut desk), [Command::Accept(FIRST)]);
    listener.call(SECOND, CallEvent::Incoming(laptop("carol")), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::HangUp(SECOND, Code::IN_A_CALL)]);
    listener.call(SECOND, CallEvent::Ended(CallEnd::Refused(Code::IN_A_CALL)), &mut desk);
    listener.call(FIRST, CallEvent::Open(laptop("alice"), Path::Tunnel), &mut desk);
    assert_eq!(listener.ear(), Ear::WithRoom(FIRST));
    listener.typed(line("hello"), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::Say(FIRST, "hello".into())]);
    listener.call(FIRST, CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::FINISHED))), &mut desk);
    assert!(!desk.is_finished(), "listening goes on");
    listener.typed(line("anybody?"), &mut desk);
    listener.call(SECOND, CallEvent::Incoming(laptop("carol")), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::Accept(SECOND)]);
}

#[test]
fn a_call_that_is_not_believed_ends_without_ending_the_listener() {
    use countersign_core::fault::Fault;
    use countersign_core::tls::CertRefusal;
    let (mut listener, mut desk) = called(true);
    let forged = CloseReason::Fault(Fault::Certificate(CertRefusal::OtherName));
    listener.call(FIRST, CallEvent::Ended(CallEnd::Closed(forged)), &mut desk);
    assert!(!desk.is_finished());
    assert_eq!(listener.ear(), Ear::Now);
}

#[test]
fn a_signal_ends_everything_in_good_order_and_callers_meanwhile_are_told_that_we_are_busy() {
    let (mut listener, mut desk) = called(true);
    wishes(&mut desk);
    listener.interrupted(&mut desk);
    listener.call(SECOND, CallEvent::Incoming(laptop("carol")), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::Quit, Command::HangUp(SECOND, Code::IN_A_CALL)]);
    assert_eq!(desk.end, Some(Ok(())));
}

#[test]
fn on_a_terminal_the_end_of_input_hangs_up_and_listening_goes_on() {
    let (mut listener, mut desk) = called_at(Desk::new(true), true);
    listener.call(FIRST, CallEvent::Open(laptop("alice"), Path::Tunnel), &mut desk);
    wishes(&mut desk);
    listener.typed(Typed::End, &mut desk);
    assert_eq!(wishes(&mut desk), [Command::HangUp(FIRST, Code::HUNG_UP)]);
    listener.call(FIRST, CallEvent::Ended(CallEnd::Closed(CloseReason::Ours(Code::FINISHED))), &mut desk);
    listener.call(SECOND, CallEvent::Incoming(laptop("carol")), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::Accept(SECOND)]);
}

#[test]
fn in_a_pipe_the_end_of_input_hangs_up_nothing_and_without_accept_answers_nothing_that_comes_after_it() {
    let (mut listener, mut desk) = called(true);
    listener.call(FIRST, CallEvent::Open(laptop("alice"), Path::Tunnel), &mut desk);
    wishes(&mut desk);
    listener.typed(Typed::End, &mut desk);
    assert_eq!(wishes(&mut desk), []);

    let mut desk = Desk::new(false);
    let mut listener = Listener::new(false);
    listener.typed(Typed::End, &mut desk);
    assert!(desk.sayings.is_empty(), "{:?}", desk.sayings);
    listener.call(FIRST, CallEvent::Incoming(laptop("alice")), &mut desk);
    assert_eq!(wishes(&mut desk), [Command::HangUp(FIRST, Code::NO_ANSWER)]);

    let (mut listener, mut desk) = called(false);
    listener.typed(Typed::End, &mut desk);
    assert_eq!(wishes(&mut desk), [Command::HangUp(FIRST, Code::NO_ANSWER)], "nobody is left to answer");
}

#[test]
fn a_line_for_nobody_is_said_to_be_one_and_in_a_pipe_only_once() {
    for (typist, hints) in [(true, 3), (false, 1)] {
        let mut desk = Desk::new(typist);
        let mut listener = Listener::new(true);
        for _ in 0..3 {
            listener.typed(line("hello?"), &mut desk);
        }
        assert_eq!(desk.sayings.len(), hints);
    }
}
