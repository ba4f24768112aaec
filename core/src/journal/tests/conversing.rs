//! The golden journal's part about conversations: one record of each kind, of which the fold makes something.

use super::*;
use crate::id::{ConversationId, MessageId};
use crate::journal::conversations::Taken;
use crate::journal::fold::conversations::Conversed;
use crate::wire::conversations::{Kind, RosterChange};

/// Adds what rules 6 know besides: an open room, who comes into it, and by what.
pub(super) fn add_golden_open(ledger: &mut Ledger) {
    let (alice, carol) = (device_name("alice", "laptop"), device_name("carol", "laptop"));
    let (room, at) = (ConversationId([0x33; 16]), START);
    let mut expect = |record: &Record, conversed| assert_eq!(ledger.add(record), Outcome::Conversed(conversed));
    let kind = Kind::Open(crate::id::RoomName::parse("tea").unwrap());
    expect(&Record::ConversationFounded { conversation: room, kind, by: alice.clone(), at }, Conversed::Founded);
    let info = |epoch, by: &DeviceName| Record::GroupInfoPublished {
        conversation: room,
        by: by.clone(),
        epoch,
        bytes: 900,
        at,
    };
    expect(&info(0, &alice), Conversed::Kept);
    let enters = |epoch| Record::ConversationEntered { conversation: room, by: carol.clone(), epoch, bytes: 400, at };
    expect(&enters(0), Conversed::Posted(room, 1));
    expect(&enters(1), Conversed::Refused(crate::journal::ConversationRefusal::NotChanged));
    expect(&info(1, &carol), Conversed::Kept);
}

/// Adds what rules 5 know to the golden journal.
pub(super) fn add_golden(ledger: &mut Ledger) {
    let (alice, carol) = (device_name("alice", "laptop"), device_name("carol", "laptop"));
    let (room, pair, at) = (ConversationId([0x11; 16]), ConversationId([0x22; 16]), START);
    let mut expect = |record: &Record, conversed| assert_eq!(ledger.add(record), Outcome::Conversed(conversed));
    for last_resort in [true, false] {
        let (device, not_after) = (carol.clone(), Wall(START.0 + 7_776_000));
        expect(&Record::KeyPackagePublished { device, last_resort, not_after, at }, Conversed::Kept);
    }
    let first = 37;
    let taken = [Some(Taken { n: first + 1, last_resort: false }), Some(Taken { n: first, last_resort: true }), None];
    let of = vec![carol.clone(), carol.clone(), device_name("nobody", "laptop")];
    expect(&Record::KeyPackagesTaken { by: alice.clone(), of, at }, Conversed::Taken(taken.to_vec()));
    let by = alice.clone();
    expect(&Record::ConversationFounded { conversation: room, kind: Kind::Room, by, at }, Conversed::Founded);
    let kind = Kind::Direct(alice.user.clone(), carol.user.clone());
    expect(&Record::ConversationFounded { conversation: pair, kind, by: carol.clone(), at }, Conversed::Founded);
    let committed = |epoch, change| Record::ConversationCommitted {
        conversation: room,
        by: alice.clone(),
        epoch,
        change,
        bytes: 300,
        at,
    };
    let add = RosterChange { add: vec![carol.clone(), device_name("carol", "phone")], remove: vec![] };
    expect(&committed(0, add.clone()), Conversed::Posted(room, 1));
    expect(&committed(0, add), Conversed::Refused(crate::journal::ConversationRefusal::EpochOver));
    let sent = |id| Record::MessagePosted {
        conversation: room,
        by: carol.clone(),
        epoch: 1,
        id: MessageId([id; 16]),
        bytes: 200,
        at,
    };
    for (id, place) in [(1, 2), (2, 3), (3, 4)] {
        expect(&sent(id), Conversed::Posted(room, place));
    }
    expect(&sent(3), Conversed::PostedBefore(room, 4));
    let of = vec![(alice.clone(), vec![(room, 4), (pair, 9)]), (carol.clone(), vec![(room, 2)])];
    expect(&Record::Acknowledged { of }, Conversed::Passed);
    let remove = RosterChange { add: vec![], remove: vec![device_name("carol", "phone")] };
    expect(&committed(1, remove), Conversed::Posted(room, 5));
    expect(&Record::PostedExpired { conversation: room, upto: 3, at: Wall(START.0 + 1) }, Conversed::Passed);
}
