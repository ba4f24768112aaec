//! Each oracle objects when its promise is broken, and only then: the judges are judged.

use sim::actors::saboteur::Sabotage;
use sim::config::SimConfig;
use sim::run::canary;

/// Within how many seeds an oracle must have objected.
const SEEDS: u64 = 12;

/// A run in which everything that can be sabotaged happens often.
fn config(seed: u64) -> SimConfig {
    SimConfig { devices: 4, storm_s: 30, pace_ms: 500, crash_mean_ms: 6_000, down_max_ms: 100, ..SimConfig::draw(seed) }
}

/// The words of the first objection within some seeds.
fn objection(sabotage: Sabotage, oracle: &str) -> String {
    for seed in 0..SEEDS {
        if let Some(objection) = canary(&config(seed), sabotage, oracle).objection {
            assert_eq!(objection.oracle, oracle);
            return objection.words;
        }
    }
    panic!("{oracle} did not object to {sabotage:?} in {SEEDS} seeds");
}

#[test]
fn impostor_objects_to_a_line_that_was_altered_or_doubled_and_to_another_name() {
    assert!(objection(Sabotage::AlterLine, "impostor").contains("hears"));
    assert!(objection(Sabotage::DoubleLine, "impostor").contains("as number"));
    assert!(objection(Sabotage::OtherName, "impostor").contains("speaks with alice-xxxxxxxx"));
}

#[test]
fn delivery_objects_to_lines_that_nobody_was_shown_and_to_one_that_was_altered_or_doubled() {
    assert!(objection(Sabotage::SwallowLines, "delivery").contains("and 0 were heard"));
    assert!(objection(Sabotage::AlterLine, "delivery").contains("who said"));
    assert!(objection(Sabotage::DoubleLine, "delivery").contains("hears line 0 after 1 lines"));
}

#[test]
fn agreement_objects_to_a_record_that_was_answered_for_and_lost() {
    assert!(objection(Sabotage::LoseLastRecord, "agreement").contains("was durable"));
}

#[test]
fn accounts_objects_to_members_that_the_journal_has_forgotten() {
    assert!(objection(Sabotage::LoseAllRecords, "accounts").contains("no account"));
}

#[test]
fn presence_objects_to_a_view_that_was_not_kept_up() {
    assert!(objection(Sabotage::DropPresence, "presence").contains("see"));
}

#[test]
fn progress_objects_to_a_relay_that_does_not_come_back() {
    assert!(objection(Sabotage::KeepDown, "progress").contains("is not online"));
}

#[test]
fn progress_objects_to_a_call_that_does_not_move_though_nothing_is_in_the_way() {
    assert!(objection(Sabotage::SwallowMove, "progress").contains("speaks by the relay"));
}

#[test]
fn closure_objects_to_a_listener_or_a_socket_that_outlives_its_call() {
    assert!(objection(Sabotage::KeepListening, "closure").contains("listen"));
    assert!(objection(Sabotage::KeepSockets, "closure").contains("direct connection"));
}

#[test]
fn blame_objects_to_an_accusation_of_whoever_is_at_the_other_end_of_a_direct_connection() {
    assert!(objection(Sabotage::AccusePeer, "blame").contains("for the direct way of call"));
}

#[test]
fn closure_objects_to_an_end_that_nobody_is_told_of() {
    assert!(objection(Sabotage::SwallowClosing, "closure").contains("has no reason"));
    assert!(objection(Sabotage::SwallowCallEnd, "closure").contains("has not ended"));
}

#[test]
fn blame_objects_to_an_accusation_of_somebody_who_did_nothing() {
    assert!(objection(Sabotage::Accuse, "blame").contains("blames"));
}

#[test]
fn spin_objects_to_a_deadline_that_does_not_move() {
    assert!(objection(Sabotage::NeverWake, "spin").contains("at the same moment again"));
}

#[test]
fn bounds_objects_to_a_line_that_is_too_long() {
    assert!(objection(Sabotage::OversizeLine, "bounds").contains("bytes was heard"));
}
