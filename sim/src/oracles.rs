//! Who judges a run: small watchers, one promise each, that see only what somebody in the run could see.
//!
//! An oracle is poorer than the system it watches: it has no certificates and no tunnels, only what people said and
//! were told, what the operator's log and disk hold, and what the network did.
#![allow(clippy::wildcard_enum_match_arm, reason = "an oracle looks at a few kinds of event and passes over the rest")]

pub mod accounts;
pub mod agreement;
pub mod blame;
pub mod bounds;
pub mod certificates;
mod clocks;
pub mod closure;
pub mod copies;
pub mod delivery;
pub mod door;
pub mod durability;
pub mod guesses;
pub mod impostor;
pub mod mailbox;
pub mod outsider;
pub mod presence;
pub mod progress;
pub mod restored;
pub mod reunion;
pub mod revoked;
pub mod secrecy;
mod shelves;
pub mod slow;
pub mod spin;
pub mod split;
pub mod transcript;
pub mod unasked;
pub mod unendorsed;

use std::fmt;

use crate::config::SimConfig;
use crate::story::Seen;

#[cfg(test)]
mod tests;

/// A watcher of one promise.
pub trait Oracle {
    /// The promise's name.
    fn name(&self) -> &'static str;

    /// Sees one event; an objection is a sentence that says what was promised and what happened instead.
    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String>;
}

/// A promise was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Which promise.
    pub oracle: &'static str,
    /// When.
    pub at_us: u64,
    /// How.
    pub words: String,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "oracle {} at {seconds}.{micros:06}: {}", self.oracle, self.words)
    }
}

/// The oracles of a run.
pub struct Panel(Vec<Box<dyn Oracle>>);

impl Panel {
    /// Every oracle that a run of this configuration has to satisfy.
    ///
    /// Where the relay lies some promises are void, and no others: who is here, whether a call comes about, and whom a
    /// device has reason to blame are for the relay alone to say. They hold again once it is gone, so a run whose liar
    /// leaves with the storm is judged by all of them in the calm. Whoever is believed to be somebody, what is heard, what
    /// is bounded and what ends are nobody's to lie about.
    pub fn all(config: &SimConfig) -> Self {
        let devices = config.all_devices();
        let lies = config.has_liar();
        let mut all = Self::of_honest_people(config, devices, lies);
        if lies && config.liar_leaves == 0 {
            all.0.retain(|oracle| !["presence", "progress", "reunion"].contains(&oracle.name()));
        }
        all
    }

    fn of_honest_people(config: &SimConfig, devices: usize, lies: bool) -> Self {
        Self(vec![
            Box::new(impostor::Impostor::default()),
            Box::new(delivery::Delivery::default()),
            Box::new(agreement::Agreement::default()),
            Box::new(accounts::Accounts::new(config)),
            Box::new(presence::Presence::new(lies)),
            Box::new(progress::Progress::new(devices, lies)),
            Box::new(closure::Closure::default()),
            Box::new(blame::Blame::new(lies)),
            Box::new(spin::Spin::default()),
            Box::new(bounds::Bounds::default()),
            Box::new(secrecy::Secrecy::default()),
            Box::new(durability::Durability::new(lies)),
            Box::new(door::Door::new(config)),
            Box::new(certificates::Certificates::new(!lies)),
            Box::new(slow::Slow::default()),
            Box::new(unasked::Unasked::default()),
            Box::new(revoked::Revoked::default()),
            Box::new(unendorsed::Unendorsed::default()),
            Box::new(restored::Restored::default()),
            Box::new(split::Split::new(lies)),
            Box::new(copies::Copies::default()),
            Box::new(guesses::Guesses::new(config)),
            Box::new(mailbox::Mailbox::new(lies)),
            Box::new(transcript::Transcript::default()),
            Box::new(outsider::Outsider::default()),
            Box::new(reunion::Reunion::default()),
        ])
    }

    /// These oracles and no others.
    pub fn of(oracles: Vec<Box<dyn Oracle>>) -> Self {
        Self(oracles)
    }

    /// The oracle of that name alone.
    #[must_use]
    pub fn only(name: &str, config: &SimConfig) -> Self {
        let mut all = Self::all(config);
        all.0.retain(|oracle| oracle.name() == name);
        all
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|oracle| oracle.name())
    }

    /// Shows them one event: the first objection, if there is one.
    pub fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), Objection> {
        for oracle in &mut self.0 {
            let oracle_name = oracle.name();
            oracle.see(at_us, seen).map_err(|words| Objection { oracle: oracle_name, at_us, words })?;
        }
        Ok(())
    }
}
