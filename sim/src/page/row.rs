//! What a page shows of one event: a row, with what it says, where, and of which class.

use super::stream::Way;

/// A column: a device by its number, or one of those after them.
pub type Column = usize;

/// What kind of thing a row is, which can be shown or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Part of the run: the storm, the calm. Across all columns.
    Phase,
    /// An oracle objects. Across all columns.
    Objection,
    /// Something goes wrong: the network, a crash, a program that is killed.
    Fault,
    /// What a person does.
    Person,
    /// What a device tells its person.
    Told,
    /// What the relay and its operator do.
    Relay,
    /// What the disk does.
    Disk,
    /// How connections begin and end.
    Link,
    /// A machine is woken.
    Timer,
    /// Bytes that arrive and complete nothing yet.
    Bytes,
    /// A TLS handshake, or an alert.
    Handshake,
    /// A message.
    Message,
    /// A message that keeps the others going: signs of life, confirmations, credit.
    Routine,
    /// Bytes that never arrive.
    Lost,
}

impl Class {
    /// All, in the order of their numbers on the page: the name, what it is, and whether it is shown at first.
    pub const ALL: [(Self, &'static str, &'static str, bool); 14] = [
        (Self::Phase, "phase", "parts of the run", true),
        (Self::Objection, "objection", "an oracle objects", true),
        (Self::Fault, "fault", "faults, crashes, kills", true),
        (Self::Person, "person", "what people do", true),
        (Self::Told, "told", "what people are told", true),
        (Self::Relay, "relay", "the relay and its operator", true),
        (Self::Disk, "disk", "the disk", false),
        (Self::Link, "link", "connections", true),
        (Self::Timer, "timer", "timers", false),
        (Self::Bytes, "bytes", "parts of records", false),
        (Self::Handshake, "handshake", "TLS handshakes, alerts", true),
        (Self::Message, "message", "messages", true),
        (Self::Routine, "routine", "signs of life, credit", false),
        (Self::Lost, "lost", "bytes that never arrive", true),
    ];

    /// Its number on the page.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|(class, ..)| *class == self).unwrap_or(0)
    }
}

/// One row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The step that it belongs to.
    pub step: u64,
    /// When, in microseconds of the world.
    pub at_us: u64,
    /// What it is.
    pub class: Class,
    /// The event's name in the hash.
    pub kind: &'static str,
    /// Where; nowhere in particular, if it is across all columns.
    pub place: Option<Place>,
    /// In a few words.
    pub label: String,
    /// In full; nothing, if the label says it all.
    pub detail: String,
}

/// Where on the page a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In one column.
    At(Column),
    /// Between two columns, where neither sends.
    Between(Column, Column),
    /// An arrow.
    Arrow {
        /// From whom.
        from: Column,
        /// To whom.
        to: Column,
        /// When it left, in microseconds of the world.
        sent_us: u64,
        /// By what way, which is its colour.
        way: Way,
    },
}

/// From when to when something runs in a column, in microseconds of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where.
    pub column: Column,
    /// From when.
    pub from_us: u64,
    /// Until when; until the end, if nobody knows of one.
    pub until_us: Option<u64>,
}
