//! Decides how `client history` goes: what was said with somebody, from this device's own disk, whether or not the server is there.

use std::io::{self, Write};

use super::World;
use super::args::History;
use super::clean::escape_json;
use super::send::person;
use super::spoken::Spoken;
use crate::exit::{Failure, print_line};
use crate::store::conversations::HistoryFile;

/// Runs `client history`.
pub fn history(world: &World, args: &History) -> Result<(), Failure> {
    let with = person(&args.target)?;
    let stored = world.stored()?;
    let own = &stored.name.user;
    let words = args.search.as_deref();
    let entries = match HistoryFile::open(&stored.folder).map_err(Failure::failed)? {
        Some(file) => file.of(own, &with, words, args.limit).map_err(Failure::failed)?,
        None => Vec::new(),
    };
    if entries.is_empty() && !args.json {
        let found = if words.is_some() { "nothing of that was" } else { "nothing was" };
        let _ = writeln!(io::stderr().lock(), "{found} said with {with}, as far as this device has it");
    }
    for entry in &entries {
        let spoken = Spoken::of(entry, own);
        if args.json {
            print_line(escape_json(&serde_json::to_string(&spoken).map_err(Failure::failed)?))?;
            continue;
        }
        print_line(spoken.in_history())?;
        if let Some(warning) = spoken.warning() {
            let _ = writeln!(io::stderr().lock(), "{warning}");
        }
    }
    Ok(())
}
