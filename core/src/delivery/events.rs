//! How what stands in a conversation is said to a device: encoded once for all whom it is said to in the same words.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::id::{ConversationId, DeviceName};
use crate::journal::conversations::{Conversation, Entry, Seat, What as Stands};
use crate::limits::{FRAME_BYTES_MAX, PIECE_BYTES_MAX};
use crate::time::Wall;
use crate::wire::Frame;
use crate::wire::conversations::{ConversationsEvent, Posted, RosterChange, What};
use crate::wire::relay::RelayEvent;

/// What a message takes besides the event about conversations that is in it, at most.
const AROUND_BYTES: usize = 16;

/// The frames of one event.
pub(super) type Frames = Arc<[Frame]>;

/// What stands beside the record of a commit.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// Who comes and goes.
    pub(super) change: RosterChange,
    /// For those who were in before.
    pub(super) commit: ByteBuf,
    /// For those who come: who is in then, and the Welcome.
    pub(super) welcome: Option<(Vec<DeviceName>, ByteBuf)>,
}

impl Sealed {
    /// As it stands there.
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a commit can always be encoded")
    }
}

/// What is posted, in the words for each.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// For those who were in before.
    others: Frames,
    /// For those who come with it.
    newcomers: Option<Frames>,
}

impl Shared {
    /// What stands at a place, by its body; nothing if that is not what was written.
    pub(super) fn new(
        id: ConversationId,
        known: &Conversation,
        place: u64,
        entry: &Entry,
        body: &[u8],
    ) -> Option<Self> {
        let posted = |what| frames(&posted(id, place, entry, what));
        match entry.what {
            Stands::Message(message) => {
                let body = ByteBuf::from(body);
                Some(Self { others: posted(What::Message { id: message, body }), newcomers: None })
            }
            Stands::Commit(epoch) => {
                let Sealed { change, commit, welcome } = postcard::from_bytes(body).ok()?;
                let newcomers = welcome.map(|(roster, welcome)| {
                    posted(What::Welcome { epoch: epoch + 1, kind: known.kind().clone(), roster, welcome })
                });
                Some(Self { others: posted(What::Commit { epoch, change, commit }), newcomers })
            }
        }
    }

    /// The words for whoever has this seat.
    pub(super) fn frames_for(&self, seat: &Seat, place: u64) -> &Frames {
        match &self.newcomers {
            Some(newcomers) if seat.came_at(place) => newcomers,
            Some(_) | None => &self.others,
        }
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.others
            .iter()
            .chain(self.newcomers.iter().flat_map(|frames| frames.iter()))
            .map(|frame| frame.bytes().len())
            .sum()
    }
}

/// What a device itself has posted.
pub(super) fn own(id: ConversationId, place: u64, entry: &Entry) -> Frames {
    let what = match entry.what {
        Stands::Message(id) => What::OwnMessage { id },
        Stands::Commit(epoch) => What::OwnCommit { epoch },
    };
    frames(&posted(id, place, entry, what))
}

/// That something was not kept for a device.
pub(super) fn expired(conversation: ConversationId, place: u64, at: Wall, of: &DeviceName) -> Frames {
    let by = of.clone();
    frames(&ConversationsEvent::Posted(Posted { conversation, place, at, by, what: What::Expired }))
}

/// An event in as many frames as it takes.
pub(super) fn frames(event: &ConversationsEvent) -> Frames {
    let bytes = postcard::to_stdvec(event).expect("an event of ours can always be encoded");
    if bytes.len() + AROUND_BYTES <= FRAME_BYTES_MAX {
        return Arc::from([Frame::message(&RelayEvent::Conversations(event.clone()))]);
    }
    let pieces = bytes.chunks(PIECE_BYTES_MAX);
    let last = pieces.len() - 1;
    let piece = |(n, bytes): (usize, &[u8])| {
        Frame::message(&RelayEvent::Piece { bytes: ByteBuf::from(bytes), last: n == last })
    };
    pieces.enumerate().map(piece).collect()
}

fn posted(conversation: ConversationId, place: u64, entry: &Entry, what: What) -> ConversationsEvent {
    ConversationsEvent::Posted(Posted { conversation, place, at: entry.at, by: entry.by.clone(), what })
}
