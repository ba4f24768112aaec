//! What the devices of a town have on their disks of their conversations.

use std::collections::BTreeMap;

use crate::device::conversations::{Entry, Keep, RoomView, Rows};
use crate::device::{self, Device};
use crate::id::{ConversationId, KeepId};
use crate::server;
use crate::testing::{Machine, Member, Town, env};

/// One device's disk.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) rows: Rows,
    pub(crate) history: Vec<Entry>,
    pub(crate) rooms: BTreeMap<ConversationId, Option<RoomView>>,
    /// What the disk has not answered yet; filled while [`Kept::hold`] is set.
    pub(crate) held: Vec<(KeepId, Keep)>,
    pub(crate) hold: bool,
}

impl Kept {
    fn write(&mut self, keep: Keep) {
        for (row, bytes) in keep.rows {
            match bytes {
                Some(bytes) => drop(self.rows.insert(row, bytes)),
                None => drop(self.rows.remove(&row)),
            }
        }
        self.history.extend(keep.entries);
        self.rooms.extend(keep.rooms.into_iter().map(|(id, (_, view))| (id, view)));
    }
}

impl Town {
    /// The device's machine starts, with what its disk has of its conversations.
    pub(crate) fn join_conversing(&mut self, identity: device::Identity, kept: Kept) -> usize {
        let machine = Device::new(env(), identity, true).with_conversations(&kept.rows);
        let member = self.start(machine);
        self.members[member].kept = kept;
        self.settle();
        member
    }

    pub(super) fn keep(&mut self, member: usize, id: KeepId, keep: Keep) {
        let disk = &mut self.members[member].kept;
        if disk.hold {
            return disk.held.push((id, keep));
        }
        disk.write(keep);
        self.device(member, device::Input::Kept(id));
    }

    /// The disk answers the oldest of what it was asked for, if it was asked for anything.
    pub(crate) fn keep_one(&mut self, member: usize) {
        let disk = &mut self.members[member].kept;
        if disk.held.is_empty() {
            return;
        }
        let (id, keep) = disk.held.remove(0);
        disk.write(keep);
        self.device(member, device::Input::Kept(id));
        self.settle();
    }

    /// A device's program is killed: what its disk has is left, and what it had not answered is not.
    pub(crate) fn kill(&mut self, member: usize) -> Kept {
        let mut kept = std::mem::take(&mut self.members[member].kept);
        kept.held.clear();
        kept.hold = false;
        let wire = self.members[member].wire.take();
        self.members.push(Member::new(Machine::Killed));
        self.members.swap_remove(member);
        if let Some((at_server, _)) = wire {
            self.serve(server::Input::Ended(at_server));
        }
        self.settle();
        kept
    }
}
