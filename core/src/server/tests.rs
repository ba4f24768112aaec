//! The server as a whole: enrolment's durability, admission, and what strangers get.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::time::Duration;

use super::*;
use crate::device::Event;
use crate::device::enrol::EnrolResult;
use crate::fault::CloseReason;
use crate::journal::state::Invite;
use crate::limits::{
    DEVICE_LIFETIME, HANDSHAKE_TIME_MAX, INVITE_LIFETIME_MAX, LINGER_TIME_MAX, SILENCE_TIME_MAX, STRANGERS_MAX,
};
use crate::operator::{Answer, Command, OperatorRefusal};
use crate::testing::{START, Town, authority, device_name, env, rng};
use crate::time::Wall;
use crate::wire::Frame;
use crate::wire::relay::{RelayEvent, RelayRequest};

mod bounds;
mod desk;
mod flood;
mod renewal;
mod revoking;
mod rotation;
mod signing;
mod slow;
mod snapshots;

fn refused(town: &Town, member: usize) -> Code {
    match town.enrolment_result(member) {
        Some(EnrolResult::Refused(code, _)) => code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let mut town = Town::new();
    let link = town.invite(None);
    town.hold = true;
    let key = SecretKey::draw(&mut rng(5));
    let alice = town.begin_enrolment(link, device_name("alice", "laptop"), key);
    town.settle();
    assert_eq!(town.held.len(), 1, "the grant waits for the disk");
    assert!(town.enrolment_result(alice).is_none());
    let (id, records) = town.held.remove(0);
    town.held_answered(id, records);
    town.settle();
    assert_eq!(town.held.len(), 1, "the certificate waits for the disk");
    assert!(town.enrolment_result(alice).is_none());
    town.release();
    assert!(matches!(town.enrolment_result(alice), Some(EnrolResult::Enrolled(_))));
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn a_restart_between_grant_and_certificate_finishes_the_grant() {
    let mut town = Town::new();
    let link = town.invite(None);
    town.hold = true;
    let key = SecretKey::draw(&mut rng(5));
    town.begin_enrolment(link.clone(), device_name("alice", "laptop"), key.clone());
    town.settle();
    let (id, records) = town.held.remove(0);
    town.held_answered(id, records);
    // The server dies here: granted and durable, the certificate signed and lost.
    let mut town = Town::with_founded(town.founded, town.journal);
    assert_eq!(town.server.state().unissued().count(), 0);
    let again = town.begin_enrolment(link, device_name("alice", "laptop"), key);
    town.settle();
    assert!(matches!(town.enrolment_result(again), Some(EnrolResult::Enrolled(_))));
}

#[test]
fn the_same_invite_with_the_same_key_gets_the_same_certificate_again() {
    let mut town = Town::new();
    let link = town.invite(None);
    let key = SecretKey::draw(&mut rng(5));
    let name = device_name("alice", "laptop");
    let mut leaves = Vec::new();
    for _ in 0..3 {
        let member = town.begin_enrolment(link.clone(), name.clone(), key.clone());
        town.settle();
        match town.enrolment_result(member) {
            Some(EnrolResult::Enrolled(identity)) => leaves.push(identity.credentials.leaf.to_vec()),
            other => panic!("not enrolled: {other:?}"),
        }
    }
    assert!(leaves.windows(2).all(|pair| pair[0] == pair[1]));
    let granted = town.journal.len();
    assert_eq!(granted, 7, "realm, issuing CA, relay, lists, invite, grant, certificate");
    let thief = town.begin_enrolment(link, name, SecretKey::draw(&mut rng(6)));
    town.settle();
    assert_eq!(refused(&town, thief), Code::INVITE_USED);
}

#[test]
fn two_that_ask_for_one_name_at_once_get_one_certificate_between_them() {
    let mut town = Town::new();
    let links = [town.invite(None), town.invite(None)];
    town.hold = true;
    let members: Vec<usize> = links
        .into_iter()
        .enumerate()
        .map(|(n, link)| {
            town.begin_enrolment(link, device_name("alice", "laptop"), SecretKey::draw(&mut rng(20 + n as u64)))
        })
        .collect();
    town.settle();
    assert_eq!(town.held.len(), 2, "both passed what can be seen before the journal has spoken");
    town.release();
    let enrolled = |member: &&usize| matches!(town.enrolment_result(**member), Some(EnrolResult::Enrolled(_)));
    assert_eq!(members.iter().filter(enrolled).count(), 1);
    assert!(enrolled(&&members[0]), "the first in the journal has it");
    assert_eq!(refused(&town, members[1]), Code::NAME_TAKEN);
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn an_identical_request_while_the_first_is_being_signed_gets_the_same_answer() {
    let mut town = Town::new();
    let link = town.invite(None);
    let key = SecretKey::draw(&mut rng(5));
    town.hold = true;
    let name = device_name("alice", "laptop");
    let first = town.begin_enrolment(link.clone(), name.clone(), key.clone());
    let second = town.begin_enrolment(link, name, key);
    town.settle();
    town.release();
    let leaf = |member| match town.enrolment_result(member) {
        Some(EnrolResult::Enrolled(identity)) => identity.credentials.leaf.to_vec(),
        other => panic!("not enrolled: {other:?}"),
    };
    assert_eq!(leaf(first), leaf(second));
}

#[test]
fn the_relays_own_certificate_is_made_anew_in_time() {
    let mut town = Town::of(&["alice"]);
    town.wait(RELAY_LIFETIME * 2 / 3 + Duration::from_secs(1));
    assert!(town.notes.iter().any(|note| matches!(note, Note::RelayCertified(_))));
    let alice = town.devices()[0];
    town.news(alice);
    town.cut(alice);
    town.wait(crate::limits::BACKOFF_MAX);
    assert!(town.news(alice).iter().any(|event| matches!(event, Event::Online(_))));
}

/// A review's find: the certificate that was made meanwhile was not valid yet, and nobody got in any more.
#[test]
fn a_clock_that_was_ahead_for_a_moment_keeps_nobody_out() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.server_wall = Some(START.plus(RELAY_LIFETIME));
    let stranger = town.next_conn();
    town.serve(Input::Opened(stranger, Source::default()));
    town.settle();
    assert!(town.notes.iter().any(|note| matches!(note, Note::RelayCertified(_))));
    town.server_wall = None;
    town.cut(alice);
    town.news(alice);
    town.wait(crate::limits::BACKOFF_MAX);
    assert!(town.news(alice).iter().any(|event| matches!(event, Event::Online(_))));
}

#[test]
fn without_anybody_coming_a_certificate_of_the_future_is_made_anew_too() {
    let mut town = Town::new();
    let certified = |town: &Town| town.notes.iter().filter(|note| matches!(note, Note::RelayCertified(_))).count();
    town.server_wall = Some(START.plus(RELAY_LIFETIME * 4));
    town.wait(RELAY_LIFETIME * 2 / 3 + Duration::from_secs(1));
    assert_eq!(certified(&town), 1);
    town.server_wall = None;
    town.wait(RELAY_LIFETIME * 2 / 3 + Duration::from_secs(1));
    assert_eq!(certified(&town), 2);
}

/// A review's find: what was granted could never be signed, and name, key and invite were burnt.
#[test]
fn nothing_is_granted_while_the_clock_is_behind_what_would_sign_it() {
    let mut town = Town::new();
    let link = town.invite(None);
    let (name, key) = (device_name("alice", "laptop"), SecretKey::draw(&mut rng(5)));
    let journal = town.journal.len();
    // The clock of the running server falls back to before its realm was founded.
    town.server_wall = Some(START.minus(Duration::from_secs(24 * 3600)));
    let alice = town.begin_enrolment(link.clone(), name.clone(), key.clone());
    town.settle();
    assert_eq!(refused(&town, alice), Code::ISSUE_FAILED);
    assert_eq!(town.journal.len(), journal, "nothing was written down");
    town.server_wall = None;
    let alice = town.begin_enrolment(link, name, key);
    town.settle();
    assert!(matches!(town.enrolment_result(alice), Some(EnrolResult::Enrolled(_))));
}

#[test]
fn a_certificate_of_another_life_of_the_server_is_not_admitted() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    // The server was restored from before alice: her certificate is genuine and the directory does not have it.
    let mut town = Town::with_founded(town.founded, town.journal[..1].to_vec());
    let alice = town.join(identity, true);
    let expected = Event::GivenUp(CloseReason::Theirs(Code::UNKNOWN_DEVICE));
    assert_eq!(town.news(alice).last(), Some(&expected));
}

/// Whoever has the CA's key can make a certificate for a name and key that the directory has: the log does not have it.
#[test]
fn a_certificate_that_the_log_does_not_have_is_not_admitted() {
    let mut town = Town::new();
    let mut identity = town.enrol("alice");
    let known = town.server.state().device(&identity.name).unwrap().serial;
    let grant = town.server.state().progress(known).unwrap().grant.clone();
    let grant = crate::pki::Grant { serial: crate::id::Serial::draw(&mut rng(5)), ..grant };
    let secretly = authority(&town.founded).issue(&crate::pki::Granted::by_journal(grant)).unwrap();
    identity.credentials.leaf = secretly.der().to_vec().into();
    let alice = town.join(identity, true);
    // She is given one that the log has, since the key is hers; with the other one nobody has got in.
    let told = town.news(alice);
    let lapsed = Event::Lapsed(Some(CloseReason::Theirs(Code::NOT_LOGGED)));
    let place = |wanted: &dyn Fn(&Event) -> bool| told.iter().position(wanted);
    let (lapsed, renewed) = (place(&|event| *event == lapsed), place(&|event| matches!(event, Event::Renewed(_))));
    let online = place(&|event| matches!(event, Event::Online(_)));
    assert!(lapsed.is_some() && lapsed < renewed && renewed < online, "{told:?}");
}

#[test]
fn another_realms_journal_is_refused_at_the_start() {
    let town = Town::new();
    let other = crate::pki::found_realm(&Realm::default(), START, &mut rng(99));
    let now = Now { mono: Instant(0), wall: START };
    let result = Server::start(env(), authority(&other), town.replayed(), now, &mut rng(3));
    assert_eq!(result.err(), Some(StartRefusal::OtherRealm));
}

#[test]
fn a_stranger_who_says_nothing_is_given_up() {
    let mut town = Town::new();
    let now = town.now;
    town.server.handle(Input::Opened(ConnId(900), Source::default()), now, &mut rng(1));
    town.wait(HANDSHAKE_TIME_MAX);
    assert_eq!(town.closings(), [CloseReason::TimedOut]);
    town.wait(LINGER_TIME_MAX);
    assert_eq!(town.server.connections(), 0);
}

#[test]
fn any_bytes_from_a_stranger_end_in_a_named_reason() {
    for (n, bytes) in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[22, 3, 1, 0xff, 0xff], &[0xff; 12_000]].into_iter().enumerate()
    {
        let mut town = Town::new();
        let conn = ConnId(900 + n as u64);
        town.server.handle(Input::Opened(conn, Source::default()), town.now, &mut rng(1));
        town.server.handle(Input::Received(conn, bytes), town.now, &mut rng(1));
        town.settle();
        town.wait(HANDSHAKE_TIME_MAX);
        let closings = town.closings();
        assert!(matches!(closings[..], [CloseReason::Fault(_) | CloseReason::TimedOut]), "{n}: {closings:?}");
    }
}

#[test]
fn a_flood_of_strangers_keeps_nobody_out() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    for n in 0..3 * STRANGERS_MAX as u64 {
        town.server.handle(Input::Opened(ConnId(10_000 + n), Source::default()), town.now, &mut rng(1));
        // Every other one says something wrong, and stays.
        if n % 2 == 0 {
            town.server.handle(Input::Received(ConnId(10_000 + n), b"nonsense"), town.now, &mut rng(1));
        }
    }
    town.settle();
    assert!(town.server.connections() <= STRANGERS_MAX, "a closed one counts until its socket is gone");
    assert!(town.closings().contains(&CloseReason::Ours(Code::FULL)));
    let alice = town.join(identity, true);
    assert!(town.news(alice).iter().any(|event| matches!(event, Event::Online(_))));
    town.wait(HANDSHAKE_TIME_MAX + LINGER_TIME_MAX);
    assert_eq!(town.server.connections(), 1, "their places come free");
}

/// A review's find: the handshake went on after the goodbye, and the stranger was counted twice.
#[test]
fn a_handshake_that_ends_after_its_time_is_up_comes_to_nothing() {
    for member in [false, true] {
        let mut town = Town::new();
        let identity = town.enrol("alice");
        let dial = if member {
            crate::tls::Dial::relay(&env(), &identity.credentials, &identity.trust)
        } else {
            crate::tls::Dial::enrol(&env(), &Realm::default(), town.server.root())
        };
        let conn = ConnId(900);
        let mut link = crate::link::Link::connect(&dial);
        town.server.handle(Input::Opened(conn, Source::default()), town.now, &mut rng(1));
        town.server.handle(Input::Received(conn, link.outbound()), town.now, &mut rng(1));
        while town.server.poll_output().is_some() {}
        let flight = town.server.outbound(conn).to_vec();
        let hello = link.outbound().len();
        link.sent(hello);
        link.received(&flight, &mut Vec::new());
        town.wait(HANDSHAKE_TIME_MAX);
        town.server.handle(Input::Received(conn, link.outbound()), town.now, &mut rng(1));
        town.server.handle(Input::Ended(conn), town.now, &mut rng(1));
        town.settle();
        assert_eq!(town.server.connections(), 0);
        assert!(town.server.strangers.len() == 0);
        assert!(!town.server.relay.is_present(&identity.name));
        assert_eq!(town.closings().last(), Some(&CloseReason::TimedOut));
    }
}

/// A review's find: what a request is answered with met a connection that garbage behind a goodbye had ended.
#[test]
fn a_request_a_goodbye_and_garbage_in_one_bite_harm_nobody() {
    let mut town = Town::of(&["alice"]);
    let identity = town.enrol("bob");
    let conn = ConnId(900);
    let mut link = crate::link::Link::connect(&crate::tls::Dial::relay(&env(), &identity.credentials, &identity.trust));
    // What is for this connection is taken here, not by the town.
    town.deaf.insert(conn);
    town.server.handle(Input::Opened(conn, Source::default()), town.now, &mut rng(1));
    for _ in 0..3 {
        let bytes = link.outbound().to_vec();
        link.sent(bytes.len());
        town.server.handle(Input::Received(conn, &bytes), town.now, &mut rng(1));
        town.wait(Duration::from_millis(1));
        let flight = town.server.outbound(conn).to_vec();
        town.server.handle(Input::Sent(conn, flight.len()), town.now, &mut rng(1));
        link.received(&flight, &mut Vec::new());
    }
    link.send(&Frame::message(&RelayRequest::Ping)).unwrap();
    link.part(Code::FINISHED, 0);
    // In place of TLS's own end (RFC 8446 §6.1), which would have the rest passed over, a record that nobody has sealed.
    let close_notify = 5 + 2 + 1 + 16;
    let mut bytes = link.outbound().to_vec();
    bytes.truncate(bytes.len() - close_notify);
    bytes.extend([0x17, 3, 3, 0, 32]);
    bytes.extend([0; 32]);
    town.server.handle(Input::Received(conn, &bytes), town.now, &mut rng(1));
    town.settle();
    assert_eq!(town.closings().last(), Some(&CloseReason::Theirs(Code::FINISHED)));
}

#[test]
fn one_bite_full_of_requests_is_answered_until_its_sender_has_enough_to_read() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    for n in 0..150 {
        town.enrol(&format!("user-{n:03}"));
    }
    let conn = ConnId(900);
    let mut link = crate::link::Link::connect(&crate::tls::Dial::relay(&env(), &identity.credentials, &identity.trust));
    town.server.handle(Input::Opened(conn, Source::default()), town.now, &mut rng(1));
    for _ in 0..3 {
        let bytes = link.outbound().to_vec();
        link.sent(bytes.len());
        town.server.handle(Input::Received(conn, &bytes), town.now, &mut rng(1));
        while town.server.poll_output().is_some() {}
        let bytes = town.server.outbound(conn).to_vec();
        town.server.handle(Input::Sent(conn, bytes.len()), town.now, &mut rng(1));
        link.received(&bytes, &mut Vec::new());
    }
    let who = Frame::message(&RelayRequest::Who { ask: crate::id::AskId(1), after: None });
    for _ in 0..crate::limits::RECORD_BYTES_MAX / who.bytes().len() {
        link.send(&who).unwrap();
    }
    link.flush();
    town.server.handle(Input::Received(conn, link.outbound()), town.now, &mut rng(1));
    while town.server.poll_output().is_some() {}
    let an_answer = 4096;
    assert!(town.server.outbound(conn).len() <= crate::limits::OUTBOX_PAUSE_BYTES + an_answer);
    assert!(town.server.conns.get(&conn).is_some_and(|known| known.pause.is_some()));
}

#[test]
fn a_member_who_does_not_read_is_dropped_and_costs_the_others_nothing() {
    let mut town = Town::of(&["alice"]);
    let now = town.now;
    // A connection whose socket takes nothing: its outbox fills by what it asks for itself.
    let identity = town.enrol("bob");
    let bob = town.join(identity, true);
    let conn = town.wire_of(bob);
    let device = device_name("bob", "laptop");
    let frame = Frame::message(&RelayEvent::Presence { device: device.clone(), online: true });
    let enough = crate::limits::OUTBOX_BYTES_MAX / frame.bytes().len() + 1;
    for _ in 0..enough {
        town.server.effects.send(conn, frame.clone());
    }
    town.server.handle(Input::Tick, now, &mut rng(1));
    assert!(town.server.outbound(conn).len() <= crate::limits::OUTBOX_BYTES_MAX);
    town.settle();
    assert!(town.closings().contains(&CloseReason::Ours(Code::TOO_SLOW)));
    let alice = town.devices()[0];
    assert!(town.news(alice).contains(&Event::Presence(device, false)));
}

#[test]
fn a_dead_connection_is_noticed_by_its_silence() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    let conn = town.wire_of(alice);
    town.lose_wire(alice);
    town.now = Now { mono: town.now.mono.plus(SILENCE_TIME_MAX), wall: town.now.wall };
    town.server.handle(Input::Tick, town.now, &mut rng(1));
    town.settle();
    assert!(town.notes.iter().any(|note| matches!(note, Note::Closed(c, _, CloseReason::TimedOut) if *c == conn)));
}

#[test]
fn shutting_down_tells_everybody_and_finishes() {
    let mut town = Town::of(&["alice", "bob"]);
    town.server.handle(Input::Shutdown, town.now, &mut rng(1));
    town.unreachable = true;
    town.settle();
    for member in town.devices() {
        let told = |event: &Event| matches!(event, Event::Offline(CloseReason::Theirs(Code::SHUTTING_DOWN), _));
        assert!(town.news(member).iter().any(told));
    }
    town.wait(LINGER_TIME_MAX);
    assert!(town.server.is_finished());
}

#[test]
fn the_operator_is_refused_what_makes_no_sense_and_sees_who_is_here() {
    let mut town = Town::of(&["alice"]);
    let user = |name: &str| Some(device_name(name, "laptop").user);
    for (user, lifetime, refusal) in [
        (user("a1ice"), Duration::from_secs(60), OperatorRefusal::Name(crate::journal::EnrolRefusal::NameLooksTaken)),
        (None, Duration::ZERO, OperatorRefusal::Lifetime),
        (None, INVITE_LIFETIME_MAX + Duration::from_secs(1), OperatorRefusal::Lifetime),
    ] {
        assert_eq!(town.operator(&Command::Invite { user, lifetime }), Answer::Refused(refusal));
    }
    let Answer::Users(lines) = town.operator(&Command::Users) else { panic!("users were asked for") };
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].devices, [(device_name("alice", "laptop"), true)]);
}

#[test]
fn the_journal_holds_no_token() {
    let mut town = Town::new();
    let link = town.invite(None);
    let token = postcard::to_stdvec(&link.token).unwrap();
    assert!(town.journal.iter().all(|record| !record.windows(16).any(|window| window == token)));
    let invite = town.server.state().invite(link.token.hash()).unwrap();
    assert_eq!(*invite, Invite { user: None, expires: Wall(START.0 + 3600), used: None });
}
