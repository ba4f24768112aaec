//! Where the root's key goes and by what it is opened, up to what a run that was cut off leaves.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use countersign_core::id::Realm;
use tempfile::TempDir;

use super::super::founding::found;
use super::*;
use crate::exit::Exit;
use crate::store::folder::write_file;
use crate::store::keys::write_key;

struct Place {
    dir: TempDir,
    folder: Folder,
    root: Root,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("data")).unwrap();
        found(&folder, &Realm::default(), Clock::start().now().wall, &mut OsEntropy).unwrap();
        let (folder, root) = realm_at(folder.path()).unwrap();
        write_file(&dir.path().join("passphrase"), b"four words and more").unwrap();
        write_file(&dir.path().join("other"), b"four other words").unwrap();
        Self { dir, folder, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn export(&self, target: &Target) -> Result<(), Failure> {
        export(self.folder.path(), target, Some(&self.path("passphrase")), true)
    }

    fn open(&self, named: Option<&str>, passphrase: &str) -> Result<SecretKey, Failure> {
        let named = named.map(|name| self.path(name));
        open(&self.folder, &self.root, named.as_deref(), Some(&self.path(passphrase)))
    }

    fn plain(&self) -> Vec<u8> {
        fs::read(self.folder.file(ROOT_KEY)).unwrap()
    }
}

fn refused<T>(result: Result<T, Failure>, exit: Exit, part: &str) {
    let failure = result.err().unwrap();
    assert!(failure.exit == exit && failure.sentence.contains(part), "{failure:?}");
}

#[test]
fn a_key_encrypted_in_place_takes_the_plain_ones_and_what_a_cut_off_run_left_is_no_obstacle() {
    let place = Place::new();
    assert_eq!(Whereabouts::of(place.folder.path()), Whereabouts::Here);
    // It was cut off while it wrote.
    write_file(&place.folder.file(IN_PLACE), b"-----BEGIN ENC").unwrap();
    place.export(&Target::InPlace).unwrap();
    assert_eq!(Whereabouts::of(place.folder.path()), Whereabouts::Sealed);
    assert!(!place.folder.file(IN_PLACE).exists());
    assert!(place.open(None, "passphrase").is_ok());
    refused(place.open(None, "other"), Exit::Refused, "the passphrase does not open the key");
    refused(place.export(&Target::InPlace), Exit::Usage, "is encrypted already");
}

#[test]
fn the_plain_key_goes_only_if_that_was_said_and_a_file_that_is_there_is_left_alone() {
    let place = Place::new();
    let before = place.plain();
    let to = |name: &str, remove| Target::File { path: place.path(name), remove };
    refused(place.export(&to("passphrase", true)), Exit::Usage, "exists already and is not overwritten");
    assert_eq!(fs::read(place.path("passphrase")).unwrap(), b"four words and more");
    refused(place.export(&to("no/where", true)), Exit::Failed, "does not exist");
    place.export(&to("first", false)).unwrap();
    assert_eq!(place.plain(), before);
    assert_eq!(fs::metadata(place.path("first")).unwrap().permissions().mode() & 0o777, 0o600);
    place.export(&to("second", true)).unwrap();
    assert_eq!(Whereabouts::of(place.folder.path()), Whereabouts::Elsewhere);
    for name in ["first", "second"] {
        assert!(place.open(Some(name), "passphrase").is_ok());
    }
    refused(place.open(None, "passphrase"), Exit::Usage, "--root-key FILE");
    refused(place.export(&to("third", true)), Exit::Failed, "was exported before");
}

#[test]
fn another_key_than_the_roots_is_neither_exported_nor_used() {
    let place = Place::new();
    fs::copy(place.folder.file("issuing.key"), place.folder.file(ROOT_KEY)).unwrap();
    let to = Target::File { path: place.path("exported"), remove: true };
    refused(place.export(&to), Exit::Refused, "another key than that of root.pem");
    assert!(!place.path("exported").exists() && place.folder.file(ROOT_KEY).exists());
    refused(place.open(None, "passphrase"), Exit::Refused, "another key than that of root.pem");
    assert!(!opens(&place.folder.file(ROOT_KEY), b"", &place.root));
}

#[test]
fn a_file_that_others_can_read_is_refused_unless_it_is_encrypted() {
    let place = Place::new();
    place.export(&Target::File { path: place.path("sealed"), remove: false }).unwrap();
    fs::copy(place.folder.file(ROOT_KEY), place.path("plain")).unwrap();
    assert!(place.open(Some("plain"), "passphrase").is_ok());
    for name in ["sealed", "plain"] {
        fs::set_permissions(place.path(name), Permissions::from_mode(0o644)).unwrap();
    }
    assert!(place.open(Some("sealed"), "passphrase").is_ok());
    refused(place.open(Some("plain"), "passphrase"), Exit::Failed, "run chmod 600");
    fs::set_permissions(place.folder.file(ROOT_KEY), Permissions::from_mode(0o604)).unwrap();
    refused(place.open(None, "passphrase"), Exit::Failed, "run chmod 600");
    // In the data folder all files are the owner's alone, and no links.
    let key = place.folder.file(ROOT_KEY);
    fs::copy(place.path("sealed"), &key).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    refused(place.open(None, "passphrase"), Exit::Failed, "run chmod 600");
    fs::remove_file(&key).unwrap();
    symlink(place.path("sealed"), &key).unwrap();
    refused(place.open(None, "passphrase"), Exit::Failed, "is a symbolic link");
}

#[test]
fn what_was_written_counts_only_if_it_opens_as_the_roots_key() {
    let place = Place::new();
    place.export(&Target::File { path: place.path("sealed"), remove: false }).unwrap();
    assert!(opens(&place.path("sealed"), b"four words and more", &place.root));
    assert!(!opens(&place.path("sealed"), b"four words", &place.root));
    let text = fs::read_to_string(place.path("sealed")).unwrap();
    write_file(&place.path("cut"), text.split_at(text.len() / 2).0.as_bytes()).unwrap();
    assert!(!opens(&place.path("cut"), b"four words and more", &place.root));
    write_key(&place.path("stranger"), &DeviceKey::from(SecretKey::draw(&mut OsEntropy))).unwrap();
    assert!(!opens(&place.path("stranger"), b"", &place.root));
}
