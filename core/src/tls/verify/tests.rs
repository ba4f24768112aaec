//! One certificate for each check of the table, made by the realm's own CA with one thing wrong, and one that passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Usage, IsCa, Issuer, SanType,
    SubjectPublicKeyInfo,
};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::public_key::PublicKey;

use super::*;
use crate::id::NameRefusal;
use crate::id::{DeviceLabel, UserName};
use crate::invite::TokenHash;
use crate::pki::{Founded, Grant, KeyRefusal, SecretKey, found_realm, profile};
use crate::testing::vectors;

const NOW: Wall = Wall(1_800_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DEVICE: &str = "laptop.alice.chat.internal";
/// `SubjectPublicKeyInfo` of the P-256 key whose secret is 1: its point is the curve's generator.
const P256: [u8; 91] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
    0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98,
    0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b,
    0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

type Der = CertificateDer<'static>;

fn key(seed: u64) -> SecretKey {
    SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn name(user: &str, device: &str) -> DeviceName {
    DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse(device).unwrap() }
}

/// A realm whose CA signs whatever it is told to.
struct House {
    founded: Founded,
    trust: Trust,
}

impl House {
    fn new(seed: u64) -> Self {
        let founded = found_realm(&Realm::default(), NOW, &mut ChaCha20Rng::seed_from_u64(seed));
        let trust = Trust::new(Realm::default(), Root::parse(&founded.root, NOW).unwrap());
        Self { founded, trust }
    }

    fn issuing(&self) -> Der {
        Der::from(self.founded.issuing.clone())
    }

    fn issuer(&self) -> Issuer<'static, SecretKey> {
        Issuer::from_ca_cert_der(&self.issuing(), self.founded.issuing_key.clone()).unwrap()
    }

    fn root_issuer(&self) -> Issuer<'static, SecretKey> {
        Issuer::from_ca_cert_der(&Der::from(self.founded.root.clone()), self.founded.root_key.clone()).unwrap()
    }

    /// A device's certificate with one thing changed.
    fn device(&self, change: impl FnOnce(&mut CertificateParams)) -> Der {
        self.sign(&changed(device_params(), change))
    }

    fn sign(&self, params: &CertificateParams) -> Der {
        params.signed_by(&key(7), &self.issuer()).unwrap().der().clone()
    }

    /// Judges a leaf by its chain, and as its CA judges its own work, which must agree.
    fn judge(&self, leaf: &Der) -> Result<Judged, CertRefusal> {
        let judged = self.judge_by(leaf, &[self.issuing()]);
        let ca = IssuingCa::judge(&self.trust, &self.issuing(), NOW).unwrap();
        assert_eq!(ca.judge_device(leaf, NOW, None), judged);
        judged
    }

    /// Judges a leaf on both sides of a handshake, by one who knows the issuing CA and by one who does not, who must agree.
    fn judge_by(&self, leaf: &Der, chain: &[Der]) -> Result<Judged, CertRefusal> {
        let as_client = judge_device(&self.trust, leaf, chain, Side::Client, NOW, None);
        for trust in [&self.trust, &self.knowing()] {
            for side in [Side::Client, Side::Server] {
                assert_eq!(judge_device(trust, leaf, chain, side, NOW, None), as_client);
            }
        }
        as_client
    }

    fn knowing(&self) -> Trust {
        self.trust.clone().knowing(&self.issuing(), NOW)
    }
}

fn device_params() -> CertificateParams {
    let grant = Grant {
        token: TokenHash([0; 32]),
        name: name("alice", "laptop"),
        key: key(7).spki(),
        serial: Serial::draw(&mut ChaCha20Rng::seed_from_u64(8)),
        not_before: NOW,
        not_after: NOW.plus(DAY),
        at: NOW,
    };
    profile::device(&Realm::default(), &grant)
}

fn changed(mut params: CertificateParams, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    change(&mut params);
    params
}

fn valid(params: &mut CertificateParams, from: Wall, until: Wall) {
    let date = |wall: Wall| time::OffsetDateTime::from_unix_timestamp(i64::try_from(wall.0).unwrap()).unwrap();
    (params.not_before, params.not_after) = (date(from), date(until));
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

#[test]
fn honest_certificates_pass_and_say_who_and_until_when() {
    let house = House::new(1);
    let leaf = house.device(|_| ());
    let proven = house.judge(&leaf).unwrap();
    assert_eq!((&proven.device, proven.key), (&name("alice", "laptop"), key(7).spki().id()));
    assert_eq!(proven.not_after, NOW.plus(DAY));
    let called = Some(name("alice", "laptop"));
    assert!(judge_device(&house.trust, &leaf, &[house.issuing()], Side::Server, NOW, called.as_ref()).is_ok());
    let serial = Serial::draw(&mut ChaCha20Rng::seed_from_u64(9));
    let relay = house.sign(&profile::relay(&Realm::default(), serial, NOW, NOW.plus(DAY)));
    assert_eq!(house.trust.judge_relay(&relay, &[house.issuing()], NOW), Ok(()));
    // A chain that brings the root along is as good.
    let root = Der::from(house.founded.root.clone());
    assert_eq!(house.trust.judge_relay(&relay, &[house.issuing(), root], NOW), Ok(()));
    let subject = house.trust.judge_issuing(&house.issuing(), NOW).unwrap();
    assert_eq!(subject.key, house.founded.issuing_key.spki().id());
}

#[test]
fn a_root_must_be_a_root() {
    let honest = |change: fn(&mut CertificateParams)| {
        let serial = Serial::draw(&mut ChaCha20Rng::seed_from_u64(9));
        changed(profile::root(&Realm::default(), serial, NOW), change)
    };
    let self_signed = |params: CertificateParams| params.self_signed(&key(1)).unwrap().der().to_vec();
    let root = self_signed(honest(|_| ()));
    assert!(Root::parse(&root, NOW).is_ok());

    let no_ca = self_signed(honest(|params| params.is_ca = IsCa::ExplicitNoCa));
    let deep = self_signed(honest(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)));
    let flat = self_signed(honest(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))));
    let house = House::new(1);
    let signed_by_another = honest(|_| ()).signed_by(&key(2), &house.root_issuer()).unwrap().der().to_vec();
    for (what, der) in [("no CA", &no_ca), ("deep", &deep), ("flat", &flat), ("another's", &signed_by_another)] {
        assert_eq!(Root::parse(der, NOW).unwrap_err(), CertRefusal::BadRoot, "{what}");
    }
    assert_eq!(Root::parse(&house.founded.issuing, NOW).unwrap_err(), CertRefusal::BadRoot);

    let foreign_key = SubjectPublicKeyInfo::from_der(&P256).unwrap();
    let p256 = honest(|_| ()).signed_by(&foreign_key, &house.root_issuer()).unwrap().der().to_vec();
    assert_eq!(Root::parse(&p256, NOW).unwrap_err(), CertRefusal::Algorithm);

    let mut longer = root.clone();
    longer.push(0);
    for der in [&longer[..], &root[..root.len() - 1], &[], &[0x30; CERTIFICATE_BYTES_MAX + 1]] {
        assert_eq!(Root::parse(der, NOW).unwrap_err(), CertRefusal::Malformed);
    }
    let short = self_signed(honest(|params| valid(params, NOW, NOW.plus(DAY))));
    for (at, refusal) in [
        (NOW.minus(DAY), Some(CertRefusal::NotYetValid)),
        (NOW, None),
        (NOW.plus(DAY), None),
        (NOW.plus(2 * DAY), Some(CertRefusal::Expired)),
    ] {
        assert_eq!(Root::parse(&short, at).err(), refusal, "at {at}");
    }
}

#[test]
fn a_ca_that_differs_from_an_honest_one_where_its_signature_does_not_cover_it() {
    let house = House::new(1);
    let (root, issuing) = (&house.founded.root, &house.founded.issuing);
    // The algorithm's last arc, behind the signed part; and a signature that says to have bits that don't count.
    for back in [70, 65] {
        let altered = |der: &[u8]| {
            let mut der = der.to_vec();
            let at = der.len() - back;
            der[at] ^= 1;
            der
        };
        assert_eq!(Root::parse(&altered(root), NOW).unwrap_err(), CertRefusal::Malformed, "{back}");
        let altered = CertificateDer::from(altered(issuing));
        assert_eq!(house.trust.judge_issuing(&altered, NOW), Err(CertRefusal::Malformed), "{back}");
    }
}

#[test]
fn foreign_and_self_signed() {
    let (house, foreign) = (House::new(1), House::new(2));
    // The two realms have the same names everywhere and other keys.
    let leaf = foreign.device(|_| ());
    for chain in [vec![foreign.issuing()], vec![house.issuing()], vec![foreign.issuing(), house.issuing()], vec![]] {
        assert_eq!(house.judge_by(&leaf, &chain), Err(CertRefusal::ForeignIssuer), "{} in the chain", chain.len());
    }
    let self_signed = device_params().self_signed(&key(7)).unwrap().der().clone();
    assert_eq!(house.judge(&self_signed), Err(CertRefusal::SelfSigned));
    assert_eq!(house.trust.judge_issuing(&foreign.issuing(), NOW), Err(CertRefusal::ForeignIssuer));
}

#[test]
fn expired_and_not_yet_valid() {
    let house = House::new(1);
    let leaf = house.device(|params| valid(params, NOW, NOW.plus(DAY)));
    let judge = |leaf: &Der, issuing: &Der, at| {
        let judge =
            |trust: &Trust| judge_device(trust, leaf, std::slice::from_ref(issuing), Side::Client, at, None).err();
        assert_eq!(judge(&house.trust.clone().knowing(issuing, NOW)), judge(&house.trust));
        judge(&house.trust)
    };
    for (at, refusal) in [
        (NOW.minus(Duration::from_secs(1)), Some(CertRefusal::NotYetValid)),
        (NOW, None),
        (NOW.plus(DAY), None),
        (NOW.plus(DAY + Duration::from_secs(1)), Some(CertRefusal::Expired)),
        (NOW.plus(400 * DAY), Some(CertRefusal::Expired)),
        (NOW.plus(4000 * DAY), Some(CertRefusal::Expired)),
        (NOW.minus(DAY), Some(CertRefusal::NotYetValid)),
    ] {
        assert_eq!(judge(&leaf, &house.issuing(), at), refusal, "at {at}");
    }
    for (from, until, refusal) in [
        (NOW.minus(2 * DAY), NOW.minus(DAY), CertRefusal::Expired),
        (NOW.plus(DAY), NOW.plus(2 * DAY), CertRefusal::NotYetValid),
    ] {
        let serial = Serial::draw(&mut ChaCha20Rng::seed_from_u64(9));
        let params = changed(profile::issuing(&Realm::default(), serial, NOW, NOW.plus(DAY)), |params| {
            valid(params, from, until);
        });
        let issuing = params.signed_by(&house.founded.issuing_key, &house.root_issuer()).unwrap().der().clone();
        assert_eq!(judge(&leaf, &issuing, NOW), Some(refusal), "an issuer's validity counts as the leaf's own");
        assert_eq!(house.trust.judge_issuing(&issuing, NOW), Err(refusal));
    }
}

#[test]
fn a_ca_is_no_leaf_and_a_leaf_no_ca() {
    let house = House::new(1);
    let ca = house.device(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    assert_eq!(house.judge(&ca), Err(CertRefusal::CaAsLeaf));
    assert_eq!(house.judge_by(&house.issuing(), &[]), Err(CertRefusal::CaAsLeaf));

    let by = |der: &Der| {
        let issuer = Issuer::from_ca_cert_der(der, key(7)).unwrap();
        let leaf = device_params().signed_by(&key(8), &issuer).unwrap().der().clone();
        house.judge_by(&leaf, &[der.clone(), house.issuing()])
    };
    assert_eq!(by(&house.device(|_| ())), Err(CertRefusal::BadChain), "a device issues nothing");
    assert_eq!(by(&ca), Err(CertRefusal::BadChain), "under an issuing CA there is no other");
    let leaf = house.device(|_| ());
    assert_eq!(house.judge_by(&leaf, &[house.issuing(), ca.clone(), ca]), Err(CertRefusal::BadChain), "too long");
    assert_eq!(house.trust.judge_issuing(&leaf, NOW), Err(CertRefusal::BadChain));
}

#[test]
fn wrong_or_missing_usage() {
    let house = House::new(1);
    let with = |other| vec![Usage::ServerAuth, Usage::ClientAuth, other];
    for usages in [
        vec![],
        vec![Usage::ServerAuth],
        vec![Usage::ClientAuth],
        vec![Usage::ServerAuth, Usage::ClientAuth, Usage::CodeSigning],
        vec![Usage::ServerAuth, Usage::ClientAuth, Usage::Any],
        vec![Usage::Any],
        with(Usage::EmailProtection),
        with(Usage::TimeStamping),
        with(Usage::OcspSigning),
        with(Usage::Other(vec![1, 3, 6, 1, 4, 1, 99999, 1])),
    ] {
        let leaf = house.device(|params| params.extended_key_usages.clone_from(&usages));
        assert_eq!(house.judge(&leaf), Err(CertRefusal::WrongUsage), "{usages:?}");
    }
    for usages in [vec![], vec![Usage::ClientAuth], vec![Usage::ServerAuth, Usage::ClientAuth]] {
        let leaf = house.device(|params| {
            params.subject_alt_names = vec![dns("relay.chat.internal")];
            params.extended_key_usages.clone_from(&usages);
        });
        let judged = house.trust.judge_relay(&leaf, &[house.issuing()], NOW);
        assert_eq!(judged, Err(CertRefusal::WrongUsage), "a relay's, {usages:?}");
    }
}

#[test]
fn names_that_are_none() {
    let house = House::new(1);
    let mail = SanType::Rfc822Name("alice@chat.internal".try_into().unwrap());
    let uri = SanType::URI("https://laptop.alice.chat.internal/".try_into().unwrap());
    for (names, refusal) in [
        (vec![], CertRefusal::NoName),
        (vec![dns("*.alice.chat.internal")], CertRefusal::Wildcard),
        (vec![dns("*.chat.internal")], CertRefusal::Wildcard),
        (vec![mail.clone()], CertRefusal::NameKind),
        (vec![uri], CertRefusal::NameKind),
        (vec![SanType::IpAddress("127.0.0.1".parse().unwrap())], CertRefusal::NameKind),
        (vec![dns(DEVICE), dns("laptop.bob.chat.internal")], CertRefusal::ManyNames),
        (vec![dns(DEVICE), dns(DEVICE)], CertRefusal::ManyNames),
        (vec![dns(DEVICE), mail], CertRefusal::ManyNames),
    ] {
        let leaf = house.device(|params| params.subject_alt_names.clone_from(&names));
        assert_eq!(house.judge(&leaf), Err(refusal), "{names:?}");
    }
}

#[test]
fn names_outside_the_realm() {
    let house = House::new(1);
    for (text, refusal) in [
        ("laptop.alice.chat.example", CertRefusal::OutsideRealm),
        ("laptop.alice.evilchat.internal", CertRefusal::OutsideRealm),
        ("chat.internal", CertRefusal::NotADevice(NameRefusal::NotOfRealm)),
        ("alice.chat.internal", CertRefusal::NotADevice(NameRefusal::NotOfRealm)),
        ("relay.chat.internal", CertRefusal::NotADevice(NameRefusal::NotOfRealm)),
        ("x.laptop.alice.chat.internal", CertRefusal::NotADevice(NameRefusal::NotOfRealm)),
        ("laptop.relay.chat.internal", CertRefusal::NotADevice(NameRefusal::Reserved)),
        ("laptop.Alice.chat.internal", CertRefusal::NotADevice(NameRefusal::UpperCase)),
        ("laptop.alice.CHAT.internal", CertRefusal::NotADevice(NameRefusal::NotOfRealm)),
        ("laptop.xn--lice-8ua.chat.internal", CertRefusal::NotADevice(NameRefusal::Punycode)),
    ] {
        let leaf = house.device(|params| params.subject_alt_names = vec![dns(text)]);
        assert_eq!(house.judge(&leaf), Err(refusal), "{text}");
    }
    let leaf = house.device(|params| {
        params.subject_alt_names = vec![dns(DEVICE)];
        params.extended_key_usages = vec![Usage::ServerAuth];
    });
    assert_eq!(house.trust.judge_relay(&leaf, &[house.issuing()], NOW), Err(CertRefusal::OtherName));
}

#[test]
fn another_name_than_called() {
    let house = House::new(1);
    let leaf = house.device(|_| ());
    for (user, device) in [("bob", "laptop"), ("alice", "phone"), ("a1ice", "laptop")] {
        for side in [Side::Client, Side::Server] {
            let judged = judge_device(&house.trust, &leaf, &[house.issuing()], side, NOW, Some(&name(user, device)));
            assert_eq!(judged, Err(CertRefusal::OtherName), "{user}/{device}");
        }
    }
}

#[test]
fn another_algorithm() {
    let house = House::new(1);
    let p256 = SubjectPublicKeyInfo::from_der(&P256).unwrap();
    let serial = Serial::draw(&mut ChaCha20Rng::seed_from_u64(9));
    let relay = profile::relay(&Realm::default(), serial, NOW, NOW.plus(DAY));
    let relay = relay.signed_by(&p256, &house.issuer()).unwrap().der().clone();
    assert_eq!(house.trust.judge_relay(&relay, &[house.issuing()], NOW), Err(CertRefusal::Algorithm));
    // An issuing CA with such a key, under the genuine root: what it signed is not looked at.
    let issuing = profile::issuing(&Realm::default(), serial, NOW, NOW.plus(DAY));
    let issuing = issuing.signed_by(&p256, &house.root_issuer()).unwrap().der().clone();
    assert_eq!(house.judge_by(&house.device(|_| ()), std::slice::from_ref(&issuing)), Err(CertRefusal::Algorithm));
    assert_eq!(house.trust.judge_issuing(&issuing, NOW), Err(CertRefusal::Algorithm));
}

#[test]
fn a_device_key_of_each_kind() {
    let house = House::new(1);
    let leaf = |csr: &str| {
        let csr = vectors::csr(csr);
        let (_, request) = X509CertificationRequest::from_der(&csr).unwrap();
        let key = RawKey::of(&request.certification_request_info.subject_pki);
        device_params().signed_by(&key, &house.issuer()).unwrap().der().clone()
    };
    for good in ["ed25519", "p256", "p384", "rsa2048", "rsa4096"] {
        assert!(house.judge(&leaf(good)).is_ok(), "{good}");
    }
    for (bad, refusal) in [
        ("rsa1024", KeyRefusal::RsaSize { bits: 1024 }),
        ("rsa2047", KeyRefusal::RsaSize { bits: 2047 }),
        ("rsa4104", KeyRefusal::RsaSize { bits: 4104 }),
        ("rsa8192", KeyRefusal::RsaSize { bits: 8192 }),
        ("rsa-e3", KeyRefusal::RsaExponent),
        ("p521", KeyRefusal::Curve),
        ("p256-compressed", KeyRefusal::Point),
    ] {
        assert_eq!(house.judge(&leaf(bad)), Err(CertRefusal::Key(refusal)), "{bad}");
    }
}

/// The key of a request as it is, for a CA that does not look at it.
struct RawKey(Vec<u8>, &'static rcgen::SignatureAlgorithm);

impl RawKey {
    fn of(key: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = match key.parsed().unwrap() {
            PublicKey::RSA(_) => &rcgen::PKCS_RSA_SHA256,
            PublicKey::EC(point) => match point.key_size() {
                384 => &rcgen::PKCS_ECDSA_P384_SHA384,
                521 | 528 => &rcgen::PKCS_ECDSA_P521_SHA512,
                _ => &rcgen::PKCS_ECDSA_P256_SHA256,
            },
            PublicKey::DSA(_) | PublicKey::GostR3410(_) | PublicKey::GostR3410_2012(_) | PublicKey::Unknown(_) => {
                &rcgen::PKCS_ED25519
            }
        };
        Self(key.subject_public_key.data.to_vec(), algorithm)
    }
}

impl rcgen::PublicKeyData for RawKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.1
    }
}

#[test]
fn a_certificate_that_says_too_much_or_what_nobody_understands() {
    let house = House::new(1);
    let strange = |critical: bool| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0]);
        extension.set_criticality(critical);
        house.judge(&house.device(|params| params.custom_extensions = vec![extension])).err()
    };
    assert_eq!(strange(true), Some(CertRefusal::CriticalExtension));
    assert_eq!(strange(false), None);
    // The alternative name of somebody else, as an extension of its own beside the honest one.
    let bob = [&[0x30, 26, 0x82, 24][..], b"laptop.bob.chat.internal"].concat();
    let twice = house.device(|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], bob)];
    });
    let long = house.device(|params| {
        let filling = vec![0; CERTIFICATE_BYTES_MAX];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], filling)];
    });
    let short_serial = house.device(|params| params.serial_number = Some(7u64.into()));
    for (what, leaf) in [("twice", twice), ("long", long), ("serial", short_serial), ("empty", Der::from(vec![]))] {
        assert_eq!(house.judge(&leaf), Err(CertRefusal::Malformed), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_of_an_honest_certificate_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let house = House::new(1);
        let mut der = house.device(|_| ()).to_vec();
        let at = at.index(der.len());
        der[at] ^= 1 << bit;
        let (leaf, chain) = (Der::from(der), [house.issuing()]);
        for side in [Side::Client, Side::Server] {
            prop_assert!(judge_device(&house.trust, &leaf, &chain, side, NOW, None).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let house = House::new(1);
        prop_assert!(Root::parse(&bytes, NOW).is_err());
        prop_assert!(house.judge(&Der::from(bytes)).is_err());
    }
}

#[test]
fn the_root_is_the_anchor_and_no_link_of_the_paths_that_are_tried() {
    let founded = found_realm(&Realm::default(), crate::testing::START, &mut crate::testing::rng(1));
    let trust = crate::testing::authority(&founded).trust().clone();
    let chain: Vec<CertificateDer<'_>> = vec![founded.issuing.clone().into(), founded.root.clone().into()];
    assert_eq!(trust.without_root(&chain), chain[..1]);
}
