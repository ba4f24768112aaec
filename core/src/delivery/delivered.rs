//! Who has what was posted: whoever asks is told once a device of each person has it for whom it is, besides its writer's own.
//!
//! A device has what it has acknowledged, whether that is written down or not: it is on its disk. Nothing is kept of who asks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Delivery, Round, tell};
use crate::effect::Effects;
use crate::id::{AskId, ConnId, ConversationId, UserName};
use crate::journal::State;
use crate::limits::AWAITED_MAX;
use crate::relay::Admitted;
use crate::wire::Code;
use crate::wire::conversations::ConversationsEvent;

/// Who waits, and for what.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// The places of a conversation, each with whom it concerns: the connection and its ask.
    at: BTreeMap<ConversationId, BTreeSet<(u64, ConnId, AskId)>>,
    /// The same, by connection, in the order of asking.
    by: BTreeMap<ConnId, VecDeque<(ConversationId, u64, AskId)>>,
}

impl Awaited {
    fn add(&mut self, conn: ConnId, ask: AskId, id: ConversationId, place: u64) {
        self.at.entry(id).or_default().insert((place, conn, ask));
        let own = self.by.entry(conn).or_default();
        own.push_back((id, place, ask));
        let over = if own.len() > AWAITED_MAX { own.pop_front() } else { None };
        if let Some((id, place, ask)) = over {
            self.remove(id, (place, conn, ask));
        }
    }

    /// A connection is over.
    pub(super) fn forget(&mut self, conn: ConnId) {
        for (id, place, ask) in self.by.remove(&conn).into_iter().flatten() {
            self.remove(id, (place, conn, ask));
        }
    }

    fn answered(&mut self, id: ConversationId, waits: (u64, ConnId, AskId)) {
        self.remove(id, waits);
        let (_, conn, ask) = waits;
        if let Some(own) = self.by.get_mut(&conn) {
            own.retain(|(_, _, asked)| *asked != ask);
            if own.is_empty() {
                self.by.remove(&conn);
            }
        }
    }

    fn remove(&mut self, id: ConversationId, waits: (u64, ConnId, AskId)) {
        if let Some(all) = self.at.get_mut(&id) {
            all.remove(&waits);
            if all.is_empty() {
                self.at.remove(&id);
            }
        }
    }
}

impl Delivery {
    /// A device wants to know when others have what stands at a place.
    pub(super) fn wait_for_delivery(
        &mut self,
        from: &Admitted,
        ask: AskId,
        conversation: ConversationId,
        place: u64,
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        let known = round.state.conversations().get(conversation);
        known.filter(|known| known.has(from.device()) && place <= known.last()).ok_or(Code::NO_CONVERSATION)?;
        self.awaited.add(from.conn(), ask, conversation, place);
        self.say_what_is_delivered(conversation, round.state, round.out);
        Ok(())
    }

    /// Somebody has more of a conversation than before, or is out of it: whoever waited for that is told.
    pub(super) fn say_what_is_delivered(&mut self, id: ConversationId, state: &State, out: &mut Effects) {
        let Some(waiting) = self.awaited.at.get(&id) else { return };
        let over: Vec<(u64, ConnId, AskId)> =
            waiting.iter().filter(|(place, ..)| self.is_delivered(id, *place, state)).copied().collect();
        for waits in over {
            self.awaited.answered(id, waits);
            let (_, conn, ask) = waits;
            tell(conn, &ConversationsEvent::Done { ask }, out);
        }
    }

    fn is_delivered(&self, id: ConversationId, place: u64, state: &State) -> bool {
        // What does not stand any more everybody has, or nobody will have.
        let Some(known) = state.conversations().get(id) else { return true };
        let Some(entry) = known.entry(place) else { return true };
        let mut have: BTreeMap<&UserName, bool> = BTreeMap::new();
        for (device, seat) in known.whom(place).filter(|(device, _)| device.user != entry.by.user) {
            let has = seat.acked().max(self.acks.upto(device, id)) >= place;
            *have.entry(&device.user).or_default() |= has;
        }
        have.values().all(|has| *has)
    }
}
