//! Decides what the server prints on stdout: where it listens, and what a person does next.

use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use countersign_core::id::Realm;
use countersign_core::invite::{Endpoint, ServerLink};
use serde_json::json;

use crate::args::command_line;
use crate::exit::{Failure, print_line};

/// How the server speaks to whoever started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// One object a line, for programs.
    pub json: bool,
    /// Whether a person reads, who may see an invite's secret; a log may not.
    pub terminal: bool,
    /// How the server's data folder is named in the commands that are advised: ` --data-dir DIR`, or nothing.
    pub data_dir: String,
}

impl Voice {
    /// The voice for this process's stdout.
    pub fn of_stdout(json: bool, data_dir: String) -> Self {
        Self { json, terminal: io::stdout().is_terminal(), data_dir }
    }

    /// Says that the server is ready. Scripts wait for this line.
    pub(super) fn listening(&self, address: SocketAddr, realm: &Realm) {
        self.say(if self.json {
            json!({ "event": "listening", "address": address.to_string(), "realm": realm.as_str() }).to_string()
        } else {
            format!("listening on {address}, realm {realm}")
        });
    }

    /// Gives the first person their link.
    pub(super) fn first_link(&self, link: &str) {
        let command = format!("{} join {link}", command_line("client"));
        if self.json {
            self.say(json!({ "event": "invite", "link": link, "command": command }).to_string());
        } else {
            self.say("the realm is new; the first person joins it with".to_owned());
            self.say(format!("  {command}"));
        }
    }

    /// Says how people join by a password. The link is no secret.
    pub(super) fn sign_up(&self, link: &ServerLink) {
        let command = format!("{} join --password {link}", command_line("client"));
        self.say(if self.json {
            json!({ "event": "sign_up", "link": link.to_string(), "command": command }).to_string()
        } else {
            format!("to join by a password: {command}")
        });
    }

    /// Says how others are invited.
    pub(super) fn next_step(&self) {
        if !self.json {
            let command = command_line("server");
            self.say(format!("to invite somebody: {command} invite{}", self.data_dir));
        }
    }

    /// A server goes on when nobody listens to it.
    #[expect(clippy::unused_self, reason = "only a voice speaks")]
    fn say(&self, line: String) {
        let _: Result<(), Failure> = print_line(line);
    }
}

/// Where links say that the server is: what was given as public, or else the best of the addresses that it listens on, one
/// that others can reach before one that only this machine can. An address that stands for all of the machine's can't be
/// dialled, so a link then names this machine itself.
pub fn endpoint(public: Option<&Endpoint>, listens: &[SocketAddr]) -> Result<Endpoint, Failure> {
    if let Some(public) = public {
        return Ok(public.clone());
    }
    let worth = |address: &&SocketAddr| (address.ip().is_unspecified(), address.ip().is_loopback());
    let Some(mut address) = listens.iter().min_by_key(worth).copied() else {
        return Err(Failure::usage("the server has nothing to listen on: give an address with --listen"));
    };
    if listens.iter().any(|address| address.ip().is_unspecified()) && !is_reachable(address) {
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            });
        }
        tracing::warn!(links_name = %address, "links only work on this machine: give the name that others reach it by with --public");
    }
    Endpoint::parse(&address.to_string()).map_err(|_| {
        Failure::usage(format_args!("{address} can't stand in a link: give a name or address for it with --public"))
    })
}

/// Whether an address may lead here from another machine.
fn is_reachable(address: SocketAddr) -> bool {
    !address.ip().is_unspecified() && !address.ip().is_loopback()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_what_can_be_dialled() {
        let given = Endpoint::parse("chat.example.org:443").unwrap();
        for (listens, public, expected) in [
            ("127.0.0.1:7443", None, "127.0.0.1:7443"),
            ("[::1]:7443", None, "[::1]:7443"),
            ("0.0.0.0:7443", None, "127.0.0.1:7443"),
            ("[::]:7443", None, "[::1]:7443"),
            ("0.0.0.0:7443", Some(&given), "chat.example.org:443"),
            ("0.0.0.0:7443 [::]:7443", None, "127.0.0.1:7443"),
            ("127.0.0.1:1 [::]:7443", None, "127.0.0.1:1"),
            ("127.0.0.1:1 [::]:2 192.0.2.1:3", None, "192.0.2.1:3"),
            ("[::1]:1 127.0.0.1:2", None, "[::1]:1"),
        ] {
            let addresses: Vec<SocketAddr> = listens.split(' ').map(|address| address.parse().unwrap()).collect();
            assert_eq!(endpoint(public, &addresses).unwrap().to_string(), expected, "{listens}");
        }
        let scoped = endpoint(None, &["[fe80::1%2]:7443".parse().unwrap()]).unwrap_err();
        assert!(scoped.sentence.contains("--public"), "{scoped}");
    }
}
