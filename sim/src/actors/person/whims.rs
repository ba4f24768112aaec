//! Decides what a person feels like: the weights of their acts, their names and their words.

use std::collections::BTreeSet;

use countersign_core::id::{SendId, UserName};
use countersign_core::limits::LINE_BYTES_MAX;

use crate::config::SimConfig;
use crate::rng::{Chooser, Draw};

/// Names that nobody could take for one another.
const NAMES: [&str; 16] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo", "mallory",
    "nina", "oscar", "peggy",
];

/// With this begins the mark that stands in every line, and that nobody may ever read but the two who speak. Nothing
/// else begins so.
pub const CANARY: &str = "quiet-canary-";
/// From here on the texts of the roll call are numbered.
pub const FIRST_PROBE: SendId = SendId(1 << 32);
/// And from here on what is wished of rooms.
pub const FIRST_ERRAND: SendId = SendId(1 << 33);
/// In the mark of what is written stands this beside the device's number.
const WRITTEN: usize = 0x8000;
/// How many bytes of a long line lie between two of its marks, so that a part of it gives itself away as well.
const MARK_EVERY_BYTES: usize = 1_000;

/// What somebody does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// Call somebody.
    Call,
    /// Hang up.
    HangUp,
    /// Ask who there is.
    Who,
    /// Ask for somebody's certificates.
    Fetch,
    /// Leave in good order.
    Quit,
    /// Pull the plug.
    Kill,
}

/// What somebody does about a call that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Take it.
    Accept,
    /// Decline it.
    Decline,
    /// Let it ring.
    Ignore,
}

/// How likely each is.
#[derive(Clone, Copy, Debug)]
pub struct Whims {
    pace_ms: u64,
    weights: [(Whim, u64); 6],
    accept_percent: u64,
    decline_percent: u64,
    lines_max: u64,
    long_line_percent: u64,
}

impl Whims {
    /// The whims of a run's people.
    pub fn of(config: &SimConfig) -> Self {
        Self {
            pace_ms: config.pace_ms,
            weights: [
                (Whim::Call, config.call_weight),
                (Whim::HangUp, config.hang_up_weight),
                (Whim::Who, config.who_weight),
                (Whim::Quit, config.quit_weight),
                (Whim::Kill, config.kill_weight),
                (Whim::Fetch, config.fetch_weight),
            ],
            accept_percent: config.accept_percent,
            decline_percent: config.decline_percent,
            lines_max: config.lines_max,
            long_line_percent: config.long_line_percent,
        }
    }

    /// One of the acts, by weight; who there is, where all weights are zero.
    pub fn draw(&self, rng: &mut dyn Chooser) -> Whim {
        let total: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut place = rng.below(total.max(1));
        for (whim, weight) in self.weights {
            if place < weight {
                return whim;
            }
            place -= weight;
        }
        Whim::Who
    }

    /// Whether somebody pulls the plug in the middle of an enrolment.
    pub fn trips(&self, rng: &mut dyn Chooser) -> bool {
        let kill_weight = self.weights.iter().find(|(whim, _)| *whim == Whim::Kill).map_or(0, |(_, weight)| *weight);
        rng.chance(kill_weight, 24)
    }

    /// How long until the next act, in microseconds.
    pub fn pause_us(&self, calm: bool, rng: &mut dyn Chooser) -> u64 {
        let pause_us = rng.between(1, 2 * self.pace_ms) * 1_000;
        if calm { pause_us.min(500_000) } else { pause_us }
    }

    /// What to do about a call that comes in.
    pub fn answer(&self, calm: bool, rng: &mut dyn Chooser) -> Answer {
        let place = rng.below(100);
        if calm || place < self.accept_percent {
            Answer::Accept
        } else if place < self.accept_percent + self.decline_percent {
            Answer::Decline
        } else {
            Answer::Ignore
        }
    }

    /// How many lines to say in a call.
    pub fn lines(&self, rng: &mut dyn Chooser) -> u64 {
        rng.between(0, self.lines_max)
    }

    /// Whom to call: mostly somebody who is known, now and then oneself or nobody at all.
    pub fn target(&self, known: &BTreeSet<UserName>, rng: &mut dyn Chooser) -> Option<UserName> {
        let known: Vec<&UserName> = known.iter().collect();
        let (odd, user) = (rng.chance(1, 30), rng.pick(&known).copied().cloned());
        if odd { Some(name("nobody")) } else { user }
    }

    /// A line that nobody else ever says: who, the how-manieth, a mark made of both, and some words; sometimes many, always if
    /// it is to be long.
    ///
    /// # Panics
    /// If it is longer than a line may be, which the lengths below rule out.
    pub fn text(&self, number: usize, count: u64, long: bool, rng: &mut dyn Chooser) -> String {
        const WORDS: [&str; 8] = ["hello", "good morning", "did you see it", "na schön", "ça va", "да", "いいね", "🙂"];
        let mark = format!("{CANARY}{number:04x}{count:012x}");
        let mut text = format!("{number}-{count} {mark}:");
        let mut marked = text.len();
        let (drawn_long, short_bytes, long_bytes) =
            (rng.chance(self.long_line_percent, 100), rng.between(0, 60), rng.between(1_000, 16_000));
        let wanted = if long {
            16_000
        } else if drawn_long {
            long_bytes
        } else {
            short_bytes
        };
        let wanted = usize::try_from(wanted).unwrap_or(0);
        while text.len() < wanted {
            text.push(' ');
            text.push_str(rng.pick(&WORDS).unwrap_or(&"hello"));
            if text.len() > marked + MARK_EVERY_BYTES {
                text.push(' ');
                text.push_str(&mark);
                marked = text.len();
            }
        }
        assert!(text.len() <= LINE_BYTES_MAX, "a person said more than fits a line");
        text
    }
}

/// A text that somebody writes, by which device and the how-manieth, with at least so many bytes: marked as lines are, and
/// by a mark that no line has.
pub fn written(device: usize, count: u64, bytes: usize) -> String {
    let mark = format!("{CANARY}{:04x}{count:012x}", WRITTEN | device);
    let mut text = format!("{device}.{count} {mark}:");
    while text.len() < bytes {
        let rest = (bytes - text.len()).min(MARK_EVERY_BYTES);
        text.push_str(&"~".repeat(rest));
        if text.len() + mark.len() < bytes {
            text.push_str(&mark);
        }
    }
    text
}

/// The names that a run's people wish for, and would call.
pub fn everybody(config: &SimConfig) -> BTreeSet<UserName> {
    NAMES.iter().take(usize::try_from(config.devices).unwrap_or(NAMES.len())).map(|text| name(text)).collect()
}

/// The name that a person wishes for: their own, or in some runs somebody else's or one that looks like it.
pub fn wished_name(config: &SimConfig, number: usize, rng: &mut dyn Chooser) -> UserName {
    let (rival, look_alike) = (rng.chance(config.rival_percent, 100), rng.chance(1, 2));
    let own = NAMES.get(number).copied().unwrap_or("quentin");
    match number.checked_sub(1).and_then(|before| NAMES.get(before)).filter(|_| rival) {
        Some(other) if look_alike => name(&other.replace('l', "1").replace('o', "0")),
        Some(other) => name(other),
        None => name(own),
    }
}

/// A name that nobody else wishes for, and another one each time.
pub fn other_name(number: usize, time: u64) -> UserName {
    let own = NAMES.get(number).copied().unwrap_or("quentin");
    // Neither 0 nor 1: they would look like letters.
    let mark: String = "x".repeat(usize::try_from(time).unwrap_or(usize::MAX).min(20));
    name(&format!("{own}-{mark}"))
}

fn name(text: &str) -> UserName {
    UserName::parse(text).expect("the names of the simulator's people are valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;

    #[test]
    fn no_two_people_have_names_that_look_alike_however_often_they_change_them() {
        let mut seen = BTreeSet::new();
        for number in 0..NAMES.len() {
            for time in 1..=8 {
                assert!(seen.insert(other_name(number, time).skeleton()));
            }
            assert!(seen.insert(name(NAMES.get(number).expect("in range")).skeleton()));
        }
    }

    #[test]
    fn a_weight_of_zero_is_never_drawn_and_every_other_one_is() {
        let mut config = SimConfig::draw(1);
        (config.call_weight, config.hang_up_weight, config.who_weight) = (5, 5, 5);
        (config.quit_weight, config.kill_weight) = (1, 0);
        let (whims, rng) = (Whims::of(&config), &mut Streams::new(1).stream("whims"));
        let drawn: Vec<Whim> = (0..1_000).map(|_| whims.draw(rng)).collect();
        for whim in [Whim::Call, Whim::HangUp, Whim::Who, Whim::Quit] {
            assert!(drawn.contains(&whim), "{whim:?}");
        }
        assert!(!drawn.contains(&Whim::Kill));
    }

    #[test]
    fn a_rival_wishes_for_the_name_before_theirs() {
        let config = SimConfig { rival_percent: 100, ..SimConfig::draw(1) };
        let rng = &mut Streams::new(1).stream("names");
        assert_eq!(wished_name(&config, 0, rng), name("alice"));
        for _ in 0..20 {
            assert_eq!(wished_name(&config, 1, rng).skeleton(), "alice");
        }
    }
}
