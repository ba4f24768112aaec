//! What people live to see of clocks, sleep and an old backup: they are told what is wrong, and get in when it is over.

use sim::config::SimConfig;
use sim::run::{Outcome, run};
use sim::trace::Keep;

/// A run in which nothing goes wrong but what is asked for.
fn quiet(seed: u64) -> SimConfig {
    SimConfig { devices: 4, storm_s: 40, pace_ms: 600, ..SimConfig::draw(seed) }.without_faults()
}

fn told(config: &SimConfig) -> Outcome {
    let outcome = run(config, Keep { story: true, steps: false });
    assert_eq!(outcome.objection, None, "seed {}", config.seed);
    outcome
}

fn count(outcomes: &[Outcome], family: &'static str, beginning: &str) -> u64 {
    outcomes.iter().map(|outcome| outcome.tally.sum(family, beginning)).sum()
}

fn says(outcomes: &[Outcome], words: &str) -> bool {
    outcomes.iter().any(|outcome| outcome.story.iter().any(|line| line.contains(words)))
}

#[test]
fn who_has_a_wrong_clock_is_told_so_and_gets_in_when_it_is_mended() {
    let wrong =
        |seed| told(&SimConfig { wrong_clock_percent: 100, clock_step_mean_ms: 1_500, quit_weight: 20, ..quiet(seed) });
    let outcomes: Vec<_> = (1..6).map(wrong).collect();
    assert!(count(&outcomes, "time", "clocks beyond") > 20);
    assert!(count(&outcomes, "enrolment", "lost fault Certificate(NotYetValid)") > 0);
    assert!(count(&outcomes, "device", "did not start, own certificate") > 0);
    assert!(says(&outcomes, "compare the clocks"));
}

#[test]
fn a_month_of_sleep_costs_few_steps_and_nobody_their_certificate() {
    let (home, away) = (told(&quiet(7)), told(&SimConfig { away_h: 720, ..quiet(7) }));
    assert_eq!(away.tally.count("time", "absences of everybody"), 1);
    assert!(away.tally.count("time", "machines that woke, sockets Whole") < 4);
    assert!(away.steps < 2 * home.steps, "{} steps, and {} without the month", away.steps, home.steps);
    assert!(away.virtual_us < home.virtual_us + 60_000_000, "a month that is skipped is not counted");
    assert_eq!(away.tally.count("device", "begun anew"), 0);
}

#[test]
fn who_comes_back_after_two_thirds_of_a_certificates_life_renews_it_in_band() {
    let outcomes: Vec<_> = (7..10).map(|seed| told(&SimConfig { away_h: 1_600, ..quiet(seed) })).collect();
    assert!(count(&outcomes, "renewal", "kept") >= 12, "four people in each of three runs");
    assert_eq!(count(&outcomes, "renewal", "the server's clock"), 0, "none had expired");
    assert_eq!(count(&outcomes, "device", "begun anew"), 0);
}

#[test]
fn who_comes_back_after_three_months_has_it_renewed_by_itself() {
    let outcomes: Vec<_> = (7..10).map(|seed| told(&SimConfig { away_h: 2_400, ..quiet(seed) })).collect();
    assert!(count(&outcomes, "renewal", "kept") >= 12, "four people in each of three runs");
    assert!(count(&outcomes, "renewal", "the server's clock") >= 12);
    assert_eq!(count(&outcomes, "device", "begun anew"), 0);
    assert!(count(&outcomes, "relay", "certified") > 0, "the relay's own certificate is made anew");
}

#[test]
fn who_was_away_beyond_the_grace_is_told_so_and_enrols_anew() {
    let outcomes: Vec<_> = (7..10).map(|seed| told(&SimConfig { away_h: 3_600, ..quiet(seed) })).collect();
    assert!(count(&outcomes, "renewal", "refused RENEWAL_TOO_LATE") >= 12);
    assert_eq!(count(&outcomes, "device", "begun anew"), 12, "four people in each of three runs");
}

#[test]
fn whom_an_older_journal_does_not_know_is_told_so_and_gets_in_again_by_a_new_invite() {
    let restored = |seed| told(&SimConfig { backup_after_s: 1, restore_after_s: 30, ..quiet(seed) });
    let outcomes: Vec<_> = (1..4).map(restored).collect();
    assert_eq!(count(&outcomes, "journal", "restored"), 3);
    assert!(count(&outcomes, "device gave up", "theirs UNKNOWN_DEVICE") > 0);
    assert!(count(&outcomes, "device", "begun anew") > 0);
}
