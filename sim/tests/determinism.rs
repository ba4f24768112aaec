//! The same seed gives the same run: twice in a process, on many threads at once, and in other processes.

use std::process::Command;
use std::thread;

use sim::config::SimConfig;
use sim::rng::Tape;
use sim::run::run;
use sim::trace::Keep;

/// Runs that are short, and wild in different ways.
fn configs() -> Vec<SimConfig> {
    (0..8).map(|seed| SimConfig { storm_s: 20, ..SimConfig::draw(seed) }).collect()
}

fn hashes(configs: &[SimConfig]) -> Vec<String> {
    configs.iter().map(|config| run(config, Keep::default()).hash).collect()
}

#[test]
fn two_runs_of_a_seed_are_the_same_and_two_seeds_differ() {
    let configs = configs();
    let mut first = hashes(&configs);
    assert_eq!(first, hashes(&configs));
    first.sort();
    first.dedup();
    assert_eq!(first.len(), configs.len());
}

#[test]
fn eight_threads_at_once_change_nothing() {
    let configs = configs();
    let alone = hashes(&configs);
    let runs = |turn: usize| {
        let mut order = configs.clone();
        order.rotate_left(turn);
        let mut hashes = hashes(&order);
        hashes.rotate_right(turn);
        hashes
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|turn| scope.spawn(move || runs(turn))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), alone);
        }
    });
}

#[test]
fn keeping_the_story_and_the_steps_changes_nothing() {
    let config = SimConfig { storm_s: 20, ..SimConfig::draw(3) };
    let (bare, full) = (run(&config, Keep::default()), run(&config, Keep { story: true, steps: true }));
    assert_eq!(bare.hash, full.hash);
    assert!(bare.story.is_empty() && full.story.len() > 50);
}

#[test]
fn every_field_of_the_configuration_that_changes_a_run_changes_its_hash() {
    let config = SimConfig { storm_s: 20, ..SimConfig::draw(3) };
    let slower = SimConfig { latency_max_us: config.latency_max_us + 1, ..config.clone() };
    assert_ne!(run(&config, Keep::default()).hash, run(&slower, Keep::default()).hash);
}

/// What the program prints for a seed.
fn printed(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the program starts");
    (output.status.code(), String::from_utf8(output.stdout).expect("the story is text"))
}

#[test]
fn two_processes_print_the_hash_that_this_one_computes() {
    for seed in [1, 2] {
        let config = SimConfig { storm_s: 20, ..SimConfig::draw(seed) };
        let expected = format!("seed {seed} hash {}\n", run(&config, Keep::default()).hash);
        let (seed, quiet) = (seed.to_string(), ["--set", "storm_s=20", "--quiet"]);
        for _ in 0..2 {
            assert_eq!(printed(&[&["run", "--seed", &seed], &quiet[..]].concat()), (Some(0), expected.clone()));
        }
        let (code, loud) = printed(&["run", "--seed", &seed, "--set", "storm_s=20"]);
        assert_eq!((code, loud.lines().last()), (Some(0), expected.lines().last()));
        assert!(loud.contains("is online") && loud.contains("storm_s=20"), "there is no story");
    }
}

#[test]
fn a_tape_decides_a_run_and_its_printed_configuration_repeats_it() {
    let mut hashes: Vec<String> = [[0; 512], [0x55; 512], [0xff; 512]]
        .iter()
        .map(|bytes| {
            let config = SimConfig::draw_from(Tape::new(bytes));
            let saved = SimConfig::parse(&config.to_string()).expect("what was printed can be read");
            let outcome = run(&config, Keep::default());
            assert_eq!(outcome.hash, run(&saved, Keep::default()).hash);
            outcome.hash
        })
        .collect();
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "three tapes, three runs");
}
