//! Two links face to face: ends, alerts, bounds, and records of a turn.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::sync::Arc;

use super::*;
use crate::limits::FRAME_BYTES_MAX;
use crate::pki::{SecretKey, found_realm};
use crate::testing::{START, authority, env, rng};
use crate::tls::Credentials;
use crate::wire::Channel;

/// A newcomer's link and the relay's, over memory.
struct Pair {
    client: Link,
    server: Link,
    client_events: Vec<LinkEvent>,
    server_events: Vec<LinkEvent>,
}

impl Pair {
    /// Before the first byte.
    fn new() -> Self {
        let founded = found_realm(&crate::id::Realm::default(), START, &mut rng(1));
        let authority = authority(&founded);
        let key = SecretKey::draw(&mut rng(2));
        let leaf = authority.issue_relay(&key, START, &mut rng(3)).unwrap();
        let credentials = Credentials { leaf: leaf.into(), issuing: authority.issuing().clone(), key: key.into() };
        let env = env();
        let doors = Arc::new(Doors::of_relay(&env, &credentials, authority.trust()));
        let root = authority.trust().root().fingerprint();
        Self {
            client: Link::connect(&Dial::enrol(&env, authority.realm(), root)),
            server: Link::accept(doors),
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    /// After the handshake, its events forgotten.
    fn secured() -> Self {
        let mut pair = Self::new();
        pair.pump();
        for events in [&mut pair.client_events, &mut pair.server_events] {
            let secured = |event: &LinkEvent| matches!(event, LinkEvent::Secured(s) if s.channel == Channel::Enrol);
            assert!(matches!(events.as_slice(), [event] if secured(event)), "{events:?}");
            events.clear();
        }
        pair
    }

    /// Moves bytes until nothing moves.
    fn pump(&mut self) {
        while self.move_up() + self.move_down() > 0 {}
    }

    fn move_up(&mut self) -> usize {
        let bytes = take(&mut self.client);
        self.server.received(&bytes, &mut self.server_events);
        bytes.len()
    }

    fn move_down(&mut self) -> usize {
        let bytes = take(&mut self.server);
        self.client.received(&bytes, &mut self.client_events);
        bytes.len()
    }
}

fn take(link: &mut Link) -> Vec<u8> {
    link.flush();
    let bytes = link.outbound().to_vec();
    link.sent(bytes.len());
    bytes
}

fn frame(n: u8) -> Frame {
    Frame::message(&vec![n; 10])
}

#[test]
fn frames_of_one_turn_go_out_in_one_record() {
    let mut pair = Pair::secured();
    for n in 0..20 {
        pair.client.send(&frame(n)).unwrap();
    }
    let bytes = take(&mut pair.client);
    // One record: its header's length is all that there is (RFC 8446 §5.1).
    assert_eq!(usize::from(u16::from_be_bytes([bytes[3], bytes[4]])) + 5, bytes.len());
    pair.server.received(&bytes, &mut pair.server_events);
    assert_eq!(pair.server_events.len(), 20);
}

#[test]
fn a_cut_is_told_from_a_polite_end() {
    let mut pair = Pair::secured();
    pair.server.ended(&mut pair.server_events);
    assert_eq!(pair.server_events, [LinkEvent::Closed(CloseReason::Truncated)]);

    let mut pair = Pair::secured();
    pair.client.send(&frame(1)).unwrap();
    pair.client.part(Code::FINISHED, 0);
    pair.pump();
    let [LinkEvent::Message(_), LinkEvent::Closed(reason)] = pair.server_events.as_slice() else {
        panic!("{:?}", pair.server_events)
    };
    assert_eq!(*reason, CloseReason::Theirs(Code::FINISHED));
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Ours(Code::FINISHED))]);
}

#[test]
fn both_may_part_at_once() {
    let mut pair = Pair::secured();
    pair.client.part(Code::FINISHED, 0);
    pair.server.part(Code::REPLACED, 0);
    let (from_client, from_server) = (take(&mut pair.client), take(&mut pair.server));
    pair.client.received(&from_server, &mut pair.client_events);
    pair.server.received(&from_client, &mut pair.server_events);
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Theirs(Code::REPLACED))]);
    assert_eq!(pair.server_events, [LinkEvent::Closed(CloseReason::Ours(Code::REPLACED))]);
}

#[test]
fn what_goes_wrong_after_our_goodbye_is_no_good_end() {
    let mut pair = Pair::secured();
    pair.client.send(&frame(1)).unwrap();
    pair.client.part(Code::FINISHED, 0);
    let mut bytes = take(&mut pair.client);
    bytes[10] ^= 1;
    pair.server.received(&bytes, &mut pair.server_events);
    pair.pump();
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Alert(20))], "the last words did not arrive");

    let mut pair = Pair::secured();
    pair.client.part(Code::FINISHED, 0);
    pair.client.ended(&mut pair.client_events);
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Truncated)], "nobody has answered");
}

#[test]
fn a_link_that_parts_in_the_handshake_never_finishes_it() {
    let mut pair = Pair::new();
    pair.move_up();
    pair.move_down();
    let finished = take(&mut pair.client);
    pair.server.part(Code::TIMED_OUT, 0);
    assert!(pair.server.is_closed());
    pair.server.received(&finished, &mut pair.server_events);
    assert_eq!(pair.server_events, []);
}

#[test]
fn nothing_is_written_after_the_writing_side_was_closed() {
    let mut pair = Pair::secured();
    pair.server.part(Code::REPLACED, 0);
    take(&mut pair.server);
    assert_eq!(pair.server.step(), Some(Step::Shut));
    pair.server.received(&[23, 3, 3, 0, 1, 0], &mut pair.server_events);
    assert!(matches!(pair.server_events[..], [LinkEvent::Closed(CloseReason::Fault(_))]));
    assert_eq!(pair.server.step(), None);
}

#[test]
fn good_records_before_a_bad_one_count_in_one_bite_as_in_two() {
    let mut pair = Pair::secured();
    pair.client.send(&frame(1)).unwrap();
    let mut bytes = take(&mut pair.client);
    pair.client.send(&frame(2)).unwrap();
    bytes.extend(take(&mut pair.client));
    *bytes.last_mut().unwrap() ^= 1;
    pair.server.received(&bytes, &mut pair.server_events);
    let [LinkEvent::Message(_), LinkEvent::Closed(CloseReason::Fault(Fault::BadRecord))] = pair.server_events[..]
    else {
        panic!("{:?}", pair.server_events)
    };
}

#[test]
fn a_goodbye_before_a_bad_record_is_answered_by_nothing_and_nothing_is_sent_after_it() {
    let mut pair = Pair::secured();
    pair.client.tls.seal(Frame::goodbye(Code::FINISHED, 0).bytes());
    let mut bytes = Vec::new();
    pair.client.tls.take_ciphertext(&mut bytes);
    // A record that nobody has sealed, where the end of TLS would be.
    bytes.extend([0x17, 3, 3, 0, 32]);
    bytes.extend([0; 32]);
    pair.server.received(&bytes, &mut pair.server_events);
    assert_eq!(pair.server_events.last(), Some(&LinkEvent::Closed(CloseReason::Theirs(Code::FINISHED))));
    assert_eq!(pair.server.send(&frame(1)), Ok(()));
    pair.server.flush();
}

#[test]
fn what_is_said_in_the_turn_of_a_goodbye_goes_before_its_answer() {
    let mut pair = Pair::secured();
    pair.client.part(Code::FINISHED, 0);
    let bytes = take(&mut pair.client);
    pair.server.received(&bytes, &mut pair.server_events);
    pair.server.send(&frame(1)).unwrap();
    assert!(pair.server.waiting() > 0);
    pair.pump();
    let [LinkEvent::Message(_), LinkEvent::Closed(CloseReason::Ours(Code::FINISHED))] = pair.client_events[..] else {
        panic!("{:?}", pair.client_events)
    };
    pair.server.send(&frame(2)).unwrap();
    assert_eq!(pair.server.waiting(), 0, "the turn is over");
}

#[test]
fn an_end_comes_once_and_nothing_after_it() {
    let mut pair = Pair::secured();
    pair.client.part(Code::FINISHED, 0);
    pair.pump();
    pair.server.ended(&mut pair.server_events);
    pair.server.received(b"anything", &mut pair.server_events);
    assert_eq!(pair.server_events.len(), 1);
}

#[test]
fn a_fault_in_a_frame_is_told_by_a_goodbye() {
    let mut pair = Pair::secured();
    pair.client.tls.seal(&[0xff; 8]);
    pair.client.tls.take_ciphertext(&mut pair.client.outbox);
    pair.pump();
    assert_eq!(pair.server_events, [LinkEvent::Closed(CloseReason::Fault(Fault::FrameLength))]);
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Theirs(Code::MALFORMED))]);
}

#[test]
fn another_version_is_told_by_name_on_both_sides() {
    let mut pair = Pair::secured();
    pair.client.tls.seal(&[0, 0, 0, 2, 9, 0]);
    pair.client.tls.take_ciphertext(&mut pair.client.outbox);
    pair.pump();
    assert_eq!(pair.server_events, [LinkEvent::Closed(CloseReason::Fault(Fault::Version(9)))]);
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Theirs(Code::VERSION))]);
}

#[test]
fn altered_ciphertext_ends_the_connection_and_both_know() {
    let mut pair = Pair::secured();
    pair.client.send(&frame(1)).unwrap();
    let mut bytes = take(&mut pair.client);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    pair.server.received(&bytes, &mut pair.server_events);
    assert_eq!(pair.server_events, [LinkEvent::Closed(CloseReason::Fault(Fault::BadRecord))]);
    pair.pump();
    // bad_record_mac (RFC 8446 §6.2)
    assert_eq!(pair.client_events, [LinkEvent::Closed(CloseReason::Alert(20))]);
}

#[test]
fn an_alert_waits_in_the_outbox_when_a_handshake_fails() {
    let mut pair = Pair::new();
    pair.server.received(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00 nonsense", &mut pair.server_events);
    assert!(matches!(pair.server_events.as_slice(), [LinkEvent::Closed(CloseReason::Fault(_))]));
    assert_eq!(pair.server.step(), Some(Step::Write));
    assert_eq!(pair.server.outbound()[0], 21, "an alert record");
    let length = pair.server.outbound().len();
    pair.server.sent(length);
    assert_eq!(pair.server.step(), Some(Step::Shut));
    assert_eq!(pair.server.step(), None);
}

#[test]
fn a_full_outbox_has_room_for_its_last_words_and_for_answers_to_changes_of_keys() {
    let mut pair = Pair::secured();
    pair.server.outbox_bytes_max = 48 * 1024;
    let ask = |pair: &mut Pair| {
        pair.client.tls.change_keys();
        pair.client.tls.take_ciphertext(&mut pair.client.outbox);
        pair.move_up();
    };
    ask(&mut pair);
    for length in [4000, 100, 0] {
        while pair.server.send(&Frame::message(&vec![0u8; length])).is_ok() {}
    }
    pair.server.flush();
    ask(&mut pair);
    pair.server.part(Code::TOO_SLOW, 0);
    assert!(pair.server.waiting() <= 48 * 1024, "{}", pair.server.waiting());
    pair.move_down();
    assert_eq!(pair.client_events.last(), Some(&LinkEvent::Closed(CloseReason::Theirs(Code::TOO_SLOW))));
}

#[test]
fn the_outbox_is_bounded_and_short_writes_lose_nothing() {
    let mut pair = Pair::secured();
    let big = Frame::message(&vec![7u8; FRAME_BYTES_MAX - 8]);
    let mut sent = 0;
    while pair.client.send(&big).is_ok() {
        sent += 1;
    }
    assert!(pair.client.waiting() <= OUTBOX_BYTES_MAX);
    pair.client.flush();
    while !pair.client.outbound().is_empty() {
        let length = pair.client.outbound().len().min(1009);
        let bytes = pair.client.outbound()[..length].to_vec();
        pair.client.sent(length);
        pair.server.received(&bytes, &mut pair.server_events);
    }
    assert_eq!(pair.server_events.len(), sent);
}

#[test]
fn a_link_on_which_nothing_moves_has_no_buffers() {
    let mut pair = Pair::secured();
    assert_eq!((pair.client.buffer_bytes(), pair.server.buffer_bytes()), (0, 0), "after a handshake");
    pair.client.send(&Frame::message(&vec![7u8; FRAME_BYTES_MAX - 8])).unwrap();
    pair.client.flush();
    // In pieces, so that every buffer is used.
    while !pair.client.outbound().is_empty() {
        let bytes = pair.client.outbound()[..pair.client.outbound().len().min(1009)].to_vec();
        pair.client.sent(bytes.len());
        pair.server.received(&bytes, &mut pair.server_events);
    }
    assert_eq!(pair.server_events.len(), 1);
    assert_eq!((pair.client.buffer_bytes(), pair.server.buffer_bytes()), (0, 0), "after a message");
}

#[test]
fn a_full_outbox_can_still_say_why_it_ends() {
    let mut pair = Pair::secured();
    let small = frame(1);
    while pair.client.send(&small).is_ok() {}
    let sealed = sealed_bytes(pair.client.waiting());
    assert!(sealed + sealed_bytes(small.bytes().len()) + PARTING_BYTES > OUTBOX_BYTES_MAX, "nothing is withheld");
    let queued = pair.client.waiting() / small.bytes().len();
    pair.client.part(Code::TOO_SLOW, 0);
    assert!(pair.client.waiting() <= OUTBOX_BYTES_MAX, "{} bytes wait", pair.client.waiting());
    let records = pair.client.waiting().div_ceil(RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES);
    assert!(records * RECORD_OVERHEAD_BYTES < sealed, "records are full");
    pair.pump();
    assert_eq!(pair.server_events.len(), queued + 1);
    assert_eq!(pair.server_events.last(), Some(&LinkEvent::Closed(CloseReason::Theirs(Code::TOO_SLOW))));
}
