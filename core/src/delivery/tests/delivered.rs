//! Who is told that others have what was posted, and when.

use super::*;
use crate::limits::AWAITED_MAX;

fn wait_for(ask: u64, place: u64) -> ConversationsRequest {
    ConversationsRequest::Await { ask: AskId(ask), conversation: ROOM, place }
}

fn done(ask: u64) -> Heard {
    Heard::Event(ConversationsEvent::Done { ask: AskId(ask) })
}

#[test]
fn whoever_waits_is_told_when_each_of_the_others_has_it_and_not_before() {
    let mut hall = Hall::in_a_room(&["alice", "bob", "carol"]);
    hall.ask(0, message(1, 1, 10));
    hall.hears(0);
    hall.ask(0, wait_for(9, 2));
    hall.ask(0, acknowledge(2));
    assert_eq!(hall.hears(0), [], "one's own word is none");
    hall.ask(1, acknowledge(2));
    assert_eq!(hall.hears(0), []);
    hall.ask(2, acknowledge(2));
    assert_eq!(hall.hears(0), [done(9)], "before it is written down");
    hall.ask(0, wait_for(10, 2));
    hall.town.wait(ACKNOWLEDGE_AFTER);
    assert_eq!(hall.hears(0), [done(10)]);
    // What stands no more was had by all.
    hall.ask(0, wait_for(11, 1));
    assert_eq!(hall.hears(0), [done(11)]);
}

#[test]
fn one_device_of_a_person_is_enough_and_who_is_out_is_not_waited_for() {
    let mut hall = Hall::in_a_room(&["alice", "bob", "carol"]);
    hall.ask(0, message(1, 1, 10));
    hall.ask(0, wait_for(9, 2));
    hall.ask(1, acknowledge(2));
    hall.hears(0);
    hall.ask(0, commit(1, &[], &["carol"]));
    let heard = hall.hears(0);
    assert!(!heard.contains(&done(9)), "it is for carol all the same, who was in then: {heard:?}");
    hall.ask(2, acknowledge(3));
    assert_eq!(hall.hears(0), [done(9)]);
}

#[test]
fn nobody_waits_for_what_was_not_posted_or_where_they_are_not_in() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.ask(0, wait_for(9, 2));
    assert_eq!(hall.hears(0), [Heard::Refused(Code::NO_CONVERSATION)]);
    let elsewhere = ConversationsRequest::Await { ask: AskId(9), conversation: ConversationId([9; 16]), place: 1 };
    hall.ask(0, elsewhere);
    assert_eq!(hall.hears(0), [Heard::Refused(Code::NO_CONVERSATION)]);
    hall.ask(0, commit(1, &[], &["bob"]));
    hall.ask(1, wait_for(9, 1));
    assert_eq!(hall.hears(1).last(), Some(&Heard::Refused(Code::NO_CONVERSATION)));
}

#[test]
fn so_much_is_waited_for_on_a_connection_and_the_first_of_more_is_forgotten_and_all_with_it() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    hall.ask(0, message(1, 1, 10));
    hall.hears(0);
    for ask in 0..=AWAITED_MAX as u64 {
        hall.ask(0, wait_for(ask, 2));
    }
    hall.ask(1, acknowledge(2));
    let told: Vec<Heard> = (1..=AWAITED_MAX as u64).map(done).collect();
    assert_eq!(hall.hears(0), told);
    hall.ask(0, message(1, 2, 10));
    hall.ask(0, wait_for(99, 3));
    let again = hall.connect(0);
    hall.ask(again, ConversationsRequest::Collect);
    hall.hears(again);
    hall.ask(1, acknowledge(3));
    assert_eq!(hall.hears(again), [], "what was asked on another connection is forgotten with it");
}
