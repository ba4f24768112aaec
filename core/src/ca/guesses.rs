//! Whose try at a password is looked at, and when: guessing is slowed down, the owner is not locked out.
//!
//! To look at a password is dear (some twenty milliseconds and megabytes), so each look is paid for before it begins, and by
//! what it could be: a wrong guess. What comes back as right is given back.
//!
//! | who | what they wait for |
//! | --- | --- |
//! | everybody | their address's share: [`PASSWORD_TRIES_MAX`] in [`PASSWORD_TRIES_SPAN`] |
//! | strange addresses | the share of all of them: [`STRETCHES_PER_SECOND`] |
//! | strange addresses, for somebody who is there | a pause that doubles with each try at this name, up to [`GUESS_PAUSE_MAX`] |
//! | one that has tried this name before | a pause of its own that doubles, up to [`GUESS_PAUSE_SAME_MAX`] |
//!
//! An address is strange to a person until one of their devices has been admitted from it, or the right password came from
//! it. So where their devices are nobody else's guessing slows them down; from elsewhere they get their turn among those
//! addresses that have not guessed yet. All of it is in memory: a restart forgets it, and every device that comes back says
//! again where it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::id::UserName;
use crate::limits::{
    GUESS_MEMORY, GUESS_PAUSE_MAX, GUESS_PAUSE_MIN, GUESS_PAUSE_SAME_MAX, GUESSING_SOURCES_MAX, KNOWN_SOURCES_MAX,
    KNOWN_TRIES_MAX, PASSWORD_CHANGES_MAX, PASSWORD_CHANGES_SPAN, PASSWORD_TRIES_MAX, PASSWORD_TRIES_SPAN,
    STRETCHES_AT_ONCE_MAX, STRETCHES_PER_SECOND,
};
use crate::relay::rate::Rate;
use crate::server::Source;
use crate::time::Instant;

const MICRO: u64 = 1_000_000;

/// Why a password is not looked at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotNow {
    /// Too much was tried, from there or at this name: after this long it may be.
    Wait(Duration),
    /// All strangers together try too much.
    Busy,
}

/// What was tried lately.
#[derive(Debug)]
pub(super) struct Guesses {
    by_source: Rate<Source>,
    changes: Rate<UserName>,
    /// Millionths of a look that all strange addresses have left, and since when.
    budget: (u64, Option<Instant>),
    /// Those of people who are there: at most one for each of them.
    people: BTreeMap<UserName, Tries>,
}

/// What was tried at one person's password, and from where they come themselves.
#[derive(Debug, Default)]
struct Tries {
    /// From strange addresses, since the last right one.
    count: u32,
    /// When the last of them was, and when the next may be.
    pause: Option<(Instant, Instant)>,
    /// How often each of the last strange addresses has, and when the next may be. The one that tried longest ago is first.
    strange: VecDeque<(Source, u32, Instant)>,
    /// Where their devices are, and how often in a row the wrong password came from there. The newest is last.
    known: VecDeque<(Source, u32)>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            by_source: Rate::new(PASSWORD_TRIES_MAX, PASSWORD_TRIES_SPAN),
            changes: Rate::new(PASSWORD_CHANGES_MAX, PASSWORD_CHANGES_SPAN),
            budget: (u64::from(STRETCHES_AT_ONCE_MAX) * MICRO, None),
            people: BTreeMap::new(),
        }
    }
}

impl Guesses {
    /// Whether a password from there is looked at now: that of somebody who is there, or of a newcomer. It is paid for.
    pub(super) fn pay(&mut self, whose: Option<&UserName>, from: Source, now: Instant) -> Result<(), NotNow> {
        let knows = whose.is_some_and(|user| self.people.get(user).is_some_and(|tries| tries.knows(from)));
        if let Some(tries) = whose.and_then(|user| self.people.get_mut(user)).filter(|_| !knows) {
            tries.forget(now);
            let wait = tries.wait(from, now);
            if !wait.is_zero() {
                return Err(NotNow::Wait(wait));
            }
        }
        if !self.by_source.allows(&from, now) {
            return Err(NotNow::Wait(PASSWORD_TRIES_SPAN));
        }
        if !knows && !self.pay_from_all(now) {
            return Err(NotNow::Busy);
        }
        if let Some(user) = whose {
            self.people.entry(user.clone()).or_default().charge(from, now);
        }
        Ok(())
    }

    /// The password from there was right: it is their address, and the pauses begin anew.
    pub(super) fn right(&mut self, user: &UserName, from: Source) {
        let tries = self.people.entry(user.clone()).or_default();
        tries.meet(from);
        (tries.count, tries.pause) = (0, None);
        tries.strange.retain(|(source, ..)| *source != from);
    }

    /// One of their devices was admitted from there.
    pub(super) fn seen(&mut self, user: &UserName, from: Source) {
        self.people.entry(user.clone()).or_default().meet(from);
    }

    /// Whether somebody may set their password once more.
    pub(super) fn may_set(&mut self, user: &UserName, now: Instant) -> bool {
        self.changes.allows(user, now)
    }

    /// Pays from what all strange addresses share: it fills by time.
    fn pay_from_all(&mut self, now: Instant) -> bool {
        let (level, since) = self.budget;
        let time = since.map_or(Duration::ZERO, |since| now.since(since));
        let gained =
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX).saturating_mul(u64::from(STRETCHES_PER_SECOND));
        let level = level.saturating_add(gained).min(u64::from(STRETCHES_AT_ONCE_MAX) * MICRO);
        let left = level.checked_sub(MICRO);
        self.budget = (left.unwrap_or(level), Some(now));
        left.is_some()
    }
}

impl Tries {
    fn knows(&self, from: Source) -> bool {
        self.known.iter().any(|(source, _)| *source == from)
    }

    fn meet(&mut self, from: Source) {
        self.known.retain(|(source, _)| *source != from);
        if self.known.len() >= KNOWN_SOURCES_MAX {
            self.known.pop_front();
        }
        self.known.push_back((from, 0));
    }

    /// After a long peace everything begins anew.
    fn forget(&mut self, now: Instant) {
        if self.pause.is_some_and(|(last, _)| now.since(last) >= GUESS_MEMORY) {
            (self.count, self.pause) = (0, None);
            self.strange.clear();
        }
    }

    /// How long a strange address has to wait.
    fn wait(&self, from: Source, now: Instant) -> Duration {
        let all = self.pause.map(|(_, next)| next);
        let own = self.strange.iter().find(|(source, ..)| *source == from).map(|(_, _, next)| *next);
        all.into_iter().chain(own).map(|next| next.since(now)).max().unwrap_or_default()
    }

    fn charge(&mut self, from: Source, now: Instant) {
        if let Some(at) = self.known.iter().position(|(source, _)| *source == from) {
            let is_over = self.known.get_mut(at).is_some_and(|(_, tries)| {
                *tries += 1;
                *tries >= KNOWN_TRIES_MAX
            });
            if is_over {
                self.known.remove(at);
            }
            return;
        }
        self.count = self.count.saturating_add(1);
        self.pause = Some((now, now.plus(pause(self.count, GUESS_PAUSE_MAX))));
        let before =
            self.strange.iter().position(|(source, ..)| *source == from).and_then(|at| self.strange.remove(at));
        let count = before.map_or(0, |(_, count, _)| count).saturating_add(1);
        if self.strange.len() >= GUESSING_SOURCES_MAX {
            self.strange.pop_front();
        }
        self.strange.push_back((from, count, now.plus(pause(count, GUESS_PAUSE_SAME_MAX))));
    }
}

/// The pause after so many tries.
fn pause(count: u32, longest: Duration) -> Duration {
    let doubled = 2_u32.checked_pow(count.saturating_sub(1)).unwrap_or(u32::MAX);
    GUESS_PAUSE_MIN.saturating_mul(doubled).min(longest)
}

#[cfg(test)]
mod tests;
