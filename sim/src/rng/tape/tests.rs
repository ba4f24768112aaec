//! What a tape promises.

use super::super::{Draw, Streams};
use super::*;

/// A tape on which the stream called `name` finds `bytes` first, and all others find `rest`.
fn tape(name: &str, bytes: &[u8], rest: u8) -> Tape {
    let mut all = [rest; Tape::BYTES_MAX];
    let at = start(name, 0);
    all.get_mut(at..at + bytes.len()).expect("a place").copy_from_slice(bytes);
    Tape::new(&all)
}

#[test]
fn zero_is_the_quiet_choice_and_the_highest_byte_the_loud_one() {
    let quiet = Tape::new(&[0; Tape::BYTES_MAX]);
    let mut quiet = Streams::over(1, Some(&quiet)).stream("x");
    assert_eq!((quiet.between(5, 900), quiet.below(7), quiet.pick(&["a", "b"])), (5, 0, Some(&"a")));
    assert!(!quiet.chance(99, 100) && quiet.chance(100, 100) && !quiet.chance(0, 100));
    let loud = Tape::new(&[0xff; Tape::BYTES_MAX]);
    let mut loud = Streams::over(1, Some(&loud)).stream("x");
    assert_eq!((loud.between(5, 255), loud.below(7), loud.pick(&["a", "b"])), (255, 6, Some(&"b")));
    assert!(loud.chance(1, 100) && !loud.chance(0, 100));
    assert_eq!(loud.between(0, u64::MAX), u64::MAX);
}

#[test]
fn a_small_decision_takes_one_byte_a_large_one_two_and_a_certain_one_none() {
    let tape = tape("x", &[128, 1, 0, 0x80, 0, 0x40], 9);
    let mut choices = Streams::over(1, Some(&tape)).stream("x");
    assert_eq!((choices.below(1), choices.between(3, 3)), (0, 3));
    assert!(choices.chance(7, 7) && !choices.chance(0, 7));
    assert_eq!(choices.below(256), 128);
    assert_eq!(choices.below(1 << 16), 0x100);
    assert_eq!(choices.below(1 << 24), 0x80_0000);
    assert!(!choices.chance(1, 2), "a byte of 0x40 is in the lower half");
}

#[test]
fn every_value_of_a_small_range_can_be_written() {
    for n in [2_u64, 3, 100, 255, 256] {
        let written = (0..=255).map(|byte| {
            let tape = tape("x", &[byte], 0);
            Streams::over(1, Some(&tape)).stream("x").below(n)
        });
        assert_eq!(written.collect::<std::collections::BTreeSet<u64>>(), (0..n).collect());
    }
}

#[test]
fn where_the_tape_is_silent_there_is_no_fault_and_numbers_are_the_seeds() {
    let empty = Tape::new(&[]);
    let (mut silent, mut plain) = (Streams::over(3, Some(&empty)).stream("x"), Streams::new(3).stream("x"));
    for _ in 0..50 {
        assert!(!silent.chance(99, 100));
        assert_eq!(silent.between(1, 1_000_000), plain.between(1, 1_000_000));
    }
}

#[test]
fn a_stream_reads_so_much_and_then_the_tape_is_silent() {
    let tape = Tape::new(&[0xff; Tape::BYTES_MAX]);
    let mut choices = Streams::over(1, Some(&tape)).stream("x");
    let places = usize::try_from(PLACES_A_STREAM).expect("a few");
    assert_eq!((0..10_000).filter(|_| choices.chance(1, 2)).count(), places * PLACE_BYTES);
}

#[test]
fn what_one_stream_draws_shifts_no_other_and_no_secret_is_on_the_tape() {
    let (here, there) = (tape("a", &[1, 2, 3], 200), tape("a", &[9, 9, 9], 200));
    assert_ne!(start("a", 0), start("b", 0), "two names that share no place");
    for name in ["a", "b"] {
        let draw = |tape| Streams::over(1, Some(tape)).stream(name).below(256);
        assert_eq!(draw(&here) == draw(&there), name == "b");
    }
    let secret = |tape| Draw::below(&mut Streams::over(1, tape).secret("a"), u64::MAX);
    assert_eq!(secret(Some(&here)), secret(None));
}

#[test]
fn a_tape_reads_back_as_it_was_printed_and_another_text_is_none() {
    let tape = Tape::new(&[0, 7, 0xab, 0xff]);
    assert_eq!(tape.to_string(), "0007abff");
    assert_eq!("0007abff".parse(), Ok(tape));
    for text in ["0", "0g", "é", &"00".repeat(Tape::BYTES_MAX + 1)] {
        assert_eq!(text.parse::<Tape>(), Err(TapeRefusal));
    }
}

/// If this fails, every tape that was kept means another run: change `DOMAIN` with it.
#[test]
fn the_places_are_what_they_were() {
    assert_eq!([start("faults", 0), start("faults", 1), start("person/0", 0)], GOLDEN);
}

const GOLDEN: [usize; 3] = [1_328, 976, 752];
