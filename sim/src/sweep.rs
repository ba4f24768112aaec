//! Many runs on all cores: what went wrong with which, and how often each thing happened.

pub mod arranged;
pub mod ci;
pub mod demanded;
pub mod plays;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::config::SimConfig;
use crate::failure::{Failure, Kind};
use crate::run::{Attempt, attempt};
use crate::story::tally::Tally;
use crate::trace::Keep;

/// What a sweep came to, or has come to so far.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// How many runs there were.
    pub runs: u64,
    /// What failed, in the order of the seeds.
    pub failures: Vec<Failure>,
    /// How often each thing happened, also in the runs that failed, until they did.
    pub tally: Tally,
    /// How much virtual time passed, in microseconds.
    pub virtual_us: u64,
}

impl Sweep {
    /// The worst that happened.
    pub fn worst(&self) -> Option<Kind> {
        self.failures.iter().map(|failure| failure.cause.kind()).max()
    }

    fn add(&mut self, attempt: &Attempt, failure: Option<&Failure>) {
        self.runs += 1;
        self.tally.merge(&attempt.outcome.tally);
        self.virtual_us += attempt.outcome.virtual_us;
        self.failures.extend(failure.cloned());
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress { runs: self.runs, failures: self.failures.len(), virtual_us: self.virtual_us }
    }
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many runs there were.
    pub runs: u64,
    /// How many of them failed.
    pub failures: usize,
    /// How much virtual time passed, in microseconds.
    pub virtual_us: u64,
}

/// Who is told of each run when it is over: how far the sweep is, and the run's failure. On the thread that ran it.
pub type Witness<'a> = dyn Fn(Progress, Option<&Failure>) + Sync + 'a;

/// Runs every seed of the range, on as many threads as are given. `change` is applied to each seed's configuration.
pub fn sweep(seeds: Range<u64>, threads: usize, change: &(dyn Fn(&mut SimConfig) + Sync)) -> Sweep {
    let config = |n: u64| {
        let seed = seeds.start.checked_add(n).filter(|seed| *seed < seeds.end)?;
        let mut config = SimConfig::draw(seed);
        change(&mut config);
        Some(config)
    };
    sweep_all(&config, threads, &|_, _| ())
}

/// Runs the configuration of each number from 0 on, until there is none, on as many threads as are given.
///
/// A panic is caught and the sweep goes on: one run's must not hide another's objection.
///
/// # Panics
/// If adding up panics, which no run is part of.
pub fn sweep_all(config: &(dyn Fn(u64) -> Option<SimConfig> + Sync), threads: usize, witness: &Witness<'_>) -> Sweep {
    let next = AtomicU64::new(0);
    let all = Mutex::new(Sweep::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some(config) = config(next.fetch_add(1, Ordering::Relaxed)) {
                    let attempt = attempt(&config, Keep::default());
                    let failure = attempt.failure(&config);
                    let progress = {
                        let mut all = all.lock().expect("no thread panics while it adds up");
                        all.add(&attempt, failure.as_ref());
                        all.progress()
                    };
                    witness(progress, failure.as_ref());
                }
            });
        }
    });
    let mut sweep = all.into_inner().expect("no thread panics while it adds up");
    sweep.failures.sort_by_key(|failure| (failure.config.seed, failure.config.to_string()));
    sweep
}
