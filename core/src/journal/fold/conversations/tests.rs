//! The checks CV-01 to CV-19, each by a record that fails it alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

mod model;
mod open;
mod packages;
mod posts;
mod roster;

use super::*;
use crate::id::MessageId;
use crate::journal::conversations::{Conversation, Next};
use crate::journal::record::Record;
use crate::journal::tests::Ledger;
use crate::testing::{START, device_name};
use crate::time::Wall;
use crate::tlog::ReasonCode;
use crate::wire::conversations::{Kind, RosterChange};

pub(super) const ROOM: ConversationId = ConversationId([1; 16]);
pub(super) const OTHER: ConversationId = ConversationId([2; 16]);
/// No places, or positions.
pub(super) const NOTHING: [u64; 0] = [];

/// A realm of Alice, Bob, Carol and Dora, each with a laptop.
pub(super) fn realm() -> Ledger {
    let mut ledger = Ledger::of_two();
    for (token, user, key) in [(3, "carol", 30), (4, "dora", 40)] {
        ledger.invite(token, Some(user));
        let Outcome::Granted(serial) = ledger.grant(token, &laptop(user), key) else { panic!("not granted") };
        ledger.issue(serial);
    }
    ledger
}

pub(super) fn laptop(user: &str) -> DeviceName {
    device_name(user, "laptop")
}

pub(super) fn between(one: &str, other: &str) -> Kind {
    Kind::Direct(laptop(one).user, laptop(other).user)
}

pub(super) fn change(add: &[&str], remove: &[&str]) -> RosterChange {
    let laptops = |users: &[&str]| users.iter().map(|user| laptop(user)).collect();
    RosterChange { add: laptops(add), remove: laptops(remove) }
}

pub(super) fn refused(refusal: ConversationRefusal) -> Conversed {
    Conversed::Refused(refusal)
}

impl Ledger {
    pub(super) fn converse(&mut self, record: &Record) -> Conversed {
        let outcome = self.add(record);
        let Outcome::Conversed(conversed) = outcome else { panic!("nothing about conversations: {outcome:?}") };
        conversed
    }

    pub(super) fn founds(&mut self, conversation: ConversationId, kind: Kind, by: &str) -> Conversed {
        self.converse(&Record::ConversationFounded { conversation, kind, by: laptop(by), at: START })
    }

    pub(super) fn commits(&mut self, by: &str, epoch: u64, change: RosterChange) -> Conversed {
        let by = laptop(by);
        self.converse(&Record::ConversationCommitted { conversation: ROOM, by, epoch, change, bytes: 100, at: START })
    }

    pub(super) fn sends(&mut self, by: &str, epoch: u64, id: u8) -> Conversed {
        let (by, id) = (laptop(by), MessageId([id; 16]));
        self.converse(&Record::MessagePosted { conversation: ROOM, by, epoch, id, bytes: 10, at: START })
    }

    pub(super) fn has(&mut self, user: &str, upto: u64) -> Conversed {
        self.converse(&Record::Acknowledged { of: vec![(laptop(user), vec![(ROOM, upto)])] })
    }

    pub(super) fn revokes(&mut self, user: &str) -> Outcome {
        let (name, reason) = (laptop(user), ReasonCode::new(1).unwrap());
        self.add(&Record::DeviceRevoked { name, reason, force: true, at: START })
    }

    pub(super) fn room(&self) -> &Conversation {
        self.state.conversations().get(ROOM).unwrap()
    }

    /// The places that stand.
    pub(super) fn standing(&self) -> Vec<u64> {
        self.room().entries().map(|(place, _)| place).collect()
    }

    /// All that a device would be posted, from what it has acknowledged on.
    pub(super) fn posted_to(&self, user: &str) -> Vec<u64> {
        let (mut after, mut places) = (0, Vec::new());
        while let Some(next) = self.room().next_for(&laptop(user), after) {
            let (Next::Entry(_, place) | Next::Expired(place, _)) = next;
            places.push(place);
            after = place;
        }
        places
    }
}

/// A realm with a room of Alice, Bob and Carol, whose commits are acknowledged by all.
pub(super) fn with_room() -> Ledger {
    let mut ledger = realm();
    assert_eq!(ledger.founds(ROOM, Kind::Room, "alice"), Conversed::Founded);
    assert_eq!(ledger.commits("alice", 0, change(&["bob", "carol"], &[])), Conversed::Posted(ROOM, 1));
    for user in ["alice", "bob", "carol"] {
        ledger.has(user, 1);
    }
    assert_eq!(ledger.standing(), NOTHING);
    ledger
}

#[test]
fn nobody_who_is_not_there_or_was_revoked_does_anything() {
    let mut ledger = with_room();
    ledger.revokes("bob");
    let no = refused(ConversationRefusal::NoDevice);
    for user in ["bob", "nobody"] {
        assert_eq!(ledger.founds(OTHER, Kind::Room, user), no);
        assert_eq!(ledger.commits(user, 1, change(&[], &["carol"])), no);
        assert_eq!(ledger.sends(user, 1, 1), no);
        let (device, not_after, at) = (laptop(user), Wall(START.0 + 100), START);
        assert_eq!(ledger.converse(&Record::KeyPackagePublished { device, last_resort: false, not_after, at }), no);
        assert_eq!(ledger.converse(&Record::KeyPackagesTaken { by: laptop(user), of: vec![], at }), no);
    }
    assert_eq!(ledger.replayed(), ledger.state);
}
