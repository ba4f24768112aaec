//! Decides whether a run is the same run twice, and if not, which event was the first to differ.

use std::fmt;

use crate::config::SimConfig;
use crate::run;
use crate::trace::{Comparison, Keep, Trace};

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first step that differs, counted from 0.
    pub step: u64,
    /// That step in the one and in the other.
    pub events: [Happened; 2],
}

/// What one of the runs did at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When, and the event, cut short; nothing, if the run was over.
    pub event: Option<String>,
    /// Its line in the story, if it has one.
    pub line: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two runs differ from step {} on", self.step)?;
        for (which, happened) in ["first", "second"].into_iter().zip(&self.events) {
            write!(f, "\n  the {which}: {}", happened.event.as_deref().unwrap_or("is over"))?;
            if let Some(line) = &happened.line {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

/// Runs a configuration twice: the hash of both, or where they part.
pub fn twice(config: &SimConfig) -> Result<String, Difference> {
    pair([config, config])
}

/// Runs two configurations: the hash of both, or where they part.
pub fn pair(configs: [&SimConfig; 2]) -> Result<String, Difference> {
    let keep = Keep { story: true, steps: true };
    let [first, second] = configs.map(|config| run::watch(config, keep));
    compare(first.trace(), second.trace())
}

/// Compares two runs that kept all.
fn compare(first: &Trace, second: &Trace) -> Result<String, Difference> {
    let step = match first.compare(second) {
        Comparison::Same => return Ok(first.hex_so_far()),
        Comparison::DiffersAt(step) => step,
        // Both kept their steps; if that were not so, the whole run is what differs.
        Comparison::DiffersSomewhere => 0,
    };
    Err(Difference { step, events: [first, second].map(|trace| happened(trace, step)) })
}

fn happened(trace: &Trace, step: u64) -> Happened {
    let line = trace.story().find(|line| line.step == step).map(|line| line.text.trim_start().to_owned());
    Happened { event: trace.event(step).map(str::to_owned), line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SimConfig {
        SimConfig { devices: 2, storm_s: 5, end_ms: 5_000, away_h: 0, ..SimConfig::draw(3).without_faults() }
    }

    #[test]
    fn a_run_is_the_same_twice() {
        assert_eq!(twice(&config()), Ok(run::run(&config(), Keep::default()).hash));
    }

    #[test]
    fn the_first_step_that_differs_is_named_with_both_events_and_what_was_before_it_is_not() {
        // Something that is not drawn from the seed: the second run is one in which the network is slower.
        let slower = SimConfig { latency_max_us: config().latency_max_us + 300_000, ..config() };
        let difference = pair([&config(), &slower]).expect_err("two networks");
        let [one, other] = &difference.events;
        assert!(difference.step > 0 && one != other, "{difference}");
        assert!(one.event.is_some() && other.event.is_some(), "{difference}");
        let words = difference.to_string();
        assert!(
            words.starts_with(&format!("two runs differ from step {} on\n  the first: ", difference.step)),
            "{words}"
        );
        // The steps before it are the same.
        let keep = Keep { story: true, steps: true };
        let [first, second] = [&config(), &slower].map(|config| run::watch(config, keep));
        let same = |step| first.trace().event(step) == second.trace().event(step);
        assert!((0..difference.step).all(same));
    }

    #[test]
    fn a_run_that_is_over_earlier_is_said_to_be_over() {
        let shorter = SimConfig { end_ms: 4_000, ..config() };
        let difference = pair([&config(), &shorter]).expect_err("one is longer");
        assert_eq!(difference.events[1], Happened { event: None, line: None });
        assert!(difference.to_string().ends_with("the second: is over"), "{difference}");
    }

    #[test]
    fn a_step_with_a_line_in_the_story_is_told_in_its_words() {
        let words = |text: &str| {
            let mut trace = Trace::new(Keep { story: true, steps: true });
            trace.step(1, "same", &[]);
            trace.step(2, text, &[]);
            trace.describe(2, &text);
            trace.tell(|| format!("  alice {text}"));
            trace
        };
        let difference = compare(&words("comes"), &words("goes")).expect_err("two stories");
        assert_eq!(difference.step, 1);
        let expected = "two runs differ from step 1 on\n  the first: at 0.000002: \"comes\"\n    alice comes\n  the second: at 0.000002: \"goes\"\n    alice goes";
        assert_eq!(difference.to_string(), expected);
    }
}
