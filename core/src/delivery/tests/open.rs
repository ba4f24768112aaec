//! Open rooms: what is told of them, what it takes to come in, and who is asked for it.

use super::*;
use crate::id::RoomName;
use crate::limits::{KEY_PACKAGES_TAKEN_MAX, OPEN_ROOMS_PAGE_MAX};
use crate::wire::conversations::OpenRoom;

fn tea() -> RoomName {
    RoomName::parse("tea").unwrap()
}

fn wanted() -> Heard {
    Heard::Event(ConversationsEvent::GroupInfoWanted { conversation: ROOM })
}

fn publish(epoch: u64, length: usize) -> ConversationsRequest {
    ConversationsRequest::PublishGroupInfo { ask: ASK, conversation: ROOM, epoch, info: bytes(length) }
}

fn enter(epoch: u64) -> ConversationsRequest {
    ConversationsRequest::Enter { ask: ASK, conversation: ROOM, epoch, commit: bytes(30) }
}

fn ask_way_in() -> ConversationsRequest {
    ConversationsRequest::GroupInfo { ask: ASK, room: tea() }
}

/// Alice has begun an open room; bob and carol are there.
fn open_room() -> Hall {
    let mut hall = Hall::of(&["alice", "bob", "carol"]);
    for who in 0..3 {
        hall.ask(who, ConversationsRequest::Collect);
    }
    hall.ask(0, found(ROOM, Kind::Open(tea())));
    hall.ask(0, commit(0, &[], &[]));
    for who in 0..3 {
        hall.hears(who);
    }
    hall
}

fn way_in(hall: &mut Hall, hand: usize) -> Option<(u64, usize, usize)> {
    hall.ask(hand, ask_way_in());
    match &hall.hears(hand)[..] {
        [Heard::Event(ConversationsEvent::GroupInfo { ask: ASK, conversation: ROOM, epoch, roster, info })] => {
            Some((*epoch, roster.len(), info.len()))
        }
        [Heard::Refused(Code::NO_GROUP_INFO)] => None,
        heard => panic!("{heard:?}"),
    }
}

#[test]
fn whoever_begins_an_epoch_is_asked_for_the_way_in_and_whoever_would_come_is_given_it() {
    let mut hall = open_room();
    hall.ask(0, commit(1, &[], &[]));
    assert!(hall.hears(0).contains(&wanted()));
    hall.ask(0, publish(2, 40));
    assert_eq!(hall.hears(0), [Heard::Event(ConversationsEvent::Done { ask: ASK })]);
    assert_eq!(way_in(&mut hall, 1), Some((2, 1, 40)));
    hall.ask(1, enter(2));
    let heard = hall.hears(1);
    let own = Posted {
        conversation: ROOM,
        place: 3,
        at: hall.town.now.wall,
        by: device_name("bob", "laptop"),
        what: What::OwnCommit { epoch: 2 },
    };
    assert_eq!(heard, [Heard::Event(ConversationsEvent::Posted(own)), wanted()], "bob is asked, who has begun it");
    let change = RosterChange { add: vec![device_name("bob", "laptop")], remove: vec![] };
    assert_eq!(hall.is_posted(0), [(3, What::Commit { epoch: 2, change, commit: bytes(30) })]);
    hall.ask(1, message(3, 1, 10));
    assert_eq!((hall.places(0), hall.places(1)), (vec![4], vec![4]));
    // What was left for the epoch before is nobody's any more.
    assert_eq!(way_in(&mut hall, 2), None);
    assert_eq!((hall.hears(0), hall.hears(1)), (vec![wanted()], vec![wanted()]), "all who are in are asked");
}

#[test]
fn what_is_long_comes_in_pieces_and_survives_a_restart() {
    let mut hall = open_room();
    hall.ask(0, publish(1, 300_000));
    assert_eq!(way_in(&mut hall, 1), Some((1, 1, 300_000)));
    hall.restart();
    for who in 0..3 {
        hall.hears(who);
    }
    assert_eq!(way_in(&mut hall, 2), Some((1, 1, 300_000)));
    hall.ask(2, enter(1));
    hall.town.wait(ACKNOWLEDGE_AFTER);
    let stand: Vec<u64> = hall.town.bodies.keys().copied().collect();
    assert_eq!(stand, hall.town.server.state().conversations().needed(), "its body is gone with its epoch");
}

#[test]
fn whoever_comes_online_is_asked_where_nobody_has_left_it() {
    let mut hall = open_room();
    let again = hall.connect(0);
    hall.ask(again, ConversationsRequest::Collect);
    assert_eq!(hall.hears(again).last(), Some(&wanted()));
    hall.ask(again, publish(1, 10));
    hall.hears(again);
    let third = hall.connect(0);
    hall.ask(third, ConversationsRequest::Collect);
    assert!(!hall.hears(third).contains(&wanted()));
}

#[test]
fn a_way_in_that_is_over_when_it_is_read_is_none() {
    let mut hall = open_room();
    hall.ask(0, publish(1, 10));
    hall.hears(0);
    hall.town.hold = true;
    hall.say(0, commit(1, &[], &[]));
    hall.say(1, ask_way_in());
    hall.town.release();
    let heard = hall.hears(1);
    let given = |heard: &Heard| matches!(heard, Heard::Event(ConversationsEvent::GroupInfo { epoch: 1, .. }));
    assert!(heard.iter().all(|heard| given(heard) || *heard == Heard::Refused(Code::NO_GROUP_INFO)), "{heard:?}");
    hall.ask(1, enter(1));
    assert_eq!(hall.hears(1), [Heard::Refused(Code::EPOCH_OVER)]);
}

#[test]
fn nobody_comes_in_who_does_not_collect_or_where_it_is_not_open() {
    let mut hall = open_room();
    let deaf = hall.connect(1);
    hall.ask(deaf, enter(1));
    assert_eq!(hall.hears(deaf), [Heard::Refused(Code::NOT_COLLECTING)]);
    hall.ask(
        1,
        ConversationsRequest::Enter { ask: ASK, conversation: ConversationId([9; 16]), epoch: 0, commit: bytes(1) },
    );
    assert_eq!(hall.hears(1), [Heard::Refused(Code::NO_OPEN_ROOM)]);
    let other = RoomName::parse("coffee").unwrap();
    hall.ask(1, ConversationsRequest::GroupInfo { ask: ASK, room: other });
    assert_eq!(hall.hears(1), [Heard::Refused(Code::NO_OPEN_ROOM)]);
    hall.ask(1, publish(1, 10));
    assert_eq!(hall.hears(1), [Heard::Refused(Code::NO_CONVERSATION)]);
}

#[test]
fn the_open_rooms_are_told_by_pages_and_each_with_how_many_are_in_it() {
    let mut hall = open_room();
    hall.ask(0, publish(1, 10));
    hall.ask(1, enter(1));
    for n in 0..OPEN_ROOMS_PAGE_MAX {
        let name = RoomName::parse(&format!("r{n:04}")).unwrap();
        let mut id = [2; 16];
        id[..2].copy_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
        hall.ask(2, found(ConversationId(id), Kind::Open(name)));
    }
    for who in 0..3 {
        hall.hears(who);
    }
    hall.ask(1, ConversationsRequest::Rooms { ask: ASK, after: None });
    let first = hall.hears(1);
    let [Heard::Event(ConversationsEvent::Rooms { rooms, more: true, .. })] = &first[..] else { panic!("{first:?}") };
    assert_eq!(rooms.len(), OPEN_ROOMS_PAGE_MAX);
    let after = rooms.last().map(|room| room.name.clone());
    hall.ask(1, ConversationsRequest::Rooms { ask: ASK, after });
    let rest = OpenRoom { name: tea(), conversation: ROOM, devices: 2 };
    let rest = ConversationsEvent::Rooms { ask: ASK, rooms: vec![rest], more: false };
    assert_eq!(hall.hears(1), [Heard::Event(rest)]);
}

#[test]
fn so_often_is_a_way_in_asked_for_and_no_more() {
    let mut hall = open_room();
    hall.ask(0, publish(1, 10));
    for _ in 0..KEY_PACKAGES_TAKEN_MAX {
        assert!(way_in(&mut hall, 1).is_some());
    }
    hall.ask(1, ask_way_in());
    assert_eq!(hall.hears(1), [Heard::Refused(Code::KEY_PACKAGES_TOO_OFTEN)]);
    assert!(way_in(&mut hall, 2).is_some(), "each device has its own measure");
}
