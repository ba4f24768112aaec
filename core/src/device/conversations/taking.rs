//! What is posted is taken in, one after the other in the relay's order, and acknowledged when it is kept.
//!
//! A place that was taken in before is passed over; one that leaves a gap is the relay's fault, and the connection ends: on the
//! next it posts from the first that is not acknowledged. What can't be opened is an entry that says why.

use std::collections::BTreeSet;

use super::chain::Chain;
use super::content::{Body, Content};
use super::contract::{ConversationEvent, Entry, Order, Said, Unreadable};
use super::gathering::Goal;
use super::one::{Conversation, Known, Phase, id_of};
use super::refresh::{next_refresh, refresh_after_join};
use super::{Conversations, Turn, Wish};
use crate::fault::Fault;
use crate::id::{ConversationId, DeviceName, MessageId};
use crate::mls::group::{Heard, Tried, Unkept};
use crate::mls::member::{Member, MlsFault};
use crate::mls::policy::Policy;
use crate::tls::CertRefusal;
use crate::wire::conversations::{Kind, Posted, RosterChange, What};

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
        if let What::Welcome { kind, roster, welcome, .. } = &posted.what {
            return Ok(self.welcomed(posted, kind, roster, welcome, turn));
        }
        // Of a conversation that this device does not know it has lost what it knew.
        let Some(cursor) = cursor else {
            self.acknowledge(id, posted.place);
            return Ok(Taken::Done);
        };
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
        let opened = one.group.as_ref().map(|group| group.hear(body, &self.beliefs, turn.now.wall, turn.rng));
        let (by, said) = match opened {
            Some(Ok(Tried::Done(unkept))) => {
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
            Some(Ok(Tried::Unjudged(_)) | Err(_)) | None => (posted.by.clone(), Said::Unreadable(Unreadable::Sealed)),
        };
        one.known.chain.push(body);
        // Whoever was revoked since is not believed any more, although the group has them yet (design 6).
        let believed = one.certificates.get(&by).and_then(|certificate| self.beliefs.of(certificate, turn.now.wall));
        let said = if matches!(believed, Some(Err(CertRefusal::Revoked))) {
            Said::Unreadable(Unreadable::Unbelieved)
        } else {
            said
        };
        self.entry(posted, by, said);
    }

    fn own_message(&mut self, posted: &Posted, id: MessageId) {
        let Some(outgoing) = self.posted_own(id) else { return };
        let Some(one) = self.all.get_mut(&posted.conversation) else { return };
        one.known.chain.push(outgoing.body().unwrap_or_default());
        let (written, text) = outgoing.said();
        let what = Said::Text { id, written, text: text.to_owned(), order: Order::Same };
        let entry = entry_of(&one.known.kind, posted, self.own.clone(), what);
        self.batch.entry(entry.clone());
        let event = match outgoing.send {
            Some(send) => ConversationEvent::Sent(send, entry),
            None => ConversationEvent::Entry(entry),
        };
        self.batch.then().events.push(event);
    }

    fn committed(&mut self, posted: &Posted, change: &RosterChange, commit: &[u8], turn: &mut Turn<'_>) -> Taken {
        let id = posted.conversation;
        let Some(one) = self.all.get(&id) else { return Taken::Done };
        let opened = one.group.as_ref().map(|group| group.hear(commit, &self.beliefs, turn.now.wall, turn.rng));
        match opened {
            Some(Ok(Tried::Unjudged(unjudged))) => {
                self.judge(&unjudged, turn);
                return Taken::Waits;
            }
            Some(Ok(Tried::Done(unkept))) => self.changed(posted, change, unkept, turn),
            Some(Err(fault)) => self.cannot_follow(posted, &fault),
            None => {}
        }
        self.advance(posted);
        Taken::Done
    }

    fn own_commit(&mut self, posted: &Posted, epoch: u64, turn: &mut Turn<'_>) -> Taken {
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
        let (epoch, authenticator) = (group.epoch(), group.authenticator());
        let Some(one) = self.all.get_mut(&id) else { return };
        one.set_group(group, tree);
        let missed = one.known.pending.take().map(|pending| pending.change.add).unwrap_or_default();
        match heard {
            Heard::Changed { by, came, went } => {
                if let Ok(authenticator) = authenticator {
                    one.known.chain.next_epoch(&authenticator);
                }
                let newcomers: Vec<_> = one
                    .certificates
                    .iter()
                    .filter(|(name, _)| came.contains(name))
                    .map(|(n, c)| (n.clone(), *c))
                    .collect();
                let declared = is_same(&came, &declared.add) && is_same(&went, &declared.remove);
                self.unseal(id, epoch);
                self.look_at_members(id, turn.now);
                // Whom this device would have added if it had been first.
                self.lacking(id, missed);
                self.meet(newcomers.iter().map(|(name, certificate)| (name, certificate)), turn);
                // New keys alone are no news to people.
                if !came.is_empty() || !went.is_empty() || !declared {
                    self.entry(posted, by, Said::Changed { came, went, declared });
                }
            }
            Heard::Removed { by } => {
                let declared = declared.remove.contains(&self.own);
                one.leave(Phase::Out);
                self.forget_secrets(id);
                self.entry(posted, by, Said::Changed { came: Vec::new(), went: vec![self.own.clone()], declared });
            }
            Heard::Said { by, .. } => {
                self.entry(posted, by, Said::Unreadable(Unreadable::Sealed));
            }
        }
    }

    /// This device was added.
    fn welcomed(
        &mut self,
        posted: &Posted,
        kind: &Kind,
        roster: &[DeviceName],
        welcome: &[u8],
        turn: &mut Turn<'_>,
    ) -> Taken {
        let package = Member::welcomed(welcome).ok().and_then(|references| {
            references.into_iter().find_map(|reference| self.packages.get(&reference).map(|one| one.secrets.clone()))
        });
        let joined = match (&self.member, package.clone()) {
            (Some(member), Some(secrets)) => {
                Some(member.join(welcome, secrets, &self.beliefs, turn.now.wall, turn.rng))
            }
            _ => None,
        };
        let unkept = match joined {
            Some(Ok(Tried::Unjudged(unjudged))) => {
                self.judge(&unjudged, turn);
                return Taken::Waits;
            }
            Some(Ok(Tried::Done(unkept))) => Some(unkept),
            Some(Err(_)) | None => None,
        };
        if let Some(package) = package {
            self.package_used(package.reference());
        }
        let known = Known {
            kind: kind.clone(),
            cursor: posted.place,
            phase: Phase::Broken,
            chain: Chain::begin(&[]),
            pending: None,
            refresh_at: turn.now.wall,
        };
        match unkept {
            Some(unkept) => self.enter(posted, known, unkept, roster, turn),
            None => self.stay_out(posted, known, Unreadable::Welcome),
        }
        Taken::Done
    }

    fn enter(
        &mut self,
        posted: &Posted,
        mut known: Known,
        unkept: Unkept<()>,
        roster: &[DeviceName],
        turn: &mut Turn<'_>,
    ) {
        let id = posted.conversation;
        let (group, _, ()) = self.batch.group(id, unkept);
        let members: Vec<DeviceName> = group.members().into_values().collect();
        // What its members have agreed on is what the relay says that it is.
        let is_fit = match (&known.kind, group.policy()) {
            (Kind::Direct(one, other), Some(Policy::Direct(first, second))) => {
                (one, other) == (&first, &second)
                    && members.iter().all(|device| device.user == *one || device.user == *other)
            }
            (Kind::Room, Some(Policy::Room(_))) => true,
            (Kind::Direct(..) | Kind::Room, _) => false,
        };
        let (true, Some(true), Ok(authenticator)) =
            (is_fit, id_of(&group).map(|named| named == id), group.authenticator())
        else {
            self.forget_secrets(id);
            return self.stay_out(posted, known, Unreadable::Welcome);
        };
        known.phase = Phase::In;
        known.chain = Chain::begin(&authenticator);
        known.refresh_at = refresh_after_join(members.len(), turn);
        if let Kind::Direct(one, other) = &known.kind {
            let with = if *one == self.own.user { other } else { one };
            self.existing.remove(with);
            self.gatherings.remove(&Goal::Found(with.clone()));
        }
        let one = Conversation::new(known, group);
        let with: Vec<_> = one.certificates.iter().map(|(name, certificate)| (name.clone(), *certificate)).collect();
        self.all.insert(id, one);
        self.meet(with.iter().map(|(name, certificate)| (name, certificate)), turn);
        // Who else is in it, and that it is what the relay has said.
        let declared = is_same(&members, roster);
        self.entry(posted, posted.by.clone(), Said::Joined { members, declared });
        self.advance(posted);
    }

    fn stay_out(&mut self, posted: &Posted, known: Known, why: Unreadable) {
        let id = posted.conversation;
        self.all.insert(id, Conversation { known, group: None, certificates: std::collections::BTreeMap::new() });
        self.entry(posted, posted.by.clone(), Said::Unreadable(why));
        self.advance(posted);
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
        self.keep_known(id);
    }

    fn forget_secrets(&mut self, id: ConversationId) {
        self.batch.remove(super::contract::Row::Group(id));
        self.batch.remove(super::contract::Row::Tree(id));
    }

    fn advance(&mut self, posted: &Posted) {
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

    fn entry(&mut self, posted: &Posted, by: DeviceName, what: Said) {
        let Some(one) = self.all.get(&posted.conversation) else { return };
        let entry = entry_of(&one.known.kind, posted, by, what);
        self.batch.entry(entry.clone());
        self.batch.then().events.push(ConversationEvent::Entry(entry));
    }
}

fn entry_of(kind: &Kind, posted: &Posted, by: DeviceName, what: Said) -> Entry {
    let Posted { conversation, place, at, .. } = *posted;
    Entry { conversation, kind: kind.clone(), place, at, by, what }
}

/// What was said, held against what this device has seen before it.
fn read(one: &Conversation, text: &[u8]) -> Said {
    match Content::decode(text) {
        Some(Content { id, written, seen, body: Body::Text(text) }) => {
            Said::Text { id, written, text, order: one.known.chain.compare(&seen) }
        }
        None => Said::Unreadable(Unreadable::Newer),
    }
}

fn is_same(one: &[DeviceName], other: &[DeviceName]) -> bool {
    let set = |names: &[DeviceName]| names.iter().cloned().collect::<BTreeSet<DeviceName>>();
    set(one) == set(other)
}
