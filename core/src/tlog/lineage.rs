//! Whose device a device is: the row of endorsements from it back to the first device of its person (design 4).
//!
//! ```text
//! shown: tablet, renewed -> tablet, endorsed by phone -> phone, endorsed by laptop -> laptop, first device = founder
//! ```
//!
//! A person is, to others, the key of that first device: whatever it has vouched for, directly or through another device, is
//! the same person, and nothing else is, however the server names it. Each step is an entry of the log, proved like any
//! other, and each word in it is checked here once more.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::leaf::{Basis, Certified, Leaf};
use crate::id::{DeviceLabel, DeviceName, KeyId, Realm};
use crate::limits::{DEVICES_PER_USER_MAX, LINEAGE_MAX};
use crate::time::Wall;

/// Who somebody is over all their devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Founder {
    /// The key of the first device.
    pub key: KeyId,
    /// Set if that device was certified for a user who was there already, and when: a new identity under an old name.
    pub reissued: Option<Wall>,
}

/// Why a device is not shown to be anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineageRefusal {
    /// The row is longer than rows are.
    TooLong,
    /// The row ends before it has come to a first device.
    Incomplete,
    /// An entry is not the one that the row goes on with.
    OtherEntry,
    /// A word does not hold for the device that it is said to be for.
    Word,
    /// There are entries that the row does not need.
    Superfluous,
}

impl fmt::Display for LineageRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the row of endorsements is longer than one can be",
            Self::Incomplete => "nothing shows which device of the user has vouched for it",
            Self::OtherEntry => "the row of endorsements leads to another device than it says",
            Self::Word => "the word that is said to vouch for it does not",
            Self::Superfluous => "the row of endorsements goes on where it has ended",
        })
    }
}

impl std::error::Error for LineageRefusal {}

/// Traces a device back to the first one of its person. The ancestors are in the order of the row, and each of them was proved
/// to be in the log.
pub fn trace(device: &Certified, ancestors: &[Certified], realm: &Realm) -> Result<Founder, LineageRefusal> {
    if ancestors.len() > LINEAGE_MAX {
        return Err(LineageRefusal::TooLong);
    }
    let mut rest = ancestors.iter();
    let mut current = device;
    loop {
        let next = match &current.basis {
            Basis::FirstDevice | Basis::MadeElsewhere | Basis::Reissue => break,
            Basis::Renewed => {
                let origin = rest.next().ok_or(LineageRefusal::Incomplete)?;
                let same = origin.name == current.name && origin.key == current.key;
                if !same || origin.basis == Basis::Renewed {
                    return Err(LineageRefusal::OtherEntry);
                }
                origin
            }
            Basis::Endorsed(word) => {
                if !word.holds(realm, &current.name, current.key) {
                    return Err(LineageRefusal::Word);
                }
                let by = rest.next().ok_or(LineageRefusal::Incomplete)?;
                let is_by = by.name.user == current.name.user && by.name.device == word.by;
                // The first entry of each device says by what right it is the person's; a renewal would say it of nothing.
                if !is_by || by.key != word.key.id() || by.basis == Basis::Renewed {
                    return Err(LineageRefusal::OtherEntry);
                }
                by
            }
            // Made by a program that knows more than this one.
            Basis::Recovered { .. } => return Err(LineageRefusal::Incomplete),
        };
        current = next;
    }
    if rest.next().is_some() {
        return Err(LineageRefusal::Superfluous);
    }
    let reissued = (current.basis == Basis::Reissue).then_some(current.at);
    Ok(Founder { key: current.key, reissued })
}

/// Whose log is read: one device of a person.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The device.
    pub name: &'a DeviceName,
    /// Its key.
    pub key: KeyId,
    /// The realm.
    pub realm: &'a Realm,
}

/// The devices of one's own user that one's own device has reason to take for theirs: those before it in its row, and those
/// that one of them has vouched for since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kin(BTreeMap<KeyId, DeviceLabel>);

impl Kin {
    /// The kin that a device knows by its own row.
    pub fn of<'a>(row: impl IntoIterator<Item = &'a Certified>) -> Self {
        Self(row.into_iter().map(|certified| (certified.key, certified.name.device.clone())).collect())
    }

    /// Takes an act of the log in: whether it is one in this user's name that none of their devices has asked for.
    pub fn finds_strange(&mut self, leaf: &Leaf, own: Owner<'_>) -> bool {
        if leaf.about() != Some(&own.name.user) {
            return false;
        }
        let Some(certified) = leaf.certified() else {
            if let Leaf::Revocation { name, .. } = leaf {
                // What it vouches for from here on, nobody has asked for.
                self.0.retain(|_, device| *device != name.device);
            }
            return true;
        };
        !self.is_kin(certified.key, &certified.name.device, own) && !self.adopts(certified, own)
    }

    /// Whether the log's row of this device can be kept.
    pub fn fits(&self) -> bool {
        self.0.len() <= DEVICES_PER_USER_MAX
    }

    fn is_kin(&self, key: KeyId, device: &DeviceLabel, own: Owner<'_>) -> bool {
        let is_own = key == own.key && *device == own.name.device;
        is_own || self.0.get(&key) == Some(device)
    }

    /// Takes in a device that one of them has vouched for.
    fn adopts(&mut self, certified: &Certified, own: Owner<'_>) -> bool {
        let Basis::Endorsed(word) = &certified.basis else { return false };
        let vouched =
            self.is_kin(word.key.id(), &word.by, own) && word.holds(own.realm, &certified.name, certified.key);
        let taken = vouched && self.0.len() < DEVICES_PER_USER_MAX;
        if taken {
            self.0.insert(certified.key, certified.name.device.clone());
        }
        taken
    }
}

#[cfg(test)]
mod tests;
