//! Key packages between devices: to whom they go, who is told, and what becomes of those that nobody gets.

use super::*;
use crate::limits::{
    KEY_PACKAGE_BYTES_MAX, KEY_PACKAGES_LOW, KEY_PACKAGES_MAX, KEY_PACKAGES_TAKEN_SPAN, STREAM_QUEUED_BYTES,
};

fn publish(count: usize, length: usize) -> ConversationsRequest {
    let packages = vec![bytes(length); count];
    ConversationsRequest::Publish { ask: ASK, last_resort: None, packages, not_after: LATE }
}

fn take(hall: &Hall, of: usize, times: usize) -> ConversationsRequest {
    ConversationsRequest::Take { ask: ASK, of: vec![hall.hands[of].device.clone(); times] }
}

fn key_packages(left: u32) -> Heard {
    Heard::Event(ConversationsEvent::KeyPackages { left, last_resort: None })
}

#[test]
fn all_of_so_many_key_packages_are_kept_or_none() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.ask(1, publish(KEY_PACKAGES_MAX - 1, 10));
    assert_eq!(hall.hears(1), [key_packages(31)]);
    hall.ask(1, publish(2, 10));
    assert_eq!(hall.hears(1), [Heard::Refused(Code::KEY_PACKAGES_FULL)]);
    assert_eq!(hall.town.bodies.len(), KEY_PACKAGES_MAX - 1);
    // Two that are asked for at one time are refused by the fold, and leave nothing behind.
    hall.town.hold = true;
    hall.ask(1, publish(1, 10));
    hall.ask(1, publish(1, 10));
    hall.town.release();
    assert_eq!(hall.hears(1), [key_packages(32), Heard::Refused(Code::KEY_PACKAGES_FULL)]);
    assert_eq!(hall.town.bodies.len(), KEY_PACKAGES_MAX);
    hall.ask(1, publish(0, 10));
    assert_eq!(hall.hears(1), [key_packages(32)]);
    let too_many = publish(KEY_PACKAGES_MAX + 1, 10);
    assert_eq!(too_many.check(), Err(Fault::Malformed));
    assert_eq!(publish(1, KEY_PACKAGE_BYTES_MAX).check(), Ok(()));
    assert_eq!(publish(1, KEY_PACKAGE_BYTES_MAX + 1).check(), Err(Fault::Malformed));
    assert_eq!(publish(1, 0).check(), Err(Fault::Malformed));
}

#[test]
fn whoever_has_few_left_is_told_if_it_collects() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.ask(1, publish(KEY_PACKAGES_LOW + 1, 10));
    hall.ask(1, ConversationsRequest::Collect);
    hall.hears(1);
    let request = take(&hall, 1, 1);
    hall.ask(0, request.clone());
    assert_eq!(hall.hears(1), []);
    hall.ask(0, request);
    assert_eq!(hall.hears(1), [key_packages(7)]);
    assert_eq!(hall.hears(0).len(), 2);
    assert_eq!(hall.town.bodies.len(), 7, "what was handed out is gone");
}

#[test]
fn many_key_packages_are_handed_out_as_the_asker_reads_and_one_ask_at_a_time() {
    let mut hall = Hall::of(&["alice", "bob", "carol"]);
    for who in [1, 2] {
        hall.ask(who, publish(KEY_PACKAGES_MAX, KEY_PACKAGE_BYTES_MAX));
    }
    let of = [1, 2].map(|who| vec![hall.hands[who].device.clone(); KEY_PACKAGES_MAX]).concat();
    hall.say(0, ConversationsRequest::Take { ask: ASK, of });
    assert!(hall.town.server.outbound(hall.hands[0].conn).len() < STREAM_QUEUED_BYTES + 10_000);
    let request = take(&hall, 1, 1);
    hall.say(0, request);
    let heard = hall.hears(0);
    let more = |heard: &Heard| match heard {
        Heard::Event(ConversationsEvent::Package { package: Some(_), more, .. }) => Some(*more),
        Heard::Event(_) | Heard::Refused(_) | Heard::Ended(_) => None,
    };
    assert_eq!(heard.iter().filter_map(more).filter(|more| *more).count(), 2 * KEY_PACKAGES_MAX - 1);
    assert_eq!(heard.iter().filter_map(more).count(), 2 * KEY_PACKAGES_MAX);
    assert_eq!(heard.iter().filter(|heard| **heard == Heard::Refused(Code::BUSY)).count(), 1);
    assert!(hall.town.bodies.is_empty());
}

#[test]
fn what_was_taken_by_somebody_who_has_gone_is_nobodys() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.ask(1, publish(KEY_PACKAGES_MAX, KEY_PACKAGE_BYTES_MAX));
    let request = take(&hall, 1, KEY_PACKAGES_MAX);
    hall.say(0, request);
    assert!(!hall.town.bodies.is_empty(), "the asker has not read them");
    hall.town.serve(crate::server::Input::Ended(hall.hands[0].conn));
    hall.town.settle();
    assert!(hall.town.bodies.is_empty());
    // One that has gone before the journal has answered.
    hall.ask(1, publish(2, 10));
    let other = hall.connect(0);
    hall.town.hold = true;
    let request = take(&hall, 1, 2);
    hall.say(other, request);
    hall.town.serve(crate::server::Input::Ended(hall.hands[other].conn));
    hall.town.release();
    assert!(hall.town.bodies.is_empty());
}

#[test]
fn nobody_takes_key_packages_without_end() {
    let mut hall = Hall::of(&["alice", "bob"]);
    for _ in 0..16 {
        let request = take(&hall, 1, 256);
        hall.ask(0, request);
        assert_eq!(hall.hears(0).len(), 256);
    }
    let again = hall.connect(0);
    for hand in [0, again] {
        let request = take(&hall, 1, 1);
        hall.ask(hand, request);
        assert_eq!(hall.hears(hand), [Heard::Refused(Code::KEY_PACKAGES_TOO_OFTEN)]);
    }
    hall.town.wait(KEY_PACKAGES_TAKEN_SPAN);
    let later = hall.connect(0);
    let request = take(&hall, 1, 1);
    hall.ask(later, request);
    assert_eq!(hall.hears(later).len(), 1);
}
