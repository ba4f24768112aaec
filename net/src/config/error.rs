//! Decides what a person is told about a configuration that is refused: where it stands, what is wrong, what is allowed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::given::{Given, Origin, Place};
use super::key::Wrong;
use crate::exit::{Exit, Failure};

/// Why a configuration is refused.
#[derive(Debug)]
pub enum ConfigError {
    /// The file that was named is not there.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Something that is no file stands where the file belongs.
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// The operating system doesn't let it be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is longer than any config file.
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long one may be.
        bytes_max: usize,
    },
    /// It is no text.
    NotText {
        /// The first byte that is none.
        place: Place,
    },
    /// It is not TOML.
    NotToml {
        /// Where that shows.
        place: Place,
        /// What the parser says.
        message: String,
        /// The command that prints an example.
        example: &'static str,
    },
    /// A key or a table that there is not.
    Unknown {
        /// Where it stands.
        place: Place,
        /// What it is: a key, a table.
        what: &'static str,
        /// Its name.
        name: String,
        /// What was meant, perhaps.
        nearest: Option<&'static str>,
        /// The command that prints an example.
        example: &'static str,
    },
    /// A value stands where a table belongs.
    NotATable {
        /// Where it stands.
        place: Place,
        /// The table's name.
        name: String,
    },
    /// A variable whose value is no text.
    VariableNotText {
        /// The variable.
        variable: String,
    },
    /// A value that its key does not take.
    Value(Box<BadValue>),
    /// Two values that can't hold together.
    Clash(Box<Clash>),
}

/// A value that its key does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// Who gave it.
    pub from: Giver,
    /// The key.
    pub name: &'static str,
    /// The value.
    pub given: Given,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// What is allowed.
    pub allowed: String,
}

/// Two values that can't hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The key of one of them.
    pub name: &'static str,
    /// Its value, and who gave it.
    pub value: (String, Origin),
    /// What the other demands, and who gave that one.
    pub demand: (String, Origin),
}

/// Who gave a value, as exactly as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Giver {
    /// A flag or a variable of this name.
    Name(String),
    /// A place in a file.
    Place(Place),
}

impl fmt::Display for Giver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Place(place) => place.fmt(f),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        // What the system denies is no wrong usage.
        let exit = if let ConfigError::Unreadable { .. } = error { Exit::Failed } else { Exit::Usage };
        Self::new(exit, error)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => {
                write!(f, "there is no config file {}: check the path after --config", path.display())
            }
            Self::NotAFile { path } => {
                write!(f, "{} is no file, and the config file belongs there: move it away", path.display())
            }
            Self::Unreadable { path, source } => {
                write!(f, "the config file {} can't be read ({source}): check its mode and owner", path.display())
            }
            Self::TooLong { path, bytes_max } => write!(
                f,
                "{} is longer than {bytes_max} bytes, so it is no config file of ours: check that it is the right one",
                path.display()
            ),
            Self::NotText { place } => write!(f, "{place}: this is no UTF-8 text: save the file as UTF-8"),
            Self::NotToml { place, message, example } => {
                write!(f, "{place}: this is not TOML ({message}): {example} shows the form")
            }
            Self::Unknown { place, what, name, nearest: Some(nearest), example: _ } => {
                write!(f, "{place}: there is no {what} {name}; the nearest one is {nearest}")
            }
            Self::Unknown { place, what, name, nearest: None, example } => {
                write!(f, "{place}: there is no {what} {name}: {example} lists all keys")
            }
            Self::NotATable { place, name } => {
                write!(f, "{place}: {name} is a table of keys and has no value: write [{name}] on a line of its own")
            }
            Self::VariableNotText { variable } => {
                write!(f, "the environment variable {variable} is no UTF-8 text: set it anew, or unset it")
            }
            Self::Value(bad) => bad.fmt(f),
            Self::Clash(clash) => clash.fmt(f),
        }
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, name, given, wrong, allowed } = self;
        match from {
            // A flag or a variable says which key it is for.
            Giver::Name(_) => write!(f, "{from} can't be {given}")?,
            Giver::Place(_) => write!(f, "{from}: {name} can't be {given}")?,
        }
        if let Wrong::Because(why) = wrong {
            write!(f, " ({why})")?;
        }
        write!(f, ": give {allowed}")
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value: (value, by), demand: (demand, demanded_by) } = self;
        write!(f, "{name} can't be {value} ({by}): {demand} ({demanded_by}), so change one of the two")
    }
}

impl std::error::Error for ConfigError {}
