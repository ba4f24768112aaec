//! The revocation lists as the genuine CA has signed them last: what a relay that lies can only pass on.

use countersign_core::journal::{Record, State};
use countersign_core::wire::revocation::{SignedList, SignedLists};

/// The newest list of the one issuing CA that there is, as the journal has it.
pub(crate) fn journalled(state: &State, issuing: &[u8], record: &dyn Fn(u64) -> Option<Vec<u8>>) -> SignedLists {
    let list = |n: u64| match record(n).as_deref().map(Record::decode) {
        Some(Ok((_, Record::CrlSigned { der }))) => Some(SignedList { issuing: issuing.to_vec().into(), list: der }),
        _ => None,
    };
    SignedLists(state.lists().values().filter_map(|place| list(place.n)).collect())
}
