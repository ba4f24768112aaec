//! Decides how the server is asked one question: without being present, so that a `listen` of the same device is not
//! disturbed, and with a goodbye whatever came of it.

use std::io::{self, Write};

use countersign_core::device::{Asked, Command, Device, Event, Input, Renewed};
use countersign_core::time::Wall;
use countersign_core::tlog::Unasked;

use super::home::Stored;
use super::reactor::Reactor;
use super::{World, logbook, outcome, renewed, skew};
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
    let result = answer(&mut reactor, &mut device, stored);
    // A program that is there for one question only has its certificate renewed all the same.
    while result.is_ok() && device.is_renewing() {
        reactor.turn(&mut device)?;
        while let Some(event) = reactor.told() {
            beside(event, stored, &reactor);
        }
    }
    device.handle(Input::Command(Command::Quit), reactor.now(), &mut OsEntropy);
    loop {
        while let Some(event) = reactor.told() {
            if event == Event::Done {
                return result;
            }
            beside(event, stored, &reactor);
        }
        reactor.turn(&mut device)?;
    }
}

/// What comes beside the answer: what is kept, and said on the side.
fn beside(event: Event, stored: &Stored, reactor: &Reactor) {
    match event {
        // How far the log was read; what the disk does not take is read again.
        Event::Followed(followed) => drop(logbook::keep(&stored.folder, &followed)),
        Event::Unasked(unasked) => alarm(stored, &unasked),
        Event::Renewed(renewed) => keep(stored, &renewed),
        Event::NotRenewed(why) => warn(&why.to_string()),
        Event::ServerClock(time) => compare_clocks(reactor, time),
        Event::Online(_)
        | Event::Lapsed(_)
        | Event::Offline(..)
        | Event::GivenUp(_)
        | Event::Here(_)
        | Event::Presence(..)
        | Event::Asked(_)
        | Event::AnotherLog(_)
        | Event::LogRefused(_)
        | Event::Call(..)
        | Event::Denied(..)
        | Event::Done => {}
    }
}

/// Keeps a new certificate. Where the disk does not take it the server gives it again.
fn keep(stored: &Stored, renewed: &Renewed) {
    if let Err(error) = renewed::keep(&stored.folder, renewed) {
        warn(&error.to_string());
    }
}

fn compare_clocks(reactor: &Reactor, theirs: Wall) {
    if let Some(words) = skew::warning(reactor.now().wall, theirs) {
        warn(&words);
    }
}

fn warn(words: &str) {
    let _ = writeln!(io::stderr().lock(), "warning: {}", Plain(words));
}

/// An alarm goes beside the answer.
fn alarm(stored: &Stored, unasked: &Unasked) {
    let _ = writeln!(io::stderr().lock(), "{}", Plain(&logbook::alarm(&stored.name.user, unasked).to_string()));
}

fn answer(reactor: &mut Reactor, device: &mut Device, stored: &Stored) -> Result<Asked, Failure> {
    let (mut known, mut not_renewed) = (false, None);
    loop {
        reactor.turn(device)?;
        while let Some(event) = reactor.told() {
            match event {
                Event::Asked(Asked::Unanswered) if not_renewed.is_some() => {
                    return Err(not_renewed.unwrap_or_else(|| Failure::failed("no new certificate")));
                }
                Event::Asked(Asked::Unanswered) => {
                    let words = format!("the server at {} did not answer in time: try again", stored.endpoint);
                    return Err(Failure::new(Exit::Unreachable, words));
                }
                Event::Asked(asked) => return Ok(asked),
                Event::Unasked(unasked) => alarm(stored, &unasked),
                Event::Online(welcome) => {
                    known = true;
                    compare_clocks(reactor, welcome.time);
                }
                Event::Followed(followed) => logbook::keep(&stored.folder, &followed)?,
                Event::AnotherLog(followed) => {
                    let _ = writeln!(io::stderr().lock(), "warning: {}", logbook::ANOTHER);
                    logbook::keep(&stored.folder, &followed)?;
                }
                Event::LogRefused(refusal) => return Err(logbook::refused(&stored.folder, &refusal)),
                Event::Offline(reason, _) | Event::GivenUp(reason) => {
                    return Err(outcome::of_connection(reason, &stored.endpoint, reactor.no_connection(), known));
                }
                Event::NotRenewed(why) => {
                    warn(&why.to_string());
                    not_renewed = Some(Failure::refused(why));
                }
                event @ (Event::Renewed(_) | Event::ServerClock(_)) => beside(event, stored, reactor),
                Event::Here(_)
                | Event::Lapsed(_)
                | Event::Presence(..)
                | Event::Call(..)
                | Event::Denied(..)
                | Event::Done => {}
            }
        }
    }
}
