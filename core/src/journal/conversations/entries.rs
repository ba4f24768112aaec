//! One conversation as the relay knows it: who has a seat in it, and which entry stands for whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{DeviceName, MessageId};
use crate::time::Wall;
use crate::wire::conversations::{Kind, RosterChange};

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    kind: Kind,
    /// The newest epoch.
    epoch: u64,
    /// The place of what was posted last.
    last: u64,
    seats: BTreeMap<DeviceName, Seat>,
    /// What stands, by its place.
    entries: BTreeMap<u64, Entry>,
    /// At which places those messages are.
    messages: BTreeMap<MessageId, u64>,
    /// Up to which place nothing was kept any more, and when that was.
    expired: Option<(u64, Wall)>,
    /// What it takes to come in from outside in the newest epoch, if it is open and somebody has left it.
    info: Option<Info>,
}

/// What it takes to come into an open room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The position of its record, and so of its body.
    pub n: u64,
    /// The length of its body.
    pub bytes: u32,
}

/// A device's seat in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// What was posted up to there is durable on the device, or was not for it.
    acked: u64,
    /// The times for which it is or was in, as places: from, and until the one with which it was removed. Those before which
    /// all is acknowledged are forgotten.
    stays: Vec<(u64, Option<u64>)>,
    /// Whether it was revoked, and nothing is kept for it.
    deaf: bool,
}

/// Something that stands in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The position of its record, and so of its body.
    pub n: u64,
    /// When it was posted.
    pub at: Wall,
    /// By whom.
    pub by: DeviceName,
    /// The length of its body.
    pub bytes: u32,
    /// What it is.
    pub what: What,
    /// How many devices have not acknowledged it.
    pub(super) left: u32,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A message.
    Message(MessageId),
    /// The commit that ended this epoch.
    Commit(u64),
}

/// What a device is to be posted next in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// That something was not kept for it, up to this place.
    Expired(u64, Wall),
    /// What has this position, at this place.
    Entry(u64, u64),
}

impl Entry {
    /// What is posted by a record of this position.
    pub(in crate::journal) fn new(n: u64, at: Wall, by: DeviceName, bytes: u32, what: What) -> Self {
        Self { n, at, by, bytes, what, left: 0 }
    }
}

impl Seat {
    /// Whether the device is in.
    pub fn is_in(&self) -> bool {
        self.stays.last().is_some_and(|(_, until)| until.is_none())
    }

    /// Up to where the device has acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Whether the device came with what stands at this place.
    pub fn came_at(&self, place: u64) -> bool {
        self.stays.iter().any(|(from, _)| *from == place)
    }

    /// Whether what stands at a place is for the device.
    pub fn is_for(&self, place: u64) -> bool {
        !self.deaf && self.stays.iter().any(|(from, until)| *from <= place && until.is_none_or(|until| place <= until))
    }

    /// What is for the device after a place, as ranges of places.
    fn rest(&self, after: u64) -> impl Iterator<Item = std::ops::RangeInclusive<u64>> + '_ {
        let stays = self.stays.iter().filter(|_| !self.deaf);
        let ranges = stays.map(move |(from, until)| *from.max(&after.saturating_add(1))..=until.unwrap_or(u64::MAX));
        ranges.filter(|range| !range.is_empty())
    }

    /// All up to a place is acknowledged. Whether the seat is of no use any more.
    fn acknowledged(&mut self, upto: u64) -> bool {
        self.acked = self.acked.max(upto);
        self.stays.retain(|(_, until)| until.is_none_or(|until| until > upto));
        self.stays.is_empty()
    }
}

impl Conversation {
    /// A conversation in which `founder` is alone, since before the first place.
    pub(super) fn new(kind: Kind, founder: DeviceName) -> Self {
        let seat = Seat { acked: 0, stays: vec![(0, None)], deaf: false };
        Self {
            kind,
            epoch: 0,
            last: 0,
            seats: BTreeMap::from([(founder, seat)]),
            entries: BTreeMap::new(),
            messages: BTreeMap::new(),
            expired: None,
            info: None,
        }
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether the realm's devices come in by themselves.
    pub fn is_open(&self) -> bool {
        matches!(self.kind, Kind::Open(_))
    }

    /// What that takes in the newest epoch, if somebody has left it.
    pub fn info(&self) -> Option<Info> {
        self.info
    }

    pub(super) fn keep_info(&mut self, info: Info) -> Option<Info> {
        self.info.replace(info)
    }

    pub(super) fn take_info(&mut self) -> Option<Info> {
        self.info.take()
    }

    /// The newest epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The place of what was posted last.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Who is in it, in order of name.
    pub fn roster(&self) -> impl Iterator<Item = &DeviceName> {
        self.seats.iter().filter(|(_, seat)| seat.is_in()).map(|(device, _)| device)
    }

    /// Whether a device is in it.
    pub fn has(&self, device: &DeviceName) -> bool {
        self.seats.get(device).is_some_and(Seat::is_in)
    }

    /// A device's seat.
    pub fn seat(&self, device: &DeviceName) -> Option<&Seat> {
        self.seats.get(device)
    }

    /// Whom what stands at a place is for.
    pub fn whom(&self, place: u64) -> impl Iterator<Item = (&DeviceName, &Seat)> {
        self.seats.iter().filter(move |(_, seat)| seat.is_for(place))
    }

    /// What stands, in order of place.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|(place, entry)| (*place, entry))
    }

    /// How much stands.
    pub fn standing(&self) -> usize {
        self.entries.len()
    }

    /// What stands at a place.
    pub fn entry(&self, place: u64) -> Option<&Entry> {
        self.entries.get(&place)
    }

    /// At which place a message stands.
    pub fn place_of(&self, id: MessageId) -> Option<u64> {
        self.messages.get(&id).copied()
    }

    /// What a device is to be posted next that has all up to a place.
    pub fn next_for(&self, device: &DeviceName, after: u64) -> Option<Next> {
        let seat = self.seats.get(device)?;
        let after = after.max(seat.acked);
        if let Some((expired, at)) = self.expired {
            let missed = seat.rest(after).filter(|range| *range.start() <= expired).last();
            if let Some(range) = missed {
                return Some(Next::Expired(expired.min(*range.end()), at));
            }
        }
        let next = seat.rest(after).find_map(|range| self.entries.range(range).next());
        next.map(|(place, entry)| Next::Entry(entry.n, *place))
    }

    /// Takes the next epoch's commit. Its place, and who has no seat any more.
    pub(super) fn change(&mut self, entry: Entry, change: &RosterChange) -> (u64, Vec<DeviceName>) {
        self.epoch += 1;
        let place = self.last + 1;
        for device in &change.add {
            let seat = Seat { acked: place - 1, stays: Vec::new(), deaf: false };
            self.seats.entry(device.clone()).or_insert(seat).stays.push((place, None));
        }
        let mut left = Vec::new();
        for device in &change.remove {
            let Some(seat) = self.seats.get_mut(device) else { continue };
            if let Some((_, until)) = seat.stays.last_mut() {
                *until = Some(place);
            }
            if seat.deaf {
                self.seats.remove(device);
                left.push(device.clone());
            }
        }
        (self.post(entry), left)
    }

    /// Takes what is posted. Its place.
    pub(super) fn post(&mut self, mut entry: Entry) -> u64 {
        self.last += 1;
        let place = self.last;
        entry.left = u32::try_from(self.whom(place).count()).unwrap_or(u32::MAX);
        if let What::Message(id) = entry.what {
            self.messages.insert(id, place);
        }
        self.entries.insert(place, entry);
        place
    }

    /// A device has all up to a place. What does not stand any more, and whether its seat is gone.
    pub(super) fn acknowledge(&mut self, device: &DeviceName, upto: u64) -> (Vec<Entry>, bool) {
        let Some(seat) = self.seats.get_mut(device).filter(|seat| upto > seat.acked) else {
            return (Vec::new(), false);
        };
        let ranges: Vec<_> = seat.rest(seat.acked).map(|range| *range.start()..=(*range.end()).min(upto)).collect();
        let has_left = seat.acknowledged(upto);
        if has_left {
            self.seats.remove(device);
        }
        (self.count_down(ranges), has_left)
    }

    /// A device was revoked: it stays in until a commit removes it, and nothing waits for it.
    pub(super) fn revoked(&mut self, device: &DeviceName) -> (Vec<Entry>, bool) {
        let Some(seat) = self.seats.get_mut(device) else { return (Vec::new(), false) };
        let ranges: Vec<_> = seat.rest(seat.acked).collect();
        let has_left = seat.acknowledged(self.last);
        seat.deaf = true;
        if has_left {
            self.seats.remove(device);
        }
        (self.count_down(ranges), has_left)
    }

    /// What stands up to a place is kept no longer. What that was.
    pub(super) fn expire(&mut self, upto: u64, at: Wall) -> Vec<Entry> {
        let upto = upto.min(self.last);
        let stay = self.entries.split_off(&(upto + 1));
        let gone = std::mem::replace(&mut self.entries, stay);
        if self.expired.is_none_or(|(before, _)| before < upto) {
            self.expired = Some((upto, at));
        }
        gone.into_values().inspect(|entry| Self::forget_message(&mut self.messages, entry)).collect()
    }

    /// One device less waits for what stands in these places.
    fn count_down(&mut self, ranges: Vec<std::ops::RangeInclusive<u64>>) -> Vec<Entry> {
        let mut over = Vec::new();
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            for (place, entry) in self.entries.range_mut(range) {
                entry.left -= 1;
                if entry.left == 0 {
                    over.push(*place);
                }
            }
        }
        let gone = over.into_iter().filter_map(|place| self.entries.remove(&place));
        gone.inspect(|entry| Self::forget_message(&mut self.messages, entry)).collect()
    }

    fn forget_message(messages: &mut BTreeMap<MessageId, u64>, entry: &Entry) {
        if let What::Message(id) = entry.what {
            messages.remove(&id);
        }
    }
}
