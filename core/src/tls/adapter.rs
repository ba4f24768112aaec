//! Our verdicts as rustls's verifiers: what [`super::verify`] says, in the form in which a handshake asks.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::config::TlsEnv;
use super::verify::{CertRefusal, Root, Side, Trust, judge_device, leaf_key};
use crate::id::{DeviceName, Fingerprint, Realm};
use crate::pki::KeyKind;
use crate::time::Wall;

/// Believes devices of the realm, as clients and as servers.
pub(super) struct DeviceVerifier {
    pub(super) env: TlsEnv,
    pub(super) trust: Trust,
    pub(super) called: Option<DeviceName>,
}

/// Believes the relay of the realm.
pub(super) struct RelayVerifier {
    pub(super) env: TlsEnv,
    pub(super) trust: Trust,
}

/// Believes the relay whose chain ends in the pinned root, which it has to show.
pub(super) struct PinnedVerifier {
    pub(super) env: TlsEnv,
    pub(super) realm: Realm,
    pub(super) root: Fingerprint,
}

/// The schemes by which the relay signs: its key is Ed25519.
const RELAY_SCHEMES: &[SignatureScheme] = &[SignatureScheme::ED25519];
/// The schemes by which a device may sign, the cheapest first: those of TLS 1.3 that belong to a kind of key.
const DEVICE_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
];

/// The part of a verifier that is the same for all: TLS 1.3 alone, and a scheme of these that fits the key (V-09).
macro_rules! signatures {
    ($schemes:expr) => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Err(to_rustls(CertRefusal::Algorithm))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            leaf: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_signature(&self.env, $schemes, message, leaf, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            $schemes.to_vec()
        }
    };
}

impl ClientCertVerifier for DeviceVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        judge_device(&self.trust, leaf, intermediates, Side::Client, Wall(now.as_secs()), self.called.as_ref())
            .map(|_| ClientCertVerified::assertion())
            .map_err(to_rustls)
    }

    signatures!(DEVICE_SCHEMES);
}

/// Implements rustls's server verifier by a judge of leaf, intermediates and time.
macro_rules! server_verifier {
    ($name:ty, $schemes:expr, $judge:expr) => {
        impl ServerCertVerifier for $name {
            fn verify_server_cert(
                &self,
                leaf: &CertificateDer<'_>,
                intermediates: &[CertificateDer<'_>],
                _: &ServerName<'_>,
                _: &[u8],
                now: UnixTime,
            ) -> Result<ServerCertVerified, rustls::Error> {
                let judge: fn(&Self, &CertificateDer<'_>, &[CertificateDer<'_>], Wall) -> Result<(), CertRefusal> =
                    $judge;
                judge(self, leaf, intermediates, Wall(now.as_secs()))
                    .map(|()| ServerCertVerified::assertion())
                    .map_err(to_rustls)
            }

            signatures!($schemes);
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

server_verifier!(DeviceVerifier, DEVICE_SCHEMES, |this, leaf, intermediates, now| {
    judge_device(&this.trust, leaf, intermediates, Side::Server, now, this.called.as_ref()).map(drop)
});
server_verifier!(RelayVerifier, RELAY_SCHEMES, |this, leaf, intermediates, now| this.trust.judge_relay(
    leaf,
    intermediates,
    now
));
server_verifier!(PinnedVerifier, RELAY_SCHEMES, |this, leaf, intermediates, now| {
    let pinned = intermediates.iter().find(|der| Fingerprint::of(der) == this.root).ok_or(CertRefusal::BadRoot)?;
    let root = Root::parse(pinned, now)?;
    Trust::new(this.realm.clone(), root).judge_relay(leaf, intermediates, now)
});

/// V-09: the key of the certificate signed this handshake, by a scheme that was asked for and belongs to the key.
///
/// The key's kind and size are looked at before anything is computed with it. rustls asks for the scheme alone whether
/// it knows it, not whether it was offered.
fn verify_signature(
    env: &TlsEnv,
    schemes: &[SignatureScheme],
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let kind = leaf_key(leaf).and_then(|key| key.kind().map_err(CertRefusal::Key)).map_err(to_rustls)?;
    if !schemes.contains(&signature.scheme) || !fits(signature.scheme, kind) {
        return Err(to_rustls(CertRefusal::Scheme));
    }
    let algorithms = &env.provider.signature_verification_algorithms;
    rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
        .map_err(|_| to_rustls(CertRefusal::WrongKey))
}

/// Whether a key of this kind signs by this scheme in TLS 1.3 (RFC 8446 §4.2.3).
fn fits(scheme: SignatureScheme, kind: KeyKind) -> bool {
    let of_kind: &[SignatureScheme] = match kind {
        KeyKind::Ed25519 => &[SignatureScheme::ED25519],
        KeyKind::P256 => &[SignatureScheme::ECDSA_NISTP256_SHA256],
        KeyKind::P384 => &[SignatureScheme::ECDSA_NISTP384_SHA384],
        KeyKind::Rsa { .. } => {
            &[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PSS_SHA384, SignatureScheme::RSA_PSS_SHA512]
        }
    };
    of_kind.contains(&scheme)
}

/// Our reason as rustls's, so that the fitting alert goes out (RFC 8446 §6.2); [`from_rustls`] reads it back.
fn to_rustls(refusal: CertRefusal) -> rustls::Error {
    let error = match refusal {
        CertRefusal::Expired => CertificateError::Expired,
        CertRefusal::NotYetValid => CertificateError::NotValidYet,
        CertRefusal::ForeignIssuer => CertificateError::UnknownIssuer,
        CertRefusal::Malformed => CertificateError::BadEncoding,
        CertRefusal::WrongKey => CertificateError::BadSignature,
        CertRefusal::OtherName => CertificateError::NotValidForName,
        CertRefusal::WrongUsage => CertificateError::InvalidPurpose,
        CertRefusal::Missing => return rustls::Error::NoCertificatesPresented,
        CertRefusal::SelfSigned
        | CertRefusal::OutsideRealm
        | CertRefusal::NoName
        | CertRefusal::ManyNames
        | CertRefusal::NameKind
        | CertRefusal::Wildcard
        | CertRefusal::NotADevice(_)
        | CertRefusal::CaAsLeaf
        | CertRefusal::BadChain
        | CertRefusal::BadRoot
        | CertRefusal::Algorithm
        | CertRefusal::Key(_)
        | CertRefusal::Scheme
        | CertRefusal::NotLogged
        | CertRefusal::NotEndorsed
        | CertRefusal::Revoked
        | CertRefusal::NoList
        | CertRefusal::ListExpired
        | CertRefusal::CriticalExtension => CertificateError::Other(OtherError(Arc::new(refusal))),
    };
    rustls::Error::InvalidCertificate(error)
}

/// Our reason, as it went through rustls.
pub(super) fn from_rustls(error: &CertificateError) -> CertRefusal {
    #[allow(clippy::wildcard_enum_match_arm, reason = "rustls's list is open; our verifiers give only these")]
    match error {
        CertificateError::Expired => CertRefusal::Expired,
        CertificateError::NotValidYet => CertRefusal::NotYetValid,
        CertificateError::UnknownIssuer => CertRefusal::ForeignIssuer,
        CertificateError::BadSignature => CertRefusal::WrongKey,
        CertificateError::NotValidForName => CertRefusal::OtherName,
        CertificateError::InvalidPurpose => CertRefusal::WrongUsage,
        CertificateError::Other(OtherError(inner)) => {
            inner.downcast_ref::<CertRefusal>().copied().unwrap_or(CertRefusal::Malformed)
        }
        _ => CertRefusal::Malformed,
    }
}

#[cfg(test)]
mod wycheproof;
