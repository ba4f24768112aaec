//! Decides how a key is encrypted here: as OpenSSL's own default has it, with far more rounds, a new salt and a new IV.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use countersign_core::limits::KEY_FILE_ROUNDS;
use countersign_core::pki::der::{NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, value, whole_number};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{AES, DIGESTS, PBES2, PBKDF2};

const SALT_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// Encrypts a key that is PKCS#8 in DER: an `EncryptedPrivateKeyInfo` in DER (RFC 5958 §3), by PBKDF2 with HMAC-SHA-256
/// and AES-256 in CBC.
///
/// # Panics
/// Never: a key of this length is one, and there are rounds.
pub fn seal(plain: &[u8], passphrase: &[u8], rng: &mut dyn CryptoRng) -> Vec<u8> {
    let (mut salt, mut iv) = ([0; SALT_BYTES], [0; BLOCK_BYTES]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut iv);
    let rounds = NonZeroU32::new(KEY_FILE_ROUNDS).expect("there are rounds");
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase, key.as_mut());
    // Room for the padding, so that the plain key is encrypted where it stands and never moves.
    let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + BLOCK_BYTES));
    bytes.extend_from_slice(plain);
    let context = EncryptionContext::Iv128(FixedLength::from(&iv));
    UnboundCipherKey::new(&AES_256, key.as_ref())
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .and_then(|sealer| sealer.less_safe_encrypt(&mut *bytes, context))
        .expect("AES-256 in CBC takes a key of 32 bytes and any plaintext");
    let digest = value(SEQUENCE, &[&value(OBJECT_IDENTIFIER, &[&DIGESTS, &[9]]), &value(NULL, &[])]);
    let parameters = value(SEQUENCE, &[&value(OCTET_STRING, &[&salt]), &whole_number(KEY_FILE_ROUNDS), &digest]);
    let derivation = value(SEQUENCE, &[&value(OBJECT_IDENTIFIER, &[&PBKDF2]), &parameters]);
    let cipher = value(SEQUENCE, &[&value(OBJECT_IDENTIFIER, &[&AES, &[42]]), &value(OCTET_STRING, &[&iv])]);
    let halves = value(SEQUENCE, &[&derivation, &cipher]);
    let scheme = value(SEQUENCE, &[&value(OBJECT_IDENTIFIER, &[&PBES2]), &halves]);
    value(SEQUENCE, &[&scheme, &value(OCTET_STRING, &[&bytes])])
}
