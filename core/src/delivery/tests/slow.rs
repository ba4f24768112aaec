//! A reader that is slow: it falls behind, costs no more than a bound, and comes to everything in its order.

use super::*;
use crate::limits::{MESSAGE_SEALED_BYTES_MAX, OUTBOX_PAUSE_BYTES, RECENT_BYTES_MAX, STREAM_QUEUED_BYTES};

#[test]
fn a_slow_reader_falls_behind_and_comes_to_everything_in_order() {
    let mut hall = Hall::in_a_room(&["alice", "bob", "carol"]);
    let lengths: Vec<usize> = (0..120).map(|n| 1 + (n * 7_919) % 70_000).collect();
    for (id, length) in (0..).zip(&lengths) {
        hall.say(0, message(1, id, *length));
        hall.read(0, usize::MAX);
        hall.read(2, usize::MAX);
        // Bob reads some bytes now and then, and never all.
        hall.read(1, usize::from(id) * 17 % 9_000);
        let waiting = hall.town.server.outbound(hall.hands[1].conn).len();
        assert!(waiting < STREAM_QUEUED_BYTES + 20_000, "{waiting}");
        assert!(waiting < OUTBOX_PAUSE_BYTES);
    }
    assert_eq!(hall.town.pauses, []);
    let expected: Vec<_> = (2..).zip((0..).zip(&lengths).map(|(id, length)| said(id, *length))).collect();
    assert!(hall.is_posted(2) == expected, "who reads is not held up");
    let behind = hall.is_posted(1);
    assert_eq!(behind.iter().map(|(place, _)| *place).collect::<Vec<_>>(), (2..122).collect::<Vec<_>>());
    assert!(behind == expected);
    assert_eq!(hall.places(0), (2..122).collect::<Vec<_>>());
    hall.ask(1, message(1, 200, 5));
    assert_eq!((hall.places(1), hall.places(2)), (vec![122], vec![122]), "and is level again");
}

#[test]
fn what_was_posted_last_is_kept_up_to_a_bound_and_the_rest_is_read() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    let count = RECENT_BYTES_MAX / MESSAGE_SEALED_BYTES_MAX + 20;
    for id in 0..u8::try_from(count).unwrap() {
        hall.say(0, message(1, id, MESSAGE_SEALED_BYTES_MAX));
        hall.read(0, usize::MAX);
        let recent = hall.town.server.delivery_mut().recent_bytes();
        assert!(recent <= RECENT_BYTES_MAX, "{recent}");
    }
    assert_eq!(hall.places(1).len(), count);
    let read = hall.town.bodies_read;
    assert!((10..40).contains(&read), "{read}");
    for who in [0, 1] {
        hall.ask(who, acknowledge(1 + count as u64));
    }
    hall.town.wait(ACKNOWLEDGE_AFTER);
    assert_eq!(hall.town.server.delivery_mut().recent_bytes(), 0, "what nobody needs is not kept");
}

#[test]
fn an_event_is_stopped_between_its_pieces_and_gone_on_with() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    for id in 0..5 {
        hall.say(0, message(1, id, MESSAGE_SEALED_BYTES_MAX));
    }
    let conn = hall.hands[1].conn;
    let waiting = hall.town.server.outbound(conn).len();
    assert!(waiting > STREAM_QUEUED_BYTES - 17_000 && waiting < STREAM_QUEUED_BYTES + 1_000, "{waiting}");
    // What it sends twice meanwhile is answered once, when it comes to that.
    for _ in 0..2 {
        hall.say(1, message(1, 100, 10));
    }
    assert_eq!(hall.places(1), [2, 3, 4, 5, 6, 7]);
}
