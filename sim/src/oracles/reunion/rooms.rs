//! Who is in a room reads what is written into it in the calm, and all who see it see the same of it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{NotSent, RoomView, Said};
use countersign_core::id::{ConversationId, DeviceName, RoomName};

use super::Reunion;
use crate::oracles::shelves::Shelf;

/// A text of the roll call that is written into a room.
#[derive(Debug)]
pub(super) struct RoomProbe {
    device: usize,
    /// The room's number.
    room: RoomName,
    text: String,
    pub(super) refused: Option<NotSent>,
}

impl RoomProbe {
    /// It is written.
    pub(super) fn new(device: usize, room: &RoomName, text: &str) -> Self {
        Self { device, room: room.clone(), text: text.to_owned(), refused: None }
    }
}

impl Reunion {
    pub(super) fn is_read_in_room(&self, probe: &RoomProbe) -> Result<(), String> {
        let Some(writer) = self.shelves.of(probe.device).filter(|writer| self.is_there(writer)) else { return Ok(()) };
        let number = |id: &&ConversationId| id.to_string() == probe.room.as_str();
        let Some(id) = writer.lines.keys().find(number).copied().filter(|id| self.is_whole(*id)) else { return Ok(()) };
        if let Some(why) = &probe.refused {
            return Err(format!("{} can't write into room {id} in the calm: {why}", writer.name));
        }
        let roster = writer.roster(id, u64::MAX);
        let readers = roster.iter().filter_map(|name| self.shelves.named(name)).chain([writer]);
        let mut readers = readers.filter(|reader| self.is_there(reader) && !reader.has_left(id, u64::MAX));
        readers.find(|reader| !reader.has(&probe.text)).map_or(Ok(()), |reader| {
            let what = format!("what {} wrote into room {id} in the calm", writer.name);
            Err(format!("{what} is not on {}, which is in it", reader.name))
        })
    }

    /// All who are there and see a room see the same, and whoever is seen in it sees it.
    pub(super) fn all_see_the_same(&self) -> Result<(), String> {
        let mut seen: BTreeMap<ConversationId, (&Shelf, &RoomView)> = BTreeMap::new();
        for shelf in self.shelves.all().filter(|shelf| self.is_there(shelf)) {
            for (id, view) in shelf.rooms.iter().filter(|(id, _)| self.is_whole(**id)) {
                let (first, theirs) = seen.entry(*id).or_insert((shelf, view));
                if *theirs != view {
                    let names = format!("{} and {}", first.name, shelf.name);
                    return Err(format!("{names} see room {id} otherwise in the calm: {theirs:?} and {view:?}"));
                }
            }
        }
        for (id, (shelf, view)) in seen {
            let lost = |name: &DeviceName| {
                let other = self.shelves.named(name).filter(|other| self.is_there(other));
                other.is_some_and(|other| !other.rooms.contains_key(&id))
            };
            if let Some(lost) = devices(view).into_iter().find(lost) {
                return Err(format!("{} has {lost} in room {id}, which does not see it", shelf.name));
            }
        }
        Ok(())
    }

    /// Whether nothing was lost in a conversation that nothing repairs yet.
    fn is_whole(&self, id: ConversationId) -> bool {
        let lines = self.shelves.all().filter_map(|shelf| shelf.lines.get(&id));
        let mut entries = lines.flat_map(|lines| lines.values());
        !self.behind.contains(&id) && !entries.any(|entry| matches!(entry.what, Said::Unreadable(_)))
    }
}

/// The devices by which people are in a room.
fn devices(view: &RoomView) -> BTreeSet<DeviceName> {
    let mut all = BTreeSet::new();
    for (user, seated) in &view.people {
        all.extend(seated.devices.iter().map(|device| DeviceName { user: user.clone(), device: device.clone() }));
    }
    all
}
