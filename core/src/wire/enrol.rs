//! The enrolment channel: a newcomer asks for a certificate (protocol §4).

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::{Code, Extensions};
use crate::invite::Token;
use crate::time::Wall;

/// What a newcomer says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolRequest {
    /// Asks for the certificate of a first device.
    Enrol(Enrol),
}

/// A request for a certificate.
///
/// The names are text as it was typed: whether they are names is for the CA to say, with a reason.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrol {
    /// The invite's secret.
    pub token: Token,
    /// The user name that is wanted.
    pub user: String,
    /// The device label that is wanted.
    pub device: String,
    /// A PKCS#10 request in DER (RFC 2986).
    pub csr: ByteBuf,
    /// The new key's signature over [`crate::pki::binding_message`]: this connection, this token, this name.
    pub binding: ByteArray<64>,
    /// Later: the endorsement by another device.
    pub extensions: Extensions,
}

/// What the relay says to a newcomer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolEvent {
    /// The first message, before which nothing is asked.
    Welcome {
        /// The server's clock.
        time: Wall,
        /// The revocation lists ([`super::revocation`]), by which the relay's own certificate is judged before anything is
        /// asked.
        extensions: Extensions,
    },
    /// The certificate.
    Granted(Certified),
    /// No, and why.
    Refused {
        /// The reason.
        code: Code,
        /// A number within the reason, for the log and the curious; 0 when there is none.
        detail: u16,
    },
}

/// A certificate with all that its owner needs to use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certified {
    /// The device's certificate in DER.
    pub device: ByteBuf,
    /// The issuing CA's certificate in DER.
    pub issuing: ByteBuf,
    /// The root in DER; TLS chains leave it out.
    pub root: ByteBuf,
    /// Which life of the server's journal this was granted in.
    pub incarnation: u64,
    /// The log's head and the proof of the certificate ([`super::log`]). Later: endorsement.
    pub extensions: Extensions,
}
