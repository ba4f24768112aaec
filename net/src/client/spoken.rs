//! Decides how what stands in a conversation is told: as a line, as one JSON object, and what in it is a warning.
//!
//! A text of several lines is one message: its further lines are set in, so that none looks like somebody else's.

use std::fmt;

use countersign_core::device::conversations::{Entry, Order, Rank, RoomChange, Said, Unreadable};
use countersign_core::id::{DeviceName, RoomName, UserName};
use countersign_core::time::Wall;
use countersign_core::wire::conversations::Kind;
use serde::Serialize;

use super::clean::clean;

/// What further lines of a message begin with.
const SET_IN: &str = "\n    ";

/// Something that stands in a conversation. Its JSON form is what `--json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Spoken {
    /// A message.
    Message {
        /// Where it stands.
        #[serde(flatten)]
        place: Place,
        /// Whose.
        from: DeviceName,
        /// Whether it is of a device of one's own.
        own: bool,
        /// Its number.
        id: String,
        /// When it was written, by its sender's clock.
        written: Wall,
        /// What.
        text: String,
        /// Whether its sender has seen the same before it: `same`, `other`, or `unknown`.
        order: &'static str,
    },
    /// This device is in from here on.
    Joined {
        /// Where it stands.
        #[serde(flatten)]
        place: Place,
        /// With these.
        members: Vec<DeviceName>,
        /// Whether the server had said so.
        declared: bool,
    },
    /// Devices have come or gone.
    Members {
        /// Where it stands.
        #[serde(flatten)]
        place: Place,
        /// Whose doing it is.
        from: DeviceName,
        /// Who came.
        came: Vec<DeviceName>,
        /// Who is gone.
        went: Vec<DeviceName>,
        /// Whether the server had said so.
        declared: bool,
    },
    /// A room is another than before.
    Room {
        /// Where it stands.
        #[serde(flatten)]
        place: Place,
        /// Whose doing it is.
        from: DeviceName,
        /// What is other.
        changes: Vec<RoomChange>,
        /// Who came.
        came: Vec<DeviceName>,
        /// Who is gone.
        went: Vec<DeviceName>,
        /// Whether the server had said so.
        declared: bool,
    },
    /// Something that can't be read.
    Unreadable {
        /// Where it stands.
        #[serde(flatten)]
        place: Place,
        /// Whose it is, as the server has it.
        from: DeviceName,
        /// Why, as a number.
        code: u8,
        /// Why.
        reason: &'static str,
    },
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// In which conversation.
    pub conversation: String,
    /// Whose conversation it is besides one's own; nobody's, if it is a room.
    pub with: Option<UserName>,
    /// What its people call it, if it is a room.
    pub room: Option<RoomName>,
    /// At which place of it.
    pub place: u64,
    /// When, by the server's clock.
    pub at: Wall,
}

impl Spoken {
    /// An entry of the history of `own`.
    pub fn of(entry: &Entry, own: &UserName) -> Self {
        let Entry { conversation, kind, room, place, at, by, what } = entry;
        let with = match kind {
            Kind::Direct(one, other) => Some(if one == own { other } else { one }.clone()),
            Kind::Room => None,
        };
        let place = Place { conversation: conversation.to_string(), with, room: room.clone(), place: *place, at: *at };
        let from = by.clone();
        match what {
            Said::Text { id, written, text, order } => {
                let order = match order {
                    Order::Same => "same",
                    Order::Other => "other",
                    Order::Unknown => "unknown",
                };
                let (own, id, written, text) = (by.user == *own, id.to_string(), *written, text.clone());
                Self::Message { place, from, own, id, written, text, order }
            }
            Said::Joined { members, declared } => Self::Joined { place, members: members.clone(), declared: *declared },
            Said::Changed { came, went, declared } => {
                Self::Members { place, from, came: came.clone(), went: went.clone(), declared: *declared }
            }
            Said::Altered { came, went, declared, changes } => {
                let (changes, came, went) = (changes.clone(), came.clone(), went.clone());
                Self::Room { place, from, changes, came, went, declared: *declared }
            }
            Said::Unreadable(why) => Self::Unreadable { place, from, code: *why as u8, reason: reason(*why) },
        }
    }

    /// What has to be said loudly besides.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Message { place, from, order: "other", .. } => Some(format!(
                "WARNING: {from} has not seen the same as this device before the message at place {} of {place}: the server has \
                 kept something from one of you, or shown it in another order; compare by another way what you have",
                place.place
            )),
            Self::Joined { place, declared: false, .. }
            | Self::Members { place, declared: false, .. }
            | Self::Room { place, declared: false, .. } => Some(format!(
                "WARNING: who is in {place} is not who the server says (place {}): tell the others, and ask the operator",
                place.place
            )),
            Self::Message { .. }
            | Self::Joined { .. }
            | Self::Members { .. }
            | Self::Room { .. }
            | Self::Unreadable { .. } => None,
        }
    }

    /// Its line in a history, where it goes without saying which conversation it is.
    pub fn in_history(&self) -> String {
        let at = self.place().at;
        match self {
            Self::Message { from, text, .. } => format!("{at} [{from}] {}", set_in(text)),
            Self::Joined { .. } | Self::Members { .. } | Self::Room { .. } | Self::Unreadable { .. } => {
                format!("{at} {self}")
            }
        }
    }

    fn place(&self) -> &Place {
        match self {
            Self::Message { place, .. }
            | Self::Joined { place, .. }
            | Self::Members { place, .. }
            | Self::Room { place, .. }
            | Self::Unreadable { place, .. } => place,
        }
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { place, from, own, text, .. } => {
                write!(f, "[{from}")?;
                match &place.with {
                    Some(with) if *own => write!(f, " to {with}")?,
                    Some(_) => {}
                    None => write!(f, " in {place}")?,
                }
                write!(f, "] {}", set_in(text))
            }
            Self::Joined { place, members, .. } => write!(f, "in {place} are now {}", names(members)),
            Self::Members { place, came, went, .. } => {
                write!(f, "in {place}{}", moved(came, went).unwrap_or_else(|| " nothing has changed".to_owned()))
            }
            Self::Room { place, from, changes, came, went, .. } => {
                let changes: Vec<String> = changes.iter().map(change).collect();
                write!(f, "in {place} {from} has changed: {}", changes.join("; "))?;
                moved(came, went).map_or(Ok(()), |moved| write!(f, "; there{moved}"))
            }
            Self::Unreadable { place, from, code, reason } => write!(
                f,
                "something of {from} at place {} of {place} can't be read: {reason} (code {code})",
                place.place
            ),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.with {
            Some(with) => write!(f, "the conversation with {with}"),
            None => match &self.room {
                Some(room) => write!(f, "#{room}"),
                None => write!(f, "room {}", self.conversation.get(..8).unwrap_or_default()),
            },
        }
    }
}

/// Who has come and gone.
fn moved(came: &[DeviceName], went: &[DeviceName]) -> Option<String> {
    match (came, went) {
        ([], []) => None,
        ([], went) => Some(format!(" is no more: {}", names(went))),
        (came, []) => Some(format!(" is now also: {}", names(came))),
        (came, went) => Some(format!(" is now also: {}; and no more: {}", names(came), names(went))),
    }
}

fn change(change: &RoomChange) -> String {
    match change {
        RoomChange::Name(name) => format!("it is called #{name} now"),
        RoomChange::Topic(topic) if topic.is_empty() => "it has no topic any more".to_owned(),
        RoomChange::Topic(topic) => format!("it is about \"{}\"", clean(topic)),
        RoomChange::Invites(Rank::Member) => "everybody in it may invite".to_owned(),
        RoomChange::Invites(rank) => format!("{} may invite", rank_words(*rank)),
        RoomChange::Rank(user, rank) => format!("{user} is {} now", rank_word(*rank)),
        RoomChange::Leaves(user) => format!("{user} leaves"),
    }
}

/// Somebody of this rank.
fn rank_word(rank: Rank) -> &'static str {
    match rank {
        Rank::Member => "a member",
        Rank::Moderator => "a moderator",
        Rank::Owner => "an owner",
    }
}

/// Those of this rank and above.
fn rank_words(rank: Rank) -> &'static str {
    match rank {
        Rank::Member => "members",
        Rank::Moderator => "moderators and owners",
        Rank::Owner => "owners",
    }
}

fn reason(why: Unreadable) -> &'static str {
    match why {
        Unreadable::Sealed => "it is not what was sealed for this device, or its keys are gone",
        Unreadable::Unbelieved => "somebody is shown in it who is not to be believed",
        Unreadable::Newer => "a newer program wrote it: update this one",
        Unreadable::Expired => "the time is over for which the server keeps what nobody comes for",
        Unreadable::Welcome => "this device was to be added, by what was not sealed for it",
    }
}

/// A text as it is shown to people.
fn set_in(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    lines.join(SET_IN)
}

fn names(devices: &[DeviceName]) -> String {
    devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
