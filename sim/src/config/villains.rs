//! Decides how the villains of a run are drawn: each kind is absent from about half of all runs.

use countersign_core::limits::{KEY_OPERATIONS_PER_SECOND, STRANGERS_MAX};
use countersign_core::server::Settings;

use super::draw::{family, rare};
use super::{ConfigRefusal, SimConfig};
use crate::rng::Draw;

/// The fewest places for strangers that a run's relay has: enough for everybody at once, and for the sockets that they
/// have lost.
const PLACES_MIN: u64 = 48;

impl SimConfig {
    /// The villains, and what the relay's operator has chosen against crowds: from a stream of their own.
    pub(super) fn draw_villains(&mut self) {
        let rng = &mut self.streams().stream("config/villains");
        self.forge_mean_ms = rare(rng, 300, 10_000);
        self.mute_mean_ms = rare(rng, 200, 10_000);
        self.crowd_mean_ms = rare(rng, 3_000, 20_000);
        self.crowd_max = rng.between(1, 60);
        self.crowd_sources = rng.between(1, 3);
        let (few_places, little_work) = (rng.chance(1, 2), rng.chance(1, 2));
        let (places, work) = (rng.between(PLACES_MIN, 100), rng.between(140, 1_000));
        self.strangers_max = if few_places { places } else { most_places() };
        self.key_operations = if little_work { work } else { u64::from(KEY_OPERATIONS_PER_SECOND) };
        self.slow_mean_ms = rare(rng, 200, 2_000);
        self.slow_bytes = family(rng, 4_000);
        self.hasty_mean_ms = rare(rng, 300, 2_000);
        self.hasty_max = rng.between(1, 200);
        self.fetch_weight = family(rng, 20);
        self.slip_percent = family(rng, 60);
        // Most runs have a relay that does as it should: a lying one makes several promises void.
        let lies = rng.chance(1, 2);
        self.lie_percent = if lies { family(rng, 25) } else { 0 };
        self.liar_leaves = u64::from(rng.chance(1, 2));
    }

    /// A CA that certifies in secret: from a stream of its own, in a few of those runs in which no relay lies otherwise and
    /// none is restored, so that whatever its members are told of the log is its doing.
    pub(super) fn draw_secret(&mut self) {
        let rng = &mut self.streams().stream("config/secret");
        let (on, mean_ms) = (rng.chance(1, 3), rng.between(1_000, 10_000));
        if on && self.lie_percent == 0 && self.restore_after_s == 0 {
            self.secret_mean_ms = mean_ms;
            self.liar_leaves = 0;
        }
    }

    /// Whether such a CA keeps two logs of one size, and whether somebody plays its devices: from a stream of their own.
    pub(super) fn draw_split(&mut self) {
        let rng = &mut self.streams().stream("config/split");
        let (hides, plays) = (rng.chance(1, 2), rng.chance(1, 2));
        self.secret_hides = u64::from(hides && self.secret_mean_ms > 0);
        self.secret_plays = u64::from(plays && self.secret_mean_ms > 0);
    }

    /// Whether somebody else than the genuine relay is at its place.
    pub fn has_liar(&self) -> bool {
        self.lie_percent > 0 || self.secret_mean_ms > 0
    }

    /// No villain, and nobody whose hand slips.
    pub(super) fn without_villains(&mut self) {
        for field in [
            &mut self.forge_mean_ms,
            &mut self.mute_mean_ms,
            &mut self.crowd_mean_ms,
            &mut self.slow_mean_ms,
            &mut self.hasty_mean_ms,
            &mut self.slip_percent,
            &mut self.lie_percent,
            &mut self.secret_mean_ms,
            &mut self.secret_hides,
            &mut self.secret_plays,
            &mut self.invite_thief_mean_ms,
            &mut self.revoked_thief_mean_ms,
            &mut self.copy_mean_ms,
            &mut self.intrude_mean_ms,
            &mut self.guess_mean_ms,
            &mut self.guess_max,
            &mut self.guess_sources,
        ] {
            *field = 0;
        }
    }

    /// Whether the villains' numbers are within their ranges.
    pub(super) fn check_villains(&self) -> Result<(), ConfigRefusal> {
        match self {
            _ if self.settings().check().is_err() => Err(ConfigRefusal::Range("key_operations")),
            _ if !(PLACES_MIN..=most_places()).contains(&self.strangers_max) => {
                Err(ConfigRefusal::Range("strangers_max"))
            }
            _ if !(1..=200).contains(&self.crowd_sources) => Err(ConfigRefusal::Range("crowd_sources")),
            _ if self.lie_percent > 100 => Err(ConfigRefusal::Range("lie_percent")),
            // A restored journal has another log than the one that the secret is in.
            _ if self.secret_mean_ms > 0 && (self.restore_after_s > 0 || self.liar_leaves > 0) => {
                Err(ConfigRefusal::Range("secret_mean_ms"))
            }
            _ if self.slip_percent > 100 => Err(ConfigRefusal::Range("slip_percent")),
            _ => Ok(()),
        }
    }

    /// What the relay's operator has chosen.
    pub fn settings(&self) -> Settings {
        Settings {
            strangers_max: usize::try_from(self.strangers_max).unwrap_or(0),
            key_operations_per_second: u32::try_from(self.key_operations).unwrap_or(0),
            sign_up: self.sign_up_by(),
            lobby: self.lobby != 2,
            ..Settings::default()
        }
    }
}

fn most_places() -> u64 {
    u64::try_from(STRANGERS_MAX).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_villain_is_absent_from_many_runs_and_present_in_others_and_most_relays_are_honest() {
        let configs: Vec<_> = (0..200).map(SimConfig::draw).collect();
        let strengths = |config: &SimConfig| {
            let members = [config.slow_mean_ms, config.hasty_mean_ms];
            let strangers = [config.forge_mean_ms, config.mute_mean_ms, config.crowd_mean_ms];
            [&members[..], &strangers, &[config.secret_mean_ms, config.slip_percent, config.lie_percent]].concat()
        };
        let mut on = [0; 8];
        for config in &configs {
            for (count, strength) in on.iter_mut().zip(strengths(config)) {
                *count += u32::from(strength > 0);
            }
            assert_eq!(strengths(&config.clone().without_faults()), [0; 8]);
        }
        assert!(on.iter().all(|count| (20..160).contains(count)), "{on:?}");
        assert!(on.last().is_some_and(|lies| *lies < 90), "{on:?}");
    }

    #[test]
    fn settings_beyond_what_the_server_takes_are_refused() {
        let wrong = |name: &'static str, config: SimConfig| {
            assert_eq!(config.check(), Err(ConfigRefusal::Range(name)), "{name}");
        };
        wrong("key_operations", SimConfig { key_operations: 1, ..SimConfig::draw(1) });
        wrong("strangers_max", SimConfig { strangers_max: 3, ..SimConfig::draw(1) });
        wrong("lie_percent", SimConfig { lie_percent: 101, ..SimConfig::draw(1) });
        wrong("crowd_sources", SimConfig { crowd_sources: 0, ..SimConfig::draw(1) });
    }
}
