//! Requests as OpenSSL makes them (`vectors/keys`), on the operator's road: each kind taken, everything else refused.

use super::*;
use crate::pki::KeyKind;
use crate::testing::vectors;

fn check(der: &[u8]) -> Result<CheckedCsr, CsrRefusal> {
    let alice = Newcomer::alice();
    Csr::received(der)?.check_made_elsewhere(alice.name, &alice.realm)
}

#[test]
fn each_kind_of_key_and_signature_that_openssl_makes_is_taken() {
    for (csr, kind) in [
        ("ed25519", KeyKind::Ed25519),
        ("p256", KeyKind::P256),
        ("p256-sha512", KeyKind::P256),
        // Signed with SHA-256, as it is by default; what is taken is the key as it stands in the request.
        ("p384", KeyKind::P384),
        ("p384-sha384", KeyKind::P384),
        ("rsa2048", KeyKind::Rsa { bits: 2048 }),
        ("rsa2048-sha384", KeyKind::Rsa { bits: 2048 }),
        ("rsa2048-pss", KeyKind::Rsa { bits: 2048 }),
        ("rsa4096", KeyKind::Rsa { bits: 4096 }),
        ("asks-own-name", KeyKind::P256),
    ] {
        let checked = check(&vectors::csr(csr)).unwrap_or_else(|refusal| panic!("{csr}: {refusal}"));
        assert_eq!((checked.key().kind(), checked.name()), (Ok(kind), &Newcomer::alice().name), "{csr}");
    }
}

#[test]
fn what_is_wrong_has_its_number_and_its_sentence() {
    let key = CsrRefusal::Key;
    for (csr, refusal, part) in [
        (
            "rsa1024",
            key(KeyRefusal::RsaSize { bits: 1024 }),
            "CA-04: the RSA key has 1024 bits: use one of 2048 to 4096",
        ),
        ("rsa2047", key(KeyRefusal::RsaSize { bits: 2047 }), "2047 bits"),
        ("rsa4104", key(KeyRefusal::RsaSize { bits: 4104 }), "4104 bits"),
        ("rsa8192", key(KeyRefusal::RsaSize { bits: 8192 }), "8192 bits"),
        ("rsa-e3", key(KeyRefusal::RsaExponent), "an odd one from 65537 to 4294967295"),
        ("p521", key(KeyRefusal::Curve), "use P-256 or P-384"),
        ("secp256k1", key(KeyRefusal::Curve), "use P-256 or P-384"),
        ("p256-explicit", key(KeyRefusal::Curve), "by name"),
        ("p256-compressed", key(KeyRefusal::Point), "uncompressed"),
        ("ed448", key(KeyRefusal::Algorithm), "use Ed25519"),
        ("rsa-pss-only", key(KeyRefusal::Algorithm), "use Ed25519"),
        ("rsa2048-sha1", CsrRefusal::Algorithm, "CA-10: "),
        ("rsa2048-md5", CsrRefusal::Algorithm, "SHA-256, 384 or 512"),
        ("p256-sha1", CsrRefusal::Algorithm, "CA-10: "),
        ("rsa2048-pss-long-salt", CsrRefusal::Algorithm, "CA-10: "),
        ("asks-other-name", CsrRefusal::OtherName, "CA-07: "),
        ("asks-two-names", CsrRefusal::OtherName, "CA-07: "),
        ("asks-to-be-ca", CsrRefusal::WantsCa, "CA-06: "),
        ("asks-strange-extension", CsrRefusal::StrangeExtension, "CA-08: "),
    ] {
        let found = check(&vectors::csr(csr)).unwrap_err();
        assert_eq!(found, refusal, "{csr}");
        assert!(found.to_string().contains(part), "{csr}: {found}");
    }
}

#[test]
fn the_largest_key_fits_a_request_and_its_bound_is_a_bound() {
    let largest = vectors::csr("rsa4096").len();
    assert!(2 * largest < CSR_BYTES_MAX, "{largest}");
    let mut longer = vectors::csr("rsa4096");
    longer.resize(CSR_BYTES_MAX, 0);
    assert_eq!(check(&longer), Err(CsrRefusal::TrailingBytes));
    longer.push(0);
    assert_eq!(check(&longer), Err(CsrRefusal::TooLong));
}

#[test]
fn a_cut_or_altered_request_of_any_kind_is_refused() {
    for csr in ["p256", "p384", "rsa2048", "rsa2048-pss"] {
        let honest = vectors::csr(csr);
        for length in 0..honest.len() {
            assert!(check(&honest[..length]).is_err(), "{csr} cut at {length}");
        }
        for at in 0..honest.len() {
            let mut der = honest.clone();
            der[at] ^= 1 << (at % 8);
            assert!(check(&der).is_err(), "{csr} altered at {at}");
        }
    }
}

#[test]
fn somebody_elses_key_under_an_own_signature_is_no_proof() {
    // Two keys of one kind, so that only the signature tells: the control's frame with the other's point in it.
    let mut der = vectors::csr("p256");
    let other = vectors::csr("p256-sha512");
    assert!(check(&der).is_ok() && check(&other).is_ok());
    let point = der.windows(4).position(|window| window == [3, 0x42, 0, 4]).unwrap() + 4;
    let generator = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    der[point..point + 64].copy_from_slice(&crate::testing::from_hex(generator));
    assert_eq!(check(&der), Err(CsrRefusal::Possession));
}
