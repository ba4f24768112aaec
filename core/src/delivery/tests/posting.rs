//! What is posted and to whom, who is refused, and when a body goes.

use super::*;
use crate::journal::Record;
use crate::limits::{APPENDS_PENDING_MAX, LONG_TOTAL_BYTES_MAX, MESSAGE_SEALED_BYTES_MAX};
use crate::wire::conversations::Posted;

#[test]
fn two_devices_come_into_a_conversation_and_speak_and_nothing_stays_when_both_have_all() {
    let mut hall = Hall::of(&["alice", "bob"]);
    let [alice, bob] = ["alice", "bob"].map(|user| device_name(user, "laptop"));
    for who in [0, 1] {
        hall.ask(who, ConversationsRequest::Collect);
        let nothing = ConversationsEvent::KeyPackages { left: 0, last_resort: None };
        assert_eq!(hall.hears(who), [Heard::Event(nothing), Heard::Event(ConversationsEvent::CaughtUp)]);
    }
    let (last_resort, packages) = (Some(bytes(5)), vec![bytes(6), bytes(7)]);
    hall.ask(1, ConversationsRequest::Publish { ask: ASK, last_resort, packages, not_after: LATE });
    let left = ConversationsEvent::KeyPackages { left: 2, last_resort: Some(LATE) };
    assert_eq!(hall.hears(1), [Heard::Event(left)]);
    let kind = Kind::Direct(alice.user.clone(), bob.user.clone());
    hall.ask(0, found(ROOM, kind.clone()));
    hall.ask(0, ConversationsRequest::Take { ask: ASK, of: vec![bob.clone()] });
    let package = ConversationsEvent::Package { ask: ASK, device: bob.clone(), package: Some(bytes(6)), more: false };
    assert_eq!(hall.hears(0), [Heard::Event(ConversationsEvent::Done { ask: ASK }), Heard::Event(package)]);
    let left = ConversationsEvent::KeyPackages { left: 1, last_resort: Some(LATE) };
    assert_eq!(hall.hears(1), [Heard::Event(left)], "few are left");

    hall.ask(0, commit(0, &["bob"], &[]));
    assert_eq!(hall.is_posted(0), [(1, What::OwnCommit { epoch: 0 })]);
    let roster = vec![alice.clone(), bob];
    assert_eq!(hall.is_posted(1), [(1, What::Welcome { epoch: 1, kind, roster, welcome: bytes(40) })]);
    hall.ask(1, message(1, 9, 50));
    let posted =
        Posted { conversation: ROOM, place: 2, at: START, by: hall.hands[1].device.clone(), what: said(9, 50) };
    assert_eq!(hall.hears(0), [Heard::Event(ConversationsEvent::Posted(posted))]);
    assert_eq!(hall.is_posted(1), [(2, own(9))]);
    hall.ask(1, commit(1, &[], &[]));
    let change = RosterChange::default();
    assert_eq!(hall.is_posted(0), [(3, What::Commit { epoch: 1, change, commit: bytes(30) })]);

    assert_eq!(hall.town.bodies.len(), 5);
    for who in [0, 1] {
        hall.ask(who, acknowledge(3));
    }
    hall.town.wait(ACKNOWLEDGE_AFTER);
    assert_eq!(hall.town.bodies.len(), 2, "the key packages that are left");
    assert_eq!(hall.town.bodies_read, 1, "what is posted to who listens is not read again");
    assert_eq!(hall.town.replayed(), *hall.town.server.state());
}

#[test]
fn nothing_is_answered_and_nobody_hears_of_it_before_it_is_durable() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    let publish =
        ConversationsRequest::Publish { ask: ASK, last_resort: Some(bytes(1)), packages: vec![], not_after: LATE };
    let take = ConversationsRequest::Take { ask: ASK, of: vec![hall.hands[1].device.clone()] };
    let asks = [publish, take, found(ConversationId([2; 16]), Kind::Room), message(1, 1, 10), commit(1, &[], &[])];
    let counts = [(1, 0), (1, 0), (1, 0), (1, 1), (1, 1)];
    for (request, count) in asks.into_iter().zip(counts) {
        hall.town.hold = true;
        hall.ask(0, request.clone());
        assert_eq!((hall.hears(0), hall.hears(1)), (vec![], vec![]), "{request:?}");
        hall.town.release();
        assert_eq!((hall.hears(0).len(), hall.hears(1).len()), count, "{request:?}");
    }
}

#[test]
fn of_two_commits_at_one_time_one_is_posted_and_the_other_is_refused() {
    let mut hall = Hall::in_a_room(&["alice", "bob", "carol"]);
    hall.town.hold = true;
    hall.ask(1, commit(1, &[], &["carol"]));
    hall.ask(0, commit(1, &[], &[]));
    assert_eq!(hall.town.held.len(), 2, "the state as it is has nothing against either");
    hall.town.release();
    assert_eq!(hall.is_posted(1), [(2, What::OwnCommit { epoch: 1 })]);
    let heard = hall.hears(0);
    assert_eq!((heard.len(), &heard[1]), (2, &Heard::Refused(Code::EPOCH_OVER)));
    assert_eq!(hall.places(2), [2], "who is removed hears of it");
    assert_eq!(hall.town.bodies.len(), 1, "what is not posted is not kept");
    hall.ask(0, message(1, 1, 10));
    assert_eq!(hall.hears(0), [Heard::Refused(Code::EPOCH_OVER)], "nor is a message of an epoch that is over taken");
    hall.ask(2, message(2, 1, 10));
    assert_eq!(hall.hears(2), [Heard::Refused(Code::NO_CONVERSATION)]);
    hall.ask(0, message(2, 1, 10));
    assert_eq!((hall.places(0), hall.places(1), hall.places(2)), (vec![3], vec![3], vec![]));
}

#[test]
fn a_message_sent_again_is_answered_with_its_place() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.ask(0, message(1, 1, 10));
    hall.ask(1, commit(1, &[], &[]));
    assert_eq!(hall.places(0), [2, 3]);
    hall.ask(0, message(1, 1, 10));
    assert_eq!(hall.is_posted(0), [(2, own(1))], "by the state as it is");
    hall.town.hold = true;
    hall.ask(0, message(2, 2, 10));
    hall.ask(0, message(2, 2, 10));
    hall.town.release();
    assert_eq!(hall.is_posted(0), [(4, own(2)), (4, own(2))], "by the fold");
    assert_eq!(hall.places(1), [2, 3, 4], "and others hear of it once");
    assert_eq!(hall.town.bodies.len(), 3);
    // One that comes for what it has missed is answered by that.
    let again = hall.connect(0);
    hall.say(again, ConversationsRequest::Collect);
    hall.say(again, message(2, 1, 10));
    assert_eq!(
        hall.is_posted(again),
        [
            (2, own(1)),
            (3, What::Commit { epoch: 1, change: RosterChange::default(), commit: bytes(30) }),
            (4, own(2)),
            (2, own(1))
        ]
    );
}

#[test]
fn more_than_the_journal_is_to_do_waits_and_goes_on_in_its_order() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.town.hold = true;
    let count = APPENDS_PENDING_MAX + 40;
    for n in 0..count {
        hall.ask(0, numbered(n, 10));
    }
    assert_eq!(hall.town.held.len(), APPENDS_PENDING_MAX);
    hall.ask(1, found(ConversationId([2; 16]), Kind::Room));
    assert_eq!(hall.hears(1), []);
    hall.town.hold = false;
    hall.town.release();
    let heard = hall.hears(1);
    assert_eq!(heard.last(), Some(&Heard::Event(ConversationsEvent::Done { ask: ASK })));
    let id = |heard: &Heard| match heard {
        Heard::Event(ConversationsEvent::Posted(Posted { what: What::Message { id, .. }, .. })) => Some(*id),
        Heard::Event(_) | Heard::Refused(_) | Heard::Ended(_) => None,
    };
    assert!(heard.iter().filter_map(id).eq((0..count).map(number)));
}

#[test]
fn what_waits_for_the_journal_has_a_bound_and_whoever_is_beyond_it_says_it_again() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.town.hold = true;
    let ended = |hall: &mut Hall| hall.hears(0).contains(&Heard::Ended(Code::BUSY));
    let most = 2 * LONG_TOTAL_BYTES_MAX / MESSAGE_SEALED_BYTES_MAX + 1;
    let count = (0..most).take_while(|id| {
        hall.ask(0, numbered(*id, MESSAGE_SEALED_BYTES_MAX));
        !ended(&mut hall)
    });
    assert!(count.count() < most);
}

#[test]
fn what_the_state_refuses_is_not_written_down() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    let records = hall.town.journal.len();
    for (request, code) in [
        (found(ROOM, Kind::Room), Code::CONVERSATION_EXISTS),
        (commit(0, &[], &[]), Code::EPOCH_OVER),
        (commit(1, &["bob"], &[]), Code::NOT_CHANGED),
        (commit(1, &["nobody"], &[]), Code::CANNOT_BE_ADDED),
        (message(2, 1, 1), Code::EPOCH_OVER),
    ] {
        hall.ask(0, request);
        assert_eq!(hall.hears(0), [Heard::Refused(code)]);
    }
    assert_eq!(hall.town.journal.len(), records);
    hall.ask(0, message(1, 1, 1));
    let record = Record::decode(hall.town.journal.last().unwrap());
    assert!(matches!(record, Ok((5, Record::MessagePosted { bytes: 1, .. }))), "{record:?}");
}

fn number(n: usize) -> MessageId {
    MessageId((n as u128).to_be_bytes())
}

fn numbered(n: usize, length: usize) -> ConversationsRequest {
    ConversationsRequest::Send { ask: ASK, conversation: ROOM, epoch: 1, id: number(n), body: bytes(length) }
}
