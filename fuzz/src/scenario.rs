//! Decides whether the promises hold in the world that a fuzzer thinks up: the simulator's, with all its oracles.

use sim::config::SimConfig;
use sim::rng::Tape;
use sim::run::run;
use sim::trace::Keep;

/// A tape: what kind of world it is, and every decision in it, each stream of them at places of its own.
pub fn scenario(data: &[u8]) {
    let config = SimConfig::draw_from(Tape::new(data));
    if let Some(objection) = run(&config, Keep::default()).objection {
        panic!("{objection}\nin this world, which is saved as the following lines:\n{config}");
    }
}
