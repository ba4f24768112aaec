//! Decides in which order a server starts: first what may refuse it, then the realm, then the port, then the word that it is ready.
//!
//! - [`assemble`], [`founding`]: from a data folder to the machine of `countersign_core`.
//! - `reactor`: the loop; `port`, `conns`, `ledger`, `place`: what is in it; `notes`: what is logged.
//! - [`admin`]: the operator's desk, which `server invite` and `server users` come to.
//! - [`announce`]: what is printed on stdout.

pub mod admin;
pub mod announce;
pub mod assemble;
mod conns;
pub mod founding;
mod ledger;
mod notes;
mod place;
mod port;
mod reactor;

use std::net::SocketAddr;
use std::path::PathBuf;

use countersign_core::id::Realm;
use countersign_core::invite::Endpoint;
use countersign_core::limits::INVITE_LIFETIME;
use countersign_core::operator::{Answer, Command};

use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::Failure;
use crate::signals::Signals;
use crate::store::folder::Folder;
use admin::Desk;
use admin::protocol::{Links, Reply};
use announce::Voice;
use assemble::Assembled;
use port::Port;
use reactor::Reactor;

/// What a server is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// What links name instead.
    pub public: Option<Endpoint>,
    /// The realm that a new folder gets, and that an old one must have.
    pub realm: Option<Realm>,
    /// How it speaks to whoever started it.
    pub voice: Voice,
}

/// Runs a server until a signal asks for its end.
pub fn run(options: &Options) -> Result<(), Failure> {
    let clock = Clock::start();
    admin::check_path(&options.data_dir.join(admin::SOCKET))?;
    let folder = Folder::open(&options.data_dir).map_err(Failure::failed)?;
    let _lock = folder.lock("server").map_err(Failure::failed)?;
    // Before a realm is founded, so that a first start that finds the port in use is still the first.
    let port = Port::open(options.listen)?;
    let address = port.address();
    let signals = Signals::take()?;
    let Assembled { server, journal, is_new } =
        assemble::assemble(&folder, options.realm.as_ref(), clock.now(), &mut OsEntropy)?;
    let realm = server.realm().clone();
    let (people, records) = (server.state().users().len(), server.state().position().n);
    let endpoint = announce::endpoint(options.public.as_ref(), address)?;
    let desk = Desk::open(&folder, Links { endpoint, realm: realm.clone(), root: server.root() })?;
    let mut reactor = Reactor::new(clock, server, journal, port, desk, signals)?;
    reactor.found()?;
    tracing::info!(%realm, people, records, "started");
    options.voice.listening(address, &realm);
    if is_new && options.voice.terminal {
        first_link(&mut reactor, &options.voice)?;
    }
    options.voice.next_step();
    reactor.run()
}

/// An invite for the first person, made by the command that `server invite` gives.
fn first_link(reactor: &mut Reactor, voice: &Voice) -> Result<(), Failure> {
    let answer = reactor.ask(&Command::Invite { user: None, lifetime: INVITE_LIFETIME })?;
    if let Answer::Refused(refusal) = &answer {
        return Err(Failure::failed(refusal));
    }
    if let Reply::Invite { link, .. } = Reply::new(&answer, reactor.desk().links()) {
        voice.first_link(&link);
    }
    Ok(())
}
