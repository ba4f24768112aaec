//! Decides what the villain can have made: certificates by its own CAs, and by the genuine one, with anything in them.
//!
//! The genuine issuing key is here for one purpose: what the CA itself refuses to sign must be refused by everybody
//! else, too, should it ever have been signed. Such a certificate is called mis-issued.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::device::Identity;
use countersign_core::id::{DeviceLabel, DeviceName, Realm, Serial, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::pki::{Founded, Grant, SecretKey, found_realm, profile};
use countersign_core::time::Wall;
use rand_chacha::ChaCha20Rng;
use rcgen::{CertificateParams, Error, Issuer, PublicKeyData, SanType, SignatureAlgorithm, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateDer;

use super::villain::{PretendsP256, Shown};

/// A day.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `SubjectPublicKeyInfo` of the P-256 key whose secret is 1: its point is the curve's generator.
pub(super) const P256_SPKI: [u8; 91] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
    0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98,
    0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b,
    0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// Something in the form of an ECDSA signature: the numbers 1 and 1.
pub(super) const P256_SIGNATURE: [u8; 8] = [0x30, 6, 2, 1, 1, 2, 1, 1];

/// A CA with both of its keys, and whatever else it takes to make certificates.
pub(crate) struct Mint<'a> {
    /// The realm as it was founded.
    pub(super) genuine: &'a Founded,
    /// Its name.
    pub(super) realm: &'a Realm,
    /// Whose certificate is forged.
    pub(super) name: DeviceName,
    /// The villain's own key.
    pub(super) key: SecretKey,
    /// What the genuine CA has certified for her, if she is a member.
    pub(super) own: Option<Shown>,
    /// The present second.
    pub(super) now: Wall,
    /// Randomness of the mint's own.
    pub(super) rng: ChaCha20Rng,
}

impl<'a> Mint<'a> {
    /// A mint with a realm's genuine keys, for certificates of this name and with this key.
    pub(crate) fn new(
        (genuine, realm): (&'a Founded, &'a Realm),
        name: DeviceName,
        key: SecretKey,
        now: Wall,
        rng: ChaCha20Rng,
    ) -> Self {
        Self { genuine, realm, name, key, own: None, now, rng }
    }

    /// What the genuine CA would certify, with one thing changed, by the genuine issuing key.
    pub(super) fn misissued(&mut self, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = self.device();
        change(&mut params);
        self.show(vec![self.sign(&params), self.issuing()])
    }

    /// A certificate in which nothing is wrong, but that nobody has asked for it.
    pub(crate) fn in_secret(&mut self) -> (Grant, CertificateDer<'static>) {
        let grant = self.grant();
        let der = self.sign(&profile::device(self.realm, &grant));
        (grant, der)
    }

    /// An honest device's certificate, not signed yet.
    pub(super) fn device(&mut self) -> CertificateParams {
        profile::device(self.realm, &self.grant())
    }

    fn grant(&mut self) -> Grant {
        Grant {
            token: TokenHash([0; 32]),
            name: self.name.clone(),
            key: self.key.spki(),
            serial: Serial::draw(&mut self.rng),
            not_before: self.now.minus(DAY),
            not_after: self.now.plus(DAY),
            at: self.now,
        }
    }

    /// An honest relay's certificate, not signed yet.
    pub(super) fn relay(&mut self) -> CertificateParams {
        profile::relay(self.realm, Serial::draw(&mut self.rng), self.now, self.now.plus(DAY))
    }

    /// An issuing CA's certificate, not signed yet.
    pub(super) fn sub_ca(&mut self) -> CertificateParams {
        profile::issuing(self.realm, Serial::draw(&mut self.rng), self.now, self.now.plus(DAY))
    }

    /// Signs with the genuine issuing key, for the villain's.
    pub(super) fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
        sign_by(params, &self.key, &issuer_of(self.genuine))
    }

    /// The genuine issuing CA's certificate.
    pub(super) fn issuing(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.genuine.issuing.clone())
    }

    /// The genuine root's certificate.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.genuine.root.clone())
    }

    /// A whole realm of the villain's, of this name.
    pub(super) fn another_realm(&mut self, realm: &Realm) -> Founded {
        found_realm(realm, self.now, &mut self.rng)
    }

    /// A chain with the villain's key.
    pub(super) fn show(&self, chain: Vec<CertificateDer<'static>>) -> Shown {
        Shown::new(chain, &self.key.to_pkcs8())
    }

    /// A chain with the key that pretends to be P-256.
    pub(super) fn show_p256(chain: Vec<CertificateDer<'static>>) -> Shown {
        Shown { chain, key: Arc::new(PretendsP256) }
    }

    /// A key of the villain's that belongs to no certificate yet.
    pub(super) fn another_key(&mut self) -> SecretKey {
        SecretKey::draw(&mut self.rng)
    }
}

/// The secret key of somebody who has enrolled.
pub(super) fn ed25519(identity: &Identity) -> SecretKey {
    identity.credentials.key.as_ed25519().expect("who enrols has an Ed25519 key")
}

/// Signs as an issuer.
pub(super) fn sign_by(
    params: &CertificateParams,
    key: &impl PublicKeyData,
    issuer: &Issuer<'_, impl rcgen::SigningKey>,
) -> CertificateDer<'static> {
    params.signed_by(key, issuer).expect("the villain's certificates can be encoded").der().clone()
}

/// A realm's issuing CA as an issuer.
pub(super) fn issuer_of(founded: &Founded) -> Issuer<'static, SecretKey> {
    issuer(&CertificateDer::from(founded.issuing.clone()), founded.issuing_key.clone())
}

/// A realm's root as an issuer.
pub(super) fn root_issuer_of(founded: &Founded) -> Issuer<'static, SecretKey> {
    issuer(&CertificateDer::from(founded.root.clone()), founded.root_key.clone())
}

/// Any certificate as an issuer, whether it may issue or not.
pub(super) fn issuer<S: rcgen::SigningKey>(der: &CertificateDer<'_>, key: S) -> Issuer<'static, S> {
    Issuer::from_ca_cert_der(der, key).expect("a certificate of ours can be read")
}

/// The P-256 key's public half.
pub(super) fn p256() -> SubjectPublicKeyInfo {
    SubjectPublicKeyInfo::from_der(&P256_SPKI).expect("a P-256 key")
}

/// A public key that no device of a realm has, in the form that its algorithm has.
pub(super) struct OddKey(Vec<u8>, &'static SignatureAlgorithm);

impl OddKey {
    /// RSA of 1024 bits.
    pub(super) fn rsa_1024() -> Self {
        let numbers = [&[0x30, 0x81, 0x89, 2, 0x81, 0x81, 0][..], &[0xff; 128], &[2, 3, 1, 0, 1]];
        Self(numbers.concat(), &rcgen::PKCS_RSA_SHA256)
    }

    /// RSA of 2048 bits with the exponent 3.
    pub(super) fn rsa_exponent_3() -> Self {
        let numbers = [&[0x30, 0x82, 1, 8, 2, 0x82, 1, 1, 0][..], &[0xff; 256], &[2, 1, 3]];
        Self(numbers.concat(), &rcgen::PKCS_RSA_SHA256)
    }

    /// P-521, whose points are longer than ours.
    pub(super) fn p521() -> Self {
        Self([&[4][..], &[1; 132]].concat(), &rcgen::PKCS_ECDSA_P521_SHA512)
    }

    /// P-256, with numbers that are on no curve.
    pub(super) fn off_the_curve() -> Self {
        Self([&[4][..], &[1; 64]].concat(), &rcgen::PKCS_ECDSA_P256_SHA256)
    }
}

impl PublicKeyData for OddKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.1
    }
}

/// The P-256 key as a CA's, whose signatures are all the same.
pub(crate) struct P256Ca;

impl PublicKeyData for P256Ca {
    fn der_bytes(&self) -> &[u8] {
        P256_SPKI.get(26..).unwrap_or_default()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for P256Ca {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(P256_SIGNATURE.to_vec())
    }
}

/// A name as a certificate carries it.
pub(super) fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().expect("the villain's names are ASCII"))
}

/// Sets from when until when a certificate holds.
pub(super) fn valid(params: &mut CertificateParams, from: Wall, until: Wall) {
    let date = |wall: Wall| {
        let second = i64::try_from(wall.0).expect("not so late");
        time::OffsetDateTime::from_unix_timestamp(second).expect("not so late")
    };
    (params.not_before, params.not_after) = (date(from), date(until));
}

/// A device's name.
pub(super) fn name(user: &str, device: &str) -> DeviceName {
    DeviceName {
        user: UserName::parse(user).expect("a user's name"),
        device: DeviceLabel::parse(device).expect("a device's name"),
    }
}
