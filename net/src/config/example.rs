//! Decides how the keys of a program are told to people: as an example file in comments, and as a table for the documents.

use super::key::{Entry, Table};

/// Comments are as wide as the documents.
const COLUMNS_MAX: usize = 110;

/// A config file with every key, each in a comment with its default: as it stands it changes nothing.
///
/// A line of prose begins with `# `; a key with `#` alone, so that taking these away makes a file of defaults.
pub fn file(table: Table, program: &str) -> Vec<String> {
    let mut lines = Vec::new();
    say(
        &mut lines,
        &format!(
            "{program}.toml belongs into the data folder, or is named by --config FILE. Each key stands here with its default: \
             take the # away to change one. A flag goes before an environment variable, that before this file. A list in a \
             variable has commas. {program} config show --origin shows what holds, and why."
        ),
    );
    let mut within = None;
    for entry in table {
        let (table, name) = entry.place();
        lines.push(String::new());
        if table != within {
            lines.extend(table.into_iter().flat_map(|table| [format!("[{table}]"), String::new()]));
            within = table;
        }
        say(&mut lines, &format!("{}.", entry.meaning()));
        let flag = entry.flag().map(|flag| format!(", flag {flag}")).unwrap_or_default();
        say(&mut lines, &format!("Allowed: {}. Variable {}{flag}.", entry.allowed(), entry.variable()));
        lines.push(format!("#{name} = {}", entry.default()));
    }
    lines
}

/// The table of a program's keys in Markdown.
pub fn markdown(table: Table) -> Vec<String> {
    let head = ["| key | environment | flag | default | allowed | meaning |", "| --- | --- | --- | --- | --- | --- |"];
    let row = |entry: &&dyn Entry| {
        let flag = entry.flag().map(|flag| format!("`{flag}`")).unwrap_or_default();
        let (name, variable, default) = (entry.name(), entry.variable(), entry.default());
        format!("| `{name}` | `{variable}` | {flag} | `{default}` | {} | {} |", entry.allowed(), entry.meaning())
    };
    head.into_iter().map(str::to_owned).chain(table.iter().map(row)).collect()
}

/// Adds prose in lines that are narrow enough.
fn say(lines: &mut Vec<String>, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > COLUMNS_MAX {
            lines.push(std::mem::replace(&mut line, "#".to_owned()));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
}
