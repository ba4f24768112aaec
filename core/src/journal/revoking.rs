//! Which devices the fold takes back, and which revocation lists it takes down: RV-01 to RV-08 of `fold.rs`, rules 3 and 4.
//!
//! A device is revoked for ever, and with it every certificate that it has: the log gets a leaf for each that has not ended
//! by then, since each is one that somebody may still be shown; for a device that has only old ones, one leaf for the newest,
//! so that the log tells of every revocation. A certificate that was granted before and is signed after it is revoked as it
//! is issued.

use std::fmt;

use super::fold::{JournalFault, Outcome};
use super::state::{ListPlace, Progress, Revocation, Revoked, State};
use crate::id::{DeviceName, Serial};
use crate::limits::LIST_KEPT;
use crate::pki::crl::ListFacts;
use crate::time::Wall;
use crate::tlog::{Endorsement, Leaf, ReasonCode};
use crate::wire::Code;

/// Revoked certificates on all lists together, by the rules of version 3.
pub(super) const REVOKED_MAX_V3: usize = 400;
/// The reasons for which a device may be revoked, by their numbers in RFC 5280 §5.3.1. The others are about CAs, about
/// attributes, or take a revocation back, which nothing does here.
const REASONS_V3: [u8; 6] = [0, 1, 3, 4, 5, 9];

/// Why a device is not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevokeRefusal {
    /// RV-01.
    UnknownDevice,
    /// RV-02.
    Before,
    /// RV-03.
    LastDevice,
    /// RV-04.
    Reason,
    /// RV-05.
    ListsFull,
    /// RV-08.
    NotTheirs,
}

impl RevokeRefusal {
    /// What the user's device is told that has asked.
    pub fn code(self) -> Code {
        match self {
            Self::UnknownDevice => Code::NO_SUCH_DEVICE,
            Self::Before => Code::REVOKED_BEFORE,
            Self::LastDevice => Code::LAST_DEVICE,
            Self::Reason | Self::NotTheirs => Code::WITHDRAWAL_REFUSED,
            Self::ListsFull => Code::REVOKED_TOO_MANY,
        }
    }
}

impl fmt::Display for RevokeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownDevice => "there is no such device: server devices lists them",
            Self::Before => "that device was revoked before, and nothing takes that back",
            Self::LastDevice => {
                "that is the user's last device, and no recovery code brings them back: say --force if it has to go"
            }
            Self::Reason => "that is no reason for which a device is revoked",
            Self::ListsFull => {
                "the lists of revoked certificates are full: revoke it when some of those on them have expired, and until \
                 then let nobody trust the device"
            }
            Self::NotTheirs => "that was not asked for by a device of the same user that made its own key",
        })
    }
}

/// Whether a device may be revoked. Asked before a record is proposed, and again, for good, by the fold.
pub fn may_revoke(
    state: &State,
    name: &DeviceName,
    reason: ReasonCode,
    force: bool,
    at: Wall,
) -> Result<(), RevokeRefusal> {
    is_revocable(state, name, reason, force)?;
    has_room(state, name, at)
}

/// All that is asked but for room on the lists: RV-01 to RV-04.
fn is_revocable(state: &State, name: &DeviceName, reason: ReasonCode, force: bool) -> Result<(), RevokeRefusal> {
    let user = state.users.get(&name.user).ok_or(RevokeRefusal::UnknownDevice)?;
    let device = user.devices.get(&name.device).ok_or(RevokeRefusal::UnknownDevice)?;
    if device.revoked.is_some() {
        return Err(RevokeRefusal::Before);
    }
    let left = user.devices.values().filter(|device| device.revoked.is_none()).count();
    // Whoever has a recovery code can come back without a device.
    if left <= 1 && !force && user.recoveries.newest().is_none() {
        return Err(RevokeRefusal::LastDevice);
    }
    if !REASONS_V3.contains(&reason.code()) {
        return Err(RevokeRefusal::Reason);
    }
    Ok(())
}

/// RV-05, of one.
fn has_room(state: &State, name: &DeviceName, at: Wall) -> Result<(), RevokeRefusal> {
    if have_room(state, std::slice::from_ref(name), at) { Ok(()) } else { Err(RevokeRefusal::ListsFull) }
}

/// Whether the lists have room for what these devices have, all together (RV-05).
pub fn have_room(state: &State, names: &[DeviceName], at: Wall) -> bool {
    let listed = |name| certificates(state, name).filter(|(_, progress)| is_listed(progress, at)).count();
    state.revocations(at).count() + names.iter().map(listed).sum::<usize>() <= REVOKED_MAX_V3
}

/// The same for somebody who asks for a device of their own (RV-08).
pub fn may_withdraw(
    state: &State,
    name: &DeviceName,
    revoked: Revoked,
    force: bool,
    word: &Endorsement,
) -> Result<(), RevokeRefusal> {
    let by = DeviceName { user: name.user.clone(), device: word.by.clone() };
    let known = state.device(&by).filter(|device| device.key == word.key.id() && device.revoked.is_none());
    let (Some(_), Some(realm)) = (known, state.realm.as_ref()) else { return Err(RevokeRefusal::NotTheirs) };
    is_revocable(state, name, revoked.reason, force)?;
    // After what costs no more than a look, and before the lists' room, for which all that was ever granted is looked at.
    if !word.withdraws(&realm.realm, name, revoked.reason) {
        return Err(RevokeRefusal::NotTheirs);
    }
    has_room(state, name, revoked.at)
}

/// Somebody takes back a device of their own: the log says so first, by whose word, and then as of any other.
pub(super) fn withdrawn_v4(
    state: &mut State,
    name: &DeviceName,
    revoked: Revoked,
    force: bool,
    endorsement: Endorsement,
) -> Outcome {
    if let Err(refusal) = may_withdraw(state, name, revoked, force, &endorsement) {
        return Outcome::NotRevoked(refusal);
    }
    let Revoked { reason, at } = revoked;
    state.log.other(Leaf::Withdrawal { name: name.clone(), reason, endorsement, at });
    device_v3(state, name, revoked, force)
}

pub(super) fn device_v3(state: &mut State, name: &DeviceName, revoked: Revoked, force: bool) -> Outcome {
    let Revoked { reason, at } = revoked;
    if let Err(refusal) = may_revoke(state, name, reason, force, at) {
        return Outcome::NotRevoked(refusal);
    }
    let issued: Vec<(Serial, Revocation, bool)> = certificates(state, name)
        .filter_map(|(serial, progress)| Some((serial, revocation(progress, revoked)?, progress.grant.not_after >= at)))
        .collect();
    let newest = state.device(name).map(|device| device.serial);
    let none_lives = !issued.iter().any(|(_, _, lives)| *lives);
    for (serial, revocation, lives) in issued {
        if lives || (none_lives && Some(serial) == newest) {
            state.log.other(Leaf::Revocation { name: name.clone(), serial, reason, at });
        }
        state.revocations.insert(serial, revocation);
    }
    let device = state.users.get_mut(&name.user).and_then(|user| user.devices.get_mut(&name.device));
    if let Some(device) = device {
        device.revoked = Some(revoked);
    }
    state.conversations.revoked(name);
    Outcome::DeviceRevoked(name.clone())
}

/// A certificate has just been issued: where its device was revoked meanwhile, so is it.
pub(super) fn issued_v3(state: &mut State, serial: Serial) {
    let Some(progress) = state.grants.get(&serial) else { return };
    let name = progress.grant.name.clone();
    let Some(revoked) = state.revoked(&name).copied() else { return };
    let Some(revocation) = revocation(progress, revoked) else { return };
    state.log.other(Leaf::Revocation { name, serial, reason: revoked.reason, at: revoked.at });
    state.revocations.insert(serial, revocation);
}

pub(super) fn list_v3(state: &mut State, der: &[u8]) -> Outcome {
    let Some(facts) = ListFacts::read(der) else {
        return Outcome::Contradicts(JournalFault::NoList);
    };
    let ListFacts { issuer, number, this_update, next_update } = facts;
    if state.lists.get(&issuer).is_some_and(|before| before.number >= number) {
        return Outcome::Contradicts(JournalFault::ListOlder);
    }
    state.lists.insert(issuer, ListPlace { n: state.position.n, number, this_update, next_update });
    Outcome::CrlSigned(number)
}

/// What was granted to a device, the oldest serial first.
pub(super) fn certificates<'a>(state: &'a State, name: &'a DeviceName) -> impl Iterator<Item = (Serial, &'a Progress)> {
    let of_device = state.grants.iter().filter(move |(_, progress)| progress.grant.name == *name);
    of_device.map(|(serial, progress)| (*serial, progress))
}

fn is_listed(progress: &Progress, at: Wall) -> bool {
    progress.grant.not_after.plus(LIST_KEPT) >= at
}

fn revocation(progress: &Progress, revoked: Revoked) -> Option<Revocation> {
    let issuer = progress.issued?.issuer;
    Some(Revocation { revoked, issuer, not_after: progress.grant.not_after })
}
