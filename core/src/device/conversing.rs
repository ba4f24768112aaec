//! What a device hands to its conversations, and has from them.

use rand_core::CryptoRng;

use super::conversations::{Conversations, Rows, Turn};
use super::{Device, Event, Output};
use crate::fault::Fault;
use crate::limits::LONG_BYTES_MAX;
use crate::time::Now;
use crate::wire::conversations::ConversationsEvent;
use crate::wire::frame::decode;

/// What conversations hear of when it is their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// There are other revocation lists.
    Lists,
    /// This device has another certificate.
    Certificate,
}

impl Device {
    /// The same device, which takes part in conversations, of which this was kept. It takes what is posted for it, so that one
    /// program at a time does so with what is kept of one device.
    #[must_use]
    pub fn with_conversations(mut self, rows: &Rows) -> Self {
        self.conversations = Some(Box::new(Conversations::restore(&self.identity, rows)));
        self
    }

    /// Whether others can write to this device: its key packages lie at the relay, as it has said on this connection. Of one that
    /// takes no part nothing more is to be expected.
    pub fn can_be_written_to(&self) -> bool {
        self.conversations.as_ref().is_none_or(|conversations| conversations.can_be_added())
    }

    /// Does something in the conversations, if this device takes part.
    pub(super) fn converse<T>(
        &mut self,
        now: Now,
        rng: &mut dyn CryptoRng,
        act: impl FnOnce(&mut Conversations, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let conversations = self.conversations.as_mut()?;
        let turn = &mut Turn { identity: &self.identity, met: self.calls.acquaintances_mut(), now, rng };
        Some(act(conversations, turn))
    }

    /// A part of what the relay says about conversations.
    pub(super) fn piece(&mut self, bytes: &[u8], last: bool, now: Now, rng: &mut dyn CryptoRng) -> Result<(), Fault> {
        if self.pieces.len() + bytes.len() > LONG_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        self.pieces.extend_from_slice(bytes);
        if !last {
            return Ok(());
        }
        let event: ConversationsEvent = decode(&std::mem::take(&mut self.pieces))?;
        event.check()?;
        self.conversation(event, now, rng)
    }

    /// The relay says something about conversations.
    pub(super) fn conversation(
        &mut self,
        event: ConversationsEvent,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Fault> {
        self.converse(now, rng, |conversations, turn| conversations.heard(event, turn))
            .unwrap_or(Err(Fault::Unexpected))
    }

    /// Carries on what the conversations want; whether there was something.
    pub(super) fn exchange_conversations(&mut self, now: Now, rng: &mut dyn CryptoRng) -> bool {
        if let Some(news) = self.conversations_news.pop_first() {
            self.converse(now, rng, |conversations, turn| match news {
                News::Lists => conversations.lists_changed(turn),
                News::Certificate => conversations.renewed(turn),
            });
            return true;
        }
        if let Some((user, fetched)) = self.asks.poll_conversed() {
            self.converse(now, rng, |conversations, turn| match &fetched {
                Ok(fetched) => conversations.fetched(&user, fetched, turn),
                Err(code) => conversations.unfetched(&user, *code, turn),
            });
            return true;
        }
        let Some(conversations) = self.conversations.as_mut() else { return false };
        if let Some(request) = conversations.poll_request() {
            self.session.request(&request);
        } else if let Some(user) = conversations.poll_fetch() {
            self.asks.converse(user, now);
        } else if let Some((id, keep)) = conversations.poll_keep() {
            self.outputs.push_back(Output::Keep(id, keep));
        } else if let Some(event) = conversations.poll_event() {
            self.tell(Event::Conversation(Box::new(event)));
        } else {
            return false;
        }
        true
    }

    /// The epochs of its conversations, for tests.
    #[cfg(test)]
    pub(crate) fn epochs(&self) -> Vec<u64> {
        self.conversations.iter().flat_map(|conversations| conversations.epochs()).collect()
    }
}
