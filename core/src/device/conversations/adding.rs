//! Devices that a conversation lacks: a further device of its people is added by one that is in, as soon as the relay
//! says that it can be. Whether it is theirs, its certificate shows and not the relay.

use std::collections::BTreeSet;

use super::committing::Commit;
use super::gathering::{Goal, Progress};
use super::one::Phase;
use super::{Conversations, Turn};
use crate::id::{ConversationId, DeviceName, UserName};
use crate::limits::COMMIT_DEVICES_MAX;
use crate::mls::group::Change;
use crate::wire::conversations::{Kind, RosterChange};

impl Conversations {
    /// The relay says that these could be added.
    pub(super) fn lacking(&mut self, id: ConversationId, devices: Vec<DeviceName>) {
        let Some(one) = self.all.get(&id) else { return };
        let is_theirs = |device: &DeviceName| match (&one.known.kind, &one.room) {
            (Kind::Direct(first, second), _) => device.user == *first || device.user == *second,
            (Kind::Room | Kind::Open(_), Some(room)) => {
                !room.leaving.contains(&device.user) && one.certificates.keys().any(|member| member.user == device.user)
            }
            (Kind::Room | Kind::Open(_), None) => false,
        };
        let lacks = |device: &DeviceName| is_theirs(device) && !one.certificates.contains_key(device);
        let only: BTreeSet<DeviceName> = devices.into_iter().filter(lacks).take(COMMIT_DEVICES_MAX).collect();
        let goal = Goal::Add(id);
        if one.known.phase == Phase::In && !only.is_empty() && !self.gatherings.contains_key(&goal) {
            let of: BTreeSet<UserName> = only.iter().map(|device| device.user.clone()).collect();
            self.gather(goal, of, Some(only));
        }
    }

    /// Adds what has been gathered; whether there was a step to make.
    pub(super) fn add_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let adds = |goal: &&Goal| matches!(goal, Goal::Add(_));
        let goals: Vec<Goal> = self.gatherings.keys().filter(adds).cloned().collect();
        goals.iter().any(|goal| self.add(goal, turn))
    }

    fn add(&mut self, goal: &Goal, turn: &mut Turn<'_>) -> bool {
        let Goal::Add(id) = goal else { return false };
        match self.gather_next(goal) {
            Progress::Waits => return false,
            Progress::Moved => return true,
            Progress::Whole => {}
        }
        let Some(one) = self.all.get(id).filter(|one| one.group.is_some()) else {
            self.gatherings.remove(goal);
            return true;
        };
        if one.known.pending.is_some() {
            return false;
        }
        // Somebody else may have been quicker.
        let packages = self.gatherings.get(goal).map(|gathering| gathering.packages().clone()).unwrap_or_default();
        let packages = packages.into_iter().filter(|(device, _)| !one.certificates.contains_key(device));
        let (devices, packages): (Vec<DeviceName>, Vec<Vec<u8>>) = packages.unzip();
        if devices.is_empty() {
            self.gatherings.remove(goal);
            return true;
        }
        let change = Change { add: packages, ..Change::default() };
        let roster = RosterChange { add: devices, remove: Vec::new() };
        match self.commit(*id, &change, roster, turn) {
            Commit::Waits => false,
            Commit::Sent | Commit::Failed => {
                self.gatherings.remove(goal);
                true
            }
        }
    }
}
