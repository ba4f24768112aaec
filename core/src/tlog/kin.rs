//! What one's own devices vouch for: which acts in one's name are to be told to a person, and which are an alarm (design 4).
//!
//! | act in this user's name | to a device that reads it |
//! | --- | --- |
//! | what this device did itself; a device that one of theirs has endorsed | nothing new |
//! | a recovery key that another device of theirs has made; a device by the user's newest recovery key | to be told: a paper can be read by others |
//! | that another device of theirs has taken one back; the revocations that follow are nothing new | to be told |
//! | anything else: also by a key or device that no longer counts, and a revocation that none of theirs asked for | an alarm |

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::leaf::{Basis, Certified, Endorsement, Leaf, ReasonCode};
use crate::id::{DeviceLabel, DeviceName, KeyId, Realm, UserName};
use crate::limits::DEVICES_PER_USER_MAX;

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

/// What an act of the log is to a device of the person in whose name it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Nothing that its person does not know.
    Known,
    /// One of their own keys vouches for it, and they are told.
    Told,
    /// None of their devices has asked for it.
    Strange,
}

/// The devices of one's own user that one's own device has reason to take for theirs: those before it in its row, and those
/// that one of them, or their recovery key, has vouched for since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kin {
    devices: BTreeMap<KeyId, DeviceLabel>,
    /// The newest recovery key that one of them has made.
    recovery: Option<KeyId>,
    /// Whether this device's own first entry was read: what stands before it, its person knew when it became theirs.
    is_born: bool,
    /// Those that one of them has taken back: a name is given once.
    withdrawn: BTreeSet<DeviceLabel>,
}

/// The kin of a reading that was kept when devices were taken back by the operator alone.
#[derive(Deserialize)]
pub(super) struct KinWithoutWithdrawals {
    devices: BTreeMap<KeyId, DeviceLabel>,
    recovery: Option<KeyId>,
    is_born: bool,
}

impl From<KinWithoutWithdrawals> for Kin {
    fn from(KinWithoutWithdrawals { devices, recovery, is_born }: KinWithoutWithdrawals) -> Self {
        Self { devices, recovery, is_born, withdrawn: BTreeSet::new() }
    }
}

impl Kin {
    /// The kin that a device knows by its own row.
    pub fn of<'a>(row: impl IntoIterator<Item = &'a Leaf>) -> Self {
        let certified = row.into_iter().filter_map(Leaf::certified);
        let devices = certified.map(|certified| (certified.key, certified.name.device.clone())).collect();
        Self { devices, ..Self::default() }
    }

    /// The kin of a reading that was kept when there were no recovery keys.
    pub(super) fn without_recovery(devices: BTreeMap<KeyId, DeviceLabel>) -> Self {
        Self { devices, is_born: true, ..Self::default() }
    }

    /// Takes an act of the log in: what it is to this device.
    pub fn hear(&mut self, leaf: &Leaf, own: Owner<'_>) -> Heard {
        if leaf.about() != Some(&own.name.user) {
            return Heard::Known;
        }
        match leaf {
            Leaf::DeviceCertificate(certified) => self.certified(certified, own),
            Leaf::RecoveryKey { user, key, endorsement, .. } => self.armed(user, key.id(), endorsement, own),
            Leaf::Revocation { name, .. } => {
                // What it vouches for from here on, nobody has asked for.
                self.devices.retain(|_, device| *device != name.device);
                // Those of their devices that were there have heard of it.
                if self.is_born && !self.withdrawn.contains(&name.device) { Heard::Strange } else { Heard::Known }
            }
            Leaf::Withdrawal { name, reason, endorsement, .. } => self.withdrawal(name, *reason, endorsement, own),
            Leaf::IssuingCa { .. }
            | Leaf::RelayCertificate { .. }
            | Leaf::Rotation { .. }
            | Leaf::Generation { .. } => Heard::Known,
        }
    }

    /// Whether the log's row of this device can be kept.
    pub fn fits(&self) -> bool {
        self.devices.len() <= DEVICES_PER_USER_MAX && self.withdrawn.len() <= DEVICES_PER_USER_MAX
    }

    fn certified(&mut self, certified: &Certified, own: Owner<'_>) -> Heard {
        let Certified { name, key, basis, .. } = certified;
        if self.is_kin(*key, &name.device, own) {
            self.is_born |= *key == own.key;
            return Heard::Known;
        }
        let (vouched, heard) = match basis {
            Basis::Endorsed(word) => {
                (self.is_kin(word.key.id(), &word.by, own) && word.holds(own.realm, name, *key), Heard::Known)
            }
            Basis::Recovered(word) => {
                (self.recovery == Some(word.key.id()) && word.holds(own.realm, name, *key), Heard::Told)
            }
            Basis::FirstDevice | Basis::Renewed | Basis::MadeElsewhere | Basis::Reissue => (false, Heard::Strange),
        };
        if !vouched || self.devices.len() >= DEVICES_PER_USER_MAX {
            return Heard::Strange;
        }
        self.devices.insert(*key, name.device.clone());
        if self.is_born { heard } else { Heard::Known }
    }

    fn armed(&mut self, user: &UserName, key: KeyId, word: &Endorsement, own: Owner<'_>) -> Heard {
        if !self.is_kin(word.key.id(), &word.by, own) || !word.arms(own.realm, user, key) {
            return Heard::Strange;
        }
        self.recovery = Some(key);
        if self.is_born && word.key.id() != own.key { Heard::Told } else { Heard::Known }
    }

    /// Also where it is the device itself: its own revocations, which follow, take its word away.
    fn withdrawal(&mut self, name: &DeviceName, reason: ReasonCode, word: &Endorsement, own: Owner<'_>) -> Heard {
        let vouched =
            self.is_kin(word.key.id(), &word.by, own) && word.withdraws(own.realm, name, reason) && self.has_room(name);
        if !vouched {
            return Heard::Strange;
        }
        self.withdrawn.insert(name.device.clone());
        if self.is_born && word.key.id() != own.key { Heard::Told } else { Heard::Known }
    }

    fn has_room(&self, name: &DeviceName) -> bool {
        self.withdrawn.len() < DEVICES_PER_USER_MAX || self.withdrawn.contains(&name.device)
    }

    fn is_kin(&self, key: KeyId, device: &DeviceLabel, own: Owner<'_>) -> bool {
        let is_own = key == own.key && *device == own.name.device;
        is_own || self.devices.get(&key) == Some(device)
    }
}

#[cfg(test)]
mod tests;
