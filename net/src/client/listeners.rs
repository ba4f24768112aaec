//! Decides how a call's listeners are opened, asked and closed: one for each address, for the time of one introduction.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use countersign_core::id::CallId;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

/// The most connections that one listener gives in one turn of the loop.
const TURN_ACCEPTS_MAX: usize = 16;

/// All listeners.
#[derive(Debug)]
pub struct Listeners {
    /// Where to listen, if not wherever the system likes.
    ports: Option<RangeInclusive<u16>>,
    by_call: BTreeMap<CallId, Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    token: Token,
    /// Whether somebody may stand there: the system tells of it once.
    knocked: bool,
}

impl Listeners {
    /// None yet; those to come are at these ports, or at any.
    pub fn new(ports: Option<RangeInclusive<u16>>) -> Self {
        Self { ports, by_call: BTreeMap::new() }
    }

    /// Opens one on each of these addresses, as far as the system lets us; says where they are.
    pub fn open(
        &mut self,
        call: CallId,
        on: &[IpAddr],
        registry: &Registry,
        mut token: impl FnMut() -> Token,
    ) -> Vec<SocketAddr> {
        self.close(call, registry);
        let mut listeners = Vec::new();
        let mut at = Vec::new();
        for ip in on {
            let opened = self.bind(*ip).and_then(|mut listener| {
                let token = token();
                registry.register(&mut listener, token, Interest::READABLE)?;
                at.push(listener.local_addr()?);
                listeners.push(Listener { socket: listener, token, knocked: false });
                Ok(())
            });
            // An address that can't be listened on is one fewer to offer.
            let _ = opened;
        }
        self.by_call.insert(call, listeners);
        at
    }

    /// Closes those of a call.
    pub fn close(&mut self, call: CallId, registry: &Registry) {
        for mut listener in self.by_call.remove(&call).unwrap_or_default() {
            // Closing takes it out of the loop as well, but not on every system at once.
            let _ = registry.deregister(&mut listener.socket);
        }
    }

    /// Remembers an event; whether it was one of these listeners'.
    pub fn event(&mut self, token: Token) -> bool {
        let listener = self.by_call.values_mut().flatten().find(|listener| listener.token == token);
        listener.map(|listener| listener.knocked = true).is_some()
    }

    /// Whether somebody may still stand at a listener.
    pub fn is_knocked(&self) -> bool {
        self.by_call.values().flatten().any(|listener| listener.knocked)
    }

    /// Everybody who stands at the listeners, a turn's share of them, with the call that they come to.
    pub fn take(&mut self) -> Vec<(CallId, TcpStream)> {
        let mut came = Vec::new();
        for (call, listeners) in &mut self.by_call {
            for listener in listeners.iter_mut().filter(|listener| listener.knocked) {
                for _ in 0..TURN_ACCEPTS_MAX {
                    match listener.socket.accept() {
                        Ok((stream, _)) => came.push((*call, stream)),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            listener.knocked = false;
                            break;
                        }
                        // Whoever it was has gone, or there are no more sockets. The loop must not spin for it: the next
                        // one who comes is heard again.
                        Err(_) => {
                            listener.knocked = false;
                            break;
                        }
                    }
                }
            }
        }
        came
    }

    fn bind(&self, ip: IpAddr) -> io::Result<TcpListener> {
        let Some(ports) = self.ports.clone() else { return TcpListener::bind(SocketAddr::new(ip, 0)) };
        let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
        for port in ports {
            match TcpListener::bind(SocketAddr::new(ip, port)) {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    const LOOPBACK: [IpAddr; 2] =
        [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];

    #[test]
    fn a_door_is_open_for_its_call_alone_and_closes_with_it() {
        let mut poll = Poll::new().unwrap();
        let mut listeners = Listeners::new(None);
        let mut tokens = 0;
        let at = listeners.open(CallId(1), &LOOPBACK, poll.registry(), || {
            tokens += 1;
            Token(tokens)
        });
        assert_eq!(at.len(), 2, "IPv4 and IPv6");
        let _knocks: Vec<_> = at.iter().map(|at| std::net::TcpStream::connect(at).unwrap()).collect();
        let mut came = Vec::new();
        let mut events = Events::with_capacity(4);
        while came.len() < 2 {
            poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            assert!(!events.is_empty(), "nobody came in time");
            for event in &events {
                assert!(listeners.event(event.token()));
            }
            came.extend(listeners.take());
        }
        assert!(came.iter().all(|(call, _)| *call == CallId(1)));
        listeners.close(CallId(1), poll.registry());
        assert!(std::net::TcpStream::connect(at[0]).is_err());
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over_and_an_address_that_is_not_ours_is_not_offered() {
        let taken = std::net::TcpListener::bind((LOOPBACK[0], 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let poll = Poll::new().unwrap();
        let foreign = IpAddr::from([192, 0, 2, 1]);
        let mut listeners = Listeners::new(Some(port..=port));
        assert_eq!(listeners.open(CallId(1), &[LOOPBACK[0], foreign], poll.registry(), || Token(1)), []);
        let mut listeners = Listeners::new(Some(port..=port.saturating_add(20)));
        let at = listeners.open(CallId(1), &[LOOPBACK[0]], poll.registry(), || Token(1));
        assert!(matches!(at[..], [at] if at.port() > port), "{at:?}");
    }
}
