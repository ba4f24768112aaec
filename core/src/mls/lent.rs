//! What `mls-rs` is lent for the length of one call: a generator, and what is believed of other devices (design 2 and 6).
//!
//! It asks its crypto provider for random bytes and its identity provider whether to believe a credential, and keeps both for
//! as long as a group. So both share a place that is empty except during a call of ours: [`Lent::during`] puts there a seed,
//! drawn from the generator that was lent for the call, and the beliefs, and takes both away again. Outside of it nothing is
//! drawn and nobody is believed: a group that was cloned, stored and loaded, or restored, repeats no random byte.

use aws_lc_rs::hkdf;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::beliefs::{Beliefs, Unjudged};
use super::place::Place;
use super::suite::SuiteError;

const SEED_BYTES: usize = 32;
/// Separates these bytes from whatever else is derived by HKDF.
const DOMAIN: &[u8] = b"countersign/mls/draw/1\0";

/// A place for what is lent, shared by a provider and all its clones.
#[derive(Clone, Debug, Default)]
pub struct Lent(Place<Loan>, #[cfg(test)] Place<()>);

/// What is there during one call.
struct Loan {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    drawn: u64,
    beliefs: Beliefs,
    unjudged: Unjudged,
}

impl Lent {
    /// Does something that may draw, from this generator, and that may ask whom to believe; with the certificates that were
    /// shown in it and of which nothing is known. Unless there are none, nothing may come of what was done.
    pub fn during<T>(&self, beliefs: &Beliefs, rng: &mut dyn CryptoRng, act: impl FnOnce() -> T) -> (T, Unjudged) {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        rng.fill_bytes(seed.as_mut_slice());
        *self.0.look() = Some(Loan { seed, drawn: 0, beliefs: beliefs.clone(), unjudged: Unjudged::default() });
        let taken_back = TakenBack(self);
        let done = act();
        let unjudged = self.0.look().take().map(|loan| loan.unjudged).unwrap_or_default();
        drop(taken_back);
        (done, unjudged)
    }

    /// Lets every commit pass, as somebody else's program might; for tests.
    #[cfg(test)]
    pub(super) fn set_lenient(&self, lenient: bool) {
        *self.1.look() = lenient.then_some(());
    }

    #[cfg(test)]
    pub(super) fn is_lenient(&self) -> bool {
        self.1.look().is_some()
    }

    /// Asks what is believed, and notes what nobody has judged; `None` outside of a call.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Beliefs, &mut Unjudged) -> T) -> Option<T> {
        self.0.look().as_mut().map(|loan| question(&loan.beliefs, &mut loan.unjudged))
    }

    /// Fills `out` with bytes that nobody has been given.
    pub(super) fn fill(&self, out: &mut [u8]) -> Result<(), SuiteError> {
        let mut place = self.0.look();
        let loan = place.as_mut().ok_or(SuiteError::NoGenerator)?;
        let key = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, loan.seed.as_slice());
        for chunk in out.chunks_mut(SEED_BYTES) {
            let number = loan.drawn.to_be_bytes();
            loan.drawn += 1;
            let info = [DOMAIN, number.as_slice()];
            let bytes = key.expand(&info, Chunk(chunk.len())).and_then(|okm| okm.fill(chunk));
            bytes.map_err(|_| SuiteError::Length)?;
        }
        Ok(())
    }
}

/// Empties the place when a call is over, however it ends.
struct TakenBack<'a>(&'a Lent);

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        *self.0.0.look() = None;
    }
}

/// How many bytes of a chunk are wanted.
struct Chunk(usize);

impl hkdf::KeyType for Chunk {
    fn len(&self) -> usize {
        self.0
    }
}
