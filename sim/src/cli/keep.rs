//! What is kept of failures: cuts one down, searches new ones for a night, replays those of old.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use sim::config::SimConfig;
use sim::corpus;
use sim::failure::Failure;
use sim::failure::saved::{Saved, save, save_as};
use sim::hunt::Bag;
use sim::run::attempt;
use sim::shrink::shrink;
use sim::sweep::{Progress, sweep_all};
use sim::trace::Keep;

use super::progress::{Bar, rates};
use super::run::{changed, configure};
use super::tell::{complain, lines, print, save_and_tell};
use super::{Changes, Ended, Failures, Threads, Wrong};

/// How many runs a hunter spends on cutting a failure, so that the search goes on.
const QUICK_RUNS: u64 = 120;
/// How often a hunter says how far it is where there is no terminal.
const NEWS: Duration = Duration::from_secs(600);

/// `cargo sim shrink`.
pub(crate) fn cut(
    file: Option<&PathBuf>,
    seed: Option<u64>,
    changes: &Changes,
    out: Option<&PathBuf>,
    runs: u64,
    failures: &Failures,
) -> Ended {
    let config = match (file, seed) {
        (Some(file), _) => Saved::read(file).map_err(|refusal| Wrong::of(&refusal))?.config,
        (None, Some(seed)) => configure(seed, changes)?,
        (None, None) => return Err(Wrong("name a file, or a seed with --seed".to_owned())),
    };
    let Some(failure) = fails(&config) else {
        print(&format_args!("it holds: there is nothing to cut\n"));
        return Ok(None);
    };
    print(&format_args!("{failure}\n"));
    let cut = shrink(&failure, runs, &fails, &mut |line| print(&format_args!("  {line}\n")));
    let smaller = cut.failure;
    let on = |config: &SimConfig| config.numbers().iter().filter(|(_, value)| *value > 0).count();
    print(&format_args!(
        "{} runs: {} fields are on of {}, and it fails at step {} instead of {}\n{}",
        cut.runs,
        on(&smaller.config),
        on(&failure.config),
        smaller.step,
        failure.step,
        smaller.config
    ));
    complain(&match out {
        None => save_and_tell(&smaller, &failures.folder),
        Some(path) => {
            save_as(&smaller, path).map_err(|error| Wrong(format!("{} can't be written: {error}", path.display())))?;
            lines(&smaller, path)
        }
    });
    Ok(Some(smaller.cause.kind()))
}

fn fails(config: &SimConfig) -> Option<Failure> {
    attempt(config, Keep::default()).failure(config)
}

/// `cargo sim corpus`.
pub(crate) fn replay_corpus() -> Ended {
    let all = corpus::read(corpus::FOLDER.as_ref()).map_err(|refusal| Wrong::of(&refusal))?;
    let mut worst = None;
    for entry in &all {
        match entry.replay() {
            None => print(&format_args!("{}: holds; it was: {}\n", entry.name, entry.bug)),
            Some(failure) => {
                worst = worst.max(Some(failure.cause.kind()));
                print(&format_args!("{}: FAILS again; it was: {}\n", entry.name, entry.bug));
                complain(&lines(&failure, &super::from_here(corpus::FOLDER).join(&entry.name)));
            }
        }
    }
    let failed = if worst.is_some() { "not all of them hold" } else { "all hold" };
    print(&format_args!("{} failures of old, {failed}\n", all.len()));
    Ok(worst)
}

/// `cargo sim hunt`, for so many minutes and so many runs.
pub(crate) fn hunt(
    from: Option<u64>,
    [minutes, runs]: [Option<u64>; 2],
    threads: &Threads,
    changes: &Changes,
    failures: &Failures,
) -> Ended {
    let from = from.unwrap_or_else(seed_of_the_day);
    let changed = changed(from, changes)?;
    print(&format_args!("hunting from seed {from}; what fails is saved in {}\n", failures.folder.display()));
    let (bar, bag, told) = (Bar::new(None), Mutex::new(Bag::default()), Mutex::new(Instant::now()));
    let end = minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    let config = |n: u64| {
        let goes_on = end.is_none_or(|end| bar.elapsed() < end) && runs.is_none_or(|runs| n < runs);
        from.checked_add(n).filter(|_| goes_on).map(&changed)
    };
    let witness = |progress: Progress, failure: Option<&Failure>| {
        if let Some(failure) = failure {
            bar.clear();
            kept(failure, &bag, failures);
        }
        bar.show(progress);
        if let Ok(mut told) = told.lock()
            && !bar.is_seen()
            && told.elapsed() >= NEWS
        {
            *told = Instant::now();
            print(&format_args!("{} runs, {}\n", progress.runs, rates(progress, bar.elapsed())));
        }
    };
    let sweep = sweep_all(&config, threads.count(), &witness);
    bar.clear();
    print(&sweep.tally);
    if let Ok(bag) = bag.lock() {
        for (cause, count) in bag.causes() {
            print(&format_args!("{cause}: {count} times\n"));
        }
    }
    super::sweep::summary(&sweep, &bar);
    Ok(sweep.worst())
}

/// Saves a failure and what is left of it when it is cut, if there are not enough like it.
fn kept(failure: &Failure, bag: &Mutex<Bag>, failures: &Failures) {
    let keep = bag.lock().is_ok_and(|mut bag| bag.meet(failure));
    if !keep {
        return;
    }
    complain(&save_and_tell(failure, &failures.folder));
    let cut = shrink(failure, QUICK_RUNS, &fails, &mut |_| ());
    match save(&cut.failure, &failures.folder) {
        Ok(path) => complain(&format_args!("  cut to {}", path.display())),
        Err(error) => complain(&format_args!("  not saved when it was cut: {error}")),
    }
}

/// A seed that nobody has begun with before: far enough from that of a second ago.
fn seed_of_the_day() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs().saturating_mul(1_000)
}
