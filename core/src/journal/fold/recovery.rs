//! Recovery keys (rules 4): whose word makes one, which one counts, and the device that comes by it.
//!
//! The numbered checks RC-01 to RC-07 stand in the table at the head of `fold.rs`. A key counts until a newer one takes its
//! place or its user is reissued, whatever becomes of the device that made it: it is for the day when that one is gone.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::endorsed::{ENDORSEMENTS_MAX_V3, comes_back};
use super::{EnrolRefusal, JournalFault, Outcome, granted_before, is_admitted, open};
use crate::id::{DeviceLabel, DeviceName, KeyId, UserName};
use crate::invite::TokenHash;
use crate::journal::state::State;
use crate::pki::{Grant, Spki};
use crate::time::Wall;
use crate::tlog::{Basis, Endorsement, Leaf, RecoveryWord};
use crate::wire::Code;

/// Recovery keys that a person may make in [`SPAN_V4`], by the rules of version 4: each is an entry of the log.
pub(super) const KEYS_IN_SPAN_V4: usize = 8;
/// A day.
const SPAN_V4: Duration = Duration::from_secs(24 * 60 * 60);

/// The recovery keys that a person has made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recoveries {
    /// All of them, the oldest first: rows lead through those that were used.
    keys: Vec<Armed>,
    /// Whether the last one counts.
    is_armed: bool,
}

/// A recovery key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// The key.
    pub key: KeyId,
    /// The device that made it.
    pub by: DeviceLabel,
    /// Its place in the log.
    pub leaf: u64,
    /// Since when.
    pub at: Wall,
}

impl Recoveries {
    /// The one that counts.
    pub fn newest(&self) -> Option<&Armed> {
        self.keys.last().filter(|_| self.is_armed)
    }

    /// The one of this name, whether it still counts or not.
    pub fn of(&self, key: KeyId) -> Option<&Armed> {
        self.keys.iter().find(|armed| armed.key == key)
    }

    /// None counts from here on.
    pub(super) fn disarm(&mut self) {
        self.is_armed = false;
    }
}

/// Why a recovery key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecoveryRefusal {
    /// RC-01.
    NoDevice,
    /// RC-02.
    Word,
    /// RC-03.
    KeyTaken,
    /// RC-04.
    TooOften,
    /// RC-05.
    TooDeep,
}

impl RecoveryRefusal {
    /// What the device is told.
    pub fn code(self) -> Code {
        match self {
            Self::NoDevice | Self::Word => Code::RECOVERY_REFUSED,
            Self::KeyTaken => Code::KEY_TAKEN,
            Self::TooOften => Code::RECOVERY_TOO_OFTEN,
            Self::TooDeep => Code::ENDORSEMENTS_TOO_MANY,
        }
    }
}

impl fmt::Display for RecoveryRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

/// Whether a device of this user may make this key their recovery key. Asked before a record is proposed, and again, for
/// good, by the fold.
pub fn may_arm(
    state: &State,
    user: &UserName,
    key: &Spki,
    word: &Endorsement,
    at: Wall,
) -> Result<(), RecoveryRefusal> {
    let by = DeviceName { user: user.clone(), device: word.by.clone() };
    let known = state.device(&by).filter(|device| device.key == word.key.id() && device.revoked.is_none());
    let (Some(device), Some(realm), Some(account)) = (known, state.realm.as_ref(), state.users.get(user)) else {
        return Err(RecoveryRefusal::NoDevice);
    };
    if key.ed25519_bytes().is_none() || !word.arms(&realm.realm, user, key.id()) {
        return Err(RecoveryRefusal::Word);
    }
    let keys = &account.recoveries.keys;
    if state.keys.contains_key(&key.id()) || account.recoveries.of(key.id()).is_some() {
        return Err(RecoveryRefusal::KeyTaken);
    }
    let before = keys.len().checked_sub(KEYS_IN_SPAN_V4).and_then(|n| keys.get(n));
    if before.is_some_and(|before| at < before.at.plus(SPAN_V4)) {
        return Err(RecoveryRefusal::TooOften);
    }
    // One that could not be used is better not written down by anybody.
    if device.depth >= ENDORSEMENTS_MAX_V3 { Err(RecoveryRefusal::TooDeep) } else { Ok(()) }
}

/// A device of theirs makes a person's recovery key.
pub(super) fn armed_v4(state: &mut State, user: UserName, key: Spki, endorsement: Endorsement, at: Wall) -> Outcome {
    let newest = state.users.get(&user).and_then(|account| account.recoveries.newest());
    if newest.is_some_and(|armed| armed.key == key.id() && armed.by == endorsement.by) {
        return Outcome::RecoveryArmed(user);
    }
    if let Err(refusal) = may_arm(state, &user, &key, &endorsement, at) {
        return Outcome::NotArmed(refusal);
    }
    let leaf = state.log.tree.size();
    let armed = Armed { key: key.id(), by: endorsement.by.clone(), leaf, at };
    state.log.other(Leaf::RecoveryKey { user: user.clone(), key, endorsement, at });
    if let Some(account) = state.users.get_mut(&user) {
        account.recoveries.keys.push(armed);
        account.recoveries.is_armed = true;
    }
    Outcome::RecoveryArmed(user)
}

/// Whether somebody who is there already could have a device of this name and key by this word of their recovery key. Asked
/// before a record is proposed.
pub fn may_recover(
    state: &State,
    token: &TokenHash,
    name: &DeviceName,
    key: KeyId,
    word: &RecoveryWord,
    at: Wall,
) -> Result<(), EnrolRefusal> {
    is_admitted(state, token, name, at)?;
    comes_back(state, name, key)?;
    depth(state, name, key, word).map(drop)
}

/// A device is granted its certificate by the word of its user's recovery key.
pub(super) fn recovered_v4(state: &mut State, grant: Grant, word: RecoveryWord) -> Outcome {
    let key = grant.key.id();
    if let Err(refusal) = is_admitted(state, &grant.token, &grant.name, grant.at) {
        return match granted_before(state, &grant.token, &grant.name, key) {
            Some(serial) => Outcome::GrantedBefore(serial),
            None => Outcome::Refused(refusal),
        };
    }
    if let Err(refusal) = comes_back(state, &grant.name, key) {
        return Outcome::Refused(refusal);
    }
    let depth = match depth(state, &grant.name, key, &word) {
        Ok(depth) => depth,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    if state.grants.contains_key(&grant.serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    open(state, grant, Basis::Recovered(word), depth)
}

/// How many devices lie between this one and its user's first one: the row has the recovery keys between them besides.
fn depth(state: &State, name: &DeviceName, key: KeyId, word: &RecoveryWord) -> Result<u8, EnrolRefusal> {
    let account = state.users.get(&name.user).ok_or(EnrolRefusal::NotRecovered)?;
    let newest = account.recoveries.newest().filter(|armed| armed.key == word.key.id());
    let by = newest.and_then(|armed| account.devices.get(&armed.by));
    let (Some(by), Some(realm)) = (by, state.realm.as_ref()) else { return Err(EnrolRefusal::NotRecovered) };
    if !word.holds(&realm.realm, name, key) {
        return Err(EnrolRefusal::NotRecovered);
    }
    by.depth.checked_add(1).filter(|depth| *depth <= ENDORSEMENTS_MAX_V3).ok_or(EnrolRefusal::EndorsementsTooMany)
}

#[cfg(test)]
mod tests;
