//! Reissues (rules 4): the operator lets a person in again who has neither a device nor their recovery code left.
//!
//! What comes of one is a new identity under the old name: the log says so, and everybody is shown that the person has
//! changed. The numbered checks RI-01 to RI-03 stand in the table at the head of `fold.rs`.

use super::endorsed::comes_back;
use super::{EnrolRefusal, JournalFault, Outcome, granted_before, is_admitted, open};
use crate::id::{DeviceName, KeyId, UserName};
use crate::invite::TokenHash;
use crate::journal::revoking;
use crate::journal::state::{Invite, Revoked, State};
use crate::pki::Grant;
use crate::time::Wall;
use crate::tlog::{Basis, ReasonCode};

/// Why the devices from before are revoked: superseded (RFC 5280 §5.3.1).
const SUPERSEDED_V4: u8 = 4;

/// The operator's word is written down. It is an invite for this user, and more.
pub(super) fn created_v4(
    state: &mut State,
    token: TokenHash,
    (user, keep): (UserName, bool),
    expires: Wall,
) -> Outcome {
    if !state.users.contains_key(&user) {
        return Outcome::Refused(EnrolRefusal::NotReissued);
    }
    if state.invites.contains_key(&token) {
        return Outcome::Contradicts(JournalFault::InviteTwice);
    }
    state.invites.insert(token, Invite { user: Some(user), expires, used: None });
    state.reissues.insert(token, keep);
    Outcome::Invited
}

/// Whether a device of this name and key could have a certificate by this reissue. Asked before a record is proposed, and
/// again, for good, by the fold.
pub fn may_reissue(
    state: &State,
    token: &TokenHash,
    name: &DeviceName,
    key: KeyId,
    at: Wall,
) -> Result<(), EnrolRefusal> {
    is_admitted(state, token, name, at)?;
    let keep = state.reissues.get(token).ok_or(EnrolRefusal::NotReissued)?;
    comes_back(state, name, key)?;
    if *keep || revoking::have_room(state, &living(state, &name.user), at) {
        Ok(())
    } else {
        Err(EnrolRefusal::ListsFull)
    }
}

/// A device is granted its certificate by the operator's word alone, and takes the place of those from before.
pub(super) fn reissued_v4(state: &mut State, grant: Grant) -> Outcome {
    let (key, at) = (grant.key.id(), grant.at);
    if let Some(serial) = granted_before(state, &grant.token, &grant.name, key) {
        return Outcome::GrantedBefore(serial);
    }
    if let Err(refusal) = may_reissue(state, &grant.token, &grant.name, key, at) {
        return Outcome::Refused(refusal);
    }
    if state.grants.contains_key(&grant.serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    let keep = state.reissues.get(&grant.token).copied().unwrap_or_default();
    let before = if keep { Vec::new() } else { living(state, &grant.name.user) };
    // Whoever has the old code has the old identity.
    if let Some(account) = state.users.get_mut(&grant.name.user) {
        account.recoveries.disarm();
    }
    let serial = grant.serial;
    let granted = open(state, grant, Basis::Reissue, 0);
    let Some(reason) = ReasonCode::new(SUPERSEDED_V4) else { return granted };
    for name in &before {
        revoking::device_v3(state, name, Revoked { reason, at }, true);
    }
    Outcome::Reissued(serial, before)
}

/// The devices of a user that were not revoked.
fn living(state: &State, user: &UserName) -> Vec<DeviceName> {
    let account = state.users.get(user);
    let living =
        account.into_iter().flat_map(|account| &account.devices).filter(|(_, device)| device.revoked.is_none());
    living.map(|(label, _)| DeviceName { user: user.clone(), device: label.clone() }).collect()
}

#[cfg(test)]
mod tests;
