//! MLS's cipher suite 1, `MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519` (RFC 9420 §17.1), over aws-lc alone.
//!
//! Everything random comes from the generator that was lent for the call ([`Lent`]): without one each function that draws
//! fails. HPKE (RFC 9180) is put together by `mls-rs-crypto-hpke` from the three parts below.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey as Public, X25519, agree};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use aws_lc_rs::{digest, hkdf, hmac};
use mls_rs_core::crypto::{
    CipherSuite, CipherSuiteProvider, CryptoProvider, HpkeCiphertext, HpkePsk, HpkePublicKey, HpkeSecretKey,
    SignaturePublicKey, SignatureSecretKey,
};
use mls_rs_core::error::IntoAnyError;
use mls_rs_crypto_hpke::context::{ContextR, ContextS};
use mls_rs_crypto_hpke::dhkem::DhKem;
use mls_rs_crypto_hpke::hpke::{Hpke, HpkeError};
use mls_rs_crypto_traits::{AeadId, AeadType, DhType, KdfId, KdfType, KemId, SamplingMethod};
use zeroize::Zeroizing;

use super::lent::Lent;

/// The one suite that there is.
pub const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

const KEY_BYTES: usize = 32;
const SEED_BYTES: usize = 32;
const HASH_BYTES: usize = 32;

/// Why a computation came to nothing.
#[derive(Debug)]
pub enum SuiteError {
    /// A key or nonce has not the length that the suite demands.
    Length,
    /// A ciphertext, tag or signature is not genuine, or a public key is none.
    NotGenuine,
    /// Randomness was asked for outside of a call that lends a generator.
    NoGenerator,
    /// HPKE came to nothing.
    Hpke(HpkeError),
}

impl std::fmt::Display for SuiteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length => f.write_str("a key or nonce has another length than the suite demands"),
            Self::NotGenuine => f.write_str("a ciphertext, signature or public key is not genuine"),
            Self::NoGenerator => f.write_str("no generator was lent for this call"),
            Self::Hpke(error) => write!(f, "HPKE: {error}"),
        }
    }
}

impl std::error::Error for SuiteError {}

impl IntoAnyError for SuiteError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

impl From<HpkeError> for SuiteError {
    fn from(error: HpkeError) -> Self {
        Self::Hpke(error)
    }
}

/// HKDF with SHA-256 (RFC 5869).
#[derive(Clone, Copy, Debug)]
pub struct Kdf;

/// How many bytes are to be derived.
struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl KdfType for Kdf {
    type Error = SuiteError;

    fn kdf_id(&self) -> u16 {
        KdfId::HkdfSha256 as u16
    }

    fn expand(&self, prk: &[u8], info: &[u8], len: usize) -> Result<Vec<u8>, SuiteError> {
        let mut out = vec![0; len];
        let info = [info];
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, prk)
            .expand(&info, Bytes(len))
            .and_then(|okm| okm.fill(&mut out))
            .map_err(|_| SuiteError::Length)?;
        Ok(out)
    }

    // aws-lc keeps what it extracts to itself; RFC 5869 §2.2 is one HMAC.
    fn extract(&self, salt: &[u8], ikm: &[u8]) -> Result<Vec<u8>, SuiteError> {
        Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), ikm).as_ref().to_vec())
    }

    fn extract_size(&self) -> usize {
        HASH_BYTES
    }
}

/// AES-128 in GCM.
#[derive(Clone, Copy, Debug)]
pub struct Aead;

impl Aead {
    fn key(key: &[u8], nonce: &[u8]) -> Result<(LessSafeKey, Nonce), SuiteError> {
        let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| SuiteError::Length)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SuiteError::Length)?;
        Ok((LessSafeKey::new(key), nonce))
    }
}

impl AeadType for Aead {
    type Error = SuiteError;

    fn aead_id(&self) -> u16 {
        AeadId::Aes128Gcm as u16
    }

    fn seal(&self, key: &[u8], data: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Result<Vec<u8>, SuiteError> {
        let (key, nonce) = Self::key(key, nonce)?;
        let mut sealed = data.to_vec();
        key.seal_in_place_append_tag(nonce, Aad::from(aad.unwrap_or_default()), &mut sealed)
            .map_err(|_| SuiteError::Length)?;
        Ok(sealed)
    }

    fn open(&self, key: &[u8], sealed: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Result<Vec<u8>, SuiteError> {
        let (key, nonce) = Self::key(key, nonce)?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let plain = key
            .open_in_place(nonce, Aad::from(aad.unwrap_or_default()), &mut opened)
            .map_err(|_| SuiteError::NotGenuine)?;
        Ok(plain.to_vec())
    }

    fn key_size(&self) -> usize {
        AES_128_GCM.key_len()
    }

    fn nonce_size(&self) -> usize {
        AES_128_GCM.nonce_len()
    }
}

/// X25519 (RFC 7748), with keys from the lent generator.
#[derive(Clone, Debug)]
pub struct Dh {
    lent: Lent,
}

impl Dh {
    fn private(secret: &HpkeSecretKey) -> Result<PrivateKey, SuiteError> {
        PrivateKey::from_private_key(&X25519, secret.as_ref()).map_err(|_| SuiteError::Length)
    }
}

impl DhType for Dh {
    type Error = SuiteError;

    fn dh(&self, secret: &HpkeSecretKey, public: &HpkePublicKey) -> Result<Vec<u8>, SuiteError> {
        // Refuses a public key that leads to zero (RFC 7748 §6.1).
        let public = Public::new(&X25519, public.as_ref());
        agree(&Self::private(secret)?, public, SuiteError::NotGenuine, |shared| Ok(shared.to_vec()))
    }

    fn generate(&self) -> Result<(HpkeSecretKey, HpkePublicKey), SuiteError> {
        let mut secret = vec![0; KEY_BYTES];
        self.lent.fill(&mut secret)?;
        let secret = HpkeSecretKey::from(secret);
        let public = self.to_public(&secret)?;
        Ok((secret, public))
    }

    fn to_public(&self, secret: &HpkeSecretKey) -> Result<HpkePublicKey, SuiteError> {
        let public = Self::private(secret)?.compute_public_key().map_err(|_| SuiteError::Length)?;
        Ok(HpkePublicKey::from(public.as_ref().to_vec()))
    }

    fn bitmask_for_rejection_sampling(&self) -> SamplingMethod {
        SamplingMethod::HpkeWithoutBitmask
    }

    fn secret_key_size(&self) -> usize {
        KEY_BYTES
    }

    fn public_key_size(&self) -> usize {
        KEY_BYTES
    }

    fn public_key_validate(&self, key: &HpkePublicKey) -> Result<(), SuiteError> {
        if key.len() == KEY_BYTES { Ok(()) } else { Err(SuiteError::Length) }
    }
}

/// The suite, drawing from what is lent.
#[derive(Clone)]
pub struct Suite {
    lent: Lent,
    hpke: Hpke<DhKem<Dh, Kdf>, Kdf, Aead>,
}

/// The one suite, for `mls-rs` to find.
#[derive(Clone, Debug)]
pub struct Crypto {
    lent: Lent,
}

impl Crypto {
    /// A provider that draws from what is lent here.
    pub fn new(lent: Lent) -> Self {
        Self { lent }
    }

    /// The suite by itself.
    pub fn suite(&self) -> Suite {
        let kem = DhKem::new(Dh { lent: self.lent.clone() }, Kdf, KemId::DhKemX25519Sha256 as u16, HASH_BYTES);
        Suite { lent: self.lent.clone(), hpke: Hpke::new(kem, Kdf, Some(Aead)) }
    }
}

impl CryptoProvider for Crypto {
    type CipherSuiteProvider = Suite;

    fn supported_cipher_suites(&self) -> Vec<CipherSuite> {
        vec![SUITE]
    }

    fn cipher_suite_provider(&self, suite: CipherSuite) -> Option<Suite> {
        (suite == SUITE).then(|| self.suite())
    }
}

impl CipherSuiteProvider for Suite {
    type Error = SuiteError;
    type HpkeContextS = ContextS<Kdf, Aead>;
    type HpkeContextR = ContextR<Kdf, Aead>;

    fn cipher_suite(&self) -> CipherSuite {
        SUITE
    }

    fn hash(&self, data: &[u8]) -> Result<Vec<u8>, SuiteError> {
        Ok(digest::digest(&digest::SHA256, data).as_ref().to_vec())
    }

    fn mac(&self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, SuiteError> {
        Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec())
    }

    fn aead_seal(&self, key: &[u8], data: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Result<Vec<u8>, SuiteError> {
        Aead.seal(key, data, aad, nonce)
    }

    fn aead_open(
        &self,
        key: &[u8],
        sealed: &[u8],
        aad: Option<&[u8]>,
        nonce: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SuiteError> {
        Aead.open(key, sealed, aad, nonce).map(Zeroizing::new)
    }

    fn aead_key_size(&self) -> usize {
        Aead.key_size()
    }

    fn aead_nonce_size(&self) -> usize {
        Aead.nonce_size()
    }

    fn kdf_extract(&self, salt: &[u8], ikm: &[u8]) -> Result<Zeroizing<Vec<u8>>, SuiteError> {
        Kdf.extract(salt, ikm).map(Zeroizing::new)
    }

    fn kdf_expand(&self, prk: &[u8], info: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, SuiteError> {
        Kdf.expand(prk, info, len).map(Zeroizing::new)
    }

    fn kdf_extract_size(&self) -> usize {
        HASH_BYTES
    }

    fn hpke_seal(
        &self,
        remote: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        plain: &[u8],
    ) -> Result<HpkeCiphertext, SuiteError> {
        Ok(self.hpke.seal(remote, info, None, aad, plain)?)
    }

    fn hpke_seal_psk(
        &self,
        remote: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        plain: &[u8],
        psk: HpkePsk<'_>,
    ) -> Result<HpkeCiphertext, SuiteError> {
        Ok(self.hpke.seal(remote, info, Some(psk), aad, plain)?)
    }

    fn hpke_open(
        &self,
        sealed: &HpkeCiphertext,
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
    ) -> Result<Zeroizing<Vec<u8>>, SuiteError> {
        Ok(self.hpke.open(sealed, secret, public, info, None, aad)?)
    }

    fn hpke_open_psk(
        &self,
        sealed: &HpkeCiphertext,
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        psk: HpkePsk<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, SuiteError> {
        Ok(self.hpke.open(sealed, secret, public, info, Some(psk), aad)?)
    }

    fn hpke_setup_s(&self, remote: &HpkePublicKey, info: &[u8]) -> Result<(Vec<u8>, Self::HpkeContextS), SuiteError> {
        Ok(self.hpke.setup_sender(remote, info, None)?)
    }

    fn hpke_setup_r(
        &self,
        encapsulated: &[u8],
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
    ) -> Result<Self::HpkeContextR, SuiteError> {
        Ok(self.hpke.setup_receiver(encapsulated, secret, public, info, None)?)
    }

    fn kem_derive(&self, ikm: &[u8]) -> Result<(HpkeSecretKey, HpkePublicKey), SuiteError> {
        Ok(self.hpke.derive(ikm)?)
    }

    fn kem_generate(&self) -> Result<(HpkeSecretKey, HpkePublicKey), SuiteError> {
        Ok(self.hpke.generate()?)
    }

    fn kem_public_key_validate(&self, key: &HpkePublicKey) -> Result<(), SuiteError> {
        Ok(self.hpke.public_key_validate(key)?)
    }

    fn random_bytes(&self, out: &mut [u8]) -> Result<(), SuiteError> {
        self.lent.fill(out)
    }

    fn signature_key_generate(&self) -> Result<(SignatureSecretKey, SignaturePublicKey), SuiteError> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        self.lent.fill(seed.as_mut_slice())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| SuiteError::Length)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok((SignatureSecretKey::from([seed.as_slice(), &public].concat()), SignaturePublicKey::from(public)))
    }

    fn signature_key_derive_public(&self, secret: &SignatureSecretKey) -> Result<SignaturePublicKey, SuiteError> {
        Ok(SignaturePublicKey::from(pair(secret)?.public_key().as_ref().to_vec()))
    }

    fn sign(&self, secret: &SignatureSecretKey, data: &[u8]) -> Result<Vec<u8>, SuiteError> {
        Ok(pair(secret)?.sign(data).as_ref().to_vec())
    }

    fn verify(&self, public: &SignaturePublicKey, signature: &[u8], data: &[u8]) -> Result<(), SuiteError> {
        UnparsedPublicKey::new(&ED25519, public.as_ref()).verify(data, signature).map_err(|_| SuiteError::NotGenuine)
    }
}

/// A secret key is its seed and, after it, the public half.
fn pair(secret: &SignatureSecretKey) -> Result<Ed25519KeyPair, SuiteError> {
    let (seed, public) = secret.as_bytes().split_at_checked(SEED_BYTES).ok_or(SuiteError::Length)?;
    Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| SuiteError::Length)
}

#[cfg(test)]
mod vectors;
