//! Decides what two programs of one device say to each other: one JSON object a line.
//!
//! ```text
//! <- Hello             which program it is that takes part
//! -> Send | Say | Run  a text, another message, or something to be done with a room
//! <- Taken             the message is kept: whatever happens now, it goes out
//! <- Sent | NotSent    what came of it
//! <- Closing           in place of all that: nothing was taken, and this program is about to end
//! ```

use countersign_core::device::Command;
use countersign_core::device::conversations::{Entry, RoomErrand, Said, Saying, Target};
use countersign_core::id::SendId;
use countersign_core::time::Wall;
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
    /// Nothing was taken, and nothing is any more.
    Closing,
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
    use countersign_core::id::{RoomName, UserName};
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
        let sent = Sent { conversation: "c".into(), place: 2, at: Wall(3), id: "d".into() };
        for (reply, expected) in [
            (Reply::Hello { program: Holder::Listen }, r#"{"answer":"hello","program":"listen"}"#),
            (Reply::Hello { program: Holder::Send }, r#"{"answer":"hello","program":"send"}"#),
            (Reply::Taken, r#"{"answer":"taken"}"#),
            (Reply::Sent(sent), r#"{"answer":"sent","conversation":"c","place":2,"at":3,"id":"d"}"#),
            (Reply::not_sent(Failure::refused("no")), r#"{"answer":"not_sent","exit":3,"sentence":"no"}"#),
            (Reply::Closing, r#"{"answer":"closing"}"#),
        ] {
            assert_eq!(text(reply.to_line()), format!("{expected}\n"));
            assert_eq!(serde_json::from_str::<Reply>(expected).unwrap(), reply);
        }
        let codes = (0..=5).map(|code| failure(code, String::new()).exit.number());
        assert_eq!(codes.collect::<Vec<_>>(), [1, 1, 2, 3, 4, 1]);
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
