//! Every form of a key file comes to the same key, and a key that is cut, mixed up or of another kind to none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::testing::vectors;

#[test]
fn each_kind_reads_from_pkcs8_and_back() {
    for (name, kind) in [
        ("ed25519", KeyKind::Ed25519),
        ("p256", KeyKind::P256),
        ("p384", KeyKind::P384),
        ("rsa2048", KeyKind::Rsa { bits: 2048 }),
        ("rsa4096", KeyKind::Rsa { bits: 4096 }),
    ] {
        let key = DeviceKey::from_pkcs8(&vectors::pkcs8(name)).unwrap();
        assert_eq!((key.kind(), key.spki().kind()), (kind, Ok(kind)), "{name}");
        let back = DeviceKey::from_pkcs8(key.pkcs8()).unwrap();
        assert_eq!((back.spki(), back.pkcs8()), (key.spki(), key.pkcs8()), "{name}");
        assert_eq!(key.as_ed25519().is_some(), kind == KeyKind::Ed25519);
        assert_eq!(format!("{key:?}"), format!("DeviceKey({kind} of {})", key.spki().id()));
    }
}

#[test]
fn the_older_forms_come_to_the_same_key() {
    for name in ["p256", "p384"] {
        let key = DeviceKey::from_sec1(&vectors::secret(&format!("{name}.sec1"))).unwrap();
        assert_eq!(key.pkcs8(), DeviceKey::from_pkcs8(&vectors::pkcs8(name)).unwrap().pkcs8(), "{name}");
    }
    let bare = DeviceKey::from_sec1(&vectors::secret("p256-no-public.sec1")).unwrap();
    assert_eq!(bare.pkcs8(), DeviceKey::from_pkcs8(&vectors::pkcs8("p256")).unwrap().pkcs8());
    for name in ["rsa2048", "rsa4096"] {
        let key = DeviceKey::from_pkcs1(&vectors::secret(&format!("{name}.pkcs1"))).unwrap();
        assert_eq!(key.pkcs8(), DeviceKey::from_pkcs8(&vectors::pkcs8(name)).unwrap().pkcs8(), "{name}");
    }
}

#[test]
fn a_key_made_here_is_one_of_them() {
    let key = SecretKey::draw(&mut crate::testing::rng(1));
    let device = DeviceKey::from(&key);
    assert_eq!((device.spki(), device.kind()), (&key.spki(), KeyKind::Ed25519));
    assert_eq!(DeviceKey::from_pkcs8(&key.to_pkcs8()).unwrap().pkcs8(), &key.to_pkcs8()[..]);
}

#[test]
fn any_cut_of_a_key_is_refused() {
    for name in ["ed25519", "p256", "p384", "rsa2048"] {
        let der = vectors::pkcs8(name);
        for length in 0..der.len() {
            assert!(DeviceKey::from_pkcs8(&der[..length]).is_err(), "{name} cut at {length}");
        }
    }
    for (name, read) in [
        ("p256.sec1", DeviceKey::from_sec1 as fn(&[u8]) -> Result<DeviceKey, KeyRefusal>),
        ("rsa2048.pkcs1", DeviceKey::from_pkcs1),
    ] {
        let der = vectors::secret(name);
        for length in 0..der.len() {
            assert!(read(&der[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

#[test]
fn a_key_whose_parts_are_of_two_is_refused() {
    // The public point, or the modulus, of somebody else's.
    let mut p256 = vectors::pkcs8("p256");
    let generator = crate::testing::from_hex(
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    );
    let at = p256.len() - 64;
    p256[at..].copy_from_slice(&generator);
    assert_eq!(DeviceKey::from_pkcs8(&p256).unwrap_err(), KeyRefusal::Parts);
    let mut rsa = vectors::secret("rsa2048.pkcs1");
    rsa[100] ^= 1;
    assert_eq!(DeviceKey::from_pkcs1(&rsa).unwrap_err(), KeyRefusal::Parts);
}
