//! People in rooms: who comes in, who goes, what changes, and that all who are in see the same.

use std::collections::BTreeSet;

use super::conversing::{history, told, town, write};
use super::*;
use crate::device::conversations::{
    Alteration, ConversationEvent, Entry, NotSent, Rank, RoomChange, RoomErrand, RoomView, Said, Target,
};
use crate::id::{RoomName, SendId};
use crate::limits::{ERRANDS_MAX, REFRESH_AFTER_JOIN, REMOVAL_TURN, ROOM_TOPIC_BYTES_MAX};
use crate::testing::kept::Kept;

pub(super) const ERRAND: SendId = SendId(77);

pub(super) fn name(name: &str) -> RoomName {
    RoomName::try_from(name.to_owned()).unwrap()
}

pub(super) fn people(names: &[&str]) -> BTreeSet<crate::id::UserName> {
    names.iter().map(|name| user(name)).collect()
}

pub(super) fn wish_room(called: &str, invites: Rank, with: &[&str]) -> Command {
    let errand = RoomErrand::Create {
        name: name(called),
        topic: "what is up".into(),
        invites,
        people: people(with),
        open: false,
    };
    Command::Run(ERRAND, errand)
}

pub(super) fn wish(room: &str, alteration: Alteration) -> Command {
    Command::Run(ERRAND, RoomErrand::Change(name(room), alteration))
}

/// What came of the last errand.
pub(super) fn outcome(town: &mut Town, member: usize) -> Result<Entry, NotSent> {
    let told = told(&town.news(member));
    let of = |event| match event {
        ConversationEvent::Sent(ERRAND, entry) => Some(Ok(entry)),
        ConversationEvent::NotSent(ERRAND, why) => Some(Err(why)),
        ConversationEvent::Sent(..)
        | ConversationEvent::NotSent(..)
        | ConversationEvent::GivenUp(..)
        | ConversationEvent::Entry(_)
        | ConversationEvent::Met(..)
        | ConversationEvent::Changed(..)
        | ConversationEvent::OpenRooms(..)
        | ConversationEvent::Delivered(_)
        | ConversationEvent::CaughtUp => None,
    };
    let mut outcomes = told.into_iter().filter_map(of);
    let first = outcomes.next().expect("something came of it");
    assert!(outcomes.next().is_none(), "one thing came of it");
    first
}

pub(super) fn create(town: &mut Town, member: usize, called: &str, with: &[&str]) -> Result<Entry, NotSent> {
    town.news(member);
    town.command(member, wish_room(called, Rank::Member, with));
    outcome(town, member)
}

pub(super) fn alter(town: &mut Town, member: usize, room: &str, alteration: Alteration) -> Result<Entry, NotSent> {
    town.news(member);
    town.command(member, wish(room, alteration));
    outcome(town, member)
}

pub(super) fn say(town: &mut Town, member: usize, room: &str, text: &str) {
    town.command(member, Command::Send(SendId(1), Target::Room(name(room)), text.to_owned().into()));
}

pub(super) fn words(town: &Town, member: usize) -> Vec<String> {
    history(town, member).into_iter().map(|(_, text)| text).collect()
}

/// The one room that this device is in.
pub(super) fn room(town: &Town, member: usize) -> Option<RoomView> {
    let mut rooms = town.members[member].kept.rooms.values().flatten();
    let room = rooms.next().cloned();
    assert!(rooms.next().is_none(), "one room");
    room
}

pub(super) fn who_is_in(town: &Town, member: usize) -> Vec<String> {
    room(town, member).map(|room| room.people.keys().map(ToString::to_string).collect()).unwrap_or_default()
}

/// Which members of the town they are.
pub(super) fn ids(members: &[(crate::device::Identity, usize)]) -> Vec<usize> {
    members.iter().map(|(_, member)| *member).collect()
}

/// Alice has begun a room with all of these.
pub(super) fn together(names: &[&str]) -> (Town, Vec<(crate::device::Identity, usize)>) {
    let (mut town, members) = town(names);
    let entry = create(&mut town, members[0].1, "tea", &names[1..]).unwrap();
    assert!(
        matches!(&entry.what, Said::Joined { members, declared: true } if members.len() == names.len()),
        "{entry:?}"
    );
    assert_eq!(entry.room, Some(name("tea")));
    town.wait(REFRESH_AFTER_JOIN * 8);
    (town, members)
}

#[test]
fn all_who_are_in_a_room_read_the_same_in_the_same_order() {
    let (mut town, members) = together(&["alice", "bob", "carol"]);
    for (n, (_, member)) in members.iter().enumerate() {
        say(&mut town, *member, "tea", &format!("from {n}"));
    }
    for (_, member) in &members {
        assert_eq!(words(&town, *member), ["from 0", "from 1", "from 2"]);
        assert_eq!(who_is_in(&town, *member), ["alice", "bob", "carol"]);
        let room = room(&town, *member).unwrap();
        assert_eq!((room.name.as_str(), room.topic.as_str()), ("tea", "what is up"));
        assert_eq!(room.people[&user("alice")].rank, Rank::Owner);
        assert_eq!(room.people[&user("bob")].rank, Rank::Member);
    }
}

#[test]
fn a_room_of_one_is_one_and_whoever_comes_in_reads_what_is_said_from_then_on() {
    let (mut town, members) = together(&["alice"]);
    let alice = members[0].1;
    say(&mut town, alice, "tea", "alone");
    let bobs = town.enrol("bob");
    let bob = town.join_conversing(bobs, Kept::default());
    let entry = alter(&mut town, alice, "tea", Alteration::Invite(people(&["bob"]))).unwrap();
    assert!(matches!(&entry.what, Said::Changed { came, .. } if *came == [device_name("bob", "laptop")]), "{entry:?}");
    say(&mut town, alice, "tea", "together");
    assert_eq!(words(&town, alice), ["alone", "together"]);
    assert_eq!(words(&town, bob), ["together"]);
    assert_eq!(alter(&mut town, alice, "tea", Alteration::Invite(people(&["bob"]))), Err(NotSent::Unchanged));
}

#[test]
fn whoever_may_not_do_something_in_a_room_is_told_and_nothing_comes_of_it() {
    let (mut town, members) = town(&["alice", "bob", "carol", "dave"]);
    let [alice, bob, ..] = ids(&members)[..] else { panic!("four") };
    town.news(alice);
    town.command(alice, wish_room("tea", Rank::Moderator, &["bob", "carol"]));
    assert!(outcome(&mut town, alice).is_ok());
    for alteration in [
        Alteration::Invite(people(&["dave"])),
        Alteration::Kick(user("carol")),
        Alteration::Topic("mine".into()),
        Alteration::Name(name("mine")),
        Alteration::Rank(user("bob"), Rank::Owner),
        Alteration::Invites(Rank::Member),
    ] {
        assert_eq!(alter(&mut town, bob, "tea", alteration.clone()), Err(NotSent::NotAllowed), "{alteration:?}");
    }
    assert!(alter(&mut town, alice, "tea", Alteration::Rank(user("bob"), Rank::Moderator)).is_ok());
    assert!(alter(&mut town, bob, "tea", Alteration::Invite(people(&["dave"]))).is_ok());
    assert_eq!(who_is_in(&town, alice), ["alice", "bob", "carol", "dave"]);
}

#[test]
fn what_changes_of_a_room_stands_in_its_history_and_everybody_sees_it() {
    let (mut town, members) = together(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    let steps = [
        (Alteration::Topic("tea only".into()), RoomChange::Topic("tea only".into())),
        (Alteration::Invites(Rank::Owner), RoomChange::Invites(Rank::Owner)),
        (Alteration::Rank(user("bob"), Rank::Moderator), RoomChange::Rank(user("bob"), Rank::Moderator)),
        (Alteration::Rank(user("bob"), Rank::Member), RoomChange::Rank(user("bob"), Rank::Member)),
        (Alteration::Name(name("coffee")), RoomChange::Name(name("coffee"))),
    ];
    for (alteration, change) in steps {
        let entry = alter(&mut town, alice, "tea", alteration.clone()).unwrap();
        let is_it = matches!(&entry.what, Said::Altered { changes, declared: true, .. } if *changes == [change]);
        assert!(is_it, "{entry:?}");
        assert_eq!(town.members[bob].kept.history.last(), Some(&entry));
        assert_eq!(room(&town, alice), room(&town, bob));
        if !matches!(alteration, Alteration::Name(_)) {
            assert_eq!(alter(&mut town, alice, "tea", alteration), Err(NotSent::Unchanged));
        }
    }
    say(&mut town, bob, "coffee", "by its new name");
    say(&mut town, bob, "tea", "by its old one");
    assert_eq!(words(&town, alice), ["by its new name"]);
}

#[test]
fn whoever_is_put_out_reads_nothing_from_then_on_and_is_told() {
    let (mut town, members) = together(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = ids(&members)[..] else { panic!("three") };
    say(&mut town, carol, "tea", "with me");
    assert!(alter(&mut town, alice, "tea", Alteration::Kick(user("carol"))).is_ok());
    say(&mut town, bob, "tea", "without her");
    assert_eq!(words(&town, alice), ["with me", "without her"]);
    assert_eq!(words(&town, carol), ["with me"]);
    let last = town.members[carol].kept.history.last().unwrap();
    assert!(matches!(&last.what, Said::Changed { went, .. } if *went == [device_name("carol", "laptop")]), "{last:?}");
    assert_eq!((room(&town, carol), who_is_in(&town, bob)), (None, vec!["alice".to_owned(), "bob".to_owned()]));
    town.news(carol);
    say(&mut town, carol, "tea", "still there?");
    assert_eq!(told(&town.news(carol)), [ConversationEvent::NotSent(SendId(1), NotSent::NoRoom)]);
    assert_eq!(alter(&mut town, alice, "tea", Alteration::Kick(user("carol"))), Err(NotSent::NotThere));
    // And back.
    assert!(alter(&mut town, alice, "tea", Alteration::Invite(people(&["carol"]))).is_ok());
    say(&mut town, carol, "tea", "hello again");
    assert_eq!(words(&town, bob), ["with me", "without her", "hello again"]);
}

#[test]
fn whoever_leaves_is_out_with_all_devices_and_the_others_remove_them_before_they_go_on() {
    let mut town = Town::of(&[]);
    let laptop = town.enrol("carol");
    let phone = town.further(&laptop, "phone");
    let all = [town.enrol("alice"), town.enrol("bob"), laptop, phone];
    let [alice, bob, laptop, phone] = all.map(|one| town.join_conversing(one, Kept::default()));
    create(&mut town, alice, "tea", &["bob", "carol"]).unwrap();
    town.wait(REFRESH_AFTER_JOIN * 8);
    let entry = alter(&mut town, laptop, "tea", Alteration::Leave).unwrap();
    let leaves =
        |what: &Said| matches!(what, Said::Altered { changes, .. } if *changes == [RoomChange::Leaves(user("carol"))]);
    assert!(leaves(&entry.what), "{entry:?}");
    town.wait(REMOVAL_TURN * 4);
    say(&mut town, bob, "tea", "among us");
    for out in [laptop, phone] {
        assert_eq!(room(&town, out), None);
        assert_eq!(town.members[out].kept.history.last(), Some(&entry), "nothing is heard after it");
    }
    for member in [alice, bob] {
        assert_eq!(words(&town, member), ["among us"]);
        assert_eq!(who_is_in(&town, member), ["alice", "bob"]);
    }
    let in_tree = |town: &Town| town.replayed().conversations().get(entry.conversation).unwrap().roster().count();
    assert_eq!(in_tree(&town), 2);
    assert!(alter(&mut town, bob, "tea", Alteration::Invite(people(&["carol"]))).is_ok());
    say(&mut town, phone, "tea", "back");
    assert_eq!(words(&town, alice), ["among us", "back"]);
}

#[test]
fn a_room_goes_on_when_its_owner_has_left_it() {
    let (mut town, members) = together(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = ids(&members)[..] else { panic!("three") };
    assert!(alter(&mut town, alice, "tea", Alteration::Leave).is_ok());
    town.wait(REMOVAL_TURN * 4);
    assert!(alter(&mut town, bob, "tea", Alteration::Rank(user("bob"), Rank::Owner)).is_ok());
    assert_eq!(alter(&mut town, carol, "tea", Alteration::Topic("mine".into())), Err(NotSent::NotAllowed));
    assert_eq!(room(&town, carol).unwrap().people[&user("bob")].rank, Rank::Owner);
}

#[test]
fn somebody_who_can_not_be_invited_is_named_and_nobody_comes_in() {
    let (mut town, members) = town(&["alice", "bob"]);
    let alice = members[0].1;
    let carols = town.enrol("carol");
    town.join(carols, true);
    let because = |who: &str, why| Err(NotSent::Of(user(who), Box::new(why)));
    let cases = [("nobody", NotSent::Refused(Code::NO_SUCH_USER)), ("carol", NotSent::Nobody)];
    for (who, why) in cases.clone() {
        assert_eq!(create(&mut town, alice, "tea", &["bob", who]), because(who, why));
        assert_eq!(room(&town, alice), None);
    }
    assert!(create(&mut town, alice, "tea", &[]).is_ok());
    for (who, why) in cases {
        assert_eq!(alter(&mut town, alice, "tea", Alteration::Invite(people(&["bob", who]))), because(who, why));
    }
    assert_eq!(who_is_in(&town, alice), ["alice"]);
    assert_eq!(town.members[members[1].1].kept.history, []);
}

#[test]
fn of_two_who_change_a_room_at_once_both_have_their_way() {
    let (mut town, members) = together(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = ids(&members)[..] else { panic!("three") };
    assert!(alter(&mut town, alice, "tea", Alteration::Rank(user("bob"), Rank::Owner)).is_ok());
    for n in 0..4 {
        town.news(alice);
        town.news(bob);
        town.device(alice, crate::device::Input::Command(wish("tea", Alteration::Topic(format!("topic {n}")))));
        let rank = if n % 2 == 0 { Rank::Moderator } else { Rank::Member };
        town.device(bob, crate::device::Input::Command(wish("tea", Alteration::Rank(user("carol"), rank))));
        town.settle();
        assert!(outcome(&mut town, alice).is_ok() && outcome(&mut town, bob).is_ok());
        let room = room(&town, carol).unwrap();
        assert_eq!((room.topic, room.people[&user("carol")].rank), (format!("topic {n}"), rank));
    }
}

#[test]
fn a_further_device_comes_into_its_persons_rooms_by_itself() {
    let mut town = Town::of(&[]);
    let laptop = town.enrol("bob");
    let phone = town.further(&laptop, "phone");
    let [alice, laptop] = [town.enrol("alice"), laptop].map(|one| town.join_conversing(one, Kept::default()));
    create(&mut town, alice, "tea", &["bob"]).unwrap();
    let phone = town.join_conversing(phone, Kept::default());
    town.wait(Duration::from_secs(5));
    say(&mut town, alice, "tea", "to all");
    for member in [laptop, phone] {
        assert_eq!(words(&town, member), ["to all"]);
    }
    assert_eq!(room(&town, alice).unwrap().people[&user("bob")].devices.len(), 2);
}

#[test]
fn of_two_rooms_of_one_name_each_is_found_by_its_number() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    let [first, second] = [(); 2].map(|()| create(&mut town, alice, "tea", &["bob"]).unwrap().conversation);
    town.news(alice);
    say(&mut town, alice, "tea", "which?");
    assert_eq!(told(&town.news(alice)), [ConversationEvent::NotSent(SendId(1), NotSent::Ambiguous)]);
    for id in [first, second] {
        say(&mut town, alice, &id.to_string(), &id.to_string());
        let last = town.members[bob].kept.history.last().unwrap();
        assert_eq!(last.conversation, id);
    }
}

#[test]
fn what_is_wished_of_rooms_and_can_not_be_done_yet_is_bounded_and_a_topic_too() {
    let (mut town, members) = together(&["alice", "bob"]);
    let alice = members[0].1;
    let topic = |bytes: usize| Alteration::Topic("x".repeat(bytes));
    assert!(alter(&mut town, alice, "tea", topic(ROOM_TOPIC_BYTES_MAX)).is_ok());
    assert_eq!(alter(&mut town, alice, "tea", topic(ROOM_TOPIC_BYTES_MAX + 1)), Err(NotSent::Topic));
    let (called, long) = (name("long"), "x".repeat(ROOM_TOPIC_BYTES_MAX + 1));
    let errand =
        RoomErrand::Create { name: called, topic: long, invites: Rank::Member, people: BTreeSet::new(), open: false };
    town.command(alice, Command::Run(ERRAND, errand));
    assert_eq!(outcome(&mut town, alice), Err(NotSent::Topic));
    town.unreachable = true;
    town.cut(alice);
    town.news(alice);
    for n in 0..ERRANDS_MAX {
        town.device(alice, crate::device::Input::Command(wish("tea", Alteration::Topic(format!("{n}")))));
    }
    town.settle();
    assert_eq!(told(&town.news(alice)), []);
    assert_eq!(alter(&mut town, alice, "tea", Alteration::Topic("one more".into())), Err(NotSent::Full));
    town.unreachable = false;
    town.wait(Duration::from_secs(60));
    assert_eq!(room(&town, members[1].1).unwrap().topic, (ERRANDS_MAX - 1).to_string());
}

#[test]
fn a_direct_conversation_goes_on_beside_a_room_of_the_same_people() {
    let (mut town, members) = together(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    write(&mut town, alice, "bob", "for you");
    say(&mut town, bob, "tea", "for all");
    let kinds: BTreeSet<Option<RoomName>> =
        town.members[bob].kept.history.iter().map(|entry| entry.room.clone()).collect();
    assert_eq!(kinds, BTreeSet::from([None, Some(name("tea"))]));
    assert_eq!(words(&town, alice), ["for you", "for all"]);
}
