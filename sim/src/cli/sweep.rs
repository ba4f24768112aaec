//! Runs many seeds, shows how far it is, and ends with what happened how often and what failed.

use std::ops::Range;
use std::time::{Duration, Instant};

use sim::config::SimConfig;
use sim::sweep::{Sweep, sweep};

use super::run::configure;
use super::tell::{complain, print, save_and_tell};
use super::{Changes, Ended, Failures, Threads};

/// `cargo sim sweep`.
pub(crate) fn seeds(seeds: Range<u64>, threads: &Threads, changes: &Changes, failures: &Failures) -> Ended {
    // Read once with any seed, so that a wrong field is a wrong command line and not a failure of every seed.
    configure(seeds.start, changes)?;
    let begun = Instant::now();
    let change = |config: &mut SimConfig| {
        for (name, value) in changes.changes.iter().filter_map(|change| change.split_once('=')) {
            config.set(name, value).expect("the changes were read before the sweep began");
        }
    };
    let sweep = sweep(seeds, threads.count(), &change);
    print(&sweep.tally);
    for failure in &sweep.failures {
        complain(&save_and_tell(failure, &failures.folder));
    }
    print(&format_args!("{}\n", summary(&sweep, begun.elapsed())));
    Ok(sweep.worst())
}

/// The line that says how much was run, and how fast.
fn summary(sweep: &Sweep, took: Duration) -> String {
    let (seconds, failed) = (took.as_secs_f64().max(f64::MIN_POSITIVE), sweep.failures.len());
    #[allow(clippy::cast_precision_loss, reason = "rates for a person to read")]
    let (runs, hours) = (sweep.runs as f64, sweep.virtual_us as f64 / 3.6e9);
    format!(
        "{} runs, {failed} failed, {hours:.1} virtual hours in {seconds:.1} s: {:.1} seeds/s, {:.1} virtual hours a minute",
        sweep.runs,
        runs / seconds,
        hours * 60.0 / seconds
    )
}
