//! When a device gives itself new keys in a conversation, and removes those who were revoked.
//!
//! - Soon after it has joined, and every so often: whoever has stolen its keys reads nothing that comes after (RFC 9420 §16.6).
//! - When it has a newer certificate, so that the old one's end ends nothing.
//! - When a device in it was revoked: nobody writes before it is out (design 6). The device at the lowest place begins;
//!   the others wait their turn, for the first commit of an epoch wins.

use std::time::Duration;

use super::committing::Commit;
use super::one::{Conversation, Phase};
use super::{Conversations, Turn, rooms};
use crate::id::{ConversationId, DeviceName};
use crate::limits::{REFRESH_AFTER_JOIN, REFRESH_SPAN, REMOVAL_TURN};
use crate::mls::group::Change;
use crate::time::{Instant, Now, Wall};
use crate::tls::CertRefusal;
use crate::wire::conversations::RosterChange;

impl Conversations {
    /// Who is in a conversation and was revoked, or leaves it.
    fn unwelcome_in(&self, one: &Conversation, now: Wall) -> Vec<DeviceName> {
        let is_revoked = |certificate| matches!(self.beliefs.of(certificate, now), Some(Err(CertRefusal::Revoked)));
        let leaves = |user| one.room.as_ref().is_some_and(|room| room.leaving.contains(user));
        let unwelcome = one.certificates.iter().filter(|(name, one)| is_revoked(*one) || leaves(&name.user));
        unwelcome.map(|(name, _)| name.clone()).collect()
    }

    /// Looks for those who were revoked: from now on nothing is sealed where there are any.
    pub(super) fn sweep(&mut self, now: Now) {
        let ids: Vec<ConversationId> = self.all.keys().copied().collect();
        for id in ids {
            self.look_at_members(id, now);
        }
    }

    /// Others are in it now, or believed: whether nobody is in it whom nobody may write to, and when this device removes them.
    pub(super) fn look_at_members(&mut self, id: ConversationId, now: Now) {
        let Some(one) = self.all.get(&id) else { return };
        let names = self.unwelcome_in(one, now.wall);
        let Some(group) = one.group.as_ref().filter(|_| !names.is_empty()) else {
            self.removals.remove(&id);
            return;
        };
        let own = group.own_place();
        let before = group.members().iter().filter(|(place, name)| **place < own && !names.contains(name)).count();
        let turns = u32::try_from(before).unwrap_or(u32::MAX).min(REMOVAL_TURNS_MAX);
        self.removals.entry(id).or_insert_with(|| now.mono.plus(REMOVAL_TURN * turns));
    }

    /// Whether somebody is in it whom nobody may write to.
    pub(super) fn is_held(&self, id: &ConversationId) -> bool {
        self.removals.contains_key(id)
    }

    /// Commits where it is time; whether it did.
    pub(super) fn refresh_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let now = turn.now;
        let is_due = |id: &ConversationId, one: &Conversation| match self.removals.get(id) {
            Some(at) => *at <= now.mono,
            None => one.known.refresh_at <= now.wall,
        };
        let due = self.all.iter().find(|(id, one)| {
            let is_free = one.known.phase == Phase::In && one.known.pending.is_none() && one.group.is_some();
            is_free && is_due(id, one)
        });
        let Some((id, one)) = due.map(|(id, one)| (*id, one)) else { return false };
        let remove = self.unwelcome_in(one, now.wall);
        if remove.is_empty() && self.removals.remove(&id).is_some() {
            return true;
        }
        let is_stale = self.own_certificate.is_some_and(|own| one.certificates.get(&self.own) != Some(&own));
        let renew = self.member.clone().filter(|_| is_stale);
        let roster = RosterChange { add: Vec::new(), remove: remove.clone() };
        let becomes = one.room.as_ref().and_then(|room| rooms::without_left(room, &one.certificates, &remove));
        let change = Change { remove, renew, becomes, ..Change::default() };
        match self.commit(id, &change, roster, turn) {
            Commit::Sent => true,
            Commit::Waits => false,
            Commit::Failed => {
                self.break_off(id);
                true
            }
        }
    }

    /// This device has another certificate: it takes the place of the one before, everywhere.
    pub(super) fn refresh_all(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<ConversationId> = self.all.keys().copied().collect();
        for id in ids {
            let at = turn.now.wall.plus(part_of(REFRESH_AFTER_JOIN, turn));
            if let Some(one) = self.all.get_mut(&id) {
                one.known.refresh_at = one.known.refresh_at.min(at);
                self.keep_known(id);
            }
        }
    }

    /// When a conversation is to be refreshed next.
    pub(super) fn next_due(&self, now: Now) -> Option<Instant> {
        let of = |(id, one): (&ConversationId, &Conversation)| {
            let is_free = one.known.phase == Phase::In && one.known.pending.is_none();
            let at = self.removals.get(id).copied().unwrap_or_else(|| now.when(one.known.refresh_at));
            is_free.then_some(at)
        };
        self.all.iter().filter_map(of).min()
    }
}

/// The next time after this one.
pub(super) fn next_refresh(turn: &mut Turn<'_>) -> Wall {
    turn.now.wall.plus(REFRESH_SPAN + part_of(REFRESH_SPAN / 4, turn))
}

/// The first time after a join: not all who are added at once commit at once.
pub(super) fn refresh_after_join(members: usize, turn: &mut Turn<'_>) -> Wall {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    turn.now.wall.plus(REFRESH_AFTER_JOIN + part_of(REFRESH_AFTER_JOIN.saturating_mul(members) / 4, turn))
}

/// The most turns that a device waits for others to remove somebody.
const REMOVAL_TURNS_MAX: u32 = 8;

/// Some part of a time, by chance.
fn part_of(time: Duration, turn: &mut Turn<'_>) -> Duration {
    let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(turn.rng.next_u64() % whole.max(1))
}
