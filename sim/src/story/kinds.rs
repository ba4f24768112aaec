//! The kinds of each type that says how something ended, was refused or was woken: their names, once.
//!
//! What is counted is counted by these names, and what must happen in a sweep is these lists, so that a new kind in
//! `core` is counted and demanded from the day on which it is there.

use countersign_core::device::approve::Approval;
use countersign_core::device::calls::{CallDenied, CallEnd, DirectEnd};
use countersign_core::device::{self, Asked, Command, LogRefusal};
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::journal::SnapshotRefusal;
use countersign_core::peer::SayRefusal;
use countersign_core::pki::{CrlRefusal, CsrRefusal};
use countersign_core::server;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;

use super::Crash;
use crate::node::Why;

/// Writes a list of names and the function that finds a value's. A kind that is not in the list does not compile.
macro_rules! kinds {
    ($(#[$doc:meta])* $list:ident, $name:ident($type:ty) { $($kind:pat => $words:literal,)* }) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($words),*];

        /// The name of its kind.
        pub fn $name(value: $type) -> &'static str {
            match value {
                $($kind => $words,)*
            }
        }
    };
}

pub mod conversations;

kinds! {
    /// Why a connection is over.
    CLOSE_REASONS, close_reason(CloseReason) {
        CloseReason::Ours(_) => "Ours",
        CloseReason::Theirs(_) => "Theirs",
        CloseReason::PeerClosed => "PeerClosed",
        CloseReason::Truncated => "Truncated",
        CloseReason::Fault(_) => "Fault",
        CloseReason::Alert(_) => "Alert",
        CloseReason::TimedOut => "TimedOut",
        CloseReason::Unreachable => "Unreachable",
    }
}

kinds! {
    /// How somebody broke the protocol.
    FAULTS, fault(Fault) {
        Fault::Certificate(_) => "Certificate",
        Fault::NoAlpn => "NoAlpn",
        Fault::WrongAlpn => "WrongAlpn",
        Fault::WrongTlsVersion => "WrongTlsVersion",
        Fault::NotTls => "NotTls",
        Fault::BadRecord => "BadRecord",
        Fault::HandshakeTooLong => "HandshakeTooLong",
        Fault::FrameLength => "FrameLength",
        Fault::Version(_) => "Version",
        Fault::Malformed => "Malformed",
        Fault::Unexpected => "Unexpected",
        Fault::UnknownExtension => "UnknownExtension",
        Fault::Log => "Log",
        Fault::History => "History",
        Fault::Lists => "Lists",
        Fault::OtherLog => "OtherLog",
        Fault::Credit => "Credit",
    }
}

kinds! {
    /// Why a snapshot is passed over.
    SNAPSHOT_REFUSALS, snapshot_refusal(SnapshotRefusal) {
        SnapshotRefusal::TooLong => "TooLong",
        SnapshotRefusal::Newer(..) => "Newer",
        SnapshotRefusal::Older(..) => "Older",
        SnapshotRefusal::Damaged => "Damaged",
        SnapshotRefusal::OtherDigest => "OtherDigest",
        SnapshotRefusal::OtherPlace { .. } => "OtherPlace",
        SnapshotRefusal::OtherIncarnation => "OtherIncarnation",
        SnapshotRefusal::BeyondEnd => "BeyondEnd",
    }
}

kinds! {
    /// Why a certificate is not believed.
    CERT_REFUSALS, cert_refusal(CertRefusal) {
        CertRefusal::Missing => "Missing",
        CertRefusal::Malformed => "Malformed",
        CertRefusal::Expired => "Expired",
        CertRefusal::NotYetValid => "NotYetValid",
        CertRefusal::ForeignIssuer => "ForeignIssuer",
        CertRefusal::SelfSigned => "SelfSigned",
        CertRefusal::WrongUsage => "WrongUsage",
        CertRefusal::OutsideRealm => "OutsideRealm",
        CertRefusal::NoName => "NoName",
        CertRefusal::ManyNames => "ManyNames",
        CertRefusal::NameKind => "NameKind",
        CertRefusal::Wildcard => "Wildcard",
        CertRefusal::NotADevice(_) => "NotADevice",
        CertRefusal::OtherName => "OtherName",
        CertRefusal::CaAsLeaf => "CaAsLeaf",
        CertRefusal::WrongKey => "WrongKey",
        CertRefusal::BadChain => "BadChain",
        CertRefusal::BadRoot => "BadRoot",
        CertRefusal::Algorithm => "Algorithm",
        CertRefusal::Key(_) => "Key",
        CertRefusal::Scheme => "Scheme",
        CertRefusal::CriticalExtension => "CriticalExtension",
        CertRefusal::NotLogged => "NotLogged",
        CertRefusal::NotEndorsed => "NotEndorsed",
        CertRefusal::Revoked => "Revoked",
        CertRefusal::NoList => "NoList",
        CertRefusal::ListExpired => "ListExpired",
    }
}

kinds! {
    /// Why a log is not believed.
    LOG_REFUSALS, log_refusal(&LogRefusal) {
        LogRefusal::Certificate(_) => "Certificate",
        LogRefusal::Checkpoint(_) => "Checkpoint",
        LogRefusal::History(_) => "History",
        LogRefusal::Restored(_) => "Restored",
        LogRefusal::Unproven => "Unproven",
        LogRefusal::Leaf(_) => "Leaf",
        LogRefusal::OtherLeaf => "OtherLeaf",
        LogRefusal::Proof(_) => "Proof",
        LogRefusal::Lineage(_) => "Lineage",
        LogRefusal::Entries(_) => "Entries",
        LogRefusal::Silent => "Silent",
    }
}

kinds! {
    /// Why revocation lists are not believed.
    LIST_REFUSALS, list_refusal(CrlRefusal) {
        CrlRefusal::Malformed => "Malformed",
        CrlRefusal::NotOurs => "NotOurs",
        CrlRefusal::Issuer(_) => "Issuer",
        CrlRefusal::OtherIssuer => "OtherIssuer",
        CrlRefusal::Signature => "Signature",
        CrlRefusal::Older => "Older",
        CrlRefusal::Another => "Another",
        CrlRefusal::Missing => "Missing",
        CrlRefusal::Unencodable => "Unencodable",
    }
}

kinds! {
    /// Why a certificate request is refused.
    CSR_REFUSALS, csr_refusal(CsrRefusal) {
        CsrRefusal::TooLong => "TooLong",
        CsrRefusal::Malformed => "Malformed",
        CsrRefusal::TrailingBytes => "TrailingBytes",
        CsrRefusal::KeyKind => "KeyKind",
        CsrRefusal::Key(_) => "Key",
        CsrRefusal::Possession => "Possession",
        CsrRefusal::WantsCa => "WantsCa",
        CsrRefusal::OtherName => "OtherName",
        CsrRefusal::StrangeExtension => "StrangeExtension",
        CsrRefusal::Binding => "Binding",
        CsrRefusal::Algorithm => "Algorithm",
    }
}

kinds! {
    /// What a relay wants to be woken for.
    RELAY_WAKES, relay_wake(server::Wake) {
        server::Wake::Handshake(_) => "Handshake",
        server::Wake::Expiry(_) => "Expiry",
        server::Wake::Silence(_) => "Silence",
        server::Wake::Linger(_) => "Linger",
        server::Wake::Certificate => "Certificate",
        server::Wake::Ringing => "Ringing",
        server::Wake::Turn => "Turn",
        server::Wake::Slow(_) => "Slow",
        server::Wake::StrangersNote => "StrangersNote",
        server::Wake::Issuing => "Issuing",
        server::Wake::Lists => "Lists",
        server::Wake::Acknowledgements => "Acknowledgements",
        server::Wake::PostedOver => "PostedOver",
    }
}

kinds! {
    /// What a device wants to be woken for.
    DEVICE_WAKES, device_wake(device::Wake) {
        device::Wake::Redial => "Redial",
        device::Wake::Admission => "Admission",
        device::Wake::Liveness => "Liveness",
        device::Wake::Linger => "Linger",
        device::Wake::Call(_) => "Call",
        device::Wake::Direct(_) => "Direct",
        device::Wake::Leaving => "Leaving",
        device::Wake::Who => "Who",
        device::Wake::Fetch => "Fetch",
        device::Wake::ReadLog => "ReadLog",
        device::Wake::Password => "Password",
        device::Wake::Watch => "Watch",
        device::Wake::Doubt => "Doubt",
        device::Wake::Approve => "Approve",
        device::Wake::Renewal => "Renewal",
        device::Wake::Conversations => "Conversations",
    }
}

kinds! {
    /// Why a call does without a direct connection.
    DIRECT_ENDS, direct_end(DirectEnd) {
        DirectEnd::NoAddress => "NoAddress",
        DirectEnd::NotAllowed => "NotAllowed",
        DirectEnd::Declined => "Declined",
        DirectEnd::Unreachable => "Unreachable",
        DirectEnd::TimedOut => "TimedOut",
        DirectEnd::Failed(_) => "Failed",
        DirectEnd::Crowded => "Crowded",
        DirectEnd::Broken(_) => "Broken",
        DirectEnd::GivenUp => "GivenUp",
    }
}

kinds! {
    /// How a call ends.
    CALL_ENDS, call_end(CallEnd) {
        CallEnd::Refused(_) => "refused",
        CallEnd::Closed(_) => "closed",
        CallEnd::RelayLost => "relay lost",
    }
}

kinds! {
    /// What a device denies its user.
    DENIALS, denial(CallDenied) {
        CallDenied::NoSuchCall => "NoSuchCall",
        CallDenied::TooMany => "TooMany",
        CallDenied::Say(SayRefusal::NotOpen) => "NotOpen",
        CallDenied::Say(SayRefusal::TooLong) => "TooLong",
        CallDenied::Say(SayRefusal::Full) => "Full",
    }
}

kinds! {
    /// What comes of a question to the relay.
    ANSWERS, answer(&Asked) {
        Asked::People(_) => "people",
        Asked::Certificates(..) => "certificates",
        Asked::Log(_) => "the log",
        Asked::Approval(_) => "devices",
        Asked::Renewed(_) => "renewed",
        Asked::PasswordSet => "password set",
        Asked::Refused(_) => "refused an answer",
        Asked::Unanswered => "no answer",
    }
}

kinds! {
    /// What people are told of their own devices.
    APPROVALS, approval(&Approval) {
        Approval::Devices(..) => "devices",
        Approval::Waits(_) => "waits",
        Approval::Compared(..) => "compared",
        Approval::Uncommitted(_) => "uncommitted",
        Approval::Endorsed(_) => "endorsed",
        Approval::Dismissed(_) => "dismissed",
        Approval::Armed => "armed",
        Approval::Withdrawn(..) => "withdrawn",
        Approval::Acted(..) => "acted",
        Approval::Recovery(_) => "recovery",
    }
}

kinds! {
    /// What people wish of their devices.
    WISHES, wish(&Command) {
        Command::Who => "who",
        Command::Fetch(_) => "fetch",
        Command::ReadLog => "read the log",
        Command::Devices => "list devices",
        Command::Compare(_) => "compare",
        Command::Endorse => "endorse",
        Command::Dismiss(_) => "dismiss",
        Command::Arm(_) => "recovery code",
        Command::Withdraw(..) => "take a device back",
        Command::Acted(_) => "who has acted",
        Command::Recovery => "is there a recovery code",
        Command::Renew => "renew",
        Command::Password(_) => "set a password",
        Command::Call(..) => "call",
        Command::Accept(_) => "accept",
        Command::HangUp(..) => "hang up",
        Command::Say(..) => "say",
        Command::Send(..) => "send",
        Command::Run(..) => "run",
        Command::Await(..) => "await",
        Command::CallOff(_) => "call off",
        Command::Quit => "quit",
    }
}

kinds! {
    /// When the relay's process comes to its end.
    CRASHES, crash(Crash) {
        Crash::BeforeAppend => "crash BeforeAppend",
        Crash::AfterAppend => "crash AfterAppend",
        Crash::Whenever => "crash Whenever",
        Crash::TornAppend => "crash TornAppend",
        Crash::DiskFull => "crash DiskFull",
        Crash::SyncFailed => "crash SyncFailed",
        Crash::Stopped => "crash Stopped",
    }
}

/// The name of what a machine was woken for.
pub fn why(why: Why) -> &'static str {
    match why {
        Why::Relay(wake) => relay_wake(wake),
        Why::Device(wake) => device_wake(wake),
        Why::Enrolment => ENROLMENT_WAKE,
    }
}

/// What an enrolment wants to be woken for.
pub const ENROLMENT_WAKE: &str = "Enrolment";

/// The name of a code's constant.
pub fn code(code: Code) -> String {
    let known = Code::ALL.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| code.0.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::id::{CallId, ConnId};

    #[test]
    fn a_wake_is_counted_by_the_beginning_of_its_own_words() {
        let wakes = [
            Why::Relay(server::Wake::Handshake(ConnId(1))),
            Why::Relay(server::Wake::StrangersNote),
            Why::Device(device::Wake::Call(CallId(1))),
            Why::Device(device::Wake::Who),
            Why::Enrolment,
        ];
        for wake in wakes {
            assert_eq!(wake.to_string().split('(').next(), Some(why(wake)));
        }
    }
}
