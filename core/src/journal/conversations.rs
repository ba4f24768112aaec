//! What the relay knows of conversations for good: who is posted what, and what still stands since somebody has not
//! acknowledged it. Metadata only; a body is found by the position of its record.
//!
//! - Each conversation numbers what is posted in it: places from 1 on, without gaps.
//! - A device has a **seat** from its coming until all that it was posted is acknowledged, and in it a **stay** for each time that
//!   it was in: what stands from its Welcome up to its removal is for it.
//! - An **entry** stands until every device that it is for has acknowledged it, its sender too: so what is sent once more is
//!   recognised. A device that was revoked holds nothing up.

pub mod entries;
pub mod packages;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, DeviceName, RoomName, UserName};
use crate::time::Wall;
use crate::wire::conversations::{Kind, RosterChange};

pub use entries::{Conversation, Entry, Info, Next, Seat, What};
pub use packages::{Packages, Taken};

/// All conversations, and the key packages for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversations {
    all: BTreeMap<ConversationId, Conversation>,
    /// The newest one between each two people.
    pairs: BTreeMap<(UserName, UserName), ConversationId>,
    /// The newest open room of each name.
    rooms: BTreeMap<RoomName, ConversationId>,
    /// Where each device has a seat.
    seats: BTreeMap<DeviceName, BTreeSet<ConversationId>>,
    packages: BTreeMap<DeviceName, Packages>,
    /// How many entries stand.
    standing: u64,
    /// The sum of their bodies, and of what it takes to come into open rooms.
    bytes: u64,
    /// The bodies that nobody needs any more since the record that was folded last.
    unneeded: Vec<u64>,
}

impl Conversations {
    /// A conversation.
    pub fn get(&self, id: ConversationId) -> Option<&Conversation> {
        self.all.get(&id)
    }

    /// The newest conversation between two people, in the order of their names.
    pub fn between(&self, one: &UserName, other: &UserName) -> Option<ConversationId> {
        self.pairs.get(&(one.clone(), other.clone())).copied()
    }

    /// The newest open room of a name.
    pub fn open(&self, name: &RoomName) -> Option<ConversationId> {
        self.rooms.get(name).copied()
    }

    /// The open rooms whose names come after this one, in order.
    pub fn open_after(&self, after: Option<&RoomName>) -> impl Iterator<Item = (&RoomName, &Conversation)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rooms = self.rooms.range::<RoomName, _>((from, Bound::Unbounded));
        rooms.filter_map(|(name, id)| Some((name, self.all.get(id)?)))
    }

    /// Where a device has a seat, those included that it has left and not acknowledged the last of.
    pub fn seats_of(&self, device: &DeviceName) -> impl Iterator<Item = ConversationId> + '_ {
        self.seats.get(device).into_iter().flatten().copied()
    }

    /// How many seats those are.
    pub fn seats(&self, device: &DeviceName) -> usize {
        self.seats.get(device).map_or(0, BTreeSet::len)
    }

    /// The key packages of a device.
    pub fn packages(&self, device: &DeviceName) -> Option<&Packages> {
        self.packages.get(device)
    }

    /// How many entries stand in all conversations.
    pub fn standing(&self) -> u64 {
        self.standing
    }

    /// The sum of their bodies.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bodies that nobody needs any more since the record that was folded last.
    pub fn unneeded(&self) -> &[u64] {
        &self.unneeded
    }

    /// The bodies that somebody may still need, in order: all others are left over from a crash.
    pub fn needed(&self) -> Vec<u64> {
        let posted = self.all.values().flat_map(|conversation| conversation.entries().map(|(_, entry)| entry.n));
        let infos = self.all.values().filter_map(|conversation| conversation.info().map(|info| info.n));
        let packages = self.packages.values().flat_map(Packages::bodies);
        let mut needed: Vec<u64> = posted.chain(infos).chain(packages).collect();
        needed.sort_unstable();
        needed
    }

    /// In which conversations something stands that was posted before `before`, and up to which place.
    pub fn older_than(&self, before: Wall) -> impl Iterator<Item = (ConversationId, u64)> + '_ {
        self.all.iter().filter_map(move |(id, conversation)| {
            let old = conversation.entries().take_while(|(_, entry)| entry.at < before).last();
            old.map(|(place, _)| (*id, place))
        })
    }

    /// The next record is folded: what the one before made needless was told.
    pub(super) fn begin_record(&mut self) {
        self.unneeded.clear();
    }

    /// A conversation in which its founder is alone.
    pub(super) fn found(&mut self, id: ConversationId, kind: Kind, by: DeviceName) {
        match &kind {
            Kind::Direct(one, other) => drop(self.pairs.insert((one.clone(), other.clone()), id)),
            Kind::Open(name) => drop(self.rooms.insert(name.clone(), id)),
            Kind::Room => {}
        }
        self.seats.entry(by.clone()).or_default().insert(id);
        self.all.insert(id, Conversation::new(kind, by));
    }

    /// The next epoch, and who comes and goes with it. The place.
    pub(super) fn change(&mut self, id: ConversationId, entry: Entry, change: &RosterChange) -> Option<u64> {
        let conversation = self.all.get_mut(&id)?;
        self.standing += 1;
        self.bytes += u64::from(entry.bytes);
        for device in &change.add {
            self.seats.entry(device.clone()).or_default().insert(id);
        }
        let (info, (place, left)) = (conversation.take_info(), conversation.change(entry, change));
        self.info_over(info);
        for device in left {
            self.forget_seat(&device, id);
        }
        Some(place)
    }

    /// What it takes to come into an open room in its newest epoch. Whether there is such a room.
    pub(super) fn keep_info(&mut self, id: ConversationId, info: Info) -> bool {
        let Some(conversation) = self.all.get_mut(&id) else { return false };
        self.bytes += u64::from(info.bytes);
        let before = conversation.keep_info(info);
        self.info_over(before);
        true
    }

    fn info_over(&mut self, info: Option<Info>) {
        if let Some(info) = info {
            self.bytes -= u64::from(info.bytes);
            self.unneeded.push(info.n);
        }
    }

    /// A message. The place.
    pub(super) fn post(&mut self, id: ConversationId, entry: Entry) -> Option<u64> {
        let conversation = self.all.get_mut(&id)?;
        self.standing += 1;
        self.bytes += u64::from(entry.bytes);
        Some(conversation.post(entry))
    }

    /// A device has what was posted for it up to a place; what is beyond the last place says nothing.
    pub(super) fn acknowledge(&mut self, device: &DeviceName, id: ConversationId, upto: u64) {
        let Some(conversation) = self.all.get_mut(&id).filter(|conversation| upto <= conversation.last()) else {
            return;
        };
        let (gone, has_left) = conversation.acknowledge(device, upto);
        self.fall(gone);
        if has_left {
            self.forget_seat(device, id);
        }
    }

    /// What stands up to a place is kept no longer.
    pub(super) fn expire(&mut self, id: ConversationId, upto: u64, at: Wall) {
        let Some(conversation) = self.all.get_mut(&id) else { return };
        let gone = conversation.expire(upto, at);
        self.fall(gone);
    }

    /// A device was revoked: nothing is kept for it, and nobody adds it any more.
    pub(super) fn revoked(&mut self, device: &DeviceName) {
        let ids: Vec<ConversationId> = self.seats_of(device).collect();
        for id in ids {
            let Some(conversation) = self.all.get_mut(&id) else { continue };
            let (gone, has_left) = conversation.revoked(device);
            self.fall(gone);
            if has_left {
                self.forget_seat(device, id);
            }
        }
        let packages = self.packages.remove(device);
        self.unneeded.extend(packages.iter().flat_map(Packages::bodies));
    }

    /// Keeps a key package, whose body has this position.
    pub(super) fn keep_package(&mut self, device: DeviceName, n: u64, last_resort: bool, not_after: Wall, at: Wall) {
        let packages = self.packages.entry(device).or_default();
        self.unneeded.extend(packages.keep(n, last_resort, not_after, at));
    }

    /// Takes a key package of a device that holds at `at`. Its body is not needless yet: somebody waits for it.
    pub(super) fn take_package(&mut self, device: &DeviceName, at: Wall) -> Option<Taken> {
        let (taken, over) = self.packages.get_mut(device)?.take(at);
        self.unneeded.extend(over);
        taken
    }

    fn fall(&mut self, gone: Vec<Entry>) {
        for entry in gone {
            self.standing -= 1;
            self.bytes -= u64::from(entry.bytes);
            self.unneeded.push(entry.n);
        }
    }

    fn forget_seat(&mut self, device: &DeviceName, id: ConversationId) {
        if let Some(seats) = self.seats.get_mut(device) {
            seats.remove(&id);
            if seats.is_empty() {
                self.seats.remove(device);
            }
        }
    }

    /// As if so much stood already: for the bounds.
    #[cfg(test)]
    pub(in crate::journal) fn pretend(&mut self, standing: u64, bytes: u64) {
        (self.standing, self.bytes) = (standing, bytes);
    }
}
