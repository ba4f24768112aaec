//! Who may do what: each line of the table, and what is not in it.

use super::*;
use crate::testing::device_name;

fn user(name: &str) -> UserName {
    device_name(name, "laptop").user
}

fn laptop(name: &str) -> DeviceName {
    device_name(name, "laptop")
}

fn deed() -> Deed {
    Deed { members: ["alice", "bob", "carol", "dave"].map(laptop).into(), ..Deed::default() }
}

fn adds(name: &str, device: &str) -> Deed {
    Deed { adds: vec![device_name(name, device)], ..deed() }
}

fn removes(name: &str, revoked: bool) -> Deed {
    Deed { removes: vec![(laptop(name), revoked)], ..deed() }
}

fn direct() -> Policy {
    Policy::Direct(user("alice"), user("bob"))
}

/// Alice owns it, bob moderates, everybody else is a member.
fn room() -> Room {
    let ranks = BTreeMap::from([(user("alice"), Rank::Owner), (user("bob"), Rank::Moderator)]);
    Room { name: "ops".into(), topic: "what is up".into(), ranks, invites: Rank::Moderator }
}

fn becomes(next: Room) -> Deed {
    Deed { becomes: Some(Policy::Room(next)), ..deed() }
}

#[test]
fn a_conversation_of_two_has_their_devices_and_no_others() {
    assert!(direct().allows(&laptop("alice"), &adds("alice", "phone")));
    assert!(direct().allows(&laptop("alice"), &adds("bob", "phone")));
    assert!(!direct().allows(&laptop("alice"), &adds("carol", "laptop")));
    let one_too_many = Deed { adds: vec![device_name("bob", "phone"), laptop("carol")], ..deed() };
    assert!(!direct().allows(&laptop("alice"), &one_too_many));
}

#[test]
fn in_a_conversation_of_two_a_device_is_removed_by_its_person_or_when_it_was_revoked() {
    assert!(direct().allows(&device_name("alice", "phone"), &removes("alice", false)));
    assert!(!direct().allows(&laptop("alice"), &removes("bob", false)));
    assert!(direct().allows(&laptop("alice"), &removes("bob", true)));
    let other = Policy::Direct(user("alice"), user("carol"));
    assert!(!direct().allows(&laptop("alice"), &Deed { becomes: Some(other), ..deed() }));
    assert!(!direct().allows(&laptop("alice"), &becomes(room())));
}

#[test]
fn a_room_takes_people_from_those_who_may_invite_and_further_devices_from_anybody() {
    let room = Policy::Room(room());
    for (by, may) in [("alice", true), ("bob", true), ("carol", false)] {
        assert_eq!(room.allows(&laptop(by), &adds("erin", "laptop")), may, "{by}");
        assert!(room.allows(&laptop(by), &adds("dave", "phone")), "{by}");
    }
}

#[test]
fn in_a_room_only_whoever_stands_above_somebody_removes_them() {
    let room = Policy::Room(room());
    let may = [("alice", "bob"), ("alice", "carol"), ("bob", "carol"), ("carol", "carol")];
    for by in ["alice", "bob", "carol", "dave"] {
        for whom in ["alice", "bob", "carol", "dave"] {
            let allowed = by == whom || by == "alice" || may.contains(&(by, whom)) || (by, whom) == ("bob", "dave");
            assert_eq!(room.allows(&laptop(by), &removes(whom, false)), allowed, "{by} {whom}");
            assert!(room.allows(&laptop(by), &removes(whom, true)), "{by} {whom}");
        }
    }
}

#[test]
fn a_rooms_topic_is_a_moderators_and_all_of_it_an_owners_and_it_is_always_owned() {
    let (now, topic) = (Policy::Room(room()), Room { topic: "another".into(), ..room() });
    let name = Room { name: "dev".into(), ..room() };
    let promoted = Room { ranks: BTreeMap::from([(user("bob"), Rank::Owner)]), ..room() };
    for (next, by, may) in [
        (&topic, "alice", true),
        (&topic, "bob", true),
        (&topic, "carol", false),
        (&name, "alice", true),
        (&name, "bob", false),
        (&promoted, "alice", true),
        (&promoted, "bob", false),
    ] {
        assert_eq!(now.allows(&laptop(by), &becomes(next.clone())), may, "{by} {next:?}");
    }
    let (mut ownerless, mut gone) = (room(), room());
    ownerless.ranks.remove(&user("alice"));
    gone.ranks = BTreeMap::from([(user("erin"), Rank::Owner)]);
    for next in [ownerless, gone] {
        assert!(!now.allows(&laptop("alice"), &becomes(next)));
    }
    assert!(!now.allows(&laptop("alice"), &Deed { becomes: Some(direct()), ..deed() }));
}

#[test]
fn a_policy_reads_back_and_what_is_too_long_cut_or_newer_is_none() {
    let list = |extension: Extension| ExtensionList::from(vec![extension]);
    for policy in [direct(), Policy::Room(room())] {
        assert_eq!(Policy::of(&list(policy.extension())), Some(policy.clone()));
        let bytes = policy.extension().extension_data;
        for cut in 0..bytes.len() {
            let part = bytes.iter().take(cut).copied().collect();
            assert_eq!(Policy::of(&list(Extension::new(EXTENSION, part))), None, "{cut}");
        }
        let newer = [vec![VERSION + 1], bytes.iter().skip(1).copied().collect()].concat();
        assert_eq!(Policy::of(&list(Extension::new(EXTENSION, newer))), None);
    }
    let long = |name: usize, topic: usize| Room { name: "x".repeat(name), topic: "x".repeat(topic), ..room() };
    assert!(Policy::of(&list(Policy::Room(long(ROOM_NAME_BYTES_MAX, ROOM_TOPIC_BYTES_MAX)).extension())).is_some());
    for bad in [long(0, 0), long(ROOM_NAME_BYTES_MAX + 1, 0), long(1, ROOM_TOPIC_BYTES_MAX + 1)] {
        assert_eq!(Policy::of(&list(Policy::Room(bad).extension())), None);
    }
    let many = (0..=ROOM_RANKS_MAX).map(|n| (user(&format!("u{n}")), Rank::Moderator)).collect();
    assert_eq!(Policy::of(&list(Policy::Room(Room { ranks: many, ..room() }).extension())), None);
    assert_eq!(Policy::of(&list(Policy::Direct(user("bob"), user("alice")).extension())), None);
    assert_eq!(Policy::of(&ExtensionList::new()), None);
}
