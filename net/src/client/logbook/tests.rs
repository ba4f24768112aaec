//! What was kept comes back, never as less than it was, and what somebody has changed is not believed.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Realm, Serial};
use countersign_core::pki::{Authority, Founded, found_realm};
use countersign_core::tlog::{Basis, Certified, Frontier, Head, Leaf, LogSigner, Owner, Tree};

use super::*;
use crate::entropy::OsEntropy;

const NOW: Wall = Wall(1_800_000_000);

fn realm() -> (Founded, Trust) {
    let founded = found_realm(&Realm::default(), NOW, &mut OsEntropy);
    let trust = Authority::new(Realm::default(), founded.files(), NOW).unwrap().trust().clone();
    (founded, trust)
}

fn followed(founded: &Founded, leaves: u8, incarnation: u64) -> Followed {
    let tree: Tree = (0..leaves).map(|leaf| countersign_core::tlog::Hash::leaf(&[leaf])).collect();
    let head: Head = tree.head();
    let origin = NoteName::of_log(&Realm::default(), incarnation);
    let checkpoint = LogSigner::new(origin, founded.log_key.clone()).sign(head).to_string();
    Followed { certificate: CertificateDer::from(founded.log.clone()), checkpoint, reading: None }
}

#[test]
fn what_was_kept_comes_back_and_never_shrinks() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (founded, trust) = realm();
    let seen = || load(place.path(), &trust, NOW).unwrap().seen();
    assert_eq!(seen(), 0);
    for (size, then) in [(4, 4), (9, 9), (5, 9)] {
        keep(place.path(), &followed(&founded, size, 7)).unwrap();
        assert_eq!(seen(), then);
    }
    // Another log is another matter: its own size counts.
    keep(place.path(), &followed(&founded, 2, 8)).unwrap();
    assert_eq!(seen(), 2);
    for file in [CERTIFICATE, CHECKPOINT] {
        assert_eq!(fs::metadata(place.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn what_somebody_has_changed_is_not_believed() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (founded, trust) = realm();
    keep(place.path(), &followed(&founded, 4, 7)).unwrap();
    let path = place.path().join(CHECKPOINT);
    let text = fs::read_to_string(&path).unwrap();
    for changed in [text.replacen("\n4\n", "\n3\n", 1), String::new(), "\u{fffd}".to_owned()] {
        fs::write(&path, &changed).unwrap();
        let error = load(place.path(), &trust, NOW).unwrap_err();
        assert!(matches!(error, HomeError::Log { .. }), "{changed:?}: {error}");
    }
    let (_, foreign) = realm();
    fs::write(&path, &text).unwrap();
    assert!(load(place.path(), &trust, NOW).is_ok());
    assert!(matches!(load(place.path(), &foreign, NOW).unwrap_err(), HomeError::Log { .. }));
}

/// What a device has read of such a log: so much, with an alarm about the last entry.
fn read(founded: &Founded, leaves: u8) -> Followed {
    let own = DeviceName { user: UserName::parse("alice").unwrap(), device: DeviceLabel::parse("laptop").unwrap() };
    let strange = |index: u8| {
        Leaf::DeviceCertificate(Certified {
            name: DeviceName { device: DeviceLabel::parse("phone").unwrap(), ..own.clone() },
            serial: Serial::draw(&mut OsEntropy),
            key: KeyId([index; 32]),
            certificate: Fingerprint([index; 32]),
            not_after: NOW,
            basis: Basis::Reissue,
            at: NOW,
        })
    };
    let last = strange(leaves).encode();
    let bob = Leaf::RelayCertificate {
        certificate: Fingerprint([1; 32]),
        serial: Serial::draw(&mut OsEntropy),
        key: KeyId([1; 32]),
        not_after: NOW,
        at: NOW,
    };
    let entries: Vec<_> = (1..leaves).map(|_| bob.encode()).chain([last]).collect();
    let tree: Tree = entries.iter().map(|entry| countersign_core::tlog::Hash::leaf(entry)).collect();
    let origin = NoteName::of_log(&Realm::default(), 7);
    let mut reading = Reading::begin(origin.clone(), Frontier::default());
    reading
        .take(
            entries.iter().map(Vec::as_slice),
            &tree.head(),
            Owner { name: &own, key: KeyId([0; 32]), realm: &Realm::default() },
        )
        .unwrap();
    reading.settle(&tree.head()).unwrap().unwrap();
    let checkpoint = LogSigner::new(origin, founded.log_key.clone()).sign(tree.head()).to_string();
    Followed { certificate: CertificateDer::from(founded.log.clone()), checkpoint, reading: Some(reading) }
}

#[test]
fn how_far_the_log_was_read_is_kept_and_an_alarm_until_it_is_acknowledged_whoever_writes() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (founded, trust) = realm();
    let kept = || {
        let following = load(place.path(), &trust, NOW).unwrap();
        let reading = following.reading().unwrap();
        (reading.sure(), reading.found().iter().map(|found| found.index).collect::<Vec<_>>())
    };
    // A folder of before there was a reading: from the first entry on.
    keep(place.path(), &Followed { reading: None, ..read(&founded, 4) }).unwrap();
    assert_eq!(kept(), (0, vec![]));
    let before = read(&founded, 4);
    keep(place.path(), &before).unwrap();
    assert_eq!(kept(), (4, vec![3]));
    assert_eq!(fs::metadata(place.path().join(READING)).unwrap().permissions().mode() & 0o777, 0o600);
    let log = before.reading.as_ref().unwrap().log();
    acknowledge(place.path(), &NoteName::of_log(&Realm::default(), 8), 9).unwrap();
    assert_eq!(kept(), (4, vec![3]), "another log was acknowledged");
    acknowledge(place.path(), log, 4).unwrap();
    assert_eq!(kept(), (4, vec![]));
    // A program that has run for long knows nothing of that, and does not bring it back.
    keep(place.path(), &before).unwrap();
    assert_eq!(kept(), (4, vec![]));
    keep(place.path(), &read(&founded, 9)).unwrap();
    keep(place.path(), &before).unwrap();
    assert_eq!(kept(), (9, vec![8]));
}

#[test]
fn a_reading_that_is_damaged_is_said_to_be_and_is_no_charge_against_the_server() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (founded, trust) = realm();
    keep(place.path(), &read(&founded, 4)).unwrap();
    let path = place.path().join(READING);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = load(place.path(), &trust, NOW).unwrap_err();
    assert!(matches!(error, HomeError::Reading { .. }), "{error}");
    assert!(error.to_string().contains("remove it"), "{error}");
    fs::remove_file(&path).unwrap();
    assert_eq!(load(place.path(), &trust, NOW).unwrap().reading().unwrap().next(), 0);
}

#[test]
fn the_proof_that_the_log_has_two_histories_is_kept_and_nothing_is_asked_while_it_is_there() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (founded, trust) = realm();
    keep(place.path(), &followed(&founded, 4, 7)).unwrap();
    let signer = LogSigner::new(NoteName::of_log(&Realm::default(), 7), founded.log_key.clone());
    let sign = |leaf: u8| {
        let tree: Tree = [countersign_core::tlog::Hash::leaf(&[leaf])].into_iter().collect();
        signer.sign(tree.head())
    };
    let split = countersign_core::tlog::Split::of(sign(1), sign(2)).unwrap();
    let failure = refused(place.path(), &LogRefusal::History(ViewRefusal::Split(Box::new(split))));
    assert_eq!(failure.exit, Exit::Refused);
    let path = place.path().join(SPLIT);
    assert!(failure.to_string().contains(&path.display().to_string()), "{failure}");
    let text = fs::read_to_string(&path).unwrap();
    let notes: Vec<_> = text.split("\n\nrelay.").collect();
    assert_eq!(
        text.matches("relay.chat.internal/log/").count(),
        4,
        "two notes, each with its log's name twice: {notes:?}"
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(load(place.path(), &trust, NOW), Err(HomeError::Split { .. })));
    fs::remove_file(&path).unwrap();
    assert_eq!(load(place.path(), &trust, NOW).unwrap().seen(), 4, "whoever removes it goes on");
}

#[test]
fn what_somebody_else_was_shown_is_kept_until_the_server_has_reconciled_it() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (founded, trust) = realm();
    keep(place.path(), &followed(&founded, 4, 7)).unwrap();
    let signer = LogSigner::new(NoteName::of_log(&Realm::default(), 7), founded.log_key.clone());
    let sign = |leaves: u8| {
        let tree: Tree = (0..leaves).map(|leaf| countersign_core::tlog::Hash::leaf(&[leaf])).collect();
        signer.sign(tree.head())
    };
    let (theirs, others) = (sign(9), sign(8));
    doubt(place.path(), &theirs).unwrap();
    let loaded = || load(place.path(), &trust, NOW).unwrap();
    assert_eq!(loaded().doubted(), Some(&theirs));
    let diverged = ViewRefusal::Diverged { ours: Box::new(sign(4)), theirs: Box::new(theirs.clone()) };
    let failure = refused(place.path(), &LogRefusal::History(diverged));
    let (ours, path) = (place.path().join(CHECKPOINT), place.path().join(OTHER));
    assert_eq!(failure.exit, Exit::Refused);
    assert!(failure.to_string().ends_with(&format!("it is in {} and {}", ours.display(), path.display())), "{failure}");
    assert_eq!(loaded().doubted(), Some(&theirs), "for the next contact");
    reconciled(place.path(), &others).unwrap();
    assert_eq!(loaded().doubted(), Some(&theirs), "that was another program's");
    reconciled(place.path(), &theirs).unwrap();
    assert_eq!((loaded().doubted(), path.exists()), (None, false));
    reconciled(place.path(), &theirs).unwrap();
}
