//! The fuzzer's corpora and finds, replayed through its targets as plain functions: nothing in them is objected to.
#![allow(clippy::indexing_slicing, reason = "a test may stop at once")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};

/// One test a target, so that they run side by side and a failure has its name.
macro_rules! replays {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_and_every_folder_has_its_test() {
            let here = [$(stringify!($target)),*];
            assert_eq!(TARGETS.map(|(name, _)| name), here);
            for place in ["corpus", "finds"] {
                for folder in entries(&folder(place)) {
                    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
                    assert!(here.contains(&name.as_str()), "{} belongs to no target", folder.display());
                    assert!(!entries(&folder).is_empty(), "{} is empty", folder.display());
                }
            }
        }
    };
}

replays! {
    certificate
    csr
    frame
    invite_link
    journal
    link
    log
    message_enrol_event
    message_enrol_request
    message_peer
    message_relay_event
    message_relay_request
    scenario
}

fn replay(name: &str) {
    let (_, target): (_, Target) =
        TARGETS[TARGETS.map(|(name, _)| name).binary_search(&name).expect("a target has this name")];
    let corpus = entries(&folder("corpus").join(name));
    assert!(!corpus.is_empty(), "fuzz/corpus/{name} is empty");
    let finds = folder("finds").join(name);
    let finds = if finds.exists() { entries(&finds) } else { Vec::new() };
    let objects = |input: &PathBuf| {
        let bytes = fs::read(input).unwrap_or_else(|error| panic!("{}: {error}", input.display()));
        catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err().then(|| input.display().to_string())
    };
    let objections: Vec<String> = corpus.iter().chain(&finds).filter_map(objects).collect();
    assert!(objections.is_empty(), "{name} objects to {objections:#?}");
}

fn folder(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz")).join(name)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = read.map(|entry| entry.expect("a folder can be read").path()).collect();
    found.sort();
    found
}
