//! Founding, cut off at every step, and folders that make no server: each recovers or says one sentence.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::id::Fingerprint;
use countersign_core::limits::ISSUING_LIFETIME;
use countersign_core::server::{Output, Written};
use countersign_core::time::{Instant as Mono, Wall};
use mio::{Events, Poll, Token, Waker};
use tempfile::TempDir;

use super::founding::{ISSUING, ISSUING_KEY, LOG, LOG_KEY, ROOT, ROOT_KEY};
use super::*;
use crate::entropy::OsEntropy;
use crate::store::journal::Done;
use crate::store::keys::write_sealed_key;

const NOW: Now = Now { mono: Mono(0), wall: Wall(1_800_000_000) };

struct Place {
    _dir: TempDir,
    folder: Folder,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("data")).unwrap();
        Self { _dir: dir, folder }
    }

    fn assemble(&self) -> Result<Assembled, AssembleError> {
        assemble(&self.folder, None, NOW, &mut OsEntropy)
    }

    fn assemble_realm(&self, realm: &str) -> Result<Assembled, AssembleError> {
        assemble(&self.folder, Some(&Realm::parse(realm).unwrap()), NOW, &mut OsEntropy)
    }

    /// A start that gets as far as the journal's first record.
    fn found(&self) -> Fingerprint {
        let Assembled { mut server, journal, is_new, .. } = self.assemble().unwrap();
        assert!(is_new);
        let Some(Output::Append(_, records)) = server.poll_output() else { panic!("a new realm is written down") };
        append(journal, records);
        server.root()
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.file(name)).unwrap();
    }

    fn refusal(&self) -> Failure {
        self.assemble().unwrap_err().into()
    }
}

fn append(journal: Journal, records: Vec<Written>) {
    let mut poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let mut journal = journal.spawn(waker).unwrap();
    journal.append_with(1, records).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let done = loop {
        if let Some(done) = journal.done() {
            break done;
        }
        assert!(Instant::now() < deadline, "the journal did not answer within a minute");
        poll.poll(&mut Events::with_capacity(1), Some(Duration::from_secs(60))).unwrap();
    };
    assert!(matches!(done, Done::Appended { .. }), "{done:?}");
    assert!(journal.close().is_empty());
}

#[test]
fn a_first_start_founds_a_realm_and_the_next_finds_it() {
    let place = Place::new();
    let root = place.found();
    for name in [ROOT_KEY, ISSUING_KEY, LOG_KEY, ROOT, LOG, ISSUING, JOURNAL] {
        assert_eq!(fs::metadata(place.folder.file(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let again = place.assemble().unwrap();
    assert!(!again.is_new);
    assert_eq!(again.server.root(), root);
    assert_eq!(again.server.realm(), &Realm::default());
}

#[test]
fn a_founding_that_was_cut_off_at_any_file_begins_anew() {
    // The last one first, as if less and less had been written.
    let order = [ISSUING, LOG, ROOT, LOG_KEY, ISSUING_KEY, ROOT_KEY];
    for written in 1..=order.len() {
        let place = Place::new();
        let first = place.assemble().unwrap().server.root();
        order.iter().take(written).for_each(|name| place.remove(name));
        // What a crash in the middle of a file leaves beside it.
        fs::write(place.folder.file("root.key.new"), "half").unwrap();
        let second = place.assemble_realm("other.internal").unwrap();
        assert!(second.is_new);
        assert_ne!(second.server.root(), first);
        assert_eq!(second.server.realm().as_str(), "other.internal");
        drop(second);
        // And what it made is whole.
        assert_eq!(place.assemble().unwrap().server.realm().as_str(), "other.internal");
    }
}

#[test]
fn a_founding_that_lacks_only_its_record_goes_on_with_its_files_and_its_own_realm() {
    let place = Place::new();
    let root = place.assemble_realm("x.internal").unwrap().server.root();
    let mut again = place.assemble().unwrap();
    assert!(again.is_new);
    assert_eq!((again.server.root(), again.server.realm().as_str()), (root, "x.internal"));
    assert!(matches!(again.server.poll_output(), Some(Output::Append(..))), "the record is written after all");
    assert!(matches!(place.assemble_realm("y.internal"), Err(AssembleError::OtherRealm { .. })));
}

#[test]
fn a_journal_cut_off_while_it_was_made_is_no_obstacle() {
    let place = Place::new();
    crate::store::folder::write_file(&place.folder.file(JOURNAL), b"").unwrap();
    assert!(place.assemble().unwrap().is_new);
}

#[test]
fn a_realm_that_lost_its_journal_is_not_begun_anew_and_keeps_its_keys() {
    let files = [ROOT_KEY, ISSUING_KEY, LOG_KEY, ROOT, LOG, ISSUING];
    for kept in files {
        let place = Place::new();
        place.found();
        for name in files.into_iter().chain([JOURNAL]).filter(|name| *name != kept) {
            place.remove(name);
        }
        let before = fs::read(place.folder.file(kept)).unwrap();
        let failure = place.refusal();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.sentence.contains(&format!("is missing although {kept} is there")), "{failure}");
        assert!(!place.folder.file(JOURNAL).exists(), "a second try is refused as well");
        assert_eq!(fs::read(place.folder.file(kept)).unwrap(), before);
    }
}

#[test]
fn a_realm_that_lost_a_file_it_needs_names_it_and_one_whose_root_key_is_elsewhere_starts() {
    for name in [ISSUING_KEY, LOG_KEY, ROOT, LOG, ISSUING] {
        let place = Place::new();
        place.found();
        place.remove(name);
        let failure = place.refusal();
        assert!(
            failure.sentence.ends_with("is missing, and the realm needs it: restore it from a backup"),
            "{failure}"
        );
        assert!(failure.sentence.contains(name), "{failure}");
    }
    let place = Place::new();
    place.found();
    place.remove(ROOT_KEY);
    assert!(!place.assemble().unwrap().is_new);
}

/// A folder as it was written before there was a log.
fn without_a_log() -> Place {
    let place = Place::new();
    let Assembled { mut server, journal, .. } = place.assemble().unwrap();
    let Some(Output::Append(_, records)) = server.poll_output() else { panic!("a new realm is written down") };
    append(journal, records.into_iter().take(1).collect());
    place.remove(LOG);
    place.remove(LOG_KEY);
    place
}

#[test]
fn a_realm_from_before_there_was_a_log_gets_one_while_its_roots_key_is_there() {
    let place = without_a_log();
    let root = place.assemble().unwrap().server.root();
    assert!(place.folder.file(LOG).exists());
    assert_eq!(place.assemble().unwrap().server.root(), root);
    for is_encrypted in [false, true] {
        let place = without_a_log();
        place.remove(ROOT_KEY);
        if is_encrypted {
            // A start asks for no passphrase, so it does not matter what is in it.
            write_sealed_key(&place.folder.file(ROOT_KEY), b"opened by nobody").unwrap();
        }
        let failure = place.refusal();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(
            failure.sentence.contains("has no transparency log yet, and the root's key has to certify one"),
            "{failure}"
        );
        assert!(failure.sentence.contains("put it, decrypted (openssl pkcs8 -in KEY), at "), "{failure}");
        assert!(!place.folder.file(LOG).exists());
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_even_if_it_is_not_needed() {
    for name in [ROOT_KEY, ISSUING_KEY, LOG_KEY] {
        let place = Place::new();
        place.found();
        fs::set_permissions(place.folder.file(name), Permissions::from_mode(0o644)).unwrap();
        let failure = place.refusal();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.sentence.contains("has mode 0644, which lets other users in: run chmod 600"), "{failure}");
    }
}

#[test]
fn another_realm_than_the_folders_is_wrong_usage() {
    let place = Place::new();
    place.found();
    let failure = Failure::from(place.assemble_realm("other.internal").unwrap_err());
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.sentence.contains("holds the realm chat.internal, not other.internal"), "{failure}");
    assert!(place.assemble_realm("chat.internal").is_ok());
}

#[test]
fn files_of_two_realms_do_not_make_one() {
    let (ours, theirs) = (Place::new(), Place::new());
    ours.found();
    theirs.found();
    let copy = |name: &str| fs::copy(theirs.folder.file(name), ours.folder.file(name)).unwrap();
    copy(ISSUING_KEY);
    assert!(matches!(ours.assemble(), Err(AssembleError::Authority(AuthorityRefusal::Key))));
    copy(ISSUING);
    assert!(matches!(ours.assemble(), Err(AssembleError::Authority(AuthorityRefusal::Issuing(_)))));
    copy(ROOT);
    assert!(matches!(ours.assemble(), Err(AssembleError::Authority(AuthorityRefusal::Log(_)))));
    copy(LOG);
    assert!(matches!(ours.assemble(), Err(AssembleError::Authority(AuthorityRefusal::LogKey))));
    copy(LOG_KEY);
    assert!(matches!(ours.assemble(), Err(AssembleError::Start(StartRefusal::OtherRealm))));
}

#[test]
fn a_certificate_file_with_a_second_certificate_is_refused() {
    let place = Place::new();
    place.found();
    let path = place.folder.file(ROOT);
    let pem = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{pem}{pem}")).unwrap();
    assert!(matches!(place.assemble(), Err(AssembleError::SeveralCertificates { .. })));
}

#[test]
fn a_damaged_record_and_a_newer_one_are_told_apart() {
    for (record, expected) in [
        (vec![1, 1, 0xff], "is damaged at record 4 (the record is damaged): restore it from a backup"),
        (vec![9, 1], "was written by a newer version of this program (record 4: the record's format 9"),
        (vec![1, 9], "was written by a newer version of this program (record 4: the record's rules 9"),
    ] {
        let place = Place::new();
        place.found();
        append(Journal::open(&place.folder.file(JOURNAL), 1).unwrap(), vec![Written { record, body: None }]);
        let failure = place.refusal();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.sentence.contains(expected), "{failure}");
    }
}

#[test]
fn an_expired_realm_says_so() {
    let place = Place::new();
    place.found();
    let later = Now { wall: Wall(NOW.wall.0 + 366 * 24 * 60 * 60), ..NOW };
    let failure = Failure::from(assemble(&place.folder, None, later, &mut OsEntropy).unwrap_err());
    assert_eq!(failure.exit, Exit::Failed);
    assert!(failure.sentence.contains("expired"), "{failure}");
}

#[test]
fn a_realm_whose_issuing_ca_is_over_is_told_to_make_another() {
    let place = Place::new();
    place.found();
    let later = Now { wall: NOW.wall.plus(ISSUING_LIFETIME + Duration::from_secs(1)), ..NOW };
    let failure = Failure::from(assemble(&place.folder, None, later, &mut OsEntropy).unwrap_err());
    assert!(failure.sentence.ends_with("then make another issuing CA with server ca rotate"), "{failure}");
}
