//! The loop over real sockets, with a machine that does what a test says and remembers what happened to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use countersign_core::id::{CallId, KeepId};

use super::*;

const CONN: ConnId = ConnId(1);
const CALL: CallId = CallId(7);
/// No test waits for longer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Puppet {
    outputs: VecDeque<Output>,
    outbound: Vec<u8>,
    story: Vec<String>,
    received: Vec<u8>,
    deadline: Option<Instant>,
    /// Where its listeners are.
    listening: Vec<SocketAddr>,
    /// Who came to them.
    came: Vec<ConnId>,
}

impl Puppet {
    fn told(&self, what: &str) -> bool {
        self.story.iter().any(|step| step == what)
    }
}

impl Machine for Puppet {
    fn answered(&mut self, _: CallId, answer: Answer<'_>, _: Now) {
        match answer {
            Answer::Addresses(own) => self.outputs.push_back(Output::Listen(CALL, own.to_vec())),
            Answer::Listening(at) => self.listening = at.to_vec(),
            Answer::Accepted(conn) => self.came.push(conn),
        }
    }

    fn kept(&mut self, id: KeepId, _: Now) {
        self.story.push(format!("kept {id}"));
    }

    fn happened(&mut self, _: ConnId, what: Happened<'_>, _: Now) {
        match what {
            Happened::Connected => self.story.push("connected".into()),
            Happened::Unreachable => self.story.push("unreachable".into()),
            Happened::Received(bytes) => self.received.extend_from_slice(bytes),
            Happened::Sent(n) => drop(self.outbound.drain(..n)),
            Happened::Ended => self.story.push("ended".into()),
        }
    }

    fn tick(&mut self, _: Now) {
        self.deadline = None;
        self.story.push("tick".into());
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn outbound(&self, _: ConnId) -> &[u8] {
        &self.outbound
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

fn reactor(port: u16) -> Reactor {
    Reactor::new(Endpoint::parse(&format!("127.0.0.1:{port}")).unwrap(), Clock::start()).unwrap()
}

/// Turns the loop until something has come about; the machine's deadline keeps a turn from waiting for ever.
fn turn_until(reactor: &mut Reactor, puppet: &mut Puppet, done: impl Fn(&Puppet) -> bool) {
    let end = reactor.now().mono.plus(PATIENCE);
    puppet.deadline = Some(end);
    while !done(puppet) {
        reactor.turn(puppet).unwrap();
        assert!(reactor.now().mono < end, "it did not come about: {puppet:?}");
    }
}

/// A listener and a port that nobody listens on.
fn ports() -> (TcpListener, SocketAddr, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    (listener, open, closed)
}

fn connected() -> (Reactor, Puppet, TcpStream) {
    let (listener, open, _) = ports();
    let mut reactor = reactor(open.port());
    let mut puppet = Puppet { outputs: [Output::Dial(CONN)].into(), ..Puppet::default() };
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("connected"));
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    (reactor, puppet, stream)
}

#[test]
fn bytes_go_both_ways_and_the_end_is_told_once() {
    let (mut reactor, mut puppet, mut stream) = connected();
    puppet.outbound = b"question".to_vec();
    puppet.outputs.extend([Output::Write(CONN), Output::Shut(CONN)]);
    reactor.carry_out(&mut puppet).unwrap();
    let mut question = Vec::new();
    stream.read_to_end(&mut question).unwrap();
    assert_eq!(question, b"question");
    stream.write_all(b"answer").unwrap();
    drop(stream);
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("ended"));
    assert_eq!(puppet.received, b"answer");
    // An ended socket that nobody has dropped yet keeps the loop neither busy nor telling.
    puppet.deadline = Some(reactor.now().mono.plus(Duration::from_millis(1)));
    while !puppet.told("tick") {
        reactor.turn(&mut puppet).unwrap();
    }
    assert_eq!(puppet.story, ["connected", "ended", "tick"]);
    puppet.outputs.push_back(Output::Drop(CONN));
    reactor.carry_out(&mut puppet).unwrap();
    assert!(reactor.slots.is_empty());
}

#[test]
fn what_a_full_socket_did_not_take_goes_when_there_is_room() {
    let (mut reactor, mut puppet, mut stream) = connected();
    let bytes: Vec<u8> = (0..8_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    puppet.outbound.clone_from(&bytes);
    puppet.outputs.push_back(Output::Write(CONN));
    reactor.carry_out(&mut puppet).unwrap();
    assert!(!puppet.outbound.is_empty(), "no socket takes that much at once");
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).map(|_| all)
    });
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.outbound.is_empty());
    puppet.outputs.push_back(Output::Drop(CONN));
    reactor.carry_out(&mut puppet).unwrap();
    assert!(reader.join().unwrap().unwrap() == bytes);
}

#[test]
fn a_closed_port_is_unreachable_in_the_systems_words() {
    let (_listener, _, closed) = ports();
    let mut reactor = reactor(closed.port());
    let mut puppet = Puppet { outputs: [Output::Dial(CONN)].into(), ..Puppet::default() };
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("unreachable"));
    assert_eq!(reactor.no_connection(), "connection refused");
}

#[test]
fn the_addresses_of_a_name_are_tried_in_order_until_one_answers() {
    let (listener, open, closed) = ports();
    let mut reactor = reactor(open.port());
    let mut puppet = Puppet::default();
    reactor.found(CONN, Ok(vec![closed, open, closed]), &mut puppet);
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("connected"));
    listener.accept().unwrap();
    assert_eq!(puppet.story, ["connected"]);

    reactor.found(ConnId(2), Ok(vec![closed, closed]), &mut puppet);
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("unreachable"));
    reactor.found(ConnId(3), Ok(Vec::new()), &mut puppet);
    assert_eq!(reactor.no_connection(), "it has no address");
    reactor.found(ConnId(4), Err(io::Error::other("looking: no such name (os error 7)")), &mut puppet);
    assert!(reactor.no_connection().ends_with("can't be looked up: no such name"), "{}", reactor.no_connection());
}

#[test]
fn a_connection_that_is_given_up_while_it_is_made_is_said_to_have_had_no_answer() {
    let (_listener, open, _) = ports();
    let mut reactor = reactor(open.port());
    let mut puppet = Puppet { outputs: [Output::Dial(CONN), Output::Drop(CONN)].into(), ..Puppet::default() };
    reactor.carry_out(&mut puppet).unwrap();
    assert!(reactor.slots.is_empty());
    assert_eq!(reactor.no_connection(), "no answer");
}

#[test]
fn a_call_listens_on_this_machines_addresses_and_is_reached_at_each() {
    let (_listener, open, _) = ports();
    let mut reactor = reactor(open.port());
    let mut puppet = Puppet { outputs: [Output::FindAddresses(CALL)].into(), ..Puppet::default() };
    reactor.carry_out(&mut puppet).unwrap();
    let loopback: Vec<SocketAddr> = puppet.listening.iter().copied().filter(|at| at.ip().is_loopback()).collect();
    assert!(!loopback.is_empty());
    for (n, at) in (0..).zip(&loopback) {
        puppet.story.clear();
        puppet.outputs.push_back(Output::DialPeer(ConnId(FIRST_DIALLED + n), *at));
        turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("connected"));
    }
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.came.len() == loopback.len());
    assert!(puppet.came.iter().all(|conn| conn.0 > FIRST_ACCEPTED));
    puppet.outputs.push_back(Output::Unlisten(CALL));
    puppet.outputs.push_back(Output::DialPeer(ConnId(FIRST_DIALLED + 100), loopback[0]));
    puppet.story.clear();
    turn_until(&mut reactor, &mut puppet, |puppet| puppet.told("unreachable"));
    assert_eq!(reactor.no_connection(), "", "that has nothing to do with the server");
}

#[test]
fn what_is_to_be_kept_is_on_the_disk_before_the_machine_hears_of_it_and_where_it_can_t_be_the_loop_ends() {
    use countersign_core::device::conversations::{Keep, Row};
    use countersign_core::id::ConversationId;

    use super::super::local::protocol::Holder;

    let dir = tempfile::tempdir().unwrap();
    let folder = crate::store::folder::Folder::open(&dir.path().join("data")).unwrap();
    let (_listener, open, _) = ports();
    let hold = Hold::take(folder.path(), Holder::Listen).unwrap().unwrap();
    let mut reactor = reactor(open.port()).with_hold(hold).unwrap();
    let row = Row::Group(ConversationId([1; 16]));
    let keep = || Keep { rows: [(row, Some(b"secret".to_vec()))].into(), entries: Vec::new(), rooms: [].into() };
    let outputs = [Output::Keep(KeepId(1), keep()), Output::Keep(KeepId(2), Keep::default())];
    let mut puppet = Puppet { outputs: outputs.into(), ..Puppet::default() };
    reactor.carry_out(&mut puppet).unwrap();
    assert_eq!(puppet.story, ["kept 1", "kept 2"]);
    assert_eq!(reactor.hold().unwrap().rows().unwrap().get(&row), Some(&b"secret".to_vec()));

    // The file is taken away from under it, as a disk may be.
    let other = rusqlite::Connection::open(folder.path().join("conversations.db")).unwrap();
    other.execute_batch("DROP TABLE kept").unwrap();
    puppet.outputs.push_back(Output::Keep(KeepId(3), keep()));
    let failure = reactor.carry_out(&mut puppet).unwrap_err();
    assert!(failure.exit == crate::exit::Exit::Failed && failure.sentence.contains("conversations.db"), "{failure}");
    assert_eq!(puppet.story.len(), 2, "what is not kept is not said to be");
}
