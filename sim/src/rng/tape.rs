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
mod tests;
