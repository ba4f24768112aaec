//! Whether two members have seen the same, in the same order, although they know it from a relay that may lie (design 3).
//!
//! Whoever is in at the beginning of an epoch sees all that is posted in it, since the relay takes messages of the newest epoch
//! alone. So each member keeps a chain of hashes over what was sealed, which begins with what the members of the epoch have in
//! common (RFC 9420 §8.7); each message names where in it its sender was, and where the epoch before had ended. A member whose own
//! chain has another hash there has not seen the same.
//!
//! ```text
//! chain 0 = H(authenticator)      chain n = H(chain n-1 | H(what was posted as the n-th of the epoch))
//! ```

use std::collections::VecDeque;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::contract::Order;

/// Links that a device remembers: whoever sends has seen at least so many less than all before it.
const REMEMBERED_MAX: usize = 1_024;

/// One link.
pub(super) type Link = [u8; 32];

/// What a sender has seen, named inside of the seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// How much of the epoch.
    pub count: u64,
    /// The link there.
    pub here: Link,
    /// The last link of the epoch before, if they were in it.
    pub before: Option<Link>,
}

/// What this device has seen of one conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    seen: Seen,
    /// The newest links, this one's the last: not written down.
    #[serde(skip)]
    recent: VecDeque<Link>,
}

impl Chain {
    /// As the device comes into an epoch in which it was not before.
    pub(super) fn begin(authenticator: &[u8]) -> Self {
        let here = hash(&[b"countersign/chain/1\0", authenticator]);
        Self { seen: Seen { count: 0, here, before: None }, recent: VecDeque::from([here]) }
    }

    /// The next epoch.
    pub(super) fn next_epoch(&mut self, authenticator: &[u8]) {
        let before = self.seen.here;
        *self = Self::begin(authenticator);
        self.seen.before = Some(before);
    }

    /// One more was posted.
    pub(super) fn push(&mut self, sealed: &[u8]) {
        self.remember();
        self.seen.here = hash(&[&self.seen.here, &hash(&[sealed])]);
        self.seen.count += 1;
        self.remember();
        while self.recent.len() > REMEMBERED_MAX {
            self.recent.pop_front();
        }
    }

    /// For what this device says next.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Holds what somebody else has seen against it.
    pub(super) fn compare(&self, theirs: &Seen) -> Order {
        if let (Some(ours), Some(theirs)) = (self.seen.before, theirs.before)
            && ours != theirs
        {
            return Order::Other;
        }
        let Some(behind) = self.seen.count.checked_sub(theirs.count) else {
            // They have seen what this device has not been shown.
            return Order::Other;
        };
        let last = if self.recent.is_empty() { vec![self.seen.here] } else { Vec::new() };
        let link = usize::try_from(behind).ok().and_then(|behind| self.recent.iter().chain(&last).rev().nth(behind));
        match link {
            Some(link) if *link == theirs.here => Order::Same,
            Some(_) => Order::Other,
            None => Order::Unknown,
        }
    }

    /// After it was read from the disk nothing recent is there, but where it stands is.
    fn remember(&mut self) {
        if self.recent.back() != Some(&self.seen.here) {
            self.recent.push_back(self.seen.here);
        }
    }
}

fn hash(parts: &[&[u8]]) -> Link {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(sealed: &[&[u8]]) -> Chain {
        let mut chain = Chain::begin(b"epoch");
        for sealed in sealed {
            chain.push(sealed);
        }
        chain
    }

    #[test]
    fn who_has_seen_the_same_or_the_beginning_of_it_is_of_one_order() {
        let ours = chain(&[b"a", b"b", b"c"]);
        for theirs in [chain(&[]), chain(&[b"a"]), chain(&[b"a", b"b"]), chain(&[b"a", b"b", b"c"])] {
            assert_eq!(ours.compare(&theirs.seen()), Order::Same);
        }
    }

    #[test]
    fn what_was_withheld_from_either_or_shown_in_another_order_shows() {
        let ours = chain(&[b"a", b"b", b"c"]);
        let others: [&[&[u8]]; 4] = [&[b"b"], &[b"b", b"a"], &[b"a", b"c"], &[b"a", b"b", b"c", b"d"]];
        for theirs in others {
            assert_eq!(ours.compare(&chain(theirs).seen()), Order::Other, "{theirs:?}");
        }
    }

    #[test]
    fn what_was_withheld_at_the_end_of_an_epoch_shows_in_the_next() {
        let (mut ours, mut theirs) = (chain(&[b"a", b"b"]), chain(&[b"a"]));
        ours.next_epoch(b"another");
        theirs.next_epoch(b"another");
        assert_eq!(ours.compare(&theirs.seen()), Order::Other);
        // Who was not in then has nothing to say about it.
        assert_eq!(ours.compare(&Chain::begin(b"another").seen()), Order::Same);
    }

    #[test]
    fn what_is_read_from_the_disk_compares_where_it_stands_and_no_further_back() {
        let kept = postcard::to_stdvec(&chain(&[b"a", b"b"])).unwrap_or_default();
        let Ok(mut ours) = postcard::from_bytes::<Chain>(&kept) else { panic!("it reads back") };
        assert_eq!(ours.compare(&chain(&[b"a", b"b"]).seen()), Order::Same);
        assert_eq!(ours.compare(&chain(&[b"a"]).seen()), Order::Unknown);
        ours.push(b"c");
        assert_eq!(ours.compare(&chain(&[b"a", b"b"]).seen()), Order::Same);
        assert_eq!(ours.compare(&chain(&[b"a", b"b", b"c"]).seen()), Order::Same);
        assert_eq!(ours.compare(&chain(&[b"a", b"c", b"b"]).seen()), Order::Other);
    }

    #[test]
    fn so_many_links_are_remembered() {
        let mut ours = Chain::begin(b"epoch");
        let first = ours.seen();
        (0..REMEMBERED_MAX - 1).for_each(|_| ours.push(b"x"));
        assert_eq!(ours.compare(&first), Order::Same);
        ours.push(b"x");
        assert_eq!(ours.compare(&first), Order::Unknown);
    }
}
