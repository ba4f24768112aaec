//! What a group is and who may change it (design 6): an extension of the group's context (RFC 9420 §12.1.7), so that all members
//! have the same, agree on it with each epoch, and refuse a commit that does what its committer may not. The relay
//! can't read it and enforces none of it.
//!
//! ```text
//! 1 | postcard(Policy)                           nobody comes in who is not added
//! 2 | postcard(Policy) | postcard(barred)        a room into which the realm's devices come by themselves
//! ```
//!
//! | who | in a conversation of two people | in a room |
//! | --- | --- | --- |
//! | adds a device | a member, of those two people alone | a member, of somebody who is in; of others whoever may invite |
//! | removes a device | a member, their own person's; anybody, one that was revoked | as there; anybody, of somebody who leaves; and whoever stands above its person |
//! | changes this | nobody | an owner; a moderator the topic; everybody that they leave |
//! | comes in from outside | nobody | into an open one, a device of the realm whose person is not barred |
//!
//! - Nobody can take themselves out of a group (RFC 9420 §12.4). Whoever leaves a room says so in here, where it holds for those
//!   too who come later, and whoever is in removes their devices.
//! - A room in which no owner is any more belongs to those who stand highest in it.
//! - Whether a room is open is settled when it begins, and so is the name of an open one: by that everybody finds it.
//! - Whoever is put out of an open room is barred from it, until whoever stands high enough adds them again.

use std::collections::{BTreeMap, BTreeSet};

use mls_rs::{Extension, ExtensionList};
use mls_rs_core::extension::ExtensionType;
use serde::{Deserialize, Serialize};

use crate::id::{DeviceName, RoomName, UserName};
use crate::limits::{ROOM_RANKS_MAX, ROOM_TOPIC_BYTES_MAX};

/// The extension's number, of those that are for private use (RFC 9420 §17.3).
pub(super) const EXTENSION: ExtensionType = ExtensionType::new(0xf0c5);
/// What stands first where nobody comes in who is not added.
const CLOSED: u8 = 1;
/// What stands first where the realm's devices come in by themselves.
const OPEN: u8 = 2;

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
    pub name: RoomName,
    /// What it is about.
    pub topic: String,
    /// Those who are more than members.
    pub ranks: BTreeMap<UserName, Rank>,
    /// Who may add people.
    pub invites: Rank,
    /// Those who leave: whoever is in removes their devices.
    pub leaving: BTreeSet<UserName>,
    /// Who may come in without being added.
    #[serde(skip)]
    pub door: Door,
}

/// Who may come into a room without being added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// Nobody.
    #[default]
    Closed,
    /// Every device of the realm.
    Open {
        /// But those of these.
        barred: BTreeSet<UserName>,
    },
}

/// What somebody is in a room; later ones stand above earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
        let removes = deed.removes.iter().all(|(device, revoked)| *revoked || self.removes(by, device, deed));
        adds && removes && deed.becomes.as_ref().is_none_or(|next| self.becomes(by, next, deed))
    }

    /// Whether a device may come in from outside, which does that and nothing else.
    pub fn lets_in(&self, newcomer: &DeviceName, deed: &Deed) -> bool {
        let Self::Room(Room { door: Door::Open { barred }, leaving, .. }) = self else { return false };
        let does_nothing_else = deed.adds.is_empty() && deed.removes.is_empty() && deed.becomes.is_none();
        let is_welcome = !barred.contains(&newcomer.user) && !leaving.contains(&newcomer.user);
        does_nothing_else && is_welcome && !deed.members.contains(newcomer)
    }

    fn adds(&self, by: &DeviceName, device: &DeviceName, deed: &Deed) -> bool {
        match self {
            Self::Direct(one, other) => device.user == *one || device.user == *other,
            Self::Room(room) if room.leaving.contains(&device.user) => false,
            Self::Room(_) if deed.becomes.as_ref().unwrap_or(self).bars(&device.user) => false,
            Self::Room(room) => has(&deed.members, &device.user) || room.standing(by, deed) >= room.invites,
        }
    }

    fn removes(&self, by: &DeviceName, device: &DeviceName, deed: &Deed) -> bool {
        match self {
            _ if by.user == device.user => true,
            Self::Direct(..) => false,
            Self::Room(room) => {
                room.leaving.contains(&device.user) || room.standing(by, deed) > room.rank(&device.user)
            }
        }
    }

    fn becomes(&self, by: &DeviceName, next: &Self, deed: &Deed) -> bool {
        let (Self::Room(room), Self::Room(next)) = (self, next) else { return false };
        let is_open = room.is_open();
        if !next.is_sound() || next.is_open() != is_open || is_open && next.name != room.name {
            return false;
        }
        // Who leaves is each one's own affair, and over when they are out.
        let after = deed.after();
        let is_own = |user: &UserName| *user == by.user || room.leaving.contains(user);
        let is_over = |user: &UserName| next.leaving.contains(user) || !has(&after, user);
        if !next.leaving.iter().all(is_own) || !room.leaving.iter().all(is_over) {
            return false;
        }
        let mut may_be = Room { leaving: next.leaving.clone(), ..room.clone() };
        // Whoever leaves or is put out need not be anything any more.
        let is_put_out = |user: &UserName| {
            let is_theirs = |(device, revoked): &(DeviceName, bool)| device.user == *user && !revoked;
            deed.removes.iter().any(is_theirs) && !has(&after, user)
        };
        let gone = |user: &UserName| next.leaving.contains(user) || room.leaving.contains(user) || is_put_out(user);
        may_be.ranks.retain(|user, _| !gone(user) || next.ranks.contains_key(user));
        let standing = room.standing(by, deed);
        match standing {
            Rank::Member => *next == may_be,
            Rank::Moderator => {
                let may_be_barred = |user: &UserName| room.is_barred(user) || room.rank(user) < standing;
                let bars = next.barred().all(may_be_barred);
                bars && *next == Room { topic: next.topic.clone(), door: next.door.clone(), ..may_be }
            }
            // Somebody who stays in has to own it.
            Rank::Owner => {
                let owns = |member: &DeviceName| next.rank(&member.user) == Rank::Owner;
                *next == may_be || after.iter().any(owns)
            }
        }
    }

    /// As an extension of a group's context.
    pub(super) fn extension(&self) -> Extension {
        let barred = match self {
            Self::Room(Room { door: Door::Open { barred }, .. }) => Some(barred),
            Self::Room(_) | Self::Direct(..) => None,
        };
        let version = if barred.is_some() { OPEN } else { CLOSED };
        let bytes = postcard::to_extend(self, vec![version]).and_then(|bytes| match barred {
            Some(barred) => postcard::to_extend(barred, bytes),
            None => Ok(bytes),
        });
        Extension::new(EXTENSION, bytes.expect("a policy can always be encoded"))
    }

    /// The one that a group's context has: nothing if it has none that this program understands.
    pub(super) fn of(extensions: &ExtensionList) -> Option<Self> {
        let extension = extensions.get(EXTENSION)?;
        let (&version, rest) = extension.extension_data.split_first()?;
        let (mut policy, rest) = postcard::take_from_bytes::<Self>(rest).ok()?;
        let rest = match (version, &mut policy) {
            (CLOSED, _) => rest,
            (OPEN, Self::Room(room)) => {
                let (barred, rest) = postcard::take_from_bytes(rest).ok()?;
                room.door = Door::Open { barred };
                rest
            }
            _ => return None,
        };
        (rest.is_empty() && policy.is_sound()).then_some(policy)
    }

    fn bars(&self, user: &UserName) -> bool {
        matches!(self, Self::Room(room) if room.is_barred(user))
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

    /// Whether the realm's devices come in by themselves.
    pub fn is_open(&self) -> bool {
        matches!(self.door, Door::Open { .. })
    }

    /// Whether somebody may not.
    pub fn is_barred(&self, user: &UserName) -> bool {
        matches!(&self.door, Door::Open { barred } if barred.contains(user))
    }

    fn barred(&self) -> impl Iterator<Item = &UserName> {
        match &self.door {
            Door::Open { barred } => Some(barred),
            Door::Closed => None,
        }
        .into_iter()
        .flatten()
    }

    fn is_sound(&self) -> bool {
        let fits = self.topic.len() <= ROOM_TOPIC_BYTES_MAX && self.ranks.len() <= ROOM_RANKS_MAX;
        fits && self.barred().count() <= ROOM_RANKS_MAX
    }

    /// What somebody may do in it who is in it with these: as an owner, if nobody in it stands higher and no owner is left.
    fn standing(&self, by: &DeviceName, deed: &Deed) -> Rank {
        let highest = deed.members.iter().map(|member| self.rank(&member.user)).max().unwrap_or_default();
        let own = self.rank(&by.user);
        if own == highest { Rank::Owner } else { own }
    }
}

impl Deed {
    /// Who is in when it is done.
    fn after(&self) -> BTreeSet<DeviceName> {
        let stays = |member: &&DeviceName| !self.removes.iter().any(|(device, _)| device == *member);
        self.members.iter().filter(stays).chain(&self.adds).cloned().collect()
    }
}

fn has(devices: &BTreeSet<DeviceName>, user: &UserName) -> bool {
    devices.iter().any(|device| device.user == *user)
}

#[cfg(test)]
mod tests;
