//! Snapshots beside the records: which are kept, and that one which can't be written changes nothing.

use super::*;

fn written(done: &Done) -> (u64, bool) {
    match done {
        Done::Snapshotted { id, error } => (*id, error.is_none()),
        Done::Appended { .. } | Done::Loaded { .. } | Done::LoadedBody { .. } | Done::Cleared | Done::Failed { .. } => {
            panic!("{done:?}")
        }
    }
}

#[test]
fn the_newest_two_snapshots_are_kept_and_read_back_byte_for_byte() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    for n in 1..=4_u64 {
        handle.append(n, vec![b"record".to_vec()]).unwrap();
        assert_eq!(appended(&place.next(&mut handle)), (n, n, 1));
        handle.snapshot(10 + n, n, vec![u8::try_from(n).unwrap(); 100_000]).unwrap();
        assert_eq!(written(&place.next(&mut handle)), (10 + n, true));
    }
    assert_eq!(handle.stats(), JournalStats { transactions: 4, records: 4 });
    assert!(handle.close().is_empty());
    let journal = place.open();
    assert_eq!(journal.snapshots().unwrap(), [4, 3]);
    assert_eq!(journal.snapshot(4).unwrap().unwrap(), vec![4; 100_000]);
    assert_eq!(journal.snapshot(3).unwrap().unwrap(), vec![3; 100_000]);
    for absent in [0, 2, 5, u64::MAX] {
        assert_eq!(journal.snapshot(absent).unwrap(), None);
    }
}

#[test]
fn one_that_claims_a_later_place_goes_with_the_next_and_one_of_the_same_place_takes_its_own() {
    let mut place = Place::new();
    drop(place.open());
    place.sql("INSERT INTO snapshot VALUES (5, x'aa'), (6, x'bb'), (9000, x'cc')");
    let mut handle = place.spawn();
    handle.snapshot(1, 6, b"new".to_vec()).unwrap();
    assert_eq!(written(&place.next(&mut handle)), (1, true));
    assert!(handle.close().is_empty());
    let journal = place.open();
    assert_eq!(journal.snapshots().unwrap(), [6, 5]);
    assert_eq!(journal.snapshot(6).unwrap().unwrap(), b"new");
}

#[test]
fn records_that_gathered_with_a_snapshot_do_not_wait_for_it() {
    let place = Place::new();
    let (mut handle, go) = place.spawn_held(place.open());
    handle.append(1, vec![b"one".to_vec()]).unwrap();
    handle.snapshot(2, 1, b"state".to_vec()).unwrap();
    handle.append(3, vec![b"two".to_vec()]).unwrap();
    assert!(format!("{:?}", Request::Snapshot { id: 2, n: 1, body: b"state".to_vec() }).ends_with("bytes: 5 }"));
    drop(go);
    let done = handle.close();
    assert_eq!((appended(&done[0]), appended(&done[1]), written(&done[2])), ((1, 1, 1), (3, 2, 1), (2, true)));
    assert_eq!(done.len(), 3);
    assert_eq!(place.open().snapshots().unwrap(), [1]);
}

/// The file may take so many pages more and no other.
fn limit(journal: &Journal, more: i64) {
    let pages: i64 = journal.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + more);
    journal.connection.query_row(&limit, [], |_| Ok(())).unwrap();
}

#[test]
fn a_snapshot_without_room_is_told_and_the_older_one_and_the_records_stay_and_go_on() {
    let mut place = Place::new();
    drop(place.open());
    place.sql("INSERT INTO snapshot VALUES (1, x'aa')");
    let journal = place.open();
    limit(&journal, 3);
    let mut handle = journal.spawn(Arc::clone(&place.waker)).unwrap();
    handle.append(1, vec![b"one".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (1, 1, 1));
    handle.snapshot(2, 1, vec![0; 100_000]).unwrap();
    let done = place.next(&mut handle);
    assert!(matches!(&done, Done::Snapshotted { id: 2, error: Some(StoreError::Full { .. }) }), "{done:?}");
    handle.append(3, vec![b"two".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (3, 2, 1));
    assert!(handle.close().is_empty());
    let mut journal = place.open();
    assert_eq!(all(&mut journal).len(), 2);
    assert_eq!(journal.snapshot(1).unwrap().unwrap(), [0xaa]);
}

#[test]
fn a_file_from_before_there_were_snapshots_gets_its_table_and_keeps_its_format() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    handle.append(1, vec![b"one".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (1, 1, 1));
    assert!(handle.close().is_empty());
    place.sql("DROP TABLE snapshot");
    let mut journal = place.open();
    assert_eq!(journal.snapshots().unwrap(), [0; 0]);
    assert_eq!(all(&mut journal).len(), 1);
    let format: i64 = journal.connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(format, 1, "a program that knows no snapshots opens the file as before");
}

#[test]
fn what_stands_before_a_place_is_not_read_and_a_gap_after_it_is_found() {
    let place = Place::new();
    drop(place.open());
    place.sql("INSERT INTO record VALUES (1, x'aa'), (3, x'cc'), (4, x'dd'), (6, x'ff')");
    let mut seen = Vec::new();
    let mut after = |after: u64| {
        seen.clear();
        let visit = |n, _: &[u8]| {
            seen.push(n);
            Ok::<(), StoreError>(())
        };
        let ended = place.open().for_each_after(after, visit);
        (seen.clone(), ended.err().map(|error| error.to_string()))
    };
    let gap = |(seen, error): (Vec<u64>, Option<String>), expected: &[u64], found: &str| {
        assert_eq!(seen, expected);
        assert!(error.unwrap().contains(found));
    };
    gap(after(2), &[3, 4], "record 6 stands where record 5 belongs");
    gap(after(0), &[1], "record 3 stands where record 2 belongs");
    assert_eq!(after(6), (vec![], None));
    assert_eq!(after(u64::MAX), (vec![], None));
}

#[test]
fn after_a_large_snapshot_the_log_beside_the_file_gives_its_room_back() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    let path = place.folder.path().join("journal.sqlite3-wal");
    let wal = || fs::metadata(&path).unwrap().len();
    handle.append(1, vec![b"one".to_vec()]).unwrap();
    handle.snapshot(2, 1, vec![7; 40_000_000]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (1, 1, 1));
    assert_eq!(written(&place.next(&mut handle)), (2, true));
    assert!(wal() > 40_000_000);
    handle.append(3, vec![b"two".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (3, 2, 1));
    assert!(wal() <= 16 * 1024 * 1024, "{}", wal());
    assert!(handle.close().is_empty());
}
