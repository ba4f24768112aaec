//! Decides how a failure is told: its last lines, with the file it is saved in and the command that repeats it alone.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use sim::failure::{Failure, saved};

/// Writes to standard output. Who has closed it, as `head` does, wants no more and is no failure.
pub(crate) fn print(what: &dyn Display) {
    let _ = write!(std::io::stdout(), "{what}");
}

/// Writes to standard error what a person should see last.
pub(crate) fn complain(what: &dyn Display) {
    let _ = std::io::stdout().flush();
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A failure's last lines. It is saved first.
pub(crate) fn save_and_tell(failure: &Failure, folder: &Path) -> String {
    match saved::save(failure, folder) {
        Ok(path) => lines(failure, &path),
        Err(error) => {
            let seed = failure.config.seed;
            let folder = folder.display();
            format!(
                "{failure}\n  not saved in {folder}: {error}\n  repeat with: {}",
                run_command(seed, &failure.config)
            )
        }
    }
}

/// The last lines of a failure that is saved in a file.
pub(crate) fn lines(failure: &Failure, path: &Path) -> String {
    let path = path.display();
    format!("{failure}\n  config {path}\n  repeat with: cargo sim replay {path}")
}

/// The command that repeats a run without a file: every field that is not the seed's.
fn run_command(seed: u64, config: &sim::config::SimConfig) -> String {
    let drawn = sim::config::SimConfig::draw(seed).to_string();
    let mut command = format!("cargo sim run --seed {seed}");
    for (line, drawn) in config.to_string().lines().zip(drawn.lines()) {
        if line != drawn {
            command.push_str(" --set ");
            command.push_str(line);
        }
    }
    command
}
