//! Every forgery is refused for its own reason, every honest one passes, and no check of core's tables goes untried.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::collections::{BTreeMap, BTreeSet};

use sim::forge::{Door, Forgery, Reason, Report, SEED, catalogue, controls, run, run_all};

/// What went wrong, a line each.
fn wrong(report: &Report) -> Vec<String> {
    let failed = |row: &(String, Result<String, String>)| {
        let (name, result) = row;
        result.as_ref().err().map(|error| format!("{name}: {error}"))
    };
    report.rows.iter().filter_map(failed).collect()
}

#[test]
fn each_forgery_is_refused_for_its_own_reason_and_each_honest_one_passes() {
    let report = run(SEED);
    assert_eq!(report.rows.len(), catalogue().len() + controls().len());
    for (name, seen) in &report.rows {
        println!("{name}: {seen:?}");
    }
    // All of them at once, each with its name: one that fails does not hide the next.
    assert_eq!(wrong(&report), Vec::<String>::new(), "not refused, or not for the reason that it should be");
    assert_eq!(run_all(), report.rows);
}

#[test]
fn two_runs_are_one_and_every_seed_comes_to_the_same_reasons() {
    let first = run(SEED);
    assert_eq!(first, run(SEED));
    for seed in [0, 1, 77] {
        let other = run(seed);
        assert_eq!(wrong(&other), Vec::<String>::new(), "seed {seed}");
        assert_eq!(other.rows, first.rows, "seed {seed}");
        assert_ne!(other.hash, first.hash, "the seed is for nothing");
    }
    let elsewhere = std::thread::spawn(|| run(SEED).hash).join().unwrap();
    assert_eq!(elsewhere, first.hash, "another thread comes to another hash");
}

#[test]
fn names_are_given_once_and_every_entry_says_what_it_is() {
    let mut names = BTreeSet::new();
    for forgery in catalogue().iter().chain(controls()) {
        assert!(names.insert(forgery.name), "{} is there twice", forgery.name);
        assert!(!forgery.what.is_empty() && !forgery.tries.is_empty(), "{} says nothing", forgery.name);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        assert!(forgery.name.bytes().all(plain), "{}", forgery.name);
    }
    let passes = |forgery: &Forgery| forgery.tries.iter().any(|(_, verdict)| verdict.reason == Reason::Passed);
    assert!(catalogue().iter().all(|forgery| !passes(forgery) && !forgery.checks.is_empty()));
    assert!(controls().iter().all(passes));
    assert!(catalogue().len() >= 180, "{} forgeries", catalogue().len());
}

#[test]
fn every_door_has_forgeries_and_an_honest_one() {
    for door in Door::ALL {
        let at = |forgery: &&Forgery| forgery.tries.iter().any(|(tried, _)| *tried == door);
        assert!(catalogue().iter().any(|forgery| at(&forgery)), "nothing is tried at {door}");
        assert!(controls().iter().any(|forgery| at(&forgery)), "nobody honest comes to {door}");
    }
}

/// A check as a table in core has it: its number, and what its row names in backticks after the second column.
struct Row {
    number: String,
    named: Vec<String>,
}

fn table(source: &str, prefix: &str) -> Vec<Row> {
    let lines = source.lines().filter_map(|line| line.strip_prefix("//! | ").filter(|line| line.starts_with(prefix)));
    let rows = lines.map(|line| {
        let mut columns = line.split(" | ");
        let number = columns.next().unwrap().to_owned();
        let rest: Vec<&str> = columns.skip(1).collect();
        let named = rest.join(" ").split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Row { number, named }
    });
    rows.collect()
}

/// Reads a source file of core.
macro_rules! core {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/", $path))
    };
}

#[test]
fn every_numbered_check_is_tried_by_what_its_row_names() {
    let tests = [core!("tls/verify/tests.rs"), core!("tls/session/tests/strangers.rs"), core!("pki/csr/tests.rs")]
        .concat()
        + core!("pki/csr/tests/made_elsewhere.rs")
        + core!("device/following/tests.rs")
        + core!("peer/tests/agreement.rs")
        + core!("server/tests.rs")
        + core!("tls/verify/lists/tests.rs")
        + core!("journal/tests/revoking.rs")
        + core!("journal/tests/withdrawing.rs")
        + core!("journal/tests.rs")
        + core!("journal/tests/renewal.rs")
        + core!("journal/fold/endorsed/tests.rs")
        + core!("journal/fold/recovery/tests.rs")
        + core!("journal/fold/reissue/tests.rs")
        + core!("journal/fold/passwords/tests.rs")
        + core!("journal/fold/restored/tests.rs")
        + core!("server/tests/renewal.rs");
    let forgeries: BTreeMap<&str, &Forgery> = catalogue().iter().map(|forgery| (forgery.name, forgery)).collect();
    let mut numbers = BTreeSet::new();
    for (source, prefix, count) in [
        (core!("tls/verify.rs"), "V-", 15),
        (core!("pki/csr.rs"), "CA-", 10),
        (core!("journal/fold.rs"), "GR-", 10),
        (core!("journal/fold.rs"), "EN-", 5),
        (core!("journal/fold.rs"), "RN-", 5),
        (core!("ca/renewal.rs"), "RN-", 1),
        (core!("journal/fold.rs"), "RV-", 8),
        (core!("journal/fold.rs"), "RC-", 7),
        (core!("journal/fold.rs"), "RI-", 3),
        (core!("journal/fold.rs"), "PW-", 3),
        (core!("journal/fold.rs"), "RS-", 1),
    ] {
        let rows = table(source, prefix);
        assert_eq!(rows.len(), count, "the table of {prefix}xx has other rows");
        for Row { number, named } in rows {
            assert!(numbers.insert(number.clone()), "{number} is there twice");
            let mut tried = 0;
            for name in named {
                if let Some(forgery) = forgeries.get(name.as_str()) {
                    assert!(forgery.checks.contains(&number.as_str()), "{name} does not exercise {number}");
                    tried += 1;
                } else if tests.contains(&format!("fn {name}(")) {
                    tried += 1;
                } else {
                    // What is left are the names of files and constants.
                    assert!(name.contains(['/', '.']), "{number} names {name}, which is neither test nor forgery");
                }
            }
            assert!(tried > 0, "nothing tries {number}");
        }
    }
    for forgery in catalogue() {
        for check in
            forgery.checks.iter().filter(|check| ["V-", "CA-", "GR-", "RN-"].iter().any(|p| check.starts_with(p)))
        {
            assert!(numbers.contains(*check), "{} exercises {check}, which there is not", forgery.name);
        }
    }
}
