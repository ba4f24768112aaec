//! What can be done to a backup file, and that nothing of it goes unseen.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::convert::Infallible;

use countersign_core::password::{Cost, Password};

use super::*;
use crate::entropy::OsEntropy;

fn password(text: &str) -> Password {
    Password::new(text.as_bytes().to_vec().into())
}

fn sealed() -> Sealing {
    Sealing::Passphrase(password("four words for us"), Cost::LEAST)
}

fn items() -> Vec<Item> {
    let head = Head { realm: "chat.internal".into(), incarnation: 7, at: 1_800_000_000, has_keys: true };
    let file = Item::File { name: "root.pem".into(), bytes: FileBytes::of(b"a root") };
    let record = |n: usize| Item::Record(ByteBuf::from(vec![0xab; n]));
    // Longer than a piece, and such that one ends exactly where an item does.
    vec![Item::Head(head), file, record(70_000), record(1), record(70_000), record(0), Item::End { records: 4 }]
}

fn written(sealing: &Sealing) -> Vec<u8> {
    let mut writer = BackupWriter::begin(Vec::new(), sealing, &mut OsEntropy).unwrap();
    for item in items() {
        writer.write(&item).unwrap();
    }
    writer.finish().unwrap()
}

#[derive(Debug)]
struct Refused(BackupError);

impl From<BackupError> for Refused {
    fn from(error: BackupError) -> Self {
        Self(error)
    }
}

impl From<Infallible> for Refused {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The items of a file that is whole.
fn read(bytes: &[u8], passphrase: &str) -> Result<Vec<Item>, BackupError> {
    let read = || {
        let mut reader = BackupReader::begin(bytes, || Ok::<_, Refused>(password(passphrase)))?;
        let mut items = Vec::new();
        while let Some(item) = reader.item()? {
            items.push(item);
        }
        if reader.is_at_its_end()? { Ok(items) } else { Err(Refused(BackupError::Damaged)) }
    };
    read().map_err(|Refused(error)| error)
}

#[test]
fn what_was_written_is_read_sealed_or_not() {
    for sealing in [sealed(), Sealing::None] {
        assert_eq!(read(&written(&sealing), "four words for us").unwrap(), items());
    }
    let bytes = written(&sealed());
    assert!(!bytes.windows(8).any(|window| window == [0xab; 8] || window == b"chat.int"), "nothing can be read in it");
    assert_ne!(bytes, written(&sealed()), "each has a key of its own");
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    assert!(matches!(read(&written(&sealed()), "four words for as"), Err(BackupError::Sealed)));
}

#[test]
fn no_byte_can_be_changed_unseen() {
    for sealing in [sealed(), Sealing::None] {
        let bytes = written(&sealing);
        // All of the beginning and the end, and some of the middle.
        let places = (0..200).chain((200..bytes.len() - 200).step_by(4_001)).chain(bytes.len() - 200..bytes.len());
        for place in places {
            // A cost far beyond the one that it was would only take its time.
            if (37..49).contains(&place) && matches!(sealing, Sealing::Passphrase(..)) {
                continue;
            }
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            assert!(read(&bytes, "four words for us").is_err(), "{sealing:?}, byte {place}");
        }
    }
}

#[test]
fn a_cost_beyond_all_measure_is_not_paid() {
    let mut bytes = written(&sealed());
    bytes[37..49].copy_from_slice(&[0xff; 12]);
    assert!(matches!(read(&bytes, "four words for us"), Err(BackupError::Damaged)));
}

#[test]
fn a_file_that_was_cut_off_or_goes_on_is_refused_wherever() {
    for sealing in [sealed(), Sealing::None] {
        let bytes = written(&sealing);
        for end in (0..200).chain((200..bytes.len()).step_by(4_001)).chain(bytes.len() - 100..bytes.len()) {
            assert!(read(&bytes[..end], "four words for us").is_err(), "{sealing:?}, cut at {end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(read(&longer, "four words for us"), Err(BackupError::Damaged)));
    }
}

#[test]
fn pieces_that_were_swapped_left_out_or_said_to_be_the_last_are_refused() {
    for (sealing, header) in [(sealed(), 49), (Sealing::None, 21)] {
        let bytes = written(&sealing);
        let piece = 4 + 64 * 1024 + 16;
        let (first, second, rest) =
            (&bytes[header..header + piece], &bytes[header + piece..header + 2 * piece], &bytes[header + 2 * piece..]);
        let head = &bytes[..header];
        let mut last = first.to_vec();
        last[0] |= 0x80;
        for forged in [
            [head, second, first, rest].concat(),
            [head, second, rest].concat(),
            [head, first, rest].concat(),
            [head, first, first, rest].concat(),
            [head, &last].concat(),
        ] {
            assert!(read(&forged, "four words for us").is_err(), "{sealing:?}");
        }
    }
}

#[test]
fn what_is_no_backup_or_a_newer_one_is_said_to_be() {
    assert!(matches!(read(b"", ""), Err(BackupError::Foreign)));
    assert!(matches!(read(b"-----BEGIN CERTIFICATE-----", ""), Err(BackupError::Foreign)));
    let mut bytes = written(&Sealing::None);
    bytes[19] = 2;
    assert!(matches!(read(&bytes, ""), Err(BackupError::Newer(2))));
    bytes[19] = 0;
    assert!(matches!(read(&bytes, ""), Err(BackupError::Foreign)));
}
