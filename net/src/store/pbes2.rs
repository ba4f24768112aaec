//! Decides which encrypted keys are opened: PKCS#8 under PBES2 as OpenSSL writes it, by a bounded amount of work.
//! [`seal()`] writes one of them.
//!
//! RFC 5958 §3 and RFC 8018 §6.2: the key comes of the passphrase by PBKDF2 with HMAC-SHA-256, 384 or 512, and decrypts
//! AES-128 or AES-256 in CBC. The structure is read by core's strict reader, the computing is aws-lc's, as everywhere.

mod seal;

pub use seal::seal;

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_128, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use countersign_core::limits::KEY_FILE_ROUNDS_MAX;
use countersign_core::pki::der::{Der, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use zeroize::Zeroizing;

/// 1.2.840.113549.1.5.13
const PBES2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
/// 1.2.840.113549.1.5.12
const PBKDF2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// 1.2.840.113549.2, under which the HMACs stand.
const DIGESTS: [u8; 7] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
/// 2.16.840.1.101.3.4.1, under which AES stands.
const AES: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1];

/// An encrypted key whose form was understood.
pub struct Sealed<'a> {
    salt: &'a [u8],
    rounds: NonZeroU32,
    digest: pbkdf2::Algorithm,
    cipher: &'static Algorithm,
    iv: [u8; 16],
    ciphertext: &'a [u8],
}

/// Why an encrypted key is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// It can't be read.
    Malformed,
    /// It is encrypted in another way than those that are taken.
    Scheme,
    /// It asks for more work than is done.
    Rounds(u32),
    /// The passphrase is not the one.
    Passphrase,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the encrypted key can't be read: restore it from a backup"),
            Self::Scheme => f.write_str(
                "the key is encrypted in a way that is not taken: \
                 convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW",
            ),
            Self::Rounds(rounds) => write!(
                f,
                "the key asks for {rounds} rounds of PBKDF2 and {KEY_FILE_ROUNDS_MAX} are done at most: \
                 convert it with openssl pkcs8 -topk8 -in KEY -out NEW"
            ),
            Self::Passphrase => f.write_str("the passphrase does not open the key: try again"),
        }
    }
}

impl std::error::Error for SealError {}

impl<'a> Sealed<'a> {
    /// Whether DER is an encrypted key at all, of whatever scheme: two sequences deep where a plain key has its version.
    pub fn is_meant(der: &[u8]) -> bool {
        Der::of_sequence(der)
            .is_some_and(|mut parts| parts.take(SEQUENCE).is_some() && parts.take(OCTET_STRING).is_some())
    }

    /// Reads how it is encrypted. Nothing is computed before the work was found to be bounded.
    pub fn read(der: &'a [u8]) -> Result<Self, SealError> {
        let mut parts = Der::of_sequence(der).ok_or(SealError::Malformed)?;
        let (Some(scheme), Some(ciphertext), true) = (parts.take(SEQUENCE), parts.take(OCTET_STRING), parts.is_empty())
        else {
            return Err(SealError::Malformed);
        };
        let mut scheme = Der::new(scheme);
        if scheme.take(OBJECT_IDENTIFIER) != Some(&PBES2) {
            return Err(SealError::Scheme);
        }
        let mut halves = scheme.take(SEQUENCE).map(Der::new).ok_or(SealError::Malformed)?;
        let (derivation, encryption) = (halves.take(SEQUENCE), halves.take(SEQUENCE));
        let (cipher, iv) = encryption_of(encryption.ok_or(SealError::Malformed)?)?;
        let (salt, rounds, digest) = derivation_of(derivation.ok_or(SealError::Malformed)?, cipher)?;
        Ok(Self { salt, rounds, digest, cipher, iv, ciphertext })
    }

    /// Opens it: the plain PKCS#8, or what the wrong passphrase makes of it.
    pub fn open(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut key = Zeroizing::new(vec![0; key_bytes(self.cipher)]);
        pbkdf2::derive(self.digest, self.rounds, self.salt, passphrase, &mut key);
        let mut bytes = Zeroizing::new(self.ciphertext.to_vec());
        let context = DecryptionContext::Iv128(FixedLength::from(&self.iv));
        let plain = UnboundCipherKey::new(self.cipher, &key)
            .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
            .and_then(|opener| opener.decrypt(&mut bytes, context).map(|plain| plain.len()));
        bytes.truncate(plain.map_err(|_| SealError::Passphrase)?);
        Ok(bytes)
    }
}

fn key_bytes(cipher: &Algorithm) -> usize {
    if cipher == &AES_128 { 16 } else { 32 }
}

fn encryption_of(bytes: &[u8]) -> Result<(&'static Algorithm, [u8; 16]), SealError> {
    let mut parts = Der::new(bytes);
    let cipher = match parts.take(OBJECT_IDENTIFIER).and_then(|id| id.strip_prefix(&AES)) {
        Some([2]) => &AES_128,
        Some([42]) => &AES_256,
        Some(_) | None => return Err(SealError::Scheme),
    };
    let iv = parts.take(OCTET_STRING).and_then(|iv| iv.try_into().ok());
    Ok((cipher, iv.filter(|_| parts.is_empty()).ok_or(SealError::Malformed)?))
}

fn derivation_of<'a>(
    bytes: &'a [u8],
    cipher: &Algorithm,
) -> Result<(&'a [u8], NonZeroU32, pbkdf2::Algorithm), SealError> {
    let mut parts = Der::new(bytes);
    if parts.take(OBJECT_IDENTIFIER) != Some(&PBKDF2) {
        return Err(SealError::Scheme);
    }
    let mut parts = parts.take(SEQUENCE).map(Der::new).ok_or(SealError::Malformed)?;
    let salt = parts.take(OCTET_STRING).ok_or(SealError::Malformed)?;
    let rounds = parts.take_small().and_then(NonZeroU32::new).ok_or(SealError::Malformed)?;
    if rounds.get() > KEY_FILE_ROUNDS_MAX {
        return Err(SealError::Rounds(rounds.get()));
    }
    // The length of the key may stand here, and is the cipher's anyway.
    let length = parts.take_small();
    if length.is_some_and(|length| usize::try_from(length) != Ok(key_bytes(cipher))) {
        return Err(SealError::Malformed);
    }
    // Without it the digest is SHA-1 (RFC 8018 §A.2), which no program has written for long.
    let mut digest = parts.take(SEQUENCE).map(Der::new).ok_or(SealError::Scheme)?;
    let algorithm = match digest.take(OBJECT_IDENTIFIER).and_then(|id| id.strip_prefix(&DIGESTS)) {
        Some([9]) => pbkdf2::PBKDF2_HMAC_SHA256,
        Some([10]) => pbkdf2::PBKDF2_HMAC_SHA384,
        Some([11]) => pbkdf2::PBKDF2_HMAC_SHA512,
        Some(_) | None => return Err(SealError::Scheme),
    };
    let sound = digest.take(NULL).is_some() && digest.is_empty() && parts.is_empty();
    if sound { Ok((salt, rounds, algorithm)) } else { Err(SealError::Malformed) }
}

#[cfg(test)]
mod tests;
