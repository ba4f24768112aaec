//! How this device comes in that somebody adds: by a Welcome that was sealed for one of its key packages.

use super::chain::Chain;
use super::contract::{Said, Unreadable};
use super::gathering::Goal;
use super::one::{Conversation, Known, Phase, id_of};
use super::refresh::refresh_after_join;
use super::taking::{Taken, is_same};
use super::{Conversations, Turn};
use crate::id::DeviceName;
use crate::mls::group::{Tried, Unkept};
use crate::mls::member::Member;
use crate::mls::policy::Policy;
use crate::wire::conversations::{Kind, Posted};

impl Conversations {
    /// This device was added.
    pub(super) fn welcomed(
        &mut self,
        posted: &Posted,
        (kind, epoch): (&Kind, u64),
        roster: &[DeviceName],
        welcome: &[u8],
        turn: &mut Turn<'_>,
    ) -> Taken {
        let package = Member::welcomed(welcome).ok().and_then(|references| {
            references.into_iter().find_map(|reference| self.packages.get(&reference).map(|one| one.secrets.clone()))
        });
        let joined = match (&self.member, package.clone()) {
            (Some(member), Some(secrets)) => Some(member.join(welcome, secrets, &self.beliefs, turn.rng)),
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
            voided: 0,
        };
        match unkept {
            Some(unkept) => self.enter(posted, (known, epoch), unkept, roster, turn),
            None => self.stay_out(posted, known, Unreadable::Welcome),
        }
        Taken::Done
    }

    fn enter(
        &mut self,
        posted: &Posted,
        (mut known, epoch): (Known, u64),
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
            (Kind::Room, Some(Policy::Room(room))) => !room.is_open(),
            (Kind::Open(name), Some(Policy::Room(room))) => room.is_open() && *name == room.name,
            (Kind::Direct(..) | Kind::Room | Kind::Open(_), _) => false,
        };
        let (true, Some(true), Ok(authenticator)) =
            (is_fit, id_of(&group).map(|named| named == id), group.authenticator())
        else {
            self.forget_secrets(id);
            return self.stay_out(posted, known, Unreadable::Welcome);
        };
        known.chain = Chain::begin(&authenticator);
        known.voided = epoch.saturating_sub(group.epoch());
        if let Kind::Direct(one, other) = &known.kind {
            let with = if *one == self.own.user { other } else { one };
            self.existing.remove(with);
            self.gatherings.remove(&Goal::Found(with.clone()));
        }
        self.all.insert(id, Conversation::new(known, group));
        self.is_in(posted, roster, turn);
    }

    /// This device is in from here on, with these, as the relay has said.
    pub(super) fn is_in(&mut self, posted: &Posted, roster: &[DeviceName], turn: &mut Turn<'_>) {
        let id = posted.conversation;
        let Some(one) = self.all.get_mut(&id) else { return };
        let with: Vec<_> = one.certificates.iter().map(|(name, certificate)| (name.clone(), *certificate)).collect();
        one.known.phase = Phase::In;
        one.known.refresh_at = refresh_after_join(with.len(), turn);
        self.meet(with.iter().map(|(name, certificate)| (name, certificate)), turn);
        self.keep_room(id);
        self.look_at_members(id, turn.now);
        // Who else is in it, and that it is what the relay has said.
        let members: Vec<DeviceName> = with.into_iter().map(|(name, _)| name).collect();
        let declared = is_same(&members, roster);
        let entry = self.entry(posted, posted.by.clone(), Said::Joined { members, declared });
        self.errands_done(id, entry.as_ref());
        self.advance(posted);
    }

    fn stay_out(&mut self, posted: &Posted, known: Known, why: Unreadable) {
        let id = posted.conversation;
        self.all.insert(id, Conversation::without_group(known));
        self.entry(posted, posted.by.clone(), Said::Unreadable(why));
        self.advance(posted);
    }
}
