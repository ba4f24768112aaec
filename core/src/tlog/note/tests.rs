//! Notes that others have signed, and each way to break one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;

use super::*;
use crate::limits::NOTE_NAME_BYTES_MAX;
use crate::pki::SecretKey;
use crate::testing::rng;

/// The examples of C2SP's `signed-note` and of Go's package `note`, with their keys.
const FOREIGN: [(&str, &str); 2] = [
    (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "This is an example message.\n\n\u{2014} example.com/foo \
         Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
    ),
    (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
         \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
    ),
];
/// The seed of the second one's key.
const PETERS_SEED: &str = "YEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

fn open(key: &NoteKey, note: &Note) -> Result<(), SignatureRefusal> {
    key.check(note.text().as_bytes(), key.find(note)?)
}

#[test]
fn the_notes_and_keys_of_others_are_read_believed_and_written_as_they_were() {
    for (key, text) in FOREIGN {
        let (parsed, note) = (NoteKey::parse(key).unwrap(), Note::parse(text.as_bytes()).unwrap());
        assert_eq!((parsed.to_string().as_str(), note.to_string().as_str()), (key, text));
        assert_eq!(open(&parsed, &note), Ok(()));
        assert_eq!((parsed.kind(), note.signatures().len()), (SignatureKind::Text, 1));
        assert_eq!(note.signatures()[0].name(), parsed.name());
        assert_eq!(NoteKey::new(parsed.name().clone(), SignatureKind::Text, parsed.spki()), Some(parsed));
    }
    // C2SP's checkpoint with a witness, and the note with blank lines in its text.
    for (text, signatures) in [
        (
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
             \u{2014} example.com/behind-the-sofa \
             Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
             \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nP\
             Zqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n",
            2,
        ),
        (
            "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\u{e8}d \u{e8} subito sera.\n\n\
             \u{2014} quasimodo.example/salvatore \
             NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n",
            1,
        ),
    ] {
        let note = Note::parse(text.as_bytes()).unwrap();
        assert_eq!((note.to_string().as_str(), note.signatures().len()), (text, signatures));
    }
}

#[test]
fn the_same_key_signs_the_same_note() {
    let seed = Base64::decode_vec(&format!("A{PETERS_SEED}")).unwrap();
    let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], &seed[1..]].concat();
    let secret = SecretKey::from_pkcs8(&pkcs8).unwrap();
    let (key, note) = FOREIGN[1];
    let name = NoteName::parse("PeterNeumann").unwrap();
    let signer = NoteKey::new(name, SignatureKind::Text, &secret.spki()).unwrap();
    assert_eq!(signer.to_string(), key);
    let text = Note::parse(note.as_bytes()).unwrap().text().to_owned();
    let signature = secret.sign(text.as_bytes()).to_vec();
    assert_eq!(Note::signed(text, signer.line(signature)).to_string(), note);
}

#[test]
fn a_note_that_was_altered_or_signed_by_another_is_refused_by_name() {
    let (key, text) = FOREIGN[1];
    let peter = NoteKey::parse(key).unwrap();
    let verdict = |text: &str| open(&peter, &Note::parse(text.as_bytes()).unwrap());
    assert_eq!(verdict(&text.replace("answer", "Answer")), Err(SignatureRefusal::Forged));
    assert_eq!(verdict(&text.replace("is.\n", "is.\n\n")), Err(SignatureRefusal::Forged));
    assert_eq!(verdict(&text.replace("/ZJk", "/ZJl")), Err(SignatureRefusal::Forged));
    assert_eq!(verdict(&text.replace("x08go", "x08gp")), Err(SignatureRefusal::OtherKey));
    assert_eq!(verdict(&text.replace("\u{2014} Peter", "\u{2014} Paul")), Err(SignatureRefusal::Missing));
    // The right key under another name, or for another kind of signature, has another id.
    let (name, spki) = (peter.name().clone(), peter.spki());
    let cosigner = NoteKey::new(name, SignatureKind::Cosignature, spki).unwrap();
    assert_eq!(open(&cosigner, &Note::parse(text.as_bytes()).unwrap()), Err(SignatureRefusal::OtherKey));
    let renamed = NoteKey::new(NoteName::parse("Paul").unwrap(), SignatureKind::Text, spki).unwrap();
    assert_eq!(open(&renamed, &Note::parse(text.as_bytes()).unwrap()), Err(SignatureRefusal::Missing));
    // Unknown signatures beside the one that counts are passed over.
    let (_, other) = FOREIGN[0];
    let theirs = other.rsplit_once("\n\n").unwrap().1;
    assert_eq!(verdict(&format!("{text}{theirs}")), Ok(()));
    assert_eq!(verdict(&text.replacen("\u{2014}", &format!("{theirs}\u{2014}"), 1)), Ok(()));
}

#[test]
fn a_verifier_key_that_was_altered_anywhere_is_none() {
    let (key, _) = FOREIGN[1];
    for length in 0..key.len() {
        assert_eq!(NoteKey::parse(&key[..length]), None, "{length}");
    }
    for at in 0..key.len() {
        let mut bytes = key.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert_eq!(NoteKey::parse(str::from_utf8(&bytes).unwrap()), None, "{at}");
    }
    // A key of a type that is not known here, with the id that it would have; and one for which everybody can sign.
    assert_eq!(NoteKey::parse("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), None);
    assert_eq!(NoteKey::parse(&key.replace("c74f20a3", "C74F20A3")), None);
    assert!(crate::pki::Spki::from_ed25519_bytes(&[0; 32]).is_none());
}

#[test]
fn each_way_to_break_a_notes_form_has_its_name() {
    let (_, note) = FOREIGN[1];
    let (text, line) = note.rsplit_once("\n\n").unwrap();
    let signed = |lines: &str| format!("{text}\n\n{lines}");
    let with = |base64: &str| signed(&format!("\u{2014} PeterNeumann {base64}\n"));
    let base64 = line.trim_end().rsplit_once(' ').unwrap().1;
    for (note, refusal) in [
        (note.replace('\n', "\r\n"), NoteRefusal::CarriageReturn),
        (note.replace("answer", "an\tswer"), NoteRefusal::ControlCharacter),
        (note.replace("answer", "an\0swer"), NoteRefusal::ControlCharacter),
        (format!("{text}\n{line}"), NoteRefusal::NoBlankLine),
        (String::new(), NoteRefusal::NoBlankLine),
        (text.to_owned(), NoteRefusal::NoBlankLine),
        (format!("\n\n{line}"), NoteRefusal::NoText),
        (signed(""), NoteRefusal::NoSignature),
        (signed("\n"), NoteRefusal::NoSignature),
        (signed(line.trim_end()), NoteRefusal::Cut),
        (signed(&format!("{line}x")), NoteRefusal::Cut),
        (signed(&format!("{line}\n")), NoteRefusal::NoSignature),
        (signed(&format!("{line}An unexpected line.\n")), NoteRefusal::NotASignature),
        (signed(&line.replace('\u{2014}', "-")), NoteRefusal::NotASignature),
        (signed(&line.replace("\u{2014} ", "\u{2014}")), NoteRefusal::NotASignature),
        (signed("\u{2014} PeterNeumann\n"), NoteRefusal::NotASignature),
        (signed(&line.replace("PeterNeumann", "Peter+Neumann")), NoteRefusal::Name),
        (signed(&line.replace("PeterNeumann", "Peter\u{a0}Neumann")), NoteRefusal::Name),
        (signed(&line.replace("PeterNeumann", "")), NoteRefusal::Name),
        (signed(&line.replace("PeterNeumann", &"P".repeat(NOTE_NAME_BYTES_MAX + 1))), NoteRefusal::Name),
        (signed(&line.replace("PeterNeumann", "Peter Neumann")), NoteRefusal::Base64),
        (with(base64.trim_end_matches('=')), NoteRefusal::Base64),
        (with(&format!("{base64} ")), NoteRefusal::Base64),
        (with(&base64.replace('/', "_")), NoteRefusal::Base64),
        (with(&base64.replace("AM=", "AN=")), NoteRefusal::Base64),
        (with(&Base64::encode_string(&[1; 4])), NoteRefusal::Short),
        (with(&Base64::encode_string(&[1; 3])), NoteRefusal::Short),
        (with(""), NoteRefusal::Short),
        (signed(&format!("{line}{line}")), NoteRefusal::SignedTwice),
        (signed(&format!("{line}{}", line.replace("/ZJk", "/ZJl"))), NoteRefusal::SignedTwice),
    ] {
        assert_eq!(Note::parse(note.as_bytes()), Err(refusal), "{note:?}");
    }
    let mut bytes = note.as_bytes().to_vec();
    bytes[3] = 0xff;
    assert_eq!(Note::parse(&bytes), Err(NoteRefusal::NotUtf8));
}

#[test]
fn a_note_at_its_bounds_is_read_and_one_more_byte_or_signature_is_too_much() {
    let line = |n: u8| {
        let name = NoteName::parse(&"n".repeat(NOTE_NAME_BYTES_MAX)).unwrap();
        // As long as a cosignature.
        Signature::new(name, [n; ID_BYTES], vec![n; 72]).to_string()
    };
    let lines: String = (1..=16).map(line).collect();
    assert_eq!(NOTE_SIGNATURES_MAX, 16);
    let longest = format!("{}\n1\n{}\n\n{lines}", "o".repeat(NOTE_NAME_BYTES_MAX), "r".repeat(44));
    assert_eq!(Note::parse(longest.as_bytes()).unwrap().signatures().len(), NOTE_SIGNATURES_MAX);
    assert_eq!(Note::parse(format!("{longest}{}", line(17)).as_bytes()), Err(NoteRefusal::TooManySignatures));
    let padded = |length: usize| format!("{}{longest}", "p".repeat(length - longest.len()));
    assert!(Note::parse(padded(NOTE_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(Note::parse(padded(NOTE_BYTES_MAX + 1).as_bytes()), Err(NoteRefusal::TooLong));
}

#[test]
fn signatures_are_added_in_order_and_no_key_signs_twice() {
    let name = NoteName::parse("w").unwrap();
    let mut note = Note::parse(FOREIGN[0].1.as_bytes()).unwrap();
    let keys = [1, 2].map(|seed| {
        let secret = SecretKey::draw(&mut rng(seed));
        NoteKey::new(name.clone(), SignatureKind::Cosignature, &secret.spki()).unwrap()
    });
    for key in &keys {
        assert_eq!(note.add(key.line(vec![1])), Ok(()));
        assert_eq!(note.add(key.line(vec![2])), Err(NoteRefusal::SignedTwice));
    }
    assert_eq!(note.signatures().len(), 3);
    assert_eq!(Note::parse(note.to_string().as_bytes()), Ok(note));
}

proptest! {
    #[test]
    fn any_bytes_are_a_note_in_its_one_form_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<usize>(), to in any::<u8>(), cut in any::<usize>(),
    ) {
        let note = FOREIGN[1].1.as_bytes();
        let mut altered = note.to_vec();
        altered[at % note.len()] = to;
        for bytes in [bytes, altered.clone(), altered[..cut % note.len()].to_vec()] {
            if let Ok(note) = Note::parse(&bytes) {
                prop_assert_eq!(note.to_string().into_bytes(), bytes);
            }
        }
        if altered != note {
            let key = NoteKey::parse(FOREIGN[1].0).unwrap();
            prop_assert!(Note::parse(&altered).is_err() || open(&key, &Note::parse(&altered).unwrap()).is_err());
        }
    }
}
