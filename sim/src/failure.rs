//! What a failure is: which configuration, who objected or where it panicked, at which step; and how bad that is.

pub mod caught;
pub mod saved;

use std::fmt;

use crate::config::SimConfig;
use crate::oracles::Objection;
use caught::Panic;

/// The commit this program was built from, marked `-dirty` if files had changed since; or that nobody knows.
pub const COMMIT: &str = match option_env!("SIM_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Oracles that object to something good which does not come, in place of something bad which does. All others guard
/// what must hold at every moment.
const LIVENESS: [&str; 3] = ["presence", "progress", "spin"];

/// How bad a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// In the calm something does not come about that must.
    Liveness,
    /// Something is wrong that must never be.
    Correctness,
    /// The program panics.
    Crash,
}

impl Kind {
    /// What the objection of an oracle of this name is.
    pub fn of(oracle: &str) -> Self {
        if LIVENESS.contains(&oracle) { Self::Liveness } else { Self::Correctness }
    }

    /// The exit code of a program that has seen nothing worse.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Liveness => 3,
            Self::Correctness => 1,
            Self::Crash => 101,
        }
    }
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An oracle objected.
    Objection(Objection),
    /// Something panicked.
    Panic(Panic),
}

impl Cause {
    /// How bad it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Objection(objection) => Kind::of(objection.oracle),
            Self::Panic(_) => Kind::Crash,
        }
    }

    /// What a smaller failure must have in common with this one to be the same: the oracle, or the panic's place.
    pub fn name(&self) -> String {
        match self {
            Self::Objection(objection) => format!("oracle {}", objection.oracle),
            Self::Panic(panic) => format!("panic at {}", panic.place),
        }
    }

    /// One word for the name of a file.
    fn word(&self) -> &'static str {
        match self {
            Self::Objection(objection) => objection.oracle,
            Self::Panic(_) => "panic",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objection(objection) => write!(f, "{objection}"),
            Self::Panic(panic) => write!(f, "{panic}"),
        }
    }
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The run.
    pub config: SimConfig,
    /// Why.
    pub cause: Cause,
    /// The last step that there was, counted from 0: the one that an oracle objected to, or after which it panicked.
    pub step: u64,
    /// When that was, on the world's clock.
    pub at_us: u64,
    /// The hash over all steps so far.
    pub hash: String,
}

impl Failure {
    /// A name for its file that no other failure has.
    pub fn file_name(&self) -> String {
        let hash = self.hash.get(..8).unwrap_or("0");
        format!("seed-{}-{}-{hash}.txt", self.config.seed, self.cause.word())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, cause, step, at_us: _, hash } = self;
        let cause = brief(cause);
        write!(f, "FAILED seed {}: {cause}\n  commit {COMMIT}, step {step}, hash {hash}", config.seed)
    }
}

/// How many characters of a cause are told: an oracle may quote a line that is as long as lines may be.
const CAUSE_CHARS_MAX: usize = 400;

/// What a cause says, in one line that a person reads.
fn brief(cause: &Cause) -> String {
    let words = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = words.chars().take(CAUSE_CHARS_MAX).collect();
    if short.len() < words.len() { format!("{short} ... ({} bytes)", words.len()) } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::Panel;

    #[test]
    fn a_cause_that_quotes_a_long_line_stays_short_and_one_line() {
        let objection =
            Objection { oracle: "delivery", at_us: 7, words: format!("hears\n\"{}\"", "да ".repeat(9_000)) };
        let words = brief(&Cause::Objection(objection));
        assert!(words.starts_with("oracle delivery at 0.000007: hears \"да") && words.ends_with(" bytes)"), "{words}");
        assert!(!words.contains('\n') && words.chars().count() < 450, "{words}");
    }

    #[test]
    fn the_oracles_of_liveness_are_oracles_and_the_worst_kind_comes_last() {
        let panel = Panel::all(&SimConfig::draw(1));
        assert!(LIVENESS.iter().all(|name| panel.names().any(|known| known == *name)));
        assert!(panel.names().any(|name| Kind::of(name) == Kind::Correctness));
        assert_eq!([Kind::Liveness, Kind::Correctness, Kind::Crash].into_iter().max(), Some(Kind::Crash));
        let codes = [Kind::Liveness, Kind::Correctness, Kind::Crash].map(Kind::exit_code);
        assert_eq!(codes, [3, 1, 101]);
    }
}
