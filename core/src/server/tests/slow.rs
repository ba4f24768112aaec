//! A member who does not read: paused, heard again, or dropped; and nobody else notices.

use std::time::Duration;

use super::super::*;
use crate::device::calls::{CallDenied, CallEvent};
use crate::device::{Command, Event};
use crate::fault::CloseReason;
use crate::id::{AskId, CallId, DeviceName};
use crate::limits::{
    HELD_BYTES_MAX, HELD_OVERHEAD_BYTES, LINE_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_PAUSE_BYTES, OUTBOX_RESUME_BYTES,
    SLOW_TIME_MAX, TUNNEL_WINDOW_BYTES,
};
use crate::link::Link;
use crate::testing::{Town, device_name, env};
use crate::tls::Dial;
use crate::wire::relay::{RelayEvent, RelayRequest};
use crate::wire::{Extensions, Frame};

/// Bob's connection, made by hand, in a town where alice attends. Its socket takes nothing from now on.
fn deaf_bob() -> (Town, ConnId, Link) {
    let mut town = Town::of(&["alice"]);
    let identity = town.enrol("bob");
    let conn = town.next_conn();
    let mut link = Link::connect(&Dial::relay(&env(), &identity.credentials, &identity.trust));
    town.deaf.insert(conn);
    town.server.handle(Input::Opened(conn, Source::default()), town.now, &mut town.rng);
    for _ in 0..3 {
        say(&mut town, conn, &mut link);
        let bytes = town.server.outbound(conn).to_vec();
        town.server.handle(Input::Sent(conn, bytes.len()), town.now, &mut town.rng);
        link.received(&bytes, &mut Vec::new());
    }
    let alice = town.devices()[0];
    town.news(alice);
    (town, conn, link)
}

/// What waits in bob's link reaches the server.
fn say(town: &mut Town, conn: ConnId, link: &mut Link) {
    link.flush();
    let bytes = link.outbound().to_vec();
    link.sent(bytes.len());
    town.server.handle(Input::Received(conn, &bytes), town.now, &mut town.rng);
    town.settle();
}

fn bob() -> DeviceName {
    device_name("bob", "laptop")
}

fn waiting(town: &Town, conn: ConnId) -> usize {
    town.server.conns.get(&conn).map_or(0, |known| known.link.waiting())
}

/// Others have something for bob, until that much waits for him.
fn fill(town: &mut Town, conn: ConnId, bytes: usize) {
    let frame = Frame::message(&RelayEvent::Presence { device: bob(), online: true });
    // One round more than fit finds the bound, and its end.
    for _ in 0..bytes.saturating_sub(waiting(town, conn)) / frame.bytes().len() {
        town.server.effects.send(conn, frame.clone());
        town.server.carry_out(town.now);
    }
    town.settle();
}

fn request(link: &mut Link, request: &RelayRequest) {
    link.send(&Frame::message(request)).expect("bob's own outbox has room");
}

fn last_closing(town: &Town) -> Option<CloseReason> {
    town.closings()
        .last()
        .copied()
        .filter(|_| town.notes.iter().any(|note| matches!(note, Note::Closed(_, Some(_), _))))
}

#[test]
fn with_half_of_its_outbox_full_a_member_is_paused_and_with_a_quarter_left_it_is_heard_again() {
    let (mut town, conn, mut link) = deaf_bob();
    // Sealing adds to what waits, so the last steps are made one by one.
    fill(&mut town, conn, OUTBOX_PAUSE_BYTES - 2048);
    let frame = Frame::message(&RelayEvent::Pong);
    while waiting(&town, conn) + frame.bytes().len() <= OUTBOX_PAUSE_BYTES {
        assert_eq!(town.pauses, []);
        town.server.effects.send(conn, frame.clone());
        town.server.carry_out(town.now);
        town.settle();
    }
    assert_eq!(town.pauses, [], "{} bytes wait", waiting(&town, conn));
    town.server.effects.send(conn, frame);
    town.server.carry_out(town.now);
    town.settle();
    assert_eq!(town.pauses, [Output::Pause(conn)]);
    assert!(town.notes.contains(&Note::Paused(conn, bob())));

    let filled = waiting(&town, conn);
    request(&mut link, &RelayRequest::Ping);
    request(&mut link, &RelayRequest::Attend { extensions: Extensions::default() });
    say(&mut town, conn, &mut link);
    assert_eq!(waiting(&town, conn), filled, "its requests are not answered");
    assert!(!town.server.relay.is_present(&bob()));

    town.take(conn, waiting(&town, conn) - OUTBOX_RESUME_BYTES - 1);
    assert_eq!(town.pauses.len(), 1, "a byte too many is left");
    town.take(conn, 1);
    assert_eq!(town.pauses, [Output::Pause(conn), Output::Resume(conn)]);
    assert!(town.server.relay.is_present(&bob()), "what it had asked for is done now");
    town.wait(SLOW_TIME_MAX);
    assert_eq!(last_closing(&town), None);
}

#[test]
fn a_member_who_stays_paused_is_dropped_with_a_reason_and_the_others_hear_that_it_is_gone() {
    let (mut town, conn, mut link) = deaf_bob();
    request(&mut link, &RelayRequest::Attend { extensions: Extensions::default() });
    say(&mut town, conn, &mut link);
    fill(&mut town, conn, OUTBOX_PAUSE_BYTES + 40);
    town.wait(SLOW_TIME_MAX.saturating_sub(Duration::from_micros(1)));
    assert_eq!(last_closing(&town), None);
    town.wait(Duration::from_micros(1));
    assert_eq!(last_closing(&town), Some(CloseReason::Ours(Code::TOO_SLOW)));
    assert_eq!(town.pauses, [Output::Pause(conn), Output::Resume(conn)], "its end is to be seen");
    let alice = town.devices()[0];
    assert_eq!(town.news(alice), [Event::Presence(bob(), true), Event::Presence(bob(), false)]);
    town.wait(crate::limits::LINGER_TIME_MAX);
    assert_eq!(town.server.connections(), 1);
}

#[test]
fn what_others_send_a_paused_member_comes_up_to_the_bound_and_beyond_it_it_is_dropped() {
    let (mut town, conn, _) = deaf_bob();
    fill(&mut town, conn, OUTBOX_BYTES_MAX - 4096);
    assert_eq!(last_closing(&town), None);
    fill(&mut town, conn, OUTBOX_BYTES_MAX);
    assert_eq!(last_closing(&town), Some(CloseReason::Ours(Code::TOO_SLOW)));
    assert!(waiting(&town, conn) <= OUTBOX_BYTES_MAX);
}

#[test]
fn what_a_paused_member_had_said_is_held_up_to_a_bound() {
    let ping = Frame::message(&RelayRequest::Ping).bytes().len() - crate::limits::FRAME_HEADER_BYTES - 1;
    let most = HELD_BYTES_MAX / (ping + HELD_OVERHEAD_BYTES);
    for (pings, closing) in [(most, None), (most + 1, Some(CloseReason::Ours(Code::TOO_SLOW)))] {
        let (mut town, conn, mut link) = deaf_bob();
        fill(&mut town, conn, OUTBOX_PAUSE_BYTES + 40);
        for _ in 0..pings {
            request(&mut link, &RelayRequest::Ping);
        }
        say(&mut town, conn, &mut link);
        assert_eq!(last_closing(&town), closing, "{pings}");
        if closing.is_none() {
            town.take(conn, usize::MAX);
            let pong = Frame::message(&RelayEvent::Pong).bytes().len();
            assert!(waiting(&town, conn) >= pings * pong, "each is answered");
        }
    }
}

#[test]
fn requests_whose_answers_would_fill_the_outbox_are_answered_as_far_as_they_are_read() {
    const ASKED: u64 = 3000;
    let (mut town, conn, mut link) = deaf_bob();
    for n in 0..60 {
        town.enrol(&format!("user-{n:03}"));
    }
    for n in 0..ASKED {
        request(&mut link, &RelayRequest::Who { ask: AskId(n), after: None });
    }
    say(&mut town, conn, &mut link);
    let (mut answers, mut turns) = (0, 0);
    while waiting(&town, conn) > 0 {
        assert!(waiting(&town, conn) <= OUTBOX_PAUSE_BYTES + 4096, "no more than one answer beyond the mark");
        let bytes = town.server.outbound(conn).to_vec();
        let mut events = Vec::new();
        link.received(&bytes, &mut events);
        answers += events.len() as u64;
        turns += 1;
        town.take(conn, usize::MAX);
    }
    assert_eq!((answers, last_closing(&town)), (ASKED, None));
    assert!(turns > 1, "it was paused in between");
    let resumed = town.pauses.iter().filter(|output| matches!(output, Output::Resume(_))).count();
    assert_eq!((resumed, town.pauses.len()), (1, 2), "the shell is told once");
}

#[test]
fn what_a_paused_member_said_before_it_left_counts() {
    let (mut town, conn, mut link) = deaf_bob();
    fill(&mut town, conn, OUTBOX_PAUSE_BYTES + 40);
    request(&mut link, &RelayRequest::Attend { extensions: Extensions::default() });
    say(&mut town, conn, &mut link);
    link.part(Code::FINISHED, 0);
    say(&mut town, conn, &mut link);
    let alice = town.devices()[0];
    assert_eq!(town.news(alice), [Event::Presence(bob(), true), Event::Presence(bob(), false)]);
}

/// Somebody is called and takes it: the call at both ends.
fn call(town: &mut Town, id: CallId, caller: usize, callee: usize, name: &str) -> CallId {
    town.command(caller, Command::Call(id, device_name(name, "laptop").user, Duration::ZERO));
    let incoming = |event: &Event| if let Event::Call(id, CallEvent::Incoming(_)) = event { Some(*id) } else { None };
    let theirs = town.news(callee).iter().find_map(incoming).expect("it rings");
    town.command(callee, Command::Accept(theirs));
    theirs
}

fn lines(town: &mut Town, member: usize, call: CallId) -> Vec<String> {
    let line = |event| match event {
        Event::Call(id, CallEvent::Line(_, text)) if id == call => Some(text),
        Event::Online(_)
        | Event::Offline(..)
        | Event::GivenUp(_)
        | Event::Here(_)
        | Event::Presence(..)
        | Event::Asked(_)
        | Event::Followed(_)
        | Event::Unasked(_)
        | Event::Listed(_)
        | Event::ListsRefused(_)
        | Event::AnotherLog(_)
        | Event::LogRefused(_)
        | Event::Call(..)
        | Event::Denied(..)
        | Event::Renewed(_)
        | Event::NotRenewed(_)
        | Event::ServerClock(_)
        | Event::Lapsed(_)
        | Event::Doubted(_)
        | Event::Reconciled(_)
        | Event::Conversation(_)
        | Event::Done => None,
    };
    town.news(member).into_iter().filter_map(line).collect()
}

#[test]
fn a_slow_call_stalls_neither_the_same_devices_other_call_nor_the_relay() {
    let mut town = Town::of(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = town.devices()[..] else { panic!("three devices") };
    let (slow, quick) = (CallId(1), CallId(2));
    let at_alice = call(&mut town, slow, bob, alice, "alice");
    let at_carol = call(&mut town, quick, bob, carol, "carol");
    let conn = town.wire_of(alice);
    town.deaf.insert(conn);

    // Bob talks to alice, who does not read, until his side of that call takes no more.
    let text = |n: usize| format!("{n:05} {}", "x".repeat(LINE_BYTES_MAX / 2));
    let mut said = 0;
    let denied =
        |town: &mut Town| town.news(bob).iter().any(|event| matches!(event, Event::Denied(_, CallDenied::Say(_))));
    while !denied(&mut town) {
        town.command(bob, Command::Say(slow, text(said)));
        said += 1;
    }
    said -= 1;
    assert!(waiting(&town, conn) <= TUNNEL_WINDOW_BYTES as usize + 4096, "the relay holds a window and no more");
    for n in 0..200 {
        town.command(bob, Command::Say(quick, n.to_string()));
        assert_eq!(lines(&mut town, carol, at_carol), [n.to_string()], "carol hears each line at once");
        town.command(carol, Command::Say(at_carol, n.to_string()));
        assert_eq!(lines(&mut town, bob, quick), [n.to_string()]);
    }
    // Alice reads again, and has missed nothing.
    town.deaf.clear();
    town.take(conn, usize::MAX);
    assert_eq!(lines(&mut town, alice, at_alice), (0..said).map(text).collect::<Vec<_>>());
}
