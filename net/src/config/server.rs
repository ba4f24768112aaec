//! Decides which keys `server.toml` has, and what they become.

use std::net::SocketAddr;

use countersign_core::id::Realm;
use countersign_core::invite::Endpoint;
use countersign_core::limits as bounds;
use countersign_core::server::{Settings, SignUpBy};

use super::effective::Effective;
use super::error::{Clash, ConfigError};
use super::file::{ConfigFile, Which};
use super::key::{Key, Literal, Table};
use super::kinds::names::{Addresses, Filter, MaybeEndpoint, MaybeRealm};
use super::kinds::{Choice, Time, Whole};
use super::layers::{Flags, Layers};
use crate::logging::{Format, Logging};

/// The file's name in the data folder.
pub const FILE: &str = "server.toml";
/// The command that prints the example.
pub const EXAMPLE: &str = "server config example";

/// Where to listen.
pub static LISTEN: Key<Addresses> = Key {
    name: "listen",
    flag: Some("--listen"),
    kind: Addresses,
    default: || vec![SocketAddr::from(([127, 0, 0, 1], 7443))],
    meaning: "Where the server listens: \"0.0.0.0:7443\" is every IPv4 address of the machine, \"[::]:7443\" every IPv6 address and \
              no IPv4, both in a list are all; port 0 lets the system choose",
};
/// What links name.
pub static PUBLIC: Key<MaybeEndpoint> = Key {
    name: "public",
    flag: Some("--public"),
    kind: MaybeEndpoint,
    default: || None,
    meaning: "What links name as the server's address; without it, an address that it listens on",
};
/// The realm.
pub static REALM: Key<MaybeRealm> = Key {
    name: "realm",
    flag: Some("--realm"),
    kind: MaybeRealm,
    default: || None,
    meaning: "The realm that a first start creates, chat.internal without it; later it must be the data folder's own",
};
/// What admits newcomers.
pub static SIGNUP: Key<Choice<SignUpBy>> = Key {
    name: "signup",
    flag: Some("--signup"),
    kind: Choice(&[("invite", SignUpBy::Invite), ("password", SignUpBy::Password), ("both", SignUpBy::Both)]),
    default: || Settings::default().sign_up,
    meaning: "What admits newcomers: an invite, a password that they choose themselves, or either; with a password anybody who \
              reaches the server and knows its link may join under a free name",
};
/// The room for everybody.
pub static LOBBY: Key<Choice<bool>> = Key {
    name: "lobby",
    flag: None,
    kind: Choice(&[("on", true), ("off", false)]),
    default: || Settings::default().lobby,
    meaning: "Whether there is a room for everybody, #lobby, into which each newcomer comes; where it is off nobody makes one, and \
              one that is there stays",
};
/// Connections at one time.
pub static CONNECTIONS: Key<Whole> = Key {
    name: "limits.connections",
    flag: None,
    kind: Whole { min: bounds::CONNECTIONS_MIN, max: bounds::CONNECTIONS_MAX },
    default: || Settings::default().connections_max,
    meaning: "Connections at one time; where fewer files may be open, the server says so and lowers it",
};
/// Connections of strangers.
pub static STRANGERS: Key<Whole> = Key {
    name: "limits.strangers",
    flag: None,
    kind: Whole { min: 1, max: bounds::STRANGERS_MAX },
    default: || Settings::default().strangers_max,
    meaning: "Connections among them that have not been admitted, fewer than all",
};
/// Strangers' key operations.
pub static KEY_OPERATIONS: Key<Whole> = Key {
    name: "limits.key_operations",
    flag: None,
    kind: Whole {
        min: bounds::KEY_OPERATIONS_PER_SECOND_MIN as usize,
        max: bounds::KEY_OPERATIONS_PER_SECOND_MAX as usize,
    },
    default: || Settings::default().key_operations_per_second as usize,
    meaning: "Public-key operations that all strangers together may cause in a second, what admits members included",
};
/// The time to be admitted.
pub static HANDSHAKE: Key<Time> = Key {
    name: "timeouts.handshake",
    flag: None,
    kind: Time { min: bounds::HANDSHAKE_TIME_LEAST, max: bounds::HANDSHAKE_TIME_MOST },
    default: || Settings::default().handshake_time,
    meaning: "How long a new connection may take to be admitted",
};
/// The time without a word.
pub static SILENCE: Key<Time> = Key {
    name: "timeouts.silence",
    flag: None,
    kind: Time { min: bounds::SILENCE_TIME_LEAST, max: bounds::SILENCE_TIME_MOST },
    default: || Settings::default().silence_time,
    meaning: "How long a device may be silent; devices ask for a sign of life every 20 s, and one of those may be lost",
};
/// The time that a call rings.
pub static RINGING: Key<Time> = Key {
    name: "timeouts.ringing",
    flag: None,
    kind: Time { min: bounds::RING_TIME_LEAST, max: bounds::RING_TIME_MOST },
    default: || Settings::default().ring_time,
    meaning: "How long a call rings",
};
/// The lifetime of an invite.
pub static INVITE_LIFETIME: Key<Time> = Key {
    name: "invites.lifetime",
    flag: None,
    kind: Time { min: bounds::INVITE_LIFETIME_MIN, max: bounds::INVITE_LIFETIME_MAX },
    default: || Settings::default().invite_lifetime,
    meaning: "How long an invite admits where server invite names no --expires",
};
/// What is logged.
pub static LOG_LEVEL: Key<Filter> = Key {
    name: "log.level",
    flag: None,
    kind: Filter,
    default: || "info".to_owned(),
    meaning: "What is logged, on standard error",
};
/// In which form.
pub static LOG_FORMAT: Key<Choice<Format>> = Key {
    name: "log.format",
    flag: None,
    kind: Format::CHOICE,
    default: || Format::Text,
    meaning: "In which form: lines for people, or one JSON object a line",
};

/// Every key of the server.
pub static TABLE: Table = &[
    &LISTEN,
    &PUBLIC,
    &REALM,
    &SIGNUP,
    &LOBBY,
    &CONNECTIONS,
    &STRANGERS,
    &KEY_OPERATIONS,
    &HANDSHAKE,
    &SILENCE,
    &RINGING,
    &INVITE_LIFETIME,
    &LOG_LEVEL,
    &LOG_FORMAT,
];

/// What a server runs with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// What links name instead.
    pub public: Option<Endpoint>,
    /// The realm that a new folder gets, and that an old one must have.
    pub realm: Option<Realm>,
    /// What the machine obeys.
    pub settings: Settings,
    /// The log.
    pub logging: Logging,
    /// All of it, with where it comes from.
    pub effective: Effective,
}

impl ServerConfig {
    /// Reads the file, and settles every key.
    pub fn load(which: &Which, flags: Flags) -> Result<Self, ConfigError> {
        Self::settle(&Layers::of_process(flags, ConfigFile::read(which, TABLE, EXAMPLE)?))
    }

    /// Settles every key.
    pub fn settle(layers: &Layers) -> Result<Self, ConfigError> {
        let mut effective = Effective::default();
        let told = &mut effective;
        let config = Self {
            listen: layers.take(&LISTEN, told)?,
            public: layers.take(&PUBLIC, told)?,
            realm: layers.take(&REALM, told)?,
            settings: Settings {
                sign_up: layers.take(&SIGNUP, told)?,
                lobby: layers.take(&LOBBY, told)?,
                connections_max: layers.take(&CONNECTIONS, told)?,
                strangers_max: layers.take(&STRANGERS, told)?,
                // Its kind holds it to less than that.
                key_operations_per_second: u32::try_from(layers.take(&KEY_OPERATIONS, told)?).unwrap_or(u32::MAX),
                handshake_time: layers.take(&HANDSHAKE, told)?,
                silence_time: layers.take(&SILENCE, told)?,
                ring_time: layers.take(&RINGING, told)?,
                invite_lifetime: layers.take(&INVITE_LIFETIME, told)?,
            },
            logging: Logging { filter: layers.take(&LOG_LEVEL, told)?, format: layers.take(&LOG_FORMAT, told)? },
            effective,
        };
        config.check()?;
        Ok(config)
    }

    /// What no key can see alone.
    fn check(&self) -> Result<(), ConfigError> {
        let Settings { connections_max, strangers_max, .. } = self.settings;
        if strangers_max < connections_max {
            return Ok(());
        }
        let origin = |name| self.effective.origin(name);
        Err(ConfigError::Clash(Box::new(Clash {
            name: STRANGERS.name,
            value: (Literal::Whole(strangers_max).to_string(), origin(STRANGERS.name)),
            demand: (
                format!("it is less than {}, which is {connections_max}", CONNECTIONS.name),
                origin(CONNECTIONS.name),
            ),
        })))
    }
}

#[cfg(test)]
mod tests;
