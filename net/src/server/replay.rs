//! Decides what a start goes on from: the newest snapshot that can be used, and every record after it.
//!
//! A snapshot is never trusted further than it goes: one that can't be read, is damaged or another program's is passed over
//! with a sentence in the log, for the one before it, and at last for all records. So it costs time, and never a start.

use std::path::Path;

use countersign_core::id::Position;
use countersign_core::journal::snapshot::newest;
use countersign_core::journal::{Outcome, State};

use super::assemble::AssembleError;
use crate::store::journal::Journal;

/// What a journal comes to.
#[derive(Debug)]
pub struct Replayed {
    /// The state.
    pub state: State,
    /// The place of the snapshot that it was gone on from, 0 if from none.
    pub snapshot: u64,
}

/// Folds the journal at `path`.
pub fn replay(journal: &mut Journal, path: &Path) -> Result<Replayed, AssembleError> {
    let end = Position { incarnation: journal.incarnation(), n: journal.last() };
    let mut state = newest(end, read(journal), |n, refusal| {
        tracing::warn!(record = n, "{refusal}: it is passed over, and more of the journal is folded instead");
    });
    let snapshot = state.position().n;
    journal.for_each_after(snapshot, |n, bytes| match state.apply(n, bytes) {
        Ok(Outcome::Contradicts(fault)) => {
            tracing::error!(n, ?fault, "a record of the journal contradicts those before it and was passed over");
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(refusal) => Err(AssembleError::Record { path: path.to_owned(), n, refusal }),
    })?;
    Ok(Replayed { state, snapshot })
}

/// The snapshots that can be read from the disk, the newest first; each is read when it is asked for.
fn read(journal: &Journal) -> impl Iterator<Item = (u64, Vec<u8>)> {
    let places = journal.snapshots().unwrap_or_else(|error| {
        tracing::warn!(%error, "there is no telling which snapshots there are: all of the journal is folded");
        Vec::new()
    });
    places.into_iter().filter_map(|n| match journal.snapshot(n) {
        Ok(body) => body.map(|body| (n, body)),
        Err(error) => {
            tracing::warn!(record = n, %error, "a snapshot can't be read and is passed over");
            None
        }
    })
}

#[cfg(test)]
mod tests;
