//! Each kind of weather happens in a sweep, and each alone comes to what it should and breaks no promise.

use sim::config::SimConfig;
use sim::run::run;
use sim::story::tally::Tally;
use sim::story::weather::{Deed, Weather};
use sim::sweep::sweep;
use sim::trace::Keep;

/// A kind of weather: its name, how a run gets it, and what it comes to, as it is counted.
type Kind = (&'static str, fn(&mut SimConfig), &'static [(&'static str, &'static str)]);

/// What happens to people when one kind of weather is all that is wrong.
const KINDS: [Kind; 13] = [
    ("reset within a record", |config| config.reset_percent = 60, &[("device lost", "Truncated")]),
    ("flipped bits", |config| meddle(config, |config| &mut config.meddle_flip_weight), BAD_RECORD),
    ("dropped bytes and records", |config| meddle(config, |config| &mut config.meddle_drop_weight), BAD_RECORD),
    ("doubled bytes and records", |config| meddle(config, |config| &mut config.meddle_double_weight), BAD_RECORD),
    ("replayed records", |config| meddle(config, |config| &mut config.meddle_replay_weight), BAD_RECORD),
    ("inserted bytes and records", |config| meddle(config, |config| &mut config.meddle_insert_weight), BAD_RECORD),
    (
        "one direction stalled",
        |config| (config.way_stall_mean_ms, config.way_stall_max_ms) = (300, 40_000),
        &[("relay closed a member's", "TimedOut")],
    ),
    (
        "partition that is healed",
        |config| (config.part_mean_ms, config.part_max_ms) = (3_000, 4_000),
        &[("weather", "directions released")],
    ),
    (
        "partition after which connections are forgotten",
        |config| (config.part_mean_ms, config.part_max_ms, config.part_forget_percent) = (3_000, 4_000, 100),
        &[("device lost", "TimedOut")],
    ),
    (
        "machine switched off",
        |config| (config.off_mean_ms, config.off_max_ms) = (5_000, 1_000),
        &[("relay closed a member's", "ours REPLACED")],
    ),
    (
        "slow machine",
        |config| (config.slow_reader_percent, config.slow_read_bytes_max, config.slow_read_max_ms) = (50, 10, 2_000),
        &[("relay closed a stranger's", "TimedOut")],
    ),
    (
        "closed port",
        |config| (config.refuse_mean_ms, config.refuse_max_ms, config.refuse_mute_percent) = (500, 1_000, 0),
        &[("weather", "attempts refused")],
    ),
    (
        "full queue",
        |config| (config.refuse_mean_ms, config.refuse_max_ms, config.refuse_mute_percent) = (500, 20_000, 100),
        &[("weather", "attempts that a full queue swallowed")],
    ),
];

/// Whoever it was that noticed.
const BAD_RECORD: &[(&str, &str)] = &[
    ("device lost", "fault BadRecord"),
    ("enrolment", "lost fault BadRecord"),
    ("relay closed a member's", "fault BadRecord"),
    ("relay closed a stranger's", "fault BadRecord"),
];

/// Nothing but deeds of one kind, on half of the connections.
fn meddle(config: &mut SimConfig, weight: fn(&mut SimConfig) -> &mut u64) {
    for field in [
        &mut config.meddle_flip_weight,
        &mut config.meddle_drop_weight,
        &mut config.meddle_double_weight,
        &mut config.meddle_replay_weight,
        &mut config.meddle_insert_weight,
    ] {
        *field = 0;
    }
    (config.meddled_percent, config.meddle_mean_bytes) = (50, 3_000);
    *weight(config) = 1;
}

/// What happens in a few short runs with so much changed, in which every promise is kept.
fn tally(name: &str, change: fn(&mut SimConfig)) -> Tally {
    let mut all = Tally::default();
    for seed in 0..3 {
        let mut config = SimConfig { devices: 4, storm_s: 90, pace_ms: 400, ..SimConfig::draw(seed).without_faults() };
        (config.lines_max, config.tunnel_only_percent) = (config.lines_max.max(10), 0);
        change(&mut config);
        let outcome = run(&config, Keep::default());
        assert_eq!(outcome.objection, None, "{name}, seed {seed}");
        all.merge(&outcome.tally);
    }
    all
}

#[test]
fn each_kind_of_weather_alone_comes_to_what_it_should_and_breaks_no_promise() {
    let still = tally("still air", |_| ());
    for (name, change, ends) in KINDS {
        let tally = tally(name, change);
        let count = |tally: &Tally| ends.iter().map(|(family, what)| tally.count(family, what)).sum::<u64>();
        let (before, after) = (count(&still), count(&tally));
        assert!(after > before, "{name}: {after} times {ends:?}, {before} times without");
    }
}

#[test]
fn in_a_sweep_there_is_weather_of_every_kind() {
    let all = sweep(0..16, 2, &|config: &mut SimConfig| {
        (config.storm_s, config.pace_ms) = (config.storm_s.min(60), config.pace_ms.max(1_000));
        let seed = config.seed;
        // Everything at once hides what comes late, so each run has a half of it.
        if seed.is_multiple_of(2) {
            (config.meddled_percent, config.meddle_mean_bytes) = (30, 2_000);
            (config.part_mean_ms, config.part_forget_percent) = (8_000, 30);
            config.window_bytes = 32_768;
            config.long_line_percent = 60;
        } else {
            (config.off_mean_ms, config.refuse_mean_ms, config.way_stall_mean_ms) = (10_000, 5_000, 2_000);
            (config.reset_percent, config.slow_reader_percent) = (20, 15);
        }
    });
    assert_eq!(all.failures, [], "repeat with the change above");
    let weather = Weather::COUNTED.into_iter().map(|name| ("weather", name));
    let deeds = Deed::ALL.into_iter().map(|deed| ("meddler", deed.name()));
    let never: Vec<_> = weather.chain(deeds).filter(|(family, what)| all.tally.count(family, what) == 0).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}
