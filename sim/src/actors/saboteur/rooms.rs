//! Breaks what devices keep of rooms.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{Entry, Keep, Rank, RoomChange, Said};
use countersign_core::id::ConversationId;
use countersign_core::wire::conversations::Kind;

use super::BAD_DEVICE;
use crate::canary::Sabotage;

/// What this saboteur remembers.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// The rooms that each device sees.
    seen: BTreeMap<usize, BTreeSet<ConversationId>>,
    /// The rooms that each device has seen, and sees no more.
    out: BTreeSet<(usize, ConversationId)>,
    /// What was said last in each room.
    said: BTreeMap<ConversationId, Entry>,
}

impl Rooms {
    /// Breaks what a device keeps.
    #[allow(clippy::wildcard_enum_match_arm, reason = "all other plans have nothing to do with rooms")]
    pub(super) fn break_one(&mut self, plan: Sabotage, device: usize, keep: &mut Keep) {
        match plan {
            Sabotage::MisfileText => {
                self.look(device, keep);
                let seen = self.seen.entry(device).or_default();
                for entry in keep.entries.iter_mut().filter(|entry| is_said_in_room(entry)) {
                    let other = seen.iter().find(|id| **id != entry.conversation);
                    entry.conversation = other.copied().unwrap_or(entry.conversation);
                }
            }
            Sabotage::AlterChange if device == BAD_DEVICE => {
                for entry in &mut keep.entries {
                    if let Said::Altered { changes, .. } = &mut entry.what {
                        changes.push(RoomChange::Topic("something else".to_owned()));
                    }
                }
            }
            Sabotage::ServeRemoved => {
                self.look(device, keep);
                let is_out = |id: &ConversationId| self.out.contains(&(device, *id));
                let leak = self.said.iter().find(|(id, _)| is_out(id)).map(|(id, entry)| (*id, entry.clone()));
                if let Some((id, entry)) = leak {
                    self.out.remove(&(device, id));
                    keep.entries.push(entry);
                }
                let said = keep.entries.iter().filter(|entry| is_said_in_room(entry));
                self.said.extend(said.map(|entry| (entry.conversation, entry.clone())));
            }
            Sabotage::ComeUncalled => {
                for entry in keep.entries.iter_mut().filter(|entry| entry.kind == Kind::Room) {
                    if let Said::Changed { came, .. } = &entry.what
                        && let Some(guest) = came.first()
                    {
                        entry.by = guest.clone();
                    }
                }
            }
            Sabotage::OtherView if device == BAD_DEVICE => {
                for (_, view) in keep.rooms.values_mut() {
                    for seated in view.iter_mut().flat_map(|view| view.people.values_mut()) {
                        seated.rank = Rank::Owner;
                    }
                }
            }
            _ => {}
        }
    }

    /// Remembers which rooms a device sees from now on; what was said before it went is none of this one's.
    fn look(&mut self, device: usize, keep: &Keep) {
        for (id, (_, view)) in &keep.rooms {
            let seen = self.seen.entry(device).or_default();
            if view.is_some() {
                seen.insert(*id);
                self.out.remove(&(device, *id));
            } else if seen.remove(id) {
                self.out.insert((device, *id));
                self.said.remove(id);
            }
        }
    }
}

fn is_said_in_room(entry: &Entry) -> bool {
    !matches!(entry.kind, Kind::Direct(..)) && matches!(entry.what, Said::Text { .. })
}
