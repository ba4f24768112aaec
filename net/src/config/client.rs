//! Decides which keys `client.toml` has, and what they become.

use std::ops::RangeInclusive;
use std::time::Duration;

use countersign_core::invite::Endpoint;

use super::effective::Effective;
use super::error::ConfigError;
use super::file::{ConfigFile, Which};
use super::key::{Key, Table};
use super::kinds::names::{Filter, MaybeEndpoint};
use super::kinds::reach::{Networks, Ports, Reach};
use super::kinds::{AutoTime, Choice, Time};
use super::layers::{Flags, Layers};
use crate::logging::{Format, Logging};
use countersign_core::peer::network::Network;

/// The file's name in the data folder.
pub const FILE: &str = "client.toml";
/// The command that prints the example.
pub const EXAMPLE: &str = "client config example";
/// The longest that somebody who is not online is waited for.
const WAIT_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the server is.
pub static SERVER: Key<MaybeEndpoint> = Key {
    name: "server",
    flag: None,
    kind: MaybeEndpoint,
    default: || None,
    meaning: "Where the server is, after a move: it replaces the address of the invite; the server must prove itself as before",
};
/// Which way calls take.
pub static PATH: Key<Choice<Path>> = Key {
    name: "path",
    flag: Some("--path"),
    kind: Choice(&[("auto", Path::Auto), ("tunnel", Path::Tunnel)]),
    default: || Path::Auto,
    meaning: "Which way calls take: a direct connection where one comes about, or always the tunnel through the server",
};
/// Which addresses direct connections use.
pub static ADDRESSES: Key<Networks> = Key {
    name: "direct.addresses",
    flag: None,
    kind: Networks,
    default: Reach::local,
    meaning: "Which addresses may be used for direct connections: this machine's own are offered and the other's dialled (loopback \
              only where the server is on loopback), or of both only those in these networks",
};
/// Which ports they listen on.
pub static PORTS: Key<Ports> = Key {
    name: "direct.ports",
    flag: None,
    kind: Ports,
    default: || None,
    meaning: "Which ports are listened on for direct connections, for instance those that a firewall lets through",
};
/// How long somebody is waited for.
pub static WAIT: Key<AutoTime> = Key {
    name: "call.wait",
    flag: Some("--wait"),
    kind: AutoTime(Time { min: Duration::ZERO, max: WAIT_TIME_MAX }),
    default: || None,
    meaning: "How long a call waits for somebody who is not online; \"auto\" is 60 s on a terminal and 10 s otherwise",
};
/// What is logged.
pub static LOG_LEVEL: Key<Filter> = Key {
    name: "log.level",
    flag: None,
    kind: Filter,
    default: || "warn".to_owned(),
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

/// Every key of the client.
pub static TABLE: Table = &[&SERVER, &PATH, &ADDRESSES, &PORTS, &WAIT, &LOG_LEVEL, &LOG_FORMAT];

/// What a client runs with.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where the server is, instead of where the invite said. Whom the client trusts, it does not change.
    pub server: Option<Endpoint>,
    /// Direct connections.
    pub direct: Direct,
    /// How long a call waits for somebody who is not online, if somebody has chosen.
    pub wait: Option<Duration>,
    /// The log.
    pub logging: Logging,
    /// All of it, with where it comes from.
    pub effective: Effective,
}

/// Which way calls take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// A direct connection where one comes about, and else the tunnel.
    Auto,
    /// The tunnel alone.
    Tunnel,
}

/// What direct connections may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Whether there are any.
    pub path: Path,
    /// The networks whose addresses may be offered and dialled; `None` stands for what is local to the machine, loopback
    /// only if the relay itself is on loopback. An empty list allows none.
    pub networks: Option<Vec<Network>>,
    /// The ports to listen on; `None` lets the system choose.
    pub ports: Option<RangeInclusive<u16>>,
}

impl ClientConfig {
    /// Reads the file, and settles every key.
    pub fn load(which: &Which, flags: Flags) -> Result<Self, ConfigError> {
        Self::settle(&Layers::of_process(flags, ConfigFile::read(which, TABLE, EXAMPLE)?))
    }

    /// Settles every key.
    pub fn settle(layers: &Layers) -> Result<Self, ConfigError> {
        let mut effective = Effective::default();
        let told = &mut effective;
        Ok(Self {
            server: layers.take(&SERVER, told)?,
            direct: Direct {
                path: layers.take(&PATH, told)?,
                networks: layers.take(&ADDRESSES, told)?.networks,
                ports: layers.take(&PORTS, told)?,
            },
            wait: layers.take(&WAIT, told)?,
            logging: Logging { filter: layers.take(&LOG_LEVEL, told)?, format: layers.take(&LOG_FORMAT, told)? },
            effective,
        })
    }
}

#[cfg(test)]
mod tests;
