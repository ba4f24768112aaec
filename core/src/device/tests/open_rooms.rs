//! Rooms into which the realm's devices come by themselves, and the one for everybody.

use std::collections::BTreeSet;

use super::conversing::{stop, told, town};
use super::rooms::{ERRAND, alter, ids, name, outcome, people, room, say, who_is_in, words};
use super::*;
use crate::device::Identity;
use crate::device::conversations::{Alteration, ConversationEvent, Entry, NotSent, Rank, RoomErrand, Row, Said};
use crate::id::SendId;
use crate::limits::{REFRESH_AFTER_JOIN, ROOM_ENTRY_TRIES_MAX};
use crate::operator::{Command as Operator, Revoke};
use crate::testing::kept::Kept;
use crate::tlog::ReasonCode;
use crate::wire::conversations::Kind;

fn wish_open(called: &str) -> Command {
    let (topic, people) = ("all may come".into(), BTreeSet::new());
    Command::Run(ERRAND, RoomErrand::Create { name: name(called), topic, invites: Rank::Moderator, people, open: true })
}

fn run(town: &mut Town, member: usize, errand: RoomErrand) -> Result<Entry, NotSent> {
    town.news(member);
    town.command(member, Command::Run(ERRAND, errand));
    outcome(town, member)
}

fn enter(town: &mut Town, member: usize, called: &str) -> Result<Entry, NotSent> {
    run(town, member, RoomErrand::Enter(name(called)))
}

/// Alice has begun an open room, and nobody else is in it.
fn open(names: &[&str]) -> (Town, Vec<(Identity, usize)>) {
    let (mut town, members) = town(names);
    let alice = members[0].1;
    town.command(alice, wish_open("tea"));
    assert!(outcome(&mut town, alice).is_ok());
    (town, members)
}

#[test]
fn whoever_comes_into_an_open_room_reads_what_is_said_from_then_on_and_is_read() {
    let (mut town, members) = open(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = ids(&members)[..] else { panic!("three") };
    say(&mut town, alice, "tea", "alone");
    let entry = enter(&mut town, bob, "tea").unwrap();
    assert!(matches!(&entry.what, Said::Joined { members, declared: true } if members.len() == 2), "{entry:?}");
    assert_eq!((entry.kind, entry.room), (Kind::Open(name("tea")), Some(name("tea"))));
    let came = town.members[alice].kept.history.last().unwrap();
    let is_it =
        matches!(&came.what, Said::Changed { came, declared: true, .. } if *came == [device_name("bob", "laptop")]);
    assert!(is_it && came.by == device_name("bob", "laptop"), "{came:?}");
    say(&mut town, bob, "tea", "here I am");
    // Nobody of those who are in is there: the last who came has left what it takes.
    let (alices, bobs) = (stop(&mut town, alice), stop(&mut town, bob));
    assert!(enter(&mut town, carol, "tea").is_ok());
    say(&mut town, carol, "tea", "is anybody here?");
    let alice = town.join_conversing(members[0].0.clone(), alices);
    let bob = town.join_conversing(members[1].0.clone(), bobs);
    assert_eq!(words(&town, alice), ["alone", "here I am", "is anybody here?"]);
    assert_eq!(words(&town, bob), ["here I am", "is anybody here?"]);
    assert_eq!(words(&town, carol), ["is anybody here?"]);
    for member in [alice, bob, carol] {
        assert_eq!(who_is_in(&town, member), ["alice", "bob", "carol"]);
        assert_eq!(room(&town, member).unwrap().topic, "all may come");
    }
    assert_eq!(enter(&mut town, carol, "tea"), Err(NotSent::Unchanged));
    assert_eq!(enter(&mut town, carol, "coffee"), Err(NotSent::Refused(Code::NO_OPEN_ROOM)));
}

#[test]
fn all_who_come_at_once_come_in() {
    let names = ["alice", "bob", "carol", "dave", "erin"];
    let (mut town, members) = open(&names);
    let all = ids(&members);
    for member in &all[1..] {
        town.device(*member, super::super::Input::Command(Command::Run(ERRAND, RoomErrand::Enter(name("tea")))));
    }
    town.settle();
    town.wait(REFRESH_AFTER_JOIN * 8);
    for member in &all {
        assert_eq!(who_is_in(&town, *member), names);
    }
    for member in &all {
        say(&mut town, *member, "tea", "hello");
    }
    assert!(all.iter().all(|member| words(&town, *member).len() == names.len()));
}

#[test]
fn a_further_device_comes_into_an_open_room_with_its_person() {
    let mut town = Town::of(&[]);
    let (alices, bobs) = (town.enrol("alice"), town.enrol("bob"));
    let phone = town.further(&bobs, "phone");
    let [alice, bob] = [alices, bobs].map(|one| town.join_conversing(one, Kept::default()));
    town.command(alice, wish_open("tea"));
    enter(&mut town, bob, "tea").unwrap();
    let phone = town.join_conversing(phone, Kept::default());
    town.wait(REFRESH_AFTER_JOIN * 4);
    say(&mut town, alice, "tea", "all of you");
    assert_eq!(words(&town, phone), ["all of you"]);
    assert_eq!(room(&town, alice).unwrap().people[&user("bob")].devices.len(), 2);
}

#[test]
fn whoever_was_put_out_stays_out_until_somebody_lets_them_in() {
    let (mut town, members) = open(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    enter(&mut town, bob, "tea").unwrap();
    assert!(alter(&mut town, alice, "tea", Alteration::Kick(user("bob"))).is_ok());
    assert_eq!(enter(&mut town, bob, "tea"), Err(NotSent::Barred));
    say(&mut town, alice, "tea", "without him");
    assert!(alter(&mut town, alice, "tea", Alteration::Invite(people(&["bob"]))).is_ok());
    say(&mut town, alice, "tea", "with him");
    assert_eq!(words(&town, bob), ["with him"]);
}

#[test]
fn whoever_has_left_comes_back_and_reads_nothing_from_between() {
    let (mut town, members) = open(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    enter(&mut town, bob, "tea").unwrap();
    say(&mut town, alice, "tea", "one");
    assert!(alter(&mut town, bob, "tea", Alteration::Leave).is_ok());
    town.wait(REFRESH_AFTER_JOIN);
    assert_eq!(who_is_in(&town, alice), ["alice"]);
    say(&mut town, alice, "tea", "two");
    assert!(enter(&mut town, bob, "tea").is_ok());
    say(&mut town, alice, "tea", "three");
    assert_eq!(words(&town, bob), ["one", "three"]);
    say(&mut town, bob, "tea", "four");
    assert_eq!(words(&town, alice), ["one", "two", "three", "four"]);
}

#[test]
fn an_open_room_has_a_name_of_its_own_and_keeps_it() {
    let (mut town, members) = open(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.news(bob);
    town.command(bob, wish_open("tea"));
    assert_eq!(outcome(&mut town, bob), Err(NotSent::NameTaken));
    assert_eq!(room(&town, bob), None);
    assert_eq!(alter(&mut town, alice, "tea", Alteration::Name(name("mine"))), Err(NotSent::NameStays));
    town.news(bob);
    town.command(bob, Command::Run(ERRAND, RoomErrand::List));
    let told = told(&town.news(bob));
    let [ConversationEvent::OpenRooms(ERRAND, rooms, false)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(rooms.iter().map(|room| (room.name.as_str(), room.devices)).collect::<Vec<_>>(), [("tea", 1)]);
}

#[test]
fn the_first_begins_the_lobby_and_everybody_else_comes_into_it() {
    let (mut town, members) = town(&["alice", "bob", "carol"]);
    let all = ids(&members);
    for member in &all {
        assert!(run(&mut town, *member, RoomErrand::Lobby).is_ok());
    }
    say(&mut town, all[0], "lobby", "good morning");
    for member in &all {
        assert_eq!(words(&town, *member), ["good morning"]);
        assert_eq!(run(&mut town, *member, RoomErrand::Lobby), Err(NotSent::Unchanged));
    }
    // Whoever has left it stays out until they wish otherwise.
    assert!(alter(&mut town, all[2], "lobby", Alteration::Leave).is_ok());
    town.wait(REFRESH_AFTER_JOIN);
    assert_eq!(run(&mut town, all[2], RoomErrand::Lobby), Err(NotSent::Unchanged));
    assert!(enter(&mut town, all[2], "lobby").is_ok());
}

#[test]
fn two_who_would_begin_the_lobby_at_once_are_in_one() {
    let (mut town, members) = town(&["alice", "bob"]);
    let all = ids(&members);
    for member in &all {
        town.device(*member, super::super::Input::Command(Command::Run(ERRAND, RoomErrand::Lobby)));
    }
    town.settle();
    town.wait(REFRESH_AFTER_JOIN);
    for member in &all {
        assert_eq!(who_is_in(&town, *member), ["alice", "bob"]);
    }
}

#[test]
fn a_server_without_a_lobby_says_so_and_has_other_open_rooms() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.server.set_lobby(false);
    assert_eq!(run(&mut town, alice, RoomErrand::Lobby), Err(NotSent::Refused(Code::NO_LOBBY)));
    assert_eq!(enter(&mut town, alice, "lobby"), Err(NotSent::Refused(Code::NO_LOBBY)));
    town.command(alice, wish_open("lobby"));
    assert_eq!(outcome(&mut town, alice), Err(NotSent::Refused(Code::NO_LOBBY)));
    town.command(alice, wish_open("tea"));
    assert!(outcome(&mut town, alice).is_ok());
    assert!(enter(&mut town, bob, "tea").is_ok());
}

#[test]
fn whoever_is_killed_on_their_way_in_is_in_or_outside_and_never_between() {
    let mut came = BTreeSet::new();
    for steps in 0..8 {
        let (mut town, members) = open(&["alice", "bob", "carol"]);
        let [alice, bob, carol] = ids(&members)[..] else { panic!("three") };
        town.members[bob].kept.hold = true;
        town.command(bob, Command::Run(ERRAND, RoomErrand::Enter(name("tea"))));
        for _ in 0..steps {
            town.keep_one(bob);
        }
        let kept = town.kill(bob);
        // Somebody else comes meanwhile, who may have to wait for alice to leave the way in.
        town.news(carol);
        town.command(carol, Command::Run(ERRAND, RoomErrand::Enter(name("tea"))));
        town.wait(Duration::from_secs(3));
        assert!(outcome(&mut town, carol).is_ok(), "{steps}");
        let bob = town.join_conversing(members[1].0.clone(), kept);
        town.wait(REFRESH_AFTER_JOIN * 8);
        let is_in = room(&town, bob).is_some();
        came.insert(is_in);
        assert_eq!(who_is_in(&town, alice).contains(&"bob".to_owned()), is_in, "{steps}");
        if !is_in {
            let is_kept = |row: &Row| matches!(row, Row::Conversation(_) | Row::Group(_) | Row::Tree(_));
            assert!(!town.members[bob].kept.rows.keys().any(is_kept), "nothing is left of it: {steps}");
            assert!(enter(&mut town, bob, "tea").is_ok(), "{steps}");
        }
        say(&mut town, bob, "tea", "hello");
        assert_eq!(words(&town, alice), ["hello"], "{steps}");
        assert_eq!(words(&town, carol), ["hello"], "{steps}");
    }
    assert_eq!(came.len(), 2, "it was killed both before and after");
}

#[test]
fn whoever_comes_into_an_open_room_with_a_revoked_device_removes_it_before_they_write() {
    let (mut town, members) = open(&["alice", "bob", "erin"]);
    let [alice, bob, erin] = ids(&members)[..] else { panic!("three") };
    enter(&mut town, erin, "tea").unwrap();
    let alices = stop(&mut town, alice);
    let reason = ReasonCode::new(1).unwrap();
    town.operator(&Operator::Revoke(Revoke { user: user("erin"), device: None, reason, force: true }));
    assert!(enter(&mut town, bob, "tea").is_ok());
    say(&mut town, bob, "tea", "without her");
    town.wait(REFRESH_AFTER_JOIN * 4);
    assert_eq!(who_is_in(&town, bob), ["alice", "bob"]);
    assert_eq!(words(&town, erin), [""; 0]);
    let alice = town.join_conversing(members[0].0.clone(), alices);
    assert_eq!(words(&town, alice), ["without her"]);
}

/// Whoever has made the last change has gone before it left what it takes, and nobody else is there.
#[test]
fn where_nobody_has_left_the_way_in_whoever_would_come_waits_for_somebody_who_is_in() {
    let (mut town, members) = open(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.members[alice].kept.hold = true;
    town.command(alice, Command::Run(SendId(5), RoomErrand::Change(name("tea"), Alteration::Topic("new".into()))));
    // Its commit is kept, and sent, and posted: it says no more.
    town.keep_one(alice);
    let kept = town.kill(alice);
    town.news(bob);
    town.command(bob, Command::Run(ERRAND, RoomErrand::Enter(name("tea"))));
    town.wait(Duration::from_secs(3));
    assert_eq!(told(&town.news(bob)), []);
    let alice = town.join_conversing(members[0].0.clone(), kept);
    town.wait(Duration::from_secs(3));
    assert!(outcome(&mut town, bob).is_ok());
    assert_eq!(who_is_in(&town, alice), ["alice", "bob"]);
}

#[test]
fn whoever_waits_too_long_for_somebody_to_leave_the_way_in_is_told() {
    let (mut town, members) = open(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.members[alice].kept.hold = true;
    town.command(alice, Command::Run(SendId(5), RoomErrand::Change(name("tea"), Alteration::Topic("new".into()))));
    town.keep_one(alice);
    town.kill(alice);
    town.news(bob);
    town.command(bob, Command::Run(ERRAND, RoomErrand::Enter(name("tea"))));
    town.wait(Duration::from_secs(u64::from(ROOM_ENTRY_TRIES_MAX) + 4));
    assert_eq!(outcome(&mut town, bob), Err(NotSent::Refused(Code::NO_GROUP_INFO)));
}
