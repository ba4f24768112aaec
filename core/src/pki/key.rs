//! The secret keys that are made here: Ed25519, of a CA, of the relay, or of a device that enrols by itself.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::spki::Spki;

/// PKCS#8 of an Ed25519 key without its public half, up to the 32 bytes of the seed (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// An Ed25519 secret key. Wiped when dropped, and never shown by `Debug`.
pub struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// Draws a new one.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(seed)
    }

    /// Reads PKCS#8 in DER, with or without the public half (RFC 8410 §7); `None` if it holds no Ed25519 key.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        // Both forms carry the seed at one place; that the rest is sound is for the crypto library to say.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
        let at = der.windows(4).position(|window| window == [4, 0x22, 4, 0x20])?;
        let seed = <[u8; 32]>::try_from(der.get(at + 4..at + 36)?).ok()?;
        Some(Self::from_seed(Zeroizing::new(seed)))
    }

    /// The key as PKCS#8 in DER, for its file and for TLS.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_PREFIX.len() + 32));
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(self.seed.as_ref());
        der
    }

    /// The public half.
    pub fn spki(&self) -> Spki {
        Spki::of_ed25519(self.pair.public_key().as_ref())
    }

    /// The seed and, after it, the public half: the form in which MLS's library takes a key.
    pub(crate) fn seed_and_public(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.seed.as_ref(), self.pair.public_key().as_ref()].concat())
    }

    /// Signs `message`, which must say in its first bytes what it is for (`SECURITY.md`, the table of key uses).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    /// The key of a seed that was derived.
    pub(super) fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).expect("any 32 bytes are an Ed25519 seed");
        Self { seed, pair }
    }
}

impl Clone for SecretKey {
    fn clone(&self) -> Self {
        Self::from_seed(self.seed.clone())
    }
}

/// Two keys are one if their public halves are: told by those alone, so that nothing depends on how a secret compares.
impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki() == other.spki()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.spki().id())
    }
}

impl rcgen::PublicKeyData for SecretKey {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for SecretKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.sign(message).to_vec())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_key_reads_back_from_its_file_form_and_signs_the_same() {
        let key = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1));
        let back = SecretKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(back.spki(), key.spki());
        assert_eq!(back.sign(b"x"), key.sign(b"x"));
        assert!(key.spki().verifies(b"x", &key.sign(b"x")));
        assert!(!key.spki().verifies(b"y", &key.sign(b"x")));
    }

    #[test]
    fn any_cut_of_a_key_file_is_refused() {
        let der = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1)).to_pkcs8();
        for length in 0..der.len() {
            assert!(SecretKey::from_pkcs8(der.get(..length).unwrap()).is_none(), "{length}");
        }
    }

    #[test]
    fn a_secret_key_never_shows_itself() {
        let key = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1));
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("SecretKey(of {})", key.spki().id()));
    }
}
