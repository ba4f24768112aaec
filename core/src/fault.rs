//! Whose doing it is when something ends.
//!
//! A [`Fault`] is the other side's breach of the protocol: its connection closes. A refusal (`EnrolRefusal`,
//! `CallRefusal`: beside the machine that gives it) denies a sound request: answer and go on. Misuse by our own
//! caller is asserted. [`CloseReason`] is the one way of saying why a connection is over, whoever ended it.

use std::fmt;

use crate::tls::CertRefusal;
use crate::wire::Code;

/// How the other side broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Its certificate was not believed, for the reason given (RFC 8446 §4.4.2).
    Certificate(CertRefusal),
    /// It offered no application protocol (RFC 7301), so no door opens.
    NoAlpn,
    /// It offered an application protocol that is none of ours, or several.
    WrongAlpn,
    /// It does not speak TLS 1.3.
    WrongTlsVersion,
    /// Bytes that are not TLS, or not what TLS expects at this point.
    NotTls,
    /// A record whose authentication tag does not fit: altered, cut or replayed on the way.
    BadRecord,
    /// More handshake than [`crate::limits::HANDSHAKE_BYTES_MAX`].
    HandshakeTooLong,
    /// A frame whose length is beyond [`crate::limits::FRAME_BYTES_MAX`], or zero.
    FrameLength,
    /// A frame of a protocol version that we do not speak: theirs.
    Version(u8),
    /// A frame whose body is no message of this channel.
    Malformed,
    /// A message that must not come now.
    Unexpected,
    /// A message with an extension that it says we must understand, and we do not.
    UnknownExtension,
    /// What it shows as the realm's log is not to be believed as it stands.
    Log,
    /// What it shows as the realm's log contradicts what it has shown before.
    History,
    /// What it shows as the realm's revocation lists is not to be believed.
    Lists,
    /// It was introduced to us under another head of the realm's log than we to it.
    OtherLog,
    /// More tunnelled bytes than credit was given for, or more credit than the window.
    Credit,
}

impl Fault {
    /// What the other side is told, once frames can be sent. TLS's own faults go out as TLS alerts instead.
    pub fn code(self) -> Code {
        match self {
            Self::Certificate(CertRefusal::NotLogged) => Code::NOT_LOGGED,
            Self::Certificate(CertRefusal::Revoked) => Code::REVOKED,
            Self::Certificate(_)
            | Self::NoAlpn
            | Self::WrongAlpn
            | Self::WrongTlsVersion
            | Self::NotTls
            | Self::BadRecord
            | Self::HandshakeTooLong => Code::TLS_FAILED,
            Self::FrameLength | Self::Malformed | Self::UnknownExtension => Code::MALFORMED,
            Self::Version(_) => Code::VERSION,
            Self::Unexpected | Self::Log | Self::History | Self::Lists => Code::UNEXPECTED,
            Self::OtherLog => Code::OTHER_LOG,
            Self::Credit => Code::CREDIT,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(refusal) => write!(f, "{refusal}"),
            Self::NoAlpn => f.write_str("it named no application protocol"),
            Self::WrongAlpn => f.write_str("it asked for an application protocol that is not spoken here"),
            Self::WrongTlsVersion => f.write_str("it does not speak TLS 1.3"),
            Self::NotTls => f.write_str("it sent something that is not TLS"),
            Self::BadRecord => f.write_str("data was altered on the way"),
            Self::HandshakeTooLong => f.write_str("its handshake was too long"),
            Self::FrameLength => f.write_str("it sent a frame of an impossible length"),
            Self::Version(theirs) => {
                write!(f, "it speaks protocol version {theirs} and this program speaks {}", crate::wire::VERSION)
            }
            Self::Malformed => f.write_str("it sent a message that cannot be read"),
            Self::Unexpected => f.write_str("it sent a message out of turn"),
            Self::UnknownExtension => f.write_str("it demands an extension that this program does not know"),
            Self::Log => f.write_str(
                "what it shows as the realm's log is not to be believed: compare the clocks, then ask the operator",
            ),
            Self::Lists => f.write_str(
                "what it shows as the list of revoked certificates is not to be believed: compare the clocks, then ask the operator",
            ),
            Self::History => f.write_str("the log that it shows is not the one that this device has followed"),
            Self::OtherLog => f.write_str(
                "it has been shown another log of the realm than this device: both run `client log check`, and compare",
            ),
            Self::Credit => f.write_str("it sent more than it had been allowed to"),
        }
    }
}

/// Why a connection is over. Every connection ends with exactly one, on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// We said goodbye, in good order or for a reason that the other side is told.
    Ours(Code),
    /// The other side said goodbye, with this code.
    Theirs(Code),
    /// The other side closed TLS politely without a goodbye.
    PeerClosed,
    /// The bytes stopped without any goodbye: a cut, a crash, or somebody in between (RFC 8446 §6.1).
    Truncated,
    /// The other side broke the protocol.
    Fault(Fault),
    /// The other side refused us with a TLS alert of this number (RFC 8446 §6.2).
    Alert(u8),
    /// Nothing came from the other side for too long.
    TimedOut,
    /// No connection could be made.
    Unreachable,
}

impl CloseReason {
    /// Whether this is an end that both sides wanted.
    pub fn is_polite(self) -> bool {
        matches!(self, Self::Ours(Code::FINISHED) | Self::Theirs(Code::FINISHED))
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(code) | Self::Theirs(code) => write!(f, "{code}"),
            Self::PeerClosed => f.write_str("the other side closed the connection"),
            Self::Truncated => f.write_str("the connection broke off"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Alert(number) => match alert_meaning(*number) {
                Some(meaning) => f.write_str(meaning),
                None => write!(f, "the other side refused the connection (TLS alert {number})"),
            },
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Unreachable => f.write_str("no connection could be made"),
        }
    }
}

/// The alerts of RFC 8446 §6.2 that a person can do something about.
fn alert_meaning(number: u8) -> Option<&'static str> {
    Some(match number {
        42 | 43 | 46 => "the other side did not believe our certificate",
        44 => "the other side says that our certificate has been revoked",
        45 => "the other side says that our certificate is expired or not yet valid: compare the clocks",
        48 => "the other side does not know who issued our certificate",
        49 => "the other side does not admit our certificate",
        51 => "the other side found a signature of ours wrong",
        70 => "the other side does not speak TLS 1.3",
        116 => "the other side demands a certificate",
        120 => "the other side does not speak this protocol",
        _ => return None,
    })
}
