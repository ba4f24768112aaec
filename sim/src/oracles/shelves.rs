//! What each device has of its conversations, as its person could read it there, and which devices are there in the calm.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::device::conversations::{ConversationEvent, Entry, RoomChange, RoomView, Said};
use countersign_core::id::{ConversationId, DeviceName};

use crate::story::{Phase, Seen};

/// The history of one conversation.
pub(super) type Lines = BTreeMap<u64, Entry>;

/// One device's history.
#[derive(Debug)]
pub(super) struct Shelf {
    pub name: DeviceName,
    pub device: usize,
    /// Set once the device was lost or is of no use any more.
    pub gone: bool,
    pub lines: BTreeMap<ConversationId, Lines>,
    /// The rooms that its person sees.
    pub rooms: BTreeMap<ConversationId, RoomView>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    all: Vec<Shelf>,
    current: BTreeMap<usize, usize>,
}

impl Shelves {
    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        match seen {
            Seen::Kept(who, keep) => {
                let device = who.program.device;
                let next = self.all.len();
                let place = *self.current.entry(device).or_insert(next);
                if place == next {
                    self.all.push(Shelf {
                        name: who.name.clone(),
                        device,
                        gone: false,
                        lines: BTreeMap::new(),
                        rooms: BTreeMap::new(),
                    });
                }
                let Some(shelf) = self.all.get_mut(place) else { return };
                for entry in &keep.entries {
                    let lines = shelf.lines.entry(entry.conversation).or_default();
                    lines.entry(entry.place).or_insert_with(|| entry.clone());
                }
                for (id, (_, view)) in &keep.rooms {
                    match view {
                        Some(view) => drop(shelf.rooms.insert(*id, view.clone())),
                        None => drop(shelf.rooms.remove(id)),
                    }
                }
            }
            Seen::Anew(who) => {
                if let Some(shelf) = self.current.remove(&who.program.device).and_then(|place| self.all.get_mut(place))
                {
                    shelf.gone = true;
                }
            }
            _ => {}
        }
    }

    /// Those of all devices, also of the ones that are gone.
    pub(super) fn all(&self) -> impl Iterator<Item = &Shelf> {
        self.all.iter()
    }

    /// The one of a device, by its number.
    pub(super) fn of(&self, device: usize) -> Option<&Shelf> {
        self.all.get(*self.current.get(&device)?)
    }

    /// The one of a device that is not gone, by its name.
    pub(super) fn named(&self, name: &DeviceName) -> Option<&Shelf> {
        self.all.iter().find(|shelf| !shelf.gone && shelf.name == *name)
    }

    /// Every conversation of which anybody has anything.
    pub(super) fn conversations(&self) -> BTreeSet<ConversationId> {
        self.all.iter().flat_map(|shelf| shelf.lines.keys().copied()).collect()
    }
}

impl Shelf {
    /// Who was in a conversation at a place, as this device has been told: nobody if it was not in itself, or had left. Others who
    /// have left are in until they are removed.
    pub(super) fn roster(&self, id: ConversationId, place: u64) -> BTreeSet<DeviceName> {
        let Some(lines) = self.lines.get(&id) else { return BTreeSet::new() };
        let Some((_, first)) = lines.first_key_value() else { return BTreeSet::new() };
        let has_begun = !matches!(first.what, Said::Unreadable(_));
        // Whoever has begun it is in from before the first place; whoever was added, or has come, reads so, and was not in before.
        let is_first = !matches!(first.what, Said::Joined { .. });
        let mut roster: BTreeSet<DeviceName> = is_first.then(|| self.name.clone()).into_iter().collect();
        for (_, entry) in lines.range(..=place).filter(|_| has_begun) {
            match &entry.what {
                Said::Joined { members, .. } => roster = members.iter().cloned().collect(),
                Said::Changed { came, went, .. } | Said::Altered { came, went, .. } => {
                    roster.extend(came.iter().cloned());
                    for name in went {
                        roster.remove(name);
                    }
                    if self.leaves(entry) {
                        roster.clear();
                    }
                }
                Said::Text { .. } | Said::More { .. } | Said::Unreadable(_) => {}
            }
        }
        if has_begun && roster.contains(&self.name) { roster } else { BTreeSet::new() }
    }

    /// Whether with this its own person leaves a room: then it is in no more, although others have it in until they remove it.
    fn leaves(&self, entry: &Entry) -> bool {
        let Said::Altered { changes, .. } = &entry.what else { return false };
        changes.contains(&RoomChange::Leaves(self.name.user.clone()))
    }

    /// Whether its person had left a room at a place, and had not come back.
    pub(super) fn has_left(&self, id: ConversationId, place: u64) -> bool {
        let lines = self.lines.get(&id).into_iter().flat_map(|lines| lines.range(..=place));
        let is_last = |(_, entry): &(&u64, &Entry)| self.leaves(entry) || matches!(entry.what, Said::Joined { .. });
        lines.rev().find(is_last).is_some_and(|(_, entry)| self.leaves(entry))
    }

    /// Whether its person was told that something in a conversation can't be read, at this place or before.
    pub(super) fn lacks(&self, id: ConversationId, place: u64) -> bool {
        let lines = self.lines.get(&id).into_iter().flat_map(|lines| lines.range(..=place));
        lines.into_iter().any(|(_, entry)| matches!(entry.what, Said::Unreadable(_)))
    }
}

/// Which devices are there, and have taken in all that had come.
#[derive(Debug, Default)]
pub(super) struct Attendance {
    /// Since when each is.
    since: BTreeMap<usize, u64>,
    /// Since when faults have stopped for long enough.
    roll_call_us: Option<u64>,
}

impl Attendance {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) {
        match seen {
            Seen::Phase(Phase::RollCall) => self.roll_call_us = Some(at_us),
            Seen::Told(who, Event::Conversation(event)) if **event == ConversationEvent::CaughtUp => {
                self.since.insert(who.program.device, at_us);
            }
            Seen::Killed(who)
            | Seen::Told(
                who,
                Event::Online(_) | Event::Offline(..) | Event::GivenUp(_) | Event::Lapsed(_) | Event::Done,
            ) => drop(self.since.remove(&who.program.device)),
            _ => {}
        }
    }

    /// Whether a device was there all the time since the roll call began.
    pub(super) fn is_there(&self, device: usize) -> bool {
        let since = self.since.get(&device).copied();
        since.zip(self.roll_call_us).is_some_and(|(since, roll_call)| since <= roll_call)
    }
}
