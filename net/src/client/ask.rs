//! Decides how the server is asked: one question or a few, without being present, so that a `listen` of the same device is not
//! disturbed, and with a goodbye whatever came of it.

use std::io::{self, Write};

use countersign_core::device::approve::Approval;
use countersign_core::device::{Asked, Command, Device, Event, Input, Renewed};
use countersign_core::time::Wall;
use countersign_core::tlog::Unasked;

use super::home::Stored;
use super::reactor::Reactor;
use super::typed::{Lines, Typed};
use super::{World, logbook, outcome, renewed, skew};
use crate::entropy::OsEntropy;
use crate::exit::{Exit, Failure, Plain};
use crate::provider::tls_env;

/// Asks the server of `stored` and gives its answer, which is never [`Asked::Unanswered`].
pub fn ask(world: &World, stored: &Stored, question: Command) -> Result<Asked, Failure> {
    Session::over(world, stored, |session| session.put(question))
}

/// A connection over which one question follows another.
pub struct Session<'a> {
    reactor: Reactor,
    device: Device,
    world: &'a World,
    stored: &'a Stored,
    known: bool,
    lines: Option<Lines>,
    /// Why the certificate was not renewed, if that was asked for.
    not_renewed: Option<Failure>,
}

impl<'a> Session<'a> {
    /// Goes online for what `talk` has to ask, and leaves in good order.
    pub fn over<T>(
        world: &'a World,
        stored: &'a Stored,
        talk: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let identity = stored.identity(world.now().wall)?;
        let reactor = Reactor::new(stored.endpoint.clone(), world.clock.clone())?;
        let device = Device::new(tls_env(), identity, false);
        let mut session = Self { reactor, device, world, stored, known: false, lines: None, not_renewed: None };
        session.wish(Input::Start);
        let result = talk(&mut session);
        session.leave(result.is_ok())?;
        result
    }

    /// Asks, and gives the answer, which is never [`Asked::Unanswered`].
    pub fn put(&mut self, question: Command) -> Result<Asked, Failure> {
        self.wish(Input::Command(question));
        loop {
            self.reactor.turn(&mut self.device)?;
            while let Some(event) = self.reactor.told() {
                match self.told(event)? {
                    // News that nobody has asked for.
                    Some(Asked::Approval(Approval::Waits(_))) | None => {}
                    Some(asked) => return Ok(asked),
                }
            }
        }
    }

    /// The next line of standard input; meanwhile the connection is kept.
    pub fn next_line(&mut self) -> Result<Typed, Failure> {
        if self.lines.is_none() {
            self.lines = Some(Lines::start(self.reactor.waker(), false)?);
        }
        loop {
            if let Some(typed) = self.lines.as_mut().and_then(Lines::take) {
                return Ok(typed);
            }
            self.reactor.turn(&mut self.device)?;
            while let Some(event) = self.reactor.told() {
                let _ = self.told(event)?;
            }
        }
    }

    fn wish(&mut self, input: Input<'_>) {
        self.device.handle(input, self.reactor.now(), &mut OsEntropy);
    }

    /// Says goodbye, whatever came of it.
    fn leave(&mut self, in_peace: bool) -> Result<(), Failure> {
        // A program that is there for one question only has its certificate renewed all the same.
        while in_peace && self.device.is_renewing() {
            self.reactor.turn(&mut self.device)?;
            while let Some(event) = self.reactor.told() {
                beside(event, self.stored, &self.reactor, self.world);
            }
        }
        self.wish(Input::Command(Command::Quit));
        loop {
            while let Some(event) = self.reactor.told() {
                if event == Event::Done {
                    return Ok(());
                }
                beside(event, self.stored, &self.reactor, self.world);
            }
            self.reactor.turn(&mut self.device)?;
        }
    }

    /// What the device tells; the answer, if it is one.
    fn told(&mut self, event: Event) -> Result<Option<Asked>, Failure> {
        let stored = self.stored;
        match event {
            Event::Asked(Asked::Unanswered) => {
                return Err(self.not_renewed.take().unwrap_or_else(|| {
                    let words = format!("the server at {} did not answer in time: try again", stored.endpoint);
                    Failure::new(Exit::Unreachable, words)
                }));
            }
            Event::Asked(asked) => return Ok(Some(asked)),
            Event::Unasked(unasked) => alarm(stored, &unasked),
            Event::Online(welcome) => {
                self.known = true;
                compare_clocks(&self.reactor, welcome.time);
            }
            Event::Followed(followed) => logbook::keep(&stored.folder, &followed)?,
            Event::AnotherLog(followed) => {
                let _ = writeln!(io::stderr().lock(), "warning: {}", logbook::ANOTHER);
                logbook::keep(&stored.folder, &followed)?;
            }
            Event::LogRefused(refusal) => return Err(logbook::refused(&stored.folder, &refusal)),
            Event::Listed(lists) => stored.keep_lists(&lists, self.world.now().wall)?,
            Event::ListsRefused(refusal) => {
                return Err(Failure::new(Exit::Refused, format!("NOT CONNECTED: {refusal}")));
            }
            Event::Offline(reason, _) | Event::GivenUp(reason) => {
                let no_connection = self.reactor.no_connection();
                return Err(outcome::of_connection(reason, &stored.endpoint, no_connection, self.known));
            }
            Event::NotRenewed(why) => {
                warn(&why.to_string());
                self.not_renewed = Some(Failure::refused(why));
            }
            event @ (Event::Renewed(_) | Event::ServerClock(_)) => beside(event, stored, &self.reactor, self.world),
            Event::Here(_)
            | Event::Lapsed(_)
            | Event::Presence(..)
            | Event::Call(..)
            | Event::Denied(..)
            | Event::Done => {}
        }
        Ok(None)
    }
}

/// What comes beside the answer: what is kept, and said on the side.
fn beside(event: Event, stored: &Stored, reactor: &Reactor, world: &World) {
    match event {
        // How far the log was read; what the disk does not take is read again.
        Event::Followed(followed) => drop(logbook::keep(&stored.folder, &followed)),
        Event::Listed(lists) => drop(stored.keep_lists(&lists, world.now().wall)),
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
        | Event::ListsRefused(_)
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
