//! What happens in conversations, in words: texts by their beginning, which says whose and which they are.

use countersign_core::device::conversations::{ConversationEvent, Entry, Keep, Said};

use super::list;
use crate::story::kinds::conversations as kinds;

/// How many letters of a text are shown: its number, and its mark.
const SHOWN_CHARS: usize = 48;
/// How many letters of a conversation's number are.
const ID_CHARS: usize = 6;

/// What somebody is told.
pub(super) fn told(event: &ConversationEvent) -> String {
    match event {
        ConversationEvent::Sent(send, entry) => format!("hears that text {} is posted: {}", send.0, stands(entry)),
        ConversationEvent::NotSent(send, why) => format!("hears that text {} is not sent: {why}", send.0),
        ConversationEvent::GivenUp(to, _, why) => {
            format!("hears that what was written to {to} before is not sent: {why}")
        }
        ConversationEvent::Entry(entry) => format!("hears that {}", stands(entry)),
        ConversationEvent::Met(user, _) => format!("meets {user} in a conversation"),
        ConversationEvent::Changed(user, _) => format!("finds {user} to be somebody else in a conversation"),
        ConversationEvent::Delivered(send) => format!("hears that text {} has come to everybody", send.0),
        ConversationEvent::OpenRooms(_, rooms, _) => format!("hears of {} open rooms", rooms.len()),
        ConversationEvent::CaughtUp => "has taken in all that was posted".to_owned(),
    }
}

/// What a device keeps of what stands.
pub(super) fn kept(keep: &Keep) -> String {
    let all: Vec<String> = keep.entries.iter().map(stands).collect();
    format!("keeps that {}", all.join("; "))
}

fn stands(entry: &Entry) -> String {
    let id: String = entry.conversation.to_string().chars().take(ID_CHARS).collect();
    let what = match &entry.what {
        Said::Text { text, order, .. } => {
            let beginning: String = text.chars().take(SHOWN_CHARS).collect();
            format!("{beginning} ({} bytes, order {})", text.len(), kinds::order(*order))
        }
        Said::Joined { members, .. } => format!("it is in, with {}", list(members)),
        Said::Changed { came, went, .. } => format!("{} came and {} went", list(came), list(went)),
        Said::Altered { came, went, changes, .. } => {
            format!("{changes:?}, {} came and {} went", list(came), list(went))
        }
        Said::More { saying, .. } => format!("{saying:?}"),
        Said::Unreadable(why) => format!("this can't be read: {}", kinds::unreadable(*why)),
    };
    format!("at {} of {id} by {}: {what}", entry.place, entry.by)
}
