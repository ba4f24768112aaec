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

    /// Remembers which rooms a device sees from now on.
    fn look(&mut self, device: usize, keep: &Keep) {
        let seen = self.seen.entry(device).or_default();
        for (id, (_, view)) in &keep.rooms {
            if view.is_some() {
                seen.insert(*id);
            } else {
                seen.remove(id);
            }
        }
    }
}

fn is_said_in_room(entry: &Entry) -> bool {
    !matches!(entry.kind, Kind::Direct(..)) && matches!(entry.what, Said::Text { .. })
}
