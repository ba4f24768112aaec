//! What must have happened of conversations, and what can't.

use super::Family;

/// The families of conversations.
pub(super) fn families() -> Vec<Family> {
    vec![
        // That somebody is another one than before, in a conversation, comes up once in hundreds of runs: whom the operator has let in
        // again enters none by themselves.
        Family::some("conversation", &["sent", "not sent", "something stands", "met", "caught up", "open rooms"]),
        Family::some("not sent", &NOT_SENT),
        Family::some("history", &["altered", "changed", "joined", "text", "unreadable"]),
        Family::some("order", &["Same"]),
        Family::some("room", &ROOM),
        Family::some("unreadable", &[]),
        // Where the server was restored from a backup, which has no bodies.
        Family::free("body"),
    ]
}

/// Why something is not sent, or not done: what is rarer comes up once in hundreds of runs.
const NOT_SENT: [&str; 10] = [
    "Ambiguous",
    "Length",
    "NameStays",
    "NameTaken",
    "NoRoom",
    "Nobody",
    "NotAllowed",
    "NotThere",
    "Refused",
    "Unchanged",
];

/// What is wished of rooms, and what stands in them.
const ROOM: [&str; 29] = [
    "change: leaves",
    "change: name",
    "change: rank",
    "change: topic",
    "change: who may invite",
    "closed room: altered",
    "closed room: changed",
    "closed room: joined",
    "closed room: text",
    "lobby: joined",
    "lobby: somebody came by themselves",
    "lobby: text",
    "open room: altered",
    "open room: changed",
    "open room: joined",
    "open room: somebody came by themselves",
    "open room: text",
    "wish: begin a closed one",
    "wish: begin an open one",
    "wish: enter",
    "wish: enter the lobby",
    "wish: invite",
    "wish: kick",
    "wish: leave",
    "wish: list",
    "wish: name",
    "wish: rank",
    "wish: topic",
    "wish: who may invite",
];

/// A code that no run comes to.
pub(super) const CONVERSATION_FULL: (&str, &str) = (
    "CONVERSATION_FULL",
    "a conversation has room for 1,024 devices, and a device a seat in as many; core's own tests fill both",
);

/// Another one.
pub(super) const POSTED_FULL: (&str, &str) = (
    "POSTED_FULL",
    "20,000 messages stand in a conversation, and a million in all; core's own tests pretend that they do",
);
