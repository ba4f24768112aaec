//! Which conversations there are, and who is in them (CV-01 to CV-11, CV-17).

use std::collections::BTreeSet;

use super::{CONVERSATION_DEVICES_MAX_V5, ConversationRefusal, Conversed, SEATS_PER_DEVICE_MAX_V5, lives, posts};
use crate::id::{ConversationId, DeviceName};
use crate::journal::conversations::{Conversation, Entry, What};
use crate::journal::state::State;
use crate::time::Wall;
use crate::wire::conversations::{Kind, RosterChange};

/// Whether a conversation may be founded, or was by this very founding. Asked before a record is proposed, and again, for
/// good, by the fold.
pub fn may_found(
    state: &State,
    conversation: ConversationId,
    kind: &Kind,
    by: &DeviceName,
) -> Result<bool, ConversationRefusal> {
    if !lives(state, by) {
        return Err(ConversationRefusal::NoDevice);
    }
    let conversations = state.conversations();
    if let Some(before) = conversations.get(conversation) {
        let is_same = before.kind() == kind && before.epoch() == 0 && before.has(by);
        return if is_same { Ok(true) } else { Err(ConversationRefusal::Exists) };
    }
    if let Kind::Direct(one, other) = kind {
        let are_there = one <= other && [one, other].iter().all(|user| state.users.contains_key(*user));
        if !are_there || !is_between(kind, by) {
            return Err(ConversationRefusal::NotBetweenThem);
        }
        let before = conversations.between(one, other).and_then(|before| conversations.get(before));
        if before.is_some_and(|before| before.roster().any(|device| lives(state, device))) {
            return Err(ConversationRefusal::Exists);
        }
    }
    if let Kind::Open(name) = kind {
        let before = conversations.open(name).and_then(|before| conversations.get(before));
        if before.is_some_and(|before| before.roster().any(|device| lives(state, device))) {
            return Err(ConversationRefusal::Exists);
        }
    }
    if conversations.seats(by) >= SEATS_PER_DEVICE_MAX_V5 { Err(ConversationRefusal::Full) } else { Ok(false) }
}

/// Whether a commit may be posted. Asked before a record is proposed, and again, for good, by the fold.
pub fn may_commit(
    state: &State,
    conversation: ConversationId,
    by: &DeviceName,
    epoch: u64,
    change: &RosterChange,
    bytes: u32,
) -> Result<(), ConversationRefusal> {
    let known = posts::may_speak(state, conversation, by, epoch)?;
    may_change(state, known, by, change)?;
    posts::has_room(state, known, bytes, change.add.is_empty() && !change.remove.is_empty())
}

fn may_change(
    state: &State,
    known: &Conversation,
    by: &DeviceName,
    change: &RosterChange,
) -> Result<(), ConversationRefusal> {
    let named: BTreeSet<&DeviceName> = change.add.iter().chain(&change.remove).collect();
    if named.len() != change.add.len() + change.remove.len() {
        return Err(ConversationRefusal::NotChanged);
    }
    for device in &change.add {
        if !lives(state, device) {
            return Err(ConversationRefusal::CannotBeAdded);
        }
        if !is_between(known.kind(), device) {
            return Err(ConversationRefusal::NotBetweenThem);
        }
        if known.has(device) {
            return Err(ConversationRefusal::NotChanged);
        }
        has_seat(state, known, device)?;
    }
    if change.remove.iter().any(|device| device == by || !known.has(device)) {
        return Err(ConversationRefusal::NotChanged);
    }
    let devices = known.roster().count() + change.add.len() - change.remove.len();
    if devices > CONVERSATION_DEVICES_MAX_V5 { Err(ConversationRefusal::Full) } else { Ok(()) }
}

/// Whether there is a seat for a device (CV-05): whoever has left and not acknowledged all has one still.
pub(super) fn has_seat(state: &State, known: &Conversation, device: &DeviceName) -> Result<(), ConversationRefusal> {
    let is_full = known.seat(device).is_none() && state.conversations().seats(device) >= SEATS_PER_DEVICE_MAX_V5;
    if is_full { Err(ConversationRefusal::Full) } else { Ok(()) }
}

/// Whether a device is one of those whom a conversation is between, if it is between two people.
fn is_between(kind: &Kind, device: &DeviceName) -> bool {
    match kind {
        Kind::Direct(one, other) => [one, other].contains(&&device.user),
        Kind::Room | Kind::Open(_) => true,
    }
}

pub(in crate::journal::fold) fn founded_v5(
    state: &mut State,
    conversation: ConversationId,
    kind: Kind,
    by: DeviceName,
) -> Conversed {
    match may_found(state, conversation, &kind, &by) {
        Err(refusal) => Conversed::Refused(refusal),
        Ok(before) => {
            if !before {
                state.conversations.found(conversation, kind, by);
            }
            Conversed::Founded
        }
    }
}

pub(in crate::journal::fold) fn committed_v5(
    state: &mut State,
    conversation: ConversationId,
    by: DeviceName,
    epoch: u64,
    change: &RosterChange,
    (bytes, at): (u32, Wall),
) -> Conversed {
    if let Err(refusal) = may_commit(state, conversation, &by, epoch, change, bytes) {
        return Conversed::Refused(refusal);
    }
    let entry = Entry::new(state.position.n, at, by, bytes, What::Commit(epoch));
    match state.conversations.change(conversation, entry, change) {
        Some(place) => Conversed::Posted(conversation, place),
        None => Conversed::Refused(ConversationRefusal::NotIn),
    }
}
