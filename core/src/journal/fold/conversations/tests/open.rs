//! Rooms into which the realm's devices come by themselves.

use super::super::{CONVERSATION_DEVICES_MAX_V5, POSTED_BYTES_MAX_V5};
use super::*;
use crate::id::RoomName;
use crate::journal::conversations::Info;

fn tea() -> Kind {
    Kind::Open(RoomName::parse("tea").unwrap())
}

impl Ledger {
    fn enters(&mut self, conversation: ConversationId, by: &str, epoch: u64) -> Conversed {
        let by = laptop(by);
        self.converse(&Record::ConversationEntered { conversation, by, epoch, bytes: 100, at: START })
    }

    fn publishes(&mut self, conversation: ConversationId, by: &str, epoch: u64) -> Conversed {
        let by = laptop(by);
        self.converse(&Record::GroupInfoPublished { conversation, by, epoch, bytes: 1_000, at: START })
    }
}

/// A realm with an open room that Alice has begun.
fn with_open_room() -> Ledger {
    let mut ledger = realm();
    assert_eq!(ledger.founds(ROOM, tea(), "alice"), Conversed::Founded);
    ledger
}

#[test]
fn two_open_rooms_have_two_names() {
    let mut ledger = with_open_room();
    assert_eq!(ledger.founds(OTHER, tea(), "bob"), refused(ConversationRefusal::Exists));
    assert_eq!(ledger.founds(ROOM, tea(), "alice"), Conversed::Founded, "the very same again");
    let coffee = Kind::Open(RoomName::parse("coffee").unwrap());
    assert_eq!(ledger.founds(OTHER, coffee, "bob"), Conversed::Founded);
    let names: Vec<&str> = ledger.state.conversations().open_after(None).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["coffee", "tea"]);
    // One in which nobody is left gives its name to the next.
    ledger.revokes("alice");
    let third = ConversationId([3; 16]);
    assert_eq!(ledger.founds(third, tea(), "bob"), Conversed::Founded);
    assert_eq!(ledger.state.conversations().open(&RoomName::parse("tea").unwrap()), Some(third));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_device_comes_by_itself_into_an_open_room_alone() {
    let mut ledger = with_open_room();
    assert_eq!(ledger.enters(ROOM, "bob", 1), refused(ConversationRefusal::EpochOver));
    assert_eq!(ledger.enters(ROOM, "nobody", 0), refused(ConversationRefusal::NoDevice));
    assert_eq!(ledger.enters(ROOM, "bob", 0), Conversed::Posted(ROOM, 1));
    assert_eq!(ledger.enters(ROOM, "carol", 0), refused(ConversationRefusal::EpochOver), "bob was first");
    assert_eq!(ledger.enters(ROOM, "bob", 1), refused(ConversationRefusal::NotChanged));
    assert_eq!(ledger.sends("bob", 1, 1), Conversed::Posted(ROOM, 2));
    assert_eq!((ledger.posted_to("alice"), ledger.posted_to("bob")), (vec![1, 2], vec![1, 2]));
    for (id, kind) in [(OTHER, Kind::Room), (ConversationId([3; 16]), between("alice", "bob"))] {
        assert_eq!(ledger.founds(id, kind, "alice"), Conversed::Founded);
        assert_eq!(ledger.enters(id, "bob", 0), refused(ConversationRefusal::NotOpen));
    }
    assert_eq!(ledger.enters(ConversationId([9; 16]), "bob", 0), refused(ConversationRefusal::NotOpen));
    ledger.revokes("carol");
    assert_eq!(ledger.enters(ROOM, "carol", 1), refused(ConversationRefusal::NoDevice));
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn an_open_room_has_no_more_devices_than_another_and_they_no_more_seats() {
    let mut ledger = with_open_room();
    let full: Vec<DeviceName> =
        (2..=CONVERSATION_DEVICES_MAX_V5).map(|n| device_name(&format!("u{n}"), "laptop")).collect();
    let everybody = RosterChange { add: full, remove: vec![] };
    let entry = crate::journal::conversations::Entry::new(
        1,
        START,
        laptop("alice"),
        1,
        crate::journal::conversations::What::Commit(0),
    );
    ledger.state.conversations.change(ROOM, entry, &everybody);
    let may = |ledger: &Ledger| may_enter(&ledger.state, ROOM, &laptop("bob"), 1, 1);
    assert_eq!(may(&ledger), Err(ConversationRefusal::Full));
    let mut ledger = with_open_room();
    for n in 0..super::super::SEATS_PER_DEVICE_MAX_V5 {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&u64::try_from(n).unwrap().to_be_bytes());
        ledger.state.conversations.found(ConversationId(id), Kind::Room, laptop("bob"));
    }
    assert_eq!(may_enter(&ledger.state, ROOM, &laptop("bob"), 0, 1), Err(ConversationRefusal::Full));
    assert_eq!(may_enter(&ledger.state, ROOM, &laptop("carol"), 0, 1), Ok(()));
}

#[test]
fn what_it_takes_to_come_in_is_left_once_for_each_epoch() {
    let mut ledger = with_open_room();
    assert_eq!(ledger.publishes(ROOM, "bob", 0), refused(ConversationRefusal::NotIn));
    assert_eq!(ledger.publishes(ROOM, "alice", 1), refused(ConversationRefusal::EpochOver));
    let n = ledger.state.position().n + 1;
    assert_eq!(ledger.publishes(ROOM, "alice", 0), Conversed::Kept);
    assert_eq!(ledger.room().info(), Some(Info { n, bytes: 1_000 }));
    assert_eq!(ledger.state.conversations().needed(), [n]);
    assert_eq!(ledger.publishes(ROOM, "alice", 0), refused(ConversationRefusal::Exists));
    assert_eq!(ledger.state.conversations().bytes(), 1_000);
    // The next epoch makes it useless.
    assert_eq!(ledger.enters(ROOM, "bob", 0), Conversed::Posted(ROOM, 1));
    assert_eq!(ledger.state.conversations().unneeded(), [n]);
    assert_eq!((ledger.room().info(), ledger.state.conversations().bytes()), (None, 100));
    assert_eq!(ledger.publishes(ROOM, "bob", 1), Conversed::Kept);
    assert_eq!(ledger.commits("alice", 1, change(&["carol"], &[])), Conversed::Posted(ROOM, 2));
    assert_eq!(ledger.room().info(), None);
    assert_eq!(ledger.founds(OTHER, Kind::Room, "alice"), Conversed::Founded);
    assert_eq!(ledger.publishes(OTHER, "alice", 0), refused(ConversationRefusal::NotOpen));
    assert_eq!(ledger.replayed(), ledger.state);
    ledger.state.conversations.pretend(0, POSTED_BYTES_MAX_V5 - 999);
    let may = may_publish_info(&ledger.state, ROOM, &laptop("alice"), 2, 1_000);
    assert_eq!(may, Err(ConversationRefusal::PostedFull));
    assert_eq!(may_publish_info(&ledger.state, ROOM, &laptop("alice"), 2, 999), Ok(()));
}
