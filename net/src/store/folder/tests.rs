//! What is on the disk after each call, and each cause of refusal.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use super::*;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_folder_and_its_new_parents_are_the_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a/b/c");
    Folder::open(&path).unwrap();
    for made in ["a", "a/b", "a/b/c"] {
        assert_eq!(mode(&place.path().join(made)), 0o700, "{made}");
    }
    Folder::open(&path).unwrap();
}

#[test]
fn a_loose_folder_is_refused_with_the_command_that_repairs_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("my data");
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o750);
    let error = Folder::open(&path).unwrap_err().to_string();
    let expected = format!("{0} has mode 0750, which lets other users in: run chmod 700 '{0}'", path.display());
    assert_eq!(error, expected);
    assert_eq!(mode(&path), 0o750, "the mode is not repaired silently");
    chmod(&path, 0o500);
    Folder::open(&path).unwrap();
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Folder::open(&path).unwrap_err();
        assert!(matches!(error, FolderError::NotAFolder { .. }), "{error}");
    }
}

#[test]
fn a_second_program_is_refused_until_the_first_lets_go() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&place.path().join("data")).unwrap();
    let lock = folder.lock("server").unwrap();
    assert_eq!(mode(&folder.file("lock")), 0o600);
    let error = folder.lock("server").unwrap_err();
    assert!(matches!(error, FolderError::Locked { .. }));
    assert!(error.to_string().starts_with("another server is running on this data folder"));
    drop(lock);
    let _lock = folder.lock("server").unwrap();
}

#[test]
fn a_written_file_is_whole_private_and_leaves_nothing_beside_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    // What a crash in the middle of an earlier write leaves.
    fs::write(place.path().join("file.new"), "half").unwrap();
    for bytes in [&b"first"[..], b"second, longer", b""] {
        write_file(&path, bytes).unwrap();
        assert_eq!(read_file(&path, 100).unwrap(), bytes);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_link_is_replaced_by_a_write_and_its_target_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let (target, path) = (place.path().join("target"), place.path().join("file"));
    fs::write(&target, "theirs").unwrap();
    symlink(&target, &path).unwrap();
    write_file(&path, b"ours").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"theirs");
    assert_eq!(read_secret_file(&path, 10).unwrap().as_slice(), b"ours");
}

#[test]
fn a_failed_write_keeps_the_old_and_removes_the_half() {
    let place = tempfile::tempdir().unwrap();
    // A folder can't be replaced by a file: the rename fails, after everything was written.
    let path = place.path().join("file");
    fs::create_dir(&path).unwrap();
    assert!(write_file(&path, b"new").is_err());
    assert!(path.is_dir());
    assert!(!place.path().join("file.new").exists());
}

#[test]
fn a_file_over_the_bound_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    write_file(&path, &[7; 10]).unwrap();
    assert_eq!(read_file(&path, 10).unwrap(), [7; 10]);
    assert_eq!(read_secret_file(&path, 10).unwrap().as_slice(), [7; 10]);
    let too_large = |error| matches!(error, FolderError::TooLarge { bytes_max: 9, .. });
    assert!(too_large(read_file(&path, 9).unwrap_err()));
    assert!(too_large(read_secret_file(&path, 9).unwrap_err()));
}

#[test]
fn a_secret_that_others_can_read_is_refused_and_a_tighter_one_is_not() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    write_file(&path, b"secret").unwrap();
    for loose in [0o640, 0o604, 0o620, 0o601] {
        chmod(&path, loose);
        let error = read_secret_file(&path, 100).unwrap_err();
        assert!(matches!(error, FolderError::LooseMode { found, wanted: 0o600, .. } if found == loose));
    }
    chmod(&path, 0o400);
    read_secret_file(&path, 100).unwrap();
}

#[test]
fn a_secret_is_not_read_through_a_link_nor_from_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let (key, link) = (place.path().join("key"), place.path().join("link"));
    write_file(&key, b"secret").unwrap();
    symlink(&key, &link).unwrap();
    let error = read_secret_file(&link, 100).unwrap_err();
    assert!(matches!(error, FolderError::Link { .. }), "{error}");
    let error = read_secret_file(place.path(), 100).unwrap_err();
    assert!(matches!(error, FolderError::NotAFile { .. }), "{error}");
    let error = read_secret_file(&place.path().join("none"), 100).unwrap_err();
    assert!(matches!(error, FolderError::Missing { .. }), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_as_one() {
    let path = Path::new("/dev/full");
    let mut full = OpenOptions::new().write(true).open(path).unwrap();
    let error = at(path, full.write_all(b"x")).unwrap_err();
    assert!(matches!(error, FolderError::Full { .. }), "{error}");
}

/// The tests may run as root, whom permission bits and most mounts don't stop, so the causes come from their kinds.
#[test]
fn each_cause_has_its_own_variant_and_a_sentence_that_names_the_path() {
    let path = Path::new("/data");
    let sort = |kind: ErrorKind| FolderError::from_io(path, kind.into());
    assert!(matches!(sort(ErrorKind::ReadOnlyFilesystem), FolderError::ReadOnly { .. }));
    assert!(matches!(sort(ErrorKind::PermissionDenied), FolderError::NoPermission { .. }));
    assert!(matches!(sort(ErrorKind::QuotaExceeded), FolderError::Full { .. }));
    assert!(matches!(sort(ErrorKind::TimedOut), FolderError::Io { .. }));
    for kind in
        [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied, ErrorKind::StorageFull, ErrorKind::TimedOut]
    {
        assert!(sort(kind).to_string().contains("/data"));
    }
}

#[test]
fn a_new_file_is_whole_its_owners_alone_and_never_takes_the_place_of_another() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new");
    write_new_file(&path, b"first").unwrap();
    assert_eq!(mode(&path), 0o600);
    symlink(place.path().join("nowhere"), place.path().join("link")).unwrap();
    for taken in ["new", "link"] {
        let error = write_new_file(&place.path().join(taken), b"second").unwrap_err();
        assert!(matches!(error, FolderError::Exists { .. }), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert!(!place.path().join("nowhere").exists());
}
