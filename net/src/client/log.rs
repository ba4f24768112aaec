//! Decides how `client log check` goes: the whole log is read, held against what the server has signed and this device
//! has followed, and searched for what was done in this person's name.

use std::io::{self, Write};

use countersign_core::device::{Asked, Command};
use countersign_core::tlog::{Audit, Owner};
use serde_json::json;

use super::ask::ask;
use super::{World, logbook};
use crate::exit::{Exit, Failure, Plain, print_line};
use crate::log_words::act;

/// Runs `client log check`.
pub fn check(world: &World, json: bool, acknowledge: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let entries = match ask(world, &stored, Command::ReadLog)? {
        Asked::Log(entries) => entries,
        other @ (Asked::Certificates(..)
        | Asked::People(_)
        | Asked::Approval(_)
        | Asked::Refused(_)
        | Asked::Renewed(_)
        | Asked::PasswordSet
        | Asked::Unanswered) => {
            return Err(Failure::failed(format_args!("the server answered something else than its log: {other:?}")));
        }
    };
    // The checkpoint came before the entries, and was kept.
    let identity = stored.identity(world.now().wall)?;
    let Some(view) = identity.log.view() else {
        return Err(Failure::refused("the server has shown no checkpoint of its log: ask its operator"));
    };
    let (origin, head) = (view.newest().origin(), view.newest().head());
    let audit = Audit::read(head, &entries).map_err(Failure::refused)?;
    if !json {
        print_line(format_args!("log          {origin}"))?;
        print_line(format_args!("entries      {}, all of them as the server has signed them", head.size))?;
        print_line(format_args!("root         {}", head.root))?;
        print_line(format_args!("about {}", stored.name.user))?;
    }
    for (index, leaf) in audit.about(&stored.name.user) {
        print_line(if json {
            json!({ "index": index, "at": leaf.at().0, "act": act(leaf) }).to_string()
        } else {
            format!("  {index:<10} {}  {}", leaf.at(), act(leaf))
        })?;
    }
    let key = stored.key.spki().id();
    let strange: Vec<_> = audit
        .strange_to(Owner { name: &stored.name, key, realm: &stored.realm })
        .map(|(index, leaf)| format!("{index}: {}", act(leaf)))
        .collect();
    if strange.is_empty() {
        if acknowledge {
            logbook::acknowledge(&stored.folder, origin, head.size)?;
        }
        return if json {
            print_line(json!({ "log": origin.as_str(), "size": head.size, "root": head.root.to_string() }))
        } else {
            print_line(format_args!("nothing was done in the name of {} but for this device", stored.name.user))
        };
    }
    let words = format!(
        "ALARM: the server has done in the name of {} what this device knows nothing of ({}): ask the operator, and tell \
         those who talk with you",
        stored.name.user,
        strange.join("; ")
    );
    if acknowledge {
        // What nobody could read is not acknowledged.
        writeln!(io::stderr().lock(), "{}; other commands are silent about these now", Plain(&words))
            .map_err(Failure::failed)?;
        return Ok(logbook::acknowledge(&stored.folder, origin, head.size)?);
    }
    Err(Failure::new(Exit::Refused, words))
}
