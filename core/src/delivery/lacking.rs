//! Which devices a conversation of two people lacks: those of theirs that have key packages and are not in it. Whoever is in is
//! told, and adds them; this room adds nobody.

use std::collections::BTreeSet;

use super::{Delivery, events};
use crate::effect::Effects;
use crate::id::{ConnId, ConversationId, DeviceName, UserName};
use crate::journal::State;
use crate::limits::COMMIT_DEVICES_MAX;
use crate::wire::conversations::{ConversationsEvent, Kind};

impl Delivery {
    /// A device has all that was posted for it: it is told what its conversations lack.
    pub(super) fn say_what_lacks(&mut self, conn: ConnId, state: &State, out: &mut Effects) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        let known = state.conversations();
        let seats: Vec<ConversationId> = known.seats_of(&line.device).collect();
        for id in seats {
            let devices = lacking(id, &line.device, state);
            if !devices.is_empty() {
                line.say(conn, &events::frames(&ConversationsEvent::Lacking { conversation: id, devices }), out);
            }
        }
    }

    /// A conversation has changed: whoever is in is told what it lacks still. A device may have left its first key packages while
    /// the commit was put together, when nobody was in who could add it.
    pub(super) fn say_what_lacks_still(&mut self, id: ConversationId, state: &State, out: &mut Effects) {
        let Some(known) = state.conversations().get(id) else { return };
        for member in known.roster() {
            let devices = lacking(id, member, state);
            if devices.is_empty() {
                return;
            }
            let Some(conn) = self.streams.get(member) else { continue };
            if let Some(line) = self.lines.get_mut(conn) {
                line.say(*conn, &events::frames(&ConversationsEvent::Lacking { conversation: id, devices }), out);
            }
        }
    }

    /// A device has left key packages: those who are in its person's conversations and take what is posted are told where it
    /// is not in yet.
    pub(super) fn say_it_lacks(&mut self, device: &DeviceName, state: &State, out: &mut Effects) {
        let own = devices_of(&device.user, state);
        let conversations: BTreeSet<ConversationId> =
            own.iter().flat_map(|device| state.conversations().seats_of(device)).collect();
        for conversation in conversations {
            let Some(known) = state.conversations().get(conversation) else { continue };
            if known.has(device) || !matches!(known.kind(), Kind::Direct(..)) {
                continue;
            }
            let lacks = ConversationsEvent::Lacking { conversation, devices: vec![device.clone()] };
            let frames = events::frames(&lacks);
            for member in known.roster() {
                let Some(conn) = self.streams.get(member) else { continue };
                if let Some(line) = self.lines.get_mut(conn) {
                    line.say(*conn, &frames, out);
                }
            }
        }
    }
}

/// What a conversation lacks, if this device is in it.
fn lacking(id: ConversationId, member: &DeviceName, state: &State) -> Vec<DeviceName> {
    let Some(known) = state.conversations().get(id).filter(|known| known.has(member)) else { return Vec::new() };
    let Kind::Direct(one, other) = known.kind() else { return Vec::new() };
    let of = |user| devices_of(user, state);
    let theirs = of(one).into_iter().chain(of(other).into_iter().filter(|_| one != other));
    let lacks = theirs.filter(|device| !known.has(device) && state.conversations().packages(device).is_some());
    lacks.take(COMMIT_DEVICES_MAX).collect()
}

/// Somebody's devices that were not revoked.
fn devices_of(user: &UserName, state: &State) -> Vec<DeviceName> {
    let labels = state.users().get(user).into_iter().flat_map(|account| account.devices.keys());
    let names = labels.map(|device| DeviceName { user: user.clone(), device: device.clone() });
    names.filter(|name| state.revoked(name).is_none()).collect()
}
