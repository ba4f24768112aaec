//! A cosignature that another program made, and what is none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::id::Realm;
use crate::testing::{device_name, rng};
use crate::tlog::checkpoint::LogKey;
use crate::tlog::note::SignatureRefusal;

/// As in `checkpoint/tests.rs`; cosigned at this second with the seed of 32 eights.
const GOLDEN: &str = include_str!("../golden/checkpoint-v1.note");
const GOLDEN_KEY: &str =
    "relay.chat.internal/log/00000000499602d2+a85d7510+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
const AT: Wall = Wall(1_679_315_147);

fn cosigner() -> Cosigner {
    let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], &[8; 32][..]].concat();
    let name = NoteName::of_device(&device_name("alice", "laptop"), &Realm::default());
    Cosigner::new(name, SecretKey::from_pkcs8(&pkcs8).unwrap())
}

fn view() -> View {
    View::begin(LogKey::parse(GOLDEN_KEY).unwrap().open(GOLDEN.as_bytes()).unwrap())
}

/// The golden checkpoint without its cosignature, and with this one.
fn with(line: Signature) -> Checkpoint {
    let mut note = view().newest().note();
    note.add(line).unwrap();
    Checkpoint::parse(note.to_string().as_bytes()).unwrap()
}

#[test]
fn a_cosignature_that_another_program_made_is_believed_and_ours_is_the_same() {
    let (golden, cosigner) = (Checkpoint::parse(GOLDEN.as_bytes()).unwrap(), cosigner());
    assert_eq!(cosigner.key().verify(&golden), Ok(AT));
    assert_eq!(cosigner.key().name().as_str(), "laptop.alice.chat.internal");
    assert_eq!(with(cosigner.cosign(&view(), AT)), golden);
    let later = Wall(AT.0 + 1);
    assert_eq!(cosigner.key().verify(&with(cosigner.cosign(&view(), later))), Ok(later));
}

#[test]
fn what_is_no_cosignature_of_this_one_is_refused_by_name() {
    let key = cosigner().key().clone();
    assert_eq!(
        key.verify(&Checkpoint::parse(view().to_string().as_bytes()).unwrap()),
        Err(SignatureRefusal::Missing.into())
    );
    let thief = Cosigner::new(key.name().clone(), SecretKey::draw(&mut rng(1)));
    assert_eq!(key.verify(&with(thief.cosign(&view(), AT))), Err(SignatureRefusal::OtherKey.into()));
    // Another time than the one that was signed.
    let signature = cosigner().secret.sign(message(AT, &view().newest().text()).as_bytes());
    let line = |time: u64, signature: &[u8]| with(key.0.line([&time.to_be_bytes()[..], signature].concat()));
    assert_eq!(key.verify(&line(AT.0, &signature)), Ok(AT));
    assert_eq!(key.verify(&line(AT.0 + 1, &signature)), Err(SignatureRefusal::Forged.into()));
    // The checkpoint's bare text, which is what a log signs.
    let bare = cosigner().secret.sign(view().newest().text().as_bytes());
    assert_eq!(key.verify(&line(AT.0, &bare)), Err(SignatureRefusal::Forged.into()));
    // A time that is none, rightly signed; one just before; and other lengths.
    for (time, is_time) in [(i64::MAX as u64, true), (i64::MAX as u64 + 1, false), (u64::MAX, false)] {
        let checkpoint = with(cosigner().cosign(&view(), Wall(time)));
        let verdict = if is_time { Ok(Wall(time)) } else { Err(CheckpointRefusal::Cosignature) };
        assert_eq!(key.verify(&checkpoint), verdict);
    }
    for bytes in [&[][..], &signature[..63], &[&signature[..], &[0]].concat()] {
        assert_eq!(key.verify(&line(AT.0, bytes)), Err(CheckpointRefusal::Cosignature));
    }
    assert_eq!(key.verify(&with(key.0.line(vec![0; 7]))), Err(CheckpointRefusal::Cosignature));
}

/// What a log signs begins with the log's name; what a device signs as a cosigner with a line that is no name of a log.
#[test]
fn what_a_cosigner_signs_is_no_checkpoint() {
    let signed = message(AT, &view().newest().text());
    assert!(signed.starts_with("cosignature/v1\ntime 1679315147\nrelay.chat.internal/log/"));
    let mut note = view().newest().note().to_string();
    note = note.replace(&view().newest().text(), &signed);
    assert_eq!(Checkpoint::parse(note.as_bytes()), Err(CheckpointRefusal::Size));
}
