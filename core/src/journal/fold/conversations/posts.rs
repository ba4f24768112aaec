//! What is posted, what is acknowledged, and what is kept no longer (CV-01, CV-06, CV-07, CV-12 to CV-14, CV-16).

use super::{
    ConversationRefusal, Conversed, POSTED_BYTES_MAX_V5, POSTED_FOR_REMOVALS_V5, POSTED_MAX_V5,
    POSTED_PER_CONVERSATION_MAX_V5, lives,
};
use crate::id::{ConversationId, DeviceName, MessageId};
use crate::journal::conversations::{Conversation, Entry, What};
use crate::journal::state::State;
use crate::time::Wall;

/// Whether a message may be posted, or at which place it stands already. Asked before a record is proposed, and again, for good,
/// by the fold.
pub fn may_post(
    state: &State,
    conversation: ConversationId,
    by: &DeviceName,
    epoch: u64,
    id: MessageId,
    bytes: u32,
) -> Result<Option<u64>, ConversationRefusal> {
    let known = may_be_heard(state, conversation, by)?;
    // Whatever has become of the epoch since, and whoever else has drawn that number.
    if let Some(place) = known.place_of(id).filter(|place| known.entry(*place).is_some_and(|entry| entry.by == *by)) {
        return Ok(Some(place));
    }
    may_speak(state, conversation, by, epoch)?;
    if known.place_of(id).is_some() {
        return Err(ConversationRefusal::Exists);
    }
    has_room(state, known, bytes, false).map(|()| None)
}

/// Whether a device is in a conversation and was not revoked (CV-01, CV-06).
fn may_be_heard<'a>(
    state: &'a State,
    conversation: ConversationId,
    by: &DeviceName,
) -> Result<&'a Conversation, ConversationRefusal> {
    if !lives(state, by) {
        return Err(ConversationRefusal::NoDevice);
    }
    let known = state.conversations().get(conversation).filter(|known| known.has(by));
    known.ok_or(ConversationRefusal::NotIn)
}

/// The same, and by the newest epoch (CV-07).
pub(super) fn may_speak<'a>(
    state: &'a State,
    conversation: ConversationId,
    by: &DeviceName,
    epoch: u64,
) -> Result<&'a Conversation, ConversationRefusal> {
    let known = may_be_heard(state, conversation, by)?;
    if known.epoch() == epoch { Ok(known) } else { Err(ConversationRefusal::EpochOver) }
}

/// Whether so much more may stand (CV-13, CV-14).
pub(super) fn has_room(
    state: &State,
    known: &Conversation,
    bytes: u32,
    only_removes: bool,
) -> Result<(), ConversationRefusal> {
    let more = if only_removes { POSTED_FOR_REMOVALS_V5 } else { 0 };
    let all = state.conversations();
    let is_full = known.standing() >= POSTED_PER_CONVERSATION_MAX_V5 + more
        || all.standing() >= POSTED_MAX_V5
        || all.bytes() + u64::from(bytes) > POSTED_BYTES_MAX_V5;
    if is_full { Err(ConversationRefusal::PostedFull) } else { Ok(()) }
}

pub(in crate::journal::fold) fn posted_v5(
    state: &mut State,
    conversation: ConversationId,
    by: DeviceName,
    epoch: u64,
    id: MessageId,
    (bytes, at): (u32, Wall),
) -> Conversed {
    match may_post(state, conversation, &by, epoch, id, bytes) {
        Err(refusal) => Conversed::Refused(refusal),
        Ok(Some(place)) => Conversed::PostedBefore(conversation, place),
        Ok(None) => {
            let entry = Entry::new(state.position.n, at, by, bytes, What::Message(id));
            match state.conversations.post(conversation, entry) {
                Some(place) => Conversed::Posted(conversation, place),
                None => Conversed::Refused(ConversationRefusal::NotIn),
            }
        }
    }
}

pub(in crate::journal::fold) fn acknowledged_v5(
    state: &mut State,
    of: &[(DeviceName, Vec<(ConversationId, u64)>)],
) -> Conversed {
    for (device, places) in of {
        for (conversation, upto) in places {
            state.conversations.acknowledge(device, *conversation, *upto);
        }
    }
    Conversed::Passed
}

pub(in crate::journal::fold) fn expired_v5(
    state: &mut State,
    conversation: ConversationId,
    upto: u64,
    at: Wall,
) -> Conversed {
    state.conversations.expire(conversation, upto, at);
    Conversed::Passed
}
