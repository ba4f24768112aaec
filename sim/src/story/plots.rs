//! What villains bring about beyond what is seen of their connections: as data, in words, and by a name for counting.

use countersign_core::id::{ConnId, DeviceName, UserName};
use countersign_core::tlog::Head;
use countersign_core::wire::Code;

use crate::actors::villains::Guise;

/// One thing that came of a villain's doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plot {
    /// The server keeps more than one log, and this is a head of the one of that number; 0 is the genuine one.
    Head(u64, Head),
    /// A device's program does not start, since the proof lies there that the server keeps two logs.
    HeldBack(usize),
    /// A thief has a certificate, as this device.
    BrokenIn(Guise, DeviceName),
    /// Somebody has a copy of this device's folder.
    Copied(DeviceName),
    /// A copy is present as this device, by this connection.
    Present(ConnId, DeviceName),
    /// Somebody plays this device, which the CA has grown: takes a call, or else makes one.
    Played(DeviceName, bool),
    /// Somebody tries a password at this name, on this connection, from the address of this number.
    Guess(ConnId, UserName, u8),
    /// A member is refused something.
    Refused(Code),
    /// They are refused, by this code, or else they have a certificate.
    Guessed(ConnId, UserName, Option<Code>),
}

impl Plot {
    /// What is counted, if it is.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            // A guess is counted as a visit.
            Self::Head(..) | Self::Guess(..) | Self::Refused(_) => None,
            Self::HeldBack(_) => Some("a device that keeps the proof does not start"),
            Self::BrokenIn(..) => Some("a thief has got in"),
            Self::Copied(_) => Some("a device was copied"),
            Self::Present(..) => Some("a copy was present"),
            Self::Played(_, true) => Some("a grown device took a call"),
            Self::Played(_, false) => Some("a grown device made a call"),
            Self::Guessed(_, _, Some(Code::PASSWORD_WRONG)) => Some("a guess was wrong"),
            Self::Guessed(_, _, Some(Code::TRIES_TOO_MANY)) => Some("a guess had to wait"),
            Self::Guessed(_, _, Some(Code::BUSY)) => Some("a guess was one too many for the server"),
            Self::Guessed(_, _, Some(_)) => Some("a guess was refused for another reason"),
            Self::Guessed(_, _, None) => Some("a guess took a name that was nobody's"),
        }
    }

    /// Who does what, for people; nothing where there is too much of it.
    pub fn words(&self) -> Option<(String, String)> {
        match self {
            Self::Head(..) => None,
            Self::Refused(code) => Some(("villain".to_owned(), format!("is refused something: {code}"))),
            Self::HeldBack(device) => {
                Some((format!("device {device}"), "does not start: it has the proof of two logs".to_owned()))
            }
            Self::BrokenIn(guise, name) => Some((guise.to_string(), format!("has a certificate as {name}"))),
            Self::Copied(name) => Some((Guise::Copy.to_string(), format!("has all that {name} has"))),
            Self::Present(conn, name) => {
                Some((Guise::Copy.to_string(), format!("is present as {name} on connection {conn}")))
            }
            Self::Guess(conn, user, source) => {
                let what = format!("tries a password of {user} from address {source} on connection {conn}");
                Some((Guise::PasswordGuesser.to_string(), what))
            }
            Self::Guessed(_, user, Some(code)) => {
                Some((Guise::PasswordGuesser.to_string(), format!("is not let in as {user}: {code}")))
            }
            Self::Guessed(_, user, None) => {
                Some((Guise::PasswordGuesser.to_string(), format!("has a certificate as {user}")))
            }
            Self::Played(name, takes) => {
                Some(("relay".to_owned(), format!("{} a call as {name}", if *takes { "takes" } else { "makes" })))
            }
        }
    }
}
