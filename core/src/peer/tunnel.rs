//! One end of the tunnel that the relay forwards: a link, and the credit of its two directions (protocol §6.3).

use crate::limits::{
    FORWARD_BYTES_MAX, FORWARD_OVERHEAD_BYTES, PEER_OUTBOX_BYTES_MAX, TUNNEL_CREDIT_BYTES, TUNNEL_WINDOW_BYTES,
};
use crate::link::{Link, LinkEvent};
use crate::relay::tunnel::forward_cost;

/// One end of a tunnel.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) link: Link,
    /// How many bytes the tunnel still takes.
    credit: u32,
    /// How many bytes came in for which no credit was given back yet.
    owed: u32,
}

impl Tunnel {
    /// A tunnel that was just opened.
    pub(super) fn new(link: Link) -> Self {
        Self { link: link.with_outbox(PEER_OUTBOX_BYTES_MAX), credit: TUNNEL_WINDOW_BYTES, owed: 0 }
    }

    /// Takes bytes that came through.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Vec<LinkEvent> {
        self.owed = self.owed.saturating_add(forward_cost(bytes.len()));
        let mut events = Vec::new();
        self.link.received(bytes, &mut events);
        events
    }

    /// It takes this many bytes more.
    pub(super) fn credited(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(bytes).min(TUNNEL_WINDOW_BYTES);
    }

    /// The next bytes for it, as far as its credit goes.
    pub(super) fn poll_forward(&mut self) -> Option<Vec<u8>> {
        self.link.flush();
        let credit = usize::try_from(self.credit.saturating_sub(FORWARD_OVERHEAD_BYTES)).unwrap_or(usize::MAX);
        let length = self.link.outbound().len().min(FORWARD_BYTES_MAX).min(credit);
        if length == 0 {
            return None;
        }
        let bytes = self.link.outbound().get(..length)?.to_vec();
        self.link.sent(length);
        self.credit -= forward_cost(length);
        Some(bytes)
    }

    /// Credit that is to be given back to the other end, once it is worth a message.
    pub(super) fn poll_credit(&mut self) -> Option<u32> {
        if self.owed < TUNNEL_CREDIT_BYTES {
            return None;
        }
        // A relay that brings more than the window would be the first to break it; never give more than one back.
        Some(std::mem::take(&mut self.owed).min(TUNNEL_WINDOW_BYTES))
    }
}
