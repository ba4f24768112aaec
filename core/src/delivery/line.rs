//! One connection as the delivery service sees it: what waits to be said on it, in order, and what comes next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::effect::Effects;
use crate::id::{AskId, ConnId, ConversationId, DeviceName, LoadId};
use crate::journal::conversations::{Next, Taken};
use crate::limits::STREAM_QUEUED_BYTES;
use crate::wire::Frame;

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) device: DeviceName,
    /// What was said since its socket had taken all.
    queued: usize,
    /// The rest of the event that is being said.
    frames: VecDeque<Frame>,
    /// The body that is awaited, and what for.
    pub(super) loading: Option<(LoadId, Awaited)>,
    /// The key packages that are being handed out.
    pub(super) taking: Option<Taking>,
    /// The open room into which its device would come.
    pub(super) entering: Option<(AskId, ConversationId)>,
    /// Set on the connection that takes what is posted for its device.
    pub(super) stream: Option<Stream>,
}

/// What a body is awaited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// To be posted.
    Post(ConversationId, u64),
    /// To be handed out.
    Package(DeviceName, Taken),
    /// To be told to whoever would come into a room, in this epoch of it.
    Info(AskId, ConversationId, u64),
}

/// Key packages that are being handed out.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) ask: AskId,
    pub(super) rest: VecDeque<(DeviceName, Option<Taken>)>,
}

/// What is next for a device in each conversation in which it is behind.
#[derive(Debug, Default)]
pub(super) struct Stream {
    behind: BTreeMap<ConversationId, Next>,
    /// The same, in the order in which it is posted.
    order: BTreeSet<(Next, ConversationId)>,
    /// The last position that is not new; nothing once it was said that the device has caught up.
    pub(super) old: Option<u64>,
}

impl Line {
    /// A connection on which nothing was said.
    pub(super) fn new(device: DeviceName) -> Self {
        Self { device, queued: 0, frames: VecDeque::new(), loading: None, taking: None, entering: None, stream: None }
    }

    /// Whether the next event may begin.
    pub(super) fn is_free(&self) -> bool {
        self.frames.is_empty() && self.loading.is_none() && self.queued < STREAM_QUEUED_BYTES
    }

    /// Whether what is posted now is what its device is to hear next.
    pub(super) fn is_level(&self) -> bool {
        self.is_free() && self.stream.as_ref().is_some_and(|stream| stream.behind.is_empty() && stream.old.is_none())
    }

    /// Says these frames after those that wait, as far as there is room.
    pub(super) fn say(&mut self, conn: ConnId, frames: &[Frame], out: &mut Effects) {
        if let ([frame], true) = (frames, self.frames.is_empty()) {
            // One frame of an event that has its turn: no copy and no queue.
            if self.has_room(frame) {
                return self.send(conn, frame.clone(), out);
            }
        }
        self.frames.extend(frames.iter().cloned());
        self.go_on(conn, out);
    }

    /// Says what waits, as far as there is room.
    pub(super) fn go_on(&mut self, conn: ConnId, out: &mut Effects) {
        while self.frames.front().is_some_and(|frame| self.has_room(frame))
            && let Some(frame) = self.frames.pop_front()
        {
            self.send(conn, frame, out);
        }
    }

    /// The socket has taken all.
    pub(super) fn drained(&mut self) {
        self.queued = 0;
    }

    fn has_room(&self, frame: &Frame) -> bool {
        self.queued == 0 || self.queued + frame.bytes().len() <= STREAM_QUEUED_BYTES
    }

    fn send(&mut self, conn: ConnId, frame: Frame, out: &mut Effects) {
        self.queued += frame.bytes().len();
        out.send(conn, frame);
    }
}

impl Stream {
    /// The stream of a device that is behind nowhere; what has this position, or one before it, is not new.
    pub(super) fn begin(position: u64) -> Self {
        Self { old: Some(position), ..Self::default() }
    }

    /// This comes next in a conversation, or nothing.
    pub(super) fn set(&mut self, id: ConversationId, next: Option<Next>) {
        let before = match next {
            Some(next) => self.behind.insert(id, next),
            None => self.behind.remove(&id),
        };
        if let Some(before) = before {
            self.order.remove(&(before, id));
        }
        self.order.extend(next.map(|next| (next, id)));
    }

    /// Whether the device is behind in a conversation.
    pub(super) fn is_behind(&self, id: ConversationId) -> bool {
        self.behind.contains_key(&id)
    }

    /// Whether the device is still to come to a place.
    pub(super) fn is_before(&self, id: ConversationId, place: u64) -> bool {
        self.behind.get(&id).is_some_and(|next| match next {
            Next::Expired(next, _) | Next::Entry(_, next) => *next <= place,
        })
    }

    /// What comes next of all.
    pub(super) fn first(&self) -> Option<(Next, ConversationId)> {
        self.order.first().copied()
    }
}
