//! What closure takes and what it does not, on a stage.

use std::time::Duration;

use countersign_core::device::calls::{CallEnd, CallEvent, DirectEnd, Path};
use countersign_core::device::{Command, Event};
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, ConnId};

use countersign_core::wire::Code;

use super::connections::{TOLD_US, UNTOLD_US};
use super::direct::{ATTEMPT_US, LEAVING_US};
use super::*;
use crate::actors::villains::Guise;
use crate::oracles::tests::{Stage, name};
use crate::story::{Crash, FIRST_DIRECT, Phase, Side};

const CONN: ConnId = ConnId(1);

fn connected() -> (Stage, Closure) {
    let (stage, mut oracle) = (Stage::of(&["alice"]), Closure::default());
    let who = stage.who(0);
    oracle.see(0, &Seen::Opened(CONN, who.program)).expect("opening is free");
    oracle.see(1, &Seen::Connected(CONN, who)).expect("connecting is free");
    (stage, oracle)
}

fn closed() -> Note {
    Note::Closed(CONN, None, CloseReason::Truncated)
}

fn offline() -> Event {
    Event::Offline(CloseReason::Truncated, Duration::ZERO)
}

#[test]
fn both_sides_with_a_reason_in_time_are_fine() {
    let (stage, mut oracle) = connected();
    assert_eq!(oracle.see(2, &Seen::Noted(&closed())), Ok(()));
    assert_eq!(stage.told(0, offline()).show_at(TOLD_US, &mut oracle), Ok(()));
    assert_eq!(oracle.see(10 * TOLD_US, &Seen::Phase(Phase::Over)), Ok(()));
    assert!(oracle.see(10 * TOLD_US, &Seen::Noted(&closed())).is_err());
}

#[test]
fn a_side_that_never_learns_of_the_end_is_objected_to() {
    let later = Seen::Phase(Phase::Calm);
    let (_, mut oracle) = connected();
    oracle.see(2, &Seen::Noted(&closed())).expect("in time");
    assert!(oracle.see(3 + TOLD_US, &later).is_err());

    let (stage, mut oracle) = connected();
    stage.told(0, offline()).show(&mut oracle).expect("in time");
    assert!(oracle.see(3 + TOLD_US, &later).is_err());

    let (_, mut oracle) = connected();
    oracle.see(2, &Seen::Cut { conn: CONN, silent: true }).expect("in time");
    assert_eq!(oracle.see(3 + TOLD_US, &later), Ok(()));
    assert!(oracle.see(3 + UNTOLD_US, &later).is_err());
}

#[test]
fn a_process_that_is_gone_needs_no_reason_and_its_other_side_does() {
    let (stage, mut oracle) = connected();
    oracle.see(2, &Seen::Crashed(Crash::Whenever, 0)).expect("in time");
    assert_eq!(stage.told(0, offline()).show_at(3, &mut oracle), Ok(()));
    assert_eq!(oracle.see(9 * UNTOLD_US, &Seen::Phase(Phase::Over)), Ok(()));
}

#[test]
fn a_call_ends_once_and_before_the_run_does() {
    let ended = || {
        let end = CallEnd::RelayLost;
        Event::Call(CallId(1), CallEvent::Ended(end))
    };
    let call = Command::Call(CallId(1), name("bob").user, Duration::ZERO);
    let (stage, mut oracle) = (Stage::of(&["alice"]), Closure::default());
    stage.wished(0, call).show(&mut oracle).expect("wishing is free");
    assert!(oracle.see(1, &Seen::Phase(Phase::Over)).is_err());
    assert_eq!(stage.told(0, ended()).show(&mut oracle), Ok(()));
    assert_eq!(oracle.see(1, &Seen::Phase(Phase::Over)), Ok(()));
    assert!(stage.told(0, ended()).show(&mut oracle).is_err());
}

#[test]
fn giving_up_a_connection_with_which_nothing_is_wrong_is_objected_to() {
    let device = &name("alice");
    let timed_out = Note::Closed(CONN, Some(device.clone()), CloseReason::TimedOut);
    let (_, mut oracle) = connected();
    assert!(oracle.see(2, &Seen::Noted(&timed_out)).is_err());
    let (stage, mut oracle) = connected();
    assert!(stage.told(0, Event::Offline(CloseReason::TimedOut, Duration::ZERO)).show(&mut oracle).is_err());
    let (_, mut oracle) = connected();
    oracle.see(2, &Seen::Cut { conn: CONN, silent: true }).expect("in time");
    assert_eq!(oracle.see(3, &Seen::Noted(&timed_out)), Ok(()));
}

#[test]
fn a_villain_who_falls_silent_may_be_given_up() {
    let (stage, mut oracle) = (Stage::of(&["alice"]), Closure::default());
    oracle.see(0, &Seen::Knocked(CONN, Guise::SlowReader)).expect("opening is free");
    let timed_out = Note::Closed(CONN, Some(stage.who(0).name.clone()), CloseReason::TimedOut);
    assert_eq!(oracle.see(2, &Seen::Noted(&timed_out)), Ok(()));
}

/// A seed's find: the deadline that the crash had set stood although everybody went away.
#[test]
fn who_is_away_when_the_relay_goes_has_all_its_time_after_that() {
    let (_, mut oracle) = connected();
    oracle.see(2, &Seen::Crashed(Crash::Whenever, 0)).expect("in time");
    oracle.see(3, &Seen::Away(true)).expect("in time");
    oracle.see(3, &Seen::Slept(0)).expect("in time");
    assert_eq!(oracle.see(9 * UNTOLD_US, &Seen::Phase(Phase::Storm)), Ok(()));
}

#[test]
fn a_goodbye_that_does_not_arrive_is_objected_to_unless_something_came_between() {
    for cut in [false, true] {
        let (stage, mut oracle) = connected();
        if cut {
            oracle.see(2, &Seen::Cut { conn: CONN, silent: false }).expect("in time");
        }
        assert_eq!(stage.told(0, Event::Done).show_at(3, &mut oracle), Ok(()));
        assert_eq!(oracle.see(4, &Seen::Noted(&closed())).is_ok(), cut);
    }
}

/// Alice's call, which is up, with a listener and a connection that somebody has made to it.
fn listening() -> (Stage, Closure) {
    let (stage, mut oracle) = (Stage::of(&["alice"]), Closure::default());
    let program = stage.who(0).program;
    let at = std::net::SocketAddr::from(([192, 0, 2, 1], 40_000));
    let call = Command::Call(CallId(1), name("bob").user, Duration::ZERO);
    stage.wished(0, call).show(&mut oracle).expect("wishing is free");
    let open = CallEvent::Open(name("bob"), Path::Tunnel);
    stage.told(0, Event::Call(CallId(1), open)).show(&mut oracle).expect("opening is free");
    oracle.see(3, &Seen::Listens(program, CallId(1), &[at])).expect("listening is free");
    let met = Seen::Met { conn: FIRST_DIRECT, dialler: None, listener: Some((program, CallId(1))), astray: false };
    oracle.see(4, &met).expect("meeting is free");
    (stage, oracle)
}

#[test]
fn a_listener_and_a_socket_go_with_what_they_were_for() {
    let later = Seen::Phase(Phase::Calm);
    let (_, mut oracle) = listening();
    assert!(oracle.see(2_000_000 + ATTEMPT_US, &later).is_err(), "it still listens");

    let (stage, mut oracle) = listening();
    oracle.see(5, &Seen::Unlistens(stage.who(0).program, CallId(1))).expect("in time");
    assert_eq!(oracle.see(ATTEMPT_US, &later), Ok(()));
    assert!(oracle.see(2_000_000 + ATTEMPT_US + LEAVING_US, &later).is_err(), "the socket is of no use to anybody");

    let (stage, mut oracle) = listening();
    oracle.see(5, &Seen::Unlistens(stage.who(0).program, CallId(1))).expect("in time");
    let direct = Event::Call(CallId(1), CallEvent::Moved(Path::Direct, None));
    stage.told(0, direct).show_at(6, &mut oracle).expect("in time");
    assert_eq!(oracle.see(9 * ATTEMPT_US, &later), Ok(()), "the call goes on by it");
}

#[test]
fn one_end_of_a_direct_connection_learns_that_the_other_is_gone() {
    let (stage, mut oracle) = listening();
    let program = stage.who(0).program;
    oracle.see(5, &Seen::Unlistens(program, CallId(1))).expect("in time");
    oracle.see(5, &Seen::Reached(FIRST_DIRECT, program)).expect("in time");
    oracle.see(6, &Seen::Dropped(FIRST_DIRECT, Side::Listener)).expect("dropping is free");
    let error = oracle.see(2_000_000 + TOLD_US, &Seen::Phase(Phase::Calm)).expect_err("the other end is still there");
    assert!(error.contains("does not know"), "{error}");
}

#[test]
fn a_call_leaves_the_tunnel_once_and_comes_back_once() {
    let moves = |moves: &[(Path, Option<DirectEnd>)]| {
        let (stage, mut oracle) = listening();
        moves.iter().try_for_each(|(path, end)| {
            stage.told(0, Event::Call(CallId(1), CallEvent::Moved(*path, *end))).show(&mut oracle)
        })
    };
    let (there, back) = ((Path::Direct, None), (Path::Tunnel, Some(DirectEnd::TimedOut)));
    assert_eq!(moves(&[there, back]), Ok(()));
    assert_eq!(moves(&[back]), Ok(()));
    assert!(moves(&[there, there]).is_err() && moves(&[back, back]).is_err() && moves(&[there, back, there]).is_err());
    assert!(moves(&[(Path::Tunnel, None)]).is_err() && moves(&[(Path::Direct, back.1)]).is_err());
}

#[test]
fn a_call_that_is_over_does_not_go_on_by_another_way() {
    let ended = |code| Event::Call(CallId(1), CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(code))));
    for (code, fine) in [(Code::FINISHED, true), (Code::OTHER_WAY, false)] {
        let (stage, mut oracle) = listening();
        assert_eq!(stage.told(0, ended(code)).show(&mut oracle).is_ok(), fine);
    }
}

#[test]
fn a_connection_that_outlives_the_run_is_objected_to() {
    let (_, mut oracle) = connected();
    assert!(oracle.see(2, &Seen::Phase(Phase::Over)).is_err());
}

#[test]
fn an_attempt_to_connect_comes_to_an_end() {
    let stage = Stage::of(&["alice"]);
    let program = stage.who(0).program;
    let over = Seen::Phase(Phase::Over);
    let ends = [Seen::Unreachable(program), Seen::Abandoned(program), Seen::Killed(stage.who(0))];
    for end in &ends {
        let mut oracle = Closure::default();
        oracle.see(0, &Seen::Dialled(program)).expect("trying is free");
        oracle.see(1, end).expect("ending is free");
        assert_eq!(oracle.see(2 * UNTOLD_US, &over), Ok(()));
    }
    let mut oracle = Closure::default();
    oracle.see(0, &Seen::Dialled(program)).expect("trying is free");
    assert!(oracle.see(2 * UNTOLD_US, &over).is_err());
    assert!(oracle.see(1, &Seen::Dialled(program)).is_err(), "twice at once");
}

#[test]
fn who_leaves_while_they_come_back_by_the_enrolment_channel_says_nothing_there() {
    for lapsed in [false, true] {
        let (stage, mut oracle) = connected();
        if lapsed {
            stage.told(0, Event::Lapsed(None)).show(&mut oracle).expect("it may");
        }
        stage.told(0, Event::Done).show(&mut oracle).expect("leaving is free");
        assert_eq!(oracle.see(3, &Seen::Noted(&closed())).is_ok(), lapsed);
    }
}
