//! What key and certificate files look like, and which are refused; OpenSSL as the second reader.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A new key.
fn key() -> DeviceKey {
    DeviceKey::from_pkcs8(Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref()).unwrap()
}

#[test]
fn a_key_comes_back_as_version_1_whichever_version_was_given() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key.pem");
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let (version_1, version_2) = (ed25519.to_pkcs8v1().unwrap(), ed25519.to_pkcs8().unwrap());
    assert_ne!(version_1.as_ref(), version_2.as_ref());
    let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    for (given, stored) in [(&version_1, &version_1), (&version_2, &version_1), (&p256, &p256)] {
        write_key(&path, &DeviceKey::from_pkcs8(given.as_ref()).unwrap()).unwrap();
        assert_eq!(read_key(&path).unwrap().pkcs8(), stored.as_ref());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn openssl_reads_our_key_and_we_read_openssls() {
    let place = tempfile::tempdir().unwrap();
    let (ours, theirs) = (place.path().join("ours"), place.path().join("theirs"));
    write_key(&ours, &key()).unwrap();
    let read = Command::new("openssl").args(["pkey", "-noout", "-in"]).arg(&ours).status();
    assert!(read.expect("openssl is installed").success());
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&theirs).status();
    assert!(made.expect("openssl is installed").success());
    fs::set_permissions(&theirs, Permissions::from_mode(0o600)).unwrap();
    read_key(&theirs).unwrap();
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key.pem");
    write_key(&path, &key()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let error = read_key(&path).unwrap_err();
    assert!(matches!(error, KeyError::File(FolderError::LooseMode { .. })), "{error}");
}

#[test]
fn a_key_of_a_kind_that_no_device_has_or_a_broken_one_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key.pem");
    let p521 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P521_SHA512_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    for (der, refusal) in
        [(p521.as_ref(), KeyRefusal::Curve), (&[0x30, 0], KeyRefusal::Malformed), (b"nonsense", KeyRefusal::Malformed)]
    {
        let pem = pem_rfc7468::encode_string(KEY_LABEL, LineEnding::LF, der).unwrap();
        write_file(&path, pem.as_bytes()).unwrap();
        let error = read_key(&path).unwrap_err();
        assert!(matches!(error, KeyError::Unsound { refusal: found, .. } if found == refusal), "{error}");
    }
}

#[test]
fn a_cut_or_encrypted_key_file_is_refused_without_showing_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key.pem");
    write_key(&path, &key()).unwrap();
    let pem = fs::read_to_string(&path).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    write_file(&path, &pem.as_bytes()[..pem.len() - 10]).unwrap();
    let error = read_key(&path).unwrap_err();
    assert!(matches!(error, KeyError::NotPem { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains(secret));
    let encrypted = pem.replace("PRIVATE", "ENCRYPTED PRIVATE");
    write_file(&path, encrypted.as_bytes()).unwrap();
    let error = read_key(&path).unwrap_err();
    assert!(matches!(&error, KeyError::OtherKind { found, .. } if found == "ENCRYPTED PRIVATE KEY"));
    assert!(!format!("{error} {error:?}").contains(secret));
}

#[test]
fn certificates_come_back_in_order_with_text_around_them_and_any_line_ends() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("chain.pem");
    let ders = [vec![1; 300], vec![2; 48], vec![3; 1]];
    write_certificates(&path, &ders).unwrap();
    assert_eq!(read_certificates(&path).unwrap(), ders);
    let pem = fs::read_to_string(&path).unwrap();
    let dressed = format!(
        "countersign://host:7443/chat.internal/ROOT\n\n{}\nthe end",
        pem.replace(BEGIN, "subject: leaf, -----BEGIN nothing\n-----BEGIN ")
    );
    for text in [dressed.replace('\n', "\r\n"), dressed] {
        write_file(&path, text.as_bytes()).unwrap();
        assert_eq!(read_certificates(&path).unwrap(), ders);
    }
}

#[test]
fn a_file_without_a_whole_certificate_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("chain.pem");
    for text in ["", "no block at all"] {
        write_file(&path, text.as_bytes()).unwrap();
        let error = read_certificates(&path).unwrap_err();
        assert!(matches!(error, KeyError::NoCertificate { .. }), "{error}");
    }
    write_certificates(&path, &[[1; 100], [2; 100]]).unwrap();
    let pem = fs::read_to_string(&path).unwrap();
    let broken = pem.replace("AQEB", "A*EB");
    for text in [&pem[..pem.len() - 30], &broken, &pem.replace(END, "----END "), "\u{0}"] {
        write_file(&path, text.as_bytes()).unwrap();
        assert!(read_certificates(&path).is_err(), "{text}");
    }
    let error = write_certificates::<Vec<u8>>(&path, &[]).unwrap_err();
    assert!(matches!(error, KeyError::NoCertificate { .. }), "{error}");
}

#[test]
fn a_secret_key_among_certificates_is_refused_without_showing_it() {
    let place = tempfile::tempdir().unwrap();
    let (chain, key_file) = (place.path().join("chain.pem"), place.path().join("key.pem"));
    write_certificates(&chain, &[[1; 100]]).unwrap();
    write_key(&key_file, &key()).unwrap();
    let secret = fs::read_to_string(&key_file).unwrap();
    let both = fs::read_to_string(&chain).unwrap() + &secret;
    write_file(&chain, both.as_bytes()).unwrap();
    let error = read_certificates(&chain).unwrap_err();
    assert!(matches!(&error, KeyError::OtherKind { found, .. } if found == KEY_LABEL));
    assert!(!error.to_string().contains(secret.lines().nth(1).unwrap()));
}

#[test]
fn more_certificates_than_the_bound_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("chain.pem");
    write_certificates(&path, &[[7; 10]; CERTIFICATES_MAX]).unwrap();
    assert_eq!(read_certificates(&path).unwrap().len(), CERTIFICATES_MAX);
    let pem = fs::read_to_string(&path).unwrap();
    let one = pem_rfc7468::encode_string(CERTIFICATE_LABEL, LineEnding::LF, b"one").unwrap();
    write_file(&path, (pem + &one).as_bytes()).unwrap();
    let error = read_certificates(&path).unwrap_err();
    assert!(matches!(error, KeyError::TooManyCertificates { .. }), "{error}");
}
