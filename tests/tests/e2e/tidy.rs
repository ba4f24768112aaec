//! The folder's own order: every source file says what it decides, is reached, and can be read in one sitting.

use std::fs;
use std::path::{Path, PathBuf};

/// A file is asked for its second reason long before (at 400 lines); this is where nobody reads on.
const LINES_MAX: usize = 500;
const DOC_COLUMNS_MAX: usize = 130;

#[test]
fn every_source_file_begins_with_what_it_decides() {
    refuse(&sources(), |path, text| {
        let head = text.lines().next().unwrap_or_default();
        head.strip_prefix("//! ").is_none_or(|head| head.len() <= 10).then(|| format!("{path} has no head line"))
    });
}

#[test]
fn no_source_file_is_too_long_to_be_read() {
    refuse(&sources(), |path, text| {
        let lines = text.lines().count();
        (lines > LINES_MAX).then(|| format!("{path} has {lines} lines: which is its second reason?"))
    });
}

#[test]
fn every_source_file_is_a_root_or_reached_by_a_mod() {
    refuse(&sources(), |path, _| (!is_root(path) && !has_mod(path)).then(|| format!("nothing leads to {path}")));
}

#[test]
fn nothing_is_left_for_later() {
    // Written in halves, so that this file does not contain them.
    let left = [("tod", "o!("), ("unimpl", "emented!("), ("FIX", "ME"), ("TO", "DO"), ("#[ig", "nore")];
    refuse(&sources(), |path, text| {
        let found = left.iter().map(|(a, b)| format!("{a}{b}")).find(|word| text.contains(word))?;
        Some(format!("{path} contains {found}"))
    });
}

#[test]
fn no_file_names_a_folder_of_a_developers_machine() {
    let homes = [("/ho", "me/"), ("/Us", "ers/"), ("/ro", "ot/"), ("/wo", "rk/")].map(|(a, b)| format!("{a}{b}"));
    // A person who is made up for a test or an example owns no machine.
    let is_made_up =
        |after: &str| ["a", "alice", "bob", "you"].iter().any(|name| after.split('/').next() == Some(name));
    // What follows a name is a part of a longer path, or of a link.
    let begins = |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || "-_.}~".contains(c));
    refuse(&texts(&["rs", "md", "toml", "yml", "run", "purity", "pkilint"]), |path, text| {
        let names = |home: &String| {
            text.match_indices(home.as_str()).any(|(at, home)| {
                let (before, after) = (text.get(..at), text.get(at + home.len()..));
                begins(before.unwrap_or_default()) && !is_made_up(after.unwrap_or_default())
            })
        };
        homes.iter().find(|home| names(home)).map(|home| format!("{path} names a folder in {home}"))
    });
}

#[test]
fn documents_are_narrow_enough_to_read_and_short_where_they_must_be() {
    refuse(&texts(&["md"]), |path, text| {
        let mut is_code = false;
        for (n, line) in (1..).zip(text.lines()) {
            is_code ^= line.starts_with("```");
            let is_free = is_code || line.starts_with('|') || line.starts_with("    ") || line.contains("](");
            if !is_free && line.chars().count() > DOC_COLUMNS_MAX {
                return Some(format!("{path}:{n} is wider than {DOC_COLUMNS_MAX} columns"));
            }
        }
        let lines_max = if matches!(path, "README.md" | "ARCHITECTURE.md") { 120 } else { usize::MAX };
        (text.lines().count() > lines_max).then(|| format!("{path} has more than {lines_max} lines"))
    });
}

/// Fails with all complaints about all files.
fn refuse(files: &[String], mut complaint: impl FnMut(&str, &str) -> Option<String>) {
    assert!(!files.is_empty(), "no file was looked at");
    let read =
        |path: &str| fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let complaints: Vec<String> = files.iter().filter_map(|path| complaint(path, &read(path))).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Whether cargo starts a program, library or test here.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        [.., "src", "lib.rs" | "main.rs"]
            | [.., "src", "bin", _]
            | [_, "build.rs"]
            | [_, "tests" | "benches" | "examples" | "fuzz_targets", _]
            | [_, "tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// Whether the file that this one belongs to names it.
fn has_mod(path: &str) -> bool {
    // The older form of a module's place stands for the newer one.
    let path = path.strip_suffix("/mod.rs").unwrap_or(path.trim_end_matches(".rs"));
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let owns = |owner: &String| {
        let is_of_folder = [format!("{folder}.rs"), format!("{folder}/mod.rs")].contains(owner);
        is_of_folder || (is_root(owner) && owner.rsplit_once('/').is_some_and(|(place, _)| place == folder))
    };
    let declares = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub(super) ")).unwrap_or(line);
        line.strip_prefix("pub ").unwrap_or(line) == format!("mod {name};")
    };
    let text = |owner: String| fs::read_to_string(workspace().join(owner)).unwrap_or_default();
    sources().into_iter().filter(owns).any(|owner| text(owner).lines().any(declares))
}

fn sources() -> Vec<String> {
    texts(&["rs"])
}

/// The files of these kinds (what their names end with, or are) that people write, relative to the workspace.
fn texts(kinds: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    walk(workspace(), &mut found);
    let is_of_kind = |path: &Path| {
        let kind = path.extension().or(path.file_name()).and_then(|kind| kind.to_str());
        kind.is_some_and(|kind| kinds.contains(&kind))
    };
    let relative = |path: &PathBuf| path.strip_prefix(workspace()).ok()?.to_str().map(str::to_owned);
    let mut found: Vec<String> = found.iter().filter(|path| is_of_kind(path)).filter_map(relative).collect();
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be read") {
        let path = entry.expect("a folder of the workspace can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_hidden = name.starts_with('.') && !matches!(name, ".ci" | ".cargo" | ".github");
        // Cargo marks what it builds.
        if is_hidden || name == "target" || path.join("CACHEDIR.TAG").exists() {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
