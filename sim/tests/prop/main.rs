//! The machines on their own: driven at random, each held against a model of a few lines, and what fails cut down.
//!
//! Every run tries the same cases, so that a change is judged by what can be repeated. Looking for more is
//! `PROPTEST_CASES=20000 cargo test -p sim --test prop`, and `PROPTEST_RNG_SEED=N` tries others. A failure ends with the
//! fewest actions that still fail; it is kept by writing them down as a test beside the machine.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

mod cast;
mod journal;
mod peer;

mod relay;
mod tunnel;

use countersign_core::effect::{Effect, Effects};
use countersign_core::id::ConnId;
use countersign_core::wire::frame::decode;
use countersign_core::wire::relay::RelayEvent;
use countersign_core::wire::{Body, Code, Frame, FrameReader};
use proptest::test_runner::{Config, RngSeed};

/// So many cases, the same each time, unless the environment says otherwise.
fn cases(cases: u32) -> Config {
    // Reads the environment.
    let asked = Config::default();
    Config {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases },
        rng_seed: if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { asked.rng_seed },
        failure_persistence: None,
        ..asked
    }
}

/// What a room of the relay wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Done {
    /// A member is told something.
    Told(ConnId, RelayEvent),
    /// A connection is to go.
    Part(ConnId, Code),
}

/// Everything that a room wanted done.
fn done(out: &mut Effects) -> Vec<Done> {
    let done = |effect| match effect {
        Effect::Send(conn, frame) => Done::Told(conn, event(&frame)),
        Effect::Part(conn, code) => Done::Part(conn, code),
        other @ (Effect::Append(..)
        | Effect::Stretch(..)
        | Effect::Load(..)
        | Effect::LoadBody(..)
        | Effect::DropBodies(_)
        | Effect::Answer(..)
        | Effect::Renewed(..)
        | Effect::Note(_)
        | Effect::Tell(..)) => {
            panic!("the relay never wants this here: {other:?}")
        }
    };
    std::iter::from_fn(|| out.pop()).map(done).collect()
}

fn event(frame: &Frame) -> RelayEvent {
    let mut bodies = Vec::new();
    FrameReader::default().read(frame.bytes(), &mut bodies).unwrap();
    let [Body::Message(body)] = bodies.as_slice() else { panic!("not one message: {bodies:?}") };
    decode(body).unwrap()
}
