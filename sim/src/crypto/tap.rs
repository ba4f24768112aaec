//! Decides what can be read of the records of a run: all of them, while somebody listens on this thread.
//!
//! The simulator owns both ends of every connection and the crypto provider of both. So the provider can note the
//! plaintext of each record as it is sealed, under the SHA-256 of its ciphertext, and whoever sees these bytes arrive
//! can look them up: no machine has a hook for it, and a record that was damaged on its way is not found. Sealing
//! itself stays aws-lc's; with nobody listening the suites are the stock ones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::ContentType;

/// What was sealed in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What kind of content.
    pub content: ContentType,
    /// The content.
    pub plain: Vec<u8>,
}

/// What was noted, under the SHA-256 of the ciphertext.
type Notes = BTreeMap<Vec<u8>, Sealed>;

thread_local! {
    static NOTES: RefCell<Option<Notes>> = const { RefCell::new(None) };
}

/// As long as this lives, providers that are made on this thread note what they seal.
pub struct Tap {
    stays_on_this_thread: PhantomData<*const ()>,
}

impl Tap {
    /// Begins to listen. What was noted before is forgotten.
    #[must_use = "nothing is noted any more once it is dropped"]
    pub fn open() -> Self {
        NOTES.set(Some(Notes::new()));
        Self { stays_on_this_thread: PhantomData }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        NOTES.set(None);
    }
}

/// Whether somebody listens on this thread.
pub fn is_open() -> bool {
    NOTES.with_borrow(Option::is_some)
}

/// What was sealed in the record with this ciphertext, if it was sealed while somebody listened.
pub fn find(ciphertext: &[u8]) -> Option<Sealed> {
    NOTES.with_borrow(|notes| notes.as_ref()?.get(digest(&SHA256, ciphertext).as_ref()).cloned())
}

/// Notes what was sealed in the record with this ciphertext.
pub(super) fn note(sealed: Sealed, ciphertext: &[u8]) {
    let name = digest(&SHA256, ciphertext).as_ref().to_vec();
    NOTES.with_borrow_mut(|notes| notes.as_mut().map(|notes| notes.insert(name, sealed)));
}
