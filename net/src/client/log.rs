//! Decides how `client log` goes.
//!
//! `check`: the whole log is read, held against what the server has signed and this device has followed, and searched for
//! what was done in this person's name. `accept`: a person who has heard from the operator that the server was restored has
//! their device go on with its log, by the name that they were told and no other.

use std::io::{self, Write};

use countersign_core::device::{Asked, Command};
use countersign_core::tlog::{NoteName, Owner};
use serde_json::json;

use super::ask::{Session, ask};
use super::{World, logbook};
use crate::exit::{Exit, Failure, Plain, print_line};
use crate::log_words::act;

/// Runs `client log check`.
pub fn check(world: &World, json: bool, acknowledge: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let audit = match ask(world, &stored, Command::ReadLog)? {
        Asked::Log(audit) => audit.map_err(Failure::refused)?,
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
    // The log's name; what it was held against may be an older checkpoint of it.
    let identity = stored.identity(world.now().wall)?;
    let Some(view) = identity.log.view() else {
        return Err(Failure::refused("the server has shown no checkpoint of its log: ask its operator"));
    };
    let (origin, head) = (view.newest().origin(), audit.head());
    if !json {
        print_line(format_args!("log          {origin}"))?;
        print_line(format_args!("entries      {}, all of them as the server has signed them", head.size))?;
        print_line(format_args!("root         {}", head.root))?;
        print_line(format_args!("about {}", stored.name.user))?;
    }
    for (index, leaf) in audit.about() {
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

/// Runs `client log accept`.
pub fn accept(world: &World, generation: &str) -> Result<(), Failure> {
    let stored = world.stored()?;
    let is_one = generation.len() == 16 && generation.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(incarnation) = u64::from_str_radix(generation, 16).ok().filter(|_| is_one) else {
        return Err(Failure::usage(
            "a generation is 16 digits and letters from a to f, as the operator's server restore has printed them",
        ));
    };
    let log = NoteName::of_log(&stored.realm, incarnation);
    let followed = |when: &str| {
        let identity = stored.identity(world.now().wall)?;
        let Some(view) = identity.log.view() else {
            return Err(Failure::refused(format_args!("this device followed no log {when}: ask the operator")));
        };
        Ok((view.newest().origin().clone(), view.newest().head().size))
    };
    let (before, seen) = followed("before")?;
    if before == log {
        return print_line(format_args!("this device goes on with the log's generation {} already", log.generation()));
    }
    Session::accepting(world, &stored, log.clone(), |session| session.put(Command::Who))?;
    let (now, size) = followed("afterwards")?;
    if now != log {
        return Err(Failure::refused(format_args!(
            "the server shows the log that this device knows, which is not of the generation {}: nothing was accepted",
            log.generation()
        )));
    }
    print_line(format_args!(
        "this device goes on with the log's generation {} of {size} entries; of the one before it had seen {seen}",
        log.generation()
    ))
}
