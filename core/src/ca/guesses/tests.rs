//! Guessing: what each bound lets through and what not, and whom it never holds up.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn from(n: u32) -> Source {
    Source::of(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)))
}

fn alice() -> UserName {
    UserName::parse("alice").unwrap()
}

/// How many of `tries` a second are looked at in so long.
fn looked_at(
    guesses: &mut Guesses,
    whose: Option<&UserName>,
    seconds: u64,
    mut source: impl FnMut(u64) -> Source,
) -> u64 {
    (0..seconds).filter(|second| guesses.pay(whose, source(*second), Instant(second * MICRO)).is_ok()).count() as u64
}

#[test]
fn one_address_has_so_many_tries_in_a_minute_whatever_the_names() {
    let mut guesses = Guesses::default();
    let at = |second: u64| Instant(second * MICRO);
    for _ in 0..PASSWORD_TRIES_MAX {
        assert_eq!(guesses.pay(None, from(1), at(0)), Ok(()));
    }
    let span = PASSWORD_TRIES_SPAN.as_secs();
    assert_eq!(guesses.pay(None, from(1), at(span - 1)), Err(NotNow::Wait(PASSWORD_TRIES_SPAN)));
    assert_eq!(guesses.pay(None, from(2), at(span - 1)), Ok(()), "another has its own");
    assert_eq!(guesses.pay(None, from(1), at(span)), Ok(()));
}

#[test]
fn all_strange_addresses_together_have_so_many_in_a_second() {
    let (mut guesses, mut source) = (Guesses::default(), 0);
    let mut tries = |at: Instant| {
        let mut paid = 0;
        loop {
            source += 1;
            match guesses.pay(None, from(source), at) {
                Ok(()) => paid += 1,
                Err(NotNow::Busy) => return paid,
                Err(NotNow::Wait(_)) => panic!("each address comes once"),
            }
        }
    };
    assert_eq!(tries(Instant(0)), STRETCHES_AT_ONCE_MAX);
    assert_eq!(tries(Instant(0)), 0);
    assert_eq!(tries(Instant(MICRO)), STRETCHES_PER_SECOND);
    assert_eq!(tries(Instant(1000 * MICRO)), STRETCHES_AT_ONCE_MAX, "no more is saved up");
}

#[test]
fn the_pauses_double_up_to_their_longest() {
    assert_eq!([1, 2, 3, 7].map(|count| pause(count, GUESS_PAUSE_MAX).as_secs()), [1, 2, 4, 60]);
    assert_eq!(pause(u32::MAX, GUESS_PAUSE_SAME_MAX), GUESS_PAUSE_SAME_MAX);
    assert_eq!(GUESS_PAUSE_MIN.as_secs(), 1);
}

#[test]
fn who_guesses_at_a_name_from_one_address_or_many_gets_few_tries_in_a_day() {
    let day = 24 * 60 * 60;
    let mut guesses = Guesses::default();
    let one = looked_at(&mut guesses, Some(&alice()), day, |_| from(1));
    assert!((90..=120).contains(&one), "{one}");
    let mut guesses = Guesses::default();
    let many = looked_at(&mut guesses, Some(&alice()), day, |second| from(u32::try_from(second).unwrap()));
    assert!((1_400..=1_460).contains(&many), "{many}");
    assert_eq!(guesses.people.get(&alice()).unwrap().strange.len(), GUESSING_SOURCES_MAX);
}

#[test]
fn where_a_persons_devices_are_nobodys_guessing_slows_them_down() {
    let mut guesses = Guesses::default();
    guesses.seen(&alice(), from(7));
    for n in 0..2_000 {
        // From wherever it is.
        let _ = guesses.pay(Some(&alice()), from(100 + n % 500), Instant(u64::from(n) * MICRO));
    }
    let now = Instant(2_000 * MICRO);
    assert!(matches!(guesses.pay(Some(&alice()), from(8), now), Err(NotNow::Wait(_))), "a strange address waits");
    assert_eq!(guesses.pay(Some(&alice()), from(7), now), Ok(()));
    guesses.right(&alice(), from(7));
    // Nor does everything that is paid for strangers.
    while guesses.pay(None, from(50), now).is_ok() {}
    for n in 0..100 {
        let _ = guesses.pay(None, from(10_000 + n), now);
    }
    assert_eq!(guesses.pay(None, from(20_000), now), Err(NotNow::Busy));
    assert_eq!(guesses.pay(Some(&alice()), from(7), now), Ok(()));
}

#[test]
fn from_elsewhere_the_owner_has_their_turn_after_a_minute_at_most() {
    let mut guesses = Guesses::default();
    // Somebody has guessed for a day, and once more just now.
    let looked_at = |second: &u64| guesses.pay(Some(&alice()), from(1), Instant(second * MICRO)).is_ok();
    let last = (0..100_000).filter(looked_at).last().unwrap();
    let now = Instant(last * MICRO);
    let waits = match guesses.pay(Some(&alice()), from(2), now) {
        Ok(()) => Duration::ZERO,
        Err(NotNow::Wait(wait)) => wait,
        Err(NotNow::Busy) => panic!("one guesser does not use up everything"),
    };
    assert!(waits <= GUESS_PAUSE_MAX, "{waits:?}");
    // The guesser's own pause is longer by now.
    let Err(NotNow::Wait(own)) = guesses.pay(Some(&alice()), from(1), now) else { panic!("it is let through") };
    assert!(own > GUESS_PAUSE_MAX, "{own:?}");
    assert_eq!(guesses.pay(Some(&alice()), from(2), now.plus(waits)), Ok(()));
    guesses.right(&alice(), from(2));
    assert_eq!(guesses.pay(Some(&alice()), from(2), now.plus(waits)), Ok(()), "it is theirs from now on");
}

#[test]
fn a_known_address_is_a_strange_one_after_so_many_wrong_passwords_in_a_row() {
    let mut guesses = Guesses::default();
    guesses.seen(&alice(), from(7));
    let now = Instant(0);
    for _ in 1..KNOWN_TRIES_MAX {
        assert_eq!(guesses.pay(Some(&alice()), from(7), now), Ok(()));
    }
    guesses.right(&alice(), from(7));
    for _ in 0..KNOWN_TRIES_MAX {
        assert_eq!(guesses.pay(Some(&alice()), from(7), now), Ok(()));
    }
    assert!(!guesses.people.get(&alice()).unwrap().knows(from(7)));
    assert_eq!(guesses.pay(Some(&alice()), from(7), now), Ok(()), "the first try of a strange one");
    assert_eq!(guesses.pay(Some(&alice()), from(7), now), Err(NotNow::Wait(GUESS_PAUSE_MIN)));
}

#[test]
fn so_many_addresses_of_a_person_are_remembered_the_newest_ones() {
    let mut guesses = Guesses::default();
    for n in 0..=u32::try_from(KNOWN_SOURCES_MAX).unwrap() {
        guesses.seen(&alice(), from(n));
    }
    let tries = guesses.people.get(&alice()).unwrap();
    assert_eq!(tries.known.len(), KNOWN_SOURCES_MAX);
    assert!(!tries.knows(from(0)) && tries.knows(from(1)));
}

#[test]
fn after_a_day_of_peace_the_pauses_begin_anew() {
    let mut guesses = Guesses::default();
    for second in 0..1_000 {
        let _ = guesses.pay(Some(&alice()), from(1), Instant(second * MICRO));
    }
    let later = Instant(1_000 * MICRO).plus(GUESS_MEMORY);
    assert_eq!(guesses.pay(Some(&alice()), from(1), later), Ok(()));
    assert_eq!(guesses.pay(Some(&alice()), from(1), later), Err(NotNow::Wait(GUESS_PAUSE_MIN)));
}

#[test]
fn a_password_is_set_so_often_in_an_hour() {
    let mut guesses = Guesses::default();
    for _ in 0..PASSWORD_CHANGES_MAX {
        assert!(guesses.may_set(&alice(), Instant(0)));
    }
    assert!(!guesses.may_set(&alice(), Instant((PASSWORD_CHANGES_SPAN.as_secs() - 1) * MICRO)));
    assert!(guesses.may_set(&alice(), Instant(0).plus(PASSWORD_CHANGES_SPAN)));
}
