//! Decides which values keys have that are numbers, times, and words of a list.
//!
//! - [`names`]: addresses, a server, a realm, what is logged; [`reach`]: networks and ports for direct connections.

pub mod names;
pub mod reach;

use std::time::Duration;

use super::given::Given;
use super::key::{Kind, Literal, Wrong};
use crate::args::duration;

/// A whole number within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The least.
    pub min: usize,
    /// The greatest.
    pub max: usize,
}

impl Kind for Whole {
    type Value = usize;

    fn read(&self, given: &Given) -> Result<usize, Wrong> {
        let whole = given.whole().and_then(|whole| usize::try_from(whole).ok()).ok_or(Wrong::Kind)?;
        if (self.min..=self.max).contains(&whole) { Ok(whole) } else { Err(Wrong::Kind) }
    }

    fn write(&self, value: &usize) -> Literal {
        Literal::Whole(*value)
    }

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
}

/// A length of time within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Kind for Time {
    type Value = Duration;

    fn read(&self, given: &Given) -> Result<Duration, Wrong> {
        let time = given.text().and_then(|text| duration(text).ok()).ok_or(Wrong::Kind)?;
        if (self.min..=self.max).contains(&time) { Ok(time) } else { Err(Wrong::Kind) }
    }

    fn write(&self, value: &Duration) -> Literal {
        Literal::Text(in_words(*value))
    }

    fn allowed(&self) -> String {
        format!("a time from \"{}\" to \"{}\" (a number and s, m, h or d)", in_words(self.min), in_words(self.max))
    }
}

/// A length of time, or `auto` for one that the program chooses.
#[derive(Clone, Copy, Debug)]
pub struct AutoTime(pub Time);

impl Kind for AutoTime {
    type Value = Option<Duration>;

    fn read(&self, given: &Given) -> Result<Option<Duration>, Wrong> {
        if given.text() == Some("auto") { Ok(None) } else { self.0.read(given).map(Some) }
    }

    fn write(&self, value: &Option<Duration>) -> Literal {
        Literal::Text(value.map_or_else(|| "auto".to_owned(), in_words))
    }

    fn allowed(&self) -> String {
        format!("\"auto\" or {}", self.0.allowed())
    }
}

/// One of some words, each with what it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, given: &Given) -> Result<T, Wrong> {
        let found = self.0.iter().find(|(word, _)| given.text() == Some(word));
        found.map(|(_, meaning)| *meaning).ok_or(Wrong::Kind)
    }

    fn write(&self, value: &T) -> Literal {
        let word = self.0.iter().find(|(_, meaning)| meaning == value).map(|(word, _)| *word);
        Literal::Text(word.unwrap_or_default().to_owned())
    }

    fn allowed(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        words.join(" or ")
    }
}

/// A length of time as it is read: in the largest unit of which it has at least two.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm')];
    let fitting = units.into_iter().find(|(each, _)| seconds.is_multiple_of(*each) && seconds / each >= 2);
    let (each, unit) = fitting.unwrap_or((1, 's'));
    format!("{}{unit}", seconds / each)
}

#[cfg(test)]
mod tests;
