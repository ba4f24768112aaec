//! One request for each check of the table, and one that passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::*;
use crate::id::{DeviceLabel, Serial, UserName};
use crate::pki::renewal_message;

mod made_elsewhere;

struct Newcomer {
    key: SecretKey,
    name: DeviceName,
    realm: Realm,
    exporter: Exporter,
    token: TokenHash,
}

impl Newcomer {
    fn alice() -> Self {
        let name =
            DeviceName { user: UserName::parse("alice").unwrap(), device: DeviceLabel::parse("laptop").unwrap() };
        Self {
            key: SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1)),
            name,
            realm: Realm::default(),
            exporter: Exporter::for_tests([3; 32]),
            token: TokenHash([4; 32]),
        }
    }

    fn signature(&self) -> [u8; 64] {
        self.key.sign(&binding_message(&self.exporter, self.token, &self.name))
    }

    fn check(&self, der: &[u8]) -> Result<CheckedCsr, CsrRefusal> {
        self.check_bound(der, &self.signature())
    }

    fn check_bound(&self, der: &[u8], signature: &[u8; 64]) -> Result<CheckedCsr, CsrRefusal> {
        let binding = Binding { exporter: &self.exporter, token: self.token, signature };
        Csr::received(der)?.check(self.name.clone(), &self.realm, &binding)
    }

    fn request(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        change(&mut params);
        params.serialize_request(&self.key).unwrap().der().to_vec()
    }
}

#[test]
fn an_honest_request_passes_and_gives_its_key_and_name() {
    let alice = Newcomer::alice();
    let csr = Csr::make(&alice.key, &alice.name, &alice.realm);
    let checked = alice.check(csr.der()).unwrap();
    assert_eq!(checked.key(), &alice.key.spki());
    assert_eq!(checked.name(), &alice.name);
    let asks_usages = alice.request(|params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.is_ca = IsCa::ExplicitNoCa;
    });
    assert!(alice.check(&asks_usages).is_ok());
}

#[test]
fn a_request_that_is_too_long() {
    assert_eq!(Newcomer::alice().check(&[0x30; CSR_BYTES_MAX + 1]), Err(CsrRefusal::TooLong));
}

#[test]
fn bytes_that_are_no_request() {
    let alice = Newcomer::alice();
    assert_eq!(alice.check(b""), Err(CsrRefusal::Malformed));
    let csr = Csr::make(&alice.key, &alice.name, &alice.realm);
    for length in 0..csr.der().len() {
        assert_eq!(alice.check(&csr.der()[..length]), Err(CsrRefusal::Malformed), "cut at {length}");
    }
}

#[test]
fn a_request_with_trailing_bytes() {
    let alice = Newcomer::alice();
    let mut der = Csr::make(&alice.key, &alice.name, &alice.realm).der().to_vec();
    der.push(0);
    assert_eq!(alice.check(&der), Err(CsrRefusal::TrailingBytes));
}

#[test]
fn a_key_of_another_kind() {
    let alice = Newcomer::alice();
    for csr in ["p256", "p384", "rsa2048", "rsa4096", "ed448", "p521", "rsa1024"] {
        assert_eq!(alice.check(&crate::testing::vectors::csr(csr)), Err(CsrRefusal::KeyKind), "{csr}");
    }
}

#[test]
fn a_key_for_which_everybody_can_sign() {
    let alice = Newcomer::alice();
    let mut neutral = [0; 32];
    neutral[0] = 1;
    // A signature of any message, if the point that adds nothing is a key.
    let signature: [u8; 64] = std::array::from_fn(|n| u8::from(n == 0));
    let honest = Csr::make(&alice.key, &alice.name, &alice.realm).der().to_vec();
    let at = honest.windows(32).position(|window| window == &alice.key.spki().der()[12..]).unwrap();
    let mut der = honest.clone();
    der[at..at + 32].copy_from_slice(&neutral);
    let end = der.len();
    der[end - 64..].copy_from_slice(&signature);
    assert_eq!(alice.check_bound(&der, &signature), Err(CsrRefusal::KeyKind));
}

#[test]
fn a_broken_proof_of_possession() {
    let alice = Newcomer::alice();
    let mut der = Csr::make(&alice.key, &alice.name, &alice.realm).der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    assert_eq!(alice.check(&der), Err(CsrRefusal::Possession));
}

#[test]
fn a_request_with_somebody_elses_key_in_it() {
    let alice = Newcomer::alice();
    let other = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(2));
    let mut der = Csr::make(&alice.key, &alice.name, &alice.realm).der().to_vec();
    let own = alice.key.spki();
    let at = der.windows(44).position(|window| window == own.der()).unwrap();
    der[at..at + 44].copy_from_slice(other.spki().der());
    assert_eq!(alice.check(&der), Err(CsrRefusal::Possession));
}

#[test]
fn a_request_to_be_a_ca() {
    let alice = Newcomer::alice();
    let wants_ca = alice.request(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(alice.check(&wants_ca), Err(CsrRefusal::WantsCa));
    let wants_to_sign = alice.request(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    assert_eq!(alice.check(&wants_to_sign), Err(CsrRefusal::WantsCa));
}

#[test]
fn a_request_for_another_name() {
    let alice = Newcomer::alice();
    for name in
        ["laptop.bob.chat.internal", "*.alice.chat.internal", "relay.chat.internal", "LAPTOP.alice.chat.internal"]
    {
        let der = alice.request(|params| {
            params.subject_alt_names = vec![
                rcgen::SanType::DnsName("laptop.alice.chat.internal".try_into().unwrap()),
                rcgen::SanType::DnsName(name.try_into().unwrap()),
            ];
        });
        assert_eq!(alice.check(&der), Err(CsrRefusal::OtherName), "{name}");
    }
    let mail = alice.request(|params| {
        params.subject_alt_names = vec![rcgen::SanType::Rfc822Name("alice@chat.internal".try_into().unwrap())];
    });
    assert_eq!(alice.check(&mail), Err(CsrRefusal::OtherName));
}

#[test]
fn a_request_for_a_strange_extension() {
    let alice = Newcomer::alice();
    let der = alice.request(|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0])];
    });
    assert_eq!(alice.check(&der), Err(CsrRefusal::StrangeExtension));
}

#[test]
fn a_binding_of_another_session() {
    let alice = Newcomer::alice();
    let csr = Csr::make(&alice.key, &alice.name, &alice.realm);
    let sign = |exporter: [u8; 32], token: [u8; 32], user: &str| {
        let name = DeviceName { user: UserName::parse(user).unwrap(), device: alice.name.device.clone() };
        alice.key.sign(&binding_message(&Exporter::for_tests(exporter), TokenHash(token), &name))
    };
    assert!(alice.check_bound(csr.der(), &sign([3; 32], [4; 32], "alice")).is_ok());
    for signature in [
        sign([9; 32], [4; 32], "alice"),
        sign([3; 32], [9; 32], "alice"),
        sign([3; 32], [4; 32], "bob"),
        alice.key.sign(b"something else"),
    ] {
        assert_eq!(alice.check_bound(csr.der(), &signature), Err(CsrRefusal::Binding));
    }
}

/// The table of key uses in `SECURITY.md`: each use is told by its first bytes.
#[test]
fn no_input_of_one_use_of_a_key_is_one_of_another() {
    let alice = Newcomer::alice();
    let csr = Csr::make(&alice.key, &alice.name, &alice.realm);
    // The signed part of the request begins after the outer header.
    let outer = if csr.der()[1] == 0x81 { 3 } else { 2 };
    let request = &csr.der()[outer..];
    let binding = binding_message(&alice.exporter, alice.token, &alice.name);
    // RFC 8446 §4.4.3
    let [client, server] =
        ["client", "server"].map(|side| format!("{}TLS 1.3, {side} CertificateVerify\0", " ".repeat(64)));
    let note = crate::tlog::NoteName::of_log(&alice.realm, 1).to_string();
    let renewal = renewal_message(&alice.exporter, Serial([4; 16]), &alice.name);
    let word = crate::pki::endorsement::endorsement_message(&alice.realm, &alice.name, crate::id::KeyId([5; 32]));
    let arming = crate::pki::recovery::arming_message(&alice.realm, &alice.name.user, crate::id::KeyId([5; 32]));
    // The recovery key's only use, told apart from the others' all the same.
    let recovery = crate::pki::recovery::recovery_message(&alice.realm, &alice.name, crate::id::KeyId([5; 32]));
    let reason = crate::tlog::ReasonCode::new(1).unwrap();
    let withdrawal = crate::pki::withdrawal::withdrawal_message(&alice.realm, &alice.name, reason);
    let handshakes = [client.as_bytes(), server.as_bytes()];
    // RFC 9420 §5.1.2, with its labels' lengths as §2.1.2 has them.
    let mls = ["LeafNodeTBS", "KeyPackageTBS", "GroupInfoTBS", "FramedContentTBS"].map(|label| {
        let label = format!("MLS 1.0 {label}");
        [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()
    });
    let words = [&binding[..], &renewal, &word, &arming, &recovery, &withdrawal];
    let uses: Vec<&[u8]> = [request, note.as_bytes()]
        .into_iter()
        .chain(handshakes)
        .chain(words)
        .chain(mls.iter().map(Vec::as_slice))
        .collect();
    for (n, one) in uses.iter().enumerate() {
        for other in uses.iter().skip(n + 1) {
            let common = one.len().min(other.len());
            assert_ne!(one[..common], other[..common], "one is the beginning of the other");
        }
    }
    assert_eq!(request[0], 0x30);
    assert!(word.starts_with(b"countersign endorsement v1\0"));
    assert!(arming.starts_with(b"countersign recovery key v1\0"));
    assert!(recovery.starts_with(b"countersign recovered device v1\0"));
    assert!(withdrawal.starts_with(b"countersign withdrawal v1\0"));
    assert!(binding.starts_with(b"countersign ") && renewal.starts_with(b"countersign "));
}

/// Found by the property below: the count of unused bits in front of the signature is outside of what is signed.
#[test]
fn an_altered_byte_outside_of_the_signed_part() {
    let alice = Newcomer::alice();
    let mut der = Csr::make(&alice.key, &alice.name, &alice.realm).der().to_vec();
    let at = der.len() - 65;
    der[at] ^= 1;
    assert_eq!(alice.check(&der), Err(CsrRefusal::Malformed));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Newcomer::alice().check(&bytes).is_err());
    }

    #[test]
    fn any_flipped_bit_of_an_honest_request_is_refused(at in 0usize..300, bit in 0u8..8) {
        let alice = Newcomer::alice();
        let mut der = Csr::make(&alice.key, &alice.name, &alice.realm).der().to_vec();
        let at = at % der.len();
        der[at] ^= 1 << bit;
        prop_assert!(alice.check(&der).is_err());
    }
}
