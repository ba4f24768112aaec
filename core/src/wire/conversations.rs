//! Conversations: what devices and the relay say to each other about them (protocol §9). The relay is MLS's delivery service
//! and nothing more (RFC 9750 §5): it hands out key packages, puts commits and messages into one order, and keeps what each
//! device has not acknowledged. It reads none of it.
//!
//! ```text
//! Publish -> KeyPackages                key packages for others to add this device by
//! Collect -> KeyPackages, Posted ..., CaughtUp, Posted ...      what this device has not acknowledged, and from then on all
//! Take -> Package ...                   one of each device that is to be added
//! Found -> Done                         a conversation in which this device is alone
//! Commit -> Posted | Refused            the next epoch, with the change of the delivery list that it makes
//! Send -> Posted | Refused              a message of the epoch that is the newest
//! Acknowledge                           what is durable on this device
//! Await -> Done | Refused               once others have what stands at a place
//!
//! Rooms -> Rooms                        those into which the realm's devices come by themselves
//! GroupInfo -> GroupInfo | Refused      what it takes to come into one
//! Enter -> Posted | Refused             the commit by which this device comes in
//! GroupInfoWanted -> Publish..          a member leaves what the next one needs
//! ```
//!
//! - Each conversation has one order of what was posted in it: places from 1 on, without gaps, which begin anew nowhere. A device
//!   is posted what stands from its Welcome on up to its removal, that one included.
//! - A commit is taken if it is of the newest epoch, and so the first for an epoch wins. A message is taken if it is of the newest
//!   epoch: so whoever was in at its place can open it, and nobody else.
//! - Who has posted something sees it posted, at its place in the order, without its body: that is the acknowledgement, and
//!   it comes again after a lost connection, until it is acknowledged itself.
//! - What is too long for a frame goes in pieces ([`super::relay::RelayRequest::Piece`], [`super::relay::RelayEvent::Piece`]):
//!   together they are one encoded message of this file.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::fault::Fault;
use crate::id::{AskId, ConversationId, DeviceName, MessageId, RoomName, UserName};
use crate::limits::{
    ACKNOWLEDGED_AT_ONCE_MAX, COMMIT_BYTES_MAX, COMMIT_DEVICES_MAX, CONVERSATION_DEVICES_MAX, KEY_PACKAGE_BYTES_MAX,
    KEY_PACKAGES_MAX, MESSAGE_SEALED_BYTES_MAX, OPEN_ROOMS_PAGE_MAX, PIECE_BYTES_MAX,
};
use crate::time::Wall;
use crate::wire::relay::RelayRequest;

/// What a device asks of the delivery service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversationsRequest {
    /// Leaves key packages (RFC 9420 §10) of its own for others: answered by [`ConversationsEvent::KeyPackages`].
    Publish {
        /// Echoed in a refusal.
        ask: AskId,
        /// One that is given out when no other is left, again and again; it takes the place of the one before.
        last_resort: Option<ByteBuf>,
        /// Others, each of which is given out once.
        packages: Vec<ByteBuf>,
        /// The last second at which somebody may be added by them.
        not_after: Wall,
    },
    /// From here on this connection takes what is posted for its device: first what it has not acknowledged. One
    /// connection of a device does at a time, the newest.
    Collect,
    /// Takes a key package of each of these devices.
    Take {
        /// Echoed in the answers.
        ask: AskId,
        /// Whose, at most [`COMMIT_DEVICES_MAX`].
        of: Vec<DeviceName>,
    },
    /// Begins a conversation, in which this device is alone: answered by [`ConversationsEvent::Done`].
    Found {
        /// Echoed in the answer.
        ask: AskId,
        /// Its number, drawn by the device: the group's identifier in MLS.
        conversation: ConversationId,
        /// What it is.
        kind: Kind,
    },
    /// Has a commit accepted: answered by its being [`Posted`], or by a refusal.
    Commit {
        /// Echoed in a refusal.
        ask: AskId,
        /// Where.
        conversation: ConversationId,
        /// The epoch that it ends.
        epoch: u64,
        /// What it does to the delivery list.
        change: RosterChange,
        /// For those who are in already.
        commit: ByteBuf,
        /// For those who are added.
        welcome: Option<ByteBuf>,
    },
    /// Has a message accepted: answered by its being [`Posted`], or by a refusal.
    Send {
        /// Echoed in a refusal.
        ask: AskId,
        /// Where.
        conversation: ConversationId,
        /// The epoch in which it was sealed.
        epoch: u64,
        /// Its number, drawn by the device. What has the number of one that stands there is that one.
        id: MessageId,
        /// Sealed.
        body: ByteBuf,
    },
    /// What was posted in these conversations up to these places is durable here.
    Acknowledge {
        /// Where, and how far; at most [`ACKNOWLEDGED_AT_ONCE_MAX`].
        upto: Vec<(ConversationId, u64)>,
    },
    /// Asks which rooms are open: answered by [`ConversationsEvent::Rooms`].
    Rooms {
        /// Echoed in the answer.
        ask: AskId,
        /// Those whose name comes after this one, in order.
        after: Option<RoomName>,
    },
    /// Asks for what it takes to come into an open room: answered by [`ConversationsEvent::GroupInfo`], or by a refusal.
    GroupInfo {
        /// Echoed in the answer.
        ask: AskId,
        /// Which.
        room: RoomName,
    },
    /// Leaves that for whoever comes next (RFC 9420 §12.4.3): answered by [`ConversationsEvent::Done`], or by a refusal.
    PublishGroupInfo {
        /// Echoed in the answer.
        ask: AskId,
        /// Where.
        conversation: ConversationId,
        /// The epoch that it is of.
        epoch: u64,
        /// The `GroupInfo`, for the relay and the realm to read.
        info: ByteBuf,
    },
    /// Comes into an open room by an external commit (RFC 9420 §12.4.3.2): answered by its being [`Posted`], or by a refusal.
    Enter {
        /// Echoed in a refusal.
        ask: AskId,
        /// Where.
        conversation: ConversationId,
        /// The epoch that it ends.
        epoch: u64,
        /// For those who are in.
        commit: ByteBuf,
    },
    /// Wants to know when what stands at a place has come to a device of each person whom it is for, besides whoever has posted
    /// it: answered by [`ConversationsEvent::Done`] then, or by a refusal. It is forgotten with the connection, and the first
    /// of more than [`AWAITED_MAX`](crate::limits::AWAITED_MAX) on one is.
    Await {
        /// Echoed in the answer.
        ask: AskId,
        /// Where.
        conversation: ConversationId,
        /// At which place.
        place: u64,
    },
}

/// What a conversation is to the relay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Between two people, in the order of their names, with all their devices; or of one with themselves. There is one of each pair.
    Direct(UserName, UserName),
    /// Of whoever was added.
    Room,
    /// Of whoever came or was added: open to the realm, and found by this name, which is one room's alone.
    Open(RoomName),
}

/// A room into which the realm's devices come by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRoom {
    /// Its name.
    pub name: RoomName,
    /// Its number.
    pub conversation: ConversationId,
    /// How many devices are in it.
    pub devices: u32,
}

/// What a commit does to the delivery list. Members hold it against what the commit does to the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterChange {
    /// Who is added.
    pub add: Vec<DeviceName>,
    /// Who is removed.
    pub remove: Vec<DeviceName>,
}

/// What the delivery service says to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversationsEvent {
    /// It is done and durable.
    Done {
        /// As asked.
        ask: AskId,
    },
    /// How many of this device's key packages are left: said after `Collect`, after each change of its own, and when
    /// few are left.
    KeyPackages {
        /// That are given out once.
        left: u32,
        /// The last second of the one of last resort, if there is one.
        last_resort: Option<Wall>,
    },
    /// A key package that was asked for, in the order of asking.
    Package {
        /// As asked.
        ask: AskId,
        /// Whose.
        device: DeviceName,
        /// Nothing if it has left none, or there is no such device.
        package: Option<ByteBuf>,
        /// Whether one of another device follows.
        more: bool,
    },
    /// Something stands in a conversation.
    Posted(Posted),
    /// What was not acknowledged has been posted; what comes now is new.
    CaughtUp,
    /// Devices of the people of a conversation that are not in it, and have key packages: said to those who are in, after
    /// `CaughtUp`, after each commit, and when one of them has left key packages.
    Lacking {
        /// Where.
        conversation: ConversationId,
        /// Which.
        devices: Vec<DeviceName>,
    },
    /// Rooms that are open, in order of name.
    Rooms {
        /// As asked.
        ask: AskId,
        /// At most [`OPEN_ROOMS_PAGE_MAX`].
        rooms: Vec<OpenRoom>,
        /// Whether there are more after these.
        more: bool,
    },
    /// What it takes to come into an open room.
    GroupInfo {
        /// As asked.
        ask: AskId,
        /// Its number.
        conversation: ConversationId,
        /// The epoch that this is of, the newest.
        epoch: u64,
        /// Who is in it, in order of name.
        roster: Vec<DeviceName>,
        /// What a member has left.
        info: ByteBuf,
    },
    /// Nobody could come into an open room as things stand: said to those who are in, who leave what it takes.
    GroupInfoWanted {
        /// Where.
        conversation: ConversationId,
    },
}

/// Something that stands in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Where.
    pub conversation: ConversationId,
    /// At which place of it.
    pub place: u64,
    /// When, by the relay's clock.
    pub at: Wall,
    /// Who says to have posted it, as the relay has it; what is inside says so itself.
    pub by: DeviceName,
    /// What.
    pub what: What,
}

/// What was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A message.
    Message {
        /// Its number.
        id: MessageId,
        /// Sealed.
        body: ByteBuf,
    },
    /// A commit, for those who were in before.
    Commit {
        /// The epoch that it ends.
        epoch: u64,
        /// What it does to the delivery list.
        change: RosterChange,
        /// Sealed.
        commit: ByteBuf,
    },
    /// The Welcome of a commit, for those whom it adds: the first that they see of the conversation.
    Welcome {
        /// The epoch that begins.
        epoch: u64,
        /// What the conversation is.
        kind: Kind,
        /// Who is in it, in order of name.
        roster: Vec<DeviceName>,
        /// Sealed.
        welcome: ByteBuf,
    },
    /// This device's own message.
    OwnMessage {
        /// Its number.
        id: MessageId,
    },
    /// This device's own commit.
    OwnCommit {
        /// The epoch that it ends.
        epoch: u64,
    },
    /// The time for which it was kept was over before this device came for it. Said once for all places of the conversation
    /// that the device has missed, at the highest of them; [`Posted::at`] is when it went, and [`Posted::by`] the device itself. The
    /// same is said at the place of something whose body the relay has lost.
    Expired,
}

impl ConversationsRequest {
    /// The request as it goes to the relay: by itself, or in pieces where it does not fit a frame.
    ///
    /// # Panics
    /// Never: a message of ours can always be encoded.
    pub fn in_frames(self) -> Vec<RelayRequest> {
        let bytes = postcard::to_stdvec(&self).expect("a message of ours can always be encoded");
        if bytes.len() <= PIECE_BYTES_MAX {
            return vec![RelayRequest::Conversations(self)];
        }
        let count = bytes.chunks(PIECE_BYTES_MAX).count();
        let piece =
            |(n, bytes): (usize, &[u8])| RelayRequest::Piece { bytes: ByteBuf::from(bytes), last: n + 1 == count };
        bytes.chunks(PIECE_BYTES_MAX).enumerate().map(piece).collect()
    }

    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        let sound = match self {
            Self::Publish { last_resort, packages, .. } => {
                packages.len() <= KEY_PACKAGES_MAX
                    && packages.iter().chain(last_resort).all(|bytes| package_fits(bytes))
            }
            Self::Collect
            | Self::Found { kind: Kind::Room | Kind::Open(_), .. }
            | Self::Rooms { .. }
            | Self::GroupInfo { .. }
            | Self::Await { .. } => true,
            Self::Take { of, .. } => (1..=COMMIT_DEVICES_MAX).contains(&of.len()),
            Self::Found { kind: Kind::Direct(one, other), .. } => one <= other,
            Self::Commit { change, commit, welcome, .. } => {
                let sizes = commit.len() + welcome.as_ref().map_or(0, |welcome| welcome.len());
                // Those who are added need a Welcome, and nobody else does.
                change.is_sound() && sizes <= COMMIT_BYTES_MAX && change.add.is_empty() == welcome.is_none()
            }
            Self::Send { body, .. } => message_fits(body),
            Self::Acknowledge { upto } => upto.len() <= ACKNOWLEDGED_AT_ONCE_MAX,
            Self::PublishGroupInfo { info: bytes, .. } | Self::Enter { commit: bytes, .. } => commit_fits(bytes),
        };
        if sound { Ok(()) } else { Err(Fault::Malformed) }
    }
}

impl ConversationsEvent {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        let sound = match self {
            Self::Done { .. } | Self::KeyPackages { .. } | Self::CaughtUp | Self::GroupInfoWanted { .. } => true,
            Self::Rooms { rooms, .. } => rooms.len() <= OPEN_ROOMS_PAGE_MAX,
            Self::GroupInfo { roster, info, .. } => roster.len() <= CONVERSATION_DEVICES_MAX && commit_fits(info),
            Self::Lacking { devices, .. } => devices.len() <= COMMIT_DEVICES_MAX,
            Self::Package { package, .. } => package.as_ref().is_none_or(|bytes| package_fits(bytes)),
            Self::Posted(posted) => match &posted.what {
                What::Message { body, .. } => message_fits(body),
                What::Commit { change, commit, .. } => change.is_sound() && commit.len() <= COMMIT_BYTES_MAX,
                What::Welcome { kind, roster, welcome, .. } => {
                    let in_order = match kind {
                        Kind::Direct(one, other) => one <= other,
                        Kind::Room | Kind::Open(_) => true,
                    };
                    in_order && roster.len() <= CONVERSATION_DEVICES_MAX && welcome.len() <= COMMIT_BYTES_MAX
                }
                What::OwnMessage { .. } | What::OwnCommit { .. } | What::Expired => true,
            },
        };
        if sound { Ok(()) } else { Err(Fault::Malformed) }
    }
}

impl RosterChange {
    /// Whether nobody is named twice, and not too many are.
    pub fn is_sound(&self) -> bool {
        let all: std::collections::BTreeSet<&DeviceName> = self.add.iter().chain(&self.remove).collect();
        all.len() == self.add.len() + self.remove.len() && all.len() <= COMMIT_DEVICES_MAX
    }
}

fn package_fits(bytes: &[u8]) -> bool {
    (1..=KEY_PACKAGE_BYTES_MAX).contains(&bytes.len())
}

fn commit_fits(bytes: &[u8]) -> bool {
    (1..=COMMIT_BYTES_MAX).contains(&bytes.len())
}

fn message_fits(bytes: &[u8]) -> bool {
    (1..=MESSAGE_SEALED_BYTES_MAX).contains(&bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::device_name;

    #[test]
    fn nobody_is_added_or_removed_twice_or_both_in_one_commit() {
        let one = || vec![device_name("bob", "laptop")];
        let sound = |add, remove| RosterChange { add, remove }.is_sound();
        assert!(sound(one(), vec![]) && sound(vec![], one()) && sound(vec![], vec![]));
        assert!(!sound(one(), one()) && !sound([one(), one()].concat(), vec![]));
    }

    #[test]
    fn whoever_is_added_needs_a_welcome_and_nobody_else_gets_one() {
        let commit = |add: Vec<DeviceName>, welcome: Option<ByteBuf>| ConversationsRequest::Commit {
            ask: AskId(1),
            conversation: ConversationId([1; 16]),
            epoch: 0,
            change: RosterChange { add, remove: vec![] },
            commit: ByteBuf::from(vec![1]),
            welcome,
        };
        let bob = || vec![device_name("bob", "laptop")];
        assert_eq!(commit(bob(), Some(ByteBuf::new())).check(), Ok(()));
        assert_eq!(commit(vec![], None).check(), Ok(()));
        assert_eq!(commit(bob(), None).check(), Err(Fault::Malformed));
        assert_eq!(commit(vec![], Some(ByteBuf::new())).check(), Err(Fault::Malformed));
    }

    #[test]
    fn what_it_takes_to_come_in_has_a_greatest_size_and_a_page_of_rooms_a_greatest_length() {
        let info = |size| ConversationsEvent::GroupInfo {
            ask: AskId(1),
            conversation: ConversationId([1; 16]),
            epoch: 0,
            roster: vec![],
            info: ByteBuf::from(vec![0; size]),
        };
        assert_eq!(info(COMMIT_BYTES_MAX).check(), Ok(()));
        assert_eq!(info(COMMIT_BYTES_MAX + 1).check(), Err(Fault::Malformed));
        assert_eq!(info(0).check(), Err(Fault::Malformed));
        let (name, conversation) = (RoomName::of_number(ConversationId([1; 16])), ConversationId([1; 16]));
        let room = OpenRoom { name, conversation, devices: 3 };
        let page = |count| ConversationsEvent::Rooms { ask: AskId(1), rooms: vec![room.clone(); count], more: true };
        assert_eq!(page(256).check(), Ok(()));
        assert_eq!(page(257).check(), Err(Fault::Malformed));
        assert!(postcard::to_stdvec(&page(256)).is_ok_and(|bytes| bytes.len() < crate::limits::FRAME_BYTES_MAX));
    }

    #[test]
    fn a_sealed_message_has_a_greatest_size_and_one_of_nothing_is_none() {
        let send = |size| ConversationsRequest::Send {
            ask: AskId(1),
            conversation: ConversationId([1; 16]),
            epoch: 0,
            id: MessageId([1; 16]),
            body: ByteBuf::from(vec![0; size]),
        };
        assert_eq!(send(MESSAGE_SEALED_BYTES_MAX).check(), Ok(()));
        assert_eq!(send(MESSAGE_SEALED_BYTES_MAX + 1).check(), Err(Fault::Malformed));
        assert_eq!(send(0).check(), Err(Fault::Malformed));
    }
}
