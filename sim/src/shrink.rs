//! Cuts a failing configuration down to what its failure needs: shorter, fewer people, faults and actions off, smaller
//! numbers, and kept only as long as the same oracle objects or the same place panics.

use crate::config::SimConfig;
use crate::failure::Failure;

/// Runs a configuration: its failure, if it has one.
pub type Runner<'a> = dyn Fn(&SimConfig) -> Option<Failure> + 'a;

/// What is never cut by turning it off: who the run is, how long it is, and what has a least value of its own.
const KEPT: [&str; 11] = [
    "seed",
    "devices",
    "storm_s",
    "end_ms",
    "segments_max",
    "pace_ms",
    "meddle_mean_bytes",
    "slow_read_bytes_max",
    "crowd_sources",
    "strangers_max",
    "key_operations",
];

/// How many runs it takes at most to make one number smaller.
const LOWER_RUNS: usize = 6;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The smallest failure that was found: the one that it began with, if nothing could be cut.
    pub failure: Failure,
    /// How many runs it took.
    pub runs: u64,
}

/// Cuts a failure in at most so many runs, and says what it does, a line each.
pub fn shrink(failure: &Failure, runs_max: u64, run: &Runner<'_>, say: &mut dyn FnMut(&str)) -> Cut {
    let mut shrinker = Shrinker { best: failure.clone(), runs: 0, runs_max, run, say };
    loop {
        let before = shrinker.best.config.clone();
        shrinker.lower("storm_s", 1);
        shrinker.lower("devices", 2);
        let quiet = shrinker.best.config.clone().without_faults();
        shrinker.try_out(&quiet, "no faults", u64::MAX);
        shrinker.turn_off();
        shrinker.unflip();
        for name in shrinker.on() {
            shrinker.lower(name, 0);
        }
        // With less going on, something else may be left out than before.
        if shrinker.best.config == before {
            break;
        }
    }
    shrinker.end_there();
    Cut { failure: shrinker.best, runs: shrinker.runs }
}

struct Shrinker<'a> {
    best: Failure,
    runs: u64,
    runs_max: u64,
    run: &'a Runner<'a>,
    say: &'a mut dyn FnMut(&str),
}

impl Shrinker<'_> {
    /// Runs a candidate, and goes on from it if it fails in the same way, and not later than at this step.
    fn try_out(&mut self, config: &SimConfig, what: &str, step_max: u64) -> bool {
        if *config == self.best.config || config.check().is_err() || self.runs >= self.runs_max {
            return false;
        }
        self.runs += 1;
        let Some(failure) = (self.run)(config) else { return false };
        if failure.cause.name() != self.best.cause.name() || failure.step > step_max {
            return false;
        }
        (self.say)(&format!("{what}: still {}, at step {}", failure.cause.name(), failure.step));
        self.best = failure;
        true
    }

    /// The fields that are on and could be off.
    fn on(&self) -> Vec<&'static str> {
        let numbers = self.best.config.numbers().into_iter();
        numbers.filter(|(name, value)| *value > 0 && !KEPT.contains(name)).map(|(name, _)| name).collect()
    }

    /// Turns off as many fields as it can: all at once, halves, quarters, and in the end each alone.
    fn turn_off(&mut self) {
        let mut size = self.on().len();
        while size > 0 {
            for fields in self.on().chunks(size) {
                let mut config = self.best.config.clone();
                for name in fields {
                    set(&mut config, name, 0);
                }
                self.try_out(&config, &off(fields), u64::MAX);
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    /// The smallest value of a field with which it fails no later, not lower than `least`; near enough is good enough,
    /// and after a few runs it is left as it is.
    fn lower(&mut self, name: &'static str, least: u64) {
        let value = |config: &SimConfig| config.numbers().into_iter().find(|(known, _)| *known == name);
        let Some((_, mut high)) = value(&self.best.config).filter(|(_, value)| *value > least) else { return };
        let mut low = least;
        // Where nothing is the least, that was tried when it was turned off.
        let mut next = if least == 0 { high / 8 } else { least };
        for _ in 0..LOWER_RUNS {
            if next >= high || (least == 0 && next == 0) {
                return;
            }
            let mut config = self.best.config.clone();
            set(&mut config, name, next);
            let what = format!("{name} from {high} to {next}");
            if self.try_out(&config, &what, self.best.step) {
                high = next;
            } else {
                low = next;
            }
            if high - low <= 1.max(high / 4) {
                return;
            }
            next = if low == least { low + (high - low) / 8 } else { low + (high - low) / 2 };
        }
    }

    fn unflip(&mut self) {
        let config = SimConfig { flip: None, ..self.best.config.clone() };
        self.try_out(&config, "no damaged byte", u64::MAX);
    }

    /// Nothing is run after the failure's moment.
    fn end_there(&mut self) {
        let end_ms = self.best.at_us / 1_000 + 1;
        let config = SimConfig { end_ms, ..self.best.config.clone() };
        self.try_out(&config, &format!("broken off after {end_ms} ms"), u64::MAX);
    }
}

fn set(config: &mut SimConfig, name: &str, value: u64) {
    config.set(name, &value.to_string()).expect("the field is one of its own, and the value a number");
}

fn off(fields: &[&'static str]) -> String {
    match fields {
        [one] => format!("{one} off"),
        [first, .., last] => format!("{} fields off, {first} to {last}", fields.len()),
        [] => "nothing off".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::Sabotage;
    use crate::failure::Cause;
    use crate::failure::caught::Panic;
    use crate::run::attempt_canary;

    /// A failure that needs some fields to be at least so large, and is another one where a field is.
    fn needs(config: &SimConfig, least: &[(&str, u64)], other: &str) -> Option<Failure> {
        let value = |wanted: &str| config.numbers().into_iter().find(|(name, _)| *name == wanted).map(|(_, v)| v);
        let place = if value(other) == Some(0) { "elsewhere" } else { "here" };
        let fails = least.iter().all(|(name, least)| value(name) >= Some(*least));
        let panic = Panic { words: "x".to_owned(), place: place.to_owned() };
        let cause = Cause::Panic(panic);
        fails.then(|| Failure { config: config.clone(), cause, step: 9, at_us: 7_500, hash: "ab".to_owned() })
    }

    fn wild() -> SimConfig {
        SimConfig { crash_mean_ms: 9_000, late_max_us: 4_000, storm_s: 140, devices: 15, ..SimConfig::draw(4) }
    }

    #[test]
    fn what_is_left_is_what_the_failure_needs() {
        let least = [("crash_mean_ms", 500), ("devices", 5), ("storm_s", 20)];
        let run = |config: &SimConfig| needs(config, &least, "late_max_us");
        let first = run(&wild()).expect("it fails");
        let mut said = Vec::new();
        let cut = shrink(&first, 400, &run, &mut |line| said.push(line.to_owned()));
        let config = &cut.failure.config;
        assert_eq!((config.seed, config.end_ms), (4, 8));
        assert!((5..=6).contains(&config.devices) && (20..=26).contains(&config.storm_s), "{config}");
        assert!((500..=700).contains(&config.crash_mean_ms), "{config}");
        // Without this one it would be another failure.
        assert!(config.late_max_us > 0 && cut.failure.cause == first.cause, "{config}");
        let on: Vec<_> = config.numbers().into_iter().filter(|(name, v)| *v > 0 && !KEPT.contains(name)).collect();
        assert_eq!(on.len(), 2, "{on:?}");
        assert!(cut.runs <= 200 && said.iter().any(|line| line.starts_with("devices from 15 to ")), "{said:?}");
    }

    #[test]
    fn it_stops_when_its_runs_are_used_up_and_keeps_what_cant_be_cut() {
        let counted = std::cell::Cell::new(0);
        let run = |config: &SimConfig| {
            counted.set(counted.get() + 1);
            needs(config, &[("devices", 5)], "late_max_us")
        };
        let first = run(&wild()).expect("it fails");
        let cut = shrink(&first, 3, &run, &mut |_| ());
        assert_eq!((cut.runs, counted.get()), (3, 4));
        let all = wild();
        let nothing = |config: &SimConfig| run(config).filter(|_| *config == all);
        assert_eq!(shrink(&first, 1_000, &nothing, &mut |_| ()).failure, first);
    }

    #[test]
    fn a_saboteurs_run_is_cut_and_the_same_oracle_still_objects() {
        let run = |config: &SimConfig| attempt_canary(config, Sabotage::NeverWake).failure(config);
        // What makes each of the runs a long one is left out.
        let short = SimConfig { slow_reader_percent: 0, window_bytes: 0, away_h: 0, ..SimConfig::draw(2) };
        let short = SimConfig { forge_mean_ms: 0, mute_mean_ms: 0, slow_mean_ms: 0, lie_percent: 0, ..short };
        let config = SimConfig { devices: 6, storm_s: 40, crowd_mean_ms: 0, hasty_mean_ms: 0, ..short };
        let first = run(&config).expect("somebody objects to a device that is never woken");
        let cut = shrink(&first, 60, &run, &mut |_| ());
        assert_eq!(cut.failure.cause.name(), first.cause.name());
        assert!(cut.failure.config.devices < 6 && cut.failure.config.storm_s < 40, "{}", cut.failure.config);
        let fields = |config: &SimConfig| config.numbers().iter().filter(|(_, value)| *value > 0).count();
        assert!(fields(&cut.failure.config) + 15 < fields(&config), "{}", cut.failure.config);
        // What it says is what the configuration does.
        assert_eq!(run(&cut.failure.config), Some(cut.failure));
    }
}
