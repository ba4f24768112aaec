//! What was kept comes back, never as less than it was, and what somebody has changed is not believed.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign_core::id::Realm;
use countersign_core::pki::{Authority, Founded, found_realm};
use countersign_core::tlog::{Head, LogSigner, NoteName, Tree};

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
    Followed { certificate: CertificateDer::from(founded.log.clone()), checkpoint }
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
