//! Decides how the server is asked one question: without being present, so that a `listen` of the same device is not
//! disturbed, and with a goodbye whatever came of it.

use std::io::{self, Write};

use countersign_core::device::{Asked, Command, Device, Event, Input};
use countersign_core::tlog::Unasked;

use super::home::Stored;
use super::reactor::Reactor;
use super::{World, logbook, outcome};
use crate::entropy::OsEntropy;
use crate::exit::{Exit, Failure, Plain};
use crate::provider::tls_env;

/// Asks the server of `stored` and gives its answer, which is never [`Asked::Unanswered`].
pub fn ask(world: &World, stored: &Stored, question: Command) -> Result<Asked, Failure> {
    let identity = stored.identity(world.now().wall)?;
    let mut reactor = Reactor::new(stored.endpoint.clone(), world.clock.clone())?;
    let mut device = Device::new(tls_env(), identity, false);
    device.handle(Input::Start, reactor.now(), &mut OsEntropy);
    device.handle(Input::Command(question), reactor.now(), &mut OsEntropy);
    let result = answer(&mut reactor, &mut device, stored, world);
    device.handle(Input::Command(Command::Quit), reactor.now(), &mut OsEntropy);
    loop {
        while let Some(event) = reactor.told() {
            match event {
                Event::Done => return result,
                // How far the log was read; what the disk does not take is read again.
                Event::Followed(followed) => drop(logbook::keep(&stored.folder, &followed)),
                Event::Listed(lists) => drop(stored.keep_lists(&lists, world.now().wall)),
                Event::Unasked(unasked) => alarm(stored, &unasked),
                Event::Online(_)
                | Event::ListsRefused(_)
                | Event::Offline(..)
                | Event::GivenUp(_)
                | Event::Here(_)
                | Event::Presence(..)
                | Event::Asked(_)
                | Event::AnotherLog(_)
                | Event::LogRefused(_)
                | Event::Call(..)
                | Event::Denied(..) => {}
            }
        }
        reactor.turn(&mut device)?;
    }
}

/// An alarm goes beside the answer.
fn alarm(stored: &Stored, unasked: &Unasked) {
    let _ = writeln!(io::stderr().lock(), "{}", Plain(&logbook::alarm(&stored.name.user, unasked).to_string()));
}

fn answer(reactor: &mut Reactor, device: &mut Device, stored: &Stored, world: &World) -> Result<Asked, Failure> {
    let mut known = false;
    loop {
        reactor.turn(device)?;
        while let Some(event) = reactor.told() {
            match event {
                Event::Asked(Asked::Unanswered) => {
                    let words = format!("the server at {} did not answer in time: try again", stored.endpoint);
                    return Err(Failure::new(Exit::Unreachable, words));
                }
                Event::Asked(asked) => return Ok(asked),
                Event::Unasked(unasked) => alarm(stored, &unasked),
                Event::Online(_) => known = true,
                Event::Followed(followed) => logbook::keep(&stored.folder, &followed)?,
                Event::AnotherLog(followed) => {
                    let _ = writeln!(io::stderr().lock(), "warning: {}", logbook::ANOTHER);
                    logbook::keep(&stored.folder, &followed)?;
                }
                Event::LogRefused(refusal) => return Err(logbook::refused(&stored.folder, &refusal)),
                Event::Listed(lists) => stored.keep_lists(&lists, world.now().wall)?,
                Event::ListsRefused(refusal) => {
                    return Err(Failure::new(Exit::Refused, format!("NOT CONNECTED: {refusal}")));
                }
                Event::Offline(reason, _) | Event::GivenUp(reason) => {
                    return Err(outcome::of_connection(reason, &stored.endpoint, reactor.no_connection(), known));
                }
                Event::Here(_) | Event::Presence(..) | Event::Call(..) | Event::Denied(..) | Event::Done => {}
            }
        }
    }
}
