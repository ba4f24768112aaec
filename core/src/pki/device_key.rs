//! A device's own secret key, of any kind that a key made elsewhere may have: read, checked, and kept in one form.
//!
//! Keys that are made here are Ed25519 ([`SecretKey`]), and only those enrol by themselves or will take part in a
//! conversation; one of another kind was certified by the operator and signs TLS handshakes alone. Its ECDSA and RSA
//! signatures draw from the operating system inside the crypto library, so no such key signs in the simulator.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, alg_id};
use zeroize::Zeroizing;

use super::der::{Der, OCTET_STRING, SEQUENCE};
use super::key::SecretKey;
use super::spki::{EC_PUBLIC_KEY, KeyKind, KeyRefusal, Spki, rsa as check_rsa};

/// The tag of the parameters inside a SEC1 key (RFC 5915 §3).
const SEC1_PARAMETERS: u8 = 0xa0;

/// A device's secret key. Wiped when dropped, and never shown by `Debug`.
#[derive(Clone)]
pub struct DeviceKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: Spki,
    kind: KeyKind,
    /// The key as TLS signs with it, once it was needed: to make it costs a third of a handshake.
    signer: Arc<OnceLock<Arc<dyn SigningKey>>>,
}

impl DeviceKey {
    /// Reads PKCS#8 in DER (RFC 5958, unencrypted).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyRefusal> {
        let mut parts = Der::of_sequence(der).ok_or(KeyRefusal::Malformed)?;
        let head = (parts.take_small(), parts.take(SEQUENCE), parts.take(OCTET_STRING));
        let (Some(0 | 1), Some(algorithm), Some(key)) = head else { return Err(KeyRefusal::Malformed) };
        let is = |id: rustls_pki_types::AlgorithmIdentifier| id.as_ref() == algorithm;
        if is(alg_id::ED25519) {
            SecretKey::from_pkcs8(der).map(|key| Self::from(&key)).ok_or(KeyRefusal::Malformed)
        } else if is(alg_id::ECDSA_P256) {
            Self::ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
        } else if is(alg_id::ECDSA_P384) {
            Self::ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, der)
        } else if is(alg_id::RSA_ENCRYPTION) {
            Self::from_pkcs1(key)
        } else {
            Err(if algorithm.starts_with(&EC_PUBLIC_KEY) { KeyRefusal::Curve } else { KeyRefusal::Algorithm })
        }
    }

    /// Reads SEC1 in DER, an `ECPrivateKey` that names its curve (RFC 5915).
    pub fn from_sec1(der: &[u8]) -> Result<Self, KeyRefusal> {
        let mut parts = Der::of_sequence(der).ok_or(KeyRefusal::Malformed)?;
        let (Some(1), Some(_)) = (parts.take_small(), parts.take(OCTET_STRING)) else {
            return Err(KeyRefusal::Malformed);
        };
        let named = parts.take(SEC1_PARAMETERS).ok_or(KeyRefusal::Curve)?;
        // In X.509 the curve stands behind the algorithm.
        let is = |id: rustls_pki_types::AlgorithmIdentifier| id.as_ref().strip_prefix(&EC_PUBLIC_KEY) == Some(named);
        if is(alg_id::ECDSA_P256) {
            Self::ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
        } else if is(alg_id::ECDSA_P384) {
            Self::ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, der)
        } else {
            Err(KeyRefusal::Curve)
        }
    }

    /// Reads PKCS#1 in DER, an `RSAPrivateKey` (RFC 8017 §A.1.2).
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyRefusal> {
        let mut parts = Der::of_sequence(der).ok_or(KeyRefusal::Malformed)?;
        let (Some(0), Some(modulus), Some(exponent)) =
            (parts.take_small(), parts.take_positive(), parts.take_positive())
        else {
            return Err(KeyRefusal::Malformed);
        };
        // Before anything is computed with it, and for a reason that names its size.
        check_rsa(modulus, exponent)?;
        let pair = rsa::KeyPair::from_der(der).map_err(|_| KeyRefusal::Parts)?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyRefusal::Parts)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyRefusal::Parts)?;
        Self::of(pkcs8.as_ref(), public.as_ref())
    }

    fn ecdsa(curve: &'static EcdsaSigningAlgorithm, der: &[u8]) -> Result<Self, KeyRefusal> {
        // It checks that the public half belongs to the secret one.
        let read = EcdsaKeyPair::from_private_key_der(curve, der).map_err(|_| KeyRefusal::Parts)?;
        // A file may lack the public half; put together anew, the key has one form.
        let secret: EcPrivateKeyBin<'_> = read.private_key().as_be_bytes().map_err(|_| KeyRefusal::Parts)?;
        let public = read.public_key().as_ref();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, secret.as_ref(), public)
            .map_err(|_| KeyRefusal::Parts)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyRefusal::Parts)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyRefusal::Parts)?;
        Self::of(pkcs8.as_ref(), public.as_ref())
    }

    fn of(pkcs8: &[u8], public: &[u8]) -> Result<Self, KeyRefusal> {
        let public = Spki::parse(public)?;
        let kind = public.kind()?;
        Ok(Self { pkcs8: Zeroizing::new(pkcs8.to_vec()), public, kind, signer: Arc::default() })
    }

    /// The key as PKCS#8 version 1 in DER, for its file and for TLS.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The key as TLS signs with it: what the provider makes of it the first time, and the same from then on.
    ///
    /// # Panics
    /// If the provider does not take the key, which has been read and checked.
    pub(crate) fn signer(&self, provider: &CryptoProvider) -> Arc<dyn SigningKey> {
        let load = || {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8().to_vec()));
            provider.key_provider.load_private_key(key).expect("the provider takes each kind of key that we take")
        };
        Arc::clone(self.signer.get_or_init(load))
    }

    /// Signs `message`, which must say in its first bytes what it is for (`SECURITY.md`, the table of key uses), by the one
    /// algorithm of its kind ([`Spki::verifies_own`]).
    ///
    /// # Panics
    /// If the provider does not take the key, or signs nothing with it.
    pub fn sign(&self, provider: &CryptoProvider, message: &[u8]) -> Vec<u8> {
        let scheme = match self.kind {
            KeyKind::Ed25519 => SignatureScheme::ED25519,
            KeyKind::P256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            KeyKind::P384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            KeyKind::Rsa { .. } => SignatureScheme::RSA_PSS_SHA256,
        };
        let signer = self.signer(provider).choose_scheme(&[scheme]).expect("a key signs by the scheme of its kind");
        signer.sign(message).expect("a key that was checked signs whatever there is")
    }

    /// The public half.
    pub fn spki(&self) -> &Spki {
        &self.public
    }

    /// What it is. Conversations will ask: their signatures are Ed25519 alone.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key as one that enrols by itself, if it is Ed25519.
    pub fn as_ed25519(&self) -> Option<SecretKey> {
        SecretKey::from_pkcs8(&self.pkcs8)
    }
}

impl From<&SecretKey> for DeviceKey {
    fn from(key: &SecretKey) -> Self {
        Self { pkcs8: key.to_pkcs8(), public: key.spki(), kind: KeyKind::Ed25519, signer: Arc::default() }
    }
}

impl From<SecretKey> for DeviceKey {
    fn from(key: SecretKey) -> Self {
        Self::from(&key)
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({} of {})", self.kind, self.public.id())
    }
}

#[cfg(test)]
mod tests;
