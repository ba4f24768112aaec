//! Decides how it is said why a text is no configuration.

use std::fmt;

/// Why a text is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigRefusal {
    /// There is no field of that name.
    Unknown(String),
    /// The value of that field can't be read.
    Value(String),
    /// The line is not of the form name=value, or names the seed a second time.
    Line(String),
    /// The values don't fit each other: this one is out of its range.
    Range(&'static str),
}

impl fmt::Display for ConfigRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no field {name}: `cargo sim run` prints them all"),
            Self::Value(name) => write!(
                f,
                "the value of {name} can't be read: give a number; for flip CONN/relay/OFFSET; for tape hexadecimal digits"
            ),
            Self::Line(line) => write!(f, "{line:?} is not of the form name=value, or names the seed a second time"),
            Self::Range(name) => write!(f, "{name} is out of its range: see its description in sim/src/config.rs"),
        }
    }
}

impl std::error::Error for ConfigRefusal {}
