//! Decides how `client who` goes: the people of the realm, one a line.

use countersign_core::device::{Asked, Command};
use countersign_core::id::DeviceName;
use countersign_core::wire::relay::Person;

use super::World;
use super::ask::ask;
use crate::exit::{Failure, print_line};

/// Runs `client who`.
pub fn who(world: &World, json: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    match ask(world, &stored, Command::Who)? {
        Asked::People(people) => people.iter().try_for_each(|person| print(person, &stored.name, json)),
        other @ (Asked::Certificates(..)
        | Asked::Log(_)
        | Asked::Approval(_)
        | Asked::Refused(_)
        | Asked::Renewed(_)
        | Asked::PasswordSet
        | Asked::Unanswered) => {
            Err(Failure::failed(format_args!("the server answered something else than who there is: {other:?}")))
        }
    }
}

fn print(person: &Person, own: &DeviceName, json: bool) -> Result<(), Failure> {
    let Person { user, online } = person;
    if json {
        return print_line(format_args!(r#"{{"user":"{user}","online":{online}}}"#));
    }
    let you = if *user == own.user { " (you)" } else { "" };
    print_line(format_args!("{:<16} {}{you}", user.as_str(), if *online { "online" } else { "offline" }))
}
