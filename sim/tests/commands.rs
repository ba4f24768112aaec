//! The command line as people use it: what a failure's last lines say, what they lead to, and the exit codes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What the program said and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn sim(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it speaks text");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A folder for the failures of one test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("failures-{name}"));
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// A disk that takes minutes: nobody is enrolled when they should be.
const SLOW: [&str; 18] = [
    "--set",
    "append_max_us=1000000000",
    "--set",
    "storm_s=5",
    "--set",
    "devices=2",
    "--set",
    "crowd_mean_ms=0",
    "--set",
    "forge_mean_ms=0",
    "--set",
    "mute_mean_ms=0",
    "--set",
    "hasty_mean_ms=0",
    "--set",
    "slow_mean_ms=0",
    "--set",
    "lie_percent=0",
];
/// Machines that are woken minutes late, and break promises by that.
const LATE: [&str; 18] = [
    "--set",
    "late_max_us=1000000000",
    "--set",
    "storm_s=5",
    "--set",
    "devices=3",
    "--set",
    "crowd_mean_ms=0",
    "--set",
    "forge_mean_ms=0",
    "--set",
    "mute_mean_ms=0",
    "--set",
    "hasty_mean_ms=0",
    "--set",
    "slow_mean_ms=0",
    "--set",
    "lie_percent=0",
];

/// The value after a word in the failure's last lines.
fn after<'a>(lines: &'a str, word: &str) -> &'a str {
    let rest = lines.split(word).nth(1).expect("it is said");
    rest.split([' ', ',', '\n']).next().expect("something follows")
}

#[test]
fn a_failures_last_lines_lead_back_to_it() {
    let folder = folder("lead-back");
    let into = ["--failures", folder.to_str().expect("a path of text")];
    let said = sim(&[&["run", "--seed", "7"], &SLOW[..], &into].concat());
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.out.lines().last().is_some_and(|last| last.starts_with("seed 7 hash ")), "{}", said.out);
    assert!(said.err.starts_with("FAILED seed 7: oracle progress at "), "{}", said.err);
    assert!(said.err.contains("\n  commit "), "{}", said.err);
    let (step, hash) = (after(&said.err, ", step ").to_owned(), after(&said.err, ", hash ").to_owned());
    assert!(step.parse::<u64>().is_ok_and(|step| step > 50) && hash.len() == 64, "{}", said.err);
    let file = after(&said.err, "\n  config ").to_owned();
    let command = said.err.lines().last().and_then(|last| last.strip_prefix("  repeat with: cargo sim "));
    let command: Vec<&str> = command.expect("the command is the last line").split(' ').collect();
    assert_eq!(command, ["replay", &file]);
    let text = fs::read_to_string(&file).expect("it was saved");
    assert!(text.starts_with("# fails: oracle progress\n") && text.contains("\nappend_max_us=1000000000\n"), "{text}");

    // The command of the last line repeats that run alone, to the same step and hash, and is as loud.
    let again = sim(&command);
    assert_eq!(again.code, Some(3));
    assert!(again.out.contains(&format!("when it was saved, oracle progress failed at step {step}")), "{}", again.out);
    assert!(again.out.contains("roll call") && again.out.ends_with(&format!("seed 7 hash {hash}\n")), "{}", again.out);
    assert!(again.err.contains("fails as expected, at the same step\n"), "{}", again.err);
    assert!(again.err.ends_with(&said.err), "{}", again.err);

    // Another failure than the one in the head, and none, are told apart.
    let edit = |from: &str, to: &str| fs::write(&file, text.replace(from, to)).expect("written");
    edit("# fails: oracle progress", "# fails: oracle impostor");
    let other = sim(&["replay", "--quiet", &file]);
    assert!(other.err.contains("expected oracle impostor, but fails otherwise"), "{}", other.err);
    edit("append_max_us=1000000000", "append_max_us=1000");
    let holds = sim(&["replay", "--quiet", &file]);
    assert_eq!(holds.code, Some(0), "{}", holds.err);
    assert!(holds.err.contains("expected oracle progress, but holds"), "{}", holds.err);
}

#[test]
fn liveness_is_exit_code_3_correctness_1_and_the_worse_of_both_decides() {
    let folder = folder("codes");
    let into = ["--quiet", "--failures", folder.to_str().expect("a path of text")];
    assert_eq!(sim(&[&["run", "--seed", "7"], &SLOW[..], &into].concat()).code, Some(3));
    let late = sim(&[&["run", "--seed", "5"], &LATE[..], &into].concat());
    assert_eq!(late.code, Some(1), "{}", late.err);
    assert!(late.err.contains("oracle closure"), "{}", late.err);
    let files: Vec<String> = fs::read_dir(&folder)
        .expect("both were saved")
        .map(|entry| entry.expect("an entry").path().to_str().expect("a path of text").to_owned())
        .collect();
    let both: Vec<&str> = ["replay", "--quiet"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!((files.len(), sim(&both).code), (2, Some(1)));
    let [_, into @ ..] = into;
    let sweep = sim(&[&["sweep", "--seeds", "7..8", "--threads", "2"], &SLOW[..], &into].concat());
    assert_eq!(sweep.code, Some(3));
    assert!(sweep.err.contains("repeat with: cargo sim replay "), "{}", sweep.err);
    assert!(sweep.out.contains("1 runs, 1 failed, "), "{}", sweep.out);
}

#[test]
fn a_failure_that_cant_be_saved_is_repeated_by_its_seed_and_changes() {
    // A file is where the folder should be.
    let taken = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("taken");
    fs::write(&taken, "").expect("written");
    let into = ["--quiet", "--failures", taken.to_str().expect("a path of text")];
    let said = sim(&[&["run", "--seed", "7"], &SLOW[..], &into].concat());
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("not saved in "), "{}", said.err);
    let command = said.err.lines().last().and_then(|last| last.strip_prefix("  repeat with: cargo sim "));
    let again: Vec<&str> = command.expect("the command is the last line").split(' ').chain(into).collect();
    assert_eq!(sim(&again).err, said.err);
}

#[test]
fn a_run_is_checked_against_itself() {
    let short = ["run", "--seed", "3", "--quiet", "--check", "--set", "storm_s=5", "--set", "devices=2"];
    let said = sim(&short);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let hash = said.out.trim_end().rsplit(' ').next().expect("the hash is last").to_owned();
    assert!(said.out.contains(&format!("checked: two runs are the same, hash {hash}\n")), "{}", said.out);
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for wrong in [
        &["run"][..],
        &["run", "--seed", "x"],
        &["run", "--seed", "1", "--set", "devices=99"],
        &["run", "--seed", "1", "--set", "no_such_field=1"],
        &["run", "--seed", "1", "--set", "seed=2"],
        &["replay"],
        &["replay", "/nowhere/to/be/found"],
        &["replay", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")],
        &["sweep", "--seeds", "5..5"],
        &["sweep", "--seeds", "5"],
        &["sweep"],
        &["sweep", "--ci", "--seeds", "1..2"],
        &["sweep", "--ci", "--set", "devices=2"],
        &["shrink"],
        &["shrink", "x", "--seed", "1"],
        &["hunt", "--minutes", "x"],
        &["walk"],
    ] {
        assert_eq!(sim(wrong).code, Some(2), "{wrong:?}");
    }
    assert!(sim(&["--help"]).out.contains("101  a panic"));
}

#[test]
fn a_failure_is_cut_and_what_is_left_fails_in_the_same_way() {
    let folder = folder("cut");
    let path = folder.join("cut.txt");
    let file = path.to_str().expect("a path of text");
    let said = sim(&[&["shrink", "--seed", "7", "--runs", "40", "--out", file], &SLOW[..]].concat());
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.out.contains("  storm_s from 5 to 1: still oracle progress, at step "), "{}", said.out);
    assert!(said.err.ends_with(&format!("repeat with: cargo sim replay {file}\n")), "{}", said.err);
    let replayed = sim(&["replay", "--quiet", file]);
    assert_eq!(replayed.code, Some(3));
    assert!(replayed.err.contains("fails as expected, at the same step\n"), "{}", replayed.err);
    // It is cut no further from there than it was, and what holds is not cut at all.
    assert_eq!(sim(&["shrink", file, "--runs", "3", "--out", file]).code, Some(3));
    let holds = sim(&["shrink", "--seed", "7", "--set", "storm_s=1", "--set", "devices=2"]);
    assert_eq!((holds.code, holds.out.as_str()), (Some(0), "it holds: there is nothing to cut\n"));
}

#[test]
fn a_hunt_says_where_it_began_saves_what_fails_and_ends_in_time_and_the_corpus_holds() {
    let folder = folder("hunt");
    let into = ["--failures", folder.to_str().expect("a path of text")];
    let said = sim(&[&["hunt", "--from", "77", "--minutes", "0"][..], &into].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("hunting from seed 77; ") && said.out.contains("\n0 runs, 0 failed"), "{}", said.out);
    let files = || fs::read_dir(&folder).map_or(0, Iterator::count);
    assert_eq!(files(), 0);
    // Four failures of one cause: three are kept, each with what it can be cut to.
    let said = sim(&[&["hunt", "--from", "11", "--runs", "4"], &SLOW[..], &into].concat());
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.out.contains("\noracle progress: 4 times\n4 runs, 4 failed, "), "{}", said.out);
    let count = |words: &str| said.err.matches(words).count();
    assert_eq!(
        (count("FAILED seed "), count("repeat with: "), count("  cut to "), files()),
        (3, 3, 3, 6),
        "{}",
        said.err
    );
    let corpus = sim(&["corpus"]);
    assert_eq!(corpus.code, Some(0), "{}", corpus.err);
    assert!(corpus.out.ends_with("failures of old, all hold\n"), "{}", corpus.out);
}
