//! The load program by the real programs: what it says, and that nothing is left behind. It judges form, not speed.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::{Ended, programs};

/// What every result of a server has.
const FIELDS: [&str; 11] = [
    "measure",
    "unit",
    "units",
    "seconds",
    "server_cpu_us_per_unit",
    "latency_us",
    "server_syncs",
    "disk_sync_us",
    "server_resident_kib",
    "version",
    "protocol",
];
/// What is said of each thing that is done with a room.
const DEEDS: [&str; 7] = ["create", "join", "commit", "commit_heard", "send", "receive", "catch_up"];

fn load(dir: &Path, args: &[&str]) -> Ended {
    Ended::run(Command::new(programs::load()).args(args).arg("--dir").arg(dir))
}

#[test]
fn every_measure_says_one_object_with_all_its_fields_and_leaves_no_folder_and_no_process() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let done = load(dir.path(), &["all", "--quick"]).done();
    let objects = done.objects();
    let measures: Vec<&str> = objects.iter().filter_map(|object| object["measure"].as_str()).collect();
    let expected =
        ["fan-out", "fan-out", "pairs", "pairs", "acks", "acks", "logins", "logins", "idle", "rooms", "rooms"];
    assert_eq!(measures, expected, "{done}");
    for object in &objects {
        if object["measure"] == "rooms" {
            for deed in DEEDS {
                let deed = &object[deed];
                assert!(deed["cpu_us"].as_f64().is_some_and(|micros| micros > 0.0), "{object}");
                assert!(deed["received_bytes"].is_u64() && deed["sent_bytes"].is_u64(), "{object}");
            }
        } else {
            assert!(FIELDS.iter().all(|field| !object[field].is_null()), "{object}");
            assert!(object["units"].as_u64().is_some_and(|units| units > 0), "{object}");
            assert!(object["disk_sync_us"]["p50"].as_u64().is_some_and(|micros| micros > 0), "{object}");
            let is_timed = ["p50", "p90", "p99", "max"].iter().all(|part| object["latency_us"][part].is_u64());
            assert!(is_timed || object["measure"] == "idle", "{object}");
        }
    }
    // 40 messages to four others, and a rate is said as it was asked for.
    assert_eq!((&objects[0]["units"], &objects[0]["rate"]), (&Value::from(160), &Value::from("saturated")));
    assert_eq!(objects[1]["rate"], 200);
    assert!(objects[8]["server_kib_per_connection"].is_f64(), "{}", objects[8]);
    nothing_is_left(dir.path());
}

#[test]
fn what_is_asked_in_a_wrong_way_or_can_t_be_done_is_one_sentence_with_its_code_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let wrong = load(dir.path(), &["fan-out", "--to", "100000"]).refused(2);
    assert!(wrong.contains("1..=1000"), "{wrong}");
    let missing = load(&dir.path().join("nowhere"), &["idle", "--connections", "1"]).refused(1);
    assert!(missing.contains("--dir"), "{missing}");
    nothing_is_left(dir.path());
}

/// Neither a folder of a run, nor a server that has one.
fn nothing_is_left(dir: &Path) {
    let left: Vec<_> = fs::read_dir(dir).expect("our own folder").collect();
    assert!(left.is_empty(), "{left:?}");
    let named = dir.to_str().expect("a path of ours");
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let still = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let still: Vec<String> = still.map(|words| String::from_utf8_lossy(&words).into_owned()).collect();
    assert!(still.iter().all(|words| !words.contains(named)), "{still:#?}");
}
