//! Who hears that others have what they have written, and what becomes of a wish for which nobody waits any more.

use super::conversing::{stop, told, town, write};
use super::rooms::{ERRAND, ids, name, people, room};
use super::*;
use crate::device::conversations::{Alteration, ConversationEvent, NotSent, Rank, RoomErrand};
use crate::id::{ConversationId, SendId};
use crate::limits::AWAITED_MAX;

/// What is waited for.
const WAITS: SendId = SendId(500);

/// Where the newest of a device's history stands.
fn newest(town: &Town, member: usize) -> (ConversationId, u64) {
    let entry = town.members[member].kept.history.last().unwrap();
    (entry.conversation, entry.place)
}

fn is_delivered(town: &mut Town, member: usize) -> bool {
    told(&town.news(member)).contains(&ConversationEvent::Delivered(WAITS))
}

#[test]
fn whoever_waits_hears_that_it_is_delivered_when_the_other_has_taken_it_in() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    write(&mut town, alice, "bob", "first");
    let kept = stop(&mut town, bob);
    write(&mut town, alice, "bob", "while you are away");
    let (id, place) = newest(&town, alice);
    town.command(alice, Command::Await(WAITS, id, place));
    town.wait(Duration::from_secs(5));
    assert!(!is_delivered(&mut town, alice));
    let bob = town.join_conversing(members[1].0.clone(), kept);
    assert!(is_delivered(&mut town, alice));
    // It is asked anew on another connection.
    let kept = stop(&mut town, bob);
    write(&mut town, alice, "bob", "and again");
    let (id, place) = newest(&town, alice);
    town.command(alice, Command::Await(WAITS, id, place));
    town.cut(alice);
    town.wait(Duration::from_secs(5));
    assert!(!is_delivered(&mut town, alice));
    town.join_conversing(members[1].0.clone(), kept);
    assert!(is_delivered(&mut town, alice));
}

#[test]
fn nobody_waits_for_what_stands_nowhere_and_whoever_has_left_for_nothing() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.news(alice);
    town.command(alice, Command::Await(WAITS, ConversationId([9; 16]), 1));
    let refused = ConversationEvent::NotSent(WAITS, NotSent::Refused(Code::NO_CONVERSATION));
    assert_eq!(told(&town.news(alice)), std::slice::from_ref(&refused));
    write(&mut town, alice, "bob", "hello");
    let (id, place) = newest(&town, alice);
    town.news(alice);
    town.command(alice, Command::Await(WAITS, id, place + 1));
    assert_eq!(told(&town.news(alice)), [refused]);
    let kept = stop(&mut town, bob);
    write(&mut town, alice, "bob", "while you are away");
    let (id, place) = newest(&town, alice);
    town.command(alice, Command::Await(WAITS, id, place));
    town.command(alice, Command::CallOff(WAITS));
    town.join_conversing(members[1].0.clone(), kept);
    assert!(!is_delivered(&mut town, alice));
}

#[test]
fn so_much_is_waited_for_on_a_device_and_no_more() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    write(&mut town, alice, "bob", "hello");
    stop(&mut town, bob);
    write(&mut town, alice, "bob", "while you are away");
    let (id, place) = newest(&town, alice);
    town.news(alice);
    for n in 0..=AWAITED_MAX as u64 {
        town.command(alice, Command::Await(SendId(500 + n), id, place));
    }
    let last = SendId(500 + AWAITED_MAX as u64);
    assert_eq!(told(&town.news(alice)), [ConversationEvent::NotSent(last, NotSent::Full)]);
}

#[test]
fn what_is_wished_of_a_room_and_called_off_while_the_relay_is_away_is_not_done_later() {
    let (mut town, members) = town(&["alice", "bob"]);
    let alice = members[0].1;
    let create = |name| RoomErrand::Create {
        name,
        topic: String::new(),
        invites: Rank::Member,
        people: people(&["bob"]),
        open: false,
    };
    town.command(alice, Command::Run(ERRAND, create(name("tea"))));
    town.unreachable = true;
    town.cut(alice);
    town.command(alice, Command::Run(ERRAND, RoomErrand::Change(name("tea"), Alteration::Topic("new".into()))));
    town.command(alice, Command::CallOff(ERRAND));
    town.command(alice, Command::Run(ERRAND, create(name("coffee"))));
    town.command(alice, Command::CallOff(ERRAND));
    town.unreachable = false;
    town.wait(Duration::from_secs(60));
    assert_eq!(room(&town, alice).unwrap().topic, "", "one room, and it is as it was");
}
