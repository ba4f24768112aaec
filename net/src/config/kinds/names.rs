//! Decides which values name something: addresses to listen on, a server, a realm, what is logged.

use std::net::SocketAddr;

use countersign_core::id::Realm;
use countersign_core::invite::Endpoint;
use tracing_subscriber::filter::EnvFilter;

use super::super::given::Given;
use super::super::key::{Kind, Literal, Wrong};

/// Addresses that a server listens on at one time.
pub const ADDRESSES_MAX: usize = 8;

/// One or several addresses to listen on.
#[derive(Clone, Copy, Debug)]
pub struct Addresses;

impl Kind for Addresses {
    type Value = Vec<SocketAddr>;

    fn read(&self, given: &Given) -> Result<Vec<SocketAddr>, Wrong> {
        let texts = given.texts().filter(|texts| (1..=ADDRESSES_MAX).contains(&texts.len())).ok_or(Wrong::Kind)?;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for text in texts {
            let address: SocketAddr = text.parse().map_err(|_| Wrong::Kind)?;
            // With port 0 each gets a port of its own.
            if address.port() != 0 && addresses.contains(&address) {
                return Err(Wrong::because(format_args!("{address} stands in it twice")));
            }
            addresses.push(address);
        }
        for address in &addresses {
            let covers = |all: &&SocketAddr| {
                all.ip().is_unspecified() && all.is_ipv4() == address.is_ipv4() && all.port() == address.port()
            };
            let covered = addresses.iter().filter(|all| *all != address).find(covers).filter(|_| address.port() != 0);
            if let Some(all) = covered {
                return Err(Wrong::because(format_args!("{all} is every address of this machine, {address} included")));
            }
        }
        Ok(addresses)
    }

    fn write(&self, value: &Vec<SocketAddr>) -> Literal {
        Literal::List(value.iter().map(SocketAddr::to_string).collect())
    }

    fn allowed(&self) -> String {
        format!(
            "ADDRESS:PORT, for example \"127.0.0.1:7443\" or \"[::]:7443\", or a list of up to {ADDRESSES_MAX} of them"
        )
    }
}

/// Where a server is reached, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct MaybeEndpoint;

impl Kind for MaybeEndpoint {
    type Value = Option<Endpoint>;

    fn read(&self, given: &Given) -> Result<Option<Endpoint>, Wrong> {
        match given.text() {
            Some("") => Ok(None),
            Some(text) => Endpoint::parse(text).map(Some).map_err(|_| Wrong::Kind),
            None => Err(Wrong::Kind),
        }
    }

    fn write(&self, value: &Option<Endpoint>) -> Literal {
        Literal::Text(value.as_ref().map(Endpoint::to_string).unwrap_or_default())
    }

    fn allowed(&self) -> String {
        "HOST:PORT, for example \"chat.example.org:7443\", or \"\" for none".to_owned()
    }
}

/// A realm, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct MaybeRealm;

impl Kind for MaybeRealm {
    type Value = Option<Realm>;

    fn read(&self, given: &Given) -> Result<Option<Realm>, Wrong> {
        match given.text() {
            Some("") => Ok(None),
            Some(text) => Realm::parse(text).map(Some).map_err(Wrong::because),
            None => Err(Wrong::Kind),
        }
    }

    fn write(&self, value: &Option<Realm>) -> Literal {
        Literal::Text(value.as_ref().map(Realm::to_string).unwrap_or_default())
    }

    fn allowed(&self) -> String {
        "a name like \"chat.internal\", or \"\" for none".to_owned()
    }
}

/// What is logged.
#[derive(Clone, Copy, Debug)]
pub struct Filter;

impl Kind for Filter {
    type Value = String;

    fn read(&self, given: &Given) -> Result<String, Wrong> {
        let text = given.text().filter(|text| !text.is_empty()).ok_or(Wrong::Kind)?;
        // A single word would pass for a module's name, and nothing would be logged.
        let is_level = |part: &str| {
            let level = part.rsplit('=').next().unwrap_or_default();
            ["off", "error", "warn", "info", "debug", "trace"].contains(&level)
        };
        if text.split(',').all(is_level) && EnvFilter::builder().parse(text).is_ok() {
            Ok(text.to_owned())
        } else {
            Err(Wrong::Kind)
        }
    }

    fn write(&self, value: &String) -> Literal {
        Literal::Text(value.clone())
    }

    fn allowed(&self) -> String {
        "\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\", also for a part alone, as in \"info,net=debug\"".to_owned()
    }
}
