//! One conversation, as a device knows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::chain::Chain;
use super::restoring::read;
use crate::id::{ConversationId, DeviceName, Fingerprint};
use crate::mls::group::Group;
use crate::mls::policy::{Policy, Room};
use crate::time::Wall;
use crate::wire::conversations::{Kind, RosterChange};

/// See the module.
#[derive(Debug)]
pub(super) struct Conversation {
    /// What lies on the disk of it besides the group.
    pub known: Known,
    /// The group, while this device is in it and can read it.
    pub group: Option<Group>,
    /// Who is in it by which certificate: with the tree, so that nobody is looked up in it for each message.
    pub certificates: BTreeMap<DeviceName, Fingerprint>,
    /// What the room is, if it is one; of one that this device has left, what it was.
    pub room: Option<Room>,
}

/// What is written down of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// What it is.
    pub kind: Kind,
    /// Up to which place it was taken in.
    pub cursor: u64,
    /// How far this device is in it.
    pub phase: Phase,
    /// What it has seen of the newest epoch.
    pub chain: Chain,
    /// This device's own commit that the relay has not answered.
    pub pending: Option<Pending>,
    /// When this device next gives itself new keys in it.
    pub refresh_at: Wall,
    /// How many commits from outside came to nothing: the relay has counted an epoch for each, and the group has not.
    pub voided: u64,
}

impl Known {
    /// What was written down; a program that wrote before there were open rooms knew of no such commits.
    pub(super) fn restored(row: &[u8]) -> Option<Self> {
        read(row).or_else(|| read(&[row, &[0]].concat()))
    }

    /// The epoch of its group, as the relay counts. What a relay claims may be any number.
    pub(super) fn epoch_of(&self, group: &Group) -> u64 {
        group.epoch().saturating_add(self.voided)
    }
}

/// How far a device is in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// It begins it, and nobody else is in it yet.
    Founding,
    /// It is in.
    In,
    /// It is in no more.
    Out,
    /// It is in, and can't follow.
    Broken,
    /// It comes in by itself, and the relay has not answered.
    Entering,
}

/// A commit for the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The epoch that it ends.
    pub epoch: u64,
    /// What it does to the delivery list.
    pub change: RosterChange,
    /// For those who are in.
    pub commit: ByteBuf,
    /// For those who come.
    pub welcome: Option<ByteBuf>,
}

impl Conversation {
    /// One with this group.
    pub(super) fn new(known: Known, group: Group) -> Self {
        let (certificates, room) = (group.certificates(), room_of(&group));
        Self { known, group: Some(group), certificates, room }
    }

    /// One that this device can't follow, or is not in.
    pub(super) fn without_group(known: Known) -> Self {
        Self { known, group: None, certificates: BTreeMap::new(), room: None }
    }

    /// The group has changed, and perhaps its tree.
    pub(super) fn set_group(&mut self, group: Group, tree: bool) {
        if tree {
            self.certificates = group.certificates();
            self.room = room_of(&group);
        }
        self.group = Some(group);
    }

    /// This device is in it no more, or can't follow: its secrets are of no more use.
    pub(super) fn leave(&mut self, phase: Phase) {
        self.known.phase = phase;
        self.known.pending = None;
        self.group = None;
        self.certificates.clear();
    }

    /// The epoch that it is in, as the relay counts.
    pub(super) fn epoch(&self) -> Option<u64> {
        Some(self.known.epoch_of(self.group.as_ref()?))
    }

    /// The group, if messages can be sealed in it now.
    pub(super) fn open(&self) -> Option<&Group> {
        let is_free = self.known.phase == Phase::In && self.known.pending.is_none();
        self.group.as_ref().filter(|_| is_free)
    }
}

/// What the group's members have agreed that their room is.
fn room_of(group: &Group) -> Option<Room> {
    match group.policy()? {
        Policy::Room(room) => Some(room),
        Policy::Direct(..) => None,
    }
}

/// The name of a conversation in MLS.
pub(super) fn id_of(group: &Group) -> Option<ConversationId> {
    group.id().try_into().ok().map(ConversationId)
}
