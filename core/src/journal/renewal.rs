//! Whether a device may have another certificate for the same name and key, and what a renewal makes of the state.
//!
//! [`may_renew`] is the one place where this is asked: by the CA before it proposes a record, and again, for good, by the
//! fold. Who asks has proved the device's key already, on whichever door (`ca/renewal.rs`).

use std::fmt;

use super::fold::{JournalFault, Outcome};
use super::revoking::certificates;
use super::state::{Progress, State};
use crate::id::Serial;
use crate::limits::{CERTIFICATES_PER_DEVICE_MAX, RENEWAL_GRACE, RENEWAL_SPACING};
use crate::pki::{Grant, Validity};
use crate::time::Wall;
use crate::tlog::Basis;
use crate::wire::Code;

/// What becomes of a wish for a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// This certificate may be renewed.
    Of(Serial),
    /// The answer is granted already: a certificate that is fresh, or one that is being signed.
    Before(Serial),
}

/// Why a certificate isn't renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RenewRefusal {
    /// RN-01.
    Unknown,
    /// RN-03.
    TooLate,
    /// RN-06.
    Revoked,
}

impl RenewRefusal {
    /// What the device is told.
    pub fn code(self) -> Code {
        match self {
            Self::Unknown => Code::RENEWAL_UNKNOWN,
            Self::TooLate => Code::RENEWAL_TOO_LATE,
            Self::Revoked => Code::REVOKED,
        }
    }
}

impl fmt::Display for RenewRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

/// Whether the device that has this certificate may have one until `until`, asked for at `at`.
///
/// An older certificate of the device stands for its newest: whoever lost the answer has the older one alone.
pub fn may_renew(state: &State, of: Serial, until: Wall, at: Wall) -> Result<Renewal, RenewRefusal> {
    Ok(match may_renew_v3(state, of, until, at)? {
        Renewal::Of(newest) if has_plenty_v4(state, newest, at) => Renewal::Before(newest),
        renewal @ (Renewal::Of(_) | Renewal::Before(_)) => renewal,
    })
}

/// Whether a device has as many certificates that hold as one may have, and the newest will do for now.
fn has_plenty_v4(state: &State, newest: Serial, at: Wall) -> bool {
    let Some(Progress { grant, .. }) = state.progress(newest) else { return false };
    let (from, to) = (grant.not_before, grant.not_after);
    let will_do = (from..from.plus(to.since(from) * 2 / 3)).contains(&at);
    let holding = || certificates(state, &grant.name).filter(|(_, other)| other.grant.not_after >= at);
    will_do && holding().count() >= CERTIFICATES_PER_DEVICE_MAX
}

/// The same by the rules of version 3.
fn may_renew_v3(state: &State, of: Serial, until: Wall, at: Wall) -> Result<Renewal, RenewRefusal> {
    let asked = state.progress(of).filter(|progress| progress.issued.is_some()).ok_or(RenewRefusal::Unknown)?;
    let device = state.device(&asked.grant.name).ok_or(RenewRefusal::Unknown)?;
    if state.revoked(&asked.grant.name).is_some() {
        return Err(RenewRefusal::Revoked);
    }
    let newest = state.progress(device.serial).filter(|progress| progress.issued.is_some());
    let newest = &newest.ok_or(RenewRefusal::Unknown)?.grant;
    if let Some(pending) = pending(state, newest) {
        return Ok(Renewal::Before(pending));
    }
    if at > newest.not_after.plus(RENEWAL_GRACE) {
        return Err(RenewRefusal::TooLate);
    }
    let holds = (newest.not_before..=newest.not_after).contains(&at);
    let is_fresh = at < newest.at.plus(RENEWAL_SPACING);
    if holds && (is_fresh || until <= newest.not_after) {
        return Ok(Renewal::Before(newest.serial));
    }
    Ok(Renewal::Of(newest.serial))
}

/// The renewal of this device that was granted and is not signed yet.
fn pending(state: &State, of: &Grant) -> Option<Serial> {
    let is_of_device = |serial: &Serial| state.progress(*serial).is_some_and(|other| other.grant.name == of.name);
    state.unissued().find(is_of_device)
}

/// Grants a renewal: name, key and token are those of the certificate before.
pub(super) fn renew(state: &mut State, rules: u8, of: Serial, serial: Serial, validity: Validity, at: Wall) -> Outcome {
    let Validity { not_before, not_after } = validity;
    let may_renew = if rules < 4 { may_renew_v3 } else { may_renew };
    match may_renew(state, of, not_after, at) {
        Ok(Renewal::Before(before)) => return Outcome::GrantedBefore(before),
        // An older one may be asked for by the device, but the record names what the state had as the newest.
        Ok(Renewal::Of(newest)) if newest != of => return Outcome::GrantedBefore(newest),
        Ok(Renewal::Of(_)) => {}
        Err(refusal) => return Outcome::NotRenewed(refusal),
    }
    if state.grants.contains_key(&serial) {
        return Outcome::Contradicts(JournalFault::SerialTwice);
    }
    let Some(before) = state.progress(of) else { return Outcome::NotRenewed(RenewRefusal::Unknown) };
    let grant = Grant { serial, not_before, not_after, at, ..before.grant.clone() };
    state.grants.insert(serial, Progress { grant, basis: Basis::Renewed, issued: None });
    state.unissued.insert(serial);
    Outcome::Granted(serial)
}
