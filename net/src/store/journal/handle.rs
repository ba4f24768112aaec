//! Decides how the main loop and the journal's thread speak: requests in order, outcomes in the same order, neither blocking.

use super::commit::{Committer, Counters};
use super::{Journal, REQUESTS_MAX};
use crate::store::StoreError;
use countersign_core::server::Written;
use mio::Waker;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// What the journal's thread is asked to do; `id` is the caller's, and comes back with the outcome.
pub enum Request {
    /// Journal these records, all or none.
    Append {
        /// The caller's number for this request.
        id: u64,
        /// The records, in order, each with what stands beside it.
        records: Vec<Written>,
    },
    /// Read a record's body.
    Load {
        /// The caller's number for this request.
        id: u64,
        /// The record's number.
        n: u64,
    },
    /// Read what stands beside a record.
    LoadBody {
        /// The caller's number for this request.
        id: u64,
        /// The record's number.
        n: u64,
    },
    /// What stands beside these records is needed no more.
    DropBodies {
        /// The records' numbers.
        gone: Vec<u64>,
    },
    /// What stands beside any other record is needed no more.
    KeepBodies {
        /// The records' numbers.
        needed: Vec<u64>,
    },
    /// Keep a snapshot, after the records that wait with it.
    Snapshot {
        /// The caller's number for this request.
        id: u64,
        /// The number of the record that it reaches to.
        n: u64,
        /// The snapshot.
        body: Vec<u8>,
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
    /// What stands beside a record was read.
    LoadedBody {
        /// The caller's number for the request.
        id: u64,
        /// The bytes, `None` if nothing stands there.
        bytes: Option<Vec<u8>>,
    },
    /// What was needed no more is gone.
    Cleared,
    /// A snapshot is on the disk, or could not be written, and then the file is as it was.
    Snapshotted {
        /// The caller's number for the request.
        id: u64,
        /// Why it could not be written.
        error: Option<StoreError>,
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

/// Starts the thread that `journal` is handed to. The thread does nothing before `gate` has returned.
pub(super) fn spawn(
    journal: Journal,
    waker: Arc<Waker>,
    gate: impl FnOnce() + Send + 'static,
) -> Result<JournalHandle, StoreError> {
    let (requests, incoming) = sync_channel(REQUESTS_MAX);
    // One more for the failure, so that the thread never blocks here either.
    let (outgoing, done) = sync_channel(REQUESTS_MAX + 1);
    let counters = Arc::new(Counters::default());
    let committer = Committer::new(journal, Arc::clone(&counters), incoming, outgoing, Arc::clone(&waker));
    let thread = thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            gate();
            committer.run();
        })
        .map_err(|source| StoreError::Thread { source })?;
    let outcomes = Outcomes { done, unfinished: 0, over: false };
    Ok(JournalHandle { requests, outcomes, thread, counters, _waker: waker })
}

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
    pub(super) thread: JoinHandle<()>,
    pub(super) counters: Arc<Counters>,
    /// Kept until the outcomes have been taken: the thread's own would be closed as the thread ends, and its last
    /// word be lost with it if the loop had not been woken by then.
    _waker: Arc<Waker>,
}

impl JournalHandle {
    /// Asks for `records` to be journalled, all or none, after everything that was asked before.
    pub fn append(&mut self, id: u64, records: Vec<Vec<u8>>) -> Result<(), NotQueued> {
        self.append_with(id, records.into_iter().map(|record| Written { record, body: None }).collect())
    }

    /// The same, with what stands beside each record.
    pub fn append_with(&mut self, id: u64, records: Vec<Written>) -> Result<(), NotQueued> {
        self.queue(Request::Append { id, records })
    }

    /// Asks for what stands beside record `n`, as it is after everything that was asked before.
    pub fn load_body(&mut self, id: u64, n: u64) -> Result<(), NotQueued> {
        self.queue(Request::LoadBody { id, n })
    }

    /// Lets what stands beside these records go.
    pub fn drop_bodies(&mut self, gone: Vec<u64>) -> Result<(), NotQueued> {
        self.queue(Request::DropBodies { gone })
    }

    /// Lets everything go that does not stand beside one of these records.
    pub fn keep_bodies(&mut self, needed: Vec<u64>) -> Result<(), NotQueued> {
        self.queue(Request::KeepBodies { needed })
    }

    /// Asks for the body of record `n`, as it is after everything that was asked before.
    pub fn load(&mut self, id: u64, n: u64) -> Result<(), NotQueued> {
        self.queue(Request::Load { id, n })
    }

    /// Asks for a snapshot of what the records up to number `n` come to, which are on the disk, to be kept.
    pub fn snapshot(&mut self, id: u64, n: u64, body: Vec<u8>) -> Result<(), NotQueued> {
        self.queue(Request::Snapshot { id, n, body })
    }

    /// Takes the next outcome, if there is one. Outcomes come in the order of the requests, save that of a snapshot, which
    /// may let others pass.
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

/// Bodies stay out of what is printed: only their sizes are told.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { id, records } => {
                write!(f, "Append {{ id: {id}, {} records }}", records.len())
            }
            Self::Load { id, n } => write!(f, "Load {{ id: {id}, n: {n} }}"),
            Self::LoadBody { id, n } => write!(f, "LoadBody {{ id: {id}, n: {n} }}"),
            Self::DropBodies { gone } => write!(f, "DropBodies {{ {} }}", gone.len()),
            Self::KeepBodies { needed } => write!(f, "KeepBodies {{ {} }}", needed.len()),
            Self::Snapshot { id, n, body } => {
                write!(f, "Snapshot {{ id: {id}, n: {n}, bytes: {} }}", body.len())
            }
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
            Self::LoadedBody { id, bytes } => {
                let bytes = bytes.as_ref().map(Vec::len);
                write!(f, "LoadedBody {{ id: {id}, bytes: {bytes:?} }}")
            }
            Self::Cleared => f.write_str("Cleared"),
            Self::Snapshotted { id, error } => write!(f, "Snapshotted {{ id: {id}, error: {error:?} }}"),
            Self::Failed { error } => write!(f, "Failed {{ error: {error:?} }}"),
        }
    }
}
