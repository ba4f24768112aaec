//! One run from its configuration to its verdict.

use std::collections::BTreeMap;

use countersign_core::id::ConnId;

use crate::actors::saboteur::Sabotage;
use crate::config::SimConfig;
use crate::oracles::{Objection, Panel};
use crate::story::tally::Tally;
use crate::trace::Keep;
use crate::world::World;
use crate::world::watch::Fate;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let panel = Panel::all(config);
    finish(config, World::new(config.clone(), None, panel, keep))
}

/// Runs a configuration with a saboteur, and the oracle of that name alone: it should object.
pub fn canary(config: &SimConfig, sabotage: Sabotage, oracle: &str) -> Outcome {
    let panel = Panel::only(oracle, config);
    finish(config, World::new(config.clone(), Some(sabotage), panel, Keep::default()))
}

fn finish(config: &SimConfig, world: World) -> Outcome {
    let watch = world.run();
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
