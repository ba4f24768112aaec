//! Many seeds on all cores: what went wrong with which, and how often each thing happened.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

use crate::config::SimConfig;
use crate::oracles::Objection;
use crate::run;
use crate::story::tally::Tally;
use crate::trace::Keep;

/// How one seed went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An oracle objected.
    Objection(Objection),
    /// Something panicked: its words and its place.
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objection(objection) => write!(f, "{objection}"),
            Self::Panic(words) => write!(f, "panic: {words}"),
        }
    }
}

/// What a sweep came to.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// How many seeds were run.
    pub seeds: u64,
    /// The seeds that failed, in order.
    pub failures: Vec<(u64, Failure)>,
    /// How often each thing happened in the seeds that held.
    pub tally: Tally,
    /// How much virtual time passed, in microseconds.
    pub virtual_us: u64,
}

impl Sweep {
    /// Whether a seed panicked.
    pub fn panicked(&self) -> bool {
        self.failures.iter().any(|(_, failure)| matches!(failure, Failure::Panic(_)))
    }
}

thread_local! {
    /// On a thread that runs a seed: where its newest panic was, nowhere yet.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Lets the panics of threads that run a seed be remembered instead of printed; those of all others go on as before.
fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
            let running = PLACE.with_borrow_mut(|kept| kept.as_mut().map(|kept| *kept = place).is_some());
            if !running {
                before(info);
            }
        }));
    });
}

/// Runs every seed of the range, on as many threads as are given. `change` is applied to each seed's configuration.
///
/// A panic is caught and the sweep goes on: one seed's must not hide another's objection.
///
/// # Panics
/// If adding up panics, which no run is part of.
pub fn sweep(seeds: Range<u64>, threads: usize, change: &(dyn Fn(&mut SimConfig) + Sync)) -> Sweep {
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    let all = Mutex::new(Sweep::default());
    remember_places();
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    one(seed, change, &all);
                }
            });
        }
    });
    let mut sweep = all.into_inner().expect("no thread panics while it adds up");
    sweep.failures.sort_by_key(|(seed, _)| *seed);
    sweep
}

fn one(seed: u64, change: &(dyn Fn(&mut SimConfig) + Sync), all: &Mutex<Sweep>) {
    let mut config = SimConfig::draw(seed);
    change(&mut config);
    PLACE.set(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run::run(&config, Keep::default())));
    let place = PLACE.take().unwrap_or_default();
    let mut all = all.lock().expect("no thread panics while it adds up");
    all.seeds += 1;
    match outcome {
        Ok(outcome) => {
            all.tally.merge(&outcome.tally);
            all.virtual_us += outcome.virtual_us;
            if let Some(objection) = outcome.objection {
                all.failures.push((seed, Failure::Objection(objection)));
            }
        }
        Err(payload) => {
            all.failures.push((seed, Failure::Panic(format!("{} at {place}", words(&*payload)))));
        }
    }
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}
