//! Whether others have what was posted: asked of the relay, again on each connection, until it says so or nobody waits for it any
//! more.

use super::contract::{ConversationEvent, NotSent};
use super::{Conversations, Turn, Wish};
use crate::id::{ConversationId, SendId};
use crate::limits::AWAITED_MAX;
use crate::wire::Code;
use crate::wire::conversations::ConversationsRequest;

impl Conversations {
    /// The user wants to know when something is delivered.
    pub(in crate::device) fn wait_for(&mut self, send: SendId, id: ConversationId, place: u64, turn: &mut Turn<'_>) {
        let why = if !self.all.contains_key(&id) {
            Some(NotSent::Refused(Code::NO_CONVERSATION))
        } else if self.awaited.len() >= AWAITED_MAX {
            Some(NotSent::Full)
        } else {
            None
        };
        match why {
            Some(why) => self.batch.then().events.push(ConversationEvent::NotSent(send, why)),
            None => drop(self.awaited.insert(send, (id, place))),
        }
        self.work(turn);
    }

    /// Nobody waits for it any more.
    pub(in crate::device) fn call_off(&mut self, send: SendId, turn: &mut Turn<'_>) {
        self.awaited.remove(&send);
        self.asks.settle(|wish| is_about(wish, send));
        self.errand_called_off(send);
        self.work(turn);
    }

    /// Asks about what was not asked on this connection; whether there was something.
    pub(super) fn await_next(&mut self) -> bool {
        let is_asked = |send: &SendId| self.asks.has(|wish| is_about(wish, *send));
        let next = self.awaited.iter().find(|(send, _)| !is_asked(send)).map(|(send, at)| (*send, *at));
        let Some((send, (conversation, place))) = next else { return false };
        self.request(Wish::Delivery(send), |ask| ConversationsRequest::Await { ask, conversation, place });
        true
    }

    pub(super) fn delivered(&mut self, send: SendId) {
        if self.awaited.remove(&send).is_some() {
            self.batch.then().events.push(ConversationEvent::Delivered(send));
        }
    }

    pub(super) fn undelivered(&mut self, send: SendId, code: Code) {
        if self.awaited.remove(&send).is_some() {
            self.batch.then().events.push(ConversationEvent::NotSent(send, NotSent::Refused(code)));
        }
    }
}

fn is_about(wish: &Wish, send: SendId) -> bool {
    matches!(wish, Wish::Delivery(asked) if *asked == send)
}
