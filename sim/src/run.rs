//! One run from its configuration to its verdict, also if something panics on the way.

use std::collections::BTreeMap;

use countersign_core::id::ConnId;

use crate::canary::Sabotage;
use crate::config::SimConfig;
use crate::failure::caught::{Panic, catch};
use crate::failure::{Cause, Failure};
use crate::oracles::{Objection, Panel};
use crate::story::tally::Tally;
use crate::trace::Keep;
use crate::world::World;
use crate::world::watch::{Fate, Watch};

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The hash over all that happened.
    pub hash: String,
    /// What an oracle objected to, if one did. The run ends there.
    pub objection: Option<Objection>,
    /// How often each thing happened.
    pub tally: Tally,
    /// How each connection ended.
    pub fates: BTreeMap<ConnId, Fate>,
    /// How many bytes each connection had carried, to the relay and to the device, when the storm was over.
    pub storm_bytes: BTreeMap<ConnId, [u64; 2]>,
    /// How many steps the hash has.
    pub steps: u64,
    /// How long the run was, on the world's clock, in microseconds.
    pub virtual_us: u64,
    /// The story, if it was kept.
    pub story: Vec<String>,
}

/// Runs a configuration with every oracle.
pub fn run(config: &SimConfig, keep: Keep) -> Outcome {
    outcome(config, &watch(config, keep))
}

/// As [`run`], with all that was seen.
pub fn watch(config: &SimConfig, keep: Keep) -> Watch {
    World::new(config.clone(), None, Panel::all(config), keep).run()
}

/// Runs a world to its end, and says what it came to.
pub(crate) fn finish(config: &SimConfig, world: World) -> Outcome {
    outcome(config, &world.run())
}

/// A run that may have been broken off by a panic.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What it came to, or had come to when something panicked.
    pub outcome: Outcome,
    /// The panic, if there was one.
    pub panic: Option<Panic>,
}

impl Attempt {
    /// What failed, if anything did.
    pub fn failure(&self, config: &SimConfig) -> Option<Failure> {
        let cause = match (&self.panic, &self.outcome.objection) {
            (Some(panic), _) => Cause::Panic(panic.clone()),
            (None, Some(objection)) => Cause::Objection(objection.clone()),
            (None, None) => return None,
        };
        let Outcome { steps, virtual_us: at_us, hash, .. } = &self.outcome;
        let step = steps.saturating_sub(1);
        Some(Failure { config: config.clone(), cause, step, at_us: *at_us, hash: hash.clone() })
    }
}

/// Runs a configuration with every oracle, and goes on after a panic.
pub fn attempt(config: &SimConfig, keep: Keep) -> Attempt {
    attempt_of(config, || World::new(config.clone(), None, Panel::all(config), keep))
}

/// Runs a configuration with a saboteur and every oracle, and goes on after a panic.
pub fn attempt_canary(config: &SimConfig, sabotage: Sabotage) -> Attempt {
    attempt_of(config, || World::new(config.clone(), Some(sabotage), Panel::all(config), Keep::default()))
}

fn attempt_of(config: &SimConfig, world: impl FnOnce() -> World) -> Attempt {
    let mut world = match catch(world) {
        Ok(world) => world,
        Err(panic) => {
            return Attempt { outcome: Outcome { seed: config.seed, ..Outcome::default() }, panic: Some(panic) };
        }
    };
    let panic = catch(|| world.go()).err();
    // The world is as the panic left it, and is only asked what was seen before.
    Attempt { outcome: outcome(config, &world.into_watch()), panic }
}

fn outcome(config: &SimConfig, watch: &Watch) -> Outcome {
    Outcome {
        seed: config.seed,
        hash: watch.trace().hex_so_far(),
        objection: watch.objection().cloned(),
        tally: watch.tally().clone(),
        fates: watch.fates().clone(),
        storm_bytes: watch.storm_bytes.clone(),
        steps: watch.trace().steps(),
        virtual_us: watch.virtual_us,
        story: watch.trace().story().map(|line| line.text.clone()).collect(),
    }
}
