//! What devices want written down while the journal has as much to do as it may: it waits for its turn, all of it in the order in
//! which it came. So nobody is told to come again, and what one device sends stays in its order.

use std::collections::VecDeque;

use super::{Delivery, Round};
use crate::effect::Effect;
use crate::id::ConnId;
use crate::limits::{APPENDS_PENDING_MAX, LONG_BYTES_MAX, LONG_TOTAL_BYTES_MAX};
use crate::relay::Admitted;
use crate::wire::Code;
use crate::wire::conversations::ConversationsRequest;

/// What a request that waits takes up besides its body.
const REQUEST_BYTES: usize = 256;

/// Requests that wait, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: VecDeque<(Admitted, ConversationsRequest)>,
    bytes: usize,
}

impl Delivery {
    /// Whether what is to be written down has to wait.
    pub(super) fn must_wait(&self) -> bool {
        !self.waiting.requests.is_empty() || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.asked.len() >= APPENDS_PENDING_MAX || self.pending_bytes + LONG_BYTES_MAX > LONG_TOTAL_BYTES_MAX
    }

    /// A request waits. Where there is no room for it its connection ends, since what comes after it on that one must not
    /// overtake it; the device says it again on another.
    pub(super) fn wait(&mut self, from: &Admitted, request: ConversationsRequest, round: &mut Round<'_>) {
        let bytes = size(&request);
        if self.waiting.bytes + bytes > LONG_TOTAL_BYTES_MAX {
            return round.out.push(Effect::Part(from.conn(), Code::BUSY));
        }
        self.waiting.bytes += bytes;
        self.waiting.requests.push_back((from.clone(), request));
    }

    /// The journal has answered: whoever has waited longest goes on.
    pub(super) fn take_turns(&mut self, round: &mut Round<'_>) {
        while !self.is_full()
            && let Some((from, request)) = self.waiting.requests.pop_front()
        {
            self.waiting.bytes -= size(&request);
            self.write(&from, request, round);
        }
    }
}

impl Waiting {
    /// A connection is over: what it wanted is of no use.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.requests.retain(|(from, _)| from.conn() != conn);
        self.bytes = self.requests.iter().map(|(_, request)| size(request)).sum();
    }
}

fn size(request: &ConversationsRequest) -> usize {
    let body = match request {
        ConversationsRequest::Publish { last_resort, packages, .. } => {
            packages.iter().chain(last_resort).map(|package| package.len()).sum()
        }
        ConversationsRequest::Commit { commit, welcome, .. } => {
            commit.len() + welcome.as_ref().map_or(0, |welcome| welcome.len())
        }
        ConversationsRequest::Send { body, .. }
        | ConversationsRequest::PublishGroupInfo { info: body, .. }
        | ConversationsRequest::Enter { commit: body, .. } => body.len(),
        ConversationsRequest::Take { of, .. } => of.len() * REQUEST_BYTES,
        ConversationsRequest::Collect
        | ConversationsRequest::Found { .. }
        | ConversationsRequest::Rooms { .. }
        | ConversationsRequest::GroupInfo { .. }
        | ConversationsRequest::Await { .. }
        | ConversationsRequest::Acknowledge { .. } => 0,
    };
    body + REQUEST_BYTES
}
