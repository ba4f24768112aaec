//! The forgeries of members' certificates, each tried at every door that asks a member for one.
//!
//! All are for Mallory's own name and key unless they say otherwise, and one thing about each is wrong.

mod contents;
mod issuers;
mod names;

use countersign_core::device::calls::DirectEnd;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::tls::CertRefusal;

use super::mint::Mint;
use super::villain::{Heard, Shown};
use super::{Act, Door, Forgery, Reason, Verdict};

/// TLS alerts (RFC 8446 §6.2).
pub(super) const BAD_CERTIFICATE: u8 = 42;
pub(super) const UNSUPPORTED_CERTIFICATE: u8 = 43;
pub(super) const CERTIFICATE_EXPIRED: u8 = 45;
pub(super) const CERTIFICATE_UNKNOWN: u8 = 46;
pub(super) const UNKNOWN_CA: u8 = 48;
pub(super) const DECRYPT_ERROR: u8 = 51;
pub(super) const CERTIFICATE_REQUIRED: u8 = 116;

/// The doors that ask a member for a certificate.
const ALL: [Door; 5] = [Door::Relay, Door::Caller, Door::Callee, Door::Port, Door::Dialler];

/// A certificate that is refused, with the alert that says so.
pub(super) fn refused(refusal: CertRefusal, alert: u8) -> Verdict {
    Verdict { reason: Reason::Fault(Fault::Certificate(refusal)), heard: Heard::Alert(alert) }
}

/// The same at a door: one that listens goes on with that, and one that dials goes on in the tunnel.
fn refused_at(door: Door, refusal: CertRefusal, alert: u8) -> Verdict {
    let verdict = refused(refusal, alert);
    let reason = match door {
        Door::Port => Reason::Unmoved,
        Door::Dialler => Reason::Tunnelled(DirectEnd::Failed(CloseReason::Fault(Fault::Certificate(refusal)))),
        Door::Relay | Door::Desk | Door::Ca | Door::Newcomer | Door::Device | Door::Caller | Door::Callee => {
            verdict.reason
        }
    };
    Verdict { reason, ..verdict }
}

/// Passed, and heard no complaint.
pub(super) const PASSED: Verdict = Verdict { reason: Reason::Passed, heard: Heard::Nothing };

/// The honest certificate.
pub(super) fn control() -> Forgery {
    Forgery {
        name: "honest-certificate",
        what: "the certificate that the genuine CA made and the log has, with its own key",
        checks: &[],
        tries: ALL.map(|door| (door, PASSED)).to_vec(),
        act: Act::Shows(|mint| mint.own.clone()),
    }
}

/// One that is refused alike at every door.
fn forged(
    name: &'static str,
    what: &'static str,
    checks: &'static [&'static str],
    (refusal, alert): (CertRefusal, u8),
    mint: fn(&mut Mint<'_>) -> Option<Shown>,
) -> Forgery {
    let tries = ALL.map(|door| (door, refused_at(door, refusal, alert))).to_vec();
    Forgery { name, what, checks, tries, act: Act::Shows(mint) }
}

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = issuers::forgeries();
    all.extend(contents::forgeries());
    all.extend(names::forgeries());
    all
}
