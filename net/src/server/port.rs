//! Decides when a new connection is taken from the port, and what happens when the system has no room for one.
//!
//! A server listens on one or several ports. One on an IPv6 address takes IPv6 alone, whatever the system's own default
//! is (`IPV6_V6ONLY`, RFC 3493 §5.3): so `[::]` and `0.0.0.0` can be listened on together, what is listened on does not
//! depend on a machine's settings, and no IPv4 address is ever seen in the clothes of IPv6.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use countersign_core::limits::ACCEPT_PAUSE;
use countersign_core::time::Instant;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::place::Place;
use crate::exit::Failure;

/// The port.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    address: SocketAddr,
    /// Which of the server's ports it is.
    number: usize,
    /// Whether somebody may wait outside.
    ready: bool,
    paused_until: Option<Instant>,
    /// Whether the log already says that there is no room.
    complained: bool,
}

impl Port {
    /// Listens on `address`, as one of several; with port 0 the system chooses one.
    pub(super) fn open(address: SocketAddr, number: usize) -> Result<Self, Failure> {
        let listener = listen(address).map_err(|error| refused(address, &error))?;
        let address = listener.local_addr().map_err(|error| refused(address, &error))?;
        Ok(Self { listener, address, number, ready: false, paused_until: None, complained: false })
    }

    /// Puts the port into the loop.
    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.listener, Place::Port(self.number).token(), Interest::READABLE)
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

    /// Lets in those who wait, at most so many.
    pub(super) fn accept(&mut self, most: usize, now: Instant) -> Vec<(TcpStream, SocketAddr)> {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        let mut newcomers = Vec::new();
        while self.is_ready() && newcomers.len() < most {
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
                // Without a pause the loop would spin, since whoever waits outside stays there.
                self.paused_until = Some(now.plus(ACCEPT_PAUSE));
                if !self.complained {
                    self.complained = true;
                    tracing::warn!(%error, "nobody can be let in: raise the limit on open files (ulimit -n)");
                }
            }
        }
    }
}

/// As std's `bind` does it, with a word more where it must be said before binding.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    /// Connections that wait to be taken; the system may hold fewer.
    const WAITING_MAX: i32 = 1024;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket: OwnedFd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Without it a restart would wait for the old server's connections to be forgotten.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, WAITING_MAX)?;
    Ok(TcpListener::from_std(socket.into()))
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
        _ if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => Failure::failed(
            format_args!("this machine has no IPv6 for {address}: choose an IPv4 address with --listen"),
        ),
        _ => Failure::failed(format_args!("{address} can't be listened on ({error}): choose another with --listen")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use countersign_core::limits::ACCEPTS_PER_TURN_MAX;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_port_in_use_is_one_sentence_and_exit_code_1() {
        let port = Port::open("127.0.0.1:0".parse().unwrap(), 0).unwrap();
        assert_ne!(port.address().port(), 0);
        let failure = Port::open(port.address(), 0).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.sentence.starts_with("another program listens on 127.0.0.1:"), "{failure}");
    }

    #[test]
    fn what_the_machine_lacks_is_said() {
        for (address, number, part) in [
            ("[::1]:7443", rustix::io::Errno::AFNOSUPPORT, "this machine has no IPv6 for [::1]:7443"),
            (
                "192.0.2.1:7443",
                rustix::io::Errno::ADDRNOTAVAIL,
                "this machine does not have the address of 192.0.2.1:7443",
            ),
            ("127.0.0.1:1", rustix::io::Errno::ACCESS, "no permission to listen on 127.0.0.1:1"),
        ] {
            let failure = refused(address.parse().unwrap(), &number.into());
            assert!(failure.sentence.starts_with(part) && failure.sentence.contains("--listen"), "{failure}");
        }
    }

    #[test]
    fn without_room_the_door_stays_shut_for_a_while_and_is_then_tried_again() {
        let mut port = Port::open("127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let _waiting = std::net::TcpStream::connect(port.address()).unwrap();
        port.event();
        // "Too many open files" has no kind of its own, like any number that the library doesn't know.
        port.failed(&io::Error::from_raw_os_error(24), Instant(0));
        assert!(!port.is_ready(), "the loop does not spin");
        assert_eq!(port.deadline(), Some(Instant(0).plus(ACCEPT_PAUSE)));
        assert!(port.accept(9, Instant(1)).is_empty());
        assert_eq!(port.accept(9, Instant(0).plus(ACCEPT_PAUSE)).len(), 1, "who waited outside is not forgotten");
        assert!(!port.is_ready());
        assert_eq!(port.deadline(), None);
    }

    #[test]
    fn every_address_of_both_families_can_be_listened_on_together() {
        // The number that IPv4 got may be somebody else's in IPv6, but hardly each time.
        let both = (0..20).find_map(|_| {
            let four = Port::open("0.0.0.0:0".parse().unwrap(), 0).unwrap();
            let six = Port::open(SocketAddr::from(([0; 16], four.address().port())), 1).ok()?;
            Some([four, six])
        });
        let mut ports = both.expect("[::] takes IPv6 alone, and this machine has IPv6");
        for (from, n) in [("127.0.0.1", 0), ("::1", 1)] {
            let stream = std::net::TcpStream::connect((from, ports[n].address().port())).unwrap();
            let newcomers = ports.each_mut().map(|port| {
                port.event();
                port.accept(1, Instant(0)).into_iter().map(|(_, peer)| peer).collect::<Vec<_>>()
            });
            assert_eq!(newcomers[n], [stream.local_addr().unwrap()]);
            assert!(newcomers[1 - n].is_empty());
        }
    }

    #[test]
    fn a_turn_lets_in_so_many_and_the_rest_in_the_next() {
        let mut port = Port::open("127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let connect = |_| std::net::TcpStream::connect(port.address()).unwrap();
        let crowd: Vec<_> = (0..=ACCEPTS_PER_TURN_MAX).map(connect).collect();
        port.event();
        assert_eq!(port.accept(ACCEPTS_PER_TURN_MAX, Instant(0)).len(), ACCEPTS_PER_TURN_MAX);
        assert!(port.is_ready(), "it knows that there are more");
        assert_eq!(port.accept(ACCEPTS_PER_TURN_MAX, Instant(0)).len(), 1);
        assert!(!port.is_ready());
        drop(crowd);
    }
}
