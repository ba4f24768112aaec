//! What closure takes and what it does not, on a stage.

use std::time::Duration;

use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::{Command, Event};
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, ConnId};

use super::connections::{TOLD_US, UNTOLD_US};
use super::*;
use crate::oracles::tests::{Stage, name};
use crate::story::{Crash, Phase};

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
