//! How a conversation between two people begins: whoever writes first founds it and adds all devices of both.
//!
//! ```text
//! Fetch of both (whose devices are believed?) -> Take (their key packages) -> Found -> Commit -> posted: it is there
//!                                                                              | exists: the other was first, and a Welcome comes
//! ```
//!
//! Nothing is kept of it before `Found`; from then on a program that was ended goes on where it was.

use std::collections::{BTreeMap, BTreeSet};

use serde_bytes::ByteBuf;

use super::batch::encode;
use super::chain::Chain;
use super::contract::{NotSent, Row};
use super::one::{Conversation, Known, Pending, Phase, id_of};
use super::{Conversations, Turn, Wish};
use crate::device::Fetched;
use crate::id::{ConversationId, DeviceName, UserName};
use crate::limits::COMMIT_DEVICES_MAX;
use crate::mls::group::{Change, Tried};
use crate::wire::Code;
use crate::wire::conversations::{ConversationsRequest, Kind, RosterChange};

/// What is gathered before a conversation with somebody can begin.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// Whose certificates are still awaited.
    fetching: BTreeSet<UserName>,
    /// Their devices that can be written to.
    devices: BTreeSet<DeviceName>,
    /// Whether somebody else has the name than the one who was met.
    changed: bool,
    /// The key packages, once they were asked for; and whether all have come.
    packages: BTreeMap<DeviceName, Vec<u8>>,
    asked: bool,
    whole: bool,
}

/// The two of a direct conversation, in order.
pub(super) fn between(one: &UserName, other: &UserName) -> Kind {
    let (one, other) = (one.clone(), other.clone());
    if one <= other { Kind::Direct(one, other) } else { Kind::Direct(other, one) }
}

impl Conversations {
    /// The conversation with this person, if there is one that can be written in, or is being founded.
    pub(super) fn direct(&self, with: &UserName) -> Option<ConversationId> {
        let kind = between(&self.own.user, with);
        let alive =
            |one: &Conversation| one.known.kind == kind && !matches!(one.known.phase, Phase::Out | Phase::Broken);
        self.all.iter().find(|(_, one)| alive(one)).map(|(id, _)| *id)
    }

    /// Goes one step on towards the conversations that are wished for; whether there was one to go.
    pub(super) fn found_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let lacks = |to: &UserName| match self.direct(to).and_then(|id| self.all.get(&id)) {
            None => !self.existing.contains(to),
            Some(one) => one.known.phase == Phase::Founding && one.known.pending.is_none(),
        };
        let Some(with) = self.outgoing.values().map(|one| &one.to).find(|to| lacks(to)).cloned() else { return false };
        let Some(gathering) = self.gatherings.get_mut(&with) else {
            let fetching = BTreeSet::from([with.clone(), self.own.user.clone()]);
            self.fetches.extend(fetching.iter().cloned());
            self.gatherings.insert(with, Gathering { fetching, ..Gathering::default() });
            return true;
        };
        if !gathering.fetching.is_empty() || gathering.asked && !gathering.whole {
            return false;
        }
        if !gathering.asked {
            gathering.asked = true;
            let of: Vec<DeviceName> = gathering
                .devices
                .iter()
                .filter(|device| **device != self.own)
                .take(COMMIT_DEVICES_MAX)
                .cloned()
                .collect();
            if with == self.own.user && of.is_empty() {
                // With themselves, on their only device.
                gathering.whole = true;
                return true;
            }
            let why = if gathering.changed { NotSent::Changed } else { NotSent::Nobody };
            if !of.iter().any(|device| device.user == with) {
                self.cannot(&with, why);
                return true;
            }
            let ask = self.ask(Wish::Take(with));
            self.batch.then().requests.push(ConversationsRequest::Take { ask, of });
            return true;
        }
        match self.direct(&with) {
            None => self.found(&with, turn),
            Some(id) if self.asks.values().any(|wish| matches!(wish, Wish::Found(asked, _) if *asked == id)) => {
                return false;
            }
            Some(id) if self.founded.contains(&id) => return self.add_all(id, &with, turn),
            Some(id) => self.ask_found(id, with),
        }
        true
    }

    /// Somebody's certificates have come, or there is no such person.
    pub(in crate::device) fn fetched(&mut self, user: &UserName, fetched: &[Fetched], turn: &mut Turn<'_>) {
        let (good, changed) = self.believe_fetched(fetched, turn);
        for (with, gathering) in &mut self.gatherings {
            if gathering.fetching.remove(user) {
                gathering.devices.extend(good.iter().cloned());
                gathering.changed |= changed && user == with;
            }
        }
        self.work(turn);
    }

    /// The relay has nobody of this name.
    pub(in crate::device) fn unfetched(&mut self, user: &UserName, code: Code, turn: &mut Turn<'_>) {
        let whom: Vec<UserName> = self
            .gatherings
            .iter()
            .filter(|(_, one)| one.fetching.contains(user))
            .map(|(with, _)| with.clone())
            .collect();
        whom.iter().for_each(|with| self.cannot(with, NotSent::Refused(code)));
        self.work(turn);
    }

    /// A key package that was asked for.
    pub(super) fn package(&mut self, with: &UserName, device: DeviceName, package: Option<ByteBuf>, more: bool) {
        let Some(gathering) = self.gatherings.get_mut(with) else { return };
        let owner = |bytes: &ByteBuf| self.member.as_ref().and_then(|member| member.owner(bytes).ok());
        // Whose it is, it says itself, and the commit finds out whether that is to be believed.
        if let Some(bytes) = package.filter(|bytes| owner(bytes).as_ref() == Some(&device))
            && gathering.devices.contains(&device)
        {
            gathering.packages.insert(device, bytes.into_vec());
        }
        gathering.whole |= !more;
        if gathering.whole && with != &self.own.user && !gathering.packages.keys().any(|device| device.user == *with) {
            self.cannot(&with.clone(), NotSent::Nobody);
        }
    }

    fn cannot(&mut self, with: &UserName, why: NotSent) {
        self.gatherings.remove(with);
        self.give_up_all(with, why);
    }

    /// Begins the group.
    fn found(&mut self, with: &UserName, turn: &mut Turn<'_>) {
        let Some(member) = self.member.clone() else { return };
        let id = ConversationId::draw(turn.rng);
        let done = member.found(&id.0, &self.beliefs, turn.now.wall, turn.rng);
        let Ok(Tried::Done(unkept)) = done else { return self.cannot(with, NotSent::Key) };
        let (group, _, ()) = self.batch.group(id, unkept);
        let (Some(_), Ok(authenticator)) = (id_of(&group), group.authenticator()) else { return };
        let known = Known {
            kind: between(&self.own.user, with),
            cursor: 0,
            phase: Phase::Founding,
            chain: Chain::begin(&authenticator),
            pending: None,
            refresh_at: self.next_refresh(turn),
        };
        self.all.insert(id, Conversation::new(known, group));
        self.keep_known(id);
        self.ask_found(id, with.clone());
    }

    fn ask_found(&mut self, conversation: ConversationId, with: UserName) {
        let kind = between(&self.own.user, &with);
        let ask = self.ask(Wish::Found(conversation, with));
        self.batch.then().requests.push(ConversationsRequest::Found { ask, conversation, kind });
    }

    /// The relay has refused to begin it.
    pub(super) fn found_refused(&mut self, id: ConversationId, with: &UserName, code: Code) {
        self.forget(id);
        self.gatherings.remove(with);
        if code == Code::CONVERSATION_EXISTS {
            // Both have begun, or another device of this user has: its Welcome comes, or came.
            self.existing.insert(with.clone());
        } else {
            self.give_up_all(with, NotSent::Refused(code));
        }
    }

    /// Adds everybody; whether there was something to do.
    fn add_all(&mut self, id: ConversationId, with: &UserName, turn: &mut Turn<'_>) -> bool {
        let packages = self.gatherings.get(with).map(|gathering| gathering.packages.clone()).unwrap_or_default();
        let (devices, packages): (Vec<DeviceName>, Vec<Vec<u8>>) = packages.into_iter().unzip();
        let change = Change { add: packages, ..Change::default() };
        let roster = RosterChange { add: devices, remove: Vec::new() };
        match self.commit(id, &change, roster, turn) {
            Some(true) => {
                self.gatherings.remove(with);
                true
            }
            // Somebody is judged first.
            Some(false) => false,
            None => {
                self.forget(id);
                self.cannot(with, NotSent::Nobody);
                true
            }
        }
    }

    /// Puts a commit together and sends it: `None` if that can't be, `false` if somebody has to be judged first.
    pub(super) fn commit(
        &mut self,
        id: ConversationId,
        change: &Change,
        roster: RosterChange,
        turn: &mut Turn<'_>,
    ) -> Option<bool> {
        let group = self.all.get(&id)?.group.as_ref()?;
        match group.commit(change, &self.beliefs, turn.now.wall, turn.rng) {
            Ok(Tried::Done(unkept)) => {
                let (group, tree, committed) = self.batch.group(id, unkept);
                let pending = Pending {
                    epoch: group.epoch(),
                    change: roster,
                    commit: ByteBuf::from(committed.commit),
                    welcome: committed.welcome.map(ByteBuf::from),
                };
                let one = self.all.get_mut(&id)?;
                one.set_group(group, tree);
                one.known.pending = Some(pending);
                self.keep_known(id);
                self.send_pending(id);
                Some(true)
            }
            Ok(Tried::Unjudged(unjudged)) => {
                self.judge(&unjudged, turn);
                Some(false)
            }
            Err(_) => None,
        }
    }

    /// Sends this device's commit, or sends it again.
    pub(super) fn send_pending(&mut self, conversation: ConversationId) {
        let Some(pending) = self.all.get(&conversation).and_then(|one| one.known.pending.clone()) else { return };
        let Pending { epoch, change, commit, welcome } = pending;
        let ask = self.ask(Wish::Commit(conversation));
        let request = ConversationsRequest::Commit { ask, conversation, epoch, change, commit, welcome };
        self.batch.then().requests.push(request);
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
