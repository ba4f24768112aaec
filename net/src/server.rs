//! Decides in which order a server starts: first what may refuse it, then the realm, then the port, then the word that it is ready.
//!
//! - [`assemble`], [`founding`], [`replay`]: from a data folder to the machine of `countersign_core`.
//! - `open_files`: how many connections the system lets it have.
//! - `reactor`: the loop; `port`, `conns`, `ledger`, `place`: what is in it; `stretcher`: passwords, beside it; `notes`: what is logged.
//! - [`admin`]: the operator's desk, which `server invite`, `server users` and `server ca sign` come to; [`sign`]: the last.
//! - [`root_key`]: `server ca export-root`, and the root's key wherever it is; [`issuing`], [`rotate`]: the issuing CAs, and
//!   `server ca rotate`.
//! - [`show`]: what `server ca show`, `server ca list`, `server devices` and `server sessions` print.
//! - [`backup`], [`restore`]: `server backup` and `server restore`.
//! - [`announce`]: what is printed on stdout.

pub mod admin;
pub mod announce;
pub mod assemble;
pub mod backup;
mod conns;
pub mod founding;
pub mod issuing;
mod ledger;
pub mod log;
mod notes;
mod open_files;
mod place;
mod port;
mod reactor;
pub mod reissue;
pub mod replay;
pub mod restore;
pub mod revoke;
pub mod root_key;
pub mod rotate;
pub mod show;
pub mod sign;
mod stretcher;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use countersign_core::invite::ServerLink;
use countersign_core::operator::{Answer, Command};

use crate::clock::Clock;
use crate::config::server::{REALM, ServerConfig};
use crate::entropy::OsEntropy;
use crate::exit::Failure;
use crate::signals::Signals;
use crate::store::folder::Folder;
use admin::Desk;
use admin::protocol::{Links, Reply};
use announce::Voice;
use assemble::{AssembleError, Assembled};
use port::Port;
use reactor::Reactor;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder.
    pub data_dir: PathBuf,
    /// What it runs with.
    pub config: ServerConfig,
    /// How it speaks to whoever started it.
    pub voice: Voice,
}

/// Runs a server until a signal asks for its end.
pub fn run(options: &Options) -> Result<(), Failure> {
    let clock = Clock::start();
    crate::unix_socket::check_path(&options.data_dir.join(admin::SOCKET))?;
    let folder = Folder::open(&options.data_dir).map_err(Failure::failed)?;
    let _lock = folder.lock("server").map_err(Failure::failed)?;
    let config = &options.config;
    let settings = open_files::make_room(config.settings)?;
    // Before a realm is founded, so that a first start that finds a port in use is still the first.
    let ports = config.listen.iter().enumerate().map(|(n, address)| Port::open(*address, n));
    let ports = ports.collect::<Result<Vec<_>, _>>()?;
    let addresses: Vec<SocketAddr> = ports.iter().map(Port::address).collect();
    let endpoint = announce::endpoint(config.public.as_ref(), &addresses)?;
    let signals = Signals::take()?;
    let Assembled { server, journal, is_new, folded: (snapshot, folded) } =
        assemble::assemble(&folder, config.realm.as_ref(), clock.now(), &mut OsEntropy)
            .map_err(|error| refused(error, config))?;
    let server = server.with_settings(settings).map_err(Failure::failed)?;
    let realm = server.realm().clone();
    let (people, records) = (server.state().users().len(), server.state().position().n);
    let lifetime = settings.invite_lifetime;
    let link = ServerLink { endpoint: endpoint.clone(), realm: realm.clone(), root: server.root() };
    let desk = Desk::open(&folder, Links { endpoint, realm: realm.clone(), root: server.root(), lifetime })?;
    let mut reactor = Reactor::new(clock, server, journal, ports, desk, signals)?;
    reactor.found()?;
    tracing::info!(snapshot, records = folded, "journal folded");
    tracing::info!(%realm, people, records, "started");
    for address in addresses {
        options.voice.listening(address, &realm);
    }
    if settings.sign_up.takes_invites() {
        if is_new && options.voice.terminal {
            first_link(&mut reactor, lifetime, &options.voice)?;
        }
        options.voice.next_step();
    }
    if settings.sign_up.takes_passwords() {
        options.voice.sign_up(&link);
    }
    reactor.run()
}

/// A realm that is not the folder's was asked for somewhere, and that is where it has to be changed.
fn refused(error: AssembleError, config: &ServerConfig) -> Failure {
    let is_realm = matches!(error, AssembleError::OtherRealm { .. });
    let failure = Failure::from(error);
    if is_realm {
        Failure::new(failure.exit, format_args!("{}: {failure}", config.effective.origin(REALM.name)))
    } else {
        failure
    }
}

/// An invite for the first person, made by the command that `server invite` gives.
fn first_link(reactor: &mut Reactor, lifetime: Duration, voice: &Voice) -> Result<(), Failure> {
    let answer = reactor.ask(&Command::Invite { user: None, lifetime })?;
    if let Answer::Refused(refusal) = &answer {
        return Err(Failure::failed(refusal));
    }
    if let Reply::Invite { link, .. } = Reply::new(&answer, reactor.desk().links()) {
        voice.first_link(&link);
    }
    Ok(())
}
