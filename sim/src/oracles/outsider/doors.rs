//! Who comes into a room without being added: nobody into a closed one, and into an open one nobody who was put out of it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{Entry, RoomChange, Said};
use countersign_core::id::{ConversationId, DeviceName, UserName};
use countersign_core::wire::conversations::Kind;

use super::Outsider;

impl Outsider {
    /// Looks at what stands in each room, in its order, as whoever has been told most of it was.
    pub(super) fn nobody_came_uncalled(&self) -> Result<(), String> {
        let mut rooms: BTreeMap<ConversationId, BTreeMap<u64, &Entry>> = BTreeMap::new();
        let all = self.shelves.all().flat_map(|shelf| &shelf.lines);
        for (id, lines) in all.filter(|(id, _)| !self.forgotten.contains(*id)) {
            for entry in lines.values().filter(|entry| !matches!(entry.kind, Kind::Direct(..))) {
                let told = rooms.entry(*id).or_default().entry(entry.place).or_insert(entry);
                // Whoever is put out is told of themselves alone.
                if weight(entry) > weight(told) {
                    *told = entry;
                }
            }
        }
        rooms.values().try_for_each(|lines| self.all_were_called(lines))
    }

    fn all_were_called(&self, lines: &BTreeMap<u64, &Entry>) -> Result<(), String> {
        let (mut put_out, mut leaving): (BTreeSet<&UserName>, BTreeSet<&UserName>) = Default::default();
        for (place, entry) in lines {
            let Some((came, went)) = changed(entry) else { continue };
            let by = &entry.by;
            if came.contains(by) && entry.kind == Kind::Room {
                return Err(format!("{by} has come into a closed room by themselves, at place {place}"));
            }
            if came.contains(by) && put_out.contains(&by.user) {
                return Err(format!("{by} has come by themselves at place {place} into a room, and was put out of it"));
            }
            let is_put_out = |device: &&DeviceName| {
                device.user != by.user && !leaving.contains(&device.user) && !self.gone.contains(*device)
            };
            put_out.extend(went.iter().filter(is_put_out).map(|device| &device.user));
            for user in came.iter().map(|device| &device.user) {
                put_out.remove(user);
                leaving.remove(user);
            }
            if let Said::Altered { changes, .. } = &entry.what {
                leaving.extend(changes.iter().filter_map(|change| match change {
                    RoomChange::Leaves(user) => Some(user),
                    RoomChange::Name(_) | RoomChange::Topic(_) | RoomChange::Invites(_) | RoomChange::Rank(..) => None,
                }));
            }
        }
        Ok(())
    }
}

/// Who came and who went with it, if it is that.
fn changed(entry: &Entry) -> Option<(&[DeviceName], &[DeviceName])> {
    match &entry.what {
        Said::Changed { came, went, .. } | Said::Altered { came, went, .. } => Some((came, went)),
        Said::Text { .. } | Said::Joined { .. } | Said::Unreadable(_) | Said::More { .. } => None,
    }
}

fn weight(entry: &Entry) -> usize {
    changed(entry).map_or(0, |(came, went)| 1 + came.len() + went.len())
}
