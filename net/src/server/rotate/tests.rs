//! What a rotation leaves in the data folder, however it ends; with a running server it is tested end to end.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::time::Duration;

use countersign_core::id::Realm;
use countersign_core::pki::Authority;
use tempfile::TempDir;

use super::*;
use crate::server::founding;

struct Place {
    _dir: TempDir,
    folder: Folder,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("data")).unwrap();
        founding::found(&folder, &Realm::default(), now(), &mut OsEntropy).unwrap();
        Self { _dir: dir, folder }
    }

    fn rotate(&self) -> Result<(), Failure> {
        rotate(self.folder.path(), None, None, true)
    }

    /// Another issuing CA, as it is made at `at`.
    fn write(&self, number: usize, at: Wall) {
        let (_, root) = realm_at(self.folder.path()).unwrap();
        let key = open(&self.folder, &root, None, None).unwrap();
        let (key, der) = found_issuing(&Trust::new(Realm::default(), root), &key, at, &mut OsEntropy).unwrap();
        issuing::write(&self.folder, number, &key, &der).unwrap();
    }

    fn numbers(&self) -> Vec<usize> {
        (1..100).filter(|number| self.folder.file(&issuing::certificate_name(*number)).exists()).collect()
    }
}

fn now() -> Wall {
    Clock::start().now().wall
}

#[test]
fn each_rotation_adds_a_ca_and_the_last_one_signs() {
    let place = Place::new();
    let first = issuing::read(&place.folder).unwrap();
    place.rotate().unwrap();
    let second = issuing::read(&place.folder).unwrap();
    place.rotate().unwrap();
    let third = issuing::read(&place.folder).unwrap();
    assert!(first.before.is_empty());
    assert_eq!(second.before, std::slice::from_ref(&first.issuing));
    assert_eq!(third.before, [first.issuing, second.issuing]);
    let files = founding::read(&place.folder).unwrap();
    let authority = Authority::new(Realm::default(), files.authority(), now()).unwrap();
    assert_eq!(authority.issuing().as_ref(), third.issuing);
    assert_eq!(place.numbers(), [1, 2, 3]);
}

#[test]
fn so_many_issuing_cas_are_kept_and_no_more_are_made() {
    let place = Place::new();
    (2..ISSUING_CAS_MAX).for_each(|number| place.write(number, now()));
    place.rotate().unwrap();
    assert_eq!(issuing::read(&place.folder).unwrap().before.len(), ISSUING_CAS_MAX - 1);
    let failure = place.rotate().unwrap_err();
    assert!(failure.exit == Exit::Refused && failure.sentence.contains("has had 64 issuing CAs"), "{failure}");
    assert_eq!(place.numbers().last(), Some(&ISSUING_CAS_MAX));
}

#[test]
fn a_ca_that_would_end_before_the_present_one_is_not_made() {
    let place = Place::new();
    // The clock was ahead for a while.
    place.write(2, now().plus(Duration::from_secs(24 * 60 * 60)));
    let failure = place.rotate().unwrap_err();
    assert!(failure.exit == Exit::Refused && failure.sentence.contains("check this machine's clock"), "{failure}");
    assert_eq!(place.numbers(), [1, 2]);
}

#[test]
fn what_a_running_server_refuses_is_withdrawn_and_what_it_may_have_taken_stays() {
    let place = Place::new();
    place.rotate().unwrap();
    let failure = not_taken(&place.folder, Some(2), Failure::unreachable("the server ended before it answered"));
    assert!(failure.exit == Exit::Unreachable && failure.sentence.ends_with("the next start takes it"), "{failure}");
    assert_eq!(place.numbers(), [1, 2]);
    // One that an earlier run made is not this run's to take away.
    let refused = Failure::refused("no");
    assert!(not_taken(&place.folder, None, refused.clone()).sentence.ends_with("the next start takes it"));
    assert_eq!(place.numbers(), [1, 2]);
    assert_eq!(not_taken(&place.folder, Some(2), refused.clone()), refused);
    assert_eq!(place.numbers(), [1]);
    assert!(!place.folder.file("issuing-2.key").exists());
}

#[test]
fn two_rotations_at_once_are_refused_and_so_is_a_key_of_an_old_ca_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let alone = place.folder.lock_file(LOCK, "server ca rotate").unwrap();
    let failure = place.rotate().unwrap_err();
    assert!(failure.sentence.contains("another server ca rotate is running"), "{failure}");
    drop(alone);
    place.rotate().unwrap();
    fs::set_permissions(place.folder.file("issuing.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let error = issuing::read(&place.folder).unwrap_err();
    assert!(error.to_string().contains("which lets other users in"), "{error}");
}
