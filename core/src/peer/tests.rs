//! Two ends of a session through a tunnel that is a pair of vectors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::time::Duration;

use super::*;
use crate::device::Identity;
use crate::device::calls::FIRST_DIALLED;
use crate::limits::{DEVICE_LIFETIME, SILENCE_TIME_MAX, TUNNEL_WINDOW_BYTES};
use crate::relay::tunnel::forward_cost;
use crate::testing::log::{SmallLog, certified};
use crate::testing::{START, Town, device_name, env, rng};
use crate::time::Instant;
use crate::tls::CertRefusal;
use crate::wire::peer::Nonce;

mod agreement;

const NOW: Now = Now { mono: Instant(1), wall: START };

struct Call {
    caller: Peer,
    callee: Peer,
}

impl Call {
    /// Between these identities, where each end was told that the other is so and so.
    fn between(caller: &Identity, callee: &Identity, called: &Identity, announced: &Identity) -> Self {
        let log = SmallLog::of(&[called, announced]);
        Self::expecting(caller, callee, log.expected(called), log.expected(announced))
    }

    /// Between these identities, where each end was told what the log has of the other.
    fn expecting(caller: &Identity, callee: &Identity, called: Expected, announced: Expected) -> Self {
        Self {
            caller: Peer::calling(
                &env(),
                &caller.credentials,
                &caller.trust,
                called,
                Reach::tunnel_only(),
                ConnId(FIRST_DIALLED),
            )
            .with_lists(caller.lists.clone()),
            callee: Peer::called(
                &env(),
                &callee.credentials,
                &callee.trust,
                announced,
                Reach::tunnel_only(),
                ConnId(FIRST_DIALLED),
            )
            .with_lists(callee.lists.clone()),
        }
    }

    fn pump(&mut self) {
        loop {
            let to_callee = std::iter::from_fn(|| self.caller.poll_forward()).collect::<Vec<_>>();
            let to_caller = std::iter::from_fn(|| self.callee.poll_forward()).collect::<Vec<_>>();
            if to_callee.is_empty() && to_caller.is_empty() {
                break;
            }
            for bytes in &to_callee {
                self.callee.received(bytes, NOW);
            }
            for bytes in &to_caller {
                self.caller.received(bytes, NOW);
            }
            while let Some(credit) = self.callee.poll_credit() {
                self.caller.credited(credit);
            }
            while let Some(credit) = self.caller.poll_credit() {
                self.callee.credited(credit);
            }
        }
    }

    fn events(&mut self) -> (Vec<PeerEvent>, Vec<PeerEvent>) {
        let (caller, callee) = (&mut self.caller, &mut self.callee);
        (std::iter::from_fn(|| caller.poll_event()).collect(), std::iter::from_fn(|| callee.poll_event()).collect())
    }
}

fn people() -> [Identity; 3] {
    let mut town = Town::new();
    ["alice", "bob", "mallory"].map(|user| town.enrol(user))
}

#[test]
fn each_end_is_proved_to_the_other_before_a_word_is_said() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    assert_eq!(call.caller.say("too early", NOW), Err(SayRefusal::NotOpen));
    call.pump();
    let (caller, callee) = call.events();
    assert!(matches!(caller.as_slice(), [PeerEvent::Open(proven)] if *proven.who() == bob.name), "{caller:?}");
    assert!(matches!(callee.as_slice(), [PeerEvent::Open(proven)] if *proven.who() == alice.name), "{callee:?}");
}

#[test]
fn whoever_is_not_the_one_that_was_called_is_found_out() {
    let [alice, bob, mallory] = people();
    let mut call = Call::between(&alice, &mallory, &bob, &alice);
    call.pump();
    let (caller, callee) = call.events();
    let other_name = CloseReason::Fault(Fault::Certificate(CertRefusal::OtherName));
    assert_eq!(caller, [PeerEvent::Closed(other_name)]);
    // bad_certificate (RFC 8446 §6.2)
    assert_eq!(callee, [PeerEvent::Closed(CloseReason::Alert(42))]);
}

#[test]
fn whoever_is_not_the_one_that_was_announced_is_found_out_and_hears_no_welcome() {
    let [alice, bob, mallory] = people();
    let mut call = Call::between(&mallory, &bob, &bob, &alice);
    call.pump();
    let (caller, callee) = call.events();
    let other_name = CloseReason::Fault(Fault::Certificate(CertRefusal::OtherName));
    assert_eq!(callee, [PeerEvent::Closed(other_name)]);
    assert_eq!(caller, [PeerEvent::Closed(CloseReason::Alert(42))], "its handshake was done, and it was not let in");
}

#[test]
fn a_cut_tunnel_is_not_a_goodbye() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.caller.say("lost on the way", NOW).unwrap();
    call.caller.tunnel_ended();
    call.callee.tunnel_ended();
    let (caller, callee) = call.events();
    assert_eq!(caller, [PeerEvent::Closed(CloseReason::Truncated)]);
    assert_eq!(callee, [PeerEvent::Closed(CloseReason::Truncated)]);
}

#[test]
fn nothing_is_sent_beyond_the_tunnels_credit() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    while call.caller.has_room() {
        call.caller.say(&"x".repeat(LINE_BYTES_MAX), NOW).unwrap();
    }
    let mut forwarded = 0;
    while let Some(bytes) = call.caller.poll_forward() {
        forwarded += bytes.len();
    }
    assert!(forwarded <= TUNNEL_WINDOW_BYTES as usize);
    assert!(!call.caller.is_drained());
    call.caller.credited(forward_cost(1));
    assert_eq!(call.caller.poll_forward().map(|bytes| bytes.len()), Some(1));
}

#[test]
fn a_line_out_of_order_is_a_fault() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.caller.say("zero", NOW).unwrap();
    call.caller.lines = Lines::default();
    for _ in 0..7 {
        call.caller.lines.say("never sent", NOW.mono).unwrap();
    }
    call.caller.say("seven", NOW).unwrap();
    call.pump();
    let (caller, callee) = call.events();
    assert_eq!(callee.last(), Some(&PeerEvent::Closed(CloseReason::Fault(Fault::Unexpected))));
    assert_eq!(caller, [PeerEvent::Closed(CloseReason::Theirs(Code::UNEXPECTED))]);
    assert_eq!(device_name("bob", "laptop"), bob.name);
}

#[test]
fn a_wish_for_a_direct_connection_that_crosses_a_goodbye_is_no_breach() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    (call.caller.reach, call.callee.reach) = (Reach::default(), Reach::default());
    call.pump();
    call.events();
    call.callee.part(Code::FINISHED);
    let own = [std::net::IpAddr::from([192, 0, 2, 1])];
    call.caller.direct_input(DirectInput::Addresses(&own), NOW, &mut rng(1));
    call.pump();
    let (caller, callee) = call.events();
    assert_eq!(callee, [PeerEvent::Closed(CloseReason::Ours(Code::FINISHED))]);
    assert_eq!(caller, [PeerEvent::Closed(CloseReason::Theirs(Code::FINISHED))]);
}

#[test]
fn an_end_that_is_left_for_a_way_that_it_has_lost_calls_that_a_cut() {
    let [alice, bob, _] = people();
    let left = CloseReason::Theirs(Code::OTHER_WAY);
    for lost in [false, true] {
        let mut call = Call::between(&alice, &bob, &bob, &alice);
        call.pump();
        call.events();
        if lost {
            call.caller.tunnel = None;
        }
        call.caller.back(Some(left), DirectEnd::Broken(left), NOW);
        let in_tunnel = PeerEvent::Tunnelled(DirectEnd::Broken(left));
        let expected = if lost { PeerEvent::Closed(CloseReason::Truncated) } else { in_tunnel };
        assert_eq!(call.events().0, [expected]);
    }
}

#[test]
fn confirmations_wait_for_room_and_become_one() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    // Bob hears line after line, and nothing of his gets out.
    for n in 0..1000 {
        call.caller.say("x", NOW).unwrap();
        while let Some(bytes) = call.caller.poll_forward() {
            call.callee.received(&bytes, NOW);
            call.caller.credited(forward_cost(bytes.len()));
        }
        call.callee.tunnel.as_mut().unwrap().link.flush();
        let waiting = call.callee.tunnel.as_ref().unwrap().link.waiting();
        assert!(waiting < PEER_HEARD_BACKLOG_BYTES + 64, "{waiting} bytes wait after line {n}");
    }
    call.pump();
    assert_eq!(call.caller.lines.say_again(NOW.mono).count(), 0, "all are confirmed in the end");
}

#[test]
fn whoever_confirms_nothing_for_a_minute_does_not_read() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.caller.say("is anybody there", NOW).unwrap();
    let at = |time| Now { mono: NOW.mono.plus(time), wall: START };
    call.caller.tick(at(SILENCE_TIME_MAX.saturating_sub(Duration::from_micros(1))));
    assert_eq!(call.caller.poll_event(), None);
    assert_eq!(call.caller.next_deadline(), Some(at(SILENCE_TIME_MAX).mono));
    call.caller.tick(at(SILENCE_TIME_MAX));
    assert_eq!(call.caller.poll_event(), Some(PeerEvent::Closed(CloseReason::TimedOut)));
    assert_eq!(call.caller.next_deadline(), None);
}

/// A review's find: there was never so little on the way that a confirmation went out.
#[test]
fn whoever_talks_without_pause_confirms_what_it_hears_all_the_same() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.callee.say("do you hear me", NOW).unwrap();
    let filler = "x".repeat(LINE_BYTES_MAX / 16);
    let mut on_the_way = VecDeque::new();
    for second in 0..=SILENCE_TIME_MAX.as_secs() {
        let now = Now { mono: NOW.mono.plus(Duration::from_secs(second)), wall: START };
        while call.caller.has_room() {
            call.caller.say(&filler, now).unwrap();
        }
        on_the_way.extend(std::iter::from_fn(|| call.caller.poll_forward()));
        let piece = on_the_way.pop_front().unwrap();
        call.callee.received(&piece, now);
        while let Some(bytes) = call.callee.poll_forward() {
            call.caller.received(&bytes, now);
        }
        if let Some(credit) = call.callee.poll_credit() {
            call.caller.credited(credit);
        }
        call.caller.tick(now);
        call.callee.tick(now);
    }
    let (caller, callee) = call.events();
    assert_eq!(caller, [PeerEvent::Line { n: 0, text: "do you hear me".into() }]);
    assert!(callee.iter().all(|event| matches!(event, PeerEvent::Line { .. })), "{:?}", callee.last());
    assert_eq!(call.callee.lines.waiting_since(), None, "it knows that it was heard");
}

#[test]
fn a_line_that_comes_twice_by_the_only_way_is_a_breach() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    for _ in 0..2 {
        call.caller.tunnelled(&PeerMessage::Line { n: 0, text: "once".into() });
    }
    call.pump();
    assert_eq!(call.events().1.last(), Some(&PeerEvent::Closed(CloseReason::Fault(Fault::Unexpected))));
}

#[test]
fn half_of_a_ways_outbox_is_kept_for_what_is_said_again() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    let filler = "x".repeat(LINE_BYTES_MAX);
    while call.caller.tunnel.as_ref().unwrap().link.waiting() <= PEER_OUTBOX_BYTES_MAX / 2 - LINE_BYTES_MAX {
        // As after a way back: the lines are confirmed by now, but wait to be said again all the same.
        call.caller.tunnelled(&PeerMessage::Line { n: 0, text: filler.clone() });
    }
    assert!(!call.caller.has_room());
    assert_eq!(call.caller.say(&filler, NOW), Err(SayRefusal::Full));
}

#[test]
fn whoever_parts_twice_has_parted_once_for_the_first_reason() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    assert!(!call.caller.has_parted());
    call.caller.part(Code::FINISHED);
    assert!(call.caller.has_parted());
    call.caller.part(Code::HUNG_UP);
    call.pump();
    let (caller, callee) = call.events();
    assert_eq!(caller, [PeerEvent::Closed(CloseReason::Ours(Code::FINISHED))]);
    assert_eq!(callee, [PeerEvent::Closed(CloseReason::Theirs(Code::FINISHED))]);
}

#[test]
fn an_abandoned_session_says_and_hears_no_more() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.caller.abandon();
    assert_eq!(call.caller.say("to nobody", NOW), Err(SayRefusal::NotOpen));
    call.caller.part(Code::FINISHED);
    assert!(!call.caller.has_parted(), "there is nobody left to part from");
    call.callee.say("from nobody", NOW).unwrap();
    call.pump();
    assert_eq!(call.events(), (vec![], vec![]));
    assert!(call.caller.was_open());
}

#[test]
fn a_session_knows_how_long_the_other_ends_proof_holds() {
    let [alice, bob, _] = people();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    assert_eq!(call.caller.proof_ends(), None);
    call.pump();
    for ours in [&call.caller, &call.callee] {
        assert_eq!(ours.proof_ends(), Some(START.plus(DEVICE_LIFETIME)));
    }
}

#[test]
fn what_comes_out_of_turn_is_a_breach() {
    let [alice, bob, _] = people();
    let welcome = PeerMessage::Welcome { extensions: Extensions::default() };
    let breach = PeerEvent::Closed(CloseReason::Fault(Fault::Unexpected));
    // A second welcome, and one from the end that asked to be let in.
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.callee.tunnelled(&welcome);
    call.pump();
    assert_eq!(call.events().0.last(), Some(&breach));
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.caller.tunnelled(&welcome);
    call.pump();
    assert_eq!(call.events().1.last(), Some(&breach));
    // What only the other end says, and a second wish after the first was declined.
    let propose = PeerMessage::Propose { from: Vec::new() };
    let listening =
        || PeerMessage::Listening { nonce: Nonce::draw(&mut rng(1)), at: vec!["192.0.2.1:443".parse().unwrap()] };
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.callee.tunnelled(&propose);
    call.pump();
    assert_eq!(call.events().0.last(), Some(&breach));
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.caller.tunnelled(&listening());
    call.pump();
    assert_eq!(call.events().1.last(), Some(&breach));
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.caller.tunnelled(&propose);
    call.pump();
    assert_eq!(call.events().1, [], "declined");
    call.caller.tunnelled(&propose);
    call.pump();
    assert_eq!(call.events().1, std::slice::from_ref(&breach));
    // Anything before the welcome.
    let early = [
        PeerMessage::Line { n: 0, text: "hello".into() },
        PeerMessage::Heard { n: 0 },
        propose,
        listening(),
        PeerMessage::Detach,
        PeerMessage::Checkpoint { note: vec![1].into() },
    ];
    for message in early {
        let mut call = Call::between(&alice, &bob, &bob, &alice);
        call.pump();
        call.events();
        call.caller.open = false;
        call.callee.tunnelled(&message);
        call.pump();
        assert_eq!(call.events().0, std::slice::from_ref(&breach), "{message:?}");
    }
}
