//! Calls that go on directly, each way in which that fails, and that no line suffers from it.

use std::net::SocketAddr;

use super::*;
use crate::id::ConnId;
use crate::limits::{
    DIRECT_ACCEPTS_MAX, DIRECT_HEARD_TIME_MAX, DIRECT_STRANGERS_MAX, DIRECT_TIME_MAX, PEER_GOODBYE_TIME_MAX,
    SILENCE_TIME_MAX,
};
use crate::peer::{DirectEnd, Reach};
use crate::testing::env;
use crate::tls::Dial;

/// Alice calls bob, in a town where both reach this far; `before` happens first.
pub(super) fn neighbours(reach: Reach, before: impl FnOnce(&mut Town)) -> (Town, (usize, CallId), (usize, CallId)) {
    let mut town = Town::of_reaching(&["alice", "bob"], reach);
    before(&mut town);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    (town, (alice, CallId(1)), (bob, theirs))
}

const BOB: usize = 3;

fn moves(events: &[Event]) -> Vec<(Path, Option<DirectEnd>)> {
    let moved = |event: &Event| {
        if let Event::Call(_, CallEvent::Moved(path, end)) = event { Some((*path, *end)) } else { None }
    };
    events.iter().filter_map(moved).collect()
}

fn lines(events: &[Event]) -> Vec<(u64, String)> {
    let line = |event: &Event| {
        if let Event::Call(_, CallEvent::Line(n, text)) = event { Some((*n, text.clone())) } else { None }
    };
    events.iter().filter_map(line).collect()
}

fn said(texts: std::ops::Range<u64>) -> Vec<(u64, String)> {
    texts.map(|n| (n, format!("line {n}"))).collect()
}

fn say(town: &mut Town, who: (usize, CallId), n: u64) {
    town.command(who.0, Command::Say(who.1, format!("line {n}")));
}

#[test]
fn a_call_moves_to_a_direct_connection_and_back_when_that_breaks_and_no_line_suffers() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    say(&mut town, alice, 0);
    assert_eq!(town.streets.dialled.len(), 1, "loopback is nobody's address here");
    town.cut_directly();
    say(&mut town, alice, 1);
    say(&mut town, bob, 0);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    let (told_alice, told_bob) = (town.news(alice.0), town.news(bob.0));
    let broken = Some(DirectEnd::Broken(CloseReason::Truncated));
    assert_eq!(moves(&told_alice), [(Path::Direct, None), (Path::Tunnel, broken)]);
    assert_eq!(moves(&told_bob), [(Path::Direct, None), (Path::Tunnel, broken)]);
    assert_eq!((lines(&told_bob), lines(&told_alice)), (said(0..2), said(0..1)));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&told_alice).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
    assert_eq!(call_events(&told_bob).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
    assert_eq!(town.listener_of(bob.0), None, "the listener was for one introduction");
}

#[test]
fn a_direct_call_goes_on_without_the_relay_and_ends_in_good_order() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.unreachable = true;
    town.cut(alice.0);
    town.cut(bob.0);
    say(&mut town, bob, 0);
    town.command(bob.0, Command::HangUp(bob.1, Code::HUNG_UP));
    let (told_alice, told_bob) = (town.news(alice.0), town.news(bob.0));
    assert_eq!(lines(&told_alice), said(0..1));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&told_alice).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
    assert_eq!(call_events(&told_bob).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
}

#[test]
fn with_both_ways_lost_the_call_is_cut_and_says_so() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.unreachable = true;
    town.cut(alice.0);
    town.cut(bob.0);
    town.cut_directly();
    for who in [alice.0, bob.0] {
        let end = CallEvent::Ended(CallEnd::Closed(CloseReason::Truncated));
        assert_eq!(call_events(&town.news(who)).last(), Some(&end));
    }
}

#[test]
fn a_dead_direct_connection_is_found_out_by_lines_that_nobody_confirms() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.swallow = true;
    for n in 0..3 {
        say(&mut town, alice, n);
    }
    assert_eq!(lines(&town.news(bob.0)), []);
    town.wait(DIRECT_HEARD_TIME_MAX);
    assert_eq!(lines(&town.news(bob.0)), said(0..3));
    let dead = Some(DirectEnd::Broken(CloseReason::TimedOut));
    assert_eq!(moves(&town.news(alice.0)), [(Path::Direct, None), (Path::Tunnel, dead)]);
}

/// A review's find: whoever talks much confirms behind what it says, and its connection was taken for dead.
#[test]
fn a_direct_connection_on_which_much_comes_in_is_not_taken_for_dead() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.slow.insert(alice.0);
    let seconds = 2 * DIRECT_HEARD_TIME_MAX.as_secs();
    for n in 0..seconds {
        say(&mut town, alice, n);
    }
    say(&mut town, bob, 0);
    for _ in 0..seconds {
        town.wait(Duration::from_secs(1));
        assert!(town.let_through());
        town.settle();
    }
    let told_bob = town.news(bob.0);
    assert_eq!(lines(&told_bob), said(0..seconds));
    assert_eq!(moves(&told_bob), [(Path::Direct, None)]);
    while town.let_through() {}
    town.wait(DIRECT_HEARD_TIME_MAX);
    assert_eq!(moves(&town.news(bob.0)), [], "his line was confirmed in the end");
}

/// However much comes in, lines that are never confirmed are worth a try by the other way.
#[test]
fn a_direct_connection_that_confirms_nothing_is_left_in_the_end() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.slow.insert(alice.0);
    let seconds = SILENCE_TIME_MAX.as_secs();
    for n in 0..=seconds {
        say(&mut town, alice, n);
    }
    say(&mut town, bob, 0);
    for _ in 1..seconds {
        town.wait(Duration::from_secs(1));
        assert!(town.let_through());
        town.settle();
    }
    assert_eq!(moves(&town.news(bob.0)), [(Path::Direct, None)]);
    town.wait(Duration::from_secs(1));
    let dead = Some(DirectEnd::Broken(CloseReason::TimedOut));
    assert_eq!(moves(&town.news(bob.0)), [(Path::Tunnel, dead)]);
    assert_eq!(lines(&town.news(alice.0)), said(0..1));
}

#[test]
fn what_is_said_again_right_before_a_goodbye_is_heard() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.swallow = true;
    say(&mut town, alice, 0);
    say(&mut town, alice, 1);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    // She alone learns that it is broken: the news, both lines and the goodbye reach him with the same bytes.
    town.device(alice.0, super::super::Input::Ended(ConnId(super::super::calls::FIRST_DIALLED)));
    town.settle();
    let (told_alice, told_bob) = (town.news(alice.0), town.news(bob.0));
    assert_eq!(lines(&told_bob), said(0..2));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&told_bob).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
    assert_eq!(call_events(&told_alice).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
}

#[test]
fn a_quiet_direct_connection_stays_and_a_dead_quiet_one_is_given_up() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.wait(Duration::from_secs(300));
    assert_eq!(moves(&town.news(alice.0)), [(Path::Direct, None)]);
    town.streets.swallow = true;
    town.wait(Duration::from_secs(70));
    let (told_alice, told_bob) = (moves(&town.news(alice.0)), moves(&town.news(bob.0)));
    assert!(told_alice.iter().chain(&told_bob).any(|(path, _)| *path == Path::Tunnel), "{told_alice:?} {told_bob:?}");
    assert!(!call_events(&town.news(alice.0)).iter().any(|event| matches!(event, CallEvent::Ended(_))));
    say(&mut town, bob, 0);
    assert_eq!(lines(&town.news(alice.0)), said(0..1));
}

#[test]
fn a_meddler_on_the_direct_way_costs_the_way_and_not_the_call() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.meddle = true;
    say(&mut town, alice, 0);
    town.streets.meddle = false;
    say(&mut town, alice, 1);
    say(&mut town, bob, 0);
    let told = (town.news(alice.0), town.news(bob.0));
    assert_eq!((lines(&told.1), lines(&told.0)), (said(0..2), said(0..1)));
    assert_eq!(moves(&told.0).last().map(|moved| moved.0), Some(Path::Tunnel));
}

/// Each way in which no direct connection comes about: what both are told, and that the call goes on.
fn stays_in_the_tunnel(
    reach: Reach,
    before: impl FnOnce(&mut Town),
    wait: Duration,
    told: (Option<DirectEnd>, Option<DirectEnd>),
) -> Town {
    let (mut town, alice, bob) = neighbours(reach, before);
    town.wait(wait);
    let (told_alice, told_bob) = (moves(&town.news(alice.0)), moves(&town.news(bob.0)));
    let one = |end: Option<DirectEnd>| end.map(|end| (Path::Tunnel, Some(end))).into_iter().collect::<Vec<_>>();
    assert_eq!((told_alice, told_bob), (one(told.0), one(told.1)));
    say(&mut town, alice, 0);
    say(&mut town, bob, 0);
    assert_eq!((lines(&town.news(bob.0)), lines(&town.news(alice.0))), (said(0..1), said(0..1)));
    assert_eq!(town.listener_of(bob.0), None);
    town
}

#[test]
fn whoever_wishes_for_the_tunnel_alone_gets_it_without_a_word() {
    let town = stays_in_the_tunnel(Reach::tunnel_only(), |_| {}, Duration::ZERO, (None, None));
    assert!(town.streets.dialled.is_empty());
}

#[test]
fn without_an_address_there_is_nothing_to_offer() {
    let nowhere = |town: &mut Town| town.streets.homeless.extend(town.devices());
    stays_in_the_tunnel(Reach::default(), nowhere, Duration::ZERO, (Some(DirectEnd::NoAddress), None));
    let bob_nowhere = |town: &mut Town| town.streets.homeless.extend([BOB]);
    let told = (Some(DirectEnd::Declined), Some(DirectEnd::NoAddress));
    stays_in_the_tunnel(Reach::default(), bob_nowhere, Duration::ZERO, told);
    let no_port = |town: &mut Town| town.streets.no_ports.extend([BOB]);
    stays_in_the_tunnel(Reach::default(), no_port, Duration::ZERO, told);
}

#[test]
fn one_end_may_decline() {
    let mut town = Town::of_reaching(&["alice"], Reach::default());
    town.reach = Reach::tunnel_only();
    let bob = town.enrol("bob");
    let bob = town.join(bob, true);
    let alice = town.devices()[0];
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    assert_eq!(moves(&town.news(alice)), [(Path::Tunnel, Some(DirectEnd::Declined))]);
    assert_eq!(moves(&town.news(bob)), []);
}

#[test]
fn a_filtered_port_is_given_up_in_time_and_a_closed_one_at_once() {
    let filtered = |town: &mut Town| town.streets.filtered.extend([BOB]);
    // Both have waited for as long; whose clock strikes first tells the other.
    let told = (Some(DirectEnd::TimedOut), Some(DirectEnd::GivenUp));
    let (mut town, alice, bob) = neighbours(Reach::default(), filtered);
    town.wait(DIRECT_TIME_MAX);
    let ends = [alice.0, bob.0].map(|who| moves(&town.news(who)));
    assert!(ends.iter().all(|moved| matches!(moved[..], [(Path::Tunnel, Some(_))])), "{ends:?}");
    assert!(ends.contains(&vec![(Path::Tunnel, told.0)]), "{ends:?}");
    let elsewhere = |town: &mut Town| town.streets.detour = Some("198.51.100.1:7443".parse().unwrap());
    let told = (Some(DirectEnd::Unreachable), Some(DirectEnd::GivenUp));
    stays_in_the_tunnel(Reach::default(), elsewhere, Duration::ZERO, told);
}

#[test]
fn whoever_may_dial_none_of_the_offered_addresses_says_so_at_once() {
    let hers = Town::address_of(1).to_string().parse::<crate::peer::network::Network>().unwrap();
    let mut town = Town::of_reaching(&["alice"], Reach { networks: Some(vec![hers]), ..Reach::default() });
    town.reach = Reach::default();
    let bob = town.enrol("bob");
    town.join(bob, true);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Command::Call(CallId(1), user("bob"), NO_PATIENCE));
    let theirs = incoming(&town.news(bob));
    town.command(bob, Command::Accept(theirs));
    assert_eq!(moves(&town.news(alice)), [(Path::Tunnel, Some(DirectEnd::NotAllowed))]);
    assert_eq!(moves(&town.news(bob)), [(Path::Tunnel, Some(DirectEnd::GivenUp))]);
    assert_eq!((town.streets.dialled.len(), town.listener_of(bob)), (0, None));
}

#[test]
fn an_address_that_the_configuration_forbids_is_not_dialled() {
    let mut town = Town::of_reaching(&["alice"], Reach { networks: Some(vec![]), ..Reach::default() });
    town.reach = Reach::default();
    let bob = town.enrol("bob");
    town.join(bob, true);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    // Bob calls, so alice listens; she has nothing to offer. The other way round she proposes nothing.
    town.command(bob, Command::Call(CallId(1), user("alice"), NO_PATIENCE));
    let theirs = incoming(&town.news(alice));
    town.command(alice, Command::Accept(theirs));
    assert_eq!(moves(&town.news(bob)), [(Path::Tunnel, Some(DirectEnd::Declined))]);
    assert!(town.streets.dialled.is_empty());
}

#[test]
fn strangers_at_the_port_are_turned_away_and_the_one_who_is_awaited_still_gets_in() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |town| town.streets.filtered.extend([BOB]));
    let at = town.listener_of(bob.0).unwrap();
    for _ in 0..=DIRECT_STRANGERS_MAX {
        let (owner, conn) = town.knock(at);
        town.device(owner, super::super::Input::Received(conn, b"GET / HTTP/1.1\r\n\r\n"));
    }
    town.settle();
    assert_eq!(moves(&town.news(bob.0)), []);
    // The filter lets the awaited one through after all.
    let (caller, dialled) = (alice.0, ConnId(super::super::calls::FIRST_DIALLED));
    let (owner, theirs) = town.knock(at);
    town.connect_directly((caller, dialled), (owner, theirs));
    town.settle();
    assert_eq!(moves(&town.news(bob.0)), [(Path::Direct, None)]);
    assert_eq!(moves(&town.news(alice.0)), [(Path::Direct, None)]);
}

#[test]
fn more_strangers_than_anybody_puts_up_with_end_the_listening_and_not_the_call() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |town| town.streets.filtered.extend([BOB]));
    let at = town.listener_of(bob.0).unwrap();
    for _ in 0..DIRECT_ACCEPTS_MAX {
        town.knock(at);
    }
    town.settle();
    assert!(town.listener_of(bob.0).is_some());
    town.knock(at);
    town.settle();
    assert_eq!(town.listener_of(bob.0), None);
    assert_eq!(moves(&town.news(bob.0)), [(Path::Tunnel, Some(DirectEnd::Crowded))]);
    assert_eq!(moves(&town.news(alice.0)), [(Path::Tunnel, Some(DirectEnd::GivenUp))]);
    say(&mut town, alice, 0);
    assert_eq!(lines(&town.news(bob.0)), said(0..1));
}

#[test]
fn another_member_at_the_port_is_not_the_one_who_is_awaited() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |town| town.streets.filtered.extend([BOB]));
    let mallory = town.enrol("mallory");
    let at: SocketAddr = town.listener_of(bob.0).unwrap();
    let mut link = crate::link::Link::connect(&Dial::peer(
        &env(),
        &mallory.credentials,
        &mallory.trust,
        &device_name("bob", "laptop"),
    ));
    let (owner, conn) = town.knock(at);
    for _ in 0..4 {
        let bytes = link.outbound().to_vec();
        link.sent(bytes.len());
        town.device(owner, super::super::Input::Received(conn, &bytes));
        let bytes = town.outbound_of(owner, conn);
        link.received(&bytes, &mut Vec::new());
    }
    assert!(link.is_closed(), "bob has refused her certificate");
    assert_eq!(moves(&town.news(bob.0)), [], "and goes on listening");
    assert!(town.listener_of(bob.0).is_some());
    town.wait(DIRECT_TIME_MAX);
    assert!(matches!(moves(&town.news(alice.0))[..], [(Path::Tunnel, Some(_))]));
}

#[test]
fn hanging_up_while_a_direct_connection_is_tried_ends_the_call_in_good_order() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |town| town.streets.filtered.extend([BOB]));
    town.command(bob.0, Command::HangUp(bob.1, Code::HUNG_UP));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&town.news(alice.0)).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
    assert_eq!(call_events(&town.news(bob.0)).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
    assert_eq!(town.listener_of(bob.0), None);
    town.wait(Duration::from_secs(60));
    assert_eq!(town.news(alice.0), []);
}

#[test]
fn a_long_monologue_is_whole_whenever_the_direct_connection_breaks() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    let mut said = Vec::new();
    for n in 0..300_u64 {
        if n == 150 {
            town.cut_directly();
        }
        let text = format!("{n} {}", "x".repeat(usize::try_from(n * 53 % 16_000).unwrap()));
        town.command(alice.0, Command::Say(alice.1, text.clone()));
        said.push((n, text));
    }
    assert_eq!(lines(&town.news(bob.0)), said);
}

#[test]
fn what_either_said_before_a_goodbye_is_heard_though_the_direct_connection_died_with_it() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.swallow = true;
    say(&mut town, alice, 0);
    say(&mut town, bob, 0);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    // Alice alone sees that the connection is gone.
    town.cut_directly_for(alice.0);
    let (told_alice, told_bob) = (town.news(alice.0), town.news(bob.0));
    assert_eq!((lines(&told_bob), lines(&told_alice)), (said(0..1), said(0..1)));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&told_alice).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
    assert_eq!(call_events(&told_bob).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
}

#[test]
fn a_goodbye_on_a_dead_direct_connection_goes_through_the_tunnel() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.swallow = true;
    say(&mut town, alice, 0);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    assert_eq!(lines(&town.news(bob.0)), []);
    town.wait(PEER_GOODBYE_TIME_MAX);
    let (told_alice, told_bob) = (town.news(alice.0), town.news(bob.0));
    assert_eq!(lines(&told_bob), said(0..1));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&told_alice).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
    assert_eq!(call_events(&told_bob).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
}

/// A review's find: the answer went by a way that nobody read any more.
#[test]
fn a_goodbye_that_comes_by_a_way_which_its_sender_has_left_is_answered_by_the_other_way_too() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.slow.extend([alice.0, bob.0]);
    say(&mut town, alice, 0);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    say(&mut town, bob, 0);
    // She goes on in the tunnel; before that reaches him, what stood still on the direct connection does.
    let later = town.now.mono.plus(PEER_GOODBYE_TIME_MAX);
    town.now = crate::time::Now { mono: later, wall: town.now.wall.plus(PEER_GOODBYE_TIME_MAX) };
    town.device(alice.0, super::super::Input::Tick);
    town.streets.slow.clear();
    while town.let_through() {}
    town.settle();
    let (told_alice, told_bob) = (town.news(alice.0), town.news(bob.0));
    assert_eq!((lines(&told_bob), lines(&told_alice)), (said(0..1), said(0..1)));
    let finished = |end| CallEvent::Ended(CallEnd::Closed(end));
    assert_eq!(call_events(&told_bob).last(), Some(&finished(CloseReason::Theirs(Code::FINISHED))));
    assert_eq!(call_events(&told_alice).last(), Some(&finished(CloseReason::Ours(Code::FINISHED))));
}

#[test]
fn an_answer_that_comes_by_the_other_way_first_is_as_good_an_end() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.slow.insert(bob.0);
    say(&mut town, bob, 0);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    let told = town.news(alice.0);
    assert_eq!(lines(&told), said(0..1));
    let finished = CallEvent::Ended(CallEnd::Closed(CloseReason::Ours(Code::FINISHED)));
    assert_eq!(call_events(&told).last(), Some(&finished));
    while town.let_through() {}
    town.settle();
    assert_eq!(town.news(alice.0), []);
}

#[test]
fn whoever_calls_again_is_not_told_that_the_other_is_busy_with_their_own_dead_call() {
    let (mut town, alice, bob) = neighbours(Reach::default(), |_| {});
    town.streets.swallow = true;
    // Alice's machine is in another network now: the relay's connection ends, the direct one is dead and says nothing.
    town.cut(alice.0);
    town.command(alice.0, Command::HangUp(alice.1, Code::HUNG_UP));
    town.wait(PEER_GOODBYE_TIME_MAX * 2);
    town.news(bob.0);
    town.command(alice.0, Command::Call(CallId(2), user("bob"), NO_PATIENCE));
    let told = call_events(&town.news(bob.0));
    let broken = CallEvent::Ended(CallEnd::Closed(CloseReason::Truncated));
    assert_eq!(told, [broken, CallEvent::Incoming(device_name("alice", "laptop"))]);
}

#[test]
fn whoever_confirms_nothing_is_not_waited_for_without_end() {
    let (mut town, alice, bob) = neighbours(Reach::tunnel_only(), |_| {});
    // Bob's program is stopped; his kernel and the relay go on.
    town.lose_wire(bob.0);
    say(&mut town, alice, 0);
    town.wait(SILENCE_TIME_MAX);
    let end = call_events(&town.news(alice.0)).pop();
    assert!(matches!(end, Some(CallEvent::Ended(_))), "{end:?}");
}

#[test]
fn of_many_silent_strangers_at_the_port_the_oldest_yields() {
    let (mut town, _, bob) = neighbours(Reach::default(), |town| town.streets.filtered.extend([BOB]));
    let at = town.listener_of(bob.0).unwrap();
    let knocks: Vec<_> = (0..DIRECT_STRANGERS_MAX).map(|_| town.knock(at)).collect();
    town.settle();
    assert_eq!(town.streets.dropped, []);
    town.knock(at);
    town.settle();
    assert_eq!(town.streets.dropped, knocks[..1]);
}
