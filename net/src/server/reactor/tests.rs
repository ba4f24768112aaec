//! The loop over real sockets: bytes that are no TLS, an operator who asks, a journal that fails, a shutdown.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream as Blocking};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::thread;

use countersign_core::limits::STRANGERS_MAX;
use tempfile::TempDir;

use super::*;
use crate::server::admin::SOCKET;
use crate::server::admin::ask::ask;
use crate::server::admin::protocol::{Links, Reply, Request};
use crate::server::announce::endpoint;
use crate::server::assemble::{Assembled, assemble};
use crate::server::founding::JOURNAL;
use crate::store::folder::Folder;

struct Running {
    _dir: TempDir,
    folder: Folder,
    reactor: Reactor,
    address: SocketAddr,
    signal: UnixStream,
}

impl Running {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("data")).unwrap();
        let clock = Clock::start();
        let Assembled { server, journal, .. } = assemble(&folder, None, clock.now(), &mut OsEntropy).unwrap();
        let port = Port::open("127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let address = port.address();
        let endpoint = endpoint(None, &[address]).unwrap();
        let links =
            Links { endpoint, realm: server.realm().clone(), root: server.root(), lifetime: Duration::from_secs(60) };
        let desk = Desk::open(&folder, links).unwrap();
        let (signals, signal) = Signals::pretended().unwrap();
        let reactor = Reactor::new(clock, server, journal, vec![port], desk, signals).unwrap();
        Self { _dir: dir, folder, reactor, address, signal }
    }

    fn connect(&self) -> Blocking {
        let stream = Blocking::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Turns until `ready` holds.
    fn turn_until(&mut self, mut ready: impl FnMut(&Reactor) -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !ready(&self.reactor) {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            assert!(!left.is_zero(), "it did not come about within a minute");
            self.reactor.turn_within(left).unwrap();
        }
    }

    /// Asks as an operator's program does, while the loop turns.
    fn ask(&mut self, request: Request) -> Result<Reply, Failure> {
        let folder = self.folder.path().to_owned();
        let (answer, answers) = channel();
        // Its end wakes the loop once more, when the answer is there.
        let bell = UnixStream::connect(self.folder.file(SOCKET)).unwrap();
        let operator = thread::spawn(move || {
            answer.send(ask(&folder, &request)).unwrap();
            drop(bell);
        });
        let mut answered = None;
        self.turn_until(|_| {
            answered = answers.try_recv().ok();
            answered.is_some()
        });
        operator.join().unwrap();
        answered.unwrap()
    }
}

#[test]
fn bytes_that_are_no_tls_get_an_alert_and_a_close_and_nobody_else_notices() {
    let mut running = Running::new();
    let mut other = running.connect();
    let mut stranger = running.connect();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // The end comes in the same turn, and the alert must not be lost over it.
    stranger.shutdown(Shutdown::Write).unwrap();
    running.turn_until(|reactor| reactor.conns.accepted() == 2 && reactor.conns.len() == 1);
    let mut heard = Vec::new();
    stranger.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.first(), Some(&21), "a TLS alert (RFC 8446 §5.1): {heard:?}");
    other.write_all(&[22]).unwrap();
    other.set_nonblocking(true).unwrap();
    assert!(other.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it is still connected");
}

#[test]
fn one_who_goes_on_talking_after_the_alert_is_closed_in_bounded_time() {
    let mut running = Running::new();
    let mut stranger = running.connect();
    let talker = thread::spawn(move || while stranger.write_all(&[b'x'; 10_000]).is_ok() {});
    running.turn_until(|reactor| reactor.conns.accepted() == 1 && reactor.conns.len() == 0);
    talker.join().unwrap();
}

#[test]
fn one_stranger_too_many_takes_the_place_of_the_oldest_at_once() {
    let mut running = Running::new();
    let all = u64::try_from(STRANGERS_MAX).unwrap();
    let come = |running: &mut Running, n| {
        let stranger = running.connect();
        running.turn_until(|reactor| reactor.conns.accepted() == n);
        stranger
    };
    let mut crowd: Vec<Blocking> = (1..=all + 1).map(|n| come(&mut running, n)).collect();
    assert_eq!(crowd[0].read(&mut [0]).unwrap(), 0, "the oldest is gone");
    crowd[1].set_nonblocking(true).unwrap();
    assert!(crowd[1].read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "the next is not");
    assert_eq!(running.reactor.conns.len(), STRANGERS_MAX);
}

#[test]
fn an_operator_is_answered_while_the_loop_turns() {
    let mut running = Running::new();
    let invite = Request::Invite { user: Some("bob".to_owned()), seconds: Some(60) };
    let Ok(Reply::Invite { link, .. }) = running.ask(invite.clone()) else { panic!("no invite") };
    assert!(link.starts_with(&format!("countersign://{}/chat.internal/", running.address)), "{link}");
    assert!(matches!(running.ask(Request::Users {}), Ok(Reply::Users { users }) if users.is_empty()));
    let long = Request::Invite { user: None, seconds: Some(u64::MAX) };
    assert_eq!(running.ask(long).err().unwrap().exit, crate::exit::Exit::Refused);
}

#[test]
fn a_command_of_our_own_is_answered_when_the_journal_has_it() {
    let mut running = Running::new();
    let command = Command::Invite { user: None, lifetime: Duration::from_secs(60) };
    let Answer::Invite(token, _) = running.reactor.ask(&command).unwrap() else { panic!("no invite") };
    assert!(running.reactor.server.state().invite(token.hash()).is_some());
}

#[test]
fn a_failed_journal_ends_the_loop_and_nobody_is_answered() {
    let mut running = Running::new();
    running.turn_until(|reactor| reactor.server.state().position().n == 4);
    // Somebody else writes where the next record belongs.
    let theirs = rusqlite::Connection::open(running.folder.file(JOURNAL)).unwrap();
    theirs.execute("INSERT INTO record VALUES (5, x'aa')", []).unwrap();
    let folder = running.folder.path().to_owned();
    let operator = thread::spawn(move || ask(&folder, &Request::Invite { user: None, seconds: Some(60) }));
    let failure = loop {
        if let Err(failure) = running.reactor.turn_within(Duration::from_secs(60)) {
            break failure;
        }
    };
    assert_eq!(failure.exit, crate::exit::Exit::Failed);
    drop(running);
    assert_eq!(operator.join().unwrap().err().unwrap().exit, crate::exit::Exit::Unreachable);
}

#[test]
fn a_signal_ends_everything_in_good_order() {
    let mut running = Running::new();
    let mut stranger = running.connect();
    running.turn_until(|reactor| reactor.conns.accepted() == 1);
    running.signal.write_all(b"x").unwrap();
    let Running { _dir, folder, reactor, address, signal: _signal } = running;
    let server = thread::spawn(move || reactor.run());
    // The stranger reads the end, and closes in turn, so nobody waits for anybody.
    let mut heard = Vec::new();
    stranger.read_to_end(&mut heard).unwrap();
    drop(stranger);
    server.join().unwrap().unwrap();
    assert!(!folder.file(SOCKET).exists());
    assert!(!folder.file(&format!("{JOURNAL}-wal")).exists(), "the journal was closed");
    Port::open(address, 0).unwrap();
}

#[test]
fn a_peer_that_does_not_part_holds_up_the_shutdown_for_a_bounded_time() {
    let mut running = Running::new();
    let _mute = running.connect();
    running.turn_until(|reactor| reactor.conns.accepted() == 1);
    running.signal.write_all(b"x").unwrap();
    running.turn_until(|reactor| reactor.ends_at.is_some());
    let begun = std::time::Instant::now();
    running.reactor.run().unwrap();
    assert!(begun.elapsed() < SHUTDOWN_TIME_MAX + Duration::from_secs(30));
}
