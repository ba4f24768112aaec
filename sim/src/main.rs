//! The simulator's command line: `cargo sim run --seed N`, `cargo sim sweep --seeds A..B`, `cargo sim forge`,
//! `cargo sim scenes`.
//!
//! Exit codes: 0 where all holds, 1 for an oracle's objection or a forgery that got through, 2 for a wrong command
//! line, 101 for a panic.

use std::fmt::Display;
use std::io::Write;
use std::num::ParseIntError;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use sim::config::SimConfig;
use sim::trace::Keep;
use sim::{forge, run, scenes, sweep};

/// Runs Countersign's deterministic world.
#[derive(Parser)]
#[command(name = "sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one seed and tells its story; the last line is `seed N hash HEX`
    Run {
        /// Where every random number comes from
        #[arg(long, value_name = "N")]
        seed: u64,
        /// Prints the last line alone
        #[arg(long)]
        quiet: bool,
        /// Changes a field of the configuration (repeatable)
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        changes: Vec<String>,
    },
    /// Runs many seeds on all cores
    Sweep {
        /// The seeds, the last one excluded
        #[arg(long, value_name = "A..B", value_parser = seeds)]
        seeds: Range<u64>,
        /// Uses so many threads instead of one for each core
        #[arg(long, value_name = "N")]
        threads: Option<usize>,
        /// Changes a field of each configuration (repeatable)
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        changes: Vec<String>,
    },
    /// Tries every forgery and says why each was refused
    Forge,
    /// Plays every scene of two devices that connect directly, and says how each ends
    Scenes,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { seed, quiet, changes } => run_one(seed, quiet, &changes),
        Command::Sweep { seeds, threads, changes } => run_many(seeds, threads, &changes),
        Command::Forge => forge_all(),
        Command::Scenes => play_all(),
    }
}

/// Writes to standard output. Who has closed it, as `head` does, wants no more and is no failure.
fn print(what: &dyn Display) {
    let _ = write!(std::io::stdout(), "{what}");
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or("give two numbers with two dots between them, like 0..200")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error: ParseIntError| format!("{text:?}: {error}"));
    let range = number(first)?..number(end)?;
    if range.is_empty() {
        Err("there is no seed in this range: the second number is excluded".to_owned())
    } else {
        Ok(range)
    }
}

/// The seed's configuration with the changes of the command line.
fn configure(seed: u64, changes: &[String]) -> Result<SimConfig, ExitCode> {
    let text: String =
        std::iter::once(format!("seed={seed}\n")).chain(changes.iter().map(|line| format!("{line}\n"))).collect();
    SimConfig::parse(&text).map_err(|refusal| {
        eprintln!("error: {refusal}");
        ExitCode::from(2)
    })
}

/// The command that repeats a seed alone.
fn command(seed: u64, changes: &[String]) -> String {
    let mut command = format!("cargo sim run --seed {seed}");
    for change in changes {
        command.push_str(" --set ");
        command.push_str(change);
    }
    command
}

fn run_one(seed: u64, quiet: bool, changes: &[String]) -> ExitCode {
    let config = match configure(seed, changes) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if !quiet {
        print(&config);
    }
    let outcome = run::run(&config, Keep { story: !quiet, steps: false });
    if !quiet {
        for line in &outcome.story {
            print(&format_args!("{line}\n"));
        }
        print(&outcome.tally);
    }
    if let Some(objection) = &outcome.objection {
        eprintln!("{objection}");
        eprintln!("repeat with: {}", command(seed, changes));
    }
    print(&format_args!("seed {seed} hash {}\n", outcome.hash));
    if outcome.objection.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run_many(seeds: Range<u64>, threads: Option<usize>, changes: &[String]) -> ExitCode {
    // Read once with any seed, so that a wrong field is a wrong command line and not a failure of every seed.
    if let Err(code) = configure(seeds.start, changes) {
        return code;
    }
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let begun = Instant::now();
    let change = |config: &mut SimConfig| {
        for (name, value) in changes.iter().filter_map(|change| change.split_once('=')) {
            config.set(name, value).expect("the changes were read before the sweep began");
        }
    };
    let sweep = sweep::sweep(seeds, threads.unwrap_or_else(cores), &change);
    let took = begun.elapsed().as_secs_f64();
    print(&sweep.tally);
    for (seed, failure) in &sweep.failures {
        print(&format_args!("seed {seed}: {failure}\n  repeat with: {}\n", command(*seed, changes)));
    }
    let (count, failed, hours) = (sweep.seeds, sweep.failures.len(), sweep.virtual_us / 3_600_000_000);
    #[allow(clippy::cast_precision_loss, reason = "a rate for a person to read")]
    let rate = count as f64 / took;
    print(&format_args!(
        "{count} seeds, {failed} failed, {hours} hours of virtual time in {took:.1} s, {rate:.1} seeds/s\n"
    ));
    match (sweep.panicked(), failed) {
        (true, _) => ExitCode::from(101),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    }
}

fn play_all() -> ExitCode {
    let mut wrong = 0;
    for scene in scenes::scenes() {
        print(&format_args!("{}: {}\n", scene.name, scene.what));
        match scene.play() {
            Ok(ends) => ends.iter().for_each(|end| print(&format_args!("    {end}\n"))),
            Err(error) => {
                wrong += 1;
                print(&format_args!("    WRONG: {error}\n"));
            }
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a forgery breaks: the checks that it exercises, with their sections of the RFCs.
fn rules(name: &str) -> String {
    let known = forge::catalogue().iter().find(|forgery| forgery.name == name);
    let rules = known.map(|forgery| forgery.checks.iter().map(|check| forge::section(check)).collect::<Vec<_>>());
    rules.map_or_else(|| "honest".to_owned(), |rules| rules.join(", "))
}

fn forge_all() -> ExitCode {
    let forgeries = forge::run_all();
    let mut through = 0;
    for (name, result) in &forgeries {
        match result {
            Ok(reason) => print(&format_args!("{name:<32} {:<44} {reason}\n", rules(name))),
            Err(wrong) => {
                through += 1;
                print(&format_args!("{name:<32} WRONG: {wrong}\n"));
            }
        }
    }
    print(&format_args!("{} forgeries and honest controls, {through} wrong\n", forgeries.len()));
    if through == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
