//! Decides who guesses at people's passwords: how often, how many at a time, and from how many addresses.

use super::draw::rare;
use super::{ConfigRefusal, SimConfig};
use crate::rng::Draw;

/// From so many addresses at most: as many as are left of their block.
const SOURCES_MAX: u64 = 40;

impl SimConfig {
    /// The guessers: nothing else is drawn from this stream. There are none where passwords admit nobody.
    pub(super) fn draw_guessers(&mut self) {
        let rng = &mut self.streams().stream("config/guessers");
        let mean_ms = rare(rng, 800, 12_000);
        // One by one, or in bursts; from one place, a few, or more than the server remembers.
        let (one, few) = (rng.chance(1, 3), rng.chance(2, 3));
        let (most, some, many) = (rng.between(2, 12), rng.between(1, 4), rng.between(5, SOURCES_MAX));
        if mean_ms > 0 && self.sign_up > 0 {
            self.guess_mean_ms = mean_ms;
            self.guess_max = if one { 1 } else { most };
            self.guess_sources = if few { some } else { many };
        }
    }

    /// Whether the guessers' numbers are within their ranges.
    pub(super) fn check_guessers(&self) -> Result<(), ConfigRefusal> {
        match self {
            _ if self.guess_sources > SOURCES_MAX => Err(ConfigRefusal::Range("guess_sources")),
            _ if self.guess_max > 1_000 => Err(ConfigRefusal::Range("guess_max")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessers_come_in_some_runs_in_which_passwords_admit_and_in_no_others() {
        let configs: Vec<_> = (0..400).map(SimConfig::draw).collect();
        let on: Vec<_> = configs.iter().filter(|config| config.guess_mean_ms > 0).collect();
        let open = configs.iter().filter(|config| config.sign_up > 0).count();
        assert!((open / 4..open).contains(&on.len()), "in {} of {open}", on.len());
        assert!(on.iter().all(|config| config.sign_up > 0 && config.guess_max > 0 && config.guess_sources > 0));
        assert!(on.iter().any(|config| config.guess_max == 1) && on.iter().any(|config| config.guess_sources > 16));
        let quiet = |config: &SimConfig| config.clone().without_faults();
        assert!(configs.iter().map(quiet).all(|config| config.guess_mean_ms + config.guess_sources == 0));
    }

    #[test]
    fn more_addresses_than_their_block_has_are_refused() {
        let config = SimConfig { guess_sources: SOURCES_MAX + 1, ..SimConfig::draw(1) };
        assert_eq!(config.check(), Err(ConfigRefusal::Range("guess_sources")));
    }
}
