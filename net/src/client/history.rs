//! Decides how `client history` goes: what was said with somebody or in a room, from this device's own disk, whether or not the
//! server is there.

use std::io::{self, Write};

use countersign_core::device::conversations::Target;
use countersign_core::id::UserName;

use super::World;
use super::args::History;
use super::clean::escape_json;
use super::names::target;
use super::room::only;
use super::spoken::Spoken;
use crate::exit::{Failure, print_line};
use crate::store::conversations::{HistoryFile, Of};

/// Runs `client history`.
pub fn history(world: &World, args: &History) -> Result<(), Failure> {
    let of = target(&args.target)?;
    let stored = world.stored()?;
    let own = &stored.name.user;
    let words = args.search.as_deref();
    let lines = match HistoryFile::open(&stored.folder).map_err(Failure::failed)? {
        Some(file) => {
            let of = conversation(&file, own, &of)?;
            file.of(&of, words, args.limit).map_err(Failure::failed)?
        }
        None => Vec::new(),
    };
    if lines.is_empty() && !args.json {
        let place = if matches!(of, Target::User(_)) { "with" } else { "in" };
        let found = if words.is_some() { "nothing of that was" } else { "nothing was" };
        let _ = writeln!(io::stderr().lock(), "{found} said {place} {of}, as far as this device has it");
    }
    for line in &lines {
        let spoken = Spoken::of(line, own);
        if args.json {
            print_line(escape_json(&serde_json::to_string(&spoken).map_err(Failure::failed)?))?;
            continue;
        }
        match spoken.id().filter(|_| args.ids).and_then(|id| id.get(..8)) {
            Some(id) => print_line(format_args!("{id} {}", spoken.in_history()))?,
            None => print_line(spoken.in_history())?,
        }
        if let Some(warning) = spoken.warning() {
            let _ = writeln!(io::stderr().lock(), "{warning}");
        }
    }
    Ok(())
}

/// The conversation that a target means, as far as this device has it.
pub(super) fn conversation(file: &HistoryFile, own: &UserName, target: &Target) -> Result<Of, Failure> {
    match target {
        Target::User(with) => Ok(Of::People(own.clone(), with.clone())),
        Target::Room(name) => Ok(Of::Room(only(name, file.rooms().map_err(Failure::failed)?)?.id)),
    }
}
