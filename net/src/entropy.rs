//! Decides where randomness comes from: the operating system, through the one crypto library, and nowhere else.
//!
//! `core` never draws for itself; it is lent an [`OsEntropy`] for each call, as the simulator lends it a
//! generator that is made from the run's seed.

use aws_lc_rs::rand;
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;

/// The operating system's randomness as a `rand_core::CryptoRng`.
///
/// It holds no state, so there is nothing in it that could be copied, stored or repeated.
///
/// # Panics
///
/// Each draw panics if the operating system gives no randomness. That is the right end: whatever was to be
/// made (a key, a serial, a token, a nonce) would be guessable, there is no weaker value to fall back on, and
/// no caller could do better than to stop. An error value would only invite somebody to go on without it.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl TryRng for OsEntropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        fill(dst);
        Ok(())
    }
}

impl TryCryptoRng for OsEntropy {}

fn fill(bytes: &mut [u8]) {
    assert!(
        rand::fill(bytes).is_ok(),
        "the operating system gives no random bytes, and nothing safe can be done without them: \
         check that getrandom(2) or /dev/urandom is allowed here, then start again"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{CryptoRng, Rng};

    fn draw(rng: &mut dyn CryptoRng) -> [u8; 32] {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn two_draws_differ_even_from_a_copy() {
        let mut entropy = OsEntropy;
        let mut copy = entropy;
        assert_ne!(draw(&mut entropy), draw(&mut copy));
        assert_ne!(entropy.next_u64(), copy.next_u64());
    }

    #[test]
    fn every_byte_of_a_long_buffer_is_drawn() {
        // A byte that stays 0 in 64 draws by chance: once in 2^512.
        let mut seen = [0_u8; 100];
        for _ in 0..64 {
            let mut bytes = [0; 100];
            OsEntropy.fill_bytes(&mut bytes);
            for (seen, byte) in seen.iter_mut().zip(bytes) {
                *seen |= byte;
            }
        }
        assert!(seen.iter().all(|byte| *byte != 0));
    }

    #[test]
    fn an_empty_buffer_is_filled_too() {
        OsEntropy.fill_bytes(&mut []);
    }
}
