//! Every failure of old holds now, and one that does not would be noticed.

use std::fs;
use std::path::{Path, PathBuf};

use sim::config::SimConfig;
use sim::corpus::{CorpusRefusal, Entry, FOLDER, read};
use sim::failure::Kind;
use sim::failure::saved::save;
use sim::run::attempt;
use sim::trace::Keep;

fn names(folder: &Path) -> Vec<String> {
    read(folder).expect("every file is sound").into_iter().map(|entry| entry.name).collect()
}

#[test]
fn each_of_them_holds() {
    let entries = read(FOLDER.as_ref()).expect("every file is sound");
    let again = |entry: &Entry| entry.replay().map(|failure| format!("{}: {failure}", entry.name));
    let failures: Vec<String> = entries.iter().filter_map(again).collect();
    assert_eq!(failures, Vec::<String>::new());
    // No file of the folder is passed over but its page.
    let files = fs::read_dir(FOLDER).expect("it is there").count();
    assert_eq!(files, entries.len() + 1, "a file in sim/corpus does not end in .txt");
}

/// A folder with one failing run, as `cargo sim run` saves it.
fn planted(name: &str) -> (PathBuf, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("corpus-{name}"));
    let _ = fs::remove_dir_all(&folder);
    // A disk that takes minutes: nobody is enrolled when they should be.
    let slow = SimConfig { append_max_us: 1_000_000_000, storm_s: 5, devices: 2, ..SimConfig::draw(7) };
    let failure = attempt(&slow, Keep::default()).failure(&slow).expect("nobody gets in");
    let file = save(&failure, &folder).expect("saved");
    (folder, file)
}

#[test]
fn one_that_fails_again_is_told_with_its_bug() {
    let (folder, file) = planted("fails");
    let text = fs::read_to_string(&file).expect("saved");
    fs::write(&file, format!("# bug: a disk that takes minutes\n{text}")).expect("written");
    fs::write(folder.join("README.md"), "no run\n").expect("written");
    let entries = read(&folder).expect("sound");
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.bug, "a disk that takes minutes");
    let failure = entry.replay().expect("it fails still");
    assert_eq!((failure.cause.name().as_str(), failure.cause.kind()), ("oracle progress", Kind::Liveness));
}

#[test]
fn one_that_does_not_say_which_bug_it_was_or_is_none_is_refused() {
    let (folder, file) = planted("refused");
    assert!(matches!(read(&folder), Err(CorpusRefusal::NoBug(path)) if path == file));
    fs::write(&file, "# bug: it was so\nseed=1\nno_such_field=1\n").expect("written");
    assert!(matches!(read(&folder), Err(CorpusRefusal::File(_))));
    fs::write(&file, "# bug: it was so\nseed=1\n").expect("written");
    assert_eq!(names(&folder).len(), 1);
    assert!(matches!(read(&folder.join("nowhere")), Err(CorpusRefusal::Folder(..))));
}
