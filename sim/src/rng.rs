//! Decides how one seed becomes many streams of decisions that don't disturb each other, and who makes the decisions.
//!
//! A stream is a function of the seed and its name alone. So a new draw in one stream, or a new stream, shifts none
//! of the others, and a change to how faults are drawn leaves the keys and the workload of a seed as they were.
//!
//! Decisions are made by a [`Chooser`]: a generator, or a [`Tape`] of bytes that somebody wrote, a fuzzer for one. What
//! has to be secret is never a decision: [`Streams::secret`] gives a generator whatever tape there is, and [`Choices`]
//! can't be taken for one.

mod tape;

use aws_lc_rs::digest;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use tape::Reader;
pub use tape::{Tape, TapeRefusal};

/// Separates these seeds from every other use of SHA-256 in the project; the number changes with the derivation.
const DOMAIN: &[u8] = b"countersign-sim/stream/1\0";

/// The random streams of one run, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams<'t> {
    seed: u64,
    tape: Option<&'t Tape>,
}

impl Streams<'static> {
    /// The streams of the run that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self { seed, tape: None }
    }
}

impl<'t> Streams<'t> {
    /// The streams of a run in which the tape decides, as far as it goes. What is secret still comes of the seed.
    pub fn over(seed: u64, tape: Option<&'t Tape>) -> Self {
        Self { seed, tape }
    }

    /// The seed all streams come from.
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// The stream of decisions called `name`, from its beginning.
    ///
    /// Asking twice for one name gives the same numbers twice, so whoever draws from a stream keeps it, and a name
    /// has one owner (`person/3`, `wire/2/to-relay`, `faults`).
    #[must_use]
    pub fn stream(self, name: &str) -> Choices {
        Choices { generator: self.secret(name), tape: self.tape.map(|tape| Reader::new(tape, name)) }
    }

    /// The stream of random numbers called `name`, for keys, nonces and TLS: always a generator's.
    #[must_use]
    pub fn secret(self, name: &str) -> ChaCha20Rng {
        let mut context = digest::Context::new(&digest::SHA256);
        // Domain and seed have fixed lengths and the name comes last, so no two inputs can be taken for each other.
        context.update(DOMAIN);
        context.update(&self.seed.to_le_bytes());
        context.update(name.as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        ChaCha20Rng::from_seed(key)
    }
}

/// A stream of decisions: what happens, when, to whom. It is no generator, so no key can be drawn from it.
#[derive(Clone, Debug)]
pub struct Choices {
    generator: ChaCha20Rng,
    tape: Option<Reader>,
}

/// Who decides: a generator, or a tape.
///
/// Each method of a generator takes exactly one number, also when the answer is certain, so a fault whose weight
/// becomes zero shifts nothing that is drawn after it. The price is a bias of at most `n / 2^64` in favour of some
/// values, which no run of the simulator is long enough to notice.
pub trait Chooser {
    /// A number from 0 to `most`, both included.
    fn number(&mut self, most: u64) -> u64;

    /// True `num` times out of `den`, which is not 0: never for 0, always from `den` on.
    fn yes(&mut self, num: u64, den: u64) -> bool;
}

impl<R: Rng + ?Sized> Chooser for R {
    fn number(&mut self, most: u64) -> u64 {
        let number = self.next_u64();
        most.checked_add(1).map_or(number, |n| scale(number, n))
    }

    fn yes(&mut self, num: u64, den: u64) -> bool {
        scale(self.next_u64(), den) < num
    }
}

impl Chooser for Choices {
    fn number(&mut self, most: u64) -> u64 {
        let read = self.tape.as_mut().and_then(|tape| tape.number(most));
        read.unwrap_or_else(|| self.generator.number(most))
    }

    fn yes(&mut self, num: u64, den: u64) -> bool {
        match &mut self.tape {
            Some(tape) => tape.yes(num, den),
            None => self.generator.yes(num, den),
        }
    }
}

/// The few kinds of decision the simulator makes, for every chooser, `dyn Chooser` included.
pub trait Draw: Chooser {
    /// A number from 0 up to, and without, `n`.
    ///
    /// # Panics
    ///
    /// When `n` is 0: there is no such number, and an answer would hide the caller's mistake.
    fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a number below 0 was asked for");
        self.number(n - 1)
    }

    /// A number from `low` to `high`, both included.
    ///
    /// # Panics
    ///
    /// When `low` is above `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range was asked for");
        low + self.number(high - low)
    }

    /// True `num` times out of `den`: never for 0, always from `den` on.
    ///
    /// # Panics
    ///
    /// When `den` is 0.
    fn chance(&mut self, num: u64, den: u64) -> bool {
        assert!(den > 0, "a chance of so many out of 0 was asked for");
        self.yes(num, den)
    }

    /// One of `items`, or `None` when there is none (the only case without a draw).
    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            return None;
        }
        let index = self.below(u64::try_from(items.len()).ok()?);
        items.get(usize::try_from(index).ok()?)
    }
}

impl<C: Chooser + ?Sized> Draw for C {}

/// Maps the whole range of `u64` to `0..n` by a widening multiplication (Lemire's method without its rejection, which
/// would make the number of draws depend on what was drawn).
fn scale(number: u64, n: u64) -> u64 {
    let product = u128::from(number) * u128::from(n);
    u64::try_from(product >> 64).expect("the high half of a product of two u64 is a u64")
}

#[cfg(test)]
mod tests;
