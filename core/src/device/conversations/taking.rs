//! What is posted is taken in, one after the other in the relay's order, and acknowledged when it is kept.
//!
//! A place that was taken in before is passed over; one that leaves a gap is the relay's fault, and the connection ends: on the
//! next it posts from the first that is not acknowledged. What can't be opened is an entry that says why.

use std::collections::BTreeSet;

use super::content::Content;
use super::contract::{ConversationEvent, Entry, Order, Said, Unreadable};
use super::one::{Conversation, Phase};
use super::{Conversations, Stream, Turn};
use crate::fault::Fault;
use crate::id::{ConversationId, DeviceName, MessageId};
use crate::mls::group::Heard;
use crate::wire::conversations::{Posted, What};

/// Whether something was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Done,
    /// Somebody has to be judged first.
    Waits,
}

impl Conversations {
    /// Takes in what was posted next.
    pub(super) fn take_in(&mut self, posted: &Posted, turn: &mut Turn<'_>) -> Result<Taken, Fault> {
        let id = posted.conversation;
        let cursor = self.all.get(&id).map(|one| one.known.cursor);
        if cursor.is_some_and(|cursor| posted.place <= cursor) {
            self.acknowledge(id, cursor.unwrap_or_default());
            return Ok(Taken::Done);
        }
        if let What::Welcome { kind, epoch, roster, welcome } = &posted.what {
            return Ok(self.welcomed(posted, (kind, *epoch), roster, welcome, turn));
        }
        // Of a conversation that this device does not know it has lost what it knew.
        let Some(cursor) = cursor else {
            self.acknowledge(id, posted.place);
            return Ok(Taken::Done);
        };
        if self.all.get(&id).is_some_and(|one| one.known.phase == Phase::Out) {
            // Whoever has left is posted what others say until they have put this device out.
            self.advance(posted);
            return Ok(Taken::Done);
        }
        if self.is_entering(id) {
            return Ok(self.entered(posted, turn));
        }
        let skips = matches!(posted.what, What::Expired);
        if posted.place != cursor + 1 && !skips {
            return Err(Fault::Unexpected);
        }
        match &posted.what {
            What::Message { body, .. } => self.message(posted, body, turn),
            What::OwnMessage { id } => self.own_message(posted, *id),
            What::Commit { change, commit, .. } => return Ok(self.committed(posted, change, commit, turn)),
            What::OwnCommit { epoch } => return Ok(self.own_commit(posted, *epoch, turn)),
            What::Expired => {
                self.entry(posted, posted.by.clone(), Said::Unreadable(Unreadable::Expired));
                self.break_off(id);
            }
            What::Welcome { .. } => {}
        }
        self.advance(posted);
        Ok(Taken::Done)
    }

    fn message(&mut self, posted: &Posted, body: &[u8], turn: &mut Turn<'_>) {
        let id = posted.conversation;
        let Some(one) = self.all.get_mut(&id) else { return };
        let opened = one.group.take().map(|group| group.open(body, &self.beliefs, turn.rng));
        let (by, said) = match opened {
            Some(Ok(unkept)) => {
                let (group, tree, heard) = self.batch.group(id, unkept);
                one.set_group(group, tree);
                match heard {
                    Heard::Said { by, text, .. } => {
                        let said = read(one, &text);
                        (by, said)
                    }
                    // A commit that is said to be a message changes nothing that was declared.
                    Heard::Changed { by, .. } | Heard::Removed { by } => (by, Said::Unreadable(Unreadable::Sealed)),
                }
            }
            Some(Err(spoilt)) => {
                // It costs nothing but the time to read what was written down.
                one.group = self.member.as_ref().and_then(|member| spoilt.restored(member).ok());
                (posted.by.clone(), Said::Unreadable(Unreadable::Sealed))
            }
            None => (posted.by.clone(), Said::Unreadable(Unreadable::Sealed)),
        };
        let is_lost = one.known.phase == Phase::In && one.group.is_none();
        one.known.chain.push(body);
        // Whoever was revoked before is not believed any more, although the group has them yet (design 6). Of what was posted while
        // this device was away the relay says when; what comes now is said now.
        let revoked = one.certificates.get(&by).and_then(|certificate| self.beliefs.revoked_since(certificate));
        let said = if revoked.is_some_and(|since| since < posted.at || self.stream == Stream::TakenIn) {
            Said::Unreadable(Unreadable::Unbelieved)
        } else {
            said
        };
        self.entry(posted, by, said);
        if is_lost {
            self.break_off(id);
        }
    }

    fn own_message(&mut self, posted: &Posted, id: MessageId) {
        let Some(outgoing) = self.posted_own(id) else { return };
        let Some(one) = self.all.get_mut(&posted.conversation) else { return };
        one.known.chain.push(outgoing.body().unwrap_or_default());
        let (written, saying) = outgoing.said();
        let what = Said::of(id, written, saying.clone(), Order::Same);
        let entry = entry_of(one, posted, self.own.clone(), what);
        self.batch.entry(entry.clone());
        let event = match outgoing.send {
            Some(send) => ConversationEvent::Sent(send, entry),
            None => ConversationEvent::Entry(entry),
        };
        self.batch.then().events.push(event);
    }

    /// It is taken in.
    pub(super) fn advance(&mut self, posted: &Posted) {
        let id = posted.conversation;
        if let Some(one) = self.all.get_mut(&id) {
            one.known.cursor = posted.place;
        }
        self.keep_known(id);
        self.acknowledge(id, posted.place);
    }

    fn acknowledge(&mut self, id: ConversationId, place: u64) {
        self.batch.then().acknowledge.insert(id, place);
    }

    /// History has this from now on, and people are told.
    pub(super) fn entry(&mut self, posted: &Posted, by: DeviceName, what: Said) -> Option<Entry> {
        let entry = entry_of(self.all.get(&posted.conversation)?, posted, by, what);
        self.batch.entry(entry.clone());
        self.batch.then().events.push(ConversationEvent::Entry(entry.clone()));
        Some(entry)
    }
}

fn entry_of(one: &Conversation, posted: &Posted, by: DeviceName, what: Said) -> Entry {
    let Posted { conversation, place, at, .. } = *posted;
    let room = one.room.as_ref().map(|room| room.name.clone());
    Entry { conversation, kind: one.known.kind.clone(), room, place, at, by, what }
}

/// What was said, held against what this device has seen before it.
fn read(one: &Conversation, text: &[u8]) -> Said {
    match Content::decode(text) {
        Some(Content { id, written, seen, body }) => Said::of(id, written, body, one.known.chain.compare(&seen)),
        None => Said::Unreadable(Unreadable::Newer),
    }
}

/// Whether these are the same devices.
pub(super) fn is_same(one: &[DeviceName], other: &[DeviceName]) -> bool {
    let set = |names: &[DeviceName]| names.iter().cloned().collect::<BTreeSet<DeviceName>>();
    set(one) == set(other)
}
