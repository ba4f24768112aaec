//! What is asked of the work and the scheme of an encrypted key, on structures made by hand; OpenSSL's are in `foreign`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use countersign_core::limits::KEY_FILE_ROUNDS;

use super::*;
use crate::entropy::OsEntropy;

const AES_256_CBC: [u8; 1] = [42];
const HMAC_SHA256: [u8; 1] = [9];

fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = u8::try_from(contents.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, contents].concat()
}

fn integer(number: u32) -> Vec<u8> {
    let bytes = [&[0][..], &number.to_be_bytes()].concat();
    let zeros = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    value(2, &[&bytes[zeros..]])
}

fn sealed(rounds: u32, key_length: Option<u32>, digest: &[u8], cipher: &[u8], iv: usize) -> Vec<u8> {
    let id = |start: &[u8], end: &[u8]| value(OBJECT_IDENTIFIER, &[start, end]);
    let digest = value(SEQUENCE, &[&id(&DIGESTS, digest), &[NULL, 0]]);
    let length = key_length.map(integer).unwrap_or_default();
    let parameters = value(SEQUENCE, &[&value(OCTET_STRING, &[b"saltsalt"]), &integer(rounds), &length, &digest]);
    let derivation = value(SEQUENCE, &[&id(&PBKDF2, &[]), &parameters]);
    let encryption = value(SEQUENCE, &[&id(&AES, cipher), &value(OCTET_STRING, &[&vec![1; iv]])]);
    let scheme = value(SEQUENCE, &[&id(&PBES2, &[]), &value(SEQUENCE, &[&derivation, &encryption])]);
    value(SEQUENCE, &[&scheme, &value(OCTET_STRING, &[&[7; 32]])])
}

fn read(der: &[u8]) -> Result<(), SealError> {
    Sealed::read(der).map(drop)
}

#[test]
fn the_rounds_are_bounded_before_anything_is_computed() {
    let of = |rounds| read(&sealed(rounds, None, &HMAC_SHA256, &AES_256_CBC, 16));
    assert_eq!((of(1), of(2048), of(KEY_FILE_ROUNDS_MAX)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(of(KEY_FILE_ROUNDS_MAX + 1), Err(SealError::Rounds(KEY_FILE_ROUNDS_MAX + 1)));
    assert_eq!(of(u32::MAX), Err(SealError::Rounds(u32::MAX)));
    assert_eq!(of(0), Err(SealError::Malformed));
    assert!(SealError::Rounds(u32::MAX).to_string().contains("10000000 are done at most"));
}

#[test]
fn any_other_scheme_is_told_with_the_command_that_converts_it() {
    for (digest, cipher) in [(&[7u8][..], &[42u8][..]), (&[8], &[42]), (&[9], &[22]), (&[9], &[46]), (&[9, 1], &[42])] {
        let error = read(&sealed(1, None, digest, cipher, 16)).unwrap_err();
        assert_eq!(error, SealError::Scheme, "{digest:?} {cipher:?}");
        assert!(error.to_string().contains("openssl pkcs8 -topk8"), "{error}");
    }
    let mut pbes1 = sealed(1, None, &HMAC_SHA256, &AES_256_CBC, 16);
    let at = pbes1.windows(9).position(|window| window == PBES2).unwrap();
    pbes1[at + 8] = 3;
    assert_eq!(read(&pbes1), Err(SealError::Scheme));
}

#[test]
fn sizes_that_contradict_each_other_are_refused() {
    let of = |length, iv| read(&sealed(1, length, &HMAC_SHA256, &AES_256_CBC, iv));
    assert_eq!((of(Some(32), 16), of(None, 16)), (Ok(()), Ok(())));
    assert_eq!((of(Some(16), 16), of(Some(0), 16), of(None, 15), of(None, 17)), {
        let no = Err(SealError::Malformed);
        (no, no, no, no)
    });
}

#[test]
fn every_cut_is_refused_and_what_is_no_key_is_not_opened() {
    let der = sealed(1, Some(32), &HMAC_SHA256, &AES_256_CBC, 16);
    for length in 0..der.len() {
        assert!(read(&der[..length]).is_err(), "cut at {length}");
    }
    assert!(Sealed::is_meant(&der));
    assert_eq!(Sealed::read(&der).unwrap().open(b"secret").err(), Some(SealError::Passphrase));
}

#[test]
fn what_is_sealed_here_is_opened_here_with_its_passphrase_alone() {
    let (plain, rng) = (b"a key as PKCS#8, of whatever length", &mut OsEntropy);
    let der = seal(plain, "geheim-\u{fc}ber".as_bytes(), rng);
    assert!(Sealed::is_meant(&der) && !der.windows(8).any(|window| plain.starts_with(window)));
    let sealed = Sealed::read(&der).unwrap();
    assert_eq!(sealed.rounds.get(), KEY_FILE_ROUNDS);
    assert!(sealed.digest == pbkdf2::PBKDF2_HMAC_SHA256 && sealed.cipher == &AES_256);
    assert_eq!(sealed.open("geheim-\u{fc}ber".as_bytes()).unwrap().as_slice(), plain);
    // One wrong passphrase in 256 leaves what looks like padding.
    assert_ne!(sealed.open(b"geheim-uber").ok().as_deref().map(Vec::as_slice), Some(&plain[..]));
    // Salt and IV are new each time.
    let again = seal(plain, "geheim-\u{fc}ber".as_bytes(), rng);
    let again = Sealed::read(&again).unwrap();
    assert!(again.salt != sealed.salt && again.iv != sealed.iv && again.ciphertext != sealed.ciphertext);
}
