//! How long to wait before dialling again: doubling, bounded, and never the same for two devices.

use std::time::Duration;

use rand_core::CryptoRng;

use crate::limits::{BACKOFF_MAX, BACKOFF_MIN};

/// Counts the failures since the last success.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: between half and all of a bound that doubles each time. The jitter keeps a
    /// thousand devices from coming back in the same instant.
    pub fn next(&mut self, rng: &mut dyn CryptoRng) -> Duration {
        let bound = BACKOFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        let half = bound / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(rng.next_u64() % micros)
    }

    /// A connection was admitted.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn waits_grow_to_a_bound_with_jitter_and_begin_anew_after_a_success() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..40).map(|_| backoff.next(&mut rng)).collect();
        assert!(waits.first().is_some_and(|wait| *wait <= BACKOFF_MIN));
        assert!(waits.iter().all(|wait| *wait <= BACKOFF_MAX));
        assert!(waits.iter().skip(10).all(|wait| *wait >= BACKOFF_MAX / 2));
        assert!(waits.windows(2).any(|pair| pair.first() != pair.last()));
        backoff.succeeded();
        assert!(backoff.next(&mut rng) <= BACKOFF_MIN);
    }
}
