//! A crash at every point around every append of the relay and every write of a device: before it, after it, in the middle
//! of it, for want of room, and by a sync that fails, with what was written and without it. All promises hold each time.

use sim::config::SimConfig;
use sim::run::run;
use sim::trace::Keep;

/// The ways in which an append goes wrong (`fail_append_how`), and how the relay ends by each.
const WAYS: [(u64, &str); 6] = [
    (1, "crash BeforeAppend"),
    (2, "crash AfterAppend"),
    (3, "crash TornAppend"),
    (4, "crash DiskFull"),
    (5, "crash SyncFailed"),
    (6, "crash SyncFailed"),
];

/// A small run in which nothing goes wrong but what is arranged.
fn quiet() -> SimConfig {
    SimConfig { devices: 2, storm_s: 12, pace_ms: 500, down_max_ms: 50, disk_full_max_ms: 300, ..SimConfig::draw(3) }
        .without_faults()
}

#[test]
fn whatever_happens_at_any_append_all_promises_hold() {
    let calm = run(&quiet(), Keep::default());
    assert_eq!(calm.objection, None);
    let appends = calm.tally.count("journal", "appends");
    // The founding; and an invite, a grant and a certificate for each of the two.
    assert!(appends >= 7, "{appends} appends");
    let mut hashes = std::collections::BTreeSet::from([calm.hash]);
    for fail_append in 1..=appends {
        for (fail_append_how, crash) in WAYS {
            let outcome = run(&SimConfig { fail_append, fail_append_how, ..quiet() }, Keep::default());
            let place = format!("append {fail_append}, {crash} ({fail_append_how})");
            assert_eq!(outcome.objection, None, "{place}");
            assert!(outcome.tally.count("relay", crash) >= 1, "{place}");
            assert_eq!(outcome.tally.count("enrolment", "granted"), 2, "{place}");
            assert!(hashes.insert(outcome.hash), "{place} is the same run as another");
        }
    }
}

/// The ways in which a device's write goes wrong (`fail_store_how`), and what comes of it.
const WRITES: [(u64, &str); 5] = [(1, "Full"), (2, "SyncFailed"), (3, "SyncFailed"), (4, "Killed"), (5, "Killed")];

#[test]
fn whatever_happens_as_a_device_writes_down_its_key_or_its_certificate_it_gets_in_under_its_name() {
    let calm = run(&quiet(), Keep::default());
    assert_eq!(calm.tally.sum("device disk", ""), 4, "a key and a certificate for each of the two");
    for fail_store in 1..=4 {
        for (fail_store_how, what) in WRITES {
            let outcome = run(&SimConfig { fail_store, fail_store_how, ..quiet() }, Keep::default());
            let place = format!("write {fail_store}, {what} ({fail_store_how})");
            assert_eq!(outcome.objection, None, "{place}");
            let failed = ["Key", "Identity"].map(|item| outcome.tally.count("device disk", &format!("{item} {what}")));
            assert_eq!(failed.iter().sum::<u64>(), 1, "{place}");
            assert_eq!(outcome.tally.sum("enrolment", "refused"), 0, "{place}: the same key gets the same certificate");
            assert_eq!(outcome.tally.count("relay", "issued"), 2, "{place}");
        }
    }
}
