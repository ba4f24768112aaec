//! Decides what a key is: one name, from which its variable follows, a kind of value, a default, and what it means.

use std::fmt;

use super::given::Given;

/// What every environment variable of ours begins with.
const VARIABLES: &str = "COUNTERSIGN_";

/// A key of a program's configuration.
#[derive(Debug)]
pub struct Key<K: Kind> {
    /// Its name in a file, that of its table included: `limits.connections`.
    pub name: &'static str,
    /// The flag that gives it, if there is one.
    pub flag: Option<&'static str>,
    /// Which values it takes.
    pub kind: K,
    /// Its value when nobody gives one.
    pub default: fn() -> K::Value,
    /// What it means, in one line.
    pub meaning: &'static str,
}

/// A set of values: how they are read and written, and what they are called.
pub trait Kind {
    /// What is read.
    type Value;

    /// Judges what was given.
    fn read(&self, given: &Given) -> Result<Self::Value, Wrong>;

    /// The value as a file says it.
    fn write(&self, value: &Self::Value) -> Literal;

    /// What is allowed, after "give ...".
    fn allowed(&self) -> String;
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is none of what is allowed.
    Kind,
    /// It has the right form, and this is wrong with it.
    Because(String),
}

impl Wrong {
    /// With a reason.
    pub fn because(why: impl fmt::Display) -> Self {
        Self::Because(why.to_string())
    }
}

/// A value as a file says it; its `Display` is TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// A whole number.
    Whole(usize),
    /// A list of strings.
    List(Vec<String>),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Quoted(text)),
            Self::Whole(number) => number.fmt(f),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| Quoted(item).to_string()).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

/// A text as a TOML string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A key whatever its kind: what is told about it.
pub trait Entry: fmt::Debug + Sync {
    /// Its name in a file.
    fn name(&self) -> &'static str;

    /// The flag that gives it, if there is one.
    fn flag(&self) -> Option<&'static str>;

    /// Its value when nobody gives one, as a file says it.
    fn default(&self) -> Literal;

    /// What is allowed, after "give ...".
    fn allowed(&self) -> String;

    /// What it means.
    fn meaning(&self) -> &'static str;

    /// The environment variable that gives it.
    fn variable(&self) -> String {
        format!("{VARIABLES}{}", self.name().replace('.', "_").to_uppercase())
    }

    /// The table of a file that it stands in, and its name there.
    fn place(&self) -> (Option<&'static str>, &'static str) {
        match self.name().split_once('.') {
            Some((table, name)) => (Some(table), name),
            None => (None, self.name()),
        }
    }
}

impl<K: Kind + fmt::Debug + Sync> Entry for Key<K>
where
    K::Value: fmt::Debug,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn flag(&self) -> Option<&'static str> {
        self.flag
    }

    fn default(&self) -> Literal {
        self.kind.write(&(self.default)())
    }

    fn allowed(&self) -> String {
        self.kind.allowed()
    }

    fn meaning(&self) -> &'static str {
        self.meaning
    }
}

/// All keys of a program, in the order in which they are shown: those without a table first, then table by table.
pub type Table = &'static [&'static dyn Entry];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_toml_whatever_is_in_it() {
        let hostile = "a\"b\\c\nd\u{7f}e\u{1b}ü";
        let text = format!("x = {}\ny = {}\n", Literal::Text(hostile.into()), Literal::List(vec![hostile.into()]));
        let read = toml::de::DeTable::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let read = read.into_inner();
        assert_eq!(read.get("x").and_then(|value| value.get_ref().as_str()), Some(hostile));
        let list = read.get("y").and_then(|value| value.get_ref().as_array());
        assert_eq!(list.and_then(|list| list.first()?.get_ref().as_str()), Some(hostile));
        assert_eq!(text.lines().count(), 2);
    }
}
