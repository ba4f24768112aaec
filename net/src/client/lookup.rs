//! Decides how a server's name becomes addresses: beside the loop, since the system may take minutes over it.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use countersign_core::id::ConnId;
use countersign_core::invite::Endpoint;
use mio::Waker;

/// What a name was found to mean.
type Found = io::Result<Vec<SocketAddr>>;

/// The lookups of one endpoint, one at a time. A new connection takes over the lookup that an older one gave up on, so
/// that a system that never answers costs one thread.
#[derive(Debug)]
pub struct Lookup {
    endpoint: Endpoint,
    waker: Arc<Waker>,
    wanted: Option<ConnId>,
    running: Option<Receiver<Found>>,
}

impl Lookup {
    /// Nothing is looked up yet. The loop is woken by `waker` when something was found.
    pub fn new(endpoint: Endpoint, waker: Arc<Waker>) -> Self {
        Self { endpoint, waker, wanted: None, running: None }
    }

    /// Begins to look the name up for a connection; an address is found at once.
    pub fn start(&mut self, conn: ConnId) {
        self.wanted = Some(conn);
        if self.running.is_none() {
            let (sender, receiver) = channel();
            self.running = Some(receiver);
            self.find(sender);
        }
    }

    /// What was found, and for which connection.
    pub fn take(&mut self) -> Option<(ConnId, Found)> {
        let found = match self.running.as_ref()?.try_recv() {
            Ok(found) => found,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the lookup broke off")),
        };
        self.running = None;
        Some((self.wanted.take()?, found))
    }

    /// A connection is given up; whether it was still waiting for the lookup.
    pub fn forget(&mut self, conn: ConnId) -> bool {
        let waited = self.wanted == Some(conn);
        if waited {
            self.wanted = None;
        }
        waited
    }

    fn find(&self, sender: Sender<Found>) {
        let port = self.endpoint.port();
        let host = self.endpoint.host().to_owned();
        if let Ok(address) = host.parse::<IpAddr>() {
            // The receiver is ours, and there.
            let _ = sender.send(Ok(vec![SocketAddr::new(address, port)]));
            return;
        }
        let waker = Arc::clone(&self.waker);
        let failed = sender.clone();
        let look = move || {
            // A loop that is gone needs no answer.
            let _ = sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
            let _ = waker.wake();
        };
        if let Err(error) = thread::Builder::new().name("lookup".into()).spawn(look) {
            let _ = failed.send(Err(error));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    fn lookup(endpoint: &str) -> (Poll, Lookup) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        (poll, Lookup::new(Endpoint::parse(endpoint).unwrap(), waker))
    }

    #[test]
    fn an_address_is_itself_at_once() {
        for endpoint in ["127.0.0.1:7443", "[::1]:7443"] {
            let (_poll, mut lookup) = lookup(endpoint);
            lookup.start(ConnId(1));
            let (conn, found) = lookup.take().unwrap();
            assert_eq!((conn, found.unwrap()), (ConnId(1), vec![endpoint.parse().unwrap()]));
        }
    }

    #[test]
    fn a_name_is_looked_up_beside_the_loop_and_serves_the_connection_that_waits_by_then() {
        let (mut poll, mut lookup) = lookup("localhost:7443");
        lookup.start(ConnId(1));
        assert!(lookup.forget(ConnId(1)));
        assert!(!lookup.forget(ConnId(1)));
        lookup.start(ConnId(2));
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
        let (conn, found) = lookup.take().unwrap();
        assert_eq!(conn, ConnId(2));
        assert!(found.unwrap().iter().all(|address| address.ip().is_loopback() && address.port() == 7443));
        assert!(lookup.take().is_none());
    }
}
