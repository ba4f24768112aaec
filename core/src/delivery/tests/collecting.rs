//! Who takes what is posted, from where on, and what acknowledgements do.

use super::*;
use crate::limits::ACKNOWLEDGED_AT_ONCE_MAX;

#[test]
fn one_connection_of_a_device_collects_the_newest() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.ask(0, message(1, 1, 10));
    let newer = hall.connect(1);
    hall.ask(newer, message(1, 2, 10));
    assert_eq!(hall.hears(newer), [Heard::Refused(Code::NOT_COLLECTING)]);
    hall.ask(newer, ConversationsRequest::Collect);
    assert_eq!(hall.hears(1).pop(), Some(Heard::Ended(Code::REPLACED)));
    assert_eq!(hall.places(newer), [2], "it was not acknowledged");
    hall.ask(newer, ConversationsRequest::Collect);
    assert_eq!(hall.places(newer), [2], "it begins anew, with what it has not acknowledged");
    // What was long on its way from an older one changes nothing.
    let [late, newest] = [(); 2].map(|()| hall.connect(1));
    hall.ask(newest, ConversationsRequest::Collect);
    hall.ask(late, ConversationsRequest::Collect);
    assert_eq!(hall.hears(late), [Heard::Ended(Code::REPLACED)]);
    hall.ask(newest, message(1, 3, 10));
    assert_eq!((hall.places(newest), hall.places(0)), (vec![2, 3], vec![2, 3]));
}

#[test]
fn who_comes_later_is_posted_everything_in_the_order_of_the_journal_and_then_has_caught_up() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    let other = ConversationId([0; 16]);
    hall.ask(0, found(other, Kind::Room));
    let send = |id| {
        let (id, body) = (MessageId([id; 16]), bytes(20));
        ConversationsRequest::Send { ask: ASK, conversation: other, epoch: 1, id, body }
    };
    let change = RosterChange { add: vec![device_name("bob", "laptop")], remove: vec![] };
    let (commit, welcome) = (bytes(30), Some(bytes(40)));
    hall.ask(0, ConversationsRequest::Commit { ask: ASK, conversation: other, epoch: 0, change, commit, welcome });
    for id in 0..4 {
        hall.ask(0, message(1, id, 10));
        hall.ask(0, send(id));
    }
    let again = hall.connect(1);
    hall.ask(again, ConversationsRequest::Collect);
    let heard = hall.hears(again);
    let places: Vec<_> = heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Event(ConversationsEvent::Posted(posted)) => Some((posted.conversation == ROOM, posted.place)),
            Heard::Event(_) | Heard::Refused(_) | Heard::Ended(_) => None,
        })
        .collect();
    let expected =
        [(false, 1), (true, 2), (false, 2), (true, 3), (false, 3), (true, 4), (false, 4), (true, 5), (false, 5)];
    assert_eq!(places, expected);
    assert_eq!(heard.last(), Some(&Heard::Event(ConversationsEvent::CaughtUp)));
    assert_eq!(hall.town.bodies_read, 0, "what was posted lately is at hand");
}

#[test]
fn acknowledgements_are_written_down_together_a_while_after_the_first() {
    let mut hall = Hall::in_a_room(&["alice", "bob", "carol"]);
    for id in 0..3 {
        hall.ask(0, message(1, id, 10));
    }
    let records = hall.town.journal.len();
    for place in 2..=4 {
        for who in 0..3 {
            hall.ask(who, acknowledge(place));
        }
    }
    // Nothing stands there, and nobody is in the other one.
    hall.ask(0, acknowledge(5));
    hall.ask(
        0,
        ConversationsRequest::Acknowledge { upto: vec![(ConversationId([9; 16]), 1); ACKNOWLEDGED_AT_ONCE_MAX] },
    );
    hall.town.wait(ACKNOWLEDGE_AFTER.saturating_sub(std::time::Duration::from_micros(1)));
    assert_eq!(hall.town.journal.len(), records);
    hall.town.wait(std::time::Duration::from_micros(1));
    assert_eq!(hall.town.journal.len(), records + 1);
    assert_eq!(hall.town.bodies.len(), 0);
    assert_eq!(hall.town.server.state().conversations().get(ROOM).unwrap().standing(), 0);
    let too_many = vec![(ROOM, 1); ACKNOWLEDGED_AT_ONCE_MAX + 1];
    hall.ask(0, ConversationsRequest::Acknowledge { upto: too_many });
    assert_eq!(hall.hears(0).pop(), Some(Heard::Ended(Code::MALFORMED)));
}

#[test]
fn what_was_acknowledged_is_not_posted_again_on_another_connection_written_down_or_not() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    for id in 0..3 {
        hall.ask(0, message(1, id, 10));
    }
    hall.ask(1, acknowledge(2));
    let second = hall.connect(1);
    hall.ask(second, ConversationsRequest::Collect);
    assert_eq!(hall.places(second), [3, 4], "it is remembered");
    hall.ask(second, acknowledge(3));
    hall.town.hold = true;
    let records = hall.town.journal.len();
    hall.town.serve(crate::server::Input::Ended(hall.hands[second].conn));
    hall.town.settle();
    assert_eq!((hall.town.held.len(), hall.town.journal.len()), (1, records), "an end has it written down");
    let third = hall.connect(1);
    hall.ask(third, ConversationsRequest::Collect);
    assert_eq!(hall.places(third), [4], "while it is written");
    hall.town.release();
    hall.town.serve(crate::server::Input::Ended(hall.hands[third].conn));
    // Any connection of the device may say so.
    let other = hall.connect(1);
    hall.ask(other, acknowledge(4));
    hall.town.serve(crate::server::Input::Shutdown);
    hall.town.settle();
    hall.restart();
    assert_eq!(hall.places(1), Vec::<u64>::new(), "a shutdown has it written down");
    assert_eq!(hall.places(0), [2, 3, 4]);
}

#[test]
fn a_revoked_device_takes_nothing_any_more_and_holds_nothing_up() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.ask(0, message(1, 1, 10));
    hall.ask(0, acknowledge(2));
    hall.town.wait(ACKNOWLEDGE_AFTER);
    assert_eq!(hall.town.bodies.len(), 1);
    let (user, device) = (hall.hands[1].device.user.clone(), None);
    let reason = crate::tlog::ReasonCode::new(1).unwrap();
    let revoke = crate::operator::Revoke { user, device, reason, force: true };
    hall.town.operator(&crate::operator::Command::Revoke(revoke));
    assert_eq!(hall.hears(1).pop(), Some(Heard::Ended(Code::REVOKED)));
    assert_eq!(hall.town.bodies.len(), 0);
    hall.ask(0, commit(1, &["bob"], &[]));
    assert_eq!(hall.hears(0).pop(), Some(Heard::Refused(Code::CANNOT_BE_ADDED)));
    hall.ask(0, commit(1, &[], &["bob"]));
    assert_eq!(hall.places(0), [3]);
}
