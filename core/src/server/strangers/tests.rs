//! Whose turn it is, and whose place is taken.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use super::*;
use crate::testing::rng;

const NOW: Instant = Instant(0);
/// So few that one turn is had at once, and the next after 70 ms.
const SLOW: u32 = 100;
const TURN: Duration = Duration::from_millis(70);

fn strangers(places: &[(u64, u64)]) -> Strangers {
    let mut strangers = Strangers::new(SLOW, NOW);
    for (conn, source) in places {
        strangers.enter(ConnId(*conn), Source(*source));
    }
    strangers
}

/// The order in which those who wait have their turns.
fn served(strangers: &mut Strangers, seed: u64) -> Vec<u64> {
    let (mut now, mut served, mut rng) = (NOW, Vec::new(), rng(seed));
    while let Some(at) = strangers.next_turn(now) {
        match strangers.next(now, &mut rng) {
            Some(conn) => served.push(conn.0),
            None => now = at,
        }
    }
    served
}

#[test]
fn sources_take_turns_and_within_one_chance_decides() {
    let mut firsts = BTreeSet::new();
    for seed in 0..40 {
        let mut strangers = strangers(&[(11, 1), (12, 1), (13, 1), (21, 2), (31, 3), (32, 3)]);
        for conn in [11, 12, 13, 21, 31, 32] {
            assert!(strangers.wait(ConnId(conn), Channel::Relay));
            assert!(!strangers.wait(ConnId(conn), Channel::Relay), "once is enough");
        }
        let order = served(&mut strangers, seed);
        let sources: Vec<u64> = order.iter().map(|conn| conn / 10).collect();
        assert_eq!(sources, [1, 2, 3, 1, 3, 1]);
        firsts.extend(order.first());
    }
    assert_eq!(firsts, BTreeSet::from([11, 12, 13]));
}

#[test]
fn doors_take_turns_and_an_empty_one_costs_the_other_nothing() {
    let mut strangers = strangers(&[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
    for conn in 1..=4 {
        strangers.wait(ConnId(conn), Channel::Enrol);
    }
    strangers.wait(ConnId(5), Channel::Relay);
    assert_eq!(served(&mut strangers, 1), [5, 1, 2, 3, 4]);
}

#[test]
fn a_turn_is_paid_for_and_who_can_t_be_paid_for_is_held_back() {
    let mut strangers = strangers(&[(1, 1), (2, 1), (3, 1)]);
    for conn in 1..=3 {
        strangers.wait(ConnId(conn), Channel::Relay);
    }
    let first = strangers.next(NOW, &mut rng(1)).unwrap();
    assert_eq!(strangers.next(NOW, &mut rng(1)), None);
    let [one, other] = [1, 2, 3].map(ConnId).into_iter().filter(|conn| *conn != first).collect::<Vec<_>>()[..] else {
        panic!("two are left")
    };
    let at = strangers.next_turn(NOW).unwrap();
    assert!(at > NOW && at <= NOW.plus(TURN), "{at:?}");
    for conn in 1..=3 {
        strangers.held_back(ConnId(conn));
    }
    strangers.leave(one);
    assert_eq!(strangers.next(at, &mut rng(1)), Some(other));
    assert_eq!(strangers.next_turn(at), None, "nobody waits");
    let work = StrangersWork { turns: 2, key_operations: 14, held_back: 2, unserved: 1 };
    assert_eq!(strangers.work(), work);
    assert_eq!(strangers.len(), 2);
}

#[test]
fn a_place_is_taken_from_the_source_with_most_and_there_from_the_larger_crowd() {
    let mut strangers = strangers(&[(1, 5), (2, 6), (3, 6), (4, 6), (5, 7)]);
    assert_eq!(strangers.yielding(), Some(ConnId(2)), "the oldest of the most numerous");
    for conn in [2, 3] {
        strangers.wait(ConnId(conn), Channel::Relay);
        served(&mut strangers, 1);
    }
    assert_eq!(strangers.yielding(), Some(ConnId(2)), "two were served and one was not");
    strangers.leave(ConnId(2));
    strangers.enter(ConnId(6), Source(6));
    assert_eq!(strangers.yielding(), Some(ConnId(4)), "one was served and two were not");
    for conn in [7, 8] {
        strangers.enter(ConnId(conn), Source(4));
    }
    strangers.leave(ConnId(6));
    assert_eq!(
        strangers.yielding(),
        Some(ConnId(4)),
        "of two sources with two each, the older, and there who was not served"
    );
    strangers.leave(ConnId(4));
    strangers.leave(ConnId(7));
    assert_eq!(strangers.yielding(), Some(ConnId(1)), "all have one place");
}

#[test]
fn an_address_of_version_6_counts_by_its_first_half_and_one_of_version_4_as_a_whole() {
    let source = |text: &str| Source::of(text.parse().unwrap());
    assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
    assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    assert_eq!(source("127.0.0.1"), source("::ffff:127.0.0.1"));
    assert_ne!(source("127.0.0.1"), source("127.0.0.2"));
    assert_ne!(source("127.0.0.1"), source("::1"));
}

#[test]
fn a_source_reads_as_its_address_or_as_the_network_that_it_is() {
    for (address, shown) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ] {
        assert_eq!(Source::of(address.parse().unwrap()).to_string(), shown);
    }
}
