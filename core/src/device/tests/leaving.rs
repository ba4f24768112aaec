//! What ends a device's connection, and what must not: leaving in good order, and listening for long.

use std::time::Duration;

use super::super::calls::{FIRST_ACCEPTED, FIRST_DIALLED};
use super::super::session::{RelaySession, SessionEvent};
use super::super::{Input, Output};
use super::*;
use crate::id::ConnId;
use crate::limits::{DEVICE_LIFETIME, HANDSHAKE_TIME_MAX, SILENCE_TIME_MAX};
use crate::peer::{Peer, PeerEvent, Reach};
use crate::testing::log::SmallLog;
use crate::testing::{START, env, rng};
use crate::tls::Dial;

#[test]
fn a_device_that_is_leaving_begins_no_call_and_ends_the_wish_for_one() {
    let mut town = Town::of(&["alice", "bob"]);
    let alice = town.devices()[0];
    town.device(alice, super::super::Input::Command(Command::Quit));
    town.device(alice, super::super::Input::Command(Command::Call(CallId(1), user("bob"), Duration::from_secs(60))));
    town.settle();
    let told = town.news(alice);
    assert_eq!(call_events(&told), [CallEvent::Ended(CallEnd::Refused(Code::HUNG_UP))]);
    assert_eq!(told.last(), Some(&Event::Done));
}

#[test]
fn a_device_that_is_leaving_takes_no_call_and_does_not_wait_for_it_to_ring_out() {
    let (mut town, (alice, _), _) = talking();
    let carol = town.enrol("carol");
    let carol = town.join(carol, true);
    // The goodbye of the call with bob is on its way, and carol's call arrives before it comes back.
    town.device(carol, super::super::Input::Command(Command::Call(CallId(1), user("alice"), NO_PATIENCE)));
    town.device(alice, super::super::Input::Command(Command::Quit));
    town.settle();
    assert_eq!(town.news(alice).last(), Some(&Event::Done));
    assert!(matches!(call_events(&town.news(carol)).last(), Some(CallEvent::Ended(CallEnd::Refused(_)))));
}

#[test]
fn leaving_waits_for_the_newest_connection_and_not_for_one_before_it() {
    let identity = Town::new().enrol("alice");
    let dial = Dial::relay(&env(), &identity.credentials, &identity.trust);
    let mut session = RelaySession::new(dial, START.plus(DEVICE_LIFETIME));
    let (mut now, mut rng) = (Town::new().now, rng(1));
    session.start(now);
    session.connected(ConnId(1), now);
    // Nobody answers, so the first connection is given up; its socket lingers while the second is dialled.
    now.mono = now.mono.plus(HANDSHAKE_TIME_MAX);
    session.tick(now, &mut rng);
    assert!(matches!(session.poll_event(), Some(SessionEvent::Lost(CloseReason::TimedOut, _))));
    now.mono = now.mono.plus(Duration::from_millis(300));
    session.tick(now, &mut rng);
    session.connected(ConnId(2), now);

    session.quit(now);
    assert_eq!(session.poll_event(), None);
    let outputs: Vec<Output> = std::iter::from_fn(|| session.poll_output()).collect();
    assert!(outputs.contains(&Output::Drop(ConnId(1))) && outputs.contains(&Output::Write(ConnId(2))), "{outputs:?}");
    session.ended(ConnId(2), now, &mut rng);
    assert_eq!(session.poll_event(), Some(SessionEvent::Parted));
}

#[test]
fn hanging_up_in_the_middle_of_the_handshake_is_a_close_and_no_refusal() {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|user| town.enrol(user));
    let log = SmallLog::of(&[&alice, &bob]);
    let (to_bob, to_alice) = (log.expected(&bob), log.expected(&alice));
    let mut caller = Peer::calling(&env(), &alice.credentials, &alice.trust, to_bob, Reach::tunnel_only(), ConnId(1))
        .with_lists(alice.lists.clone());
    let mut callee = Peer::called(&env(), &bob.credentials, &bob.trust, to_alice, Reach::tunnel_only(), ConnId(1))
        .with_lists(bob.lists.clone());
    callee.received(&caller.poll_forward().unwrap(), town.now);
    caller.part(Code::FINISHED);
    callee.received(&caller.poll_forward().unwrap(), town.now);
    assert_eq!(callee.poll_event(), Some(PeerEvent::Closed(CloseReason::PeerClosed)));
}

/// The beginning of a record of 16 kB.
const ENDLESS: [u8; 5] = [0x17, 3, 3, 0x3f, 0xff];

#[test]
fn a_record_that_never_ends_is_found_out_by_either_side_though_bytes_keep_coming() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.device(alice, super::super::Input::Received(ConnId(1), &ENDLESS));
    town.wait(2 * SILENCE_TIME_MAX);
    let offline = |event: &&Event| matches!(event, Event::Offline(CloseReason::TimedOut, _));
    assert_eq!(town.news(alice).iter().filter(offline).count(), 1);

    let mut town = Town::of(&["alice"]);
    // The first connection was the enrolment's.
    town.server.handle(crate::server::Input::Received(ConnId(2), &ENDLESS), town.now, &mut town.rng);
    town.wait(2 * SILENCE_TIME_MAX);
    assert!(town.closings().contains(&CloseReason::TimedOut), "{:?}", town.closings());
}

#[test]
fn somebody_who_only_listens_is_not_taken_for_dead() {
    let (mut town, (alice, call), (bob, _)) = talking();
    town.news(bob);
    let pause = Duration::from_secs(15);
    for n in 0..2 * SILENCE_TIME_MAX.as_secs() / pause.as_secs() {
        town.command(alice, Command::Say(call, format!("line {n}")));
        town.wait(pause);
    }
    let told = town.news(bob);
    assert!(told.iter().all(|event| matches!(event, Event::Call(_, CallEvent::Line(..)))), "{told:?}");
    assert!(town.closings().iter().all(|reason| *reason != CloseReason::TimedOut), "{:?}", town.closings());
}

/// What a device tells from here on, its sockets taking whatever it has to say.
fn tells(town: &mut Town, member: usize) -> Vec<Event> {
    let mut told = Vec::new();
    while let Some(output) = town.machine(member).poll_output() {
        if let Output::Write(conn) = output {
            let bytes = town.machine(member).outbound(conn).len();
            town.device(member, Input::Sent(conn, bytes));
        } else if let Output::Tell(event) = output {
            told.push(event);
        }
    }
    told
}

/// A `listen` was found that hung for ever when its own goodbye, the other's and the end of the socket met: what waited to be
/// said came to nothing as it was sealed, and nobody looked once more whether all was over.
#[test]
fn a_device_is_done_where_both_leave_a_direct_call_at_one_moment() {
    for out_before in [false, true] {
        let (mut town, alice, bob) = super::direct::neighbours(Reach::default(), |_| {});
        town.unreachable = true;
        town.cut(alice.0);
        town.cut(bob.0);
        // What Alice says last, and that she is gone, comes in one bite, after Bob has begun to leave himself.
        town.device(alice.0, Input::Command(Command::HangUp(alice.1, Code::HUNG_UP)));
        let goodbye = town.outbound_of(alice.0, ConnId(FIRST_DIALLED));
        assert!(!goodbye.is_empty());
        town.device(bob.0, Input::Command(Command::Quit));
        let before = if out_before { tells(&mut town, bob.0) } else { Vec::new() };
        assert_eq!(before, []);
        let conn = ConnId(FIRST_ACCEPTED + 2);
        town.device(bob.0, Input::Received(conn, &goodbye));
        town.device(bob.0, Input::Ended(conn));
        let told = tells(&mut town, bob.0);
        assert!(matches!(told[..], [Event::Call(_, CallEvent::Ended(_)), Event::Done]), "{out_before}: {told:?}");
    }
}
