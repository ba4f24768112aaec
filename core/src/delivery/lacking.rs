//! What a conversation lacks: devices of its people that have key packages and are not in it, and, if it is open, what it takes
//! to come in. Whoever is in is told, and sees to it; this room adds nobody.

use std::collections::BTreeSet;

use super::{Delivery, events};
use crate::effect::Effects;
use crate::id::{ConnId, ConversationId, DeviceName, UserName};
use crate::journal::State;
use crate::journal::conversations::Conversation;
use crate::limits::COMMIT_DEVICES_MAX;
use crate::wire::conversations::{ConversationsEvent, Kind};

impl Delivery {
    /// A device has all that was posted for it: it is told what its conversations lack.
    pub(super) fn say_what_lacks(&mut self, conn: ConnId, state: &State, out: &mut Effects) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        let known = state.conversations();
        let seats: Vec<ConversationId> = known.seats_of(&line.device).collect();
        for id in seats {
            let Some(known) = known.get(id).filter(|known| known.has(&line.device)) else { continue };
            if let Some(lacks) = lacking(id, known, state) {
                line.say(conn, &events::frames(&lacks), out);
            }
            if known.is_open() && known.info().is_none() {
                line.say(conn, &events::frames(&ConversationsEvent::GroupInfoWanted { conversation: id }), out);
            }
        }
    }

    /// A conversation has changed: whoever is in is told what it lacks still. A device may have left its first key packages while
    /// the commit was put together, when nobody was in who could add it.
    pub(super) fn say_what_lacks_still(&mut self, id: ConversationId, state: &State, out: &mut Effects) {
        let Some(known) = state.conversations().get(id) else { return };
        if let Some(lacks) = lacking(id, known, state) {
            self.say_to_roster(known, &lacks, out);
        }
    }

    /// A device has left key packages: those who are in its person's conversations and take what is posted are told where it
    /// is not in yet.
    pub(super) fn say_it_lacks(&mut self, device: &DeviceName, state: &State, out: &mut Effects) {
        let (user, known) = (&device.user, state.conversations());
        let own = devices_of(user, state);
        let seats = own.iter().flat_map(|device| known.seats_of(device));
        // Somebody who has lost every device is in none of those by another one.
        let pairs = state.users().keys().filter_map(|other| known.between(user.min(other), user.max(other)));
        let is_begun = |id: &ConversationId| known.get(*id).is_some_and(|known| known.epoch() > 0);
        let pairs = pairs.filter(is_begun);
        let conversations: BTreeSet<ConversationId> = seats.chain(pairs).collect();
        for conversation in conversations {
            let Some(known) = state.conversations().get(conversation) else { continue };
            if known.has(device) || !people(known).contains(&device.user) {
                continue;
            }
            let lacks = ConversationsEvent::Lacking { conversation, devices: vec![device.clone()] };
            self.say_to_roster(known, &lacks, out);
        }
    }

    /// Says something to all who are in a conversation and take what is posted.
    pub(super) fn say_to_roster(&mut self, known: &Conversation, event: &ConversationsEvent, out: &mut Effects) {
        let frames = events::frames(event);
        for member in known.roster() {
            let Some(conn) = self.streams.get(member) else { continue };
            if let Some(line) = self.lines.get_mut(conn) {
                line.say(*conn, &frames, out);
            }
        }
    }
}

/// What a conversation lacks, if it lacks anything.
fn lacking(conversation: ConversationId, known: &Conversation, state: &State) -> Option<ConversationsEvent> {
    let theirs = people(known).into_iter().flat_map(|user| devices_of(user, state));
    let lacks = theirs.filter(|device| !known.has(device) && state.conversations().packages(device).is_some());
    let devices: Vec<DeviceName> = lacks.take(COMMIT_DEVICES_MAX).collect();
    (!devices.is_empty()).then_some(ConversationsEvent::Lacking { conversation, devices })
}

/// Whose devices belong in a conversation: those of the two whom it is between, or in a room of everybody who is in it.
fn people(known: &Conversation) -> BTreeSet<&UserName> {
    match known.kind() {
        Kind::Direct(one, other) => BTreeSet::from([one, other]),
        Kind::Room | Kind::Open(_) => known.roster().map(|device| &device.user).collect(),
    }
}

/// Somebody's devices that were not revoked.
fn devices_of(user: &UserName, state: &State) -> Vec<DeviceName> {
    let labels = state.users().get(user).into_iter().flat_map(|account| account.devices.keys());
    let names = labels.map(|device| DeviceName { user: user.clone(), device: device.clone() });
    names.filter(|name| state.revoked(name).is_none()).collect()
}
