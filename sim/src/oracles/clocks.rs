//! Who may be refused by no fault of anybody's, since a clock is wrong or a certificate has lapsed.
//!
//! A device's certificates are judged by its own civil clock (design 4). While that clock is beyond what certificates
//! allow, the device believes nobody, and says so; and after a certificate's lifetime nobody believes the device.

use std::collections::BTreeMap;

use countersign_core::device::Event;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::ConnId;
use countersign_core::limits::{BACKDATING, DEVICE_LIFETIME};
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;

use crate::node::Node;
use crate::story::{Seen, is_direct};

/// How long the news of a refusal may take to the one who was refused, in microseconds.
const NEWS_US: u64 = 60_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// The devices whose clocks were wrong, and until when, if they were mended.
    wrong: BTreeMap<usize, Option<u64>>,
    /// When each device got its certificate.
    enrolled: BTreeMap<usize, u64>,
    /// Whose connections they are.
    conns: BTreeMap<ConnId, usize>,
}

impl Clocks {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) {
        match seen {
            Seen::ClockSet(Node::Device(device), _, true) => drop(self.wrong.insert(*device, None)),
            Seen::ClockSet(Node::Device(device), _, false) => {
                if let Some(until_us) = self.wrong.get_mut(device) {
                    *until_us = until_us.or(Some(at_us));
                }
            }
            Seen::EnrolEnded(who, EnrolResult::Enrolled(_), ..) => {
                self.enrolled.entry(who.program.device).or_insert(at_us);
            }
            Seen::Told(who, Event::Renewed(_)) => drop(self.enrolled.insert(who.program.device, at_us)),
            Seen::Anew(who) => drop(self.enrolled.remove(&who.program.device)),
            Seen::Opened(conn, program) if !is_direct(*conn) => drop(self.conns.insert(*conn, program.device)),
            _ => {}
        }
    }

    /// Whether a device's certificate has lapsed.
    pub(super) fn has_lapsed(&self, device: usize, at_us: u64) -> bool {
        let lifetime = DEVICE_LIFETIME.saturating_sub(BACKDATING);
        let lifetime_us = u64::try_from(lifetime.as_micros()).unwrap_or(u64::MAX);
        self.enrolled.get(&device).is_some_and(|enrolled_us| at_us >= enrolled_us.saturating_add(lifetime_us))
    }

    /// Whether a device's clock is wrong, or was a moment ago.
    pub(super) fn is_wrong(&self, device: usize, at_us: u64) -> bool {
        self.wrong.get(&device).is_some_and(|until_us| until_us.is_none_or(|until_us| at_us <= until_us + NEWS_US))
    }

    /// Whether a device may have met with this end since a clock is wrong, its own or the other's.
    pub(super) fn excuse(&self, device: usize, reason: CloseReason, at_us: u64) -> bool {
        is_about_time(reason) && (self.is_wrong(device, at_us) || self.has_lapsed(device, at_us))
    }

    /// The same of the relay's end of a connection.
    pub(super) fn excuse_relay(&self, conn: ConnId, reason: CloseReason, at_us: u64) -> bool {
        self.conns.get(&conn).is_some_and(|device| self.excuse(*device, reason, at_us))
    }

    /// The same of a call, whose other end nobody knows for certain.
    pub(super) fn excuse_call(&self, reason: CloseReason, at_us: u64) -> bool {
        let devices = self.wrong.keys().chain(self.enrolled.keys());
        devices.copied().any(|device| self.excuse(device, reason, at_us))
    }
}

/// Whether an end is what a wrong clock brings about: a certificate of another time, or the other side's word for it
/// (`certificate_expired`, RFC 8446 §6.2).
fn is_about_time(reason: CloseReason) -> bool {
    matches!(
        reason,
        // By a wrong clock the certificates of the log's key and of the CA whose lists there are, are of another time, too.
        CloseReason::Fault(
            Fault::Certificate(CertRefusal::Expired | CertRefusal::NotYetValid | CertRefusal::ListExpired)
                | Fault::Log
                | Fault::Lists
        ) | CloseReason::Alert(45)
            | CloseReason::Theirs(Code::EXPIRED | Code::RENEWAL_TOO_LATE)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_YET: CloseReason = CloseReason::Fault(Fault::Certificate(CertRefusal::NotYetValid));

    #[test]
    fn a_wrong_clock_excuses_its_own_device_alone_and_only_what_it_brings_about() {
        let mut clocks = Clocks::default();
        clocks.see(5, &Seen::ClockSet(Node::Device(1), -1_000, true));
        assert!(clocks.excuse(1, NOT_YET, 6) && clocks.excuse_call(NOT_YET, 6));
        assert!(!clocks.excuse(0, NOT_YET, 6));
        assert!(!clocks.excuse(1, CloseReason::Fault(Fault::BadRecord), 6));
        clocks.see(7, &Seen::ClockSet(Node::Device(1), 0, false));
        assert!(clocks.excuse(1, NOT_YET, 8) && !clocks.excuse(1, NOT_YET, 8 + NEWS_US));
    }

    #[test]
    fn a_setting_of_a_clock_that_was_right_excuses_nothing() {
        let mut clocks = Clocks::default();
        clocks.see(5, &Seen::ClockSet(Node::Device(1), 100, false));
        clocks.see(5, &Seen::ClockSet(Node::Relay, 100, false));
        assert!(!clocks.excuse(1, NOT_YET, 6) && !clocks.excuse_call(NOT_YET, 6));
    }
}
