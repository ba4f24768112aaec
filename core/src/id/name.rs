//! The names of design 4: realm, user, device. A value of these types has been parsed and is valid.
//!
//! A device's full name is a DNS name, `laptop.alice.chat.internal`, so that any X.509 stack can check it by its
//! ordinary host-name rule (RFC 6125 §6.4). What a name may be is narrower than DNS: nothing that one person could
//! take for another's name, and nothing that a parser could read in two ways.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ConversationId;
use crate::limits::{LABEL_BYTES_MAX, REALM_BYTES_MAX};

/// The first label of the relay's own name. No user can have it.
pub const RELAY_LABEL: &str = "relay";

/// Why a name is refused. Each hostile kind of name has its own reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameRefusal {
    /// Nothing at all.
    Empty,
    /// Longer than a label ([`LABEL_BYTES_MAX`]) or a realm ([`REALM_BYTES_MAX`]) may be.
    TooLong,
    /// An upper-case letter: names are lower case, so that no two differ by case alone.
    UpperCase,
    /// A dot inside a label.
    Dot,
    /// A hyphen at an end.
    EdgeHyphen,
    /// `xn--`, the prefix of encoded international names, which show as something else than they are (RFC 5890).
    Punycode,
    /// A letter of another script that looks like one of ours (Cyrillic, Greek, Armenian, full-width ...).
    LookAlike,
    /// Any other character outside ASCII.
    NotAscii,
    /// An ASCII character other than `a-z`, `0-9` and the hyphen.
    Character,
    /// `relay`, which is the server.
    Reserved,
    /// Not of the form device.user.realm, or of another realm.
    NotOfRealm,
}

impl fmt::Display for NameRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a name can't be empty",
            Self::TooLong => "the name is too long (32 characters at most, a realm 64)",
            Self::UpperCase => "names are lower case",
            Self::Dot => "a name has no dots",
            Self::EdgeHyphen => "a name neither begins nor ends with a hyphen",
            Self::Punycode => "names beginning with xn-- are not allowed",
            Self::LookAlike => "the name has a letter of another alphabet that looks like a Latin one",
            Self::NotAscii | Self::Character => "a name has only the letters a to z, digits and hyphens",
            Self::Reserved => "the name relay belongs to the server",
            Self::NotOfRealm => "the name is not of the form device.user.realm",
        })
    }
}

impl std::error::Error for NameRefusal {}

/// Makes a one-label name type with its own rule on top of [`check_label`].
macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $extra:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it is a valid name, and says why not otherwise.
            pub fn parse(text: &str) -> Result<Self, NameRefusal> {
                check_label(text)?;
                let extra: fn(&str) -> Result<(), NameRefusal> = $extra;
                extra(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The label as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameRefusal;
            fn try_from(text: String) -> Result<Self, NameRefusal> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

label! {
    /// A person, by one label: `alice`.
    UserName,
    |text| if text == RELAY_LABEL { Err(NameRefusal::Reserved) } else { Ok(()) }
}
label! {
    /// One of a person's devices, by one label: `laptop`.
    DeviceLabel,
    |_| Ok(())
}

label! {
    /// What the people of a room call it, by one label: `book-club`.
    RoomName,
    |_| Ok(())
}

impl RoomName {
    /// The number of a room, where its name is not known: 32 digits and letters are a label, too.
    pub(crate) fn of_number(number: ConversationId) -> Self {
        Self(number.to_string())
    }

    /// The open room that everybody is in who has not left it.
    pub fn lobby() -> Self {
        Self("lobby".to_owned())
    }

    /// Whether it is that one's.
    pub fn is_lobby(&self) -> bool {
        self.0 == "lobby"
    }
}

impl UserName {
    /// What the name looks like at a glance: characters and pairs that are easily taken for each other become one.
    /// Two names with the same skeleton cannot both be given out (design 4: nobody is taken for somebody else).
    pub fn skeleton(&self) -> String {
        self.0.replace("rn", "m").replace("vv", "w").replace('0', "o").replace('1', "l")
    }
}

/// A group's name, a DNS-like suffix: `chat.internal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Realm(String);

impl Realm {
    /// Takes `text` if it is a valid realm: one or more labels, the last one not all digits (it would read as an
    /// address), [`REALM_BYTES_MAX`] bytes at most.
    pub fn parse(text: &str) -> Result<Self, NameRefusal> {
        if text.is_empty() {
            return Err(NameRefusal::Empty);
        }
        if text.len() > REALM_BYTES_MAX {
            return Err(NameRefusal::TooLong);
        }
        let mut last = "";
        for label in text.split('.') {
            check_label(label)?;
            last = label;
        }
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NameRefusal::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The realm as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The relay's full name, `relay.<realm>`.
    pub fn relay_name(&self) -> String {
        format!("{RELAY_LABEL}.{}", self.0)
    }
}

impl Default for Realm {
    /// `chat.internal`, of a top-level name that is set apart for private use.
    fn default() -> Self {
        Self("chat.internal".to_owned())
    }
}

impl TryFrom<String> for Realm {
    type Error = NameRefusal;
    fn try_from(text: String) -> Result<Self, NameRefusal> {
        Self::parse(&text)
    }
}

impl From<Realm> for String {
    fn from(realm: Realm) -> Self {
        realm.0
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device within a realm, by user and device label. With the realm it is the full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceName {
    /// Whose it is.
    pub user: UserName,
    /// Which of theirs.
    pub device: DeviceLabel,
}

impl DeviceName {
    /// The full name, as the certificate carries it: `laptop.alice.chat.internal`.
    pub fn dns(&self, realm: &Realm) -> String {
        format!("{}.{}.{realm}", self.device, self.user)
    }

    /// Reads a full name of `realm`.
    pub fn parse_dns(text: &str, realm: &Realm) -> Result<Self, NameRefusal> {
        let (device, rest) = text.split_once('.').ok_or(NameRefusal::NotOfRealm)?;
        let (user, suffix) = rest.split_once('.').ok_or(NameRefusal::NotOfRealm)?;
        if suffix != realm.as_str() {
            return Err(NameRefusal::NotOfRealm);
        }
        Ok(Self { user: UserName::parse(user)?, device: DeviceLabel::parse(device)? })
    }
}

impl fmt::Display for DeviceName {
    /// The short form for people: `alice/laptop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.device)
    }
}

/// The rule for one label (design 4).
fn check_label(text: &str) -> Result<(), NameRefusal> {
    if text.is_empty() {
        return Err(NameRefusal::Empty);
    }
    if let Some(foreign) = text.chars().find(|c| !c.is_ascii()) {
        return Err(if looks_latin(foreign) { NameRefusal::LookAlike } else { NameRefusal::NotAscii });
    }
    if text.len() > LABEL_BYTES_MAX {
        return Err(NameRefusal::TooLong);
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => {}
            b'A'..=b'Z' => return Err(NameRefusal::UpperCase),
            b'.' => return Err(NameRefusal::Dot),
            _ => return Err(NameRefusal::Character),
        }
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(NameRefusal::EdgeHyphen);
    }
    if text.starts_with("xn--") {
        return Err(NameRefusal::Punycode);
    }
    Ok(())
}

/// Scripts with letters that pass for Latin ones: Greek, Cyrillic, Armenian, Cherokee, full-width forms and the
/// mathematical alphabets. It only chooses the sentence: every character outside ASCII is refused.
fn looks_latin(c: char) -> bool {
    matches!(u32::from(c),
        0x0370..=0x03ff | 0x0400..=0x052f | 0x0530..=0x058f | 0x13a0..=0x13ff | 0xff00..=0xff5e | 0x1d400..=0x1d7ff)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_realm_that_was_written_down_is_read_as_what_it_was_or_not_at_all() {
        assert_eq!(Realm::try_from("lab.example".to_owned()).map(String::from), Ok("lab.example".to_owned()));
        assert!(Realm::try_from("Lab.example".to_owned()).is_err());
    }

    #[test]
    fn hostile_names_are_refused_each_for_its_own_reason() {
        let long = "a".repeat(LABEL_BYTES_MAX + 1);
        for (text, reason) in [
            ("", NameRefusal::Empty),
            (long.as_str(), NameRefusal::TooLong),
            ("Alice", NameRefusal::UpperCase),
            ("al.ice", NameRefusal::Dot),
            ("-alice", NameRefusal::EdgeHyphen),
            ("alice-", NameRefusal::EdgeHyphen),
            ("-", NameRefusal::EdgeHyphen),
            ("xn--lice-8ua", NameRefusal::Punycode),
            ("\u{0430}lice", NameRefusal::LookAlike),
            ("al\u{ff49}ce", NameRefusal::LookAlike),
            ("zo\u{eb}", NameRefusal::NotAscii),
            ("al ice", NameRefusal::Character),
            ("*", NameRefusal::Character),
            ("alice\0", NameRefusal::Character),
            ("al_ice", NameRefusal::Character),
            ("relay", NameRefusal::Reserved),
        ] {
            assert_eq!(UserName::parse(text), Err(reason), "{text:?}");
        }
        assert!(UserName::parse(&"a".repeat(LABEL_BYTES_MAX)).is_ok());
        assert!(DeviceLabel::parse("relay").is_ok(), "a device may be called so: it is two labels down");
    }

    #[test]
    fn names_that_look_the_same_have_one_skeleton() {
        let skeleton = |text: &str| UserName::parse(text).unwrap().skeleton();
        assert_eq!(skeleton("alice"), skeleton("a1ice"));
        assert_eq!(skeleton("bob"), skeleton("b0b"));
        assert_eq!(skeleton("marnie"), skeleton("mamie"));
        assert_eq!(skeleton("vvendy"), skeleton("wendy"));
        assert_ne!(skeleton("alice"), skeleton("alicia"));
    }

    #[test]
    fn a_realm_is_labels_and_no_address() {
        assert!(Realm::parse("chat.internal").is_ok());
        assert!(Realm::parse("lab").is_ok());
        assert_eq!(Realm::parse("chat..internal"), Err(NameRefusal::Empty));
        assert_eq!(Realm::parse("chat.internal."), Err(NameRefusal::Empty));
        assert_eq!(Realm::parse("10.0.0.1"), Err(NameRefusal::Character));
        assert_eq!(Realm::parse("Chat.internal"), Err(NameRefusal::UpperCase));
        assert_eq!(Realm::parse(&["abcdefgh"; 9].join(".")), Err(NameRefusal::TooLong));
        assert_eq!(Realm::parse("*.internal"), Err(NameRefusal::Character));
    }

    #[test]
    fn a_full_name_is_of_its_own_realm_and_three_parts() {
        let realm = Realm::default();
        let name = DeviceName::parse_dns("laptop.alice.chat.internal", &realm).unwrap();
        assert_eq!(name.to_string(), "alice/laptop");
        assert_eq!(name.dns(&realm), "laptop.alice.chat.internal");
        for text in [
            "relay.chat.internal",
            "alice.chat.internal",
            "a.laptop.alice.chat.internal",
            "laptop.alice.evil.example",
            "laptop",
        ] {
            assert_eq!(DeviceName::parse_dns(text, &realm), Err(NameRefusal::NotOfRealm), "{text}");
        }
        assert_eq!(DeviceName::parse_dns("*.alice.chat.internal", &realm), Err(NameRefusal::Character));
        assert_eq!(DeviceName::parse_dns("laptop.relay.chat.internal", &realm), Err(NameRefusal::Reserved));
    }

    proptest! {
        #[test]
        fn whatever_parses_reads_back_from_its_full_name(user in "\\PC{0,40}", device in "[a-z0-9-]{0,34}") {
            if let (Ok(user), Ok(device)) = (UserName::parse(&user), DeviceLabel::parse(&device)) {
                let realm = Realm::default();
                let name = DeviceName { user, device };
                prop_assert_eq!(DeviceName::parse_dns(&name.dns(&realm), &realm), Ok(name));
            }
        }
    }
}
