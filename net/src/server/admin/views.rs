//! Decides how what only looks is told on the admin socket: the CA, certificates, devices, sessions, and places in lists.
//!
//! ```text
//! {"command":"authority"}                ->  {"reply":"authority","authority":{"realm":..,"root":{..},"issuing":{..},..}}
//! {"command":"certificates","user":"bob","expiring":604800}
//!                                        ->  {"reply":"certificates","certificates":[{"serial":..},..],"next":"1800000000-40.."}
//! {"command":"certificates","user":"bob","expiring":604800,"after":"1800000000-40.."}             the page after that one
//! {"command":"devices"}                  ->  {"reply":"devices","devices":[{"user":..},..],"next":"bob/laptop"}
//! {"command":"sessions"}                 ->  {"reply":"sessions","sessions":[{"user":..},..],"strangers":3}
//! {"command":"log","first":1000}         ->  {"reply":"log","checkpoint":"relay.chat.internal/log/..","entries":["AQAg..",..]}
//! ```

use countersign_core::id::{DeviceLabel, DeviceName, Serial, UserName};
use countersign_core::invite::ServerLink;
use countersign_core::operator::views::{
    AuthorityView, CertificateLine, CertificatePlace, DeviceLine, SessionLine, Status, Tally,
};
use countersign_core::pki::{Facts, KeyKind};
use countersign_core::time::Wall;
use serde::{Deserialize, Serialize};

/// The realm's CAs and what they have signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityEntry {
    /// The realm.
    pub realm: String,
    /// The server's link, without a token.
    pub link: String,
    /// The second since 1970, by the server's clock, for which all this holds.
    pub at: u64,
    /// The root.
    pub root: FactsEntry,
    /// The issuing CA.
    pub issuing: FactsEntry,
    /// Whether it is time for a new one.
    pub issuing_ends_soon: bool,
    /// The relay's own certificate.
    pub relay: FactsEntry,
    /// How many certificates were issued to devices.
    pub issued: IssuedEntry,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsEntry {
    /// Whose it is.
    pub subject: String,
    /// Its number.
    pub serial: String,
    /// The first second of its validity, since 1970.
    pub not_before: u64,
    /// The last.
    pub not_after: u64,
    /// The SHA-256 of its DER.
    pub fingerprint: String,
}

/// How many certificates there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedEntry {
    /// All that were ever issued: the sum of the next four and of those that were revoked.
    pub all: u64,
    /// Valid, and the newest of their devices.
    pub valid: u64,
    /// Valid, and not the newest of their devices.
    pub superseded: u64,
    /// Over.
    pub expired: u64,
    /// Of the future.
    pub not_yet_valid: u64,
    /// Besides: granted, and not signed yet.
    pub granted: u64,
    /// Revoked, with their devices.
    pub revoked: u64,
}

/// A certificate of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateEntry {
    /// Its number.
    pub serial: String,
    /// Whose it is.
    pub user: String,
    /// Of which of their devices.
    pub device: String,
    /// What its key is.
    pub key: Option<String>,
    /// The first second of its validity, since 1970.
    pub not_before: u64,
    /// The last.
    pub not_after: u64,
    /// How far it has come.
    pub status: StatusWord,
    /// When it was asked for, in seconds since 1970.
    pub asked: u64,
    /// By what right: an invite, or the operator's word.
    pub by: String,
}

/// A [`Status`] as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusWord {
    /// Granted, and not signed yet.
    Granted,
    /// Of the future.
    NotYetValid,
    /// Valid, and the newest of its device.
    Valid,
    /// Valid, and not the newest of its device.
    Superseded,
    /// Over.
    Expired,
    /// Its device was revoked.
    Revoked,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullDeviceEntry {
    /// Whose it is.
    pub user: String,
    /// What it is called.
    pub device: String,
    /// What its key is.
    pub key: Option<String>,
    /// The SHA-256 of its key as `SubjectPublicKeyInfo` in DER.
    pub key_sha256: String,
    /// The last second of its newest certificate, since 1970.
    pub not_after: u64,
    /// How far that has come.
    pub certificate: StatusWord,
    /// Whether it is connected and can be called.
    pub online: bool,
    /// For how many seconds it has been.
    pub online_s: Option<u64>,
}

/// An admitted connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Whose.
    pub user: String,
    /// Of which of their devices.
    pub device: String,
    /// How many seconds ago it was made.
    pub connected_s: u64,
    /// From where: an IPv4 address, or the IPv6 network of half an address.
    pub from: String,
    /// Whether calls reach the device by it.
    pub present: bool,
    /// How many open tunnels end there.
    pub tunnels: usize,
    /// How many bytes wait until it reads them.
    pub waiting_bytes: usize,
}

impl AuthorityEntry {
    pub(super) fn new(view: &AuthorityView, link: &ServerLink) -> Self {
        let AuthorityView { realm, at, root, issuing, issuing_ends_soon, relay, tally } = view;
        let Tally { granted, not_yet_valid, valid, superseded, expired, revoked } = *tally;
        let issued = IssuedEntry { all: tally.issued(), valid, superseded, expired, not_yet_valid, granted, revoked };
        Self {
            realm: realm.to_string(),
            link: link.to_string(),
            at: at.0,
            root: FactsEntry::new(root),
            issuing: FactsEntry::new(issuing),
            issuing_ends_soon: *issuing_ends_soon,
            relay: FactsEntry::new(relay),
            issued,
        }
    }
}

impl FactsEntry {
    pub(super) fn new(facts: &Facts) -> Self {
        Self {
            subject: facts.subject.clone(),
            serial: facts.serial.clone(),
            not_before: facts.not_before.0,
            not_after: facts.not_after.0,
            fingerprint: facts.fingerprint.to_string(),
        }
    }
}

impl CertificateEntry {
    pub(super) fn new(line: &CertificateLine) -> Self {
        Self {
            serial: line.serial.to_string(),
            user: line.device.user.to_string(),
            device: line.device.device.to_string(),
            key: kind(line.kind),
            not_before: line.not_before.0,
            not_after: line.not_after.0,
            status: line.status.into(),
            asked: line.asked.0,
            by: line.right.to_string(),
        }
    }
}

impl FullDeviceEntry {
    pub(super) fn new(line: &DeviceLine) -> Self {
        Self {
            user: line.device.user.to_string(),
            device: line.device.device.to_string(),
            key: kind(line.kind),
            key_sha256: line.key.to_string(),
            not_after: line.not_after.0,
            certificate: line.status.into(),
            online: line.online.is_some(),
            online_s: line.online.map(|time| time.as_secs()),
        }
    }
}

impl SessionEntry {
    pub(super) fn new(line: &SessionLine) -> Self {
        Self {
            user: line.device.user.to_string(),
            device: line.device.device.to_string(),
            connected_s: line.connected.as_secs(),
            from: line.source.to_string(),
            present: line.present,
            tunnels: line.tunnels,
            waiting_bytes: line.waiting_bytes,
        }
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> Self {
        match status {
            Status::Granted => Self::Granted,
            Status::NotYetValid => Self::NotYetValid,
            Status::Valid => Self::Valid,
            Status::Superseded => Self::Superseded,
            Status::Expired => Self::Expired,
            Status::Revoked => Self::Revoked,
        }
    }
}

impl StatusWord {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::NotYetValid => "not yet valid",
            Self::Valid => "valid",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

fn kind(kind: Option<KeyKind>) -> Option<String> {
    kind.map(|kind| kind.to_string())
}

/// A place in the list of certificates, as a reply names it.
pub(super) fn place_text(place: CertificatePlace) -> String {
    format!("{}-{}", place.asked.0, place.serial)
}

/// The place in the list of certificates that a request names.
pub(super) fn read_place(text: &str) -> Result<CertificatePlace, String> {
    let parts = || {
        let (asked, serial) = text.split_once('-')?;
        Some(CertificatePlace { asked: Wall(asked.parse().ok()?), serial: read_serial(serial)? })
    };
    parts().ok_or_else(|| format!("{text:?} is no place in the list of certificates"))
}

fn read_serial(text: &str) -> Option<Serial> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Serial::from_content(&pairs.collect::<Option<Vec<u8>>>()?)
}

/// The place in the list of devices that a request names: `bob/laptop`.
pub(super) fn read_device(text: &str) -> Result<DeviceName, String> {
    let parts = || {
        let (user, device) = text.split_once('/')?;
        Some(DeviceName { user: UserName::parse(user).ok()?, device: DeviceLabel::parse(device).ok()? })
    };
    parts().ok_or_else(|| format!("{text:?} is no place in the list of devices"))
}

#[cfg(test)]
mod tests;
