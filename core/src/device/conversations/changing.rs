//! What comes of a commit that is posted: the next epoch, with others in it, and perhaps without this device.

use super::contract::{Said, Unreadable};
use super::one::{Conversation, Phase};
use super::refresh::next_refresh;
use super::rooms;
use super::taking::{Taken, is_same};
use super::{Conversations, Turn, Wish};
use crate::id::{ConversationId, DeviceName};
use crate::mls::group::{Group, Heard, Tried, Unkept};
use crate::mls::member::MlsFault;
use crate::wire::conversations::{Kind, Posted, RosterChange};

impl Conversations {
    pub(super) fn committed(
        &mut self,
        posted: &Posted,
        change: &RosterChange,
        commit: &[u8],
        turn: &mut Turn<'_>,
    ) -> Taken {
        let id = posted.conversation;
        let Some(one) = self.all.get(&id) else { return Taken::Done };
        let opened = one.group.as_ref().map(|group| group.hear(commit, &self.beliefs, turn.rng));
        match opened {
            Some(Ok(Tried::Unjudged(unjudged))) => {
                self.judge(&unjudged, turn);
                return Taken::Waits;
            }
            Some(Ok(Tried::Done(unkept))) => self.changed(posted, change, unkept, turn),
            Some(Err(fault)) if self.is_from_outside(posted, change) => self.void(posted, &fault),
            Some(Err(fault)) => self.cannot_follow(posted, &fault),
            None => {}
        }
        self.advance(posted);
        Taken::Done
    }

    /// Whether somebody would come in by it who is not in.
    fn is_from_outside(&self, posted: &Posted, change: &RosterChange) -> bool {
        let is_open = |one: &Conversation| matches!(one.known.kind, Kind::Open(_));
        let one = self.all.get(&posted.conversation).filter(|one| is_open(one));
        let is_alone = change.remove.is_empty() && change.add == [posted.by.clone()];
        one.is_some_and(|one| is_alone && !one.certificates.contains_key(&posted.by))
    }

    /// A commit by which somebody would have come into an open room, and can't: the group goes on as it was, and so does everybody in
    /// it, since whoever is outside proves nothing by what the relay has taken of theirs. The relay has counted an epoch.
    fn void(&mut self, posted: &Posted, fault: &MlsFault) {
        let id = posted.conversation;
        let why = if matches!(fault, MlsFault::Refused(_)) { Unreadable::Unbelieved } else { Unreadable::Sealed };
        self.entry(posted, posted.by.clone(), Said::Unreadable(why));
        let Some(one) = self.all.get_mut(&id) else { return };
        one.known.voided = one.known.voided.saturating_add(1);
        let epoch = one.epoch().unwrap_or_default();
        // The relay has refused what this device was about to commit, which would now be another epoch's.
        let missed = one.known.pending.take().map(|pending| pending.change.add);
        if missed.is_some()
            && let Some(Ok(unkept)) = one.group.as_ref().map(Group::withdrawn)
        {
            let (group, tree, ()) = self.batch.group(id, unkept);
            one.set_group(group, tree);
        }
        self.unseal(id, epoch);
        self.lacking(id, missed.unwrap_or_default());
        self.errands_again(id);
        self.keep_known(id);
    }

    pub(super) fn own_commit(&mut self, posted: &Posted, epoch: u64, turn: &mut Turn<'_>) -> Taken {
        let id = posted.conversation;
        let Some(one) = self.all.get(&id) else { return Taken::Done };
        let pending = one.known.pending.clone().filter(|pending| pending.epoch == epoch);
        let applied = match (pending, &one.group) {
            (Some(pending), Some(group)) if group.has_commit() => {
                Some((pending.change, group.accepted(&self.beliefs, turn.rng)))
            }
            _ => None,
        };
        match applied {
            Some((_, Ok(Tried::Unjudged(unjudged)))) => {
                self.judge(&unjudged, turn);
                return Taken::Waits;
            }
            Some((change, Ok(Tried::Done(unkept)))) => {
                self.asks.settle(|wish| matches!(wish, Wish::Commit(committed) if *committed == id));
                let next = next_refresh(turn);
                if let Some(one) = self.all.get_mut(&id) {
                    one.known.phase = Phase::In;
                    one.known.refresh_at = next;
                }
                self.changed(posted, &change, unkept, turn);
            }
            Some((_, Err(fault))) => self.cannot_follow(posted, &fault),
            // It was this device's, and it has forgotten it.
            None => self.cannot_follow(posted, &MlsFault::Unexpected),
        }
        self.advance(posted);
        Taken::Done
    }

    /// The next epoch has begun.
    fn changed(&mut self, posted: &Posted, declared: &RosterChange, unkept: Unkept<Heard>, turn: &mut Turn<'_>) {
        let id = posted.conversation;
        let (group, tree, heard) = self.batch.group(id, unkept);
        let (begun, authenticator) = (group.epoch() == 1, group.authenticator());
        let Some(one) = self.all.get_mut(&id) else { return };
        let epoch = one.known.epoch_of(&group);
        let room_before = one.room.clone();
        one.set_group(group, tree);
        let missed = one.known.pending.take().map(|pending| pending.change.add).unwrap_or_default();
        let (by, came, went) = match heard {
            Heard::Changed { by, came, went } => (by, came, went),
            Heard::Removed { by } => {
                let declared = declared.remove.contains(&self.own);
                self.is_out(id);
                self.entry(posted, by, Said::Changed { came: Vec::new(), went: vec![self.own.clone()], declared });
                return;
            }
            Heard::Said { by, .. } => {
                self.entry(posted, by, Said::Unreadable(Unreadable::Sealed));
                return;
            }
        };
        if let Ok(authenticator) = authenticator {
            one.known.chain.next_epoch(&authenticator);
        }
        let newcomers: Vec<_> =
            one.certificates.iter().filter(|(name, _)| came.contains(name)).map(|(n, c)| (n.clone(), *c)).collect();
        let changes = match (&room_before, &one.room) {
            (Some(before), Some(after)) => rooms::changes(before, after),
            (Some(_) | None, _) => Vec::new(),
        };
        // A room that has just begun is there for people although nobody else may be in it.
        let is_own = by == self.own;
        let is_begun = is_own && !matches!(one.known.kind, Kind::Direct(..)) && begun;
        let members: Vec<DeviceName> = one.certificates.keys().cloned().collect();
        self.unseal(id, epoch);
        self.look_at_members(id, turn.now);
        // Whom this device would have added if it had been first.
        self.lacking(id, missed);
        self.meet(newcomers.iter().map(|(name, certificate)| (name, certificate)), turn);
        self.keep_room(id);
        let declared = is_same(&came, &declared.add) && is_same(&went, &declared.remove);
        let said = if is_begun {
            Some(Said::Joined { members, declared })
        } else if !changes.is_empty() {
            Some(Said::Altered { came, went, declared, changes })
        } else {
            // New keys alone are no news to people.
            let is_news = !came.is_empty() || !went.is_empty() || !declared;
            is_news.then_some(Said::Changed { came, went, declared })
        };
        let entry = said.and_then(|said| self.entry(posted, by, said));
        if is_own {
            self.errands_done(id, entry.as_ref());
        } else {
            self.errands_again(id);
        }
        if self.leaves(id) {
            self.is_out(id);
        }
    }

    /// A commit that this device can't take in: whatever comes after it can't be read.
    fn cannot_follow(&mut self, posted: &Posted, fault: &MlsFault) {
        let why = if matches!(fault, MlsFault::Refused(_)) { Unreadable::Unbelieved } else { Unreadable::Sealed };
        self.entry(posted, posted.by.clone(), Said::Unreadable(why));
        self.break_off(posted.conversation);
    }

    /// This device can't follow a conversation any more.
    pub(super) fn break_off(&mut self, id: ConversationId) {
        if let Some(one) = self.all.get_mut(&id) {
            one.leave(Phase::Broken);
        }
        self.forget_secrets(id);
        self.close_room(id);
        self.keep_known(id);
    }

    /// Its keys are of no more use.
    pub(super) fn forget_secrets(&mut self, id: ConversationId) {
        self.batch.remove(super::contract::Row::Group(id));
        self.batch.remove(super::contract::Row::Tree(id));
    }
}
