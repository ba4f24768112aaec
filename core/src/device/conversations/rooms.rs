//! A room as this device knows it: by which name it is found, what people see of it, and what has changed of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Conversations;
use super::contract::{NotSent, RoomChange, RoomView, Seated};
use super::one::{Conversation, Phase};
use crate::id::{ConversationId, DeviceName, Fingerprint, RoomName, UserName};
use crate::mls::policy::{Policy, Room};

impl Conversations {
    /// The room that people call so, or that has this number: two may have one name.
    pub(super) fn room_named(&self, name: &RoomName) -> Result<ConversationId, NotSent> {
        let is_in = |one: &Conversation| matches!(one.known.phase, Phase::Founding | Phase::In);
        let rooms = self.all.iter().filter(|(_, one)| is_in(one));
        let rooms: Vec<(ConversationId, &Room)> =
            rooms.filter_map(|(id, one)| Some((*id, one.room.as_ref()?))).collect();
        let named: Vec<ConversationId> =
            rooms.iter().filter(|(_, room)| room.name == *name).map(|(id, _)| *id).collect();
        match named[..] {
            [] => {
                let numbered = rooms.iter().find(|(id, _)| id.to_string() == name.as_str());
                numbered.map(|(id, _)| *id).ok_or(NotSent::NoRoom)
            }
            [only] => Ok(only),
            [..] => Err(NotSent::Ambiguous),
        }
    }

    /// What people see of it is kept with the batch.
    pub(super) fn keep_room(&mut self, id: ConversationId) {
        if let Some(one) = self.all.get(&id) {
            let is_in = matches!(one.known.phase, Phase::In);
            if let Some(room) = &one.room {
                let view = is_in.then(|| view(room, one.certificates.keys()));
                self.batch.room(id, room.name.clone(), view);
            }
        }
    }

    /// Whether this device's own person leaves a room: then it is in it no more.
    pub(super) fn leaves(&self, id: ConversationId) -> bool {
        let room = self.all.get(&id).and_then(|one| one.room.as_ref());
        room.is_some_and(|room| room.leaving.contains(&self.own.user))
    }

    /// This device is in a conversation no more: nothing goes there any more.
    pub(super) fn is_out(&mut self, id: ConversationId) {
        if let Some(one) = self.all.get_mut(&id) {
            one.leave(Phase::Out);
        }
        self.forget_secrets(id);
        self.close_room(id);
        self.removals.remove(&id);
    }

    /// Nothing can be written into a room any more: whatever waits for it is given up.
    pub(super) fn close_room(&mut self, id: ConversationId) {
        self.keep_room(id);
        self.give_up_all(&super::outgoing::To::Room(id), &NotSent::NoRoom);
        self.errands_again(id);
    }
}

/// What people see of a room in which these devices are.
fn view<'a>(room: &Room, devices: impl Iterator<Item = &'a DeviceName>) -> RoomView {
    let mut people: BTreeMap<UserName, Seated> = BTreeMap::new();
    for device in devices.filter(|device| !room.leaving.contains(&device.user)) {
        let rank = room.rank(&device.user);
        let seated = people.entry(device.user.clone()).or_insert_with(|| Seated { rank, devices: Vec::new() });
        seated.devices.push(device.device.clone());
    }
    RoomView { name: room.name.clone(), topic: room.topic.clone(), invites: room.invites, people }
}

/// What is other than before.
pub(super) fn changes(before: &Room, after: &Room) -> Vec<RoomChange> {
    let mut changes = Vec::new();
    if before.name != after.name {
        changes.push(RoomChange::Name(after.name.clone()));
    }
    if before.topic != after.topic {
        changes.push(RoomChange::Topic(after.topic.clone()));
    }
    if before.invites != after.invites {
        changes.push(RoomChange::Invites(after.invites));
    }
    let leave: Vec<&UserName> = after.leaving.difference(&before.leaving).collect();
    let people: BTreeSet<&UserName> = before.ranks.keys().chain(after.ranks.keys()).collect();
    let others = people.into_iter().filter(|user| before.rank(user) != after.rank(user) && !leave.contains(user));
    changes.extend(others.map(|user| RoomChange::Rank(user.clone(), after.rank(user))));
    changes.extend(leave.into_iter().map(|user| RoomChange::Leaves(user.clone())));
    changes
}

/// What it is when these devices are removed: whoever leaves and has none in it any more has left. Nothing if that is the same.
pub(super) fn without_left(
    room: &Room,
    members: &BTreeMap<DeviceName, Fingerprint>,
    removed: &[DeviceName],
) -> Option<Policy> {
    let is_in = |user: &UserName| members.keys().any(|device| device.user == *user && !removed.contains(device));
    let leaving: BTreeSet<UserName> = room.leaving.iter().filter(|user| is_in(user)).cloned().collect();
    (leaving != room.leaving).then(|| Policy::Room(Room { leaving, ..room.clone() }))
}
