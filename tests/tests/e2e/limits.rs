//! docs/limits.md has every bound of `limits.rs`, with its value, and with tests that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One row of the table.
#[derive(Debug)]
struct Row {
    value: String,
    what: String,
    tests: Vec<String>,
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The bounds of a source, each with its value as it is written.
fn bounds(source: &str) -> BTreeMap<String, String> {
    let bound = |item: &str| {
        let (name, rest) = item.split_once(':')?;
        let (value, _) = rest.split_once('=')?.1.split_once(';')?;
        let value: Vec<&str> = value.split_whitespace().collect();
        Some((name.to_owned(), value.join(" ")))
    };
    source.split("\npub const ").skip(1).map(|item| bound(item).unwrap_or_else(|| panic!("no bound: {item}"))).collect()
}

/// The rows of the table.
fn rows(document: &str) -> BTreeMap<String, Row> {
    let unquoted = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [name, value, what, tests] = cells.as_slice() else { panic!("not four columns: {line}") };
        let tests = tests.split(',').map(unquoted).collect();
        (unquoted(name), Row { value: unquoted(value), what: what.trim().to_owned(), tests })
    };
    let lines: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    let rows: BTreeMap<String, Row> = lines.iter().map(|line| row(line)).collect();
    assert_eq!(rows.len(), lines.len(), "a bound has two rows");
    rows
}

/// The names of all tests in the workspace's sources.
fn tests() -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), Vec::new());
    folders.extend(
        ["core/src", "net/src", "sim/src", "sim/tests", "tests/src", "tests/tests"].map(|part| workspace().join(part)),
    );
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder of the workspace can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                // A doc comment or an attribute may stand between the two.
                let after = |part: &str| Some(part.split_once("fn ")?.1.split_once('(')?.0.to_owned());
                found.extend(text.split("#[test]").skip(1).filter_map(after));
            }
        }
    }
    found
}

#[test]
fn every_bound_is_in_the_table_with_its_value_and_tests_that_exist() {
    let sources = ["core/src/limits.rs", "core/src/limits/conversations.rs"];
    let bounds: BTreeMap<String, String> = sources.into_iter().flat_map(|source| bounds(&read(source))).collect();
    let (rows, tests) = (rows(&read("docs/limits.md")), tests());
    assert!(bounds.len() > 50 && tests.len() > 300, "{} bounds, {} tests", bounds.len(), tests.len());
    let mut complaints = Vec::new();
    for (name, value) in &bounds {
        match rows.get(name) {
            None => complaints.push(format!("{name} is missing")),
            Some(row) if row.value != *value => complaints.push(format!("{name} is {value}, not {}", row.value)),
            Some(row) if row.what.is_empty() => complaints.push(format!("what happens at {name}?")),
            Some(row) => {
                let missing = row.tests.iter().filter(|test| !tests.contains(*test));
                complaints.extend(missing.map(|test| format!("{name}: there is no test {test:?}")));
            }
        }
    }
    complaints.extend(rows.keys().filter(|name| !bounds.contains_key(*name)).map(|name| format!("{name} is no bound")));
    assert!(complaints.is_empty(), "docs/limits.md: {complaints:#?}");
}
