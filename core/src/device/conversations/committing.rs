//! This device's commits: put together, kept, sent, and in force when they are posted. The first for an epoch wins.

use serde_bytes::ByteBuf;

use super::contract::NotSent;
use super::one::{Pending, Phase};
use super::{Conversations, Turn, Wish};
use crate::id::ConversationId;
use crate::mls::group::{Change, Group, Tried};
use crate::wire::Code;
use crate::wire::conversations::{ConversationsRequest, RosterChange};

/// Whether a commit was put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// It is on its way.
    Sent,
    /// Somebody has to be judged first.
    Waits,
    /// It can't be.
    Failed,
}

impl Conversations {
    /// Puts a commit together and sends it.
    pub(super) fn commit(
        &mut self,
        id: ConversationId,
        change: &Change,
        roster: RosterChange,
        turn: &mut Turn<'_>,
    ) -> Commit {
        let Some(one) = self.all.get_mut(&id) else { return Commit::Failed };
        let Some(group) = one.group.as_ref() else { return Commit::Failed };
        match group.commit(change, &self.beliefs, turn.now.wall, turn.rng) {
            Ok(Tried::Done(unkept)) => {
                let (group, tree, committed) = self.batch.group(id, unkept);
                one.known.pending = Some(Pending {
                    epoch: one.known.epoch_of(&group),
                    change: roster,
                    commit: ByteBuf::from(committed.commit),
                    welcome: committed.welcome.map(ByteBuf::from),
                });
                one.set_group(group, tree);
                self.keep_known(id);
                self.send_pending(id);
                Commit::Sent
            }
            Ok(Tried::Unjudged(unjudged)) => {
                self.judge(&unjudged, turn);
                Commit::Waits
            }
            Err(_) => Commit::Failed,
        }
    }

    /// Sends this device's commit, or sends it again.
    pub(super) fn send_pending(&mut self, conversation: ConversationId) {
        let Some(pending) = self.all.get(&conversation).and_then(|one| one.known.pending.clone()) else { return };
        let Pending { epoch, change, commit, welcome } = pending;
        if self.is_entering(conversation) {
            let enter = |ask| ConversationsRequest::Enter { ask, conversation, epoch, commit };
            return self.request(Wish::Commit(conversation), enter);
        }
        self.request(Wish::Commit(conversation), |ask| ConversationsRequest::Commit {
            ask,
            conversation,
            epoch,
            change,
            commit,
            welcome,
        });
    }

    /// Sends this device's commits that the relay has not answered, or sends them again.
    pub(super) fn send_all_pending(&mut self) {
        let pending = self.all.iter().filter(|(_, one)| one.known.pending.is_some());
        let pending: Vec<ConversationId> = pending.map(|(id, _)| *id).collect();
        for id in pending {
            self.send_pending(id);
        }
    }

    /// This device's commit was not the first for its epoch, or is not to be.
    pub(super) fn commit_refused(&mut self, id: ConversationId, code: Code) {
        if self.is_entering(id) {
            return self.enter_refused(id, code);
        }
        // One that stands in what was posted is refused, too, when it is sent again: its place says what it was. What came
        // first in its stead comes by its place as well.
        if matches!(code, Code::NOT_COLLECTING | Code::EPOCH_OVER) {
            return;
        }
        self.errands_refused(id, &NotSent::Refused(code));
        let Some(one) = self.all.get_mut(&id) else { return };
        one.known.pending = None;
        if one.known.phase == Phase::Founding {
            return self.forget(id);
        }
        if let Some(Ok(unkept)) = one.group.as_ref().map(Group::withdrawn) {
            let (group, tree, ()) = self.batch.group(id, unkept);
            one.set_group(group, tree);
        }
        self.keep_known(id);
    }
}
