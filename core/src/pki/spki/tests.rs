//! Each kind in its one encoding is taken, at both edges of its bounds, and nothing else is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::*;
use crate::testing::vectors;

/// The key in a request of `vectors/keys`.
fn key_of(csr: &str) -> Vec<u8> {
    let csr = vectors::csr(csr);
    let (_, request) = X509CertificationRequest::from_der(&csr).unwrap();
    request.certification_request_info.subject_pki.raw.to_vec()
}

/// `SubjectPublicKeyInfo` of an RSA key of these numbers, as they are.
fn rsa_of(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let value = |tag: u8, contents: &[u8]| {
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        let head = match contents.len() {
            0..=0x7f => vec![tag, length[1]],
            0x80..=0xff => vec![tag, 0x81, length[1]],
            _ => vec![tag, 0x82, length[0], length[1]],
        };
        [&head, contents].concat()
    };
    let key = value(SEQUENCE, &[value(2, modulus), value(2, exponent)].concat());
    let algorithm = value(SEQUENCE, alg_id::RSA_ENCRYPTION.as_ref());
    value(SEQUENCE, &[algorithm, value(3, &[&[0][..], &key].concat())].concat())
}

/// An odd number of so many bits, with the zero in front that its sign asks for.
fn modulus(bits: usize) -> Vec<u8> {
    let mut number = vec![0xff; bits.div_ceil(8)];
    number[0] = 0xff >> ((8 - bits % 8) % 8);
    if number[0] & 0x80 != 0 {
        number.insert(0, 0);
    }
    number
}

const E: [u8; 3] = [1, 0, 1];

#[test]
fn the_four_kinds_are_what_they_are() {
    for (csr, kind) in [
        ("ed25519", KeyKind::Ed25519),
        ("p256", KeyKind::P256),
        ("p384", KeyKind::P384),
        ("rsa2048", KeyKind::Rsa { bits: 2048 }),
        ("rsa4096", KeyKind::Rsa { bits: 4096 }),
    ] {
        let der = key_of(csr);
        let key = Spki::parse(&der).unwrap();
        assert_eq!((key.kind(), key.der()), (Ok(kind), &der[..]), "{csr}");
    }
}

#[test]
fn any_other_key_is_refused_for_its_own_reason() {
    for (csr, refusal) in [
        ("rsa1024", KeyRefusal::RsaSize { bits: 1024 }),
        ("rsa2047", KeyRefusal::RsaSize { bits: 2047 }),
        ("rsa4104", KeyRefusal::RsaSize { bits: 4104 }),
        ("rsa8192", KeyRefusal::RsaSize { bits: 8192 }),
        ("rsa-e3", KeyRefusal::RsaExponent),
        ("rsa-e33-bits", KeyRefusal::RsaExponent),
        ("rsa-pss-only", KeyRefusal::Algorithm),
        ("p521", KeyRefusal::Curve),
        ("secp256k1", KeyRefusal::Curve),
        ("p256-explicit", KeyRefusal::Curve),
        ("p256-compressed", KeyRefusal::Point),
        ("ed448", KeyRefusal::Algorithm),
    ] {
        assert_eq!(Spki::parse(&key_of(csr)), Err(refusal), "{csr}");
    }
}

#[test]
fn rsa_is_bounded_at_both_edges() {
    let kind = |n: &[u8], e: &[u8]| Spki::parse(&rsa_of(n, e)).map(|key| key.kind().unwrap());
    for (bits, taken) in [(2047, false), (2048, true), (2049, true), (4095, true), (4096, true), (4097, false)] {
        let size = u16::try_from(bits).unwrap();
        let expected = if taken { Ok(KeyKind::Rsa { bits: size }) } else { Err(KeyRefusal::RsaSize { bits: size }) };
        assert_eq!(kind(&modulus(bits), &E), expected, "{bits}");
    }
    let n = modulus(2048);
    for (e, taken) in [
        (&[1, 0, 1][..], true),
        (&[0, 0xff, 0xff, 0xff, 0xff], true),
        (&[0, 0xff, 0xff], false),
        (&[3], false),
        (&[1], false),
        (&[1, 0, 2], false),
        (&[1, 0, 0, 0, 1], false),
    ] {
        assert_eq!(kind(&n, e).err(), (!taken).then_some(KeyRefusal::RsaExponent), "{e:?}");
    }
    let even = [&n[..n.len() - 1], &[0xfe]].concat();
    assert_eq!(kind(&even, &E), Err(KeyRefusal::RsaModulus));
    // The largest key that there is fits the bound of the journal, and not much else does.
    let largest = rsa_of(&modulus(4096), &[0, 0xff, 0xff, 0xff, 0xff]).len();
    assert!(largest <= SPKI_BYTES_MAX && largest + 100 > SPKI_BYTES_MAX, "{largest}");
    assert!(Spki::try_from(ByteBuf::from(vec![0; SPKI_BYTES_MAX])).is_ok());
    assert!(Spki::try_from(ByteBuf::from(vec![0; SPKI_BYTES_MAX + 1])).is_err());
}

#[test]
fn one_key_has_one_encoding() {
    let n = modulus(2048);
    let zero_more = [&[0][..], &n].concat();
    let negative = &n[1..];
    for (what, der) in [
        ("a zero too many", rsa_of(&zero_more, &E)),
        ("a negative modulus", rsa_of(negative, &E)),
        ("no modulus", rsa_of(&[], &E)),
        ("a zero before the exponent", rsa_of(&n, &[0, 1, 0, 1])),
    ] {
        assert_eq!(Spki::parse(&der), Err(KeyRefusal::Malformed), "{what}");
    }
    for csr in ["ed25519", "p256", "p384", "rsa2048"] {
        let der = key_of(csr);
        let mut longer = der.clone();
        longer.push(0);
        assert_eq!(Spki::parse(&longer), Err(KeyRefusal::Malformed), "{csr}");
        for length in 0..der.len() {
            assert!(Spki::parse(&der[..length]).is_err(), "{csr} cut at {length}");
        }
    }
    // RSA without its NULL, and a curve without a name.
    let without_null = rsa_of(&n, &E);
    let at = without_null.windows(2).position(|window| window == [5, 0]).unwrap();
    let mut swapped = without_null.clone();
    swapped[at] = 4;
    assert_eq!(Spki::parse(&swapped), Err(KeyRefusal::Algorithm));
    let off_the_curve = |csr: &str| {
        let mut der = key_of(csr);
        *der.last_mut().unwrap() ^= 1;
        Spki::parse(&der)
    };
    assert_eq!((off_the_curve("p256"), off_the_curve("p384")), (Err(KeyRefusal::Point), Err(KeyRefusal::Point)));
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Spki::parse(&bytes);
    }

    #[test]
    fn a_flipped_bit_gives_no_second_form_of_a_key(csr in 0usize..4, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let honest = key_of(["ed25519", "p256", "p384", "rsa2048"][csr]);
        let mut der = honest.clone();
        let at = at.index(der.len());
        der[at] ^= 1 << bit;
        // A key of other numbers may come of it, never one of another kind, and never by other bytes around them.
        if let Ok(key) = Spki::parse(&der) {
            let kinds = [&key, &Spki::parse(&honest).unwrap()].map(|key| std::mem::discriminant(&key.kind().unwrap()));
            prop_assert_eq!(kinds[0], kinds[1]);
            prop_assert!(at >= 12, "byte {} is of the frame", at);
        }
    }
}
