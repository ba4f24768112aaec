//! Decides what two programs of one device say to each other: one JSON object a line.
//!
//! ```text
//! <- Hello                        which program it is that takes part
//! -> Send | Say | Run | Await     a text, another message, something to be done with a room, or to know when others have it
//! <- Taken                        the message is kept: whatever happens now, it goes out
//! <- Sent | NotSent               what came of it
//! <- Rooms ... | Delivered        the same, where that was asked: open rooms, up to the line that says that these are all
//! <- Closing                      in place of all that: nothing was taken, and this program is about to end
//! ```

use countersign_core::device::Command;
use countersign_core::device::conversations::{Entry, RoomErrand, Said, Saying, Target};
use countersign_core::id::{ConversationId, RoomName, SendId};
use countersign_core::time::Wall;
use countersign_core::wire::conversations::OpenRoom;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};

/// Which program takes part in a device's conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// `client listen`: it stays.
    Listen,
    /// `client send` or `client room`: it will have gone soon.
    Send,
}

/// What another program wishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A message.
    Send {
        /// For whom.
        to: Target,
        /// What.
        text: String,
    },
    /// A message that is more than a text.
    Say {
        /// For whom.
        to: Target,
        /// What.
        saying: Saying,
    },
    /// Something to be done with a room.
    Run {
        /// What.
        errand: RoomErrand,
    },
    /// To know when what stands at a place has come to a device of each of the others.
    Await {
        /// Where.
        #[serde(with = "digits")]
        conversation: ConversationId,
        /// At which place.
        place: u64,
    },
}

/// A conversation's number as it is shown.
mod digits {
    use countersign_core::id::ConversationId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &ConversationId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<ConversationId, D::Error> {
        let text = String::deserialize(from)?;
        ConversationId::parse(&text).ok_or_else(|| D::Error::custom("no conversation's number"))
    }
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Reply {
    /// Said to whoever comes.
    Hello {
        /// Which program this is.
        program: Holder,
    },
    /// The message is kept.
    Taken,
    /// It is durable at the relay.
    Sent(Sent),
    /// It is not sent, or not yet.
    NotSent {
        /// The exit code that the other program ends with.
        exit: u8,
        /// What it says.
        sentence: String,
    },
    /// What was waited for has come to a device of each of the others.
    Delivered,
    /// Nothing was taken, and nothing is any more.
    Closing,
    /// Open rooms, in order of name.
    Rooms {
        /// At most 32.
        rooms: Vec<Listed>,
        /// Whether there are more, which come next.
        more: bool,
    },
}

/// So many rooms fit a line.
const ROOMS_PER_LINE: usize = 32;

/// An open room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub room: RoomName,
    /// How many devices are in it.
    pub devices: u32,
    /// Its number.
    pub conversation: String,
}

impl From<&OpenRoom> for Listed {
    fn from(room: &OpenRoom) -> Self {
        let OpenRoom { name, conversation, devices } = room;
        Self { room: name.clone(), devices: *devices, conversation: conversation.to_string() }
    }
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was posted.
    Sent(Sent),
    /// These are the open rooms.
    Rooms(Vec<Listed>),
    /// The others have it.
    Delivered,
}

/// What was sent, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// In which conversation.
    pub conversation: String,
    /// At which place of it.
    pub place: u64,
    /// When, by the relay's clock.
    pub at: Wall,
    /// The message's number; nothing if it is none.
    pub id: String,
}

impl Sent {
    /// A message of this device's, as it stands in its conversation.
    pub fn of(entry: &Entry) -> Self {
        let id = match &entry.what {
            Said::Text { id, .. } | Said::More { id, .. } => id.to_string(),
            Said::Joined { .. } | Said::Changed { .. } | Said::Altered { .. } | Said::Unreadable(_) => String::new(),
        };
        Self { conversation: entry.conversation.to_string(), place: entry.place, at: entry.at, id }
    }
}

impl Reply {
    /// A message that is not sent.
    pub fn not_sent(failure: Failure) -> Self {
        Self::NotSent { exit: failure.exit.number(), sentence: failure.sentence }
    }

    /// Open rooms, in as many lines as they take; the last says whether there are more.
    pub fn rooms(rooms: &[OpenRoom], more: bool) -> Vec<Self> {
        let listed: Vec<Listed> = rooms.iter().map(Listed::from).collect();
        let chunks = listed.chunks(ROOMS_PER_LINE).map(<[Listed]>::to_vec);
        let mut lines: Vec<Self> = chunks.map(|rooms| Self::Rooms { rooms, more: true }).collect();
        match lines.last_mut() {
            Some(Self::Rooms { more: last, .. }) => *last = more,
            _ => lines.push(Self::Rooms { rooms: Vec::new(), more }),
        }
        lines
    }

    /// Its line.
    pub fn to_line(&self) -> Vec<u8> {
        line(self)
    }
}

impl Request {
    /// As the device's machine is told.
    pub fn command(self, send: SendId) -> Command {
        match self {
            Self::Send { to, text } => Command::Send(send, to, text.into()),
            Self::Say { to, saying } => Command::Send(send, to, saying),
            Self::Run { errand } => Command::Run(send, errand),
            Self::Await { conversation, place } => Command::Await(send, conversation, place),
        }
    }

    /// What whoever is left without an answer is told of it.
    pub fn rest(&self) -> &'static str {
        match self {
            Self::Send { .. } | Self::Say { .. } => KEPT,
            Self::Run { errand: RoomErrand::List } => "try again",
            Self::Run { .. } => UNKEPT,
            Self::Await { .. } => "the message was sent, and waits at the server for whoever has not come for it",
        }
    }

    /// What is said where nothing has come of it in time.
    pub fn late(&self, endpoint: &str) -> String {
        match self {
            Self::Send { .. } | Self::Say { .. } | Self::Run { .. } => {
                format!("the server at {endpoint} did not post it in time")
            }
            Self::Await { .. } => "not everybody has it yet".to_owned(),
        }
    }

    /// Whether it is kept from when it was taken until it is done.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::Say { .. })
    }

    /// Its line.
    pub fn to_line(&self) -> Vec<u8> {
        line(self)
    }
}

/// What whoever is left is told of a message that was taken.
pub const KEPT: &str = "the message is kept, and goes out at the next contact with the server";
/// What whoever is left is told of anything else.
pub const UNKEPT: &str =
    "what was wished of the room is not kept: client history shows whether it was done; if not, try again";

/// How the other program ends that was told so.
pub fn failure(exit: u8, sentence: String) -> Failure {
    let all = [Exit::Failed, Exit::Usage, Exit::Refused, Exit::Unreachable];
    let exit = all.into_iter().find(|one| one.number() == exit).unwrap_or(Exit::Failed);
    Failure { exit, sentence }
}

fn line(said: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(said).expect("what is said here is plain data");
    line.push(b'\n');
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use countersign_core::device::conversations::Alteration;
    use countersign_core::id::UserName;
    use countersign_core::limits::{LOCAL_REPLY_BYTES_MAX, LOCAL_REQUEST_BYTES_MAX, TEXT_BYTES_MAX};

    use super::*;

    #[test]
    fn what_is_said_is_what_programs_of_other_versions_know() {
        let text = |said: Vec<u8>| String::from_utf8(said).unwrap();
        let target = |text: &str| Target::parse(text).unwrap();
        let wish = Request::Send { to: target("bob"), text: "a\nb".into() };
        assert_eq!(text(wish.to_line()), "{\"wish\":\"send\",\"to\":\"bob\",\"text\":\"a\\nb\"}\n");
        let wish = Request::Send { to: target("room:tea"), text: "a".into() };
        assert_eq!(text(wish.to_line()), "{\"wish\":\"send\",\"to\":\"#tea\",\"text\":\"a\"}\n");
        let (room, bob) = (RoomName::parse("tea").unwrap(), UserName::parse("bob").unwrap());
        let invite = RoomErrand::Change(room, Alteration::Invite([bob].into()));
        let expected = r#"{"wish":"run","errand":{"change":["tea",{"invite":["bob"]}]}}"#;
        assert_eq!(text(Request::Run { errand: invite }.to_line()), format!("{expected}\n"));
        let wish = Request::Await { conversation: ConversationId([0xab; 16]), place: 7 };
        let expected = format!(r#"{{"wish":"await","conversation":"{}","place":7}}"#, "ab".repeat(16));
        assert_eq!(text(wish.to_line()), format!("{expected}\n"));
        assert_eq!(serde_json::from_str::<Request>(&expected).unwrap(), wish);
        assert!(serde_json::from_str::<Request>(r#"{"wish":"await","conversation":"ab","place":7}"#).is_err());
        let sent = Sent { conversation: "c".into(), place: 2, at: Wall(3), id: "d".into() };
        for (reply, expected) in [
            (Reply::Hello { program: Holder::Listen }, r#"{"answer":"hello","program":"listen"}"#),
            (Reply::Hello { program: Holder::Send }, r#"{"answer":"hello","program":"send"}"#),
            (Reply::Taken, r#"{"answer":"taken"}"#),
            (Reply::Sent(sent), r#"{"answer":"sent","conversation":"c","place":2,"at":3,"id":"d"}"#),
            (Reply::not_sent(Failure::refused("no")), r#"{"answer":"not_sent","exit":3,"sentence":"no"}"#),
            (Reply::Closing, r#"{"answer":"closing"}"#),
            (Reply::Delivered, r#"{"answer":"delivered"}"#),
            (Reply::Rooms { rooms: vec![], more: false }, r#"{"answer":"rooms","rooms":[],"more":false}"#),
        ] {
            assert_eq!(text(reply.to_line()), format!("{expected}\n"));
            assert_eq!(serde_json::from_str::<Reply>(expected).unwrap(), reply);
        }
        let codes = (0..=5).map(|code| failure(code, String::new()).exit.number());
        assert_eq!(codes.collect::<Vec<_>>(), [1, 1, 2, 3, 4, 1]);
    }

    #[test]
    fn open_rooms_are_told_in_lines_that_fit_and_the_last_says_that_these_are_all() {
        let room = |n: usize| {
            let name = RoomName::parse(&format!("{n:0>32}")).unwrap();
            OpenRoom { name, conversation: ConversationId([7; 16]), devices: u32::MAX }
        };
        for count in [0, 1, ROOMS_PER_LINE, ROOMS_PER_LINE + 1, 256] {
            let rooms: Vec<OpenRoom> = (0..count).map(room).collect();
            for more in [false, true] {
                let lines = Reply::rooms(&rooms, more);
                let mut told = Vec::new();
                for (n, line) in lines.iter().enumerate() {
                    assert!(line.to_line().len() <= LOCAL_REPLY_BYTES_MAX);
                    let Reply::Rooms { rooms, more: goes_on } = line else { panic!("{line:?}") };
                    assert_eq!(*goes_on, more || n + 1 < lines.len());
                    told.extend_from_slice(rooms);
                }
                assert_eq!(told, rooms.iter().map(Listed::from).collect::<Vec<_>>());
            }
        }
        assert!(serde_json::to_string(&Listed::from(&room(1))).unwrap().contains("\"devices\":4294967295"));
    }

    #[test]
    fn the_longest_text_fits_a_line_whatever_is_in_it() {
        let to = Target::parse(&format!("#{}", "b".repeat(32))).unwrap();
        let longest = Request::Send { to, text: "\u{1}".repeat(TEXT_BYTES_MAX) }.to_line();
        assert!(longest.len() <= LOCAL_REQUEST_BYTES_MAX && longest.len() > 6 * TEXT_BYTES_MAX);
        let sentence = "s".repeat(2000);
        assert!(Reply::not_sent(Failure::failed(sentence)).to_line().len() <= LOCAL_REPLY_BYTES_MAX);
    }
}
