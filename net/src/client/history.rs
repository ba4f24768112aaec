//! Decides how `client history` goes: what was said with somebody or in a room, from this device's own disk, whether or not the
//! server is there.

use std::io::{self, Write};

use countersign_core::device::conversations::Target;

use super::World;
use super::args::History;
use super::clean::escape_json;
use super::room::only;
use super::send::target;
use super::spoken::Spoken;
use crate::exit::{Failure, print_line};
use crate::store::conversations::HistoryFile;

/// Runs `client history`.
pub fn history(world: &World, args: &History) -> Result<(), Failure> {
    let of = target(&args.target)?;
    let stored = world.stored()?;
    let own = &stored.name.user;
    let words = args.search.as_deref();
    let entries = match HistoryFile::open(&stored.folder).map_err(Failure::failed)? {
        Some(file) => match &of {
            Target::User(with) => file.of(own, with, words, args.limit).map_err(Failure::failed)?,
            Target::Room(name) => {
                let room = only(name, file.rooms().map_err(Failure::failed)?)?;
                file.of_room(room.id, words, args.limit).map_err(Failure::failed)?
            }
        },
        None => Vec::new(),
    };
    if entries.is_empty() && !args.json {
        let place = if matches!(of, Target::User(_)) { "with" } else { "in" };
        let found = if words.is_some() { "nothing of that was" } else { "nothing was" };
        let _ = writeln!(io::stderr().lock(), "{found} said {place} {of}, as far as this device has it");
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
