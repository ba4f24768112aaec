//! Runs one configuration after the other and tells each run's story: a seed's, or those that were saved.

use std::path::{Path, PathBuf};

use sim::config::SimConfig;
use sim::failure::saved::Saved;
use sim::failure::{Failure, Kind};
use sim::run::attempt;
use sim::trace::Keep;
use sim::{check, page};

use super::tell::{complain, lines, print, save_and_tell};
use super::{Changes, Ended, Failures, Telling, Wrong};

/// The seed's configuration with the changes of the command line.
pub(crate) fn configure(seed: u64, changes: &Changes) -> Result<SimConfig, Wrong> {
    let mut text = format!("seed={seed}\n");
    for change in &changes.changes {
        text.push_str(change);
        text.push('\n');
    }
    SimConfig::parse(&text).map_err(|refusal| Wrong::of(&refusal))
}

/// What makes each seed's configuration, with the changes of the command line.
pub(crate) fn changed(first: u64, changes: &Changes) -> Result<impl Fn(u64) -> SimConfig, Wrong> {
    // Read once with any seed, so that a wrong field is a wrong command line and not a failure of every seed.
    configure(first, changes)?;
    Ok(|seed| {
        let mut config = SimConfig::draw(seed);
        for (name, value) in changes.changes.iter().filter_map(|change| change.split_once('=')) {
            config.set(name, value).expect("the changes were read before the first seed was run");
        }
        config
    })
}

/// `cargo sim run`.
pub(crate) fn seed(seed: u64, html: Option<&Path>, telling: &Telling, changes: &Changes, failures: &Failures) -> Ended {
    let config = configure(seed, changes)?;
    if let Some(file) = html {
        let advice = "name a file in a folder that is there";
        std::fs::write(file, page::render(&config, None))
            .map_err(|error| Wrong(format!("{} can't be written ({error}): {advice}", file.display())))?;
    }
    let (failure, differs) = run(&config, telling);
    if let Some(failure) = &failure {
        complain(&save_and_tell(failure, &failures.folder));
    }
    Ok(worst(failure.as_ref(), differs))
}

/// `cargo sim replay`.
pub(crate) fn replay(files: &[PathBuf], telling: &Telling) -> Ended {
    let read = |path: &PathBuf| Saved::read(path).map_err(|refusal| Wrong::of(&refusal));
    let all = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(files.iter().zip(&all).filter_map(|(path, saved)| replay_one(path, saved, telling)).max())
}

fn replay_one(path: &Path, saved: &Saved, telling: &Telling) -> Option<Kind> {
    print(&format_args!("{}: {}\n", path.display(), expected(saved)));
    let (failure, differs) = run(&saved.config, telling);
    let came = match (&saved.fails, &failure) {
        (_, None) if saved.bug.is_some() => "holds, as it must".to_owned(),
        (_, Some(_)) if saved.bug.is_some() => "fails, and must hold".to_owned(),
        (Some(name), Some(failure)) if *name == failure.cause.name() => match saved.step {
            Some(step) if step != failure.step => format!("fails as expected, at step {} instead", failure.step),
            Some(_) | None => "fails as expected, at the same step".to_owned(),
        },
        (Some(name), Some(_)) => format!("expected {name}, but fails otherwise"),
        (None, Some(_)) => "fails".to_owned(),
        (Some(name), None) => format!("expected {name}, but holds"),
        (None, None) => "holds".to_owned(),
    };
    complain(&format_args!("{}: {came}", path.display()));
    if let Some(failure) = &failure {
        complain(&lines(failure, path));
    }
    worst(failure.as_ref(), differs)
}

/// What the head of a saved configuration says.
fn expected(saved: &Saved) -> String {
    let fails = saved.fails.as_ref().map(|name| match saved.step {
        Some(step) => format!("when it was saved, {name} failed at step {step}"),
        None => format!("when it was saved, {name} failed"),
    });
    match (&saved.bug, fails) {
        (Some(bug), _) => format!("must hold; it was: {bug}"),
        (None, Some(fails)) => fails,
        (None, None) => "its head does not say what to expect".to_owned(),
    }
}

/// Runs it, tells the story: what failed, and whether a second run differs.
fn run(config: &SimConfig, telling: &Telling) -> (Option<Failure>, bool) {
    let loud = !telling.quiet;
    if loud {
        print(config);
    }
    let attempt = attempt(config, Keep { story: loud, steps: false });
    if loud {
        for line in &attempt.outcome.story {
            print(&format_args!("{line}\n"));
        }
        print(&attempt.outcome.tally);
    }
    let failure = attempt.failure(config);
    let panicked = failure.as_ref().is_some_and(|failure| failure.cause.kind() == Kind::Crash);
    let mut differs = false;
    if telling.check {
        differs = differs_from_itself(config, panicked);
    }
    print(&format_args!("seed {} hash {}\n", config.seed, attempt.outcome.hash));
    (failure, differs)
}

/// Runs it twice more, with every step kept.
fn differs_from_itself(config: &SimConfig, panicked: bool) -> bool {
    if panicked {
        complain(&"not checked: the run panics");
        return false;
    }
    match check::twice(config) {
        Ok(hash) => print(&format_args!("checked: two runs are the same, hash {hash}\n")),
        Err(difference) => {
            complain(&difference);
            return true;
        }
    }
    false
}

fn worst(failure: Option<&Failure>, differs: bool) -> Option<Kind> {
    failure.map(|failure| failure.cause.kind()).max(differs.then_some(Kind::Correctness))
}
