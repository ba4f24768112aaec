//! Decides what is said on the admin socket: one JSON request a line, one JSON reply a line.
//!
//! ```text
//! {"command":"invite","user":"bob","seconds":86400}  ->  {"reply":"invite","link":"countersign://...","expires":1800000000}
//! {"command":"users"}                                ->  {"reply":"users","users":[{"user":"bob","opened":..,"devices":[..]}]}
//! {"command":"invite"}                                   for anybody, and as long as the configuration says
//! {"command":"rotate"}                               ->  {"reply":"rotated","issuing":{"subject":..,"not_after":..,..}}
//! {"command":"revoke","user":"bob","device":null,"reason":1,"force":true}  ->  {"reply":"revoked","devices":["bob/laptop"],"number":..}
//! {"command":"reissue","user":"bob","seconds":null,"keep_devices":false}  ->  {"reply":"invite","link":"countersign://...","expires":..}
//! {"command":"acted","number":..}                    ->  {"reply":"acted","devices":[{"device":"alice/laptop","acted":true}]}
//! {"command":"sign","csr":"-----BEGIN ..","user":..,"device":..}  ->  {"reply":"signed","link":"countersign://...","certificates":[..]}
//!                                                        {"reply":"refused","sentence":"..."}     what the server denies
//!                                                        {"reply":"wrong","sentence":"..."}       what is no request
//! ```
//!
//! The rest, which only looks, is in [`super::views`].

use std::time::Duration;

use base64ct::{Base64, Encoding};
use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, Realm, UserName};
use countersign_core::invite::{Endpoint, InviteLink, ServerLink};
use countersign_core::operator::views::{CertificateLine, CertificatesQuery, DevicesQuery};
use countersign_core::operator::{Answer, Command, Revoke, Signed, UserLine};
use countersign_core::pki::{Facts, SecretKey};
use countersign_core::tlog::ReasonCode;
use serde::{Deserialize, Serialize};

use super::views::{
    AuthorityEntry, CertificateEntry, FactsEntry, FullDeviceEntry, SessionEntry, place_text, read_device, read_place,
};
use crate::store::keys::certificate_pem;
use crate::store::request;

/// What an operator's program asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Make an invite.
    Invite {
        /// For whom, if for one name alone.
        user: Option<String>,
        /// How long it admits, if not as long as the server's configuration says.
        seconds: Option<u64>,
    },
    /// List the people and their devices.
    Users {},
    /// Certify a key that was made elsewhere.
    Sign {
        /// The request, PEM.
        csr: String,
        /// Whose it is to be.
        user: String,
        /// What the device is called.
        device: String,
    },
    /// Show the realm's CAs and what they have signed.
    Authority {},
    /// List the certificates of devices, a page of them.
    Certificates {
        /// Of one person alone.
        user: Option<String>,
        /// Those alone by which a device lives now, and which end within so many seconds.
        expiring: Option<u64>,
        /// What the page before this one named as next.
        after: Option<String>,
    },
    /// List the devices, a page of them.
    Devices {
        /// Of one person alone.
        user: Option<String>,
        /// What the page before this one named as next.
        after: Option<String>,
    },
    /// List who is connected.
    Sessions {},
    /// Show the realm's log, a page of it.
    Log {
        /// The index of the page's first entry.
        first: u64,
    },
    /// Have the newest issuing CA of the data folder sign from now on.
    Rotate {},
    /// Make an invite that lets somebody in again who is there already, as a new identity.
    Reissue {
        /// Whom.
        user: String,
        /// How long it admits, if not as long as the server's configuration says.
        seconds: Option<u64>,
        /// Whether their devices from before stay.
        keep_devices: bool,
    },
    /// Take back a device, or all of a person's.
    Revoke {
        /// Whose.
        user: String,
        /// Which one, if not all.
        device: Option<String>,
        /// Why, by its number in RFC 5280 §5.3.1.
        reason: u8,
        /// Whether nothing may be left to the user.
        force: bool,
    },
    /// Ask which of those who attend go by the revocation lists of this number.
    Acted {
        /// The number.
        number: u64,
    },
}

/// Whether a device that attends goes by the revocation lists that were asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActedEntry {
    /// Which.
    pub device: String,
    /// Whether it does.
    pub acted: bool,
}

/// What it is told. It may hold an invite's secret, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// An invite.
    Invite {
        /// The link, secret included.
        link: String,
        /// The last second at which it admits, since 1970.
        expires: u64,
    },
    /// The people in order of name.
    Users {
        /// One entry a person.
        users: Vec<UserEntry>,
    },
    /// A key was certified.
    Signed {
        /// The server's link, without a secret.
        link: String,
        /// The device's certificate, the issuing CA's and the root's, each PEM.
        certificates: Vec<String>,
    },
    /// The realm's CAs and what they have signed.
    Authority {
        /// All of it.
        authority: Box<AuthorityEntry>,
    },
    /// Certificates of devices, the oldest first.
    Certificates {
        /// One entry a certificate.
        certificates: Vec<CertificateEntry>,
        /// Where the list goes on, if it does.
        next: Option<String>,
    },
    /// Devices in order of name.
    Devices {
        /// One entry a device.
        devices: Vec<FullDeviceEntry>,
        /// Where the list goes on, if it does.
        next: Option<String>,
    },
    /// Who is connected.
    Sessions {
        /// One entry for each admitted connection, in order of device.
        sessions: Vec<SessionEntry>,
        /// How many connections there are besides.
        strangers: usize,
    },
    /// Entries of the realm's log, the oldest first; none where it has ended.
    Log {
        /// What the log has signed of itself as it is now: a note.
        checkpoint: String,
        /// The entries as they are hashed, each in base64.
        entries: Vec<String>,
    },
    /// This issuing CA signs from now on.
    Rotated {
        /// It.
        issuing: FactsEntry,
    },
    /// These devices are revoked.
    Revoked {
        /// Which, in order of name.
        devices: Vec<String>,
        /// The number of the revocation lists that say so.
        number: u64,
    },
    /// Those who attend.
    Acted {
        /// One entry a device, in order of name.
        devices: Vec<ActedEntry>,
    },
    /// A sound request was denied.
    Refused {
        /// Why.
        sentence: String,
    },
    /// It was no sound request.
    Wrong {
        /// Why not.
        sentence: String,
    },
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// Their name.
    pub user: String,
    /// The second since 1970 at which their account was opened.
    pub opened: u64,
    /// Their devices in order of name.
    pub devices: Vec<DeviceEntry>,
}

/// A device of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEntry {
    /// Its label.
    pub device: String,
    /// Whether it is connected and can be called.
    pub online: bool,
}

/// What a link says besides its token.
#[derive(Clone, Debug)]
pub struct Links {
    /// Where clients reach the server.
    pub endpoint: Endpoint,
    /// The realm.
    pub realm: Realm,
    /// The root.
    pub root: Fingerprint,
    /// How long it admits when nobody says otherwise.
    pub lifetime: Duration,
}

impl Links {
    /// The server's link, without a token.
    fn server(&self) -> ServerLink {
        ServerLink { endpoint: self.endpoint.clone(), realm: self.realm.clone(), root: self.root }
    }
}

impl Request {
    /// Reads a line. An invite admits for the `usual` time if it names none; the issuing CA that is to sign is the `newest`.
    pub fn read(
        line: &[u8],
        usual: Duration,
        newest: impl FnOnce() -> Result<(Vec<u8>, SecretKey), String>,
    ) -> Result<Command, String> {
        let request: Self =
            serde_json::from_slice(line).map_err(|error| format!("this is no request of an operator ({error})"))?;
        match request {
            Self::Invite { user, seconds } => {
                Ok(Command::Invite { user: read_user(user)?, lifetime: seconds.map_or(usual, Duration::from_secs) })
            }
            Self::Users {} => Ok(Command::Users),
            Self::Sign { csr, user, device } => {
                let user = UserName::parse(&user).map_err(|refusal| refusal.to_string())?;
                let device = DeviceLabel::parse(&device).map_err(|refusal| refusal.to_string())?;
                let csr = request::from_text(csr.as_bytes()).map_err(|refusal| refusal.to_string())?;
                Ok(Command::Sign { csr, name: DeviceName { user, device } })
            }
            Self::Authority {} => Ok(Command::Authority),
            Self::Certificates { user, expiring, after } => Ok(Command::Certificates(CertificatesQuery {
                user: read_user(user)?,
                expiring: expiring.map(Duration::from_secs),
                after: after.map(|after| read_place(&after)).transpose()?,
            })),
            Self::Devices { user, after } => Ok(Command::Devices(DevicesQuery {
                user: read_user(user)?,
                after: after.map(|after| read_device(&after)).transpose()?,
            })),
            Self::Sessions {} => Ok(Command::Sessions),
            Self::Log { first } => Ok(Command::Log { first }),
            Self::Reissue { user, seconds, keep_devices: keep } => {
                let user = UserName::parse(&user).map_err(|refusal| refusal.to_string())?;
                Ok(Command::Reissue { user, lifetime: seconds.map_or(usual, Duration::from_secs), keep })
            }
            Self::Revoke { user, device, reason, force } => {
                let user = UserName::parse(&user).map_err(|refusal| refusal.to_string())?;
                let device = device.map(|device| DeviceLabel::parse(&device)).transpose();
                let device = device.map_err(|refusal| refusal.to_string())?;
                let reason = ReasonCode::new(reason).ok_or_else(|| format!("there is no reason {reason}"))?;
                Ok(Command::Revoke(Revoke { user, device, reason, force }))
            }
            Self::Acted { number } => Ok(Command::Acted { number }),
            Self::Rotate {} => newest().map(|(issuing, key)| Command::Rotate { issuing, key }),
        }
    }
}

fn read_user(user: Option<String>) -> Result<Option<UserName>, String> {
    user.map(|user| UserName::parse(&user)).transpose().map_err(|refusal| refusal.to_string())
}

impl Reply {
    /// The machine's answer as it is sent.
    pub fn new(answer: &Answer, links: &Links) -> Self {
        match answer {
            Answer::Invite(token, expires) => {
                let Links { endpoint, realm, root, .. } = links.clone();
                let link = InviteLink { endpoint, realm, root, token: token.clone() };
                Self::Invite { link: link.to_text(), expires: expires.0 }
            }
            Answer::Users(users) => Self::Users { users: users.iter().map(UserEntry::new).collect() },
            Answer::Refused(refusal) => Self::Refused { sentence: refusal.to_string() },
            Answer::Signed(Signed { leaf, issuing, root }) => {
                let link = links.server();
                let certificates = [leaf, issuing, root].map(|der| certificate_pem(der));
                Self::Signed { link: link.to_string(), certificates: certificates.into() }
            }
            Answer::Authority(view) => {
                Self::Authority { authority: Box::new(AuthorityEntry::new(view, &links.server())) }
            }
            Answer::Certificates(page) => {
                let last = page.entries.last().filter(|_| page.more).map(CertificateLine::place);
                let certificates = page.entries.iter().map(CertificateEntry::new).collect();
                Self::Certificates { certificates, next: last.map(place_text) }
            }
            Answer::Devices(page) => {
                let last = page.entries.last().filter(|_| page.more);
                let devices = page.entries.iter().map(FullDeviceEntry::new).collect();
                Self::Devices { devices, next: last.map(|line| line.device.to_string()) }
            }
            Answer::Sessions(view) => Self::Sessions {
                sessions: view.sessions.iter().map(SessionEntry::new).collect(),
                strangers: view.strangers,
            },
            Answer::Revoked { devices, number } => {
                Self::Revoked { devices: devices.iter().map(ToString::to_string).collect(), number: *number }
            }
            Answer::Acted(devices) => {
                let entry =
                    |(device, acted): &(DeviceName, bool)| ActedEntry { device: device.to_string(), acted: *acted };
                Self::Acted { devices: devices.iter().map(entry).collect() }
            }
            Answer::Rotated { issuing } => match Facts::read(issuing) {
                Some(facts) => Self::Rotated { issuing: FactsEntry::new(&facts) },
                None => unreachable!("an issuing CA that signs was read before"),
            },
            Answer::Log(view) => Self::Log {
                checkpoint: view.checkpoint.clone(),
                entries: view.entries.iter().map(|entry| Base64::encode_string(entry)).collect(),
            },
        }
    }

    /// The reply as a line.
    ///
    /// # Panics
    /// Never: a reply can always be encoded.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("a reply can always be encoded");
        line.push(b'\n');
        line
    }
}

impl UserEntry {
    fn new(line: &UserLine) -> Self {
        let devices =
            line.devices.iter().map(|(name, online)| DeviceEntry { device: name.device.to_string(), online: *online });
        Self { user: line.user.to_string(), opened: line.opened.0, devices: devices.collect() }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::limits::{
        ADMIN_REPLY_BYTES_MAX, ADMIN_REQUEST_BYTES_MAX, CSR_BYTES_MAX, LABEL_BYTES_MAX, USERS_MAX,
    };
    use countersign_core::time::Wall;

    use super::*;
    use crate::entropy::OsEntropy;

    #[test]
    fn requests_read_as_commands_and_nothing_else_does() {
        let (usual, day) = (Duration::from_secs(7), Duration::from_secs(86_400));
        let command = |text: &str| Request::read(text.as_bytes(), usual, || Err("nothing is newer".to_owned()));
        let bob = UserName::parse("bob").ok();
        assert_eq!(
            command(r#"{"command":"invite","user":"bob","seconds":86400}"#),
            Ok(Command::Invite { user: bob, lifetime: day })
        );
        for anybody in
            [r#"{"command":"invite","seconds":86400}"#, r#"{"command":"invite","user":null,"seconds":86400}"#]
        {
            assert_eq!(command(anybody), Ok(Command::Invite { user: None, lifetime: day }), "{anybody}");
        }
        for unsaid in [r#"{"command":"invite"}"#, r#"{"command":"invite","user":null,"seconds":null}"#] {
            assert_eq!(command(unsaid), Ok(Command::Invite { user: None, lifetime: usual }), "{unsaid}");
        }
        assert_eq!(command(r#"{"command":"users"}"#), Ok(Command::Users));
        assert_eq!(command(r#"{"command":"rotate"}"#), Err("nothing is newer".to_owned()));
        for wrong in [
            "",
            "users",
            "[]",
            r#"{"command":"revoke"}"#,
            r#"{"command":"revoke","user":"bob","device":null,"reason":"stolen","force":false}"#,
            r#"{"command":"users","more":1}"#,
            r#"{"command":"invite","seconds":-1}"#,
            r#"{"command":"invite","seconds":1,"realm":"x"}"#,
            r#"{"command":"users"} {"command":"users"}"#,
        ] {
            assert!(command(wrong).is_err_and(|why| why.starts_with("this is no request")), "{wrong}");
        }
        let upper = command(r#"{"command":"invite","user":"Bob","seconds":1}"#);
        assert_eq!(upper, Err("names are lower case".to_owned()));
    }

    #[test]
    fn what_a_program_writes_the_server_reads() {
        let longest = "x".repeat(LABEL_BYTES_MAX);
        let sign = |length: usize| Request::Sign {
            csr: request::to_pem(&vec![0xff; length]),
            user: longest.clone(),
            device: longest.clone(),
        };
        let newest = || Ok((vec![1], SecretKey::draw(&mut OsEntropy)));
        let invite = Request::Invite { user: Some("bob".into()), seconds: Some(1) };
        for request in [Request::Users {}, Request::Rotate {}, invite, sign(1), sign(CSR_BYTES_MAX)] {
            let line = serde_json::to_vec(&request).expect("a request can be encoded");
            assert!(Request::read(&line, Duration::ZERO, newest).is_ok(), "{request:?}");
            assert!(line.len() < ADMIN_REQUEST_BYTES_MAX, "{}", line.len());
        }
        let no_pem = r#"{"command":"sign","csr":"x","user":"bob","device":"desk"}"#;
        assert!(Request::read(no_pem.as_bytes(), Duration::ZERO, newest).is_err_and(|why| why.contains("PEM")));
    }

    #[test]
    fn a_full_realm_fits_a_reply() {
        let user = UserName::parse(&"u".repeat(LABEL_BYTES_MAX)).expect("a name");
        let device = DeviceLabel::parse(&"d".repeat(LABEL_BYTES_MAX)).expect("a label");
        let line = UserLine {
            devices: vec![(DeviceName { user: user.clone(), device }, false)],
            user,
            opened: Wall(u64::MAX),
        };
        let entry = serde_json::to_vec(&UserEntry::new(&line)).expect("an entry can be encoded");
        assert!((entry.len() + 1) * USERS_MAX + 100 < ADMIN_REPLY_BYTES_MAX, "{}", entry.len());
    }
}
