//! A checkpoint that another program signed, and each way to break one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;

use super::*;
use crate::id::Realm;
use crate::pki::DeviceKey;
use crate::testing::{rng, vectors};
use crate::tlog::tree::Tree;

/// Made by another implementation of Ed25519 and SHA-256 after the words of the standards, with the seed of 32 sevens.
const GOLDEN: &str = include_str!("../golden/checkpoint-v1.note");
const GOLDEN_KEY: &str =
    "relay.chat.internal/log/00000000499602d2+a85d7510+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

fn signer() -> LogSigner {
    let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], &[7; 32][..]].concat();
    LogSigner::new(NoteName::of_log(&Realm::default(), 1_234_567_890), SecretKey::from_pkcs8(&pkcs8).unwrap())
}

/// The golden checkpoint with another text, signed by the log itself.
fn signed(text: &str) -> String {
    let (signer, text) = (signer(), text.to_owned());
    let line = signer.key.0.line(signer.secret.sign(text.as_bytes()).to_vec());
    Note::signed(text, line).to_string()
}

#[test]
fn a_checkpoint_that_another_program_signed_is_believed_and_written_as_it_was() {
    let key = LogKey::parse(GOLDEN_KEY).unwrap();
    assert_eq!((key.to_string().as_str(), &key), (GOLDEN_KEY, signer().key()));
    let checkpoint = Checkpoint::parse(GOLDEN.as_bytes()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.head().size), (key.origin(), 20_852_163));
    assert_eq!(checkpoint.note().signatures().len(), 2);
    let verified = key.verify(&checkpoint).unwrap();
    assert_eq!((verified.head(), verified.origin(), verified.key()), (checkpoint.head(), key.origin(), &key));
    // Our own signature is the same, and what is kept is the note with it alone.
    assert_eq!(signer().sign(*checkpoint.head()), verified);
    let alone = verified.to_string();
    assert!(GOLDEN.starts_with(&alone) && alone.lines().count() == 5);
    assert_eq!(key.open(alone.as_bytes()), Ok(verified));
}

#[test]
fn a_checkpoint_of_a_tree_says_what_the_tree_is() {
    let tree: Tree = (0..9u8).map(|n| Hash::leaf(&[n])).collect();
    let signer = signer();
    for head in [tree.head(), tree.head_at(0).unwrap(), Head { size: LOG_ENTRIES_MAX, ..tree.head() }] {
        let read = signer.key().open(signer.sign(head).to_string().as_bytes());
        assert_eq!(read.unwrap().head(), &head);
    }
}

#[test]
fn each_way_to_break_a_checkpoints_text_has_its_name_whoever_signed_it() {
    let honest = Checkpoint::parse(GOLDEN.as_bytes()).unwrap();
    let text = honest.note().text();
    let lines: Vec<&str> = text.lines().collect();
    let [origin, size, root] = lines.as_slice() else { panic!("{lines:?}") };
    let sized = |size: &str| format!("{origin}\n{size}\n{root}\n");
    let rooted = |root: &str| format!("{origin}\n{size}\n{root}\n");
    let most = LOG_ENTRIES_MAX;
    for (text, refusal) in [
        (format!("{origin}\n"), CheckpointRefusal::Short),
        (format!("{origin}\n{size}\n"), CheckpointRefusal::Short),
        (format!("{text}more\n"), CheckpointRefusal::Extended),
        (format!("{text}\n"), CheckpointRefusal::Extended),
        (format!("{text}\nmore\n"), CheckpointRefusal::Extended),
        (format!("\n{size}\n{root}\n"), CheckpointRefusal::Origin),
        (format!("a b\n{size}\n{root}\n"), CheckpointRefusal::Origin),
        (format!("a+b\n{size}\n{root}\n"), CheckpointRefusal::Origin),
        (sized(""), CheckpointRefusal::Size),
        (sized("-1"), CheckpointRefusal::Size),
        (sized("+1"), CheckpointRefusal::Size),
        (sized("0x10"), CheckpointRefusal::Size),
        (sized(" 1"), CheckpointRefusal::Size),
        (sized("1 "), CheckpointRefusal::Size),
        (sized("\u{661}"), CheckpointRefusal::Size),
        (sized("1e3"), CheckpointRefusal::Size),
        (sized("00"), CheckpointRefusal::LeadingZero),
        (sized("020852163"), CheckpointRefusal::LeadingZero),
        (sized(&(most + 1).to_string()), CheckpointRefusal::TooLarge),
        (sized("18446744073709551615"), CheckpointRefusal::TooLarge),
        (sized("18446744073709551616"), CheckpointRefusal::TooLarge),
        (sized("99999999999999999999999999999999999999999"), CheckpointRefusal::TooLarge),
        (sized("0"), CheckpointRefusal::EmptyRoot),
        (rooted(""), CheckpointRefusal::Root),
        (rooted(&root[..40]), CheckpointRefusal::Root),
        (rooted(root.trim_end_matches('=')), CheckpointRefusal::Root),
        (rooted(&format!("{root}=")), CheckpointRefusal::Root),
        (rooted(&root.replace("q2I=", "q2J=")), CheckpointRefusal::Root),
        (rooted(&root.replace('/', "_")), CheckpointRefusal::Root),
    ] {
        assert_eq!(Checkpoint::parse(signed(&text).as_bytes()), Err(refusal), "{text:?}");
    }
    assert!(Checkpoint::parse(signed(&sized(&most.to_string())).as_bytes()).is_ok());
    assert_eq!(Checkpoint::parse(text.as_bytes()), Err(CheckpointRefusal::Note(NoteRefusal::NoBlankLine)));
    let crlf = GOLDEN.replace('\n', "\r\n");
    assert_eq!(Checkpoint::parse(crlf.as_bytes()), Err(CheckpointRefusal::Note(NoteRefusal::CarriageReturn)));
}

#[test]
fn only_the_logs_own_key_under_its_own_name_makes_a_checkpoint_believed() {
    let (signer, head) = (signer(), *Checkpoint::parse(GOLDEN.as_bytes()).unwrap().head());
    let open = |text: String| signer.key().open(text.as_bytes());
    let altered = GOLDEN.replace("20852163", "20852164");
    assert_eq!(open(altered), Err(SignatureRefusal::Forged.into()));
    let stranger = LogSigner::new(signer.key().origin().clone(), SecretKey::draw(&mut rng(1)));
    assert_eq!(open(stranger.sign(head).to_string()), Err(SignatureRefusal::OtherKey.into()));
    // The same key for another log: of another life of the store, or of another realm.
    let ours = signer.key().origin().clone();
    for theirs in [
        NoteName::of_log(&Realm::default(), 1_234_567_891),
        NoteName::of_log(&Realm::parse("evil.internal").unwrap(), 1_234_567_890),
    ] {
        let other = LogSigner::new(theirs.clone(), signer.secret.clone()).sign(head).to_string();
        let refusal = CheckpointRefusal::OtherLog { theirs, ours: ours.clone() };
        assert_eq!(open(other.clone()), Err(refusal));
        // Nor with the right name in the text, and the other one's line under it.
        let line = other.lines().last().unwrap();
        let mixed = format!("{}\n{line}\n", body(&ours, &head));
        assert_eq!(open(mixed), Err(SignatureRefusal::Missing.into()));
    }
    // A signature that is cut, or longer, under the right name and id.
    for length in [1, 63, 65] {
        let note = Note::signed(body(&ours, &head), signer.key.0.line(vec![7; length]));
        assert_eq!(open(note.to_string()), Err(SignatureRefusal::Forged.into()), "{length}");
    }
}

#[test]
fn a_key_of_another_kind_than_ed25519_signs_no_log() {
    let key = DeviceKey::from_pkcs8(&vectors::pkcs8("p256")).unwrap();
    assert_eq!(LogKey::new(signer().key().origin().clone(), key.spki()), None);
    assert_eq!(key.spki().ed25519_bytes(), None);
}

#[test]
fn a_key_that_cosigns_is_no_logs_key_and_nothing_shows_a_secret() {
    let cosigner = NoteKey::new(signer().key().origin().clone(), SignatureKind::Cosignature, signer().key().spki());
    assert_eq!(LogKey::parse(&cosigner.unwrap().to_string()), None);
    let shown = format!("{:?}", signer());
    let seed = "7, 7, 7, 7";
    assert!(shown.contains("SecretKey(of ") && !shown.contains(seed) && !shown.contains("07070707"), "{shown}");
}

#[test]
fn every_refusal_is_a_sentence() {
    let name = NoteName::parse("a").unwrap();
    for refusal in [
        CheckpointRefusal::Short,
        CheckpointRefusal::OtherLog { theirs: name.clone(), ours: name },
        NoteRefusal::Short.into(),
        SignatureRefusal::Forged.into(),
        CheckpointRefusal::Cosignature,
    ] {
        assert!(refusal.to_string().contains(' ') && refusal.to_string().starts_with("the "), "{refusal}");
    }
}

proptest! {
    #[test]
    fn no_altered_checkpoint_is_believed(at in any::<usize>(), to in any::<u8>()) {
        let mut bytes = signer().sign(Head { size: 9, root: Hash::leaf(b"r") }).to_string().into_bytes();
        let at = at % bytes.len();
        let is_altered = bytes[at] != to;
        bytes[at] = to;
        prop_assert_eq!(signer().key().open(&bytes).is_err(), is_altered);
    }
}
