//! The names in signed notes: of a log, which is its checkpoints' origin, and of a key that signs notes.
//!
//! A realm's log is `relay.<realm>/log/<incarnation>`, the incarnation being that of the server's store in 16 hexadecimal
//! digits (design 3). A server that is restored from a backup goes on under another name, so that two honest histories
//! are never taken for one log that shows two faces. It is no count of restorations: two restorations of one backup
//! would both come to the same number, and the operator would stand accused by their own members.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{DeviceName, Realm};
use crate::limits::NOTE_NAME_BYTES_MAX;

/// A name as signed notes have them (C2SP `signed-note`): not empty, no white space, no plus, no control character, and no
/// more than [`NOTE_NAME_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoteName(String);

impl NoteName {
    /// Takes `text` if it is such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        let fits = (1..=NOTE_NAME_BYTES_MAX).contains(&text.len());
        (fits && !text.contains(is_bad)).then(|| Self(text.to_owned()))
    }

    /// The log of a realm in this incarnation of its server's store.
    pub fn of_log(realm: &Realm, incarnation: u64) -> Self {
        Self(format!("{}/log/{incarnation:016x}", realm.relay_name()))
    }

    /// What tells a log from the others of its realm: the last part of its name, which an operator reads out and a person
    /// types.
    pub fn generation(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A device as one that cosigns.
    pub fn of_device(name: &DeviceName, realm: &Realm) -> Self {
        Self(name.dns(realm))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NoteName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("that is no name for a log or a key")
    }
}

impl From<NoteName> for String {
    fn from(name: NoteName) -> Self {
        name.0
    }
}

impl fmt::Display for NoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::limits::REALM_BYTES_MAX;
    use crate::testing::device_name;

    #[test]
    fn a_log_is_named_after_its_realm_and_the_life_of_its_store() {
        let log = NoteName::of_log(&Realm::default(), 0x1234);
        assert_eq!(log.as_str(), "relay.chat.internal/log/0000000000001234");
        assert_eq!(log.generation(), "0000000000001234");
        let device = NoteName::of_device(&device_name("alice", "laptop"), &Realm::default());
        assert_eq!(device.as_str(), "laptop.alice.chat.internal");
        let longest = Realm::parse(&format!("{}.{}", "a".repeat(REALM_BYTES_MAX - 33), "b".repeat(32))).unwrap();
        assert_eq!(longest.as_str().len(), REALM_BYTES_MAX);
        for name in [log, device, NoteName::of_log(&longest, u64::MAX)] {
            assert_eq!(NoteName::parse(name.as_str()), Some(name));
        }
    }

    #[test]
    fn a_name_at_its_bound_is_one_and_what_a_note_could_not_carry_is_none() {
        assert!(NoteName::parse(&"a".repeat(NOTE_NAME_BYTES_MAX)).is_some());
        assert!(NoteName::parse(&"a".repeat(NOTE_NAME_BYTES_MAX + 1)).is_none());
        for bad in ["", " ", "a b", "a\u{a0}b", "a\u{2028}b", "a+b", "a\nb", "a\rb", "a\0b", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(NoteName::parse(bad), None, "{bad:?}");
        }
    }
}
