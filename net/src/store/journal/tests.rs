//! What the journal promises, shown on files of a real `SQLite`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use super::*;
use crate::store::folder::{FolderError, create_file};
use mio::{Events, Poll, Token};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tempfile::TempDir;

mod bodies;
mod snapshots;

const INCARNATION: u64 = (1 << 63) - 1;

struct Place {
    folder: TempDir,
    poll: Poll,
    waker: Arc<Waker>,
}

impl Place {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self { folder, poll, waker }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.sqlite3")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path(), INCARNATION).unwrap()
    }

    fn refusal(&self) -> StoreError {
        Journal::open(&self.path(), 1).unwrap_err()
    }

    /// A raw second connection, to prepare what a journal must cope with.
    fn sql(&self, statements: &str) {
        Connection::open(self.path()).unwrap().execute_batch(statements).unwrap();
    }

    /// A handle whose thread does nothing before a word (or the end) comes through the sender.
    fn spawn_held(&self, journal: Journal) -> (JournalHandle, std::sync::mpsc::Sender<()>) {
        let (go, gate) = channel();
        let wait = move || {
            let _ = gate.recv();
        };
        (journal.spawn_after(Arc::clone(&self.waker), wait).unwrap(), go)
    }

    fn spawn(&self) -> JournalHandle {
        self.open().spawn(Arc::clone(&self.waker)).unwrap()
    }

    /// The next outcome; waits for the waker alone, so it also shows that the waker is used.
    fn next(&mut self, handle: &mut JournalHandle) -> Done {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut events = Events::with_capacity(8);
        loop {
            if let Some(done) = handle.done() {
                return done;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no outcome within a minute");
            self.poll.poll(&mut events, Some(left)).unwrap();
        }
    }
}

fn all(journal: &mut Journal) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    let each = |n, body: &[u8]| {
        records.push((n, body.to_vec()));
        Ok::<(), StoreError>(())
    };
    journal.for_each_after(0, each).unwrap();
    records
}

fn appended(done: &Done) -> (u64, u64, u64) {
    match done {
        Done::Appended { id, first, count } => (*id, *first, *count),
        Done::Loaded { .. }
        | Done::LoadedBody { .. }
        | Done::Cleared
        | Done::Snapshotted { .. }
        | Done::Failed { .. } => panic!("{done:?}"),
    }
}

fn failure(done: Done) -> StoreError {
    match done {
        Done::Failed { error } => error,
        Done::Appended { .. }
        | Done::Loaded { .. }
        | Done::LoadedBody { .. }
        | Done::Cleared
        | Done::Snapshotted { .. } => panic!("{done:?}"),
    }
}

#[test]
fn reopening_gives_the_same_incarnation_and_the_same_records() {
    let mut place = Place::new();
    let journal = place.open();
    assert_eq!((journal.incarnation(), journal.last()), (INCARNATION, 0));
    let mut handle = journal.spawn(Arc::clone(&place.waker)).unwrap();
    handle.append(7, vec![b"one".to_vec(), b"".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (7, 1, 2));
    handle.append(8, vec![b"three".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (8, 3, 1));
    assert!(handle.close().is_empty());

    let mut journal = Journal::open(&place.path(), 5).unwrap();
    assert_eq!((journal.incarnation(), journal.last()), (INCARNATION, 3));
    let expected = [(1, b"one".to_vec()), (2, vec![]), (3, b"three".to_vec())];
    assert_eq!(all(&mut journal), expected);
    assert_eq!(journal.read(3).unwrap().unwrap(), b"three");
    for absent in [0, 4, u64::MAX] {
        assert_eq!(journal.read(absent).unwrap(), None);
    }
}

/// What a copy of the one file, or a crash whose `-wal` somebody deletes, leaves of a young realm.
#[test]
fn from_its_first_record_on_the_file_by_itself_says_that_there_is_a_realm() {
    let mut place = Place::new();
    let mut handle = place.open().spawn(Arc::clone(&place.waker)).unwrap();
    handle.append(1, vec![b"founded".to_vec()]).unwrap();
    assert_eq!(appended(&place.next(&mut handle)), (1, 1, 1));
    let alone = Place::new();
    std::fs::copy(place.path(), alone.path()).unwrap();
    assert_eq!(all(&mut Journal::open(&alone.path(), 5).unwrap()), [(1, b"founded".to_vec())]);
    assert!(handle.close().is_empty());
}

#[test]
fn every_file_is_the_owners_alone_and_every_commit_is_synced() {
    let place = Place::new();
    let journal = place.open();
    let pragma = |name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        journal.connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((pragma("journal_mode"), pragma("synchronous")), ("wal".into(), "2".into()));
    let mut names = Vec::new();
    for entry in fs::read_dir(place.folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let base = "journal.sqlite3";
    assert_eq!(names, [base.into(), format!("{base}-shm"), format!("{base}-wal")]);
}

#[test]
fn a_loose_file_and_a_link_are_refused() {
    let place = Place::new();
    drop(place.open());
    fs::set_permissions(place.path(), Permissions::from_mode(0o640)).unwrap();
    let error = place.refusal();
    assert!(matches!(error, StoreError::File(FolderError::LooseMode { .. })), "{error}");
    let elsewhere = place.folder.path().join("elsewhere");
    fs::rename(place.path(), &elsewhere).unwrap();
    symlink(&elsewhere, place.path()).unwrap();
    let error = place.refusal();
    assert!(matches!(error, StoreError::File(FolderError::Link { .. })), "{error}");
}

#[test]
fn another_programs_file_is_refused_and_left_as_it_is() {
    let place = Place::new();
    drop(create_file(&place.path()).unwrap());
    for theirs in [
        "CREATE TABLE record (n INTEGER PRIMARY KEY)",
        "DROP TABLE record; PRAGMA application_id = 77",
        "PRAGMA application_id = 0; PRAGMA user_version = 1",
    ] {
        place.sql(theirs);
        let before = fs::read(place.path()).unwrap();
        let error = place.refusal();
        assert!(matches!(error, StoreError::Foreign { .. }), "{theirs}: {error}");
        assert!(error.to_string().contains("belongs to another program"));
        assert_eq!(fs::read(place.path()).unwrap(), before, "{theirs}");
    }
    let text = "not a database, but long enough to be looked at as one. ".repeat(20);
    fs::write(place.path(), &text).unwrap();
    let error = place.refusal();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
}

#[test]
fn a_newer_format_is_refused_and_names_both() {
    let place = Place::new();
    drop(place.open());
    place.sql("PRAGMA user_version = 9");
    let error = place.refusal();
    assert!(matches!(error, StoreError::Newer { found: 9, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("has format 9 and this program knows only up to 1"));
}

#[test]
fn an_empty_file_from_a_start_that_was_cut_off_becomes_a_journal() {
    let place = Place::new();
    drop(create_file(&place.path()).unwrap());
    assert_eq!(place.open().incarnation(), INCARNATION);
    // Cut off one step later: the log is switched on, and nothing is in it.
    fs::remove_file(place.path()).unwrap();
    drop(create_file(&place.path()).unwrap());
    place.sql("PRAGMA journal_mode = WAL");
    assert_eq!(place.open().incarnation(), INCARNATION);
}

#[test]
fn a_missing_record_is_refused_after_those_before_it() {
    let place = Place::new();
    drop(place.open());
    place.sql("INSERT INTO record VALUES (1, x'aa'), (2, x'bb'), (4, x'dd')");
    let mut seen = Vec::new();
    let mut journal = place.open();
    let error: StoreError = journal
        .for_each_after(0, |n, _| {
            seen.push(n);
            Ok(())
        })
        .unwrap_err();
    assert_eq!(seen, [1, 2]);
    assert!(matches!(error, StoreError::Gap { expected: 3, found: 4, .. }), "{error}");
    drop(journal);
    place.sql("DELETE FROM record WHERE n = 1");
    let error = place.open().for_each_after(0, |_, _| Ok::<(), StoreError>(())).unwrap_err();
    assert!(matches!(error, StoreError::Gap { expected: 1, found: 2, .. }), "{error}");
}

#[test]
fn a_journal_without_an_incarnation_or_with_a_record_before_the_first_is_damaged() {
    let place = Place::new();
    drop(place.open());
    place.sql("INSERT INTO record VALUES (-1, x'aa')");
    assert!(matches!(place.refusal(), StoreError::Damaged { .. }));
    place.sql("DELETE FROM record; DELETE FROM meta");
    assert!(matches!(place.refusal(), StoreError::Damaged { .. }));
}

#[test]
fn a_replay_ends_where_its_visitor_refuses() {
    let place = Place::new();
    drop(place.open());
    place.sql("INSERT INTO record VALUES (1, x'aa'), (2, x'bb')");
    let mut calls = 0;
    let result = place.open().for_each_after(0, |_, _| {
        calls += 1;
        Err(StoreError::Stopped)
    });
    assert!(matches!((result, calls), (Err(StoreError::Stopped), 1)));
}

#[test]
fn appends_that_wait_share_one_transaction_and_keep_their_order() {
    let mut place = Place::new();
    let (mut handle, go) = place.spawn_held(place.open());
    for id in 0..200 {
        handle.append(id, vec![vec![1]; 3]).unwrap();
    }
    assert!(handle.done().is_none(), "nothing is told before it is on the disk");
    go.send(()).unwrap();
    for id in 0..200 {
        assert_eq!(appended(&place.next(&mut handle)), (id, 1 + 3 * id, 3));
    }
    let stats = handle.stats();
    assert_eq!(stats, JournalStats { transactions: 1, records: 600 });
    assert!(handle.close().is_empty());
    assert_eq!(place.open().last(), 600);
}

#[test]
fn a_transaction_takes_a_bounded_number_of_requests() {
    let place = Place::new();
    let (mut handle, go) = place.spawn_held(place.open());
    let requests = 2 * BATCH_REQUESTS_MAX as u64 + 1;
    for id in 0..requests {
        handle.append(id, vec![vec![]]).unwrap();
    }
    let counters = Arc::clone(&handle.counters);
    drop(go);
    assert_eq!(handle.close().len() as u64, requests);
    assert_eq!(counters.transactions.load(Ordering::Acquire), 3);
}

#[test]
fn the_queue_is_bounded_by_what_was_not_taken_and_gives_the_request_back() {
    let mut place = Place::new();
    let (mut handle, go) = place.spawn_held(place.open());
    for id in 0..REQUESTS_MAX as u64 {
        handle.append(id, vec![vec![]]).unwrap();
    }
    let refused = handle.append(99, vec![b"too much".to_vec()]).unwrap_err();
    let NotQueued::Full(Request::Append { id: 99, records }) = refused else { panic!("{refused:?}") };
    assert_eq!(records[0].record, b"too much");
    drop(go);
    // Finished is not enough: an outcome has to be taken before there is room for another request.
    assert_eq!(appended(&place.next(&mut handle)).0, 0);
    handle.append_with(99, records).unwrap();
    assert!(matches!(handle.load(1, 1), Err(NotQueued::Full(Request::Load { id: 1, n: 1 }))));
    assert_eq!(handle.close().len(), REQUESTS_MAX);
    assert_eq!(place.open().last(), REQUESTS_MAX as u64 + 1);
}

#[test]
fn a_load_sees_what_was_asked_for_before_it_and_costs_no_sync() {
    let mut place = Place::new();
    let (mut handle, go) = place.spawn_held(place.open());
    handle.load(1, 1).unwrap();
    handle.append(2, vec![b"body".to_vec()]).unwrap();
    handle.load(3, 1).unwrap();
    drop(go);
    assert!(matches!(place.next(&mut handle), Done::Loaded { id: 1, body: None }));
    assert_eq!(appended(&place.next(&mut handle)), (2, 1, 1));
    let third = place.next(&mut handle);
    assert!(matches!(&third, Done::Loaded { id: 3, body: Some(body) } if body == b"body"));
    assert!(!format!("{third:?}").contains("body"), "bodies are not printed");
    handle.load(4, 1).unwrap();
    assert!(matches!(place.next(&mut handle), Done::Loaded { id: 4, body: Some(_) }));
    assert_eq!(handle.stats(), JournalStats { transactions: 1, records: 1 });
}

#[test]
fn an_empty_append_gets_its_outcome_and_no_number() {
    let place = Place::new();
    let mut handle = place.spawn();
    handle.append(1, vec![]).unwrap();
    handle.append(2, vec![vec![]]).unwrap();
    let outcomes: Vec<_> = handle.close().iter().map(appended).collect();
    assert_eq!(outcomes, [(1, 1, 0), (2, 1, 1)]);
}

#[test]
fn a_full_disk_fails_once_and_nothing_of_the_batch_is_told_or_kept() {
    let mut place = Place::new();
    let journal = place.open();
    let pages: i64 = journal.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + 2);
    journal.connection.query_row(&limit, [], |_| Ok(())).unwrap();
    let (mut handle, go) = place.spawn_held(journal);
    handle.append(1, vec![b"would fit".to_vec()]).unwrap();
    handle.append(2, vec![b"fits".to_vec(), vec![0; 100_000]]).unwrap();
    drop(go);
    let error = failure(place.next(&mut handle));
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    // The thread ends of its own accord, and what is asked of it from then on comes back.
    while !handle.thread.is_finished() {
        std::thread::yield_now();
    }
    assert!(handle.done().is_none(), "a failure is told once");
    assert!(matches!(handle.append(3, vec![]), Err(NotQueued::Stopped(_))));
    assert!(handle.close().is_empty());
    assert_eq!(place.open().last(), 0);
}

#[test]
fn a_file_that_turned_read_only_fails_the_append() {
    let mut place = Place::new();
    let journal = place.open();
    journal.connection.execute_batch("PRAGMA query_only = ON").unwrap();
    let mut handle = journal.spawn(Arc::clone(&place.waker)).unwrap();
    handle.append(1, vec![vec![]]).unwrap();
    let error = failure(place.next(&mut handle));
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn a_second_writer_behind_our_back_fails_the_append() {
    let mut place = Place::new();
    let mut handle = place.spawn();
    place.sql("INSERT INTO record VALUES (1, x'aa')");
    handle.append(1, vec![vec![]]).unwrap();
    let error = failure(place.next(&mut handle));
    assert!(matches!(error, StoreError::Sqlite { .. }), "{error}");
}

#[test]
fn close_finishes_what_is_queued_and_returns_what_was_not_taken() {
    let place = Place::new();
    let (mut handle, go) = place.spawn_held(place.open());
    for id in 0..5 {
        handle.append(id, vec![vec![]]).unwrap();
    }
    drop(go);
    let outcomes: Vec<_> = handle.close().iter().map(appended).collect();
    assert_eq!(outcomes, [(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 1), (4, 5, 1)]);
    let log = place.folder.path().join("journal.sqlite3-wal");
    assert!(!log.exists(), "the file was closed in good order");
}

#[test]
fn a_failure_that_was_not_taken_is_among_what_close_returns() {
    let place = Place::new();
    let journal = place.open();
    journal.connection.execute_batch("PRAGMA query_only = ON").unwrap();
    let mut handle = journal.spawn(Arc::clone(&place.waker)).unwrap();
    handle.append(1, vec![vec![]]).unwrap();
    let mut outcomes = handle.close();
    assert_eq!(outcomes.len(), 1);
    failure(outcomes.remove(0));
}

#[test]
fn a_panic_of_the_thread_wakes_the_loop_and_is_told_once() {
    let mut place = Place::new();
    let gate = || panic!("this panic belongs to the test");
    let mut handle = place.open().spawn_after(Arc::clone(&place.waker), gate).unwrap();
    let error = failure(place.next(&mut handle));
    assert!(matches!(error, StoreError::Stopped));
    assert!(handle.done().is_none());
    assert!(handle.close().is_empty());
}

#[test]
fn a_failure_is_heard_of_also_when_the_thread_has_ended_by_then() {
    for _ in 0..20 {
        let mut poll = Poll::new().unwrap();
        // Nobody else keeps the waker, as in the program.
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.sqlite3"), 1).unwrap();
        journal.connection.execute_batch("PRAGMA query_only = ON").unwrap();
        let mut handle = journal.spawn(waker).unwrap();
        handle.append(1, vec![vec![]]).unwrap();
        while !handle.thread.is_finished() {
            std::thread::yield_now();
        }
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
        assert!(!events.is_empty(), "the loop would have slept on");
        failure(handle.done().unwrap());
    }
}
