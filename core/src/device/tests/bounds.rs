//! The bounds of calls that need time: how long an end waits for the other, and when credit is given back.

use super::*;
use crate::id::ConnId;
use crate::limits::{
    PEER_GOODBYE_TIME_MAX, PEER_HANDSHAKE_TIME_MAX, PEER_LEAVING_TIME_MAX, TUNNEL_CREDIT_BYTES, TUNNEL_WINDOW_BYTES,
};
use crate::peer::{Peer, Reach};
use crate::relay::tunnel::forward_cost;
use crate::testing::env;
use crate::testing::log::SmallLog;

const MOMENT: Duration = Duration::from_micros(1);

fn ended(town: &mut Town, member: usize) -> Option<CallEnd> {
    let end = |event: CallEvent| if let CallEvent::Ended(end) = event { Some(end) } else { None };
    call_events(&town.news(member)).into_iter().find_map(end)
}

#[test]
fn a_session_that_is_not_made_in_time_is_given_up() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    // Bob takes the call, and hears nothing from then on.
    town.deaf.insert(town.wire_of(bob));
    town.command(bob, Command::Accept(theirs));
    town.wait(PEER_HANDSHAKE_TIME_MAX.saturating_sub(MOMENT));
    assert_eq!(ended(&mut town, alice), None);
    town.wait(MOMENT);
    assert_eq!(ended(&mut town, alice), Some(CallEnd::Closed(CloseReason::TimedOut)));
}

#[test]
fn a_goodbye_is_given_a_while_to_be_answered_and_while_something_moves_a_longer_one() {
    let (mut town, (alice, call), (bob, _)) = talking();
    town.deaf.insert(town.wire_of(bob));
    town.command(alice, Command::HangUp(call, Code::HUNG_UP));
    town.wait(PEER_GOODBYE_TIME_MAX.saturating_sub(MOMENT));
    assert_eq!(ended(&mut town, alice), None);
    town.wait(MOMENT);
    assert!(ended(&mut town, alice).is_some());

    let (mut town, (alice, call), (bob, theirs)) = talking();
    town.deaf.insert(town.wire_of(bob));
    town.command(alice, Command::HangUp(call, Code::HUNG_UP));
    // Bob has not heard of it and talks on.
    let step = PEER_GOODBYE_TIME_MAX.saturating_sub(Duration::from_secs(1));
    for _ in 0..PEER_LEAVING_TIME_MAX.as_secs() / step.as_secs() {
        assert_eq!(ended(&mut town, alice), None);
        town.command(bob, Command::Say(theirs, "and another thing".into()));
        town.wait(step);
    }
    assert!(ended(&mut town, alice).is_some(), "a minute is enough");
}

#[test]
fn credit_is_given_back_when_a_quarter_of_the_window_has_come_in() {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|user| town.enrol(user));
    let log = SmallLog::of(&[&alice, &bob]);
    let (to_bob, to_alice) = (log.expected(&bob), log.expected(&alice));
    let mut caller = Peer::calling(&env(), &alice.credentials, &alice.trust, to_bob, Reach::tunnel_only(), ConnId(1))
        .with_lists(alice.lists.clone());
    let mut callee = Peer::called(&env(), &bob.credentials, &bob.trust, to_alice, Reach::tunnel_only(), ConnId(1))
        .with_lists(bob.lists.clone());
    let mut owed = 0;
    let mut given = 0;
    for _ in 0..300 {
        while let Some(bytes) = caller.poll_forward() {
            owed += forward_cost(bytes.len());
            callee.received(&bytes, town.now);
            let credit = callee.poll_credit();
            assert_eq!(credit.is_some(), owed >= TUNNEL_CREDIT_BYTES, "{owed}");
            if let Some(credit) = credit {
                assert_eq!(credit, owed);
                caller.credited(credit);
                (owed, given) = (0, given + credit);
            }
        }
        while let Some(bytes) = callee.poll_forward() {
            caller.received(&bytes, town.now);
        }
        // Before the session is made there is nothing that can be said.
        let _ = caller.say(&"x".repeat(997), town.now);
    }
    assert!(given > TUNNEL_WINDOW_BYTES, "more went through than a window");
}
