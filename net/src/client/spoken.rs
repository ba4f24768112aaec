//! Decides how what stands in a conversation is told: as a line, as one JSON object, and what in it is a warning.
//!
//! A text of several lines is one message: its further lines are set in, so that none looks like somebody else's.

use std::collections::BTreeMap;
use std::fmt;

use countersign_core::device::conversations::{Entry, Order, Rank, RoomChange, Said, Saying, Unreadable};
use countersign_core::id::{DeviceName, MessageId, RoomName, UserName};
use countersign_core::time::Wall;
use countersign_core::wire::conversations::Kind;
use serde::Serialize;

use super::clean::clean;
use crate::store::conversations::{Fate, Line, State};

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
        /// The message that it answers.
        reply_to: Option<Quoted>,
        /// Whether somebody of another device or person names one in it, as `@alice`.
        mentioned: bool,
        /// Whether it says something else than at first.
        edited: bool,
        /// Whether it was taken back: then nothing is left of it.
        taken_back: bool,
        /// The signs at it, and whose each is.
        reactions: BTreeMap<String, Vec<UserName>>,
    },
    /// A message says something else from now on.
    Edit {
        /// Where this stands.
        #[serde(flatten)]
        place: Place,
        /// Who says so.
        from: DeviceName,
        /// Whether it is of a device of one's own.
        own: bool,
        /// Which message.
        of: Quoted,
        /// What.
        text: String,
        /// Whether it is theirs to change, and here.
        holds: bool,
        /// As of a message.
        order: &'static str,
    },
    /// A message was taken back.
    Redaction {
        /// Where this stands.
        #[serde(flatten)]
        place: Place,
        /// Who says so.
        from: DeviceName,
        /// Whether it is of a device of one's own.
        own: bool,
        /// Which message.
        of: Quoted,
        /// Whether it is theirs to take back, and here.
        holds: bool,
        /// As of a message.
        order: &'static str,
    },
    /// A sign at a message, or one that is there no more.
    Reaction {
        /// Where this stands.
        #[serde(flatten)]
        place: Place,
        /// Whose.
        from: DeviceName,
        /// Whether it is of a device of one's own.
        own: bool,
        /// At which message.
        to: Quoted,
        /// Which sign.
        with: String,
        /// Whether it was put there, or taken away.
        on: bool,
        /// As of a message.
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

/// Another message, as something is about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quoted {
    /// Its number.
    pub id: String,
    /// Who wrote it; nobody, if this device does not have it.
    pub from: Option<UserName>,
    /// What it says.
    pub text: String,
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
    /// What stands in the history of `own`.
    pub fn of(line: &Line, own: &UserName) -> Self {
        let Entry { conversation, kind, room, place, at, by, what } = &line.entry;
        let with = match kind {
            Kind::Direct(one, other) => Some(if one == own { other } else { one }.clone()),
            Kind::Room | Kind::Open(_) => None,
        };
        let place = Place { conversation: conversation.to_string(), with, room: room.clone(), place: *place, at: *at };
        let from = by.clone();
        match what {
            Said::Text { id, written, text, order } => {
                let saying = Saying::Text(text.clone());
                Self::said(place, from, Words { id: *id, written: *written, saying, order: *order }, &line.fate, own)
            }
            Said::More { id, written, saying, order } => {
                let words = Words { id: *id, written: *written, saying: saying.clone(), order: *order };
                Self::said(place, from, words, &line.fate, own)
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

    fn said(place: Place, from: DeviceName, words: Words, fate: &Fate, user: &UserName) -> Self {
        let Words { id, written, saying, order } = words;
        let order = match order {
            Order::Same => "same",
            Order::Other => "other",
            Order::Unknown => "unknown",
        };
        let own = from.user == *user;
        let holds = fate.about.as_ref().is_some_and(|about| about.holds);
        let quoted = |id: MessageId| {
            let about = fate.about.as_ref();
            let text = about.map(|about| about.text.clone()).unwrap_or_default();
            Quoted { id: id.to_string(), from: about.and_then(|about| about.user.clone()), text }
        };
        let (text, reply_to) = match saying {
            Saying::Text(text) => (text, None),
            Saying::Reply { to, text } => (text, Some(quoted(to))),
            Saying::Edit { of, text } => return Self::Edit { place, from, own, of: quoted(of), text, holds, order },
            Saying::Redact { of } => return Self::Redaction { place, from, own, of: quoted(of), holds, order },
            Saying::React { to, with, on } => {
                return Self::Reaction { place, from, own, to: quoted(to), with, on, order };
            }
        };
        let mentioned = !own && mentions(&text, user);
        let (edited, taken_back) = (fate.state == State::Edited, fate.state == State::TakenBack);
        let (id, reactions) = (id.to_string(), fate.reactions.clone());
        Self::Message { place, from, own, id, written, text, order, reply_to, mentioned, edited, taken_back, reactions }
    }

    /// What has to be said loudly besides.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Message { place, from, order: "other", .. }
            | Self::Edit { place, from, order: "other", .. }
            | Self::Redaction { place, from, order: "other", .. }
            | Self::Reaction { place, from, order: "other", .. } => Some(format!(
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
            | Self::Edit { .. }
            | Self::Redaction { .. }
            | Self::Reaction { .. }
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
            Self::Message { from, .. } => format!("{at} [{from}] {}", self.words()),
            Self::Edit { .. }
            | Self::Redaction { .. }
            | Self::Reaction { .. }
            | Self::Joined { .. }
            | Self::Members { .. }
            | Self::Room { .. }
            | Self::Unreadable { .. } => format!("{at} {self}"),
        }
    }

    /// The number of a message, by which others are about it.
    pub fn id(&self) -> Option<&str> {
        if let Self::Message { id, .. } = self { Some(id) } else { None }
    }

    /// What somebody says, without where and who.
    fn words(&self) -> String {
        match self {
            Self::Message { taken_back: true, .. } => "(taken back)".to_owned(),
            Self::Message { text, reply_to, edited, reactions, .. } => {
                let to = reply_to.as_ref().map_or_else(String::new, |quoted| format!("(to {}) ", quoted.shown()));
                let edited = if *edited { " (edited)" } else { "" };
                let signs: Vec<String> =
                    reactions.iter().map(|(sign, users)| format!("{} {}", clean(sign), people(users))).collect();
                let signs = if signs.is_empty() { String::new() } else { format!(" ({})", signs.join("; ")) };
                format!("{to}{}{edited}{signs}", set_in(text))
            }
            Self::Edit { holds: false, .. } | Self::Redaction { holds: false, .. } => {
                "would change what is not theirs, or not here: nothing comes of it".to_owned()
            }
            Self::Edit { text, .. } => format!("(edited) {}", set_in(text)),
            Self::Redaction { .. } => "has taken a message back".to_owned(),
            Self::Reaction { to, with, on: true, .. } => format!("{} to {}", clean(with), to.shown()),
            Self::Reaction { to, with, on: false, .. } => format!("no more {} to {}", clean(with), to.shown()),
            Self::Joined { .. } | Self::Members { .. } | Self::Room { .. } | Self::Unreadable { .. } => String::new(),
        }
    }

    fn place(&self) -> &Place {
        match self {
            Self::Message { place, .. }
            | Self::Edit { place, .. }
            | Self::Redaction { place, .. }
            | Self::Reaction { place, .. }
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
            Self::Message { place, from, own, .. }
            | Self::Edit { place, from, own, .. }
            | Self::Redaction { place, from, own, .. }
            | Self::Reaction { place, from, own, .. } => {
                write!(f, "[{from}")?;
                match &place.with {
                    Some(with) if *own => write!(f, " to {with}")?,
                    Some(_) => {}
                    None => write!(f, " in {place}")?,
                }
                write!(f, "] {}", self.words())
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

/// What was said, whatever its form.
struct Words {
    id: MessageId,
    written: Wall,
    saying: Saying,
    order: Order,
}

/// Of a message that another is about so much is shown.
const QUOTED_CHARS_MAX: usize = 40;

impl Quoted {
    /// As a line has it: whose, and the beginning of it.
    fn shown(&self) -> String {
        let Some(from) = &self.from else { return "a message that is not here".to_owned() };
        let line = clean(self.text.lines().next().unwrap_or_default());
        let mut start: String = line.chars().take(QUOTED_CHARS_MAX).collect();
        if start.len() < self.text.len() {
            start.push('…');
        }
        format!("{from}: \"{start}\"")
    }
}

/// Whether a text names somebody, as `@alice`: not within another word.
fn mentions(text: &str, user: &UserName) -> bool {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let mut parts = text.split('@');
    let mut before = parts.next().unwrap_or_default();
    parts.any(|part| {
        let begins = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        before = part;
        let rest = part.strip_prefix(user.as_str());
        begins && rest.is_some_and(|rest| rest.chars().next().is_none_or(|c| !is_name(c)))
    })
}

fn people(users: &[UserName]) -> String {
    users.iter().map(UserName::as_str).collect::<Vec<_>>().join(", ")
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
pub fn rank_word(rank: Rank) -> &'static str {
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
