//! What is written comes back, an interrupted join is completed, and what is wrong in a folder has its own sentence.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use countersign_core::device::{Following, Renewed};
use countersign_core::id::{Fingerprint, Serial};
use countersign_core::invite::Token;
use countersign_core::journal::{Record, State};
use countersign_core::limits::{BACKDATING, DEVICE_LIFETIME};
use countersign_core::pki::{Authority, Grant, found_realm};
use tempfile::TempDir;

use super::*;

const NOW: Wall = Wall(1_800_000_000);
const FILES: [&str; 5] = [KEY, LEAF, ISSUING, ROOT, IDENTITY];

fn dir(place: &TempDir) -> DataDir {
    DataDir { path: place.path().join("home"), named: true }
}

fn endpoint() -> Endpoint {
    Endpoint::parse("[::1]:7443").unwrap()
}

/// What a server of a realm of its own would grant to alice for `key`.
fn granted(key: &SecretKey) -> Identity {
    let realm = Realm::default();
    let founded = found_realm(&realm, NOW, &mut OsEntropy);
    let authority = Authority::new(realm.clone(), founded.files(), NOW).unwrap();
    let name = DeviceName { user: UserName::parse("alice").unwrap(), device: DeviceLabel::parse("laptop").unwrap() };
    let token = Token::draw(&mut OsEntropy).hash();
    let serial = Serial::draw(&mut OsEntropy);
    let expires = NOW.plus(Duration::from_secs(60));
    let grant = Grant {
        token,
        name: name.clone(),
        key: key.spki(),
        serial,
        not_before: NOW.minus(BACKDATING),
        not_after: NOW.plus(DEVICE_LIFETIME),
        at: NOW,
    };
    let mut state = State::new(7);
    let records = [
        Record::RealmFounded { realm, root: Fingerprint::of(&founded.root), at: NOW },
        Record::InviteCreated { token, user: None, expires, at: NOW },
        Record::CertificateGranted(grant),
    ];
    for (n, record) in (1..).zip(records) {
        state.apply(n, &record.encode()).unwrap();
    }
    let issued = authority.issue(&state.granted(serial).unwrap()).unwrap();
    let leaf = CertificateDer::from(issued.der().to_vec());
    let credentials = Credentials { leaf, issuing: authority.issuing().clone(), key: key.into() };
    Identity {
        name,
        credentials,
        trust: authority.trust().clone(),
        log: Following::default(),
        lists: countersign_core::tls::Lists::default(),
    }
}

/// A folder in which alice has joined.
fn joined() -> (TempDir, DataDir) {
    let place = tempfile::tempdir().unwrap();
    let dir = dir(&place);
    let joining = Joining::open(&dir).unwrap();
    joining.keep(&granted(&joining.key().unwrap()), &endpoint(), Some(u64::MAX)).unwrap();
    (place, dir)
}

#[test]
fn what_was_kept_comes_back_and_is_believed() {
    let (_place, dir) = joined();
    let stored = Stored::load(&dir).unwrap();
    let identity = stored.identity(NOW).unwrap();
    assert_eq!(identity.name.to_string(), "alice/laptop");
    assert_eq!((stored.endpoint, stored.incarnation), (endpoint(), Some(u64::MAX)));
    for file in FILES {
        assert_eq!(fs::metadata(dir.path.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::metadata(&dir.path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_join_that_was_cut_at_any_point_is_completed_with_the_same_key() {
    // The order in which the files are written; a crash leaves the first few of them.
    for left in 0..FILES.len() {
        let (_place, dir) = joined();
        let before = read_key(&dir.path.join(KEY)).unwrap();
        for file in FILES.iter().skip(left) {
            fs::remove_file(dir.path.join(file)).unwrap();
        }
        assert!(!has_joined(&dir).unwrap(), "{left} files are left");
        assert!(matches!(Stored::load(&dir), Err(HomeError::NotJoined { .. })));
        let joining = Joining::open(&dir).unwrap();
        let key = joining.key().unwrap();
        assert_eq!(key.spki() == *before.spki(), left > 0, "{left} files are left");
        assert_eq!(*read_key(&dir.path.join(KEY)).unwrap().spki(), key.spki(), "the key is on the disk first");
        joining.keep(&granted(&key), &endpoint(), Some(7)).unwrap();
        Stored::load(&dir).unwrap().identity(NOW).unwrap();
    }
}

#[test]
fn two_programs_do_not_join_in_one_folder_at_once() {
    let place = tempfile::tempdir().unwrap();
    let first = Joining::open(&dir(&place)).unwrap();
    let second = Joining::open(&dir(&place)).unwrap_err();
    assert!(matches!(second, HomeError::Folder(FolderError::Locked { .. })), "{second}");
    drop(first);
    Joining::open(&dir(&place)).unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_not_made_by_looking_into_it() {
    let place = tempfile::tempdir().unwrap();
    let error = Stored::load(&dir(&place)).unwrap_err();
    assert!(error.to_string().contains("client join"), "{error}");
    assert_eq!(Failure::from(error).exit, Exit::Usage);
    assert!(!dir(&place).path.exists());
}

#[test]
fn an_own_certificate_that_is_out_of_its_time_has_a_sentence_of_its_own() {
    let (_place, dir) = joined();
    let stored = Stored::load(&dir).unwrap();
    // The device has it renewed, as far as the server does that.
    stored.identity(NOW.plus(DEVICE_LIFETIME).plus(Duration::from_secs(1))).unwrap();
    stored.identity(NOW.plus(2 * DEVICE_LIFETIME)).unwrap();
    let early = stored.identity(Wall(NOW.0 - 86_400)).unwrap_err();
    // The root of this realm is as young as the certificate.
    assert!(matches!(early, HomeError::Certificate { refusal: CertRefusal::NotYetValid, .. }), "{early}");
    assert_eq!(Failure::from(early).exit, Exit::Refused);
}

#[test]
fn another_ones_key_certificate_or_root_is_not_believed() {
    for (file, refusal) in
        [(KEY, CertRefusal::WrongKey), (LEAF, CertRefusal::ForeignIssuer), (ROOT, CertRefusal::ForeignIssuer)]
    {
        let (_place, dir) = joined();
        let (_other_place, other) = joined();
        fs::copy(other.path.join(file), dir.path.join(file)).unwrap();
        let error = Stored::load(&dir).unwrap().identity(NOW).unwrap_err();
        assert!(
            matches!(&error, HomeError::Certificate { refusal: found, .. } if *found == refusal),
            "{file}: {error}"
        );
        assert_eq!(Failure::from(error).exit, Exit::Refused);
    }
    let (_place, dir) = joined();
    let path = dir.path.join(IDENTITY);
    let mallory = fs::read_to_string(&path).unwrap().replace("alice", "mallory");
    write_file(&path, mallory.as_bytes()).unwrap();
    let error = Stored::load(&dir).unwrap().identity(NOW).unwrap_err();
    assert!(matches!(error, HomeError::Certificate { refusal: CertRefusal::OtherName, .. }), "{error}");
}

#[test]
fn a_missing_or_damaged_file_is_named() {
    for file in FILES {
        let (_place, dir) = joined();
        let path = dir.path.join(file);
        for bytes in [b"".as_slice(), b"{}", b"{\"format\":1}", &vec![0xff; 100_000]] {
            write_file(&path, bytes).unwrap();
            let error = Stored::load(&dir).unwrap_err();
            assert!(error.to_string().contains(file), "{file}: {error}");
            assert_eq!(Failure::from(error).exit, Exit::Failed);
        }
        if file != IDENTITY {
            fs::remove_file(&path).unwrap();
            assert!(Stored::load(&dir).unwrap_err().to_string().contains(file));
        }
    }
}

#[test]
fn a_loose_key_identity_or_folder_is_refused() {
    for (file, mode) in [(KEY, 0o640), (IDENTITY, 0o644), ("", 0o750)] {
        let (_place, dir) = joined();
        fs::set_permissions(dir.path.join(file), fs::Permissions::from_mode(mode)).unwrap();
        let error = Stored::load(&dir).unwrap_err();
        assert!(error.to_string().contains("chmod"), "{file}: {error}");
        assert_eq!(Failure::from(error).exit, Exit::Failed);
    }
}

#[test]
fn a_later_versions_identity_is_said_to_be_one() {
    let (_place, dir) = joined();
    let path = dir.path.join(IDENTITY);
    let text = fs::read_to_string(&path).unwrap();
    write_file(&path, text.replace("\"format\": 1", "\"format\": 2, \"more\": true").as_bytes()).unwrap();
    assert!(matches!(Stored::load(&dir), Err(HomeError::Newer { .. })));
    write_file(&path, text.replace("\"format\": 1", "\"format\": 1, \"more\": true").as_bytes()).unwrap();
    assert!(matches!(Stored::load(&dir), Err(HomeError::Form { .. })), "nothing is passed over");
}

#[test]
fn an_import_that_was_cut_at_any_point_is_completed_and_no_key_is_ever_written_over() {
    for left in 0..FILES.len() {
        let (_place, dir) = joined();
        let stored = Stored::load(&dir).unwrap();
        for file in FILES.iter().skip(left) {
            fs::remove_file(dir.path.join(file)).unwrap();
        }
        assert!(!has_joined(&dir).unwrap(), "{left} files are left");
        let joining = Joining::open(&dir).unwrap();
        let other = DeviceKey::from(SecretKey::draw(&mut OsEntropy));
        if left > 0 {
            let error = joining.take(&other).unwrap_err();
            assert!(matches!(error, HomeError::OtherKey { .. }), "{error}");
            assert_eq!(Failure::from(error).exit, Exit::Usage);
        }
        joining.take(&stored.key).unwrap();
        assert_eq!(read_key(&dir.path.join(KEY)).unwrap().spki(), stored.key.spki(), "the key is on the disk first");
        joining.keep(&stored.identity(NOW).unwrap(), &endpoint(), None).unwrap();
        let again = Stored::load(&dir).unwrap();
        again.identity(NOW).unwrap();
        assert_eq!(again.incarnation, None);
    }
}

#[test]
fn a_renewed_certificate_stands_in_for_the_first_and_is_never_one_that_ends_earlier() {
    let (_place, dir) = joined();
    let first = Stored::load(&dir).unwrap();
    let renewed = |leaf: &CertificateDer<'static>| Renewed {
        leaf: leaf.clone(),
        issuing: first.root.clone(),
        not_after: Facts::read(leaf).unwrap().not_after,
    };
    // Any other certificate will do to see which is read: the issuing CA's ends later, and the root's last.
    renewed::keep(&first.folder, &renewed(&first.issuing)).unwrap();
    let stored = Stored::load(&dir).unwrap();
    assert_eq!((&stored.leaf, &stored.issuing), (&first.issuing, &first.root), "both come out of one file");
    assert_eq!(fs::metadata(dir.path.join("renewed.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    // Another program of this device had asked earlier.
    renewed::keep(&first.folder, &renewed(&first.leaf)).unwrap();
    assert_eq!(Stored::load(&dir).unwrap().leaf, first.issuing);
    renewed::keep(&first.folder, &renewed(&first.root)).unwrap();
    assert_eq!(Stored::load(&dir).unwrap().leaf, first.root);
    for ders in [vec![&first.leaf], vec![&first.leaf, &first.issuing, &first.root]] {
        write_certificates(&dir.path.join("renewed.pem"), &ders).unwrap();
        let error = Stored::load(&dir).unwrap_err();
        assert!(error.to_string().contains("renewed.pem") && error.to_string().contains("remove it"), "{error}");
        assert_eq!(Failure::from(error).exit, Exit::Failed);
    }
}
