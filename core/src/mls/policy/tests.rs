//! Who may do what: each line of the table, and what is not in it.

use super::*;
use crate::testing::device_name;

fn user(name: &str) -> UserName {
    device_name(name, "laptop").user
}

fn name(name: &str) -> RoomName {
    RoomName::try_from(name.to_owned()).expect("a label")
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
    let (leaving, door) = (BTreeSet::new(), Door::Closed);
    Room { name: name("ops"), topic: "what is up".into(), ranks, invites: Rank::Moderator, leaving, door }
}

/// The same, into which the realm's devices come by themselves, but for those of these.
fn open(barred: &[&str]) -> Room {
    Room { door: Door::Open { barred: barred.iter().map(|name| user(name)).collect() }, ..room() }
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
    let name = Room { name: name("dev"), ..room() };
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

/// Carol, a member, leaves; alice, who owns it, leaves; and what is left then.
#[test]
fn whoever_leaves_says_so_for_themselves_and_is_removed_by_anybody_and_is_nothing_any_more() {
    let leaves = |room: &Room, who: &str| {
        let (mut leaving, mut ranks) = (room.leaving.clone(), room.ranks.clone());
        leaving.insert(user(who));
        ranks.remove(&user(who));
        Room { ranks, leaving, ..room.clone() }
    };
    for who in ["alice", "bob", "carol"] {
        for by in ["alice", "bob", "carol"] {
            let next = becomes(leaves(&room(), who));
            assert_eq!(Policy::Room(room()).allows(&laptop(by), &next), by == who, "{by} {who}");
        }
    }
    let leaving = leaves(&room(), "carol");
    let now = Policy::Room(leaving.clone());
    assert!(
        now.allows(&laptop("dave"), &removes("carol", false)) && !now.allows(&laptop("dave"), &removes("bob", false))
    );
    // With their last device, and not before, they are no more among those who leave.
    assert!(now.allows(&laptop("dave"), &Deed { becomes: Some(Policy::Room(room())), ..removes("carol", false) }));
    let mut further = removes("carol", false);
    further.members.insert(device_name("carol", "phone"));
    assert!(!now.allows(&laptop("dave"), &Deed { becomes: Some(Policy::Room(room())), ..further }));
    assert!(!now.allows(&laptop("dave"), &becomes(room())) && !now.allows(&laptop("carol"), &becomes(room())));
    // Nobody adds a device of theirs meanwhile.
    assert!(!now.allows(&laptop("alice"), &adds("carol", "phone")));
    // In the same step nothing else changes.
    let mut more = leaves(&room(), "carol");
    more.topic = "another".into();
    assert!(!Policy::Room(room()).allows(&laptop("carol"), &becomes(more)));
}

#[test]
fn a_room_that_its_owner_has_left_belongs_to_those_who_stand_highest() {
    let gone = |who: &[&str]| {
        let members = ["alice", "bob", "carol", "dave"].into_iter().filter(|name| !who.contains(name));
        Deed { members: members.map(laptop).collect(), ..Deed::default() }
    };
    let promote = |who: &[&str], whom: &str| Deed {
        becomes: Some(Policy::Room(Room { ranks: BTreeMap::from([(user(whom), Rank::Owner)]), ..room() })),
        ..gone(who)
    };
    let now = Policy::Room(room());
    assert!(now.allows(&laptop("bob"), &promote(&["alice"], "bob")));
    assert!(!now.allows(&laptop("carol"), &promote(&["alice"], "carol")));
    assert!(now.allows(&laptop("carol"), &promote(&["alice", "bob"], "carol")));
    assert!(!now.allows(&laptop("carol"), &promote(&[], "carol")));
}

#[test]
fn whoever_is_put_out_takes_their_rank_with_them() {
    let mut ranks = room().ranks;
    ranks.remove(&user("bob"));
    let next = Room { ranks, ..room() };
    let puts_out = |revoked| Deed { becomes: Some(Policy::Room(next.clone())), ..removes("bob", revoked) };
    assert!(Policy::Room(room()).allows(&laptop("alice"), &puts_out(false)));
    // A device that was revoked says nothing about its person: they come back with another.
    assert!(!Policy::Room(room()).allows(&laptop("carol"), &puts_out(true)));
}

#[test]
fn into_an_open_room_comes_whoever_is_neither_barred_nor_leaves_and_does_nothing_else_by_that() {
    let now = Policy::Room(open(&["mallory"]));
    assert!(now.lets_in(&laptop("erin"), &deed()) && now.lets_in(&device_name("bob", "phone"), &deed()));
    assert!(!now.lets_in(&laptop("mallory"), &deed()) && !now.lets_in(&laptop("bob"), &deed()));
    let leaves = Room { leaving: BTreeSet::from([user("erin")]), ..open(&[]) };
    assert!(!Policy::Room(leaves).lets_in(&laptop("erin"), &deed()));
    for more in [adds("frank", "laptop"), removes("dave", false), removes("dave", true), becomes(open(&[]))] {
        assert!(!now.lets_in(&laptop("erin"), &more), "{more:?}");
    }
    for closed in [Policy::Room(room()), direct()] {
        assert!(!closed.lets_in(&laptop("erin"), &deed()) && !closed.lets_in(&device_name("bob", "phone"), &deed()));
    }
}

#[test]
fn whether_a_room_is_open_and_the_name_of_an_open_one_are_settled_when_it_begins() {
    let (closed, now) = (Policy::Room(room()), Policy::Room(open(&[])));
    assert!(!closed.allows(&laptop("alice"), &becomes(open(&[]))));
    assert!(!now.allows(&laptop("alice"), &becomes(room())));
    let renamed = |room: Room| becomes(Room { name: name("another"), ..room });
    assert!(closed.allows(&laptop("alice"), &renamed(room())));
    assert!(!now.allows(&laptop("alice"), &renamed(open(&[]))));
    assert!(now.allows(&laptop("alice"), &becomes(Room { topic: "another".into(), ..open(&[]) })));
}

#[test]
fn whoever_stands_above_somebody_bars_them_and_lifts_it_again() {
    let now = Policy::Room(open(&["mallory"]));
    assert!(now.allows(&laptop("bob"), &becomes(open(&["mallory", "dave"]))));
    assert!(now.allows(&laptop("bob"), &becomes(open(&[]))));
    assert!(!now.allows(&laptop("bob"), &becomes(open(&["mallory", "alice"]))), "alice stands above");
    assert!(!now.allows(&laptop("carol"), &becomes(open(&["mallory", "dave"]))));
    assert!(!now.allows(&laptop("carol"), &becomes(open(&[]))));
    // Who is barred is added only when that is lifted by the same step.
    assert!(!now.allows(&laptop("alice"), &adds("mallory", "laptop")));
    let lifted = Deed { becomes: Some(Policy::Room(open(&[]))), ..adds("mallory", "laptop") };
    assert!(now.allows(&laptop("alice"), &lifted));
    let everybody = Room { invites: Rank::Member, ..open(&["mallory"]) };
    let lifts = Room { invites: Rank::Member, ..open(&[]) };
    let lifted = Deed { becomes: Some(Policy::Room(lifts)), ..adds("mallory", "laptop") };
    assert!(!Policy::Room(everybody).allows(&laptop("carol"), &lifted));
}

#[test]
fn a_policy_reads_back_and_what_is_too_long_cut_or_newer_is_none() {
    let list = |extension: Extension| ExtensionList::from(vec![extension]);
    let open_room = Policy::Room(open(&["mallory"]));
    assert_eq!(Policy::Room(room()).extension().extension_data.first(), Some(&1), "older programs read it");
    for policy in [direct(), Policy::Room(room()), open_room] {
        assert_eq!(Policy::of(&list(policy.extension())), Some(policy.clone()));
        let bytes = policy.extension().extension_data;
        for cut in 0..bytes.len() {
            let part = bytes.iter().take(cut).copied().collect();
            assert_eq!(Policy::of(&list(Extension::new(EXTENSION, part))), None, "{cut}");
        }
        let newer = [vec![OPEN + 1], bytes.iter().skip(1).copied().collect()].concat();
        assert_eq!(Policy::of(&list(Extension::new(EXTENSION, newer))), None);
    }
    let long = |topic: usize| Policy::Room(Room { topic: "x".repeat(topic), ..room() });
    assert!(Policy::of(&list(long(ROOM_TOPIC_BYTES_MAX).extension())).is_some());
    assert_eq!(Policy::of(&list(long(ROOM_TOPIC_BYTES_MAX + 1).extension())), None);
    let many = (0..=ROOM_RANKS_MAX).map(|n| (user(&format!("u{n}")), Rank::Moderator)).collect();
    assert_eq!(Policy::of(&list(Policy::Room(Room { ranks: many, ..room() }).extension())), None);
    let barred = (0..=ROOM_RANKS_MAX).map(|n| user(&format!("u{n}"))).collect();
    let bars = Policy::Room(Room { door: Door::Open { barred }, ..room() });
    assert_eq!(Policy::of(&list(bars.extension())), None);
    // Only rooms are open.
    let mut opened = direct().extension().extension_data;
    opened.splice(..1, [OPEN]);
    opened.push(0);
    assert_eq!(Policy::of(&list(Extension::new(EXTENSION, opened))), None);
    assert_eq!(Policy::of(&list(Policy::Direct(user("bob"), user("alice")).extension())), None);
    assert_eq!(Policy::of(&ExtensionList::new()), None);
}
