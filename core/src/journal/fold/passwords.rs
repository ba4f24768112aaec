//! Whom a password admits (rules 4): a first device by itself, a further one together with the word of another.
//!
//! Whether a password was right can't be folded: it is nowhere in the journal. The CA says so by the record that it proposes
//! (`ca/sign_up.rs`), as it says of a request that it was in order. The numbered checks PW-01 to PW-03 stand in the table at
//! the head of `fold.rs`.

use super::endorsed::{depth, has_room};
use super::{EnrolRefusal, JournalFault, Outcome, free, open};
use crate::id::{DeviceName, KeyId, Serial};
use crate::invite::TokenHash;
use crate::journal::state::State;
use crate::password::Verifier;
use crate::pki::Grant;
use crate::tlog::{Basis, Endorsement};

/// Somebody new takes a name, with a password. The first in the journal has it.
pub(super) fn signed_up_v4(state: &mut State, grant: Grant, password: Verifier) -> Outcome {
    if grant.token != TokenHash::of_password(&grant.name.user) {
        return Outcome::Contradicts(JournalFault::NoSignUp);
    }
    if let Some(serial) = signed_before(state, &grant.name, grant.key.id()) {
        return Outcome::GrantedBefore(serial);
    }
    if let Err(refusal) = free(state, &grant.name, grant.key.id()) {
        return Outcome::Refused(refusal);
    }
    if state.grants.contains_key(&grant.serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    state.passwords.insert(grant.name.user.clone(), password);
    open(state, grant, Basis::FirstDevice, 0)
}

/// A further device is granted its certificate, by its user's password and the word of another one.
pub(super) fn signed_in_v4(state: &mut State, grant: Grant, endorsement: Endorsement) -> Outcome {
    if grant.token != TokenHash::of_password(&grant.name.user) {
        return Outcome::Contradicts(JournalFault::NoSignUp);
    }
    if let Some(serial) = signed_before(state, &grant.name, grant.key.id()) {
        return Outcome::GrantedBefore(serial);
    }
    let room = has_password(state, &grant.name).and_then(|()| has_room(state, &grant.name, grant.key.id()));
    let depth = match room.and_then(|()| depth(state, &grant, &endorsement)) {
        Ok(depth) => depth,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    if state.grants.contains_key(&grant.serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    open(state, grant, Basis::Endorsed(endorsement), depth)
}

/// A person's password is another one from now on.
pub(super) fn set_v4(state: &mut State, by: &DeviceName, password: Verifier) -> Outcome {
    if state.device(by).is_none() || state.revoked(by).is_some() {
        return Outcome::Contradicts(JournalFault::NoDevice);
    }
    if state.passwords.get(&by.user) == Some(&password) {
        return Outcome::LoggedBefore;
    }
    state.passwords.insert(by.user.clone(), password);
    Outcome::PasswordSet(by.user.clone())
}

/// The first certificate of this very device, if it has one by its user's password: so an answer that was lost costs nothing.
pub fn signed_before(state: &State, name: &DeviceName, key: KeyId) -> Option<Serial> {
    let device = state.device(name).filter(|device| device.key == key)?;
    let grant = &state.grants.get(&device.origin)?.grant;
    (grant.token == TokenHash::of_password(&name.user)).then_some(device.origin)
}

/// PW-02.
pub(super) fn has_password(state: &State, name: &DeviceName) -> Result<(), EnrolRefusal> {
    if state.passwords.contains_key(&name.user) { Ok(()) } else { Err(EnrolRefusal::PasswordWrong) }
}

#[cfg(test)]
mod tests;
