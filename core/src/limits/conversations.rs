//! The bounds of conversations (design 6, protocol §9).

use std::time::Duration;

use super::days;

/// A message of a person's, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// A sealed message: the text, what stands beside it, and at most a quarter of padding.
pub const MESSAGE_SEALED_BYTES_MAX: usize = 84 * 1024;
/// What one [`Piece`](crate::wire::relay::RelayEvent::Piece) of a long message carries.
pub const PIECE_BYTES_MAX: usize = 16 * 1024;
/// A message about conversations, all its pieces together.
pub const LONG_BYTES_MAX: usize = COMMIT_BYTES_MAX + 128 * 1024;
/// Unfinished long messages of all members together that the relay holds; whoever begins one beyond is told to come again.
pub const LONG_TOTAL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A commit and its Welcome together.
pub const COMMIT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Devices that one commit adds and removes, so that its record has room for their names.
pub const COMMIT_DEVICES_MAX: usize = 256;
/// Devices in one conversation.
pub const CONVERSATION_DEVICES_MAX: usize = 1_024;
/// A room's topic, in bytes of UTF-8.
pub const ROOM_TOPIC_BYTES_MAX: usize = 512;
/// How often a device tries to come into an open room before it says that it can't.
pub const ROOM_ENTRY_TRIES_MAX: u32 = 16;
/// What one connection, or one device, waits for to be delivered.
pub const AWAITED_MAX: usize = 64;
/// Open rooms in one answer about them.
pub const OPEN_ROOMS_PAGE_MAX: usize = 256;
/// People in a room who are more than members, and those who are barred from it.
pub const ROOM_RANKS_MAX: usize = 64;
/// Conversations that one device is in.
pub const CONVERSATIONS_PER_DEVICE_MAX: usize = 1_024;
/// A key package: it holds two certificates.
pub const KEY_PACKAGE_BYTES_MAX: usize = 10 * 1024;
/// Key packages of one device that the relay keeps, besides the one of last resort.
pub const KEY_PACKAGES_MAX: usize = 32;
/// With fewer than this left a device is told, and leaves more.
pub const KEY_PACKAGES_LOW: usize = 8;
/// Key packages that one device may take within [`KEY_PACKAGES_TAKEN_SPAN`]: whoever takes more uses up those of others.
pub const KEY_PACKAGES_TAKEN_MAX: u32 = 4_096;
/// The span for [`KEY_PACKAGES_TAKEN_MAX`].
pub const KEY_PACKAGES_TAKEN_SPAN: Duration = Duration::from_secs(60 * 60);
/// Conversations of which one acknowledgement speaks.
pub const ACKNOWLEDGED_AT_ONCE_MAX: usize = 256;
/// How long the relay keeps what was posted for a device that does not come for it.
pub const POSTED_KEPT: Duration = days(90);
/// Messages that a device keeps until it can send them.
pub const OUTGOING_MAX: usize = 1_000;
/// A reaction, in bytes of UTF-8.
pub const REACTION_BYTES_MAX: usize = 64;
/// What is wished of rooms and not done: beyond, it is refused.
pub const ERRANDS_MAX: usize = 64;
/// Messages that a device has sent and that are not posted yet: then it waits.
pub const OUTGOING_IN_FLIGHT_MAX: usize = 64;
/// What a device has sent of messages that are not posted yet, as they are sealed: then it waits.
pub const OUTGOING_IN_FLIGHT_BYTES_MAX: usize = 256 * 1024;
/// What was posted for a device and waits in it until somebody is judged; beyond, it is asked for again.
pub const POSTED_WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long after it has joined a conversation a device gives itself new keys, and somewhat later where many join.
pub const REFRESH_AFTER_JOIN: Duration = Duration::from_secs(8);
/// How often a device gives itself new keys in a conversation: so long after a theft its state is of no more use.
pub const REFRESH_SPAN: Duration = days(7);
/// How long a device waits for each one that stands before it to remove somebody who was revoked.
pub const REMOVAL_TURN: Duration = Duration::from_secs(2);
/// A device leaves another key package of last resort when the one that lies there holds no longer than this.
pub const LAST_RESORT_RENEWAL: Duration = days(30);
/// After the relay was busy, a device asks again no sooner than this.
pub const CONVERSATIONS_RETRY: Duration = Duration::from_secs(1);
/// How often it is looked for what was kept for longer.
pub const POSTED_LOOK_SPAN: Duration = Duration::from_secs(60 * 60);
/// The pause before it is looked again where something was found: there may be more.
pub const POSTED_LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Conversations in which something expires with one append.
pub const EXPIRED_AT_ONCE_MAX: usize = 256;
/// How long after the first acknowledgement those that have come are written down, all together.
pub const ACKNOWLEDGE_AFTER: Duration = Duration::from_secs(1);
/// What is posted to a device and its socket has not taken; the rest waits in the journal.
pub const STREAM_QUEUED_BYTES: usize = 256 * 1024;
/// What was posted last and is kept as it was said, for those who are a little behind.
pub const RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What was posted in one conversation and not acknowledged by all whom it is for.
pub const POSTED_PER_CONVERSATION_MAX: usize = 20_000;
/// What was posted in all conversations and not acknowledged by all whom it is for, in number: each takes memory, however
/// short it is.
pub const POSTED_MAX: u64 = 1_000_000;
/// What was posted in all conversations and not acknowledged by all whom it is for, as the sum of its bodies.
pub const POSTED_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
