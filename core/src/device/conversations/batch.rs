//! What is to be durable before anything comes of it.
//!
//! A turn's changes are kept together, and what they lead to (requests, acknowledgements, news) leaves when the shell has
//! answered. Later turns go on meanwhile: they are kept in their order.

use std::collections::{BTreeMap, VecDeque};

use super::contract::{ConversationEvent, Entry, Keep, RoomView, Row};
use crate::id::{ConversationId, KeepId, RoomName};
use crate::limits::ACKNOWLEDGED_AT_ONCE_MAX;
use crate::mls::group::{Group, Unkept};
use crate::wire::conversations::ConversationsRequest;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Batch {
    keep: Keep,
    then: Then,
    count: u64,
    /// What was given to the shell and not answered, the oldest first.
    awaited: VecDeque<(KeepId, Then)>,
}

/// What leaves once it is kept.
#[derive(Debug, Default)]
pub(super) struct Then {
    pub requests: Vec<ConversationsRequest>,
    pub acknowledge: BTreeMap<ConversationId, u64>,
    pub events: Vec<ConversationEvent>,
}

impl Then {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.acknowledge.is_empty() && self.events.is_empty()
    }

    /// The acknowledgements as requests.
    pub(super) fn acknowledgements(&self) -> Vec<ConversationsRequest> {
        let all: Vec<(ConversationId, u64)> = self.acknowledge.iter().map(|(id, place)| (*id, *place)).collect();
        let request = |upto: &[_]| ConversationsRequest::Acknowledge { upto: upto.to_vec() };
        all.chunks(ACKNOWLEDGED_AT_ONCE_MAX).map(request).collect()
    }
}

impl Batch {
    /// A row is this from now on.
    pub(super) fn put(&mut self, row: Row, bytes: Vec<u8>) {
        self.keep.rows.insert(row, Some(bytes));
    }

    /// A row is no more.
    pub(super) fn remove(&mut self, row: Row) {
        self.keep.rows.insert(row, None);
    }

    /// Takes over what a call of MLS has led to: the group from now on, and what came of it, which may leave with this batch.
    pub(super) fn group<T>(&mut self, id: ConversationId, unkept: Unkept<T>) -> (Group, bool, T) {
        self.put(Row::Group(id), encode(unkept.saved()));
        let tree = unkept.tree().map(encode);
        let is_new = tree.is_some();
        if let Some(tree) = tree {
            self.put(Row::Tree(id), tree);
        }
        let (group, then) = unkept.kept();
        (group, is_new, then)
    }

    /// A room is seen so from now on.
    pub(super) fn room(&mut self, id: ConversationId, name: RoomName, view: Option<RoomView>) {
        self.keep.rooms.insert(id, (name, view));
    }

    /// History has one more.
    pub(super) fn entry(&mut self, entry: Entry) {
        self.keep.entries.push(entry);
    }

    /// What leaves with this batch.
    pub(super) fn then(&mut self) -> &mut Then {
        &mut self.then
    }

    /// What is to be kept now, if there is anything; otherwise what may leave at once.
    pub(super) fn close(&mut self) -> Option<(KeepId, Keep)> {
        if self.keep == Keep::default() && (self.then.is_empty() || self.awaited.is_empty()) {
            return None;
        }
        self.count += 1;
        let id = KeepId(self.count);
        self.awaited.push_back((id, std::mem::take(&mut self.then)));
        Some((id, std::mem::take(&mut self.keep)))
    }

    /// What was not worth a keeping, and waits for none.
    pub(super) fn at_once(&mut self) -> Then {
        let waits = self.keep != Keep::default() || !self.awaited.is_empty();
        if waits { Then::default() } else { std::mem::take(&mut self.then) }
    }

    /// It was kept.
    ///
    /// # Panics
    /// If it was not the oldest of what waits.
    pub(super) fn kept(&mut self, id: KeepId) -> Then {
        let (oldest, then) = self.awaited.pop_front().expect("what was not to be kept was kept");
        assert_eq!(oldest, id, "what is to be kept was kept out of order");
        then
    }

    /// Whether everything is durable and has left.
    pub(super) fn is_idle(&self) -> bool {
        self.awaited.is_empty() && self.keep == Keep::default() && self.then.is_empty()
    }

    /// The connection is lost: what was to be said on it is said anew on the next.
    pub(super) fn offline(&mut self) {
        for then in self.awaited.iter_mut().map(|(_, then)| then).chain([&mut self.then]) {
            then.requests.clear();
            then.acknowledge.clear();
        }
    }
}

/// A row's bytes.
pub(super) fn encode<T: serde::Serialize>(row: &T) -> Vec<u8> {
    postcard::to_stdvec(row).expect("a row can always be encoded")
}
