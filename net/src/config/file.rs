//! Decides how a config file is read: within bounds, as TOML, and into keys and values that know their place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{BadValue, ConfigError, Giver};
use super::given::{Given, Place};
use super::key::{Table, Wrong};
use super::nearest::nearest;

/// The longest config file: some twenty times the example.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// A program's config file, as far as the table knows it.
#[derive(Debug, Default)]
pub struct ConfigFile {
    values: BTreeMap<&'static str, (Given, Place)>,
}

/// Which file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that was named, and must be there.
    Named(PathBuf),
    /// The one in the data folder, if it is there.
    Usual(PathBuf),
}

impl ConfigFile {
    /// Reads a file. `example` is the command that prints one.
    pub fn read(which: &Which, table: Table, example: &'static str) -> Result<Self, ConfigError> {
        let (path, named) = match which {
            Which::Named(path) => (path, true),
            Which::Usual(path) => (path, false),
        };
        match bytes(path, named)? {
            Some(bytes) => Self::parse(path, &bytes, table, example),
            None => Ok(Self::default()),
        }
    }

    /// Takes a file's bytes apart.
    pub fn parse(path: &Path, bytes: &[u8], table: Table, example: &'static str) -> Result<Self, ConfigError> {
        let place = |byte| Place::of(path.to_owned(), bytes, byte);
        let text =
            std::str::from_utf8(bytes).map_err(|error| ConfigError::NotText { place: place(error.valid_up_to()) })?;
        let root = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
            place: place(error.span().unwrap_or_default().start),
            message: error.message().split_whitespace().collect::<Vec<_>>().join(" "),
            example,
        })?;
        let mut reading = Reading { table, example, place: &place, file: Self::default() };
        reading.table(root.get_ref(), None)?;
        Ok(reading.file)
    }

    /// The value of a key, and where it stands.
    pub fn get(&self, name: &str) -> Option<&(Given, Place)> {
        self.values.get(name)
    }
}

/// The file's bytes; `None` if it is not there and need not be.
fn bytes(path: &Path, named: bool) -> Result<Option<Vec<u8>>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound && named => {
            return Err(ConfigError::Missing { path: path.to_owned() });
        }
        // A link that leads nowhere was meant to lead to a file.
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    // Who names a pipe gets it read, and waits for it; in the data folder it would only make every command hang.
    if found.is_dir() || !(found.is_file() || named) {
        return Err(ConfigError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let one_more = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(one_more).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ConfigError::TooLong { path: path.to_owned(), bytes_max: FILE_BYTES_MAX });
    }
    Ok(Some(bytes))
}

struct Reading<'a, P> {
    table: Table,
    example: &'static str,
    place: &'a P,
    file: ConfigFile,
}

impl<P: Fn(usize) -> Place> Reading<'_, P> {
    /// Takes the keys of the file, or of one of its tables, in the order in which they stand there.
    fn table(&mut self, found: &DeTable<'_>, within: Option<&'static str>) -> Result<(), ConfigError> {
        let mut found: Vec<_> = found.iter().collect();
        found.sort_by_key(|(key, _)| key.span().start);
        found.into_iter().try_for_each(|(key, value)| self.key(key.get_ref(), key.span().start, value, within))
    }

    fn key(
        &mut self,
        key: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
        within: Option<&'static str>,
    ) -> Result<(), ConfigError> {
        let here = || (self.place)(at);
        let entry = self.table.iter().find(|entry| entry.place() == (within, key));
        if let Some(entry) = entry {
            let (name, place) = (entry.name(), (self.place)(value.span().start));
            let given = given(value.get_ref());
            if let Given::Other(_) = given {
                let (from, wrong, allowed) = (Giver::Place(place), Wrong::Kind, entry.allowed());
                return Err(ConfigError::Value(Box::new(BadValue { from, name, given, wrong, allowed })));
            }
            self.file.values.insert(name, (given, place));
            return Ok(());
        }
        let section = self.table.iter().find_map(|entry| entry.place().0.filter(|table| *table == key));
        match (section.filter(|_| within.is_none()), value.get_ref()) {
            (Some(section), DeValue::Table(inner)) => return self.table(inner, Some(section)),
            (Some(section), _) => return Err(ConfigError::NotATable { place: here(), name: section.to_owned() }),
            (None, _) => {}
        }
        // A key's name that needs quotes is none of ours, dots in it included.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { format!("{key:?}") };
        let name = within.map_or_else(|| name.clone(), |table| format!("{table}.{name}"));
        let sections = self.table.iter().filter_map(|entry| entry.place().0);
        let is_table = value.get_ref().is_table() && within.is_none();
        let (what, meant) = if is_table {
            ("table", nearest(&name, sections))
        } else {
            ("key", nearest(&name, self.table.iter().map(|entry| entry.name())))
        };
        Err(ConfigError::Unknown { place: here(), what, name: shortened(&name), nearest: meant, example: self.example })
    }
}

/// A name that is repeated in a sentence.
fn shortened(name: &str) -> String {
    const CHARS_MAX: usize = 60;
    let short: String = name.chars().take(CHARS_MAX).collect();
    if short.len() < name.len() { format!("{short}...") } else { short }
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(whole) => Given::Whole(whole),
            Err(_) => Given::Other("a number of that size".to_owned()),
        },
        DeValue::Float(number) => Given::Other(format!("the fraction {}", shortened(number.as_str()))),
        DeValue::Boolean(truth) => Given::Other(truth.to_string()),
        DeValue::Datetime(_) => Given::Other("a date".to_owned()),
        DeValue::Table(_) => Given::Other("a table".to_owned()),
        // Lists in lists are nobody's value; they are told as such without being looked into.
        DeValue::Array(items) => {
            let item = |item: &DeValue<'_>| {
                if item.is_array() { Given::Other("a list".to_owned()) } else { given(item) }
            };
            Given::List(items.iter().map(|found| item(found.get_ref())).collect())
        }
    }
}

#[cfg(test)]
mod tests;
