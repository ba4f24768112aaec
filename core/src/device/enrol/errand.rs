//! What an attempt at enrolment is for: what admits, whose relay is to be met, and what is asked of it.

use serde_bytes::{ByteArray, ByteBuf};

use super::comparing::Comparing;
use crate::device::Identity;
use crate::id::{DeviceName, Fingerprint, Realm, Serial};
use crate::invite::{ServerLink, Token, TokenHash};
use crate::password::Password;
use crate::pki::{Csr, SecretKey, binding_message, renewal_message};
use crate::tlog::RecoveryWord;
use crate::tls::{Exporter, TlsEnv};
use crate::wire::Extensions;
use crate::wire::enrol::{self, Enrol, EnrolRequest, Renew, SignUp};

/// What it is for.
#[derive(Debug)]
pub(super) enum Errand {
    Join(Box<Join>),
    Renew { own: Box<Identity>, serial: Serial },
}

/// What admits, and what is made of it.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) server: ServerLink,
    pub(super) by: JoinBy,
    pub(super) name: DeviceName,
    pub(super) key: SecretKey,
    /// The word of the user's recovery key, if this device comes back by it.
    pub(super) recovery: Option<RecoveryWord>,
}

/// What admits.
#[derive(Debug)]
pub(super) enum JoinBy {
    Invite(Token),
    Password(Password),
}

impl Errand {
    /// Whose relay is to be met.
    pub(super) fn expects(&self) -> (&Realm, Fingerprint) {
        match self {
            Self::Join(join) => (&join.server.realm, join.server.root),
            Self::Renew { own, .. } => (own.trust.realm(), own.trust.root().fingerprint()),
        }
    }

    /// What is asked for on this connection.
    pub(super) fn request(&self, comparing: Option<&Comparing>, env: &TlsEnv, exporter: &Exporter) -> EnrolRequest {
        match self {
            Self::Join(join) => {
                let Join { server, by, name, key, recovery } = join.as_ref();
                let csr = ByteBuf::from(Csr::make(key, name, &server.realm).der());
                let binding = |token| ByteArray::new(key.sign(&binding_message(exporter, token, name)));
                let commitment = comparing.iter().map(|own| enrol::commitment(&own.commitment()));
                let extensions = Extensions(commitment.chain(recovery.iter().map(enrol::recovery)).collect());
                let (user, device) = (name.user.as_str().to_owned(), name.device.as_str().to_owned());
                match by {
                    JoinBy::Invite(token) => {
                        let (token, binding) = (token.clone(), binding(token.hash()));
                        EnrolRequest::Enrol(Enrol { token, user, device, csr, binding, extensions })
                    }
                    JoinBy::Password(password) => {
                        let (password, binding) = (password.clone(), binding(TokenHash::of_password(&name.user)));
                        EnrolRequest::SignUp(SignUp { password, user, device, csr, binding, extensions })
                    }
                }
            }
            Self::Renew { own, serial } => {
                let message = renewal_message(exporter, *serial, &own.name);
                EnrolRequest::Renew(Renew {
                    serial: *serial,
                    seen: own.log.seen(),
                    signature: ByteBuf::from(own.credentials.key.sign(&env.provider, &message)),
                    extensions: Extensions(vec![enrol::renewed_name(&own.name)]),
                })
            }
        }
    }
}
