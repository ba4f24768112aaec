//! How a conversation between two people begins: whoever writes first founds it and adds all devices of both.
//!
//! ```text
//! gathered -> Found -> Done -> Commit -> posted: it is there
//!               | exists: the other was first, or another device of one's own; its Welcome comes
//! ```
//!
//! Nothing is kept of it before `Found`; from then on a program that was ended goes on where it was.

use std::collections::BTreeSet;

use super::batch::encode;
use super::chain::Chain;
use super::committing::Commit;
use super::contract::{NotSent, Row};
use super::gathering::{Goal, Progress};
use super::one::{Conversation, Known, Phase};
use super::outgoing::{Outgoing, To};
use super::refresh::next_refresh;
use super::{Conversations, Turn, Wish};
use crate::id::{ConversationId, DeviceName, UserName};
use crate::mls::group::{Change, Tried};
use crate::mls::policy::Policy;
use crate::wire::Code;
use crate::wire::conversations::{ConversationsRequest, Kind, RosterChange};

/// The two of a direct conversation, in order.
pub(super) fn between(one: &UserName, other: &UserName) -> Kind {
    let (one, other) = (one.clone(), other.clone());
    if one <= other { Kind::Direct(one, other) } else { Kind::Direct(other, one) }
}

impl Conversations {
    /// The conversation with this person, if there is one that can be written in, or is being founded.
    pub(super) fn direct(&self, with: &UserName) -> Option<ConversationId> {
        let kind = between(&self.own.user, with);
        let is_alive =
            |one: &Conversation| one.known.kind == kind && !matches!(one.known.phase, Phase::Out | Phase::Broken);
        self.all.iter().find(|(_, one)| is_alive(one)).map(|(id, _)| *id)
    }

    /// Goes one step on towards the conversations that are wished for; whether there was one to go.
    pub(super) fn found_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let lacks = |to: &UserName| match self.direct(to).and_then(|id| self.all.get(&id)) {
            None => !self.existing.contains(to),
            Some(one) => one.known.phase == Phase::Founding && one.known.pending.is_none(),
        };
        let user = |one: &Outgoing| if let To::User(user) = &one.to { Some(user.clone()) } else { None };
        let wanted: BTreeSet<UserName> = self.outgoing.values().filter_map(user).filter(|to| lacks(to)).collect();
        wanted.into_iter().any(|with| self.found_with(&with, turn))
    }

    fn found_with(&mut self, with: &UserName, turn: &mut Turn<'_>) -> bool {
        let goal = Goal::Found(with.clone());
        let Some(gathering) = self.gatherings.get(&goal) else {
            self.gather(goal, BTreeSet::from([with.clone(), self.own.user.clone()]), None);
            return true;
        };
        let changed = gathering.changed;
        match self.gather_next(&goal) {
            Progress::Waits => return false,
            Progress::Moved => return true,
            Progress::Whole => {}
        }
        // With themselves somebody may have one device alone.
        let has = self.gatherings.get(&goal).is_some_and(|gathering| gathering.has(with));
        if !has && *with != self.own.user {
            self.cannot(&goal, if changed { NotSent::Changed } else { NotSent::Nobody });
            return true;
        }
        let kind = between(&self.own.user, with);
        let Kind::Direct(one, other) = kind.clone() else { return false };
        match self.direct(with) {
            None => drop(self.found(&goal, kind, &Policy::Direct(one, other), turn)),
            Some(id) if self.is_founding(id) => return false,
            Some(id) if self.founded.contains(&id) => return self.add_all(id, &goal, turn),
            Some(id) => self.ask_found(id, kind, goal),
        }
        true
    }

    /// Whether the relay was asked to begin it.
    pub(super) fn is_founding(&self, id: ConversationId) -> bool {
        self.asks.has(|wish| matches!(wish, Wish::Found(asked, _) if *asked == id))
    }

    /// Begins the group.
    pub(super) fn found(
        &mut self,
        goal: &Goal,
        kind: Kind,
        policy: &Policy,
        turn: &mut Turn<'_>,
    ) -> Option<ConversationId> {
        let member = self.member.clone()?;
        let id = ConversationId::draw(turn.rng);
        let Ok(Tried::Done(unkept)) = member.found(&id.0, policy, &self.beliefs, turn.now.wall, turn.rng) else {
            self.cannot(goal, NotSent::Key);
            return None;
        };
        let (group, _, ()) = self.batch.group(id, unkept);
        let known = Known {
            kind: kind.clone(),
            cursor: 0,
            phase: Phase::Founding,
            chain: Chain::begin(&group.authenticator().unwrap_or_default()),
            pending: None,
            refresh_at: next_refresh(turn),
            voided: 0,
        };
        self.all.insert(id, Conversation::new(known, group));
        self.keep_known(id);
        self.ask_found(id, kind, goal.clone());
        Some(id)
    }

    pub(super) fn ask_found(&mut self, conversation: ConversationId, kind: Kind, goal: Goal) {
        self.request(Wish::Found(conversation, goal), |ask| ConversationsRequest::Found { ask, conversation, kind });
    }

    /// The relay has refused to begin it.
    pub(super) fn found_refused(&mut self, id: ConversationId, goal: &Goal, code: Code) {
        self.forget(id);
        match goal {
            Goal::Found(with) if code == Code::CONVERSATION_EXISTS => {
                // Both have begun, or another device of this user has: its Welcome comes, or came.
                self.gatherings.remove(goal);
                self.existing.insert(with.clone());
            }
            Goal::Errand(number) if code == Code::CONVERSATION_EXISTS => self.name_taken(*number),
            Goal::Found(_) | Goal::Add(_) | Goal::Errand(_) => self.cannot(goal, NotSent::Refused(code)),
        }
    }

    /// Adds everybody; whether there was something to do.
    fn add_all(&mut self, id: ConversationId, goal: &Goal, turn: &mut Turn<'_>) -> bool {
        let packages = self.gatherings.get(goal).map(|gathering| gathering.packages().clone()).unwrap_or_default();
        let (devices, packages): (Vec<DeviceName>, Vec<Vec<u8>>) = packages.into_iter().unzip();
        let change = Change { add: packages, ..Change::default() };
        let roster = RosterChange { add: devices, remove: Vec::new() };
        match self.commit(id, &change, roster, turn) {
            Commit::Waits => return false,
            Commit::Sent => drop(self.gatherings.remove(goal)),
            Commit::Failed => {
                self.forget(id);
                self.cannot(goal, NotSent::Nobody);
            }
        }
        true
    }

    /// A conversation that came to nothing.
    pub(super) fn forget(&mut self, id: ConversationId) {
        self.all.remove(&id);
        self.founded.remove(&id);
        for row in [Row::Conversation(id), Row::Group(id), Row::Tree(id)] {
            self.batch.remove(row);
        }
    }

    /// What is known of it is written down with the batch.
    pub(super) fn keep_known(&mut self, id: ConversationId) {
        if let Some(one) = self.all.get(&id) {
            self.batch.put(Row::Conversation(id), encode(&one.known));
        }
    }
}
