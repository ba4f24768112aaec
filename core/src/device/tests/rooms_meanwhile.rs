//! What becomes of rooms, and of those in them, while somebody is away, was revoked, or is killed.

use std::collections::BTreeSet;

use super::conversing::{stop, told, town};
use super::rooms::{
    ERRAND, alter, create, ids, outcome, people, room, say, together, who_is_in, wish, wish_room, words,
};
use super::*;
use crate::device::conversations::{Alteration, ConversationEvent, NotSent, Rank, Row, Said, Saying, Target};
use crate::id::SendId;
use crate::limits::{DEVICE_LIFETIME, REFRESH_AFTER_JOIN, REMOVAL_TURN};
use crate::operator::{Command as Operator, Revoke};
use crate::testing::kept::Kept;
use crate::tlog::ReasonCode;

/// All devices of somebody are revoked.
fn revoke(town: &mut Town, who: &str) {
    let reason = ReasonCode::new(1).unwrap();
    town.operator(&Operator::Revoke(Revoke { user: user(who), device: None, reason, force: true }));
}

#[test]
fn one_who_was_away_reads_it_all_and_one_who_was_revoked_nothing_more() {
    let (mut town, members) = together(&["alice", "bob", "carol", "dave", "erin"]);
    let [alice, bob, carol, dave, erin] = ids(&members)[..] else { panic!("five") };
    say(&mut town, alice, "tea", "all five");
    let kept = stop(&mut town, dave);
    say(&mut town, bob, "tea", "dave is away");
    revoke(&mut town, "erin");
    town.wait(Duration::from_secs(30));
    say(&mut town, carol, "tea", "without erin");
    let dave = town.join_conversing(members[3].0.clone(), kept);
    say(&mut town, dave, "tea", "back again");
    let whole = ["all five", "dave is away", "without erin", "back again"];
    for member in [alice, bob, carol, dave] {
        assert_eq!(words(&town, member), whole);
        assert_eq!(who_is_in(&town, member), ["alice", "bob", "carol", "dave"]);
    }
    assert_eq!(words(&town, erin), whole[..2]);
}

#[test]
fn a_room_whose_maker_is_killed_meanwhile_is_there_or_not_at_all() {
    let mut made = BTreeSet::new();
    for steps in 0..6 {
        let (mut town, members) = town(&["alice", "bob"]);
        let (alices, alice) = members[0].clone();
        town.members[alice].kept.hold = true;
        town.command(alice, wish_room("tea", Rank::Member, &["bob"]));
        for _ in 0..steps {
            town.keep_one(alice);
        }
        let kept = town.kill(alice);
        let alice = town.join_conversing(alices, kept);
        town.wait(Duration::from_secs(60));
        let bob = members[1].1;
        let is_there = room(&town, alice).is_some();
        made.insert(is_there);
        assert_eq!(room(&town, bob).is_some(), is_there, "{steps}");
        if is_there {
            say(&mut town, bob, "tea", "hello");
            assert_eq!(words(&town, alice), ["hello"], "{steps}");
        } else {
            let is_kept = |row: &Row| matches!(row, Row::Conversation(_) | Row::Group(_) | Row::Tree(_));
            assert!(!town.members[alice].kept.rows.keys().any(is_kept), "nothing is left of it: {steps}");
            assert!(create(&mut town, alice, "tea", &["bob"]).is_ok(), "{steps}");
        }
    }
    assert_eq!(made.len(), 2, "it was killed both before and after");
}

#[test]
fn somebody_who_was_added_while_away_writes_into_the_room_with_the_first_thing_they_do() {
    let (mut town, members) = town(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    let kept = stop(&mut town, bob);
    create(&mut town, alice, "tea", &["bob"]).unwrap();
    town.unreachable = true;
    let bob = town.join_conversing(members[1].0.clone(), kept);
    say(&mut town, bob, "tea", "hello all");
    say(&mut town, bob, "coffee", "nobody there");
    assert_eq!(told(&town.news(bob)), []);
    // Not even a new start of the program makes it forget where they were to go.
    let kept = town.kill(bob);
    let bob = town.join_conversing(members[1].0.clone(), kept);
    town.unreachable = false;
    town.wait(Duration::from_secs(60));
    assert_eq!(words(&town, alice), ["hello all"]);
    let waits = |row: &Row| matches!(row, Row::Outgoing(_));
    assert!(!town.members[bob].kept.rows.keys().any(waits));
}

/// Erin says something, and is revoked; dave, who was added before and has never come, reads it all, and what she said then too.
#[test]
fn what_was_done_before_somebody_was_revoked_is_followed_by_who_comes_after_it() {
    let (mut town, members) = town(&["alice", "bob", "dave", "erin"]);
    let [alice, bob, dave, erin] = ids(&members)[..] else { panic!("four") };
    let kept = stop(&mut town, dave);
    create(&mut town, alice, "tea", &["bob", "dave", "erin"]).unwrap();
    say(&mut town, erin, "tea", "from erin");
    town.wait(REFRESH_AFTER_JOIN * 8);
    revoke(&mut town, "erin");
    town.wait(Duration::from_secs(30));
    say(&mut town, bob, "tea", "without erin");
    let dave = town.join_conversing(members[2].0.clone(), kept);
    say(&mut town, dave, "tea", "here I am");
    for member in [alice, bob, dave] {
        assert_eq!(words(&town, member), ["from erin", "without erin", "here I am"]);
        assert_eq!(who_is_in(&town, member), ["alice", "bob", "dave"]);
    }
}

/// The same where nobody has removed her yet: whoever comes does, before they write.
#[test]
fn whoever_comes_into_a_room_with_a_revoked_device_removes_it_before_they_write() {
    let (mut town, members) = town(&["alice", "dave", "erin"]);
    let [alice, dave, erin] = ids(&members)[..] else { panic!("three") };
    let kept = stop(&mut town, dave);
    create(&mut town, alice, "tea", &["dave", "erin"]).unwrap();
    stop(&mut town, alice);
    revoke(&mut town, "erin");
    let dave = town.join_conversing(members[1].0.clone(), kept);
    say(&mut town, dave, "tea", "without erin");
    town.wait(REMOVAL_TURN * 4);
    assert_eq!(words(&town, dave), ["without erin"]);
    assert_eq!(who_is_in(&town, dave), ["alice", "dave"]);
    assert_eq!(words(&town, erin), Vec::<String>::new());
}

#[test]
fn whoever_comes_after_somebodys_certificate_has_ended_follows_what_they_did_and_comes_in() {
    let (mut town, members) = town(&["alice", "bob", "carol"]);
    let [alice, bob, carol] = ids(&members)[..] else { panic!("three") };
    create(&mut town, alice, "tea", &["bob"]).unwrap();
    say(&mut town, bob, "tea", "early");
    let (kept_bob, kept_carol) = (stop(&mut town, bob), stop(&mut town, carol));
    drop((kept_bob, kept_carol));
    // Alice stays, and renews; bob never comes again.
    town.wait(DEVICE_LIFETIME + Duration::from_hours(24));
    let newcomer = town.enrol("dave");
    let dave = town.join_conversing(newcomer, Kept::default());
    assert!(alter(&mut town, alice, "tea", Alteration::Invite(people(&["dave"]))).is_ok());
    say(&mut town, dave, "tea", "late");
    assert_eq!(words(&town, alice), ["early", "late"]);
}

#[test]
fn nothing_of_a_room_changes_before_those_are_out_who_were_revoked() {
    let (mut town, members) = together(&["alice", "bob", "erin"]);
    let [alice, bob, _] = ids(&members)[..] else { panic!("three") };
    assert!(alter(&mut town, alice, "tea", Alteration::Rank(user("bob"), Rank::Moderator)).is_ok());
    // Alice would be the first to remove her, and is away.
    stop(&mut town, alice);
    revoke(&mut town, "erin");
    town.news(bob);
    town.command(bob, wish("tea", Alteration::Topic("among us".into())));
    assert_eq!(told(&town.news(bob)), []);
    town.wait(REMOVAL_TURN * 4);
    assert!(outcome(&mut town, bob).is_ok());
    let history = &town.members[bob].kept.history;
    let [.., removal, change] = &history[..] else { panic!("{history:?}") };
    assert!(
        matches!(&removal.what, Said::Changed { went, .. } if *went == [device_name("erin", "laptop")]),
        "{removal:?}"
    );
    assert!(matches!(&change.what, Said::Altered { .. }), "{change:?}");
}

#[test]
fn what_was_to_be_said_in_a_room_that_one_was_put_out_of_meanwhile_is_given_up_and_said_so() {
    let (mut town, members) = together(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.unreachable = true;
    town.cut(bob);
    say(&mut town, bob, "tea", "too late");
    town.command(bob, wish("tea", Alteration::Leave));
    assert!(alter(&mut town, alice, "tea", Alteration::Kick(user("bob"))).is_ok());
    town.news(bob);
    town.unreachable = false;
    town.wait(Duration::from_secs(60));
    let told = told(&town.news(bob));
    for send in [SendId(1), ERRAND] {
        assert!(told.contains(&ConversationEvent::NotSent(send, NotSent::NoRoom)), "{told:?}");
    }
    assert!(!town.members[bob].kept.rows.keys().any(|row| matches!(row, Row::Outgoing(_))));
    assert_eq!(words(&town, alice), Vec::<String>::new());
}

#[test]
fn of_what_an_earlier_program_was_to_say_and_can_not_be_sent_the_next_one_tells() {
    let (mut town, members) = together(&["alice", "bob"]);
    let [alice, bob] = ids(&members)[..] else { panic!("two") };
    town.unreachable = true;
    town.cut(bob);
    say(&mut town, bob, "tea", "too late");
    town.command(bob, Command::Send(SendId(2), user("nobody").into(), "hello?".to_owned().into()));
    assert!(alter(&mut town, alice, "tea", Alteration::Kick(user("bob"))).is_ok());
    let kept = town.kill(bob);
    town.unreachable = false;
    let bob = town.join_conversing(members[1].0.clone(), kept);
    town.wait(Duration::from_secs(60));
    let given_up =
        |event| if let ConversationEvent::GivenUp(to, saying, why) = event { Some((to, saying, why)) } else { None };
    let told: Vec<_> = told(&town.news(bob)).into_iter().filter_map(given_up).collect();
    let text = |text: &str| Saying::Text(text.to_owned());
    let to_tea = (Target::Room("tea".to_owned().try_into().unwrap()), text("too late"), NotSent::NoRoom);
    let to_nobody = (user("nobody").into(), text("hello?"), NotSent::Refused(Code::NO_SUCH_USER));
    assert_eq!(told, [to_tea, to_nobody]);
}
