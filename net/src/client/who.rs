//! Decides how `client who` goes: ask without being present, so that a `listen` of the same device is not disturbed.

use countersign_core::device::{Command, Device, Event, Input};
use countersign_core::id::DeviceName;
use countersign_core::wire::relay::Person;

use super::home::Stored;
use super::reactor::Reactor;
use super::{World, outcome, tls_env};
use crate::entropy::OsEntropy;
use crate::exit::{Failure, print_line};

/// Runs `client who`.
pub fn who(world: &World, json: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let identity = stored.identity(world.now().wall)?;
    let mut reactor = Reactor::new(stored.endpoint.clone(), world.clock.clone())?;
    let mut device = Device::new(tls_env(), identity, false);
    device.handle(Input::Start, reactor.now(), &mut OsEntropy);
    device.handle(Input::Command(Command::Who), reactor.now(), &mut OsEntropy);
    let result = ask(&mut reactor, &mut device, &stored);
    // Whatever came of it, the server is told goodbye.
    device.handle(Input::Command(Command::Quit), reactor.now(), &mut OsEntropy);
    while !std::iter::from_fn(|| reactor.told()).any(|event| event == Event::Done) {
        reactor.turn(&mut device)?;
    }
    result?.iter().try_for_each(|person| print(person, &stored.name, json))
}

fn ask(reactor: &mut Reactor, device: &mut Device, stored: &Stored) -> Result<Vec<Person>, Failure> {
    let mut known = false;
    loop {
        reactor.turn(device)?;
        while let Some(event) = reactor.told() {
            match event {
                Event::People(people) => return Ok(people),
                Event::Online(_) => known = true,
                Event::Offline(reason, _) | Event::GivenUp(reason) => {
                    return Err(outcome::of_connection(reason, &stored.endpoint, reactor.no_connection(), known));
                }
                Event::Here(_) | Event::Presence(..) | Event::Call(..) | Event::Denied(..) | Event::Done => {}
            }
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
