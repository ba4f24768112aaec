//! Counts what a run costs whatever it is written in: key agreements, and records sealed.
//!
//! The counters are the thread's own, as a run is.

use std::cell::Cell;

/// What was done on this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Key agreements; a whole handshake has two.
    pub agreements: u64,
    /// Records sealed, those within a tunnel included.
    pub sealed: u64,
    /// The bytes in them.
    pub sealed_bytes: u64,
}

thread_local! {
    static WORK: Cell<Work> = const { Cell::new(Work { agreements: 0, sealed: 0, sealed_bytes: 0 }) };
}

/// What was done on this thread since this was last asked.
pub fn take_work() -> Work {
    WORK.take()
}

pub(super) fn agreed() {
    let work = WORK.get();
    WORK.set(Work { agreements: work.agreements + 1, ..work });
}

pub(super) fn sealed(bytes: usize) {
    let work = WORK.get();
    let bytes = u64::try_from(bytes).expect("no record is longer than u64 counts");
    WORK.set(Work { sealed: work.sealed + 1, sealed_bytes: work.sealed_bytes + bytes, ..work });
}
