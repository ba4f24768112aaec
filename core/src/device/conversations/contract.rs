//! What a device's user hears of conversations, and what the shell keeps of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::saying::Saying;
use crate::device::Met;
use crate::id::{ConversationId, DeviceLabel, DeviceName, MessageId, NameRefusal, RoomName, SendId, UserName};
use crate::mls::policy::Rank;
use crate::time::Wall;
use crate::wire::Code;
use crate::wire::conversations::{Kind, OpenRoom};

/// What the user is told of conversations. All of it is durable here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationEvent {
    /// A message that was to be sent, or a change that was to be made, is in the conversation's order, and durable at the relay.
    Sent(SendId, Entry),
    /// A message that was to be sent is not, and will not be; or a change was not made.
    NotSent(SendId, NotSent),
    /// A message that was kept by an earlier run of the program is not sent, and will not be.
    GivenUp(Target, Saying, NotSent),
    /// Something else stands in a conversation.
    Entry(Entry),
    /// Somebody of this name is in a conversation, and was met for the first time: to be kept.
    Met(UserName, Met),
    /// In a conversation is somebody else of this name than the one who was met before.
    Changed(UserName, Met),
    /// What was waited for has come to a device of each of the others.
    Delivered(SendId),
    /// Open rooms, in order of name, and whether there are more: then they come next.
    OpenRooms(SendId, Vec<OpenRoom>, bool),
    /// What is kept until the relay is there again was taken in: all that had come until this device was there.
    CaughtUp,
}

/// Where a message goes, as its writer names it: `bob`, or `#tea` or `room:tea`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// To somebody, whether they were written to before or not.
    User(UserName),
    /// Into a room that this device is in, by its name or by its number.
    Room(RoomName),
}

impl From<UserName> for Target {
    fn from(user: UserName) -> Self {
        Self::User(user)
    }
}

impl Target {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, NameRefusal> {
        match text.strip_prefix('#').or_else(|| text.strip_prefix("room:")) {
            Some(room) => RoomName::parse(room).map(Self::Room),
            None => UserName::parse(text).map(Self::User),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = NameRefusal;

    fn try_from(text: String) -> Result<Self, NameRefusal> {
        Self::parse(&text)
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Room(room) => write!(f, "#{room}"),
        }
    }
}

/// What somebody wants done with a room: it is done when the relay has it in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomErrand {
    /// To begin a room, which is theirs.
    Create {
        /// What its people call it.
        name: RoomName,
        /// What it is about, at most [`ROOM_TOPIC_BYTES_MAX`](crate::limits::ROOM_TOPIC_BYTES_MAX).
        topic: String,
        /// Who may add people.
        invites: Rank,
        /// Who is in it from the beginning.
        people: BTreeSet<UserName>,
        /// Whether the realm's devices come into it by themselves.
        #[serde(default)]
        open: bool,
    },
    /// To come into an open one.
    Enter(RoomName),
    /// To come into the room for everybody, or to begin it where there is none. Whoever has left it comes back only by
    /// [`RoomErrand::Enter`].
    Lobby,
    /// To know which rooms are open: answered by [`ConversationEvent::OpenRooms`].
    List,
    /// To change one.
    Change(RoomName, Alteration),
}

/// How a room is to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alteration {
    /// These people come in, with all their devices.
    Invite(BTreeSet<UserName>),
    /// Somebody is put out.
    Kick(UserName),
    /// Whoever wants it is in it no more.
    Leave,
    /// Somebody is this in it from then on.
    Rank(UserName, Rank),
    /// It is about this.
    Topic(String),
    /// It is called this.
    Name(RoomName),
    /// These may add people.
    Invites(Rank),
}

/// Why a message is not sent, or a room not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// It is longer than [`TEXT_BYTES_MAX`](crate::limits::TEXT_BYTES_MAX), or there is nothing in it.
    Length,
    /// This device's key was made elsewhere and is of a kind that takes no part in conversations.
    Key,
    /// The relay refuses.
    Refused(Code),
    /// None of their devices can be written to: each is revoked, or has never come online with a program that converses.
    Nobody,
    /// Whoever has the name now is not the one who was met under it, and the change was not accepted.
    Changed,
    /// As many messages wait as a device keeps.
    Full,
    /// This device is in no room of this name.
    NoRoom,
    /// It is in several.
    Ambiguous,
    /// A reaction is longer than [`REACTION_BYTES_MAX`](crate::limits::REACTION_BYTES_MAX), or there is nothing in it.
    Reaction,
    /// A room's topic is longer than [`ROOM_TOPIC_BYTES_MAX`](crate::limits::ROOM_TOPIC_BYTES_MAX).
    Topic,
    /// The room does not let them do this.
    NotAllowed,
    /// Who is meant is not in the room.
    NotThere,
    /// It is so already.
    Unchanged,
    /// They were put out of an open room.
    Barred,
    /// An open room of this name is there already.
    NameTaken,
    /// An open room is to be called otherwise.
    NameStays,
    /// What the relay gives leads nowhere, or into another room.
    WayIn,
    /// So many would come in that they do not fit one commit.
    Crowd,
    /// It is because of one of several people.
    Of(UserName, Box<NotSent>),
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("a message is 1 byte to 64 KiB of text: send what is longer as a file"),
            Self::Key => {
                f.write_str("this device's key is not Ed25519, which conversations take: join with another device")
            }
            Self::Refused(code) => code.fmt(f),
            Self::Nobody => f.write_str("none of their devices can be written to yet: they have to come online once"),
            Self::Changed => Code::CHANGED.fmt(f),
            Self::Full => f.write_str("too many messages wait to be sent: try again when the server can be reached"),
            Self::NoRoom => {
                f.write_str("this device is in no room of this name: client room list shows those it is in")
            }
            Self::Ambiguous => {
                f.write_str("there are several rooms of this name: take the number that client room list shows")
            }
            Self::Reaction => f.write_str("a reaction is a word or an emoji of at most 64 bytes"),
            Self::Topic => f.write_str("a topic is at most 512 bytes of text"),
            Self::NotAllowed => {
                f.write_str("this takes a higher rank in the room: client room members shows who has it")
            }
            Self::NotThere => f.write_str("they are not in the room: client room members shows who is"),
            Self::Unchanged => f.write_str("it is so already"),
            Self::Barred => {
                f.write_str("you were put out of this room: somebody who stands high enough in it has to invite you")
            }
            Self::NameTaken => f.write_str("there is an open room of this name already: client room join enters it"),
            Self::NameStays => f.write_str("an open room keeps its name, by which everybody finds it"),
            Self::Crowd => f.write_str(
                "at most 256 devices come in by one step: begin with some of them, and invite the others after it",
            ),
            Self::WayIn => f.write_str("what the server gives does not lead into that room: tell its operator"),
            Self::Of(user, why) => write!(f, "{user}: {why}"),
        }
    }
}

/// One thing in a conversation, as its history has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where.
    pub conversation: ConversationId,
    /// What the conversation is.
    pub kind: Kind,
    /// What its people call it, if it is a room and this device still knows.
    pub room: Option<RoomName>,
    /// At which place of it.
    pub place: u64,
    /// When, by the relay's clock.
    pub at: Wall,
    /// Whose doing it is: proved, where it could be opened; otherwise as the relay has it.
    pub by: DeviceName,
    /// What.
    pub what: Said,
}

/// What stands in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// A message.
    Text {
        /// Its number.
        id: MessageId,
        /// When it was written, by its sender's clock.
        written: Wall,
        /// What.
        text: String,
        /// Whether its sender has seen the same before it as this device.
        order: Order,
    },
    /// This device is in from here on.
    Joined {
        /// With these, itself included.
        members: Vec<DeviceName>,
        /// Whether the relay had said so.
        declared: bool,
    },
    /// Devices have come or gone.
    Changed {
        /// Who is there now and was not.
        came: Vec<DeviceName>,
        /// Who was there and is no more.
        went: Vec<DeviceName>,
        /// Whether the relay had said so.
        declared: bool,
    },
    /// Something that can't be read, and why.
    Unreadable(Unreadable),
    /// A room is another than before, and devices may have come or gone with that.
    Altered {
        /// Who is there now and was not.
        came: Vec<DeviceName>,
        /// Who was there and is no more.
        went: Vec<DeviceName>,
        /// Whether the relay had said so.
        declared: bool,
        /// What is other.
        changes: Vec<RoomChange>,
    },
    /// What is more than a text: an answer, or something about another message.
    More {
        /// Its number.
        id: MessageId,
        /// When it was written, by its sender's clock.
        written: Wall,
        /// What; never [`Saying::Text`].
        saying: Saying,
        /// Whether its sender has seen the same before it as this device.
        order: Order,
    },
}

impl Said {
    /// Something that was said.
    pub(super) fn of(id: MessageId, written: Wall, saying: Saying, order: Order) -> Self {
        match saying {
            Saying::Text(text) => Self::Text { id, written, text, order },
            saying @ (Saying::Reply { .. } | Saying::Edit { .. } | Saying::Redact { .. } | Saying::React { .. }) => {
                Self::More { id, written, saying, order }
            }
        }
    }
}

/// One thing of a room that is other than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomChange {
    /// It is called this.
    Name(RoomName),
    /// It is about this.
    Topic(String),
    /// These may add people.
    Invites(Rank),
    /// Somebody is this in it.
    Rank(UserName, Rank),
    /// Somebody leaves it.
    Leaves(UserName),
}

/// A room, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomView {
    /// What its people call it.
    #[serde(rename = "room")]
    pub name: RoomName,
    /// What it is about.
    pub topic: String,
    /// Who may add people.
    pub invites: Rank,
    /// Who is in it.
    pub people: BTreeMap<UserName, Seated>,
}

/// Somebody who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seated {
    /// What they are in it.
    pub rank: Rank,
    /// By which devices they are in it.
    pub devices: Vec<DeviceLabel>,
}

/// Whether the sender of a message has seen the same before it as this device (design 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The same, up to where they had come.
    Same,
    /// Not the same: the relay has withheld something from one of the two, or shown it in another order.
    Other,
    /// That can't be compared any more: it was too long ago.
    Unknown,
}

/// Why something can't be read. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unreadable {
    /// It is not what its sender sealed, or was sealed with keys that this device does not have.
    Sealed = 1,
    /// Somebody is shown in it who is not to be believed.
    Unbelieved = 2,
    /// It was opened, and is nothing that this program knows: a newer program wrote it.
    Newer = 3,
    /// The time for which the relay keeps what was posted was over.
    Expired = 4,
    /// A Welcome that was not sealed for this device, or not into this conversation.
    Welcome = 5,
}

/// A row of what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// What is known of a conversation.
    Conversation(ConversationId),
    /// The secrets of its group. Overwritten in place, and nowhere kept twice.
    Group(ConversationId),
    /// Its tree.
    Tree(ConversationId),
    /// The secrets of a key package, by 16 bytes of its reference.
    Package([u8; 16]),
    /// A message that is not posted yet.
    Outgoing(MessageId),
    /// A certificate that was found good, by 16 bytes of its hash.
    Belief([u8; 16]),
}

/// What is to be kept, all or nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Rows that are other ones from now on, or no more. They hold secrets.
    pub rows: BTreeMap<Row, Option<Vec<u8>>>,
    /// What history has besides.
    pub entries: Vec<Entry>,
    /// Rooms that are seen otherwise from now on, with their names; nothing else of one in which this device is no more, or which
    /// it can't follow.
    pub rooms: BTreeMap<ConversationId, (RoomName, Option<RoomView>)>,
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<&Row> = self.rows.keys().collect();
        f.debug_struct("Keep")
            .field("rows", &rows)
            .field("entries", &self.entries.len())
            .field("rooms", &self.rooms.len())
            .finish()
    }
}
