//! What is verified is signed by the key that the root has certified, and complete; nothing else passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Realm, Serial, UserName};
use countersign_core::pki::{Founded, SecretKey, found_realm};
use countersign_core::tlog::{Basis, Certified, LogSigner, NoteName, Tree};

use super::*;
use crate::entropy::OsEntropy;
use crate::exit::Exit;
use crate::store::keys::write_certificates;

const NOW: Wall = Wall(1_800_000_000);

fn leaf(n: u8) -> Leaf {
    let name =
        DeviceName { user: UserName::parse(&format!("u{n}")).unwrap(), device: DeviceLabel::parse("laptop").unwrap() };
    Leaf::DeviceCertificate(Certified {
        name,
        serial: Serial([n; 16]),
        key: KeyId([n; 32]),
        certificate: Fingerprint([n; 32]),
        not_after: NOW,
        basis: Basis::FirstDevice,
        at: NOW,
    })
}

/// A log of five entries, signed with this key.
fn told(key: &SecretKey, realm: &Realm) -> Told {
    let leaves: Vec<Leaf> = (1..6).map(leaf).collect();
    let tree: Tree = leaves.iter().map(Leaf::leaf_hash).collect();
    let note = LogSigner::new(NoteName::of_log(realm, 7), key.clone()).sign(tree.head()).to_string();
    let checkpoint = Checkpoint::parse(note.as_bytes()).unwrap();
    Told { note, checkpoint, entries: leaves.iter().map(Leaf::encode).collect() }
}

/// A data folder with the certificates of a realm.
fn folder() -> (tempfile::TempDir, Founded) {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let founded = found_realm(&Realm::default(), NOW, &mut OsEntropy);
    write_certificates(&place.path().join(ROOT), &[&founded.root]).unwrap();
    write_certificates(&place.path().join(LOG), &[&founded.log]).unwrap();
    (place, founded)
}

#[test]
fn what_was_signed_is_verified_and_what_has_come_since_is_passed_over() {
    let (place, founded) = folder();
    let mut told = told(&founded.log_key, &Realm::default());
    let leaves: Vec<Leaf> = (1..6).map(leaf).collect();
    assert_eq!(verified(place.path(), &told, NOW), Ok(leaves.clone()));
    told.entries.push(leaf(6).encode());
    assert_eq!(verified(place.path(), &told, NOW), Ok(leaves.clone()));
    assert_eq!(as_told(&told), Ok(leaves));
}

#[test]
fn the_log_is_read_page_by_page_up_to_the_first_pages_checkpoint() {
    let (_place, founded) = folder();
    let Told { note, entries, .. } = told(&founded.log_key, &Realm::default());
    let grown: Vec<Vec<u8>> = entries.iter().cloned().chain([leaf(6).encode(), leaf(7).encode()]).collect();
    let mut asked = Vec::new();
    // Pages of two, while the log grows and later pages come with another note.
    let told = read(|first| {
        asked.push(first);
        let note = if first == 0 { note.clone() } else { "of later".to_owned() };
        Ok((note, grown.iter().skip(usize::try_from(first).unwrap()).take(2).cloned().collect()))
    })
    .unwrap();
    assert_eq!((told.note.as_str(), asked), (note.as_str(), vec![0, 2, 4]));
    assert_eq!(as_told(&told), Ok((1..6).map(leaf).collect()));
    // A server that gives no more is not asked for ever.
    let told = read(|first| Ok((note.clone(), if first == 0 { entries[..3].to_vec() } else { Vec::new() }))).unwrap();
    assert_eq!((told.entries.len(), as_told(&told)), (3, Err(AuditRefusal::Missing { given: 3, signed: 5 })));
    assert_eq!(read(|_| Ok(("no note".to_owned(), Vec::new()))).err().map(|failure| failure.exit), Some(Exit::Refused));
}

#[test]
fn altered_hidden_and_unreadable_entries_are_refused() {
    let (place, founded) = folder();
    let good = || told(&founded.log_key, &Realm::default());
    let mut altered = good();
    altered.entries[3] = leaf(9).encode();
    let mut hidden = good();
    hidden.entries.pop();
    for (told, part) in [(&altered, "are not those that it has signed"), (&hidden, "5 entries and gives 4")] {
        let failure = verified(place.path(), told, NOW).unwrap_err();
        assert!(failure.exit == Exit::Refused && failure.sentence.contains(part), "{failure}");
    }
    // Even who does not verify is not shown a part for the whole.
    assert_eq!(as_told(&hidden), Err(AuditRefusal::Missing { given: 4, signed: 5 }));
    let mut noise = good();
    noise.entries[3] = vec![9, 9];
    let refusal = as_told(&noise).unwrap_err();
    assert!(refusal.to_string().contains("entry 3"), "{refusal}");
}

#[test]
fn a_checkpoint_of_another_key_another_realm_or_another_root_is_refused() {
    let (place, founded) = folder();
    let elsewhere = Realm::parse("other.example").unwrap();
    let other = found_realm(&Realm::default(), NOW, &mut OsEntropy);
    for told in [told(&other.log_key, &Realm::default()), told(&founded.log_key, &elsewhere)] {
        let failure = verified(place.path(), &told, NOW).unwrap_err();
        assert!(failure.exit == Exit::Refused && failure.sentence.contains("NOT what"), "{failure}");
    }
    // With the other's certificate as well, it is the root that says no.
    write_certificates(&place.path().join(LOG), &[&other.log]).unwrap();
    let failure = verified(place.path(), &told(&other.log_key, &Realm::default()), NOW).unwrap_err();
    assert!(failure.exit == Exit::Refused && failure.sentence.contains("NOT what"), "{failure}");
}

#[test]
fn a_size_that_was_changed_in_the_note_is_refused() {
    let (place, founded) = folder();
    let mut told = told(&founded.log_key, &Realm::default());
    told.note = told.note.replacen("\n5\n", "\n4\n", 1);
    let failure = verified(place.path(), &told, NOW).unwrap_err();
    assert!(failure.exit == Exit::Refused && failure.sentence.contains("NOT what"), "{failure}");
}
