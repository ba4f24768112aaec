//! Project Wycheproof's vectors (`vectors/wycheproof`) at the doors where a stranger's key or signature arrives.
//!
//! | door | what is called |
//! | --- | --- |
//! | a public key in a request or certificate | [`Spki::parse`] |
//! | the signature of a request: proof of possession, CA-05 | [`Spki::verifies_by`] |
//! | the signature of a handshake, V-09 | `verify_signature`, as each of our verifiers calls it |
//! | the other side's share of a key agreement | every group of the provider that the programs use |
//!
//! "Valid" is accepted and "invalid" refused. Of what Wycheproof calls "acceptable", these are our decisions: a signature
//! with a NULL too few and a public key in any other encoding than its one are refused; an X25519 share on the twist or
//! not canonical is taken (RFC 7748 §5), one that gives zero is refused (RFC 8446 §7.4.2). A key outside of our bounds
//! (RSA with the exponent 3) is refused with everything that it signed, sound or not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at once"
)]

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use rustls::NamedGroup;
use rustls::internal::msgs::codec::{Codec, Reader};
use serde_json::Value;

use super::*;
use crate::pki::{SecretKey, Spki};
use crate::testing::{env, from_hex, rng, vectors};

/// The groups of a file and how many vectors it says that it has.
fn file(name: &str) -> (Vec<Value>, u64) {
    let mut file: Value = serde_json::from_slice(&vectors::file(&format!("wycheproof/{name}_test.json"))).unwrap();
    let count = file["numberOfTests"].as_u64().unwrap();
    (file["testGroups"].as_array_mut().unwrap().drain(..).collect(), count)
}

fn bytes(value: &Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap())
}

fn flags(test: &Value) -> Vec<&str> {
    test["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

/// What a handshake carries (RFC 8446 §4.4.3).
fn signed(scheme: SignatureScheme, signature: &[u8]) -> DigitallySignedStruct {
    let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
    let wire = [&u16::from(scheme).to_be_bytes()[..], &length, signature].concat();
    DigitallySignedStruct::read(&mut Reader::init(&wire)).unwrap()
}

/// A certificate with this key in it; who issued it nobody asks at this door.
fn certificate(key: &[u8]) -> CertificateDer<'static> {
    let issuer = rcgen::Issuer::from_params(&PARAMS, SecretKey::draw(&mut rng(1)));
    let key = rcgen::SubjectPublicKeyInfo::from_der(key).unwrap();
    PARAMS.signed_by(&key, &issuer).unwrap().der().clone()
}

static PARAMS: std::sync::LazyLock<rcgen::CertificateParams> = std::sync::LazyLock::new(|| {
    let mut params = rcgen::CertificateParams::default();
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[1]));
    params
});

/// Runs a file of signatures through both doors: `scheme` is how TLS carries them, `algorithm` how a request names them.
fn signatures(name: &str, scheme: Option<SignatureScheme>, algorithm: rustls_pki_types::AlgorithmIdentifier) {
    let env = env();
    let (groups, count) = file(name);
    let (mut seen, mut accepted) = (0, 0);
    for group in &groups {
        let der = bytes(&group["publicKeyDer"]);
        let key = Spki::parse(&der);
        // The only keys in these files that are none of ours.
        assert_eq!(key.is_err(), group["publicKey"]["publicExponent"] == "03", "{name}: {key:?}");
        let leaf = certificate(&der);
        for test in group["tests"].as_array().unwrap() {
            let what = format!("{name} {}: {} {:?}", test["tcId"], test["comment"], flags(test));
            let (message, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
            let good = match test["result"].as_str().unwrap() {
                "valid" => key.is_ok(),
                "acceptable" => {
                    assert_eq!(flags(test), ["MissingNull"], "{what}: nothing was decided about it");
                    false
                }
                _ => false,
            };
            if let Ok(key) = &key {
                assert_eq!(key.verifies_by(algorithm.as_ref(), &message, &signature), Some(good), "{what}");
                if scheme == Some(SignatureScheme::ED25519) {
                    assert_eq!(key.verifies(&message, &signature), good, "{what}");
                }
            }
            if let Some(scheme) = scheme {
                let verdict = verify_signature(&env, DEVICE_SCHEMES, &message, &leaf, &signed(scheme, &signature));
                assert_eq!(verdict.is_ok(), good, "{what}");
            }
            seen += 1;
            accepted += u64::from(good);
        }
    }
    assert_eq!(seen, count, "{name}");
    assert!(accepted > 0 && accepted < seen, "{name}: {accepted} of {seen}");
}

#[test]
fn ed25519_signatures() {
    signatures("ed25519", Some(SignatureScheme::ED25519), rustls_pki_types::alg_id::ED25519);
}

#[test]
fn p256_signatures() {
    let scheme = Some(SignatureScheme::ECDSA_NISTP256_SHA256);
    signatures("ecdsa_secp256r1_sha256", scheme, rustls_pki_types::alg_id::ECDSA_SHA256);
}

#[test]
fn p384_signatures() {
    let scheme = Some(SignatureScheme::ECDSA_NISTP384_SHA384);
    signatures("ecdsa_secp384r1_sha384", scheme, rustls_pki_types::alg_id::ECDSA_SHA384);
    // As `openssl req` signs by such a key. TLS has no scheme for it.
    signatures("ecdsa_secp384r1_sha256", None, rustls_pki_types::alg_id::ECDSA_SHA256);
}

#[test]
fn rsa_signatures() {
    use rustls_pki_types::alg_id;
    for (name, scheme, algorithm) in [
        ("rsa_pss_2048_sha256_mgf1_32", SignatureScheme::RSA_PSS_SHA256, alg_id::RSA_PSS_SHA256),
        ("rsa_pss_2048_sha384_mgf1_48", SignatureScheme::RSA_PSS_SHA384, alg_id::RSA_PSS_SHA384),
        ("rsa_pss_4096_sha512_mgf1_64", SignatureScheme::RSA_PSS_SHA512, alg_id::RSA_PSS_SHA512),
    ] {
        signatures(name, Some(scheme), algorithm);
    }
    signatures("rsa_signature_2048_sha256", None, alg_id::RSA_PKCS1_SHA256);
}

#[test]
fn a_signature_of_pkcs1_is_none_of_a_handshake_however_sound_it_is() {
    let (groups, count) = file("rsa_signature_2048_sha256");
    let mut seen = 0;
    for group in &groups {
        let leaf = certificate(&bytes(&group["publicKeyDer"]));
        for test in group["tests"].as_array().unwrap() {
            let signature = signed(SignatureScheme::RSA_PKCS1_SHA256, &bytes(&test["sig"]));
            let verdict = verify_signature(&env(), DEVICE_SCHEMES, &bytes(&test["msg"]), &leaf, &signature);
            assert!(verdict.is_err(), "{}", test["tcId"]);
            seen += 1;
        }
    }
    assert_eq!(seen, count);
}

#[test]
fn public_keys_that_are_on_another_curve_or_in_another_form() {
    let (groups, count) = file("ecdh_secp256r1");
    let (mut seen, mut accepted, mut shares) = (0, 0, 0);
    let env = env();
    let nist: Vec<_> = env.provider.kx_groups.iter().filter(|group| group.name() == NamedGroup::secp256r1).collect();
    let frame = from_hex("3059301306072a8648ce3d020106082a8648ce3d030107034200");
    for test in groups.iter().flat_map(|group| group["tests"].as_array().unwrap()) {
        let what = format!("{}: {} {:?}", test["tcId"], test["comment"], flags(test));
        let der = bytes(&test["public"]);
        let kind = Spki::parse(&der).and_then(|key| key.kind());
        // The same point as a share of a key agreement, where it stands in a frame that is sound.
        if let (Some(point), [group]) = (der.strip_prefix(&frame[..]).filter(|point| point.len() == 65), &nist[..]) {
            assert_eq!(group.start().unwrap().complete(point).is_ok(), test["result"] == "valid", "{what}");
            shares += 1;
        }
        if test["result"] == "valid" {
            assert_eq!(kind, Ok(KeyKind::P256), "{what}");
            accepted += 1;
        } else if flags(test) == ["WrongCurve"] {
            // Sound keys, of a kind that there is or is not.
            assert_ne!(kind, Ok(KeyKind::P256), "{what}");
        } else {
            assert!(kind.is_err(), "{what}: {kind:?}");
        }
        seen += 1;
    }
    assert_eq!((seen, accepted), (count, 330));
    assert!(shares > accepted, "{shares} shares, none of them off the curve");
}

#[test]
fn x25519_agreements() {
    let (groups, count) = file("x25519");
    let (mut seen, mut refused) = (0, 0);
    for test in groups.iter().flat_map(|group| group["tests"].as_array().unwrap()) {
        let what = format!("{}: {} {:?}", test["tcId"], test["comment"], flags(test));
        let (public, expected) = (bytes(&test["public"]), bytes(&test["shared"]));
        let good = !flags(test).contains(&"ZeroSharedSecret");
        assert!(good || test["result"] == "acceptable", "{what}");
        // The numbers themselves, by the function that the provider's groups call.
        let key = PrivateKey::from_private_key(&X25519, &bytes(&test["private"])).unwrap();
        let shared = agree(&key, UnparsedPublicKey::new(&X25519, &public), (), |shared| Ok(shared.to_vec()));
        assert_eq!(shared.ok(), good.then_some(expected), "{what}");
        // The verdict at the provider's own groups, whose secrets are drawn.
        for group in &env().provider.kx_groups {
            let offered = group.start().unwrap();
            let share = match group.name() {
                NamedGroup::X25519 => public.clone(),
                // The half of the hybrid that was agreed before stays sound (draft-ietf-tls-ecdhe-mlkem §4).
                NamedGroup::X25519MLKEM768 => {
                    let hello = with_tail(offered.pub_key(), &public);
                    assert_eq!(group.start_and_complete(&hello).is_ok(), good, "{what}: the hybrid, called");
                    with_tail(&group.start_and_complete(offered.pub_key()).unwrap().pub_key, &public)
                }
                _ => continue,
            };
            assert_eq!(offered.complete(&share).is_ok(), good, "{what}: {:?}", group.name());
        }
        seen += 1;
        refused += u64::from(!good);
    }
    assert_eq!((seen, refused), (count, 31));
}

/// A share whose last 32 bytes, which are X25519's, are these.
fn with_tail(share: &[u8], tail: &[u8]) -> Vec<u8> {
    [&share[..share.len() - tail.len()], tail].concat()
}
