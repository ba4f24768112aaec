//! Decides how bytes that somebody wrote, a fuzzer for one, become the decisions of a run's streams.
//!
//! The tape is cut into places of sixteen bytes, and which places a stream reads follows from its name alone. So a
//! byte keeps its meaning whatever else is on the tape and however much other streams draw: a mutation stays where it
//! was made, and a tape that somebody kept still means the same when the world has learned new faults. Two streams may
//! share a place; what they do with it differs.
//!
//! Zero is the quiet choice: the least number, the first of several, no fault. Where the tape has no place, or a stream
//! has read enough places, no fault happens either, and numbers come of the generator, since the least pause for ever
//! would be no calm.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest;

/// Separates these hashes from every other use of SHA-256 in the project; the number changes with the derivation.
const DOMAIN: &[u8] = b"countersign-sim/tape/1\0";
/// The length of a place.
const PLACE_BYTES: usize = 16;
/// How many places there are.
const PLACES: usize = 128;
/// How many places one stream reads, so that a run is over at some time whatever is on the tape.
const PLACES_A_STREAM: u64 = 12;

/// Bytes that decide.
#[derive(Clone, PartialEq, Eq)]
pub struct Tape(Arc<[u8]>);

/// A text is no tape: it has to be an even number of hexadecimal digits, at most twice [`Tape::BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeRefusal;

impl Tape {
    /// The longest tape; what is beyond is cut off.
    pub const BYTES_MAX: usize = PLACES * PLACE_BYTES;

    /// A tape of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.get(..Self::BYTES_MAX).unwrap_or(bytes).into())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({self})")
    }
}

impl FromStr for Tape {
    type Err = TapeRefusal;

    fn from_str(text: &str) -> Result<Self, TapeRefusal> {
        let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(16 * digit(high)? + digit(low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        let bytes = bytes.filter(|bytes| bytes.len() <= Self::BYTES_MAX);
        Ok(Self(bytes.ok_or(TapeRefusal)?.into()))
    }
}

/// One stream's way over the tape.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    tape: Tape,
    name: Box<str>,
    /// How many bytes were read, with those that the tape does not have.
    read: usize,
    /// Where the place begins that is being read.
    place: usize,
}

impl Reader {
    pub(super) fn new(tape: &Tape, name: &str) -> Self {
        Self { tape: tape.clone(), name: name.into(), read: 0, place: 0 }
    }

    /// A number from 0 to `most`: of one byte where that reaches everything, else of two, or eight for the largest.
    /// What is certain costs nothing. `None` where the tape is silent.
    pub(super) fn number(&mut self, most: u64) -> Option<u64> {
        let bytes = match most {
            0 => return Some(0),
            1..=0xff => 1,
            0x100..=0xffff_ffff => 2,
            _ => 8,
        };
        let (mut number, mut silent) = (0, false);
        for _ in 0..bytes {
            let byte = self.byte();
            silent |= byte.is_none();
            number = (number << 8) | u64::from(byte.unwrap_or(0));
        }
        // In proportion, so that a byte means nearly the same when the range has changed a little.
        let number = (u128::from(number) * (u128::from(most) + 1)) >> (8 * bytes);
        u64::try_from(number).ok().filter(|_| !silent)
    }

    /// Whether something of this chance happens: not where the tape is silent.
    pub(super) fn yes(&mut self, num: u64, den: u64) -> bool {
        num > 0 && (num >= den || self.number(den - 1).is_some_and(|number| number >= den - num))
    }

    fn byte(&mut self) -> Option<u8> {
        let (place, offset) = (self.read / PLACE_BYTES, self.read % PLACE_BYTES);
        let place = u64::try_from(place).ok().filter(|place| *place < PLACES_A_STREAM)?;
        if offset == 0 {
            self.place = start(&self.name, place);
        }
        self.read += 1;
        self.tape.0.get(self.place + offset).copied()
    }
}

/// Where the place begins that the stream called `name` reads as its how-manieth.
fn start(name: &str, place: u64) -> usize {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(DOMAIN);
    context.update(&place.to_le_bytes());
    context.update(name.as_bytes());
    let first = context.finish().as_ref().first().copied().unwrap_or(0);
    PLACE_BYTES * (usize::from(first) % PLACES)
}

#[cfg(test)]
mod tests {
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
}
