//! Decides how times are counted: in steps of at most 3 % of a time, so that any number of them takes the same little room.

use std::time::Duration;

use serde_json::{Value, json};

/// Steps in which each doubling is cut.
const STEPS: u64 = 32;
/// Doublings from a microsecond on, up to more than a day.
const DOUBLINGS: u64 = 40;

/// Times, by how long they were.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    counts: Vec<u64>,
    all: u64,
    longest: u64,
}

impl Default for Latency {
    fn default() -> Self {
        let steps = usize::try_from(STEPS * DOUBLINGS).unwrap_or_default();
        Self { counts: vec![0; steps], all: 0, longest: 0 }
    }
}

impl Latency {
    /// Counts one.
    pub(super) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        let step = usize::try_from(step(micros)).map_or(last, |step| step.min(last));
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
        self.all += 1;
        self.longest = self.longest.max(micros);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.all
    }

    /// So many of a thousand took no longer than this, in microseconds; nothing where there was none.
    pub(super) fn at(&self, per_mille: u64) -> Option<u64> {
        let wanted = (self.all * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        let end = end(u64::try_from(found).ok()?);
        Some(end.min(self.longest))
    }

    /// For the report.
    pub(super) fn to_json(&self) -> Value {
        json!({ "p50": self.at(500), "p90": self.at(900), "p99": self.at(990), "max": (self.all > 0).then_some(self.longest) })
    }
}

/// In which step so many microseconds are.
fn step(micros: u64) -> u64 {
    if micros < STEPS {
        return micros;
    }
    let doubling = u64::from(micros.ilog2() - STEPS.ilog2());
    // What is left are the bits below the highest, as many as tell steps apart.
    STEPS * (doubling + 1) + ((micros >> doubling) - STEPS)
}

/// The longest time of a step.
fn end(step: u64) -> u64 {
    match (step / STEPS).checked_sub(1) {
        None => step,
        Some(doubling) => ((step % STEPS + STEPS + 1) << doubling) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_to_three_parts_in_a_hundred_and_never_as_less_than_it_was() {
        for micros in (0..200_000).chain([1 << 30, (1 << 40) - 1]) {
            let (told, step) = (end(step(micros)), step(micros));
            assert!(told >= micros && told <= micros + micros / 32, "{micros} is told as {told} in step {step}");
            assert!(step < STEPS * DOUBLINGS);
        }
    }

    #[test]
    fn of_a_hundred_times_the_fiftieth_is_in_the_middle_and_the_longest_is_exact() {
        let mut latency = Latency::default();
        (1..=100).rev().for_each(|n| latency.add(Duration::from_micros(n * 7)));
        let near =
            |told: Option<u64>, micros: u64| told.is_some_and(|told| (micros..=micros + micros / 32).contains(&told));
        assert!(near(latency.at(500), 350) && near(latency.at(900), 630) && near(latency.at(990), 693));
        assert_eq!((latency.at(1000), latency.count()), (Some(700), 100));
    }

    #[test]
    fn of_no_times_nothing_is_told_and_one_that_is_too_long_is_the_last() {
        assert_eq!(Latency::default().at(500), None);
        let mut latency = Latency::default();
        latency.add(Duration::MAX);
        assert!(latency.at(500).is_some());
    }
}
