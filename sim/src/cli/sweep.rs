//! Runs many seeds, shows how far it is, and ends with what happened how often and what failed.

use std::ops::Range;

use sim::failure::{Failure, Kind};
use sim::sweep::{Progress, Sweep, ci, sweep_all};

use super::progress::{Bar, rates};
use super::run::changed;
use super::tell::{complain, print, save_and_tell};
use super::{Changes, Ended, Failures, Threads};

/// `cargo sim sweep --seeds A..B`.
pub(crate) fn seeds(seeds: &Range<u64>, threads: &Threads, changes: &Changes, failures: &Failures) -> Ended {
    let changed = changed(seeds.start, changes)?;
    let config = |n: u64| seeds.start.checked_add(n).filter(|seed| *seed < seeds.end).map(&changed);
    let bar = Bar::new(Some(seeds.end - seeds.start));
    let sweep = sweep_all(&config, threads.count(), &|progress, _| bar.show(progress));
    bar.clear();
    print(&sweep.tally);
    tell(&sweep, &failures.folder, &bar);
    Ok(sweep.worst())
}

/// `cargo sim sweep --ci`.
pub(crate) fn fixed(threads: &Threads, failures: &Failures) -> Option<Kind> {
    let bar = Bar::new(Some(ci::runs()));
    let ci = ci::ci(threads.count(), &|progress: Progress, _: Option<&Failure>| bar.show(progress));
    bar.clear();
    print(&ci.table);
    for wrong in &ci.wrong {
        complain(&format_args!("FAILED {wrong}"));
    }
    for lack in &ci.lacks {
        complain(&format_args!("FAILED {lack}"));
    }
    tell(&ci.sweep, &failures.folder, &bar);
    let (wrong, lacks) = (ci.wrong.len(), ci.lacks.len());
    print(&match (wrong, lacks) {
        (0, 0) => "every forgery was refused, every scene ended as it may, and all that must happen did\n".to_owned(),
        _ => format!("{wrong} forgeries or scenes wrong; {lacks} counts that are not as they must be\n"),
    });
    ci.worst()
}

/// The failures, and the line that says how much was run.
fn tell(sweep: &Sweep, folder: &std::path::Path, bar: &Bar) {
    for failure in &sweep.failures {
        complain(&save_and_tell(failure, folder));
    }
    summary(sweep, bar);
}

/// The line that says how much was run, and how fast.
pub(crate) fn summary(sweep: &Sweep, bar: &Bar) {
    let (took, progress) = (bar.elapsed(), sweep.progress());
    #[allow(clippy::cast_precision_loss, reason = "hours for a person to read")]
    let hours = progress.virtual_us as f64 / 3.6e9;
    let (runs, failed, seconds) = (progress.runs, progress.failures, took.as_secs_f64());
    print(&format_args!(
        "{runs} runs, {failed} failed, {hours:.1} virtual hours in {seconds:.1} s: {}\n",
        rates(progress, took)
    ));
}
