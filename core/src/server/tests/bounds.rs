//! The bounds of the server as a whole, each at its value and one beyond.

use std::time::Duration;

use super::super::*;
use crate::device::calls::{CallEnd, CallEvent};
use crate::device::{self, Event};
use crate::fault::CloseReason;
use crate::id::CallId;
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
    town.server.choose(Settings { connections_max: 3, strangers_max: 3, ..Settings::default() });
    strangers_come(&mut town, 903, 1);
    assert!(town.notes.contains(&Note::TurnedAway(ConnId(903))), "three connections and no more");
}

#[test]
fn settings_out_of_bounds_are_not_taken() {
    let wrong = Settings { strangers_max: 0, ..Settings::default() };
    let refusal = Town::new().server.with_settings(wrong).expect_err("no stranger at all could ever come in");
    assert_eq!(refusal.setting(), settings::Setting::StrangersMax);
}
