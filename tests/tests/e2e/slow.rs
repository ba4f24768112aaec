//! Who does not read is paused and dropped, and who talks to somebody slow goes on with everybody else.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one kind of news")]

use std::time::Duration;

use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::device::{Command, Event};
use countersign_core::id::{AskId, CallId};
use countersign_core::limits::{LINE_BYTES_MAX, SLOW_TIME_MAX};
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Body, Frame, FrameReader, frame};
use tests::member::{Member, enrol};
use tests::stranger::{Secure, device_name, member};
use tests::{Person, Program, Server};

/// How many people there are besides those of a test.
const PEOPLE: usize = 60;
/// How often somebody asks who there is: for some 50 MB of answers, more than any socket holds.
const ASKED: u64 = 25_000;

/// A member's connection that is read when the test likes.
struct Deaf(Secure);

impl Deaf {
    fn new(server: &Server, person: &Person) -> Self {
        let exported = tempfile::tempdir().expect("a folder can be made");
        let _ = person.run(&["cert", "export", exported.path().to_str().expect("a plain path")]).done();
        let dial = member(exported.path(), &person.folder().join("device.key"));
        let mut connection = Secure::dial(server, &dial);
        connection.hear();
        Self(connection)
    }

    /// Asks without reading, until the server has had enough of it.
    fn ask_until_paused(&mut self, server: &mut Server) {
        let ask = |n| Frame::message(&RelayRequest::Who { ask: AskId(n), after: None }).bytes().to_vec();
        let asks: Vec<u8> = (1..=ASKED).flat_map(ask).collect();
        // So few bytes that they fit the sockets' buffers, whatever the server reads of them.
        self.0.say(&asks);
        server.log(&["WARN paused: it does not read", "device=bob/laptop"]);
    }
}

/// Many people, with names as long as can be: so a question of seven bytes has a long answer.
fn crowd(server: &Server) {
    for n in 0..PEOPLE {
        let name = format!("{n:02}{}", "abcdefghij".repeat(3));
        enrol(server.address(), &server.invite(&[]), &name);
    }
}

#[test]
fn a_member_who_reads_late_is_paused_and_then_gets_every_answer() {
    let mut server = Server::start();
    crowd(&server);
    let bob = Person::enrolled(&server, "bob");
    let mut deaf = Deaf::new(&server, &bob);
    deaf.ask_until_paused(&mut server);
    let carol = Person::enrolled(&server, "carol");
    assert_eq!(carol.run(&["who"]).done().out.len(), PEOPLE + 2, "others are served meanwhile");
    // Now it reads: the greeting, and an answer to each.
    let (mut reader, mut bodies) = (FrameReader::default(), Vec::new());
    let mut answered = 0;
    while answered < ASKED {
        deaf.0.hear();
        reader.read(&std::mem::take(&mut deaf.0.plaintext), &mut bodies).expect("frames");
        for body in bodies.drain(..) {
            let Body::Message(message) = body else { panic!("the server parts: {body:?}") };
            if let RelayEvent::People { ask, .. } = frame::decode(&message).expect("a message of the relay's") {
                answered += 1;
                assert_eq!(ask, AskId(answered), "in order, none left out");
            }
        }
    }
}

#[test]
fn a_member_who_never_reads_is_dropped_with_a_reason() {
    let mut server = Server::start();
    crowd(&server);
    let bob = Person::enrolled(&server, "bob");
    let mut deaf = Deaf::new(&server, &bob);
    deaf.ask_until_paused(&mut server);
    let begun = std::time::Instant::now();
    server.log(&["connection closed: what was waiting to be read grew too large", "device=bob/laptop"]);
    assert!(begun.elapsed() > SLOW_TIME_MAX / 2, "it was given time");
    drop(deaf);
}

/// Calls somebody who takes every call.
fn call(member: &mut Member, id: CallId, person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--accept"]);
    listen.see_part("is online at");
    member.wish(Command::Call(id, device_name(&person.name, "laptop").user, Duration::from_secs(60)));
    member.hear("the call", |event| match event {
        Event::Call(call, CallEvent::Open(..)) if *call == id => Some(()),
        Event::Call(_, CallEvent::Ended(end)) => panic!("the call ends: {end:?}"),
        _ => None,
    });
    listen
}

#[test]
fn a_slow_call_does_not_stall_the_same_devices_other_call() {
    let server = Server::start();
    let (alice, carol) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "carol"));
    let mut bob = Member::attend(server.address(), enrol(server.address(), &server.invite(&[]), "bob"));
    let (slow, quick) = (CallId(1), CallId(2));
    let mut to_alice = call(&mut bob, slow, &alice);
    let mut to_carol = call(&mut bob, quick, &carol);
    // Alice's machine is suspended, as a laptop is when it is shut.
    to_alice.signal("STOP");
    let text = |n: usize| format!("{n:05} {}", "x".repeat(LINE_BYTES_MAX / 2));
    let mut said = 0;
    let is_full = |bob: &mut Member| {
        bob.catch_up();
        bob.news().iter().any(|event| matches!(event, Event::Denied(id, CallDenied::Say(_)) if *id == slow))
    };
    while !is_full(&mut bob) {
        bob.wish(Command::Say(slow, text(said)));
        said += 1;
        assert!(said < 10_000, "a call takes lines without end");
    }
    said -= 1;
    for n in 0..200 {
        bob.wish(Command::Say(quick, format!("to carol {n}")));
        assert_eq!(to_carol.hear("a line", |line| Some(line.to_owned())), format!("bob: to carol {n}"));
        to_carol.say(&format!("to bob {n}"));
        let heard = bob.hear("carol's line", |event| match event {
            Event::Call(id, CallEvent::Line(_, text)) if *id == quick => Some(text.clone()),
            _ => None,
        });
        assert_eq!(heard, format!("to bob {n}"));
    }
    to_alice.signal("CONT");
    // Bob's side sends what it held as alice takes it.
    bob.wish(Command::HangUp(slow, countersign_core::wire::Code::FINISHED));
    bob.hear("the end of the slow call", |event| match event {
        Event::Call(id, CallEvent::Ended(_)) if *id == slow => Some(()),
        _ => None,
    });
    for n in 0..said {
        assert_eq!(to_alice.hear("a line", |line| Some(line.to_owned())), format!("bob: {}", text(n)));
    }
}
