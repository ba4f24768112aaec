//! Further devices of a person (rules 3): who may have one, by whose word, and how long a row of words may grow.
//!
//! The numbered checks EN-01 to EN-05 stand in the table at the head of `fold.rs`.

use super::passwords::has_password;
use super::{EnrolRefusal, JournalFault, Outcome, granted_before, is_admitted, open};
use crate::id::{DeviceName, KeyId};
use crate::invite::TokenHash;
use crate::journal::state::State;
use crate::limits::{DEVICES_PER_USER_MAX, LIVING_PER_USER_MAX};
use crate::pki::Grant;
use crate::time::Wall;
use crate::tlog::{Basis, Endorsement};

/// Devices of one person that the directory has, the revoked ones too, by the rules of version 3.
const DEVICES_MAX_V3: usize = 16;

/// Of the names that a person may have had, those that are kept for their coming back.
const KEPT_FOR_RETURN_V4: usize = 16;

/// How many endorsements lie between a person's newest device and their first one at most: whoever meets the newest has
/// to see the whole row.
pub(super) const ENDORSEMENTS_MAX_V3: u8 = 7;

/// A further device is granted its certificate, by the word of another one.
pub(super) fn endorsed(state: &mut State, rules: u8, grant: Grant, endorsement: Endorsement) -> Outcome {
    if let Err(refusal) = is_admitted(state, &grant.token, &grant.name, grant.at) {
        return match granted_before(state, &grant.token, &grant.name, grant.key.id()) {
            Some(serial) => Outcome::GrantedBefore(serial),
            None => Outcome::Refused(refusal),
        };
    }
    let has_room = if rules < 4 { has_room_v3 } else { has_room };
    if let Err(refusal) = has_room(state, &grant.name, grant.key.id()) {
        return Outcome::Refused(refusal);
    }
    let depth = match depth(state, &grant, &endorsement) {
        Ok(depth) => depth,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    if state.grants.contains_key(&grant.serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    open(state, grant, Basis::Endorsed(endorsement), depth)
}

/// Whether somebody who is there already could have a further device of this name and key, if one of theirs vouches for it.
pub fn may_wait(state: &State, token: &TokenHash, name: &DeviceName, key: KeyId, at: Wall) -> Result<(), EnrolRefusal> {
    if *token == TokenHash::of_password(&name.user) {
        has_password(state, name)?;
    } else {
        is_admitted(state, token, name, at)?;
    }
    has_room(state, name, key)
}

/// Whether the directory has room for this further device, by the rules of version 4: a person has so many that were not
/// revoked, and of those that were the names stay taken.
pub(super) fn has_room(state: &State, name: &DeviceName, key: KeyId) -> Result<(), EnrolRefusal> {
    has_place(state, name, key)?;
    let devices = &state.users.get(&name.user).ok_or(EnrolRefusal::NotEndorsed)?.devices;
    let living = devices.values().filter(|device| device.revoked.is_none()).count();
    let is_full = living >= LIVING_PER_USER_MAX || devices.len() >= DEVICES_PER_USER_MAX - KEPT_FOR_RETURN_V4;
    if is_full { Err(EnrolRefusal::DevicesFull) } else { Ok(()) }
}

/// The same of whoever comes back by the recovery code, or by the operator's word: however many a thief has had endorsed,
/// there are places left for them.
pub(super) fn comes_back(state: &State, name: &DeviceName, key: KeyId) -> Result<(), EnrolRefusal> {
    has_place(state, name, key)?;
    let devices = &state.users.get(&name.user).ok_or(EnrolRefusal::NotEndorsed)?.devices;
    if devices.len() >= DEVICES_PER_USER_MAX { Err(EnrolRefusal::DevicesFull) } else { Ok(()) }
}

fn has_room_v3(state: &State, name: &DeviceName, key: KeyId) -> Result<(), EnrolRefusal> {
    has_place(state, name, key)?;
    // The first device of a person is admitted by the invite alone.
    let user = state.users.get(&name.user).ok_or(EnrolRefusal::NotEndorsed)?;
    if user.devices.len() >= DEVICES_MAX_V3 { Err(EnrolRefusal::DevicesFull) } else { Ok(()) }
}

/// EN-01 and that nobody has the key.
fn has_place(state: &State, name: &DeviceName, key: KeyId) -> Result<(), EnrolRefusal> {
    if state.device(name).is_some() {
        return Err(EnrolRefusal::DeviceTaken);
    }
    if state.keys.contains_key(&key) {
        return Err(EnrolRefusal::KeyTaken);
    }
    Ok(())
}

/// How many endorsements lie between this device and its user's first one.
pub(super) fn depth(state: &State, grant: &Grant, endorsement: &Endorsement) -> Result<u8, EnrolRefusal> {
    let by = DeviceName { user: grant.name.user.clone(), device: endorsement.by.clone() };
    // What was revoked has no word any more.
    let endorsing = state.device(&by).filter(|_| state.revoked(&by).is_none());
    let endorsing = endorsing.filter(|device| device.key == endorsement.key.id());
    let (Some(endorsing), Some(realm)) = (endorsing, state.realm.as_ref()) else {
        return Err(EnrolRefusal::NotEndorsed);
    };
    if !endorsement.holds(&realm.realm, &grant.name, grant.key.id()) {
        return Err(EnrolRefusal::NotEndorsed);
    }
    match endorsing.depth.checked_add(1).filter(|depth| *depth <= ENDORSEMENTS_MAX_V3) {
        Some(depth) => Ok(depth),
        None => Err(EnrolRefusal::EndorsementsTooMany),
    }
}

#[cfg(test)]
mod tests;
