//! What a long history costs: a start from a snapshot, and a proof, over a log of a million entries.
//!
//! The journal is made once, through the fold that a server has: ten thousand people with their certificates, and the relay
//! certified anew for the rest of the entries. Its certificates differ in their serial alone, since making a million keys
//! would take longer than everything that is measured; the fold reads each of them all the same. The newest snapshot stands
//! as far back as it ever does, so that a start folds all the records that it ever has to.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, Realm, Serial, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{Outcome, Record, State};
use countersign_core::limits::{DEVICE_LIFETIME, INVITE_LIFETIME, SNAPSHOT_EVERY_RECORDS, USERS_MAX};
use countersign_core::pki::{Authority, Founded, Grant, SecretKey, found_realm};
use countersign_core::time::Wall;
use countersign_core::tlog::Leaf;
use criterion::Criterion;
use mio::{Events, Poll, Token, Waker};
use net::entropy::OsEntropy;
use net::server::replay::{Replayed, replay};
use net::store::journal::{Done, Journal};
use rusqlite::Connection;

/// Entries of the log.
const ENTRIES: u64 = 1_000_000;
/// The longest that a start from a snapshot may take.
const START_TIME_MAX: Duration = Duration::from_secs(2);
/// The longest that a proof may take.
const PROOF_TIME_MAX: Duration = Duration::from_millis(1);
const NOW: Wall = Wall(1_800_000_000);

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("journal.sqlite3");
    let history = History::write(&path);
    let state = &history.state;
    assert_eq!(state.log().size(), ENTRIES);
    let is_slow = [measure_start(&mut criterion, &path, state), measure_proof(&mut criterion, state)];
    measure_snapshot(&history, folder.path());
    let whole = Instant::now();
    Connection::open(&path).and_then(|sqlite| sqlite.execute("DELETE FROM snapshot", [])).expect("it can be written");
    let Replayed { snapshot, .. } = start(&path);
    assert_eq!(snapshot, 0);
    println!("for comparison, without a snapshot: {:.1?}", whole.elapsed());
    criterion.final_summary();
    if is_slow.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A start up to the server's state: the file opened, the snapshot restored, the rest folded.
fn start(path: &Path) -> Replayed {
    replay(&mut Journal::open(path, 1).expect("a journal"), path).expect("a journal can be folded")
}

fn measure_start(criterion: &mut Criterion, path: &Path, state: &State) -> bool {
    let Replayed { state: again, snapshot } = start(path);
    assert_eq!(again.position().n - snapshot, SNAPSHOT_EVERY_RECORDS - 1);
    assert!(again == *state, "a start comes to another state");
    drop(again);
    let mut all = Vec::new();
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10).bench_function("start", |b| {
        b.iter_custom(|n| {
            (0..n)
                .map(|_| {
                    let begun = Instant::now();
                    let replayed = black_box(start(path));
                    all.push(begun.elapsed());
                    drop(replayed);
                    *all.last().expect("just pushed")
                })
                .sum()
        });
    });
    group.finish();
    judge("a start from a snapshot", &all, &By::Best, START_TIME_MAX)
}

fn measure_proof(criterion: &mut Criterion, state: &State) -> bool {
    let (log, mut all, mut index) = (state.log(), Vec::new(), 0);
    let mut group = criterion.benchmark_group("history");
    // The costliest size: a whole log would have nothing on its right edge to compute.
    let size = ENTRIES - 1;
    let head = log.head_at(size).expect("the log had that size");
    group.bench_function("proof", |b| {
        b.iter_custom(|n| {
            (0..n)
                .map(|_| {
                    index = (index + 382_483) % size;
                    let begun = Instant::now();
                    let proof = black_box(log.inclusion(index, size)).expect("a leaf of the log");
                    all.push(begun.elapsed());
                    let leaf = state.leaf(index).expect("a leaf of the log").leaf_hash();
                    assert_eq!(proof.check(leaf, &head), Ok(()));
                    *all.last().expect("just pushed")
                })
                .sum()
        });
    });
    group.finish();
    judge("a proof", &all, &By::Middle, PROOF_TIME_MAX)
}

/// What a snapshot holds up: the machine while it is made, and the disk while it is written.
fn measure_snapshot(history: &History, folder: &Path) {
    let begun = Instant::now();
    let bytes = history.state.snapshot().expect("it is not too large");
    let (made, length) = (begun.elapsed(), bytes.len());
    let mut poll = Poll::new().expect("a poll");
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("a waker"));
    let journal = Journal::open(&folder.join("other.sqlite3"), 1).expect("a journal");
    let mut journal = journal.spawn(waker).expect("a thread");
    let begun = Instant::now();
    journal.snapshot(1, 1, bytes).expect("there is room in the queue");
    poll.poll(&mut Events::with_capacity(1), Some(Duration::from_secs(60))).expect("a poll");
    let written = begun.elapsed();
    let done = journal.close();
    assert!(matches!(done.as_slice(), [Done::Snapshotted { error: None, .. }]), "{done:?}");
    println!("a snapshot of {length} bytes is made in {made:.1?} and written in {written:.1?}");
}

/// What a sample is judged by.
enum By {
    /// The fastest of few that take long: the rest is the machine's other business.
    Best,
    /// The middle of many that differ in what they do.
    Middle,
}

/// Says how long something took, and whether that is over its bound.
fn judge(what: &str, all: &[Duration], by: &By, most: Duration) -> bool {
    let mut sorted = all.to_vec();
    sorted.sort();
    let (Some(best), Some(middle), Some(worst)) = (sorted.first(), sorted.get(sorted.len() / 2), sorted.last()) else {
        return true;
    };
    println!("{what}: {best:.1?} at best, {middle:.1?} in the middle, {worst:.1?} at worst (at most {most:.1?})");
    let judged = match by {
        By::Best => best,
        By::Middle => middle,
    };
    *judged > most
}

/// A realm with a long past.
struct History {
    state: State,
    founded: Founded,
    authority: Authority,
    sqlite: Connection,
}

impl History {
    fn write(path: &Path) -> Self {
        let realm = Realm::default();
        let founded = found_realm(&realm, NOW, &mut OsEntropy);
        let authority = Authority::new(realm.clone(), founded.files(), NOW).expect("the files belong together");
        drop(Journal::open(path, 1).expect("a journal"));
        let sqlite = Connection::open(path).expect("the same file");
        sqlite.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("it can be written");
        let mut history = Self { state: State::new(1), founded, authority, sqlite };
        let (begun, root) = (Instant::now(), Fingerprint::of(&history.founded.root));
        history.add(&Record::RealmFounded { realm, root, at: NOW });
        (0..USERS_MAX).for_each(|n| history.admit(n));
        history.certify_the_relay();
        history.sqlite.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").expect("it can be written");
        let (records, entries) = (history.state.position().n, history.state.log().size());
        println!("{records} records, {entries} entries of the log, folded and written in {:.1?}", begun.elapsed());
        history
    }

    fn add(&mut self, record: &Record) -> Outcome {
        let (n, bytes) = (self.state.position().n + 1, record.encode());
        let mut insert = self.sqlite.prepare("INSERT INTO record VALUES (?1, ?2)").expect("our own table");
        insert.execute((i64::try_from(n).expect("not so many"), &bytes)).expect("it can be written");
        self.state.apply(n, &bytes).expect("our own record")
    }

    /// Invites somebody, who comes.
    fn admit(&mut self, n: usize) {
        // Letters alone, so that no two look alike.
        let letter = |unit: usize| "abcdefghij".chars().nth(n / unit % 10);
        let user: String = [1000, 100, 10, 1].into_iter().filter_map(letter).collect();
        let name = DeviceName {
            user: UserName::parse(&user).expect("a name"),
            device: DeviceLabel::parse("laptop").expect("a label"),
        };
        let token = TokenHash(Fingerprint::of(user.as_bytes()).0);
        self.add(&Record::InviteCreated { token, user: None, expires: NOW.plus(INVITE_LIFETIME), at: NOW });
        let serial = Serial::draw(&mut OsEntropy);
        let granted = self.add(&Record::CertificateGranted(Grant {
            token,
            name,
            key: SecretKey::draw(&mut OsEntropy).spki(),
            serial,
            not_before: NOW,
            not_after: NOW.plus(DEVICE_LIFETIME),
            at: NOW,
        }));
        assert_eq!(granted, Outcome::Granted(serial));
        let granted = self.state.granted(serial).expect("it was granted");
        let der = self.authority.issue(&granted).expect("it can be issued").der().to_vec().into();
        assert_eq!(self.add(&Record::CertificateIssued { serial, der }), Outcome::Issued(serial));
    }

    /// The relay is certified until the log is long enough, and the last snapshot is due with the next record.
    fn certify_the_relay(&mut self) {
        let key = SecretKey::draw(&mut OsEntropy);
        let der = self.authority.issue_relay(&key, NOW, &mut OsEntropy).expect("it can be issued");
        self.add(&Record::RelayCertified { der: der.clone().into(), at: NOW });
        let first = self.state.log().size() - 1;
        let Some(Leaf::RelayCertificate { serial, .. }) = self.state.leaf(first) else {
            panic!("no leaf of the relay")
        };
        let at = der.windows(16).position(|part| part == serial.0).expect("a certificate has its serial");
        let left = ENTRIES - self.state.log().size();
        for n in 0..left {
            let mut other = der.clone();
            other.iter_mut().skip(at + 8).zip(n.to_be_bytes()).for_each(|(byte, new)| *byte = new);
            assert_eq!(self.add(&Record::RelayCertified { der: other.into(), at: NOW }), Outcome::RelayLogged);
            if left - n == SNAPSHOT_EVERY_RECORDS {
                self.keep_snapshot();
            }
        }
    }

    fn keep_snapshot(&self) {
        let n = i64::try_from(self.state.position().n).expect("not so many");
        let bytes = self.state.snapshot().expect("it is not too large");
        self.sqlite.execute("INSERT INTO snapshot VALUES (?1, ?2)", (n, bytes)).expect("it can be written");
    }
}
