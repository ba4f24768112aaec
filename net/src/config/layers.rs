//! Decides which of several values of a key holds: flag over environment over file over default, each judged all the same.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

use super::effective::Effective;
use super::error::{BadValue, ConfigError, Giver};
use super::file::ConfigFile;
use super::given::{Given, Origin};
use super::key::{Entry, Key, Kind};

/// What the flags of the command line give, by the key's name.
pub type Flags = BTreeMap<&'static str, String>;

/// Everything that may say something about a key.
#[derive(Debug, Default)]
pub struct Layers {
    /// What the flags of the command line give, by key.
    pub flags: Flags,
    /// The environment variables, as far as they are set.
    pub variables: BTreeMap<String, OsString>,
    /// The config file.
    pub file: ConfigFile,
}

impl Layers {
    /// The layers of this process.
    pub fn of_process(flags: Flags, file: ConfigFile) -> Self {
        let variables = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { flags, variables: variables.collect(), file }
    }

    /// The value of a key. Where it comes from is written down.
    pub fn take<K: Kind>(&self, key: &'static Key<K>, effective: &mut Effective) -> Result<K::Value, ConfigError>
    where
        Key<K>: Entry,
    {
        let from_file = self.file.get(key.name).map(|(given, place)| {
            let value = judge(key, given, || Giver::Place(place.clone()))?;
            Ok((value, Origin::File(place.clone())))
        });
        let variable = key.variable();
        let from_variable = self.variable(&variable)?.map(|words| {
            let value = judge(key, &Given::Words(words), || Giver::Name(variable.clone()))?;
            Ok((value, Origin::Variable(variable.clone())))
        });
        let from_flag = self.flags.get(key.name).zip(key.flag).map(|(words, flag)| {
            let value = judge(key, &Given::Words(words.clone()), || Giver::Name(flag.to_owned()))?;
            Ok((value, Origin::Flag(flag)))
        });
        // The last one holds, but a wrong value is wrong although another one covers it.
        let mut taken = ((key.default)(), Origin::Default);
        for given in [from_file, from_variable, from_flag].into_iter().flatten() {
            taken = given?;
        }
        let (value, origin) = taken;
        effective.settle(key, key.kind.write(&value), origin);
        Ok(value)
    }

    /// The words of a variable. One that is empty counts as not set, as it does for most programs.
    fn variable(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.variables.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        match value.to_str() {
            Some(words) => Ok(Some(words.to_owned())),
            None => Err(ConfigError::VariableNotText { variable: name.to_owned() }),
        }
    }
}

fn judge<K: Kind>(key: &Key<K>, given: &Given, from: impl Fn() -> Giver) -> Result<K::Value, ConfigError> {
    key.kind.read(given).map_err(|wrong| {
        let bad = BadValue { from: from(), name: key.name, given: given.clone(), wrong, allowed: key.kind.allowed() };
        ConfigError::Value(Box::new(bad))
    })
}

#[cfg(test)]
mod tests;
