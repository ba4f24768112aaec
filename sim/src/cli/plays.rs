//! Plays what is arranged: the forgeries, the scenes and the saboteurs.

use sim::failure::Kind;
use sim::{canary, forge, scenes};

use super::Threads;
use super::tell::print;

/// `cargo sim scenes`.
pub(crate) fn scenes() -> Option<Kind> {
    let mut wrong = 0;
    for scene in scenes::scenes() {
        print(&format_args!("{}: {}\n", scene.name, scene.what));
        match scene.play() {
            Ok(ends) => ends.iter().for_each(|end| print(&format_args!("    {end}\n"))),
            Err(error) => {
                wrong += 1;
                print(&format_args!("    WRONG: {error}\n"));
            }
        }
    }
    (wrong > 0).then_some(Kind::Correctness)
}

/// What a forgery breaks: the checks that it exercises, with their sections of the RFCs.
fn rules(name: &str) -> String {
    let known = forge::catalogue().iter().find(|forgery| forgery.name == name);
    let rules = known.map(|forgery| forgery.checks.iter().map(|check| forge::section(check)).collect::<Vec<_>>());
    rules.map_or_else(|| "honest".to_owned(), |rules| rules.join(", "))
}

/// `cargo sim forge`.
pub(crate) fn forge() -> Option<Kind> {
    let forgeries = forge::run_all();
    let mut through = 0;
    for (name, result) in &forgeries {
        match result {
            Ok(reason) => print(&format_args!("{name:<32} {:<44} {reason}\n", rules(name))),
            Err(wrong) => {
                through += 1;
                print(&format_args!("{name:<32} WRONG: {wrong}\n"));
            }
        }
    }
    print(&format_args!("{} forgeries and honest controls, {through} wrong\n", forgeries.len()));
    (through > 0).then_some(Kind::Correctness)
}

/// `cargo sim canary`.
pub(crate) fn canary(only: Option<&str>, threads: &Threads) -> Option<Kind> {
    let verdicts = canary::run_all(only, threads.count(), canary::SEEDS_MAX, &|| {});
    let (caught, all) = (canary::caught(&verdicts), verdicts.len());
    print(&canary::Table(&verdicts));
    print(&format_args!("{caught} of {all} saboteurs caught\n"));
    (caught < all || all == 0).then_some(Kind::Correctness)
}
