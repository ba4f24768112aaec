//! What this device has asked of the relay and waits for. What the relay is too busy for is said again after a while.

use std::collections::{BTreeMap, BTreeSet};

use super::Conversations;
use super::gathering::Goal;
use crate::device::Wake;
use crate::id::{AskId, ConversationId, MessageId, SendId};
use crate::limits::CONVERSATIONS_RETRY;
use crate::time::Now;
use crate::tls::Judged;
use crate::wire::conversations::ConversationsRequest;

/// What is asked here is numbered from here on.
const FIRST_ASK: u64 = 5 << 60;

/// What an ask is about.
#[derive(Debug)]
pub(super) enum Wish {
    /// To leave key packages.
    Publish,
    /// To have those of others.
    Take(Goal),
    /// To begin a conversation.
    Found(ConversationId, Goal),
    /// To change one.
    Commit(ConversationId),
    /// To say something.
    Send(MessageId),
    /// To have the log's proof of a certificate.
    Proof(Box<Judged>),
    /// To know which rooms are open.
    Rooms(u64),
    /// To have what it takes to come into one.
    WayIn(u64),
    /// To leave that for others.
    Info,
    /// To know when something is delivered.
    Delivery(SendId),
}

/// What was asked on this connection.
#[derive(Debug, Default)]
pub(super) struct Asks {
    open: BTreeMap<AskId, (Wish, Option<ConversationsRequest>)>,
    /// What the relay was too busy for.
    later: BTreeSet<AskId>,
    count: u64,
}

impl Asks {
    /// A number for what is asked by another kind of request.
    pub(super) fn number(&mut self, wish: Wish) -> AskId {
        self.add(wish, |_| None)
    }

    fn add(&mut self, wish: Wish, request: impl FnOnce(AskId) -> Option<ConversationsRequest>) -> AskId {
        self.count += 1;
        let ask = AskId(FIRST_ASK + self.count);
        self.open.insert(ask, (wish, request(ask)));
        ask
    }

    /// What was asked by this number.
    pub(super) fn get(&self, ask: AskId) -> Option<&Wish> {
        self.open.get(&ask).map(|(wish, _)| wish)
    }

    /// It is answered.
    pub(super) fn take(&mut self, ask: AskId) -> Option<Wish> {
        self.open.remove(&ask).map(|(wish, _)| wish)
    }

    /// What is asked of this kind is answered.
    pub(super) fn settle(&mut self, is_of: impl Fn(&Wish) -> bool) {
        self.open.retain(|_, (wish, _)| !is_of(wish));
    }

    /// Whether something of this kind is asked.
    pub(super) fn has(&self, is_of: impl Fn(&Wish) -> bool) -> bool {
        self.open.values().any(|(wish, _)| is_of(wish))
    }

    /// The connection is lost.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.later.clear();
    }
}

impl Conversations {
    /// Asks something, once what it follows from is kept.
    pub(super) fn request(&mut self, wish: Wish, request: impl FnOnce(AskId) -> ConversationsRequest) {
        let ask = self.asks.add(wish, |ask| Some(request(ask)));
        if let Some((_, Some(request))) = self.asks.open.get(&ask) {
            self.batch.then().requests.push(request.clone());
        }
    }

    /// The relay is too busy for it now; whether it is asked again.
    pub(super) fn ask_later(&mut self, ask: AskId, now: Now) -> bool {
        let has_request = matches!(self.asks.open.get(&ask), Some((_, Some(_))));
        if has_request {
            self.asks.later.insert(ask);
            self.deadlines.set(Wake::Conversations, now.mono.plus(CONVERSATIONS_RETRY));
        }
        has_request
    }

    /// Asks again.
    pub(super) fn ask_again(&mut self) {
        let later = std::mem::take(&mut self.asks.later);
        let requests = later.iter().filter_map(|ask| self.asks.open.get(ask)?.1.clone());
        self.batch.then().requests.extend(requests);
    }
}
