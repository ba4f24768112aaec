//! A failure as a file: the whole configuration as text, under a head that says what was wrong with it.
//!
//! ```text
//! # fails: oracle progress
//! # words: oracle progress at 135.000000: device 0 is not online, long after the faults have stopped
//! # step: 4711
//! # hash: 0243...
//! # commit: 52ef6e8
//! # whole: a field that is not here did not exist yet, and is off
//! seed=7
//! devices=3
//! ...
//! ```
//!
//! The head is for people, except that `fails`, `step` and `bug` say what is expected of a replay, and `whole` that
//! nothing is drawn. Without that line, as in a file that somebody wrote, fields that are not named are the seed's.

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{COMMIT, Failure, brief};
use crate::config::{ConfigRefusal, SimConfig};

/// What a saved configuration says of itself.
const WHOLE: &str = "a field that is not here did not exist yet, and is off";

/// A configuration from a file, and what its head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The run.
    pub config: SimConfig,
    /// What failed when it was saved, as [`Cause::name`](super::Cause::name) has it.
    pub fails: Option<String>,
    /// At which step.
    pub step: Option<u64>,
    /// Which bug it was, if it is one that was repaired.
    pub bug: Option<String>,
}

/// Why a file is no saved configuration.
#[derive(Debug)]
pub enum SavedRefusal {
    /// It can't be read.
    Unread(PathBuf, io::Error),
    /// It is no configuration.
    Config(PathBuf, ConfigRefusal),
    /// It names no seed, so it is some other text.
    NoSeed(PathBuf),
}

impl fmt::Display for SavedRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(path, error) => write!(f, "{} can't be read: {error}", path.display()),
            Self::Config(path, refusal) => write!(f, "{}: {refusal}", path.display()),
            Self::NoSeed(path) => write!(f, "{} names no seed: give a file that was saved", path.display()),
        }
    }
}

impl std::error::Error for SavedRefusal {}

impl Saved {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, SavedRefusal> {
        let text = fs::read_to_string(path).map_err(|error| SavedRefusal::Unread(path.to_owned(), error))?;
        if !text.lines().any(|line| line.trim_start().starts_with("seed=")) {
            return Err(SavedRefusal::NoSeed(path.to_owned()));
        }
        Self::parse(&text).map_err(|refusal| SavedRefusal::Config(path.to_owned(), refusal))
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, ConfigRefusal> {
        let said = |key: &str| {
            let of =
                |line: &str| Some(line.trim().strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(": ")?.to_owned());
            text.lines().find_map(of)
        };
        let config = if said("whole").is_some() { SimConfig::parse_whole(text)? } else { SimConfig::parse(text)? };
        let step = said("step").and_then(|step| step.parse().ok());
        Ok(Self { config, fails: said("fails"), step, bug: said("bug") })
    }
}

/// A failure as the text of its file.
pub fn text(failure: &Failure) -> String {
    let Failure { config, cause, step, at_us: _, hash } = failure;
    let words = brief(cause);
    let mut text = format!("# fails: {}\n# words: {words}\n# step: {step}\n", cause.name());
    write!(text, "# hash: {hash}\n# commit: {COMMIT}\n# whole: {WHOLE}\n{config}")
        .expect("a String takes whatever is written to it");
    text
}

/// Writes a failure into a folder, which is made if it is not there: the file's path.
pub fn save(failure: &Failure, folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(failure.file_name());
    save_as(failure, &path)?;
    Ok(path)
}

/// Writes a failure into a file, whose folder is made if it is not there.
pub fn save_as(failure: &Failure, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text(failure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Cause;
    use crate::failure::caught::Panic;

    #[test]
    fn a_saved_failure_reads_back_whole_with_what_its_head_expects() {
        let panic = Panic { words: "an odd\u{2028}thing = 1".to_owned(), place: "core/src/x.rs:1:2".to_owned() };
        let config = SimConfig { devices: 3, end_ms: 12, ..SimConfig::draw(9) };
        let failure = Failure { config, cause: Cause::Panic(panic), step: 77, at_us: 5, hash: "ab".repeat(32) };
        let saved = Saved::parse(&text(&failure)).expect("sound");
        assert_eq!(saved.config, failure.config);
        assert_eq!(saved.fails.as_deref(), Some("panic at core/src/x.rs:1:2"));
        assert_eq!((saved.step, saved.bug), (Some(77), None));
        assert_eq!(failure.file_name(), "seed-9-panic-abababab.txt");
        // What did not exist when it was saved is off, whatever the seed would draw by now.
        let lines = text(&failure);
        let older: String =
            lines.lines().filter(|line| !line.starts_with("skew_max_s=")).flat_map(|l| [l, "\n"]).collect();
        assert_eq!(Saved::parse(&older).map(|saved| saved.config.skew_max_s), Ok(0));
        // The head is no part of the configuration, and may say more.
        let saved = Saved::parse("# bug: it was so\nseed=9\n# step: x\n").expect("sound");
        assert_eq!(saved, Saved { config: SimConfig::draw(9), fails: None, step: None, bug: Some("it was so".into()) });
    }

    #[test]
    fn what_is_no_saved_configuration_is_refused_in_a_sentence() {
        let folder = std::env::temp_dir().join(format!("countersign-sim-saved-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let refused = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("written");
            Saved::read(&path).expect_err("no configuration").to_string()
        };
        assert!(refused("empty", "").contains("names no seed"));
        assert!(refused("other", "seed=1\nsede=2\n").contains("there is no field sede"));
        assert!(Saved::read(&folder.join("none")).expect_err("nothing").to_string().contains("can't be read"));
        fs::remove_dir_all(&folder).expect("it was there");
    }
}
