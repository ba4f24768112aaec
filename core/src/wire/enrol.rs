//! The enrolment channel: a newcomer asks for a certificate (protocol §4).

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::{Code, Extension, Extensions};
use crate::fault::Fault;
use crate::id::{DeviceLabel, DeviceName, KeyId, Serial};
use crate::invite::Token;
use crate::limits::SIGNATURE_BYTES_MAX;
use crate::password::Password;
use crate::pki::comparison::{Commitment, ComparisonNonce};
use crate::time::Wall;
use crate::tlog::RecoveryWord;

/// The extension that holds a [`Commitment`]: whoever sends it is ready to wait.
pub const COMMITMENT: u16 = 3;

/// A commitment as an extension.
///
/// # Panics
/// Never: one can always be encoded.
pub fn commitment(commitment: &Commitment) -> Extension {
    let body = postcard::to_stdvec(commitment).expect("a commitment can always be encoded");
    Extension { kind: COMMITMENT, body: ByteBuf::from(body) }
}

/// The extension that holds a [`RecoveryWord`]: whoever sends it comes back by its user's recovery code.
pub const RECOVERY: u16 = 8;

/// A recovery key's word as an extension.
///
/// # Panics
/// Never: one can always be encoded.
pub fn recovery(word: &RecoveryWord) -> Extension {
    let body = postcard::to_stdvec(word).expect("a word can always be encoded");
    Extension { kind: RECOVERY, body: ByteBuf::from(body) }
}

/// The extension of a [`Renew`] that says whose certificate it is about: a server that was restored from a backup may not
/// have its number.
pub const RENEWED_NAME: u16 = 9;

/// A device's name as an extension.
///
/// # Panics
/// Never: one can always be encoded.
pub fn renewed_name(name: &DeviceName) -> Extension {
    let body = postcard::to_stdvec(name).expect("a name can always be encoded");
    Extension { kind: RENEWED_NAME, body: ByteBuf::from(body) }
}

/// What a newcomer says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolRequest {
    /// Asks for the certificate of a device.
    Enrol(Enrol),
    /// Shows, to a device that compares, to what this one has committed itself.
    Reveal {
        /// What was committed to.
        nonce: ComparisonNonce,
        /// What this one commits itself to for the next comparison.
        next: Commitment,
    },
    /// Asks for another certificate for the same name and key, after the one before has expired.
    Renew(Renew),
    /// Asks for the certificate of a device by a password.
    SignUp(SignUp),
}

/// A request for a certificate by a password: that of a user who is there, or that of one who begins.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUp {
    /// The password.
    pub password: Password,
    /// The user name that is wanted.
    pub user: String,
    /// The device label that is wanted.
    pub device: String,
    /// A PKCS#10 request in DER (RFC 2986).
    pub csr: ByteBuf,
    /// As in [`Enrol`], with [`TokenHash::of_password`](crate::invite::TokenHash::of_password) in place of the token's hash.
    pub binding: ByteArray<64>,
    /// As in [`Enrol`].
    pub extensions: Extensions,
}

/// A request to renew a certificate, of a device that can't show it any more.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// The certificate's number.
    pub serial: Serial,
    /// The size of the log that the device has seen; 0 for none.
    pub seen: u64,
    /// The certificate's key's signature over [`crate::pki::renewal_message`], at most [`SIGNATURE_BYTES_MAX`].
    pub signature: ByteBuf,
    /// [`RENEWED_NAME`].
    pub extensions: Extensions,
}

impl EnrolRequest {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Enrol(enrol) => enrol.extensions.check(),
            Self::Renew(renew) if renew.signature.len() > SIGNATURE_BYTES_MAX => Err(Fault::Malformed),
            Self::Renew(renew) => renew.extensions.check(),
            Self::Reveal { .. } => Ok(()),
            Self::SignUp(sign_up) if !sign_up.password.is_sound() => Err(Fault::Malformed),
            Self::SignUp(sign_up) => sign_up.extensions.check(),
        }
    }
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
    /// The commitment ([`COMMITMENT`]) of a device that would wait for another one to vouch for it; the word ([`RECOVERY`])
    /// of its user's recovery key.
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
    /// The user is there already: a device of theirs has to vouch for this one, and is waited for.
    Waiting {
        /// For how long at most.
        seconds: u32,
    },
    /// A device of the user compares.
    Compare {
        /// Which.
        by: DeviceLabel,
        /// Its key.
        key: KeyId,
        /// What it adds to the code.
        nonce: ComparisonNonce,
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
    /// The log's head, the proof of the certificate, and the row that leads to its person's first device ([`super::log`]).
    pub extensions: Extensions,
}
