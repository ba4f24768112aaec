//! Decides how one seed becomes many streams of random numbers that don't disturb each other.
//!
//! A stream is a function of the seed and its name alone. So a new draw in one stream, or a new stream, shifts none
//! of the others, and a change to how faults are drawn leaves the keys and the workload of a seed as they were.

use aws_lc_rs::digest;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Separates these seeds from every other use of SHA-256 in the project; the number changes with the derivation.
const DOMAIN: &[u8] = b"countersign-sim/stream/1\0";

/// A stream of decisions: what happens, when, to whom. Keys and nonces are drawn from streams of their own.
pub type Choices = ChaCha20Rng;

/// The random streams of one run, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of the run that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed all streams come from.
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// The stream called `name`, from its beginning.
    ///
    /// Asking twice for one name gives the same numbers twice, so whoever draws from a stream keeps it, and a name
    /// has one owner (`node/3/tls`, `link/0-2/there`, `faults`).
    #[must_use]
    pub fn stream(self, name: &str) -> ChaCha20Rng {
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

/// The few kinds of decision the simulator draws, for every generator, `dyn Rng` included.
///
/// Each method takes exactly one number from the generator, also when the answer is certain, so a fault whose weight
/// becomes zero shifts nothing that is drawn after it. The price is a bias of at most `n / 2^64` in favour of some
/// values, which no run of the simulator is long enough to notice.
pub trait Draw: Rng {
    /// A number from 0 up to, and without, `n`.
    ///
    /// # Panics
    ///
    /// When `n` is 0: there is no such number, and an answer would hide the caller's mistake.
    fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a number below 0 was asked for");
        scale(self.next_u64(), n)
    }

    /// A number from `low` to `high`, both included.
    ///
    /// # Panics
    ///
    /// When `low` is above `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range was asked for");
        match (high - low).checked_add(1) {
            Some(n) => low + self.below(n),
            None => self.next_u64(),
        }
    }

    /// True `num` times out of `den`: never for 0, always from `den` on.
    ///
    /// # Panics
    ///
    /// When `den` is 0.
    fn chance(&mut self, num: u64, den: u64) -> bool {
        self.below(den) < num
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

impl<R: Rng + ?Sized> Draw for R {}

/// Maps the whole range of `u64` to `0..n` by a widening multiplication (Lemire's method without its rejection, which
/// would make the number of draws depend on what was drawn).
fn scale(number: u64, n: u64) -> u64 {
    let product = u128::from(number) * u128::from(n);
    u64::try_from(product >> 64).expect("the high half of a product of two u64 is a u64")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(mut rng: ChaCha20Rng) -> [u8; 32] {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn the_same_seed_and_name_give_the_same_stream() {
        assert_eq!(first(Streams::new(7).stream("faults")), first(Streams::new(7).stream("faults")));
    }

    #[test]
    fn another_seed_or_name_gives_another_stream() {
        let here = first(Streams::new(7).stream("faults"));
        assert_ne!(here, first(Streams::new(8).stream("faults")));
        assert_ne!(here, first(Streams::new(7).stream("fault")));
        assert_ne!(here, first(Streams::new(7).stream("")));
    }

    /// If this fails, every seed that was written down names another run: change `DOMAIN` with it.
    #[test]
    fn the_derivation_is_what_it_was() {
        assert_eq!(Streams::new(1).stream("faults").next_u64(), GOLDEN);
    }

    const GOLDEN: u64 = 16_130_214_140_975_374_065;

    #[test]
    fn drawing_from_one_stream_does_not_shift_another() {
        let streams = Streams::new(3);
        let undisturbed = first(streams.stream("b"));
        let mut a = streams.stream("a");
        let b = streams.stream("b");
        a.next_u64();
        assert_eq!(first(b), undisturbed);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rng = Streams::new(1).stream("below");
        let mut seen = [false; 6];
        for _ in 0..200 {
            let n = usize::try_from(rng.below(6)).expect("less than 6");
            *seen.get_mut(n).expect("less than 6") = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(rng.below(1), 0);
        assert_eq!(scale(u64::MAX, u64::MAX), u64::MAX - 1);
        assert_eq!(scale(0, u64::MAX), 0);
    }

    #[test]
    fn between_includes_both_ends() {
        let mut rng = Streams::new(1).stream("between");
        let drawn: std::collections::BTreeSet<u64> = (0..100).map(|_| rng.between(4, 6)).collect();
        assert_eq!(drawn, [4, 5, 6].into());
        assert_eq!(rng.between(u64::MAX, u64::MAX), u64::MAX);
        rng.between(0, u64::MAX);
    }

    #[test]
    fn chance_is_never_at_zero_and_always_at_one() {
        let mut rng = Streams::new(1).stream("chance");
        assert!((0..100).all(|_| !rng.chance(0, 3)));
        assert!((0..100).all(|_| rng.chance(3, 3)));
        let hits = (0..10_000).filter(|_| rng.chance(1, 4)).count();
        assert!((2_300..2_700).contains(&hits), "{hits} of 10000");
    }

    #[test]
    fn every_decision_takes_one_draw_even_when_it_is_certain() {
        let mut rng = Streams::new(1).stream("count");
        let mut plain = rng.clone();
        rng.chance(0, 5);
        rng.below(1);
        rng.between(9, 9);
        rng.between(0, u64::MAX);
        rng.pick(&[1]);
        for _ in 0..5 {
            plain.next_u64();
        }
        assert_eq!(first(rng), first(plain));
    }

    #[test]
    fn the_helpers_work_behind_a_trait_object() {
        let mut rng = Streams::new(1).stream("dyn");
        let lent: &mut dyn Rng = &mut rng;
        assert!(lent.below(10) < 10);
        assert_eq!(lent.pick::<u8>(&[]), None);
        assert_eq!(lent.pick(&["only"]), Some(&"only"));
    }
}
