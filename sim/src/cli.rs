//! Decides what the command line looks like, and hands each command to the file that carries it out.

mod keep;
mod plays;
mod progress;
mod run;
mod sweep;
mod tell;

use std::num::ParseIntError;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sim::failure::Kind;

/// What `--help` ends with.
const EXIT_CODES: &str = "Exit codes:
    0  all holds
    1  correctness: an oracle objects to what must never be, a forgery got through, two runs of a seed differ,
       or what must happen in a sweep did not
    2  a wrong command line
    3  liveness: in the calm something did not come about that must
  101  a panic
The worst that happened decides: a panic before correctness before liveness.";

/// Runs Countersign's deterministic world.
#[derive(Parser)]
#[command(name = "sim", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one seed and tells its story; the last line is `seed N hash HEX`, and a failure's lines follow it
    Run {
        /// Where every random number comes from
        #[arg(long, value_name = "N")]
        seed: u64,
        /// Writes what happened as one page to look at, which needs nothing but a browser
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        #[command(flatten)]
        telling: Telling,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        failures: Failures,
    },
    /// Runs saved configurations, each alone, and says what was expected of it
    Replay {
        /// Files that a failure was saved in
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        telling: Telling,
    },
    /// Runs many seeds on all cores, and ends with how often each thing happened
    Sweep {
        /// The seeds, the last one excluded
        #[arg(long, value_name = "A..B", value_parser = seeds, required_unless_present = "ci")]
        seeds: Option<Range<u64>>,
        /// The fixed seeds, every forgery and every scene; fails if something that must happen never did
        #[arg(long, conflicts_with_all = ["seeds", "changes"])]
        ci: bool,
        #[command(flatten)]
        threads: Threads,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        failures: Failures,
    },
    /// Cuts a failing run down to what its failure needs: shorter, fewer people, faults and actions off, smaller numbers
    Shrink {
        /// A file that the failure was saved in
        #[arg(value_name = "FILE", required_unless_present = "seed", conflicts_with_all = ["seed", "changes"])]
        file: Option<PathBuf>,
        /// The seed that fails
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// The file for what is left, instead of one in the folder of failures
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// At most so many runs
        #[arg(long, value_name = "N", default_value_t = 400)]
        runs: u64,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        failures: Failures,
    },
    /// Searches new seeds for failures, saves them and what they can be cut to, and goes on
    Hunt {
        /// The first seed; by default one that the time of day gives
        #[arg(long, value_name = "N")]
        from: Option<u64>,
        /// For so many minutes, instead of until it is stopped
        #[arg(long, value_name = "M")]
        minutes: Option<u64>,
        /// At most so many runs
        #[arg(long, value_name = "N")]
        runs: Option<u64>,
        #[command(flatten)]
        threads: Threads,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        failures: Failures,
    },
    /// Replays the failures of old, in sim/corpus: each of them has to hold
    Corpus,
    /// Tries every forgery and says why each was refused
    Forge,
    /// Lets saboteurs break one promise each, and sees whether the oracle of that name objects
    Canary {
        /// The one of this name alone.
        only: Option<String>,
        #[command(flatten)]
        threads: Threads,
    },
    /// Plays every scene of two devices that connect directly, and says how each ends
    Scenes,
}

/// How a run is told.
#[derive(Args)]
struct Telling {
    /// Prints the last line alone
    #[arg(long)]
    quiet: bool,
    /// Runs twice, and names the first step that differs
    #[arg(long)]
    check: bool,
}

/// What is different from the seed's configuration.
#[derive(Args)]
struct Changes {
    /// Changes a field of the configuration (repeatable)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    changes: Vec<String>,
}

/// Where failures are kept.
#[derive(Args)]
struct Failures {
    /// The folder in which the configuration of a failure is saved
    #[arg(long = "failures", value_name = "FOLDER", default_value_os_t = failures_folder())]
    folder: PathBuf,
}

/// How many run at once.
#[derive(Args)]
struct Threads {
    /// Uses so many threads instead of one for each core
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Threads {
    fn count(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

/// Carries out what the command line says.
pub(crate) fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Run { seed, html, telling, changes, failures } => {
            run::seed(seed, html.as_deref(), &telling, &changes, &failures)
        }
        Command::Replay { files, telling } => run::replay(&files, &telling),
        Command::Sweep { seeds: Some(seeds), ci: _, threads, changes, failures } => {
            sweep::seeds(&seeds, &threads, &changes, &failures)
        }
        Command::Sweep { seeds: None, ci: _, threads, changes: _, failures } => Ok(sweep::fixed(&threads, &failures)),
        Command::Shrink { file, seed, out, runs, changes, failures } => {
            keep::cut(file.as_ref(), seed, &changes, out.as_ref(), runs, &failures)
        }
        Command::Hunt { from, minutes, runs, threads, changes, failures } => {
            keep::hunt(from, [minutes, runs], &threads, &changes, &failures)
        }
        Command::Corpus => keep::replay_corpus(),
        Command::Forge => Ok(plays::forge()),
        Command::Canary { only, threads } => Ok(plays::canary(only.as_deref(), &threads)),
        Command::Scenes => Ok(plays::scenes()),
    };
    match ended {
        Ok(worst) => worst.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.exit_code())),
        Err(Wrong(words)) => {
            eprintln!("error: {words}");
            ExitCode::from(2)
        }
    }
}

/// How a command ends: with the worst failure, if there was one, or because it can't be carried out at all.
type Ended = Result<Option<Kind>, Wrong>;

/// What is wrong with the command line.
struct Wrong(String);

impl Wrong {
    fn of(error: &dyn std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// `sim/failures/`, whichever folder the command is given in; as short as it can be written from there.
fn failures_folder() -> PathBuf {
    from_here(concat!(env!("CARGO_MANIFEST_DIR"), "/failures"))
}

/// A path of the project as somebody would write it who is where this program was started.
fn from_here(path: &str) -> PathBuf {
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| PathBuf::from(path).strip_prefix(here).map(PathBuf::from).ok());
    short.unwrap_or_else(|| path.into())
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
