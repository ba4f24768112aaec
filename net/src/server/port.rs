//! Decides when a new connection is taken from the port, and what happens when the system has no room for one.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use countersign_core::time::Instant;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};

use super::place::Place;
use crate::exit::Failure;

/// New connections that are taken in one turn, so that a crowd at the door does not hold up those inside.
const ACCEPTS_PER_TURN: usize = 64;
/// How long nobody is let in after the system had no room. Without it the loop would spin, since whoever waits outside
/// stays there.
const PAUSE: Duration = Duration::from_millis(500);

/// The port.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    address: SocketAddr,
    /// Whether somebody may wait outside.
    ready: bool,
    paused_until: Option<Instant>,
    /// Whether the log already says that there is no room.
    complained: bool,
}

impl Port {
    /// Listens on `address`; with port 0 the system chooses one.
    pub(super) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).map_err(|error| refused(address, &error))?;
        let address = listener.local_addr().map_err(|error| refused(address, &error))?;
        Ok(Self { listener, address, ready: false, paused_until: None, complained: false })
    }

    /// Puts the port into the loop.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.listener, Place::Port.token(), Interest::READABLE)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Somebody came.
    pub(super) fn event(&mut self) {
        self.ready = true;
    }

    /// Whether somebody may wait who can be let in now.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && self.paused_until.is_none()
    }

    /// When the pause ends, if there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Lets in those who wait, as many as a turn takes.
    pub(super) fn accept(&mut self, now: Instant) -> Vec<(TcpStream, SocketAddr)> {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        let mut newcomers = Vec::new();
        while self.is_ready() && newcomers.len() < ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok(newcomer) => {
                    self.complained = false;
                    newcomers.push(newcomer);
                }
                Err(error) => self.failed(&error, now),
            }
        }
        newcomers
    }

    fn failed(&mut self, error: &io::Error, now: Instant) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all that is left means that the system has no room")]
        match error.kind() {
            ErrorKind::WouldBlock => self.ready = false,
            // The newcomer left while waiting; the next one may not have.
            ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
            _ => {
                self.paused_until = Some(now.plus(PAUSE));
                if !self.complained {
                    self.complained = true;
                    tracing::warn!(%error, "nobody can be let in: raise the limit on open files (ulimit -n)");
                }
            }
        }
    }
}

fn refused(address: SocketAddr, error: &io::Error) -> Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the list is open, and the last arm keeps the rest")]
    match error.kind() {
        ErrorKind::AddrInUse => Failure::failed(format_args!(
            "another program listens on {address} already: stop it, or choose another port with --listen"
        )),
        ErrorKind::AddrNotAvailable => Failure::failed(format_args!(
            "this machine does not have the address of {address}: choose one that it has with --listen"
        )),
        ErrorKind::PermissionDenied => Failure::failed(format_args!(
            "no permission to listen on {address}: choose a port of 1024 or above with --listen"
        )),
        _ => Failure::failed(format_args!("{address} can't be listened on ({error}): choose another with --listen")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_port_in_use_is_one_sentence_and_exit_code_1() {
        let port = Port::open("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(port.address().port(), 0);
        let failure = Port::open(port.address()).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.sentence.starts_with("another program listens on 127.0.0.1:"), "{failure}");
    }

    #[test]
    fn without_room_the_door_stays_shut_for_a_while_and_is_then_tried_again() {
        let mut port = Port::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let _waiting = std::net::TcpStream::connect(port.address()).unwrap();
        port.event();
        // "Too many open files" has no kind of its own, like any number that the library doesn't know.
        port.failed(&io::Error::from_raw_os_error(24), Instant(0));
        assert!(!port.is_ready(), "the loop does not spin");
        assert_eq!(port.deadline(), Some(Instant(0).plus(PAUSE)));
        assert!(port.accept(Instant(1)).is_empty());
        assert_eq!(port.accept(Instant(0).plus(PAUSE)).len(), 1, "who waited outside is not forgotten");
        assert!(!port.is_ready());
        assert_eq!(port.deadline(), None);
    }
}
