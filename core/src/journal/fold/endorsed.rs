//! Further devices of a person (rules 3): who may have one, by whose word, and how long a row of words may grow.
//!
//! The numbered checks EN-01 to EN-05 stand in the table at the head of `fold.rs`.

use super::passwords::has_password;
use super::{EnrolRefusal, JournalFault, Outcome, granted_before, is_admitted, open};
use crate::id::{DeviceName, KeyId};
use crate::invite::TokenHash;
use crate::journal::state::State;
use crate::pki::Grant;
use crate::time::Wall;
use crate::tlog::{Basis, Endorsement};

/// Devices of one person that the directory has, by the rules of version 3.
pub(super) const DEVICES_MAX_V3: usize = 16;

/// How many endorsements lie between a person's newest device and their first one at most: whoever meets the newest has
/// to see the whole row.
pub(super) const ENDORSEMENTS_MAX_V3: u8 = 7;

/// A further device is granted its certificate, by the word of another one.
pub(super) fn endorsed_v3(state: &mut State, grant: Grant, endorsement: Endorsement) -> Outcome {
    if let Err(refusal) = is_admitted(state, &grant.token, &grant.name, grant.at) {
        return match granted_before(state, &grant.token, &grant.name, grant.key.id()) {
            Some(serial) => Outcome::GrantedBefore(serial),
            None => Outcome::Refused(refusal),
        };
    }
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

pub(super) fn has_room(state: &State, name: &DeviceName, key: KeyId) -> Result<(), EnrolRefusal> {
    if state.device(name).is_some() {
        return Err(EnrolRefusal::DeviceTaken);
    }
    if state.keys.contains_key(&key) {
        return Err(EnrolRefusal::KeyTaken);
    }
    match state.users.get(&name.user) {
        Some(user) if user.devices.len() >= DEVICES_MAX_V3 => Err(EnrolRefusal::DevicesFull),
        Some(_) => Ok(()),
        // The first device of a person is admitted by the invite alone.
        None => Err(EnrolRefusal::NotEndorsed),
    }
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
