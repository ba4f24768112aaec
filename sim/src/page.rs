//! Decides how a run is shown to people: as one page that needs no network, time downwards, a column for each node.
//!
//! A page is made of a run that is run for it. The collector is one more watcher; with a [`Tap`](crate::crypto::tap)
//! open it can read what the nodes say to each other. Neither changes what happens, so the page has the hash of the
//! run that it shows.

pub mod collector;
pub mod encode;
pub mod events;
pub mod message;
pub mod row;
pub mod sight;
pub mod stream;
pub mod wires;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::actors::saboteur::weakness;
use crate::canary::Sabotage;
use crate::config::SimConfig;
use crate::crypto::tap::Tap;
use crate::crypto::weakness::suffer;
use crate::oracles::{Objection, Panel};
use crate::trace::Keep;
use crate::world::World;
use encode::Frame;

/// Who objects on the page of a run that ended in a panic.
const PANIC: &str = "panic";

/// Runs a configuration and makes the page of it. For a canary: with this saboteur, and the oracle of that name alone.
///
/// A machine that panics ends the run, and the page shows how it came to that.
pub fn render(config: &SimConfig, canary: Option<(Sabotage, &str)>) -> String {
    let panel = canary.map_or_else(|| Panel::all(config), |(_, oracle)| Panel::only(oracle, config));
    render_with(config, canary.map(|(sabotage, _)| sabotage), panel)
}

/// As [`render`], with these oracles.
pub fn render_with(config: &SimConfig, sabotage: Option<Sabotage>, panel: Panel) -> String {
    let _tap = Tap::open();
    let _suffered = sabotage.and_then(weakness).map(suffer);
    let oracles: Vec<&'static str> = panel.names().collect();
    let mut world = World::new(config.clone(), sabotage, panel, Keep::default()).with_page();
    let panicked = catch_unwind(AssertUnwindSafe(|| world.go())).err();
    let mut watch = world.into_watch();
    let (hash, steps, virtual_us) = (watch.trace().hex_so_far(), watch.trace().steps(), watch.virtual_us);
    let Some(mut collected) = watch.page.take() else { return String::new() };
    if let Some(payload) = panicked {
        let objection = Objection { oracle: PANIC, at_us: virtual_us, words: words(&*payload) };
        collected.object(steps.saturating_sub(1), &objection);
    }
    encode::page(&Frame { config, oracles: &oracles, sabotage, hash, steps, virtual_us }, *collected)
}

/// The words of a panic.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}
