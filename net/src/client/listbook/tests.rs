//! What is kept of the revocation lists comes back, is never exchanged for older ones, and is not believed if altered.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign_core::id::Realm;
use countersign_core::journal::State;
use countersign_core::pki::{Authority, found_realm};

use super::*;
use crate::entropy::OsEntropy;

const NOW: Wall = Wall(1_800_000_000);

fn lists(authority: &Authority, at: Wall) -> SignedLists {
    let lists = authority.lists(&State::new(1), 0, at).unwrap();
    let signed = |issued: &countersign_core::pki::IssuedList| SignedList {
        issuing: issued.issuing.to_vec().into(),
        list: issued.list.der().to_vec().into(),
    };
    SignedLists(lists.iter().map(signed).collect())
}

fn number(folder: &Path, trust: &Trust) -> Option<u64> {
    load(folder, trust, NOW).unwrap().number()
}

#[test]
fn the_newest_lists_are_kept_and_what_was_altered_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let founded = found_realm(&Realm::default(), NOW, &mut OsEntropy);
    let authority = Authority::new(Realm::default(), founded.files(), NOW).unwrap();
    let trust = authority.trust();
    assert_eq!(number(folder, trust), None);
    let (older, newer) = (lists(&authority, NOW), lists(&authority, Wall(NOW.0 + 5)));
    for (shown, kept) in [(&older, NOW.0), (&newer, NOW.0 + 5), (&older, NOW.0 + 5)] {
        keep(folder, trust, shown, NOW).unwrap();
        assert_eq!(number(folder, trust), Some(kept));
    }
    let path = folder.join(LISTS);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let pair = |list: &SignedList| certificate_pem(&list.issuing) + &list_pem(&list.list);
    assert_eq!(text, pair(&newer.0[0]));
    let mut altered = newer.0[0].clone();
    *altered.list.last_mut().unwrap() ^= 1;
    write_file(&path, pair(&altered).as_bytes()).unwrap();
    let refused = load(folder, trust, NOW).unwrap_err();
    assert!(matches!(refused, HomeError::Lists { why: CrlRefusal::Signature, .. }), "{refused}");
    for broken in ["", "nonsense", &list_pem(&altered.list), &certificate_pem(&altered.issuing)] {
        write_file(&path, broken.as_bytes()).unwrap();
        assert!(load(folder, trust, NOW).is_err() || broken.is_empty(), "{broken}");
    }
    // The next that comes is kept in its place.
    keep(folder, trust, &older, NOW).unwrap();
    assert_eq!(number(folder, trust), Some(NOW.0));
}
