//! The desk over a real Unix socket: lines in, lines out, and visitors who do not behave.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream as Blocking;
use std::time::{Duration, Instant};

use countersign_core::id::{Fingerprint, Realm};
use countersign_core::invite::{Endpoint, InviteLink, Token};
use countersign_core::operator::OperatorRefusal;
use countersign_core::time::Wall;
use mio::{Events, Poll};
use tempfile::TempDir;

use super::*;
use crate::entropy::OsEntropy;
use crate::exit::Exit;
use countersign_core::limits::{ADMIN_REQUEST_BYTES_MAX, ADMIN_VISITORS_MAX};

const USERS: &str = "{\"command\":\"users\"}\n";
const NOBODY: &str = "{\"reply\":\"users\",\"users\":[]}\n";

/// A desk in a loop of its own.
struct Office {
    _dir: TempDir,
    folder: Folder,
    poll: Poll,
    desk: Desk,
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("data")).unwrap();
        let poll = Poll::new().unwrap();
        let mut desk = Desk::open(&folder, links()).unwrap();
        desk.register(poll.registry()).unwrap();
        Self { _dir: dir, folder, poll, desk }
    }

    fn visit(&self) -> Blocking {
        let stream = Blocking::connect(self.folder.file(SOCKET)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Turns until `ready` holds; the requests that came meanwhile.
    fn turn_until(&mut self, ready: impl Fn(&Desk, &[(AdminId, Command)]) -> bool) -> Vec<(AdminId, Command)> {
        let mut requests = Vec::new();
        let mut events = Events::with_capacity(64);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ready(&self.desk, &requests) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it did not come about within a minute");
            let timeout = if self.desk.has_work() { Duration::ZERO } else { left };
            self.poll.poll(&mut events, Some(timeout)).unwrap();
            for event in &events {
                match Place::of(event.token()) {
                    Place::Desk => self.desk.event(),
                    Place::Visitor(number) => self.desk.visitor_event(number),
                    other @ (Place::Port(_) | Place::Journal | Place::Signals | Place::Conn(_)) => panic!("{other:?}"),
                }
            }
            requests.extend(self.desk.requests(self.poll.registry()));
        }
        requests
    }

    /// The next request.
    fn request(&mut self) -> (AdminId, Command) {
        self.turn_until(|_, requests| !requests.is_empty()).remove(0)
    }

    /// Turns until all work is done and nobody is there.
    fn turn_until_empty(&mut self) {
        self.turn_until(|desk, _| desk.visitors.is_empty() && desk.visits > 0);
    }
}

fn links() -> Links {
    let endpoint = Endpoint::parse("127.0.0.1:7443").unwrap();
    Links { endpoint, realm: Realm::default(), root: Fingerprint([7; 32]), lifetime: Duration::from_secs(60) }
}

fn heard(mut stream: &Blocking, bytes: usize) -> String {
    let mut heard = vec![0; bytes];
    stream.read_exact(&mut heard).unwrap();
    String::from_utf8(heard).unwrap()
}

fn heard_to_the_end(mut stream: &Blocking) -> String {
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    heard
}

#[test]
fn the_socket_is_the_owners_alone_and_goes_with_the_desk() {
    let office = Office::new();
    let path = office.folder.file(SOCKET);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    office.desk.close();
    assert!(!path.exists());
}

#[test]
fn a_dead_servers_socket_is_replaced_and_any_other_file_is_not() {
    let office = Office::new();
    let folder = office.folder;
    // Dropped without being closed, as by a crash.
    drop(office.desk);
    let path = folder.file(SOCKET);
    assert!(path.exists());
    Desk::open(&folder, links()).unwrap().close();
    fs::write(&path, "precious").unwrap();
    let failure = Desk::open(&folder, links()).unwrap_err();
    assert!(failure.sentence.ends_with("is in the way of the admin socket: move it away"), "{failure}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_path_too_long_for_a_socket_is_one_sentence_on_both_sides() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&place.path().join("x".repeat(120))).unwrap();
    let server = Desk::open(&folder, links()).unwrap_err();
    let operator = ask::ask(folder.path(), &Request::Users {}).err().unwrap();
    for failure in [server, operator] {
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.sentence.contains("is too long for a Unix socket: choose a shorter folder"), "{failure}");
    }
}

#[test]
fn each_line_is_answered_in_turn_also_when_all_come_at_once_and_the_visitor_stops_talking() {
    let mut office = Office::new();
    let mut visitor = office.visit();
    visitor.write_all(format!("{USERS}nonsense\n{USERS}").as_bytes()).unwrap();
    visitor.shutdown(Shutdown::Write).unwrap();
    for _ in 0..2 {
        let (id, command) = office.request();
        assert_eq!(command, Command::Users);
        office.desk.answer(id, &Answer::Users(vec![]));
    }
    office.turn_until_empty();
    let replies = heard_to_the_end(&visitor);
    let replies: Vec<&str> = replies.split_inclusive('\n').collect();
    let [first, second, third] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((*first, *third), (NOBODY, NOBODY));
    assert!(second.starts_with("{\"reply\":\"wrong\",\"sentence\":\"this is no request"), "{second}");
}

#[test]
fn an_invite_is_answered_with_a_link_that_reads_back() {
    let mut office = Office::new();
    let mut visitor = office.visit();
    visitor.write_all(b"{\"command\":\"invite\",\"user\":\"bob\",\"seconds\":60}\n").unwrap();
    visitor.shutdown(Shutdown::Write).unwrap();
    let (id, command) = office.request();
    assert!(matches!(command, Command::Invite { user: Some(_), lifetime } if lifetime == Duration::from_secs(60)));
    let token = Token::draw(&mut OsEntropy);
    office.desk.answer(id, &Answer::Invite(token.clone(), Wall(77)));
    office.turn_until_empty();
    let reply: Reply = serde_json::from_str(&heard_to_the_end(&visitor)).unwrap();
    let Reply::Invite { link, expires: 77 } = reply else { panic!("another reply") };
    let Links { endpoint, realm, root, .. } = links();
    assert_eq!(InviteLink::parse(&link), Ok(InviteLink { endpoint, realm, root, token }));
}

#[test]
fn a_refusal_is_told_to_the_one_who_asked_and_to_nobody_else() {
    let mut office = Office::new();
    let (mut first, mut second) = (office.visit(), office.visit());
    first.write_all(USERS.as_bytes()).unwrap();
    let (id_first, _) = office.request();
    second.write_all(USERS.as_bytes()).unwrap();
    let (id_second, _) = office.request();
    office.desk.answer(id_second, &Answer::Refused(OperatorRefusal::Lifetime));
    office.desk.answer(id_first, &Answer::Users(vec![]));
    assert_eq!(heard(&first, NOBODY.len()), NOBODY);
    let refused = "{\"reply\":\"refused\",\"sentence\":\"an invite lives between one second and 30 days\"}\n";
    assert_eq!(heard(&second, refused.len()), refused);
}

#[test]
fn a_line_over_the_bound_is_refused_and_the_visitor_shown_out() {
    let mut office = Office::new();
    let mut visitor = office.visit();
    visitor.write_all(&[b'x'; ADMIN_REQUEST_BYTES_MAX]).unwrap();
    office.turn_until_empty();
    assert_eq!(
        heard_to_the_end(&visitor),
        "{\"reply\":\"wrong\",\"sentence\":\"a request is at most 8192 bytes long\"}\n"
    );
}

#[test]
fn beyond_the_bound_the_visitor_who_came_first_yields() {
    let mut office = Office::new();
    let visitors: Vec<Blocking> = (0..=ADMIN_VISITORS_MAX).map(|_| office.visit()).collect();
    let all = u64::try_from(visitors.len()).unwrap();
    office.turn_until(|desk, _| desk.visits == all);
    assert_eq!(office.desk.visitors.len(), ADMIN_VISITORS_MAX);
    assert_eq!(heard_to_the_end(visitors.first().unwrap()), "");
    let mut last = visitors.last().unwrap();
    last.write_all(USERS.as_bytes()).unwrap();
    let (id, _) = office.request();
    office.desk.answer(id, &Answer::Users(vec![]));
    assert_eq!(heard(last, NOBODY.len()), NOBODY);
}

#[test]
fn an_answer_for_a_visitor_who_left_is_dropped() {
    let mut office = Office::new();
    let mut visitor = office.visit();
    visitor.write_all(USERS.as_bytes()).unwrap();
    let (id, _) = office.request();
    drop(visitor);
    office.desk.answer(id, &Answer::Users(vec![]));
    office.turn_until_empty();
    office.desk.answer(id, &Answer::Users(vec![]));
}

#[test]
fn without_a_server_the_operator_is_told_to_start_one() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing");
    let crashed = Office::new();
    // What a crash leaves: the socket's file, and nobody behind it.
    drop(crashed.desk);
    for folder in [missing.as_path(), place.path(), crashed.folder.path()] {
        let failure = ask::ask(folder, &Request::Users {}).err().unwrap();
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.sentence.starts_with("no server is running on "), "{failure}");
    }
}
