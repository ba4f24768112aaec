//! Decides what `client verify` shows: the number that two people compare by another way, and whether somebody is who they
//! were; and that a person may take whoever has the name now for the one whom they mean.

use countersign_core::device::{Command, Fetched, Met, SafetyNumber, Standing};
use countersign_core::id::UserName;
use countersign_core::tlog::Founder;
use serde_json::json;

use super::ask::Session;
use super::clean::escape_json;
use super::names;
use super::{World, fetch, metbook};
use crate::exit::{Exit, Failure, print_line};

/// Runs `client verify`.
pub fn verify(world: &World, user: &str, accept: bool, json: bool) -> Result<(), Failure> {
    let user = names::person(user)?;
    let stored = world.stored()?;
    if user == stored.name.user {
        return Err(Failure::usage(format_args!("{user} is you: client devices shows your devices")));
    }
    let (own, theirs) = Session::over(world, &stored, |session| {
        let own = fetch::certificates(session.put(Command::Fetch(stored.name.user.clone()))?, &stored.name.user)?;
        let theirs = fetch::certificates(session.put(Command::Fetch(user.clone()))?, &user)?;
        Ok((own, theirs))
    })?;
    let this_device = |fetched: &&Fetched| fetched.verdict.as_ref().is_ok_and(|own| own.device == stored.name);
    let own = own.iter().find(this_device).and_then(|fetched| fetched.founder);
    let own = own.ok_or_else(|| unproved(&stored.name.user))?;
    let founder = newest(&theirs).ok_or_else(|| unproved(&user))?;
    let standing = metbook::load(&stored.folder)?.standing(&user, founder);
    let number = SafetyNumber::of(&stored.realm, (&stored.name.user, own.key), (&user, founder.key));
    let devices: Vec<&str> = theirs
        .iter()
        .filter(|fetched| fetched.founder == Some(founder))
        .filter_map(|fetched| Some(fetched.verdict.as_ref().ok()?.device.device.as_str()))
        .collect();
    if json {
        let shown = json!({
            "user": user, "standing": metbook::word(standing), "number": number.to_string(), "devices": devices,
            "reissued": founder.reissued, "accepted": accept,
        });
        print_line(escape_json(&shown.to_string()))?;
    } else {
        print_line(format_args!("user         {user}"))?;
        print_line(format_args!("person       {}", person(&user, standing)))?;
        if let Some(at) = founder.reissued {
            print_line(format_args!("reissued     on {at}, by the operator: nobody has vouched for it"))?;
        }
        print_line(format_args!("devices      {}", devices.join(", ")))?;
        print_line(format_args!("number       {number}"))?;
        print_line(format_args!(
            "Compare the number with {user} by another way: client verify {} shows it there.",
            stored.name.user
        ))?;
    }
    if accept {
        metbook::accept(&stored.folder, &user, Met { founder, since: world.now().wall })?;
        if !json {
            print_line(format_args!("Whoever has these devices is {user} to this device from now on."))?;
        }
    }
    Ok(())
}

/// Who somebody is, in a line of a table that says the rest below.
fn person(user: &UserName, standing: Standing) -> String {
    match standing {
        Standing::Changed(before) => {
            format!("CHANGED: not the one whom this device has met on {} under the name of {user}", before.since)
        }
        Standing::New | Standing::Known(_) => metbook::words(user, standing),
    }
}

/// Who has the name now: of several, who was given it last.
fn newest(fetched: &[Fetched]) -> Option<Founder> {
    fetched
        .iter()
        .filter_map(|fetched| fetched.founder.filter(|_| fetched.verdict.is_ok()))
        .max_by_key(|founder| founder.reissued)
}

fn unproved(user: &UserName) -> Failure {
    Failure::new(
        Exit::Refused,
        format!("no device of {user} is to be believed just now: client cert fetch {user} says why"),
    )
}
