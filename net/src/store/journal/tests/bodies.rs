//! What stands beside records: written with them or not at all, read back, and gone when it is needed no more.

use countersign_core::server::Written;

use super::*;

fn with_body(record: &[u8], body: &[u8]) -> Written {
    Written { record: record.to_vec(), body: Some(body.into()) }
}

fn loaded(place: &mut Place, handle: &mut JournalHandle, n: u64) -> Option<Vec<u8>> {
    handle.load_body(5, n).unwrap();
    let done = place.next(handle);
    let Done::LoadedBody { id: 5, bytes } = done else { panic!("{done:?}") };
    bytes
}

#[test]
fn what_stands_beside_a_record_is_written_with_it_and_read_until_it_goes() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    let long = vec![7; 2 * 1024 * 1024];
    let plain = Written { record: b"two".to_vec(), body: None };
    handle.append_with(1, vec![with_body(b"one", &long), plain, with_body(b"three", b"")]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (1, 1, 3));
    assert_eq!(loaded(&mut place, &mut handle, 1), Some(long));
    assert_eq!([2, 4, u64::MAX].map(|n| loaded(&mut place, &mut handle, n)), [None, None, None]);
    handle.drop_bodies(vec![1, 2, u64::MAX]).unwrap();
    assert!(matches!(place.next(&mut handle), Done::Cleared));
    assert_eq!(loaded(&mut place, &mut handle, 1), None);
    assert!(handle.close().is_empty());
    let mut journal = place.open();
    assert_eq!((journal.body(1).unwrap(), journal.body(3).unwrap()), (None, Some(vec![])));
    let records: Vec<_> = all(&mut journal).into_iter().map(|(_, record)| record).collect();
    assert_eq!(records, [&b"one"[..], b"two", b"three"], "the records stay");
}

#[test]
fn a_start_clears_away_whatever_is_not_needed() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    for n in 1..=4 {
        handle.append_with(n, vec![with_body(b"record", b"body")]).unwrap();
        assert_eq!(appended(&place.next(&mut handle)), (n, n, 1));
    }
    handle.keep_bodies(vec![2, 4, 9]).unwrap();
    assert!(matches!(place.next(&mut handle), Done::Cleared));
    let left = [1, 2, 3, 4].map(|n| loaded(&mut place, &mut handle, n).is_some());
    assert_eq!(left, [false, true, false, true]);
}

#[test]
fn a_journal_from_before_there_were_any_is_opened_and_has_none() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    handle.append(1, vec![b"one".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (1, 1, 1));
    assert!(handle.close().is_empty());
    place.sql("DROP TABLE body");
    let mut handle = place.spawn();
    handle.append_with(2, vec![with_body(b"two", b"body")]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (2, 2, 1));
    assert_eq!(loaded(&mut place, &mut handle, 1), None);
    assert_eq!(loaded(&mut place, &mut handle, 2), Some(b"body".to_vec()));
}

#[test]
fn a_record_whose_body_can_not_be_written_is_not_written_either() {
    let mut place = Place::new();
    drop(place.open());
    // Something stands already where the second record's would.
    place.sql("INSERT INTO body (n, bytes) VALUES (2, x'00')");
    let mut handle = place.spawn();
    handle.append_with(1, vec![with_body(b"one", b"body"), with_body(b"two", b"body")]).unwrap();
    let done = place.next(&mut handle);
    assert!(matches!(failure(done), StoreError::Sqlite { .. }));
    drop(handle.close());
    let journal = place.open();
    assert_eq!((journal.last(), journal.body(1).unwrap()), (0, None));
}
