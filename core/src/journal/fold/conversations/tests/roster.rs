//! Who founds a conversation, who comes into it, and who goes.

use super::*;
use crate::limits::{CONVERSATION_DEVICES_MAX, CONVERSATIONS_PER_DEVICE_MAX};

#[test]
fn a_conversation_is_founded_once() {
    let mut ledger = realm();
    assert_eq!(ledger.founds(ROOM, Kind::Room, "alice"), Conversed::Founded);
    assert_eq!(ledger.founds(ROOM, Kind::Room, "alice"), Conversed::Founded, "a lost answer costs nothing");
    assert_eq!(ledger.founds(ROOM, Kind::Room, "bob"), refused(ConversationRefusal::Exists));
    assert_eq!(ledger.founds(ROOM, between("alice", "bob"), "alice"), refused(ConversationRefusal::Exists));
    ledger.commits("alice", 0, change(&["bob"], &[]));
    assert_eq!(ledger.founds(ROOM, Kind::Room, "alice"), refused(ConversationRefusal::Exists));
    assert_eq!(ledger.room().roster().count(), 2);
}

#[test]
fn a_conversation_between_two_is_theirs() {
    let mut ledger = realm();
    let no = refused(ConversationRefusal::NotBetweenThem);
    assert_eq!(ledger.founds(ROOM, between("bob", "carol"), "alice"), no);
    assert_eq!(ledger.founds(ROOM, between("alice", "nobody"), "alice"), no);
    assert_eq!(ledger.founds(ROOM, between("bob", "alice"), "alice"), no, "in the order of their names");
    assert_eq!(ledger.founds(ROOM, between("alice", "bob"), "bob"), Conversed::Founded);
    assert_eq!(ledger.founds(OTHER, between("alice", "alice"), "alice"), Conversed::Founded);
}

#[test]
fn two_people_have_one_living_conversation() {
    let mut ledger = realm();
    assert_eq!(ledger.founds(ROOM, between("alice", "bob"), "alice"), Conversed::Founded);
    assert_eq!(ledger.founds(OTHER, between("alice", "bob"), "bob"), refused(ConversationRefusal::Exists));
    ledger.commits("alice", 0, change(&["bob"], &[]));
    ledger.revokes("alice");
    assert_eq!(ledger.founds(OTHER, between("alice", "bob"), "bob"), refused(ConversationRefusal::Exists));
    ledger.commits("bob", 1, change(&[], &["alice"]));
    ledger.revokes("bob");
    // Both come back with other devices.
    for (token, user, key) in [(8, "alice", 80), (9, "bob", 90)] {
        let token = crate::invite::TokenHash([token; 32]);
        let (user, name) = (laptop(user).user, device_name(user, "phone"));
        let expires = Wall(START.0 + 100);
        ledger.add(&Record::ReissueCreated { token, user, keep: false, expires, at: START });
        let grant = crate::journal::tests::grant(token.0[0], &name, key);
        assert!(matches!(ledger.add(&Record::CertificateReissued(grant)), Outcome::Reissued(..)));
    }
    let (kind, by) = (between("alice", "bob"), device_name("bob", "phone"));
    let record = Record::ConversationFounded { conversation: OTHER, kind, by, at: START };
    assert_eq!(ledger.converse(&record), Conversed::Founded, "nobody is left who could speak in the one before");
    let conversations = ledger.state.conversations();
    assert_eq!(conversations.between(&laptop("alice").user, &laptop("bob").user), Some(OTHER));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_device_is_in_so_many_conversations_and_no_more() {
    assert_eq!(super::super::SEATS_PER_DEVICE_MAX_V5, CONVERSATIONS_PER_DEVICE_MAX);
    let mut ledger = realm();
    let number = |n: usize| {
        let mut number = [9; 16];
        number[..8].copy_from_slice(&(n as u64).to_be_bytes());
        ConversationId(number)
    };
    for n in 0..CONVERSATIONS_PER_DEVICE_MAX {
        assert_eq!(ledger.founds(number(n), Kind::Room, "bob"), Conversed::Founded);
    }
    assert_eq!(ledger.founds(OTHER, Kind::Room, "bob"), refused(ConversationRefusal::Full));
    assert_eq!(ledger.founds(ROOM, Kind::Room, "alice"), Conversed::Founded);
    assert_eq!(ledger.commits("alice", 0, change(&["carol", "bob"], &[])), refused(ConversationRefusal::Full));
    assert_eq!(ledger.commits("alice", 0, change(&["carol"], &[])), Conversed::Posted(ROOM, 1));
}

#[test]
fn who_is_not_in_it_neither_commits_nor_sends() {
    let mut ledger = with_room();
    let no = refused(ConversationRefusal::NotIn);
    assert_eq!(ledger.commits("dora", 1, change(&["dora"], &[])), no);
    assert_eq!(ledger.sends("dora", 1, 1), no);
    ledger.commits("alice", 1, change(&[], &["bob"]));
    assert_eq!(ledger.commits("bob", 2, change(&[], &["carol"])), no, "who was in it is not any more");
    assert_eq!(ledger.sends("bob", 2, 1), no);
    let (conversation, by, change) = (OTHER, laptop("alice"), RosterChange::default());
    let nowhere = Record::ConversationCommitted { conversation, by, epoch: 0, change, bytes: 1, at: START };
    assert_eq!(ledger.converse(&nowhere), no);
}

#[test]
fn of_two_commits_of_one_epoch_the_first_in_the_journal_wins() {
    let mut ledger = with_room();
    assert_eq!(ledger.commits("bob", 1, change(&[], &[])), Conversed::Posted(ROOM, 2));
    assert_eq!(ledger.commits("alice", 1, change(&["dora"], &[])), refused(ConversationRefusal::EpochOver));
    assert_eq!(ledger.commits("alice", 3, change(&["dora"], &[])), refused(ConversationRefusal::EpochOver));
    assert_eq!(ledger.sends("alice", 1, 1), refused(ConversationRefusal::EpochOver));
    assert_eq!((ledger.room().epoch(), ledger.room().last()), (2, 2));
    assert_eq!(ledger.commits("alice", 2, change(&["dora"], &[])), Conversed::Posted(ROOM, 3));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn who_is_added_is_there_and_was_not_in_it() {
    let mut ledger = with_room();
    assert_eq!(ledger.commits("alice", 1, change(&["bob"], &[])), refused(ConversationRefusal::NotChanged));
    assert_eq!(ledger.commits("alice", 1, change(&["dora", "dora"], &[])), refused(ConversationRefusal::NotChanged));
    assert_eq!(ledger.commits("alice", 1, change(&["bob"], &["bob"])), refused(ConversationRefusal::NotChanged));
    assert_eq!(ledger.commits("alice", 1, change(&["nobody"], &[])), refused(ConversationRefusal::CannotBeAdded));
    ledger.revokes("dora");
    assert_eq!(ledger.commits("alice", 1, change(&["dora"], &[])), refused(ConversationRefusal::CannotBeAdded));
}

#[test]
fn nobody_else_comes_into_a_conversation_between_two() {
    let mut ledger = realm();
    ledger.founds(ROOM, between("alice", "bob"), "alice");
    let no = refused(ConversationRefusal::NotBetweenThem);
    assert_eq!(ledger.commits("alice", 0, change(&["bob", "carol"], &[])), no);
    assert_eq!(ledger.commits("alice", 0, change(&["bob"], &[])), Conversed::Posted(ROOM, 1));
}

#[test]
fn who_is_removed_was_in_it_and_is_somebody_else() {
    let mut ledger = with_room();
    let no = refused(ConversationRefusal::NotChanged);
    assert_eq!(ledger.commits("alice", 1, change(&[], &["dora"])), no);
    assert_eq!(ledger.commits("alice", 1, change(&[], &["alice"])), no);
    assert_eq!(ledger.commits("alice", 1, change(&["dora"], &["bob"])), Conversed::Posted(ROOM, 2));
    let roster: Vec<_> = ledger.room().roster().cloned().collect();
    assert_eq!(roster, ["alice", "carol", "dora"].map(laptop));
}

#[test]
fn so_many_devices_are_in_a_conversation_and_no_more() {
    assert_eq!(super::super::CONVERSATION_DEVICES_MAX_V5, CONVERSATION_DEVICES_MAX);
    let mut ledger = realm();
    let account = ledger.state.users.values().next().unwrap().clone();
    let names: Vec<String> = (0..CONVERSATION_DEVICES_MAX).map(|n| format!("u{n}")).collect();
    for name in &names {
        ledger.state.users.insert(laptop(name).user, account.clone());
    }
    ledger.founds(ROOM, Kind::Room, "alice");
    let adds = |names: &[String]| change(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    for (epoch, names) in (0..).zip(names[1..].chunks(255)) {
        assert_eq!(ledger.commits("alice", epoch, adds(names)), Conversed::Posted(ROOM, epoch + 1));
    }
    assert_eq!(ledger.room().roster().count(), CONVERSATION_DEVICES_MAX);
    let epoch = ledger.room().epoch();
    assert_eq!(ledger.commits("alice", epoch, adds(&names[..1])), refused(ConversationRefusal::Full));
    let one_for_another = RosterChange { remove: vec![laptop(&names[1])], ..adds(&names[..1]) };
    assert!(matches!(ledger.commits("alice", epoch, one_for_another), Conversed::Posted(..)));
}
