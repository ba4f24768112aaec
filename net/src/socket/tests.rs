//! Budgets, short writes and ends over real loopback sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream as Blocking};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::*;

const TOKEN: Token = Token(7);

/// A socket under test with the other, blocking end, and the loop that it is in.
struct Pair {
    poll: Poll,
    events: Events,
    socket: Socket,
    other: Blocking,
}

impl Pair {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = Blocking::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let poll = Poll::new().unwrap();
        let socket = Socket::accepted(TcpStream::from_std(stream), poll.registry(), TOKEN).unwrap();
        Self { poll, events: Events::with_capacity(8), socket, other }
    }

    /// Waits for events until `ready` holds.
    fn wait(&mut self, ready: impl Fn(&Socket) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ready(&self.socket) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no event within a minute");
            self.poll.poll(&mut self.events, Some(left)).unwrap();
            for event in &self.events {
                self.socket.event(event);
            }
        }
    }

    /// One turn of reading: the bytes, and what is left.
    fn turn(&mut self) -> (Vec<u8>, Turn) {
        let mut bytes = Vec::new();
        let turn = self.socket.read(&mut [0; 10_000], |piece| bytes.extend_from_slice(piece));
        (bytes, turn)
    }

    /// Reads until `count` bytes have come or the end has.
    fn read(&mut self, count: usize) -> (Vec<u8>, Turn) {
        let (mut bytes, mut turn) = (Vec::new(), Turn::Wait);
        while bytes.len() < count && turn != Turn::Ended {
            if turn == Turn::Wait {
                self.wait(Socket::is_readable);
            }
            let (piece, next) = self.turn();
            bytes.extend(piece);
            turn = next;
        }
        (bytes, turn)
    }

    /// Fills the socket until it takes no more, and says how much that was.
    fn fill(&mut self) -> usize {
        let mut total = 0;
        while !self.socket.is_full() {
            total += self.socket.write(&[b'x'; 16_000], self.poll.registry());
        }
        total
    }
}

#[test]
fn what_an_event_announced_is_remembered_until_it_is_used_up() {
    let mut pair = Pair::new();
    assert_eq!(pair.turn(), (vec![], Turn::Wait), "without an event nothing is tried");
    pair.other.write_all(b"hello").unwrap();
    pair.wait(Socket::is_readable);
    assert_eq!(pair.turn(), (b"hello".to_vec(), Turn::Wait));
    assert!(!pair.socket.is_readable());
}

#[test]
fn one_that_never_stops_talking_gets_its_share_and_no_more_and_needs_no_event_for_the_rest() {
    let mut pair = Pair::new();
    let total = 5 * TURN_BYTES_MAX + 1;
    let mut other = pair.other.try_clone().unwrap();
    let talker = std::thread::spawn(move || other.write_all(&vec![b'x'; total]).unwrap());
    let mut count = 0;
    while count < total {
        pair.wait(Socket::is_readable);
        let (bytes, turn) = pair.turn();
        assert!(bytes.len() <= TURN_BYTES_MAX);
        assert_eq!(turn == Turn::Again, bytes.len() == TURN_BYTES_MAX);
        assert_eq!(pair.socket.is_readable(), turn == Turn::Again);
        count += bytes.len();
    }
    talker.join().unwrap();
    assert_eq!(count, total);
}

#[test]
fn a_share_that_ends_early_is_told_and_the_rest_needs_no_event() {
    let mut pair = Pair::new();
    pair.other.write_all(b"0123456789").unwrap();
    let mut peeked = [0; 10];
    let deadline = Instant::now() + Duration::from_secs(60);
    while !pair.socket.stream.peek(&mut peeked).is_ok_and(|n| n == peeked.len()) {
        assert!(Instant::now() < deadline, "ten bytes did not come within a minute");
        std::thread::yield_now();
    }
    pair.wait(Socket::is_readable);
    for (expected, left) in [("0123", Turn::Again), ("4567", Turn::Again), ("89", Turn::Wait)] {
        let mut bytes = Vec::new();
        let turn = pair.socket.read_share(4, &mut [0; 3], |piece| bytes.extend_from_slice(piece));
        assert_eq!((bytes.as_slice(), turn), (expected.as_bytes(), left));
    }
}

#[test]
fn a_polite_end_and_a_broken_one_both_end_after_what_came_before() {
    for broken in [false, true] {
        let mut pair = Pair::new();
        pair.other.write_all(b"last words").unwrap();
        if broken {
            // Closing with something unread resets the connection.
            pair.socket.write(b"unread", pair.poll.registry());
            pair.other.peek(&mut [0; 6]).unwrap();
        }
        drop(std::mem::replace(&mut pair.other, Blocking::connect(listener()).unwrap()));
        let (bytes, turn) = pair.read(usize::MAX);
        assert_eq!(turn, Turn::Ended);
        // A reset may overtake what was sent before it; that is the system's doing.
        assert!(broken || bytes == b"last words");
    }
}

/// The address of a listener that lives as long as the test's process.
fn listener() -> SocketAddr {
    let listener = Box::leak(Box::new(TcpListener::bind("127.0.0.1:0").unwrap()));
    listener.local_addr().unwrap()
}

#[test]
fn a_full_socket_takes_a_part_and_an_event_tells_of_room_for_the_rest() {
    let mut pair = Pair::new();
    let written = pair.fill();
    assert_eq!(pair.socket.interest, BOTH);
    assert_eq!(pair.socket.write(b"more", pair.poll.registry()), 0, "a full socket is not tried");
    let mut other = pair.other.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; written];
        other.read_exact(&mut bytes).unwrap();
        bytes.iter().all(|byte| *byte == b'x')
    });
    pair.wait(|socket| !socket.is_full());
    assert_eq!(pair.socket.write(b"more", pair.poll.registry()), 4);
    assert!(reader.join().unwrap());
    let mut more = [0; 4];
    pair.other.read_exact(&mut more).unwrap();
    assert_eq!(&more, b"more");
}

#[test]
fn the_system_is_asked_to_tell_of_room_only_while_there_is_none() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        assert_eq!(pair.socket.write(b"small", pair.poll.registry()), 5);
        assert_eq!(pair.socket.interest, Interest::READABLE);
    }
    let written = pair.fill() + 15;
    let mut other = pair.other.try_clone().unwrap();
    let reader = std::thread::spawn(move || other.read_exact(&mut vec![0; written]).unwrap());
    pair.wait(|socket| !socket.is_full());
    reader.join().unwrap();
    assert_eq!(pair.socket.interest, BOTH);
    pair.socket.write(b"x", pair.poll.registry());
    assert_eq!(pair.socket.interest, Interest::READABLE);
}

#[test]
fn after_a_failed_write_what_came_before_is_read_and_then_the_end() {
    let mut pair = Pair::new();
    let other = std::mem::replace(&mut pair.other, Blocking::connect(listener()).unwrap());
    other.shutdown(std::net::Shutdown::Both).unwrap();
    drop(other);
    // The first write brings back a reset, and a later one finds it.
    let deadline = Instant::now() + Duration::from_secs(60);
    while pair.socket.room != Room::Broken {
        assert!(Instant::now() < deadline, "no write failed within a minute");
        pair.socket.write(b"x", pair.poll.registry());
    }
    assert!(pair.socket.is_readable(), "the end is to be found by reading");
    assert_eq!(pair.turn().1, Turn::Ended);
}

#[test]
fn shutting_our_direction_leaves_theirs_open() {
    let mut pair = Pair::new();
    pair.socket.write(b"bye", pair.poll.registry());
    pair.socket.shut();
    let mut heard = Vec::new();
    pair.other.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"bye");
    pair.other.write_all(b"still here").unwrap();
    assert_eq!(pair.read(10).0, b"still here");
}

#[test]
fn a_connection_that_we_ask_for_is_there_or_refused_and_never_silent() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, expected) in [(listener(), true), (gone, false)] {
        let Ok(mut socket) = Socket::connect(address, poll.registry(), TOKEN) else {
            assert!(!expected, "an address that listens was refused at once");
            continue;
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let connected = loop {
            match socket.connecting() {
                Ok(Connecting::Connected) => break true,
                Err(_) => break false,
                Ok(Connecting::Wait) => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing was decided within a minute");
            poll.poll(&mut events, Some(left)).unwrap();
            events.iter().for_each(|event| socket.event(event));
        };
        assert_eq!(connected, expected);
        if connected {
            // The event that decided may not have been taken yet.
            while socket.is_full() {
                poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
                events.iter().for_each(|event| socket.event(event));
            }
            assert_eq!(socket.write(b"x", poll.registry()), 1);
        }
        socket.close(poll.registry());
    }
}
