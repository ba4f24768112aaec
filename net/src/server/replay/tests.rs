//! A start from a snapshot comes to the state of the whole journal, and reads nothing before it; a bad one is passed over.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::id::{Fingerprint, Realm};
use countersign_core::invite::TokenHash;
use countersign_core::journal::Record;
use countersign_core::time::Wall;
use mio::{Events, Poll, Token, Waker};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::journal::Done;

const NOW: Wall = Wall(1_800_000_000);

/// A journal of twelve records with snapshots of the fifth and the tenth.
struct Place {
    _folder: TempDir,
    path: PathBuf,
    whole: State,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite3");
        let invite = |n: u8| Record::InviteCreated { token: TokenHash([n; 32]), user: None, expires: NOW, at: NOW };
        let founded = Record::RealmFounded { realm: Realm::default(), root: Fingerprint([1; 32]), at: NOW };
        let records: Vec<Vec<u8>> = [founded].into_iter().chain((1..12).map(invite)).map(|one| one.encode()).collect();
        let mut whole = State::new(7);
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let mut journal = Journal::open(&path, 7).unwrap().spawn(waker).unwrap();
        for (n, record) in (1..).zip(records) {
            whole.apply(n, &record).unwrap();
            journal.append(n, vec![record]).unwrap();
            if n % 5 == 0 {
                let deadline = Instant::now() + Duration::from_secs(60);
                while !matches!(journal.done(), Some(Done::Appended { id, .. }) if id == n) {
                    assert!(Instant::now() < deadline, "the journal did not answer within a minute");
                    poll.poll(&mut Events::with_capacity(1), Some(Duration::from_millis(100))).unwrap();
                }
                journal.snapshot(n, n, whole.snapshot().unwrap()).unwrap();
            }
        }
        let failed = |done: &Done| !matches!(done, Done::Appended { .. } | Done::Snapshotted { error: None, .. });
        assert_eq!(journal.close().iter().filter(|done| failed(done)).count(), 0);
        Self { _folder: folder, path, whole }
    }

    fn sql(&self, statements: &str) {
        Connection::open(&self.path).unwrap().execute_batch(statements).unwrap();
    }

    /// Changes the bytes of the snapshot of a place.
    fn change(&self, n: i64, change: impl FnOnce(&mut Vec<u8>)) {
        let connection = Connection::open(&self.path).unwrap();
        let read = |row: &rusqlite::Row<'_>| row.get(0);
        let mut body: Vec<u8> = connection.query_row("SELECT body FROM snapshot WHERE n = ?1", [n], read).unwrap();
        change(&mut body);
        connection.execute("UPDATE snapshot SET body = ?2 WHERE n = ?1", (n, body)).unwrap();
    }

    fn replayed(&self) -> Result<Replayed, AssembleError> {
        replay(&mut Journal::open(&self.path, 8).unwrap(), &self.path)
    }

    /// From which snapshot a start comes to the whole state.
    fn from(&self) -> u64 {
        let Replayed { state, snapshot } = self.replayed().unwrap();
        assert_eq!(state, self.whole);
        snapshot
    }
}

#[test]
fn a_start_goes_on_from_the_newest_snapshot_and_reads_no_record_before_it() {
    let place = Place::new();
    assert_eq!(place.from(), 10);
    // What stands there would end a start that looked at it.
    place.sql("UPDATE record SET body = x'0101ff' WHERE n <= 10");
    assert_eq!(place.from(), 10);
    place.sql("DELETE FROM snapshot");
    assert!(matches!(place.replayed(), Err(AssembleError::Record { n: 1, .. })));
}

#[test]
fn a_damaged_snapshot_gives_way_to_the_one_before_it_and_that_to_the_whole_journal() {
    let place = Place::new();
    place.change(10, |body| body[40] ^= 1);
    assert_eq!(place.from(), 5);
    place.change(10, |body| body.truncate(100));
    assert_eq!(place.from(), 5);
    place.change(10, Vec::clear);
    assert_eq!(place.from(), 5);
    place.change(5, |body| body.push(0));
    assert_eq!(place.from(), 0);
}

#[test]
fn a_snapshot_of_another_place_another_journal_or_another_program_is_no_better_than_none() {
    let place = Place::new();
    place.sql("UPDATE snapshot SET n = 11 WHERE n = 10");
    assert_eq!(place.from(), 5);
    place.sql("UPDATE snapshot SET n = 10 WHERE n = 11; DELETE FROM record WHERE n > 9");
    assert_eq!(place.replayed().unwrap().snapshot, 5, "the journal ends before the newest");

    let place = Place::new();
    for newest in [0, u8::MAX] {
        place.change(10, |body| body[0] = newest);
        assert_eq!(place.from(), 5, "of an older program or a newer one");
    }
    place.change(5, |body| body[1] = u8::MAX);
    assert_eq!(place.from(), 0);

    let place = Place::new();
    place.sql("UPDATE meta SET value = 9");
    let Replayed { state, snapshot } = place.replayed().unwrap();
    assert_eq!((state.position(), snapshot), (Position { incarnation: 9, n: 12 }, 0), "a restored backup");
}

#[test]
fn without_their_table_or_with_one_that_is_broken_everything_is_folded() {
    let place = Place::new();
    place.sql("DROP TABLE snapshot; CREATE TABLE snapshot (something TEXT)");
    assert_eq!(place.from(), 0);
    place.sql("DROP TABLE snapshot");
    assert_eq!(place.from(), 0);
}
