//! Decides when a record counts as journalled: when `SQLite` has synced the transaction that holds it, and not a moment before.
//!
//! One file holds the records, numbered from 1 without gaps. The program opens it under the folder's lock,
//! replays it with [`Journal::for_each`], and then hands it to a thread of its own ([`Journal::spawn`]): a
//! sync takes milliseconds, and the main loop must not wait for it. What gathers while one sync runs goes
//! into the next transaction together, so under load many appends cost one sync.
//!
//! ```text
//!  main loop                                   thread
//!  append(id, records) --> bounded queue --> BEGIN, all that waits, COMMIT (sync)
//!  done() <-------------- bounded queue <-- Appended { id, first, count } ..., then wake
//! ```
//!
//! - What was appended first has the lower number: requests are carried out in the order they were made.
//! - A failure of any kind ends the thread, after one [`Done::Failed`]. Whether the last transaction is on
//!   the disk is then unknown, so the process has to end too and start again from what the disk holds.

use super::StoreError;
use super::folder::{FolderError, check_private, create_file, sync_parent};
use mio::Waker;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// The most requests whose outcome has not been taken with [`JournalHandle::done`]: what waits, what runs and
/// what is finished together. It bounds both queues, so that neither side ever blocks on the other.
pub const REQUESTS_MAX: usize = 1024;
/// The most requests in one transaction. It bounds how long the first of them waits for the others' writing.
pub const BATCH_REQUESTS_MAX: usize = 256;

/// "Csgn": says in the file's header whose it is, so that `file` and other programs can tell.
const APPLICATION_ID: i64 = 0x4373_676e;
const FORMAT: i64 = 1;

/// Syncs each commit. On macOS only `fullfsync` reaches the disk itself; elsewhere it means nothing.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
";
const SCHEMA: &str = "
    CREATE TABLE record (n INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
";

/// The journal before its thread has started: open, checked, and readable for the replay.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    path: PathBuf,
    incarnation: u64,
    last: u64,
}

impl Journal {
    /// Opens the journal at `path`, and creates it with `new_incarnation` if there is none.
    ///
    /// The caller holds the lock of the folder that the file is in. A file that this program didn't write, or
    /// a later version did, is refused and left as it is.
    ///
    /// # Panics
    ///
    /// If `new_incarnation` is not below 2^63, which is `SQLite`'s bound.
    pub fn open(path: &Path, new_incarnation: u64) -> Result<Self, StoreError> {
        let new_incarnation = i64::try_from(new_incarnation).expect("an incarnation is below 2^63");
        // SQLite takes a relative path that starts with "file:" for a URI, and an absolute one never.
        let path = std::path::absolute(path).map_err(|error| FolderError::from_io(path, error))?;
        // The file is made here since SQLite would make it for everybody; -wal and -shm take over its mode.
        match create_file(&path) {
            Ok(file) => drop(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                check_private(&path)?;
            }
            Err(error) => return Err(FolderError::from_io(&path, error).into()),
        }
        sync_parent(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let at = |error| StoreError::from_sqlite(&path, error);
        let mut connection = Connection::open_with_flags(&path, flags).map_err(at)?;
        // What can't be written SQLite opens for reading, without a word.
        if connection.is_readonly("main").map_err(at)? {
            return Err(StoreError::ReadOnly { path });
        }
        let new = identify(&connection, &path)?;
        connection.execute_batch(SETTINGS).map_err(at)?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(at)?;
        if mode != "wal" {
            return Err(StoreError::NoWal { path });
        }
        if new {
            create(&mut connection, new_incarnation).map_err(at)?;
        }
        let (incarnation, last) = read_meta(&connection).map_err(at)?;
        let unsigned = |number: Option<i64>, what| {
            number
                .and_then(|number| u64::try_from(number).ok())
                .ok_or_else(|| StoreError::Damaged { path: path.clone(), what })
        };
        Ok(Self {
            incarnation: unsigned(incarnation, "it has no incarnation")?,
            last: unsigned(Some(last), "it has records before the first")?,
            connection,
            path,
        })
    }

    /// The random number that this journal got when it was created, or restored from a backup.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The number of the last record, 0 if there is none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Gives each record to `visit` in order, one in memory at a time, until `visit` refuses one.
    ///
    /// A missing record is [`StoreError::Gap`], after those before it were given.
    pub fn for_each<E: From<StoreError>>(
        &mut self,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = |error| E::from(StoreError::from_sqlite(&self.path, error));
        let mut statement = self.connection.prepare("SELECT n, body FROM record ORDER BY n").map_err(at)?;
        let mut rows = statement.query([]).map_err(at)?;
        let mut expected = 1;
        while let Some(row) = rows.next().map_err(at)? {
            let found: i64 = row.get(0).map_err(at)?;
            if u64::try_from(found) != Ok(expected) {
                return Err(E::from(StoreError::Gap { path: self.path.clone(), expected, found }));
            }
            let body = row.get_ref(1).map_err(at)?.as_blob();
            visit(expected, body.map_err(|error| at(error.into()))?)?;
            expected += 1;
        }
        Ok(())
    }

    /// The body of record `n`, `None` if there is no such record.
    pub fn read(&self, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        read_body(&self.connection, n).map_err(|error| StoreError::from_sqlite(&self.path, error))
    }

    /// Starts the journal's thread. It wakes `waker` when there is something for [`JournalHandle::done`].
    pub fn spawn(self, waker: Arc<Waker>) -> Result<JournalHandle, StoreError> {
        self.spawn_after(waker, || ())
    }

    /// [`Journal::spawn`] with something to wait for first, so that a test can fill the queue before anything runs.
    fn spawn_after(self, waker: Arc<Waker>, gate: impl FnOnce() + Send + 'static) -> Result<JournalHandle, StoreError> {
        let (requests, incoming) = sync_channel(REQUESTS_MAX);
        // One more for the failure, so that the thread never blocks here either.
        let (outgoing, done) = sync_channel(REQUESTS_MAX + 1);
        let counters = Arc::new(Counters::default());
        let committer = Committer {
            journal: self,
            counters: Arc::clone(&counters),
            requests: incoming,
            done: outgoing,
            waker: WakeAtEnd(waker),
        };
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                gate();
                committer.run();
            })
            .map_err(|source| StoreError::Thread { source })?;
        Ok(JournalHandle { requests, outcomes: Outcomes { done, unfinished: 0, over: false }, thread, counters })
    }
}

/// Whether the file is empty and so ours to fill; an error if it isn't ours.
fn identify(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let number = |sql: &str| -> Result<i64, StoreError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(|error| StoreError::from_sqlite(path, error))
    };
    let application = number("PRAGMA application_id")?;
    let format = number("PRAGMA user_version")?;
    let path = path.to_owned();
    match (application, format) {
        (APPLICATION_ID, FORMAT) => Ok(false),
        (APPLICATION_ID, found) if found > FORMAT => Err(StoreError::Newer { path, found, known: FORMAT }),
        // New, or a start that ended before the first transaction.
        (0, 0) if number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(true),
        _ => Err(StoreError::Foreign { path }),
    }
}

fn create(connection: &mut Connection, incarnation: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT INTO meta (key, value) VALUES ('incarnation', ?1)", [incarnation])?;
    transaction.commit()
}

/// The incarnation, and the number of the last record.
fn read_meta(connection: &Connection) -> rusqlite::Result<(Option<i64>, i64)> {
    let incarnation = connection
        .query_row("SELECT value FROM meta WHERE key = 'incarnation' AND typeof(value) = 'integer'", [], |row| {
            row.get(0)
        })
        .optional()?;
    let last = connection.query_row("SELECT coalesce(max(n), 0) FROM record", [], |row| row.get(0))?;
    Ok((incarnation, last))
}

fn read_body(connection: &Connection, n: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    let Ok(n) = i64::try_from(n) else {
        return Ok(None);
    };
    connection.prepare("SELECT body FROM record WHERE n = ?1")?.query_row([n], |row| row.get(0)).optional()
}

/// What the journal's thread is asked to do; `id` is the caller's, and comes back with the outcome.
pub enum Request {
    /// Journal these records, all or none.
    Append {
        /// The caller's number for this request.
        id: u64,
        /// The records' bodies, in order.
        records: Vec<Vec<u8>>,
    },
    /// Read a record's body.
    Load {
        /// The caller's number for this request.
        id: u64,
        /// The record's number.
        n: u64,
    },
}

/// How a request ended.
pub enum Done {
    /// The records are on the disk, as numbers `first` to `first + count - 1`.
    Appended {
        /// The caller's number for the request.
        id: u64,
        /// The number of the first record; for an empty append, what it would have been.
        first: u64,
        /// How many records the append had.
        count: u64,
    },
    /// A body was read.
    Loaded {
        /// The caller's number for the request.
        id: u64,
        /// The body, `None` if there is no such record.
        body: Option<Vec<u8>>,
    },
    /// The thread has ended. What becomes of the requests without an outcome is unknown: end the process.
    Failed {
        /// Why.
        error: StoreError,
    },
}

/// A request that was not taken, with the reason; the request comes back unchanged.
#[derive(Debug)]
pub enum NotQueued {
    /// There are [`REQUESTS_MAX`] without a taken outcome: take some, and read less from the sockets until then.
    Full(Request),
    /// The thread has ended; [`Done::Failed`] says or has said why.
    Stopped(Request),
}

impl fmt::Display for NotQueued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the journal has too much to do: try again when it has finished some",
            Self::Stopped(_) => "the journal has failed: start the program again",
        })
    }
}

impl std::error::Error for NotQueued {}

/// How the journal's work was grouped since the start of its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalStats {
    /// Transactions that wrote, each of which cost one sync.
    pub transactions: u64,
    /// Records that these transactions wrote.
    pub records: u64,
}

/// The main loop's end of the journal. No call on it blocks, save [`JournalHandle::close`].
///
/// Dropped without `close`, the thread still finishes what is queued, but nobody waits for it.
#[derive(Debug)]
pub struct JournalHandle {
    requests: SyncSender<Request>,
    outcomes: Outcomes,
    thread: JoinHandle<()>,
    counters: Arc<Counters>,
}

impl JournalHandle {
    /// Asks for `records` to be journalled, all or none, after everything that was asked before.
    pub fn append(&mut self, id: u64, records: Vec<Vec<u8>>) -> Result<(), NotQueued> {
        self.queue(Request::Append { id, records })
    }

    /// Asks for the body of record `n`, as it is after everything that was asked before.
    pub fn load(&mut self, id: u64, n: u64) -> Result<(), NotQueued> {
        self.queue(Request::Load { id, n })
    }

    /// Takes the next outcome, if there is one. Outcomes come in the order of the requests.
    pub fn done(&mut self) -> Option<Done> {
        self.outcomes.next()
    }

    /// What was journalled since the start of the thread. It counts an append before its outcome can be taken.
    pub fn stats(&self) -> JournalStats {
        JournalStats {
            transactions: self.counters.transactions.load(Ordering::Acquire),
            records: self.counters.records.load(Ordering::Acquire),
        }
    }

    /// Waits until all that is queued is done and the file is closed, and returns the outcomes that were not taken.
    #[must_use = "the last outcomes may hold a failure"]
    pub fn close(self) -> Vec<Done> {
        let Self { requests, mut outcomes, thread, .. } = self;
        // With its only sender gone, the thread ends after the last request.
        drop(requests);
        // A panic is not an end in good order: `outcomes` will tell it as a failure.
        outcomes.over |= thread.join().is_ok();
        std::iter::from_fn(|| outcomes.next()).collect()
    }

    fn queue(&mut self, request: Request) -> Result<(), NotQueued> {
        if self.outcomes.unfinished >= REQUESTS_MAX {
            return Err(NotQueued::Full(request));
        }
        self.requests.try_send(request).map_err(|refused| match refused {
            TrySendError::Full(request) => NotQueued::Full(request),
            TrySendError::Disconnected(request) => NotQueued::Stopped(request),
        })?;
        self.outcomes.unfinished += 1;
        Ok(())
    }
}

/// The outcomes that are still to come.
#[derive(Debug)]
struct Outcomes {
    done: Receiver<Done>,
    /// Requests whose outcome has not been taken.
    unfinished: usize,
    /// The failure has been taken, or the thread has ended in good order: no further failure is to be told.
    over: bool,
}

impl Outcomes {
    fn next(&mut self) -> Option<Done> {
        match self.done.try_recv() {
            Ok(failed @ Done::Failed { .. }) => {
                self.over = true;
                Some(failed)
            }
            Ok(done) => {
                self.unfinished = self.unfinished.saturating_sub(1);
                Some(done)
            }
            Err(TryRecvError::Disconnected) if !self.over => {
                self.over = true;
                Some(Done::Failed { error: StoreError::Stopped })
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    transactions: AtomicU64,
    records: AtomicU64,
}

/// The thread's end. The order of the fields is the order of their end: the file is closed first, the channel
/// next, and the main loop is woken last, when it can see both.
struct Committer {
    journal: Journal,
    counters: Arc<Counters>,
    requests: Receiver<Request>,
    done: SyncSender<Done>,
    waker: WakeAtEnd,
}

impl Committer {
    fn run(mut self) {
        // Both ends of the loop are in order: a failure has been told, or nobody can ask for more.
        while let Ok(first) = self.requests.recv() {
            let others = self.requests.try_iter().take(BATCH_REQUESTS_MAX - 1);
            let batch: Vec<Request> = std::iter::once(first).chain(others).collect();
            let outcomes = self.carry_out(batch);
            let failed = outcomes.is_err();
            self.tell(outcomes.unwrap_or_else(|error| vec![Done::Failed { error }]));
            if let Err(source) = self.waker.0.wake() {
                // The main loop will not look of its own accord, but when it does it must not go on.
                let error = StoreError::Thread { source };
                self.tell(vec![Done::Failed { error }]);
                return;
            }
            if failed {
                return;
            }
        }
    }

    /// All of `batch` in one transaction, and the outcomes only when it is on the disk.
    fn carry_out(&mut self, batch: Vec<Request>) -> Result<Vec<Done>, StoreError> {
        let Journal { connection, path, last, .. } = &mut self.journal;
        let at = |error| StoreError::from_sqlite(path, error);
        let before = *last;
        let writes = batch.iter().any(|request| matches!(request, Request::Append { .. }));
        let behavior = if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
        let transaction = connection.transaction_with_behavior(behavior).map_err(at)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            outcomes.push(match request {
                Request::Append { id, records } => {
                    let first = *last + 1;
                    *last = insert(&transaction, *last, &records).map_err(at)?;
                    Done::Appended { id, first, count: *last + 1 - first }
                }
                Request::Load { id, n } => Done::Loaded { id, body: read_body(&transaction, n).map_err(at)? },
            });
        }
        transaction.commit().map_err(at)?;
        if writes {
            let written = *last - before;
            self.counters.records.fetch_add(written, Ordering::Release);
            self.counters.transactions.fetch_add(1, Ordering::Release);
        }
        Ok(outcomes)
    }

    fn tell(&self, outcomes: Vec<Done>) {
        for done in outcomes {
            // Nobody listens: the handle was dropped, and what is queued is finished all the same.
            let _ = self.done.send(done);
        }
    }
}

/// Puts `records` after number `last`, and returns the last number then.
fn insert(transaction: &Transaction<'_>, last: u64, records: &[Vec<u8>]) -> rusqlite::Result<u64> {
    let mut statement = transaction.prepare("INSERT INTO record (n, body) VALUES (?1, ?2)")?;
    let mut n = last;
    for body in records {
        n += 1;
        // Beyond 2^63 records SQLite itself would be at its end.
        let number = i64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))?;
        statement.execute((number, body))?;
    }
    Ok(n)
}

/// Wakes the main loop when the thread ends, also by a panic.
struct WakeAtEnd(Arc<Waker>);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        // There is nobody left to tell of a failure.
        let _ = self.0.wake();
    }
}

/// Bodies stay out of what is printed: only their sizes are told.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { id, records } => {
                write!(f, "Append {{ id: {id}, {} records }}", records.len())
            }
            Self::Load { id, n } => write!(f, "Load {{ id: {id}, n: {n} }}"),
        }
    }
}

/// Bodies stay out of what is printed: only their sizes are told.
impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appended { id, first, count } => {
                write!(f, "Appended {{ id: {id}, first: {first}, count: {count} }}")
            }
            Self::Loaded { id, body } => {
                let bytes = body.as_ref().map(Vec::len);
                write!(f, "Loaded {{ id: {id}, bytes: {bytes:?} }}")
            }
            Self::Failed { error } => write!(f, "Failed {{ error: {error:?} }}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};
    use tempfile::TempDir;

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
        journal.for_each(each).unwrap();
        records
    }

    fn appended(done: &Done) -> (u64, u64, u64) {
        match done {
            Done::Appended { id, first, count } => (*id, *first, *count),
            Done::Loaded { .. } | Done::Failed { .. } => panic!("{done:?}"),
        }
    }

    fn failure(done: Done) -> StoreError {
        match done {
            Done::Failed { error } => error,
            Done::Appended { .. } | Done::Loaded { .. } => panic!("{done:?}"),
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
        assert!(matches!(error, StoreError::Newer { found: 9, known: FORMAT, .. }), "{error}");
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
            .for_each(|n, _| {
                seen.push(n);
                Ok(())
            })
            .unwrap_err();
        assert_eq!(seen, [1, 2]);
        assert!(matches!(error, StoreError::Gap { expected: 3, found: 4, .. }), "{error}");
        drop(journal);
        place.sql("DELETE FROM record WHERE n = 1");
        let error = place.open().for_each(|_, _| Ok::<(), StoreError>(())).unwrap_err();
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
        let result = place.open().for_each(|_, _| {
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
        assert_eq!(records, [b"too much"]);
        drop(go);
        // Finished is not enough: an outcome has to be taken before there is room for another request.
        assert_eq!(appended(&place.next(&mut handle)).0, 0);
        handle.append(99, records).unwrap();
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
}
