//! What a group is and who may change it (design 6): an extension of the group's context (RFC 9420 §12.1.7), so that all members
//! have the same, agree on it with each epoch, and refuse a commit that does what its committer may not. The relay
//! can't read it and enforces none of it.
//!
//! ```text
//! version: u8 | postcard(Policy)
//! ```
//!
//! | who | in a conversation of two people | in a room |
//! | --- | --- | --- |
//! | adds a device | a member, of those two people alone | a member, of somebody who is in; of others whoever may invite |
//! | removes a device | a member, their own person's; anybody, one that was revoked | as there; and whoever stands above its person |
//! | changes this | nobody | an owner; a moderator the topic |
//! | comes in from outside | nobody | nobody |

use std::collections::{BTreeMap, BTreeSet};

use mls_rs::{Extension, ExtensionList};
use mls_rs_core::extension::ExtensionType;
use serde::{Deserialize, Serialize};

use crate::id::{DeviceName, UserName};
use crate::limits::{ROOM_NAME_BYTES_MAX, ROOM_RANKS_MAX, ROOM_TOPIC_BYTES_MAX};

/// The extension's number, of those that are for private use (RFC 9420 §17.3).
pub(super) const EXTENSION: ExtensionType = ExtensionType::new(0xf0c5);
/// The version that this program writes.
const VERSION: u8 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// A conversation of these two people, in order of name.
    Direct(UserName, UserName),
    /// A room.
    Room(Room),
}

/// What a room is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// What its people call it.
    pub name: String,
    /// What it is about.
    pub topic: String,
    /// Those who are more than members.
    pub ranks: BTreeMap<UserName, Rank>,
    /// Who may add people.
    pub invites: Rank,
}

/// What somebody is in a room; later ones stand above earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rank {
    /// Somebody who is in.
    #[default]
    Member,
    /// Somebody who may remove members and set the topic.
    Moderator,
    /// Somebody who may do everything.
    Owner,
}

/// What a commit would do, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// Who is in before it.
    pub members: BTreeSet<DeviceName>,
    /// Who is added.
    pub adds: Vec<DeviceName>,
    /// Who is removed, and whether they were revoked.
    pub removes: Vec<(DeviceName, bool)>,
    /// What the group is from then on, if that changes.
    pub becomes: Option<Policy>,
}

impl Policy {
    /// Whether `by`, who is in, may do that.
    pub fn allows(&self, by: &DeviceName, deed: &Deed) -> bool {
        let adds = deed.adds.iter().all(|device| self.adds(by, device, deed));
        let removes = deed.removes.iter().all(|(device, revoked)| *revoked || self.removes(by, device));
        adds && removes && deed.becomes.as_ref().is_none_or(|next| self.becomes(by, next, deed))
    }

    fn adds(&self, by: &DeviceName, device: &DeviceName, deed: &Deed) -> bool {
        match self {
            Self::Direct(one, other) => device.user == *one || device.user == *other,
            Self::Room(room) => {
                deed.members.iter().any(|member| member.user == device.user) || room.rank(&by.user) >= room.invites
            }
        }
    }

    fn removes(&self, by: &DeviceName, device: &DeviceName) -> bool {
        match self {
            _ if by.user == device.user => true,
            Self::Direct(..) => false,
            Self::Room(room) => room.rank(&by.user) > room.rank(&device.user),
        }
    }

    fn becomes(&self, by: &DeviceName, next: &Self, deed: &Deed) -> bool {
        let (Self::Room(room), Self::Room(next)) = (self, next) else { return false };
        match room.rank(&by.user) {
            Rank::Member => false,
            Rank::Moderator => *next == Room { topic: next.topic.clone(), ..room.clone() } && next.is_sound(),
            // Somebody who is in has to own it.
            Rank::Owner => next.is_sound() && deed.members.iter().any(|member| next.rank(&member.user) == Rank::Owner),
        }
    }

    /// As an extension of a group's context.
    pub(super) fn extension(&self) -> Extension {
        let bytes = postcard::to_extend(self, vec![VERSION]).expect("a policy can always be encoded");
        Extension::new(EXTENSION, bytes)
    }

    /// The one that a group's context has: nothing if it has none that this program understands.
    pub(super) fn of(extensions: &ExtensionList) -> Option<Self> {
        let extension = extensions.get(EXTENSION)?;
        let (&version, rest) = extension.extension_data.split_first()?;
        match postcard::take_from_bytes::<Self>(rest) {
            Ok((policy, [])) if version == VERSION && policy.is_sound() => Some(policy),
            Ok(_) | Err(_) => None,
        }
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Direct(one, other) => one <= other,
            Self::Room(room) => room.is_sound(),
        }
    }
}

impl Room {
    /// What somebody is in it.
    pub fn rank(&self, user: &UserName) -> Rank {
        self.ranks.get(user).copied().unwrap_or_default()
    }

    fn is_sound(&self) -> bool {
        let name = (1..=ROOM_NAME_BYTES_MAX).contains(&self.name.len());
        name && self.topic.len() <= ROOM_TOPIC_BYTES_MAX && self.ranks.len() <= ROOM_RANKS_MAX
    }
}

#[cfg(test)]
mod tests;
