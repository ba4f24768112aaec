//! What outlasts a restart, what a crash leaves, and what is kept for too long.

use std::time::Duration;

use super::*;
use crate::limits::{EXPIRED_AT_ONCE_MAX, POSTED_KEPT, POSTED_LOOK_PAUSE, POSTED_LOOK_SPAN};
use crate::server::{Output, Server, Wake};

#[test]
fn what_was_not_written_down_as_acknowledged_is_posted_again_at_the_same_places() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    for id in 0..3 {
        hall.ask(0, message(1, id, 10));
    }
    hall.ask(1, acknowledge(3));
    let posted = hall.is_posted(1);
    hall.restart();
    assert_eq!(hall.is_posted(1), posted);
    assert_eq!(hall.town.bodies_read, 3);
    hall.ask(1, acknowledge(3));
    hall.town.wait(ACKNOWLEDGE_AFTER);
    hall.restart();
    assert_eq!(hall.is_posted(1), posted[2..]);
    assert_eq!(hall.places(0), [2, 3, 4]);
    // What is sent again after that is what stands.
    hall.ask(0, message(1, 0, 10));
    assert_eq!(hall.is_posted(0), [(2, own(0))]);
}

#[test]
fn a_start_says_which_bodies_are_needed() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.ask(0, message(1, 1, 10));
    let package =
        ConversationsRequest::Publish { ask: ASK, last_resort: Some(bytes(1)), packages: vec![], not_after: LATE };
    hall.ask(0, package);
    let needed: Vec<u64> = hall.town.bodies.keys().copied().collect();
    assert_eq!(needed.len(), 2);
    let state = hall.town.replayed();
    let authority = crate::testing::authority(&hall.town.founded);
    let server = Server::start(env(), authority, state, hall.town.now, &mut hall.town.rng);
    assert_eq!(server.unwrap().poll_output(), Some(Output::KeepBodies(needed)));
}

#[test]
fn a_body_that_is_lost_is_said_to_be_and_holds_nothing_up() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    for id in 0..3 {
        hall.ask(0, message(1, id, 10));
    }
    let lost = *hall.town.bodies.keys().nth(1).unwrap();
    hall.town.bodies.remove(&lost);
    hall.restart();
    assert_eq!(hall.is_posted(1), [(2, said(0, 10)), (3, What::Expired), (4, said(2, 10))]);
    assert!(hall.town.notes.iter().any(|note| matches!(note, Note::Alarm(text) if text.contains("is lost"))));
    hall.ask(1, ConversationsRequest::Take { ask: ASK, of: vec![] });
}

#[test]
fn what_was_kept_for_too_long_goes_and_whoever_comes_for_it_is_told_once() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    let bobs = hall.hands[1].conn;
    hall.town.serve(crate::server::Input::Ended(bobs));
    for id in 0..3 {
        hall.ask(0, message(1, id, 10));
    }
    // Nobody is certified for so long: the civil clock alone goes on.
    let looked = hall.town.now.mono;
    let kept = |hall: &Hall| hall.town.bodies.len();
    hall.town.server_wall = Some(START.plus(POSTED_KEPT));
    assert!(hall.town.server.next_deadline().is_some());
    let look = |hall: &mut Hall, wall: Wall| {
        hall.town.now.mono = hall.town.now.mono.plus(POSTED_LOOK_SPAN);
        hall.town.server_wall = Some(wall);
        hall.town.serve(crate::server::Input::Tick);
        hall.town.settle();
    };
    look(&mut hall, START.plus(POSTED_KEPT));
    assert_eq!(kept(&hall), 3, "this is the last second");
    look(&mut hall, START.plus(POSTED_KEPT + Duration::from_secs(2)));
    assert_eq!(kept(&hall), 0);
    assert!(hall.town.now.mono > looked);
    hall.town.server_wall = None;
    let bob = hall.connect(1);
    hall.ask(bob, ConversationsRequest::Collect);
    let at = START.plus(POSTED_KEPT + Duration::from_secs(2));
    let by = hall.hands[1].device.clone();
    let expired = Posted { conversation: ROOM, place: 4, at, by, what: What::Expired };
    let heard = hall.hears(bob);
    assert_eq!(heard[1..], [ConversationsEvent::Posted(expired), ConversationsEvent::CaughtUp].map(Heard::Event));
    hall.ask(bob, acknowledge(4));
    let again = hall.connect(1);
    hall.ask(again, ConversationsRequest::Collect);
    assert_eq!(hall.places(again), Vec::<u64>::new());
}

#[test]
fn so_many_conversations_expire_at_once_and_the_rest_a_moment_later() {
    let mut hall = Hall::of(&["alice"]);
    hall.ask(0, ConversationsRequest::Collect);
    let count = EXPIRED_AT_ONCE_MAX + 1;
    for n in 0..u16::try_from(count).unwrap() {
        let mut number = [5; 16];
        number[..2].copy_from_slice(&n.to_be_bytes());
        let conversation = ConversationId(number);
        hall.ask(0, found(conversation, Kind::Room));
        let (id, body) = (MessageId([1; 16]), bytes(1));
        hall.ask(0, ConversationsRequest::Send { ask: ASK, conversation, epoch: 0, id, body });
    }
    assert_eq!(hall.town.bodies.len(), count);
    let state = hall.town.replayed();
    let authority = crate::testing::authority(&hall.town.founded);
    let later = Now { wall: START.plus(POSTED_KEPT + Duration::from_secs(1)), ..hall.town.now };
    // The certificates of the test's realm hold for longer than that.
    let mut server = Server::start(env(), authority, state, later, &mut hall.town.rng).unwrap();
    let mut position = hall.town.journal.len() as u64;
    let mut expired = Vec::new();
    let mut work = |server: &mut Server, now: Now| {
        while let Some(output) = server.poll_output() {
            let Output::Append(id, written) = output else { continue };
            let of_kind = |bytes: &[u8]| matches!(Record::decode(bytes), Ok((_, Record::PostedExpired { .. })));
            expired.push(written.iter().filter(|written| of_kind(&written.record)).count());
            let first = position + 1;
            position += written.len() as u64;
            server.handle(crate::server::Input::Appended(id, first), now, &mut crate::testing::rng(9));
        }
    };
    work(&mut server, later);
    let again = Now { mono: later.mono.plus(POSTED_LOOK_PAUSE), ..later };
    assert_eq!(server.delivery_mut().next_deadline(), Some((again.mono, Wake::PostedOver)));
    server.handle(crate::server::Input::Tick, again, &mut crate::testing::rng(9));
    work(&mut server, again);
    assert_eq!(expired.into_iter().filter(|count| *count > 0).collect::<Vec<_>>(), [EXPIRED_AT_ONCE_MAX, 1]);
    assert_eq!(server.state().conversations().standing(), 0);
    let last = Now { mono: again.mono.plus(POSTED_LOOK_PAUSE), ..again };
    server.handle(crate::server::Input::Tick, last, &mut crate::testing::rng(9));
    assert_eq!(server.delivery_mut().next_deadline(), None, "nothing stands");
}
