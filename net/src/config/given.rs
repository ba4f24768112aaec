//! Decides how a value is held before it is judged: as it was given, and by whom.

use std::fmt;
use std::path::PathBuf;

/// The longest part of a wrong value that a sentence repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A value as somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// The words of a flag or a variable, which have no type yet.
    Words(String),
    /// A string in a file.
    Text(String),
    /// A whole number in a file.
    Whole(i64),
    /// A list in a file.
    List(Vec<Given>),
    /// Something in a file that no key is, as it is called.
    Other(String),
}

impl Given {
    /// It as text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Words(text) | Self::Text(text) => Some(text),
            Self::Whole(_) | Self::List(_) | Self::Other(_) => None,
        }
    }

    /// It as a whole number.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            // `parse` would take a sign as well.
            Self::Words(words) if words.bytes().all(|byte| byte.is_ascii_digit()) => words.parse().ok(),
            Self::Words(_) | Self::Text(_) | Self::List(_) | Self::Other(_) => None,
        }
    }

    /// It as a list of texts: what a flag or a variable gives is parted at commas, and a single text is a list of one.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Words(words) => Some(words.split(',').map(str::trim).collect()),
            Self::Text(text) => Some(vec![text]),
            Self::List(items) => {
                items.iter().map(|item| if let Self::Text(text) = item { Some(text.as_str()) } else { None }).collect()
            }
            Self::Whole(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(text) | Self::Text(text) => {
                let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                let rest = if shown.len() < text.len() { "..." } else { "" };
                write!(f, "{shown:?}{rest}")
            }
            Self::Whole(number) => number.fmt(f),
            Self::List(items) => match items.as_slice() {
                [] => f.write_str("an empty list"),
                [one] => write!(f, "a list of {one}"),
                more => write!(f, "this list of {}", more.len()),
            },
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// A file.
    File(Place),
    /// Nobody gave one.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File(place) => write!(f, "{}:{}", place.path.display(), place.line),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1 on.
    pub line: usize,
    /// The column in characters, from 1 on.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a file's text.
    pub fn of(path: PathBuf, text: &[u8], byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.split(|byte| *byte == b'\n').count();
        let begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let column = String::from_utf8_lossy(before.get(begins..).unwrap_or_default()).chars().count() + 1;
        Self { path, line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "a = 1\r\nb = \"grüße\" x\n".as_bytes();
        let at = |byte| {
            let place = Place::of(PathBuf::from("f"), text, byte);
            (place.line, place.column)
        };
        assert_eq!((at(0), at(4), at(7)), ((1, 1), (1, 5), (2, 1)));
        let x = text.iter().position(|byte| *byte == b'x').unwrap_or_default();
        assert_eq!(at(x), (2, 13));
        assert_eq!(at(text.len()), (3, 1));
        assert_eq!(at(9_999), (3, 1));
    }

    #[test]
    fn only_what_a_file_types_has_a_type() {
        assert_eq!(Given::Words("5".into()).whole(), Some(5));
        assert_eq!(Given::Text("5".into()).whole(), None);
        for none in ["", "-5", "+5", "5 ", "99999999999999999999"] {
            assert_eq!(Given::Words(none.into()).whole(), None, "{none:?}");
        }
        assert_eq!(Given::Words("a, b".into()).texts(), Some(vec!["a", "b"]));
        assert_eq!(Given::Text("a, b".into()).texts(), Some(vec!["a, b"]));
        assert_eq!(Given::List(vec![Given::Text("a".into()), Given::Whole(1)]).texts(), None);
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let long = Given::Text("x".repeat(10_000)).to_string();
        assert!(long.len() < 100 && long.ends_with("..."), "{long}");
    }
}
