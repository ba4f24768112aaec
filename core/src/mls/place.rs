//! A place that is shared with what `mls-rs` keeps of ours: it calls through `&self`, clones its stores, and gives none back.
//!
//! Nobody ever waits for one: it is held for the length of one look, by the thread that called `mls-rs`.
#![expect(clippy::disallowed_types, reason = "mls-rs demands of its providers that threads could share them")]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where something lies, or nothing. A copy is the same place.
pub(super) struct Place<T>(Arc<Mutex<Option<T>>>);

impl<T> Place<T> {
    /// With this in it.
    pub(super) fn with(thing: T) -> Self {
        Self(Arc::new(Mutex::new(Some(thing))))
    }

    /// What lies there, for a look.
    pub(super) fn look(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

/// What lies in it is secret.
impl<T> fmt::Debug for Place<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}
