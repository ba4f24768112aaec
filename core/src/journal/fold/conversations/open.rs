//! Rooms into which the realm's devices come by themselves (CV-18 and CV-19): what that takes, and who has come.

use super::roster::has_seat;
use super::{CONVERSATION_DEVICES_MAX_V5, ConversationRefusal, Conversed, POSTED_BYTES_MAX_V5, lives, posts};
use crate::id::{ConversationId, DeviceName};
use crate::journal::conversations::{Conversation, Entry, Info, What};
use crate::journal::state::State;
use crate::time::Wall;
use crate::wire::conversations::RosterChange;

/// Whether a device may leave what it takes to come in. Asked before a record is proposed, and again, for good, by the fold.
pub fn may_publish_info(
    state: &State,
    conversation: ConversationId,
    by: &DeviceName,
    epoch: u64,
    bytes: u32,
) -> Result<(), ConversationRefusal> {
    let known = posts::may_speak(state, conversation, by, epoch)?;
    if !known.is_open() {
        return Err(ConversationRefusal::NotOpen);
    }
    if known.info().is_some() {
        return Err(ConversationRefusal::Exists);
    }
    let is_full = state.conversations().bytes() + u64::from(bytes) > POSTED_BYTES_MAX_V5;
    if is_full { Err(ConversationRefusal::PostedFull) } else { Ok(()) }
}

/// Whether a device may come in by itself. Asked before a record is proposed, and again, for good, by the fold.
pub fn may_enter(
    state: &State,
    conversation: ConversationId,
    by: &DeviceName,
    epoch: u64,
    bytes: u32,
) -> Result<(), ConversationRefusal> {
    if !lives(state, by) {
        return Err(ConversationRefusal::NoDevice);
    }
    let known = state.conversations().get(conversation).filter(|known| known.is_open());
    let known: &Conversation = known.ok_or(ConversationRefusal::NotOpen)?;
    if known.epoch() != epoch {
        return Err(ConversationRefusal::EpochOver);
    }
    if known.has(by) {
        return Err(ConversationRefusal::NotChanged);
    }
    has_seat(state, known, by)?;
    if known.roster().count() >= CONVERSATION_DEVICES_MAX_V5 {
        return Err(ConversationRefusal::Full);
    }
    posts::has_room(state, known, bytes, false)
}

pub(in crate::journal::fold) fn published_v6(
    state: &mut State,
    conversation: ConversationId,
    by: &DeviceName,
    epoch: u64,
    bytes: u32,
) -> Conversed {
    if let Err(refusal) = may_publish_info(state, conversation, by, epoch, bytes) {
        return Conversed::Refused(refusal);
    }
    let info = Info { n: state.position.n, bytes };
    if state.conversations.keep_info(conversation, info) {
        Conversed::Kept
    } else {
        Conversed::Refused(ConversationRefusal::NotIn)
    }
}

pub(in crate::journal::fold) fn entered_v6(
    state: &mut State,
    conversation: ConversationId,
    by: DeviceName,
    epoch: u64,
    (bytes, at): (u32, Wall),
) -> Conversed {
    if let Err(refusal) = may_enter(state, conversation, &by, epoch, bytes) {
        return Conversed::Refused(refusal);
    }
    let change = RosterChange { add: vec![by.clone()], remove: Vec::new() };
    let entry = Entry::new(state.position.n, at, by, bytes, What::Commit(epoch));
    match state.conversations.change(conversation, entry, &change) {
        Some(place) => Conversed::Posted(conversation, place),
        None => Conversed::Refused(ConversationRefusal::NotIn),
    }
}
