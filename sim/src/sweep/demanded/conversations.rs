//! What must have happened of conversations, and what can't.

use super::Family;

/// The families of conversations.
pub(super) fn families() -> Vec<Family> {
    vec![
        // That somebody is another one than before, in a conversation, comes up once in hundreds of runs: whom the operator has let in
        // again enters none by themselves.
        Family::some("conversation", &["sent", "not sent", "something stands", "met", "caught up"]),
        Family::some("not sent", &["Length", "Nobody", "Refused"]),
        Family::some("history", &["changed", "joined", "text", "unreadable"]),
        Family::some("order", &["Same"]),
        Family::free("room"),
        Family::some("unreadable", &[]),
        // Where the server was restored from a backup, which has no bodies.
        Family::free("body"),
    ]
}

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
