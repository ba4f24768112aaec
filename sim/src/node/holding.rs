//! Decides what a device's disk has of its conversations: rows that are overwritten in place, a history to which each place of a
//! conversation is added once, and what is on its way to both, in its order.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use countersign_core::device::conversations::{Entry, Keep, RoomView, Rows};
use countersign_core::id::{ConversationId, KeepId, RoomName};

/// See the module.
#[derive(Default)]
pub struct Holding {
    rows: Rows,
    history: BTreeMap<(ConversationId, u64), Entry>,
    rooms: BTreeMap<ConversationId, (RoomName, RoomView)>,
    awaited: VecDeque<(KeepId, Keep)>,
}

impl Holding {
    /// What a program that starts goes on from.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The same, for whoever breaks it.
    pub fn rows_mut(&mut self) -> &mut Rows {
        &mut self.rows
    }

    /// The rooms that its person sees, by the names that these have.
    pub fn rooms(&self) -> &BTreeMap<ConversationId, (RoomName, RoomView)> {
        &self.rooms
    }

    /// The program wants this kept, after all before it.
    pub fn await_keep(&mut self, id: KeepId, keep: Keep) {
        self.awaited.push_back((id, keep));
    }

    /// How much is on its way.
    pub fn on_their_way(&self) -> usize {
        self.awaited.len()
    }

    /// The oldest of what is on its way is there, as a whole.
    pub fn commit(&mut self) -> Option<(KeepId, Keep)> {
        let (id, keep) = self.awaited.pop_front()?;
        for (row, bytes) in &keep.rows {
            match bytes {
                Some(bytes) => drop(self.rows.insert(*row, bytes.clone())),
                None => drop(self.rows.remove(row)),
            }
        }
        for entry in &keep.entries {
            self.history.entry((entry.conversation, entry.place)).or_insert_with(|| entry.clone());
        }
        for (id, (name, view)) in &keep.rooms {
            match view {
                Some(view) => drop(self.rooms.insert(*id, (name.clone(), view.clone()))),
                None => drop(self.rooms.remove(id)),
            }
        }
        Some((id, keep))
    }

    /// What is on its way is lost with the program.
    pub fn lose(&mut self) {
        self.awaited.clear();
    }
}

/// Rows hold secrets.
impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding")
            .field("rows", &self.rows.len())
            .field("history", &self.history.len())
            .field("rooms", &self.rooms.len())
            .field("awaited", &self.awaited.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::device::conversations::Row;

    const ROW: Row = Row::Package([1; 16]);

    fn keep(byte: Option<u8>) -> Keep {
        Keep { rows: BTreeMap::from([(ROW, byte.map(|byte| vec![byte]))]), entries: Vec::new(), rooms: BTreeMap::new() }
    }

    #[test]
    fn what_is_kept_is_there_in_its_order_and_what_was_on_its_way_is_lost() {
        let mut holding = Holding::default();
        for (id, byte) in [(1, Some(7)), (2, Some(8)), (3, None)] {
            holding.await_keep(KeepId(id), keep(byte));
        }
        assert_eq!(holding.commit().map(|(id, _)| id), Some(KeepId(1)));
        assert_eq!(holding.rows().get(&ROW), Some(&vec![7]));
        holding.commit();
        holding.lose();
        assert_eq!(holding.rows().get(&ROW), Some(&vec![8]));
        holding.await_keep(KeepId(1), keep(None));
        assert_eq!((holding.on_their_way(), holding.commit().is_some(), holding.rows().len()), (1, true, 0));
    }
}
