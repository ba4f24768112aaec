//! Which public keys there are here: four kinds, each in the one encoding that X.509 gives it, and what they verify.
//!
//! | kind | `SubjectPublicKeyInfo` | rule |
//! | --- | --- | --- |
//! | Ed25519 | RFC 8410 §4 | 32 bytes, no point of small order, each point in its one encoding |
//! | P-256, P-384 | RFC 5480 §2.1.1, §2.2 | the curve by its name, the point uncompressed and on the curve |
//! | RSA | RFC 3279 §2.3.1 | parameters NULL; an odd modulus of 2048 to 4096 bits; an odd exponent from 65537 to 2³² − 1 |
//!
//! Certificates and everything in a conversation are signed with Ed25519; the other kinds are for keys that were made
//! elsewhere, which sign their own request and TLS handshakes. The bounds of RSA also bound what verifying costs.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, EcdsaVerificationAlgorithm, ParsedPublicKey,
    UnparsedPublicKey,
};
use rustls_pki_types::{SignatureVerificationAlgorithm, alg_id};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use webpki::aws_lc_rs as verify;

use super::der::{Der, SEQUENCE};
use super::small_order;
use crate::id::KeyId;
use crate::limits::{RSA_BITS_MAX, RSA_BITS_MIN, SPKI_BYTES_MAX};

/// `SubjectPublicKeyInfo` of an Ed25519 key up to the 32 bytes of the key (RFC 8410 §4).
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// The object identifier of keys on elliptic curves, `id-ecPublicKey` (RFC 5480 §2.1.1), with its header.
pub(super) const EC_PUBLIC_KEY: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// The smallest exponent of an RSA key.
const EXPONENT_MIN: u32 = 65_537;

/// What a public key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Edwards curve 25519 (RFC 8032).
    Ed25519,
    /// NIST's curve P-256.
    P256,
    /// NIST's curve P-384.
    P384,
    /// RSA.
    Rsa {
        /// The length of its modulus.
        bits: u16,
    },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::Rsa { bits } => write!(f, "RSA of {bits} bits"),
        }
    }
}

/// Why a key is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRefusal {
    /// It can't be read, or stands in another encoding than its one.
    Malformed,
    /// An algorithm that no key here has.
    Algorithm,
    /// A curve that no key here is on, or one that is not named.
    Curve,
    /// No uncompressed point of its curve.
    Point,
    /// An RSA key that is too small or too large.
    RsaSize {
        /// Its size.
        bits: u16,
    },
    /// An RSA key whose modulus is even.
    RsaModulus,
    /// An RSA key whose exponent is even, too small or too large.
    RsaExponent,
    /// A secret key whose parts don't belong together.
    Parts,
    /// An Ed25519 key for which everybody can sign.
    NobodysOwn,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the key can't be read"),
            Self::Algorithm => f.write_str("the key's algorithm is not taken: use Ed25519, ECDSA P-256, P-384, or RSA"),
            Self::Curve => f.write_str("the key's curve is not taken: use P-256 or P-384 by name, or Ed25519"),
            Self::Point => f.write_str("the key is no uncompressed point of its curve"),
            Self::RsaSize { bits } => {
                write!(f, "the RSA key has {bits} bits: use one of {RSA_BITS_MIN} to {RSA_BITS_MAX}")
            }
            Self::RsaModulus => f.write_str("the RSA key's modulus is even"),
            Self::RsaExponent => {
                write!(f, "the RSA key's exponent is not taken: use an odd one from {EXPONENT_MIN} to {}", u32::MAX)
            }
            Self::Parts => f.write_str("the parts of the key don't belong together"),
            Self::NobodysOwn => f.write_str("everybody can sign for that key"),
        }
    }
}

impl std::error::Error for KeyRefusal {}

/// A public key as `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ByteBuf", into = "ByteBuf")]
pub struct Spki(ByteBuf);

impl Spki {
    /// Takes a key of any of the four kinds.
    pub fn parse(der: &[u8]) -> Result<Self, KeyRefusal> {
        kind(der).map(|_| Self(ByteBuf::from(der)))
    }

    /// Takes an Ed25519 key in its one encoding; `None` for any other.
    pub fn ed25519(der: &[u8]) -> Option<Self> {
        (kind(der) == Ok(KeyKind::Ed25519)).then(|| Self(ByteBuf::from(der)))
    }

    /// The key of these 32 bytes.
    pub(super) fn of_ed25519(public: &[u8]) -> Self {
        Self(ByteBuf::from([&ED25519_PREFIX, public].concat()))
    }

    /// The Ed25519 key of these 32 bytes (RFC 8032 §5.1.5); `None` if it is none of ours.
    pub fn from_ed25519_bytes(public: &[u8; 32]) -> Option<Self> {
        Self::ed25519(&[&ED25519_PREFIX[..], public].concat())
    }

    /// The 32 bytes of the key, if it is Ed25519.
    pub fn ed25519_bytes(&self) -> Option<[u8; 32]> {
        if self.kind() == Ok(KeyKind::Ed25519) { self.0.strip_prefix(&ED25519_PREFIX)?.try_into().ok() } else { None }
    }

    /// What it is. One that came out of the journal may be none of ours.
    pub fn kind(&self) -> Result<KeyKind, KeyRefusal> {
        kind(&self.0)
    }

    /// The key in DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.0)
    }

    /// Whether `signature` over `message` is an Ed25519 signature of this key's owner.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.0.strip_prefix(&ED25519_PREFIX) {
            Some(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
            None => false,
        }
    }

    /// Whether `signature` over `message` was made by this key's owner with the one algorithm of the key's kind: Ed25519,
    /// ECDSA with the curve's own hash (P-256 with SHA-256, P-384 with SHA-384), RSA-PSS with SHA-256.
    pub fn verifies_own(&self, message: &[u8], signature: &[u8]) -> bool {
        let by = match self.kind() {
            Ok(KeyKind::Ed25519) => verify::ED25519,
            Ok(KeyKind::P256) => verify::ECDSA_P256_SHA256,
            Ok(KeyKind::P384) => verify::ECDSA_P384_SHA384,
            Ok(KeyKind::Rsa { .. }) => verify::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            Err(_) => return false,
        };
        let key = || {
            let mut parts = Der::of_sequence(&self.0)?;
            parts.take(SEQUENCE)?;
            parts.take_bits()
        };
        key().is_some_and(|key| by.verify_signature(key, message, signature).is_ok())
    }

    /// Whether `signature` over `message` was made by this key's owner with the algorithm that an X.509 structure names
    /// (the contents of its `AlgorithmIdentifier`); `None` if that is none for a key of this kind.
    ///
    /// The kind is looked at first, so that no key costs more than one of ours.
    pub fn verifies_by(&self, algorithm: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        self.kind().ok()?;
        let mut parts = Der::of_sequence(&self.0)?;
        let (kind, key) = (parts.take(SEQUENCE)?, parts.take_bits()?);
        let by = certifying().into_iter().find(|known| {
            known.public_key_alg_id().as_ref() == kind && known.signature_alg_id().as_ref() == algorithm
        })?;
        Some(by.verify_signature(key, message, signature).is_ok())
    }
}

/// How a request may be signed by its own key. The hash does not depend on the curve: `openssl req` signs with SHA-256
/// by a P-384 key. SHA-1 and MD5 are not among them, and of RSA-PSS only the form with a salt as long as the hash is.
fn certifying() -> [&'static dyn SignatureVerificationAlgorithm; 13] {
    [
        verify::ED25519,
        verify::ECDSA_P256_SHA256,
        verify::ECDSA_P256_SHA384,
        verify::ECDSA_P256_SHA512,
        verify::ECDSA_P384_SHA256,
        verify::ECDSA_P384_SHA384,
        verify::ECDSA_P384_SHA512,
        verify::RSA_PKCS1_2048_8192_SHA256,
        verify::RSA_PKCS1_2048_8192_SHA384,
        verify::RSA_PKCS1_2048_8192_SHA512,
        verify::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        verify::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        verify::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    ]
}

fn kind(der: &[u8]) -> Result<KeyKind, KeyRefusal> {
    let mut parts = Der::of_sequence(der).ok_or(KeyRefusal::Malformed)?;
    let algorithm = parts.take(SEQUENCE).ok_or(KeyRefusal::Malformed)?;
    let key = parts.take_bits().filter(|_| parts.is_empty()).ok_or(KeyRefusal::Malformed)?;
    let is = |id: rustls_pki_types::AlgorithmIdentifier| id.as_ref() == algorithm;
    if is(alg_id::ED25519) {
        let key = <[u8; 32]>::try_from(key).map_err(|_| KeyRefusal::Malformed)?;
        return if small_order::is_nobodys_own(key) { Err(KeyRefusal::NobodysOwn) } else { Ok(KeyKind::Ed25519) };
    }
    if is(alg_id::ECDSA_P256) {
        return point(&ECDSA_P256_SHA256_ASN1, key, 32).map(|()| KeyKind::P256);
    }
    if is(alg_id::ECDSA_P384) {
        return point(&ECDSA_P384_SHA384_ASN1, key, 48).map(|()| KeyKind::P384);
    }
    if is(alg_id::RSA_ENCRYPTION) {
        let mut parts = Der::of_sequence(key).ok_or(KeyRefusal::Malformed)?;
        let (modulus, exponent) = (parts.take_positive(), parts.take_positive());
        let (Some(modulus), Some(exponent), true) = (modulus, exponent, parts.is_empty()) else {
            return Err(KeyRefusal::Malformed);
        };
        return rsa(modulus, exponent).map(|bits| KeyKind::Rsa { bits });
    }
    Err(if algorithm.starts_with(&EC_PUBLIC_KEY) { KeyRefusal::Curve } else { KeyRefusal::Algorithm })
}

/// Demands an uncompressed point of the algorithm's curve (SEC 1 §2.3.4).
fn point(curve: &'static EcdsaVerificationAlgorithm, key: &[u8], coordinate: usize) -> Result<(), KeyRefusal> {
    if key.len() != 1 + 2 * coordinate || key.first() != Some(&4) {
        return Err(KeyRefusal::Point);
    }
    ParsedPublicKey::new(curve, key).map(drop).map_err(|_| KeyRefusal::Point)
}

/// The size of an RSA key, if it is one that is taken. Both are magnitudes without leading zeros.
pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<u16, KeyRefusal> {
    let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let bits = u16::try_from(modulus.len() * 8).unwrap_or(u16::MAX).saturating_sub(u16::try_from(zeros).unwrap_or(0));
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(KeyRefusal::RsaSize { bits });
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    if !is_odd(modulus) {
        return Err(KeyRefusal::RsaModulus);
    }
    let value = exponent.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    if exponent.len() > 4 || value < EXPONENT_MIN || !is_odd(exponent) {
        return Err(KeyRefusal::RsaExponent);
    }
    Ok(bits)
}

impl TryFrom<ByteBuf> for Spki {
    type Error = &'static str;

    /// The journal's rules are frozen, and what kinds there are is not: so only the size is checked here.
    fn try_from(der: ByteBuf) -> Result<Self, Self::Error> {
        if der.len() > SPKI_BYTES_MAX { Err("a public key is too long") } else { Ok(Self(der)) }
    }
}

impl From<Spki> for ByteBuf {
    fn from(spki: Spki) -> Self {
        spki.0
    }
}

#[cfg(test)]
mod tests;
