//! Decides how soon guessers may have their tries looked at: what they share, and the pauses for a name and an address.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use countersign_core::id::UserName;
use countersign_core::limits::{
    GUESS_MEMORY, GUESS_PAUSE_MAX, GUESS_PAUSE_MIN, GUESS_PAUSE_SAME_MAX, GUESSING_SOURCES_MAX, PASSWORD_TRIES_MAX,
    PASSWORD_TRIES_SPAN, STRETCHES_AT_ONCE_MAX, STRETCHES_PER_SECOND,
};

/// A look, in millionths.
const LOOK: u64 = 1_000_000;

/// A try at a name, from the address of this number.
#[derive(Clone, Debug)]
pub(super) struct Try {
    pub(super) user: UserName,
    pub(super) source: u8,
}

/// From where somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// From the address of a device of this number.
    Home(usize),
    /// From that of a villain.
    Stranger(u8),
}

/// The looks that guessers have had since the server started.
#[derive(Debug)]
pub(super) struct Pace {
    /// What is left of what all strangers share, in millionths of a look, and since when.
    left: u64,
    filled_us: u64,
    /// When each address's were, within the span.
    by_source: BTreeMap<u8, VecDeque<u64>>,
    people: BTreeMap<UserName, Person>,
}

/// The looks at one person's password.
#[derive(Debug, Default)]
struct Person {
    /// Since when the pauses for everybody count, how many there were since, and when the last was.
    since_us: Option<u64>,
    all: Series,
    by_source: BTreeMap<u8, Series>,
    /// From where anybody has tried. The server remembers a few.
    places: BTreeSet<Place>,
}

/// Looks with pauses between them.
#[derive(Clone, Copy, Debug, Default)]
struct Series {
    count: u32,
    last_us: u64,
}

impl Default for Pace {
    fn default() -> Self {
        let left = u64::from(STRETCHES_AT_ONCE_MAX) * LOOK;
        Self { left, filled_us: 0, by_source: BTreeMap::new(), people: BTreeMap::new() }
    }
}

impl Pace {
    /// Somebody is about to try a password at this name.
    pub(super) fn comes(&mut self, user: &UserName, from: Place) {
        self.people.entry(user.clone()).or_default().places.insert(from);
    }

    /// The right password of somebody came: the pauses for everybody begin anew, and hold no earlier look against anybody.
    pub(super) fn right(&mut self, user: &UserName, at_us: u64) {
        let person = self.people.entry(user.clone()).or_default();
        (person.since_us, person.all) = (Some(at_us), Series::default());
    }

    /// A guesser had a look, which began then.
    pub(super) fn looked_at(&mut self, tried: &Try, begun_us: u64) -> Result<(), String> {
        self.share(begun_us)?;
        let Try { user, source } = tried;
        let of_source = self.by_source.entry(*source).or_default();
        let span_us = micros(PASSWORD_TRIES_SPAN);
        of_source.retain(|at_us| begun_us < at_us + span_us);
        of_source.push_back(begun_us);
        // The server counts in spans that follow each other, so two of them may meet.
        if of_source.len() > 2 * usize::try_from(PASSWORD_TRIES_MAX).unwrap_or(0) {
            return Err(format!("address {source} has had {} passwords looked at within a span", of_source.len()));
        }
        let person = self.people.entry(user.clone()).or_default();
        if begun_us.saturating_sub(person.all.last_us) >= nearly(GUESS_MEMORY) {
            (person.all, person.by_source) = (Series::default(), BTreeMap::new());
        }
        if person.since_us.is_none_or(|since_us| begun_us > since_us) {
            person.all.next(begun_us, GUESS_PAUSE_MAX).map_err(|(count, pause_us)| {
                format!("try {count} at the password of {user} is looked at after {pause_us} us")
            })?;
        }
        let is_remembered = person.places.len() <= GUESSING_SOURCES_MAX;
        let own = person.by_source.entry(*source).or_default().next(begun_us, GUESS_PAUSE_SAME_MAX);
        own.or_else(|(count, pause_us)| {
            let words = format!("try {count} from address {source} at the password of {user} is looked at after");
            if is_remembered { Err(format!("{words} {pause_us} us")) } else { Ok(()) }
        })
    }

    /// One look more of what all strangers share.
    fn share(&mut self, at_us: u64) -> Result<(), String> {
        // A clock may run a little faster than the world's.
        let gained = at_us.saturating_sub(self.filled_us) * u64::from(STRETCHES_PER_SECOND) * 101 / 100;
        let left = (self.left + gained).min(u64::from(STRETCHES_AT_ONCE_MAX) * LOOK);
        self.filled_us = at_us;
        self.left = left.checked_sub(LOOK).ok_or("strangers have more passwords looked at than all of them may")?;
        Ok(())
    }
}

impl Series {
    /// The next look: how many there were with it and after which pause, if that was too short.
    fn next(&mut self, at_us: u64, longest: Duration) -> Result<(), (u32, u64)> {
        let doubled = 2_u32.checked_pow(self.count.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = GUESS_PAUSE_MIN.saturating_mul(doubled).min(longest);
        let had_us = at_us.saturating_sub(self.last_us);
        let is_first = self.count == 0;
        (self.count, self.last_us) = (self.count.saturating_add(1), at_us);
        if is_first || had_us >= nearly(pause) { Ok(()) } else { Err((self.count, had_us)) }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// So long, by a clock that runs a little faster than the world's.
fn nearly(time: Duration) -> u64 {
    micros(time) / 100 * 99
}
