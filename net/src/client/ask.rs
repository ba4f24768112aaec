//! Decides how the server is asked: one question or a few, without being present, so that a `listen` of the same device is not
//! disturbed, and with a goodbye whatever came of it.

mod posting;

use std::io::{self, Write};

use countersign_core::device::approve::Approval;
use countersign_core::device::{Asked, Command, Device, Event, Input, NotRenewed, Renewed};
use countersign_core::fault::CloseReason;
use countersign_core::time::Wall;
use countersign_core::tlog::{NoteName, Unasked};

use super::holding::Hold;
use super::home::Stored;
use super::local::protocol::{Done, Listed};
use super::reactor::Reactor;
use super::typed::{Lines, Typed};
use super::{World, logbook, metbook, outcome, renewed, skew};
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
    /// Whether its person knows that the server was restored.
    is_silent: bool,
    known: bool,
    lines: Option<Lines>,
    /// Why the certificate was not renewed, if it was to be.
    not_renewed: Option<NotRenewed>,
    /// Why the connection is over, if it is.
    ended: Option<CloseReason>,
    /// What has come of the message that this program is there for.
    outcome: Option<Result<Done, Failure>>,
    /// Open rooms of which it was told so far.
    listed: Vec<Listed>,
    /// Whether there is nothing to be done about the lobby.
    is_lobby_off: bool,
}

impl<'a> Session<'a> {
    /// Goes online for what `talk` has to ask, and leaves in good order.
    pub fn over<T>(
        world: &'a World,
        stored: &'a Stored,
        talk: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        Self::begin(world, stored, None, None, talk)
    }

    /// The same for a person who takes this log for the one that goes on from theirs.
    pub fn accepting<T>(
        world: &'a World,
        stored: &'a Stored,
        log: NoteName,
        talk: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        Self::begin(world, stored, Some(log), None, talk)
    }

    fn begin<T>(
        world: &'a World,
        stored: &'a Stored,
        accepted: Option<NoteName>,
        hold: Option<Hold>,
        talk: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut identity = stored.identity(world.now().wall)?;
        let is_silent = accepted.is_some();
        if let Some(log) = accepted {
            identity.log.accept(log);
        }
        let mut reactor = Reactor::new(stored.endpoint.clone(), world.clock.clone())?;
        let mut device = Device::new(tls_env(), identity, false);
        if let Some(hold) = hold {
            device = device.with_acquaintances(metbook::load(&stored.folder)?).with_conversations(&*hold.rows()?);
            reactor = reactor.with_hold(hold)?;
        }
        let (known, lines, not_renewed, ended, outcome, listed) = (false, None, None, None, None, Vec::new());
        let is_lobby_off = false;
        let mut session = Self {
            reactor,
            device,
            world,
            stored,
            is_silent,
            known,
            lines,
            not_renewed,
            ended,
            outcome,
            listed,
            is_lobby_off,
        };
        session.wish(Input::Start);
        let result = talk(&mut session);
        if let Some(why) = session.not_renewed.take()
            && !result.as_ref().is_err_and(|failure| repeats(failure, why))
        {
            warn(&why.to_string());
        }
        session.leave(result.is_ok())?;
        session.reactor.close()?;
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

    /// Why the connection is over, if it is.
    pub fn ended(&self) -> Option<CloseReason> {
        self.ended
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
        self.tell_others(&event);
        match event {
            Event::Asked(Asked::Unanswered) => {
                return Err(self.not_renewed.map_or_else(
                    || {
                        let words = format!("the server at {} did not answer in time: try again", stored.endpoint);
                        Failure::new(Exit::Unreachable, words)
                    },
                    Failure::refused,
                ));
            }
            Event::Asked(asked) => return Ok(Some(asked)),
            Event::Unasked(unasked) => alarm(stored, &unasked),
            Event::Online(welcome) => {
                self.known = true;
                compare_clocks(&self.reactor, welcome.time);
            }
            Event::Followed(followed) => logbook::keep(&stored.folder, &followed)?,
            Event::AnotherLog(followed) => {
                if !self.is_silent {
                    warn(&logbook::another(&followed));
                }
                logbook::keep(&stored.folder, &followed)?;
            }
            Event::LogRefused(refusal) => return Err(logbook::refused(&stored.folder, &refusal)),
            Event::Doubted(theirs) => logbook::doubt(&stored.folder, &theirs)?,
            Event::Reconciled(theirs) => logbook::reconciled(&stored.folder, &theirs)?,
            Event::Listed(lists) => stored.keep_lists(&lists, self.world.now().wall)?,
            Event::ListsRefused(refusal) => {
                return Err(Failure::new(Exit::Refused, format!("NOT CONNECTED: {refusal}")));
            }
            Event::Offline(reason, _) | Event::GivenUp(reason) => {
                self.ended = Some(reason);
                let no_connection = self.reactor.no_connection();
                return Err(outcome::of_connection(reason, &stored.endpoint, no_connection, self.known));
            }
            // Told when it is clear that the failure does not say it.
            Event::NotRenewed(why) => self.not_renewed = Some(why),
            event @ (Event::Renewed(_) | Event::ServerClock(_)) => beside(event, stored, &self.reactor, self.world),
            Event::Here(_)
            | Event::Lapsed(_)
            | Event::Presence(..)
            | Event::Call(..)
            | Event::Denied(..)
            | Event::Done => {}
            Event::Conversation(event) => self.conversation(*event),
        }
        Ok(None)
    }
}

/// Whether a failure says why the certificate was not renewed: nobody is told the same twice.
fn repeats(failure: &Failure, why: NotRenewed) -> bool {
    let reason = match why {
        NotRenewed::Refused(code) => code.to_string(),
        NotRenewed::BadCertificate(refusal) => refusal.to_string(),
        NotRenewed::Unanswered => why.to_string(),
    };
    failure.sentence.contains(&reason)
}

/// What comes beside the answer: what is kept, and said on the side.
fn beside(event: Event, stored: &Stored, reactor: &Reactor, world: &World) {
    match event {
        // How far the log was read; what the disk does not take is read again.
        Event::Followed(followed) => drop(logbook::keep(&stored.folder, &followed)),
        Event::Doubted(theirs) => drop(logbook::doubt(&stored.folder, &theirs)),
        Event::Reconciled(theirs) => drop(logbook::reconciled(&stored.folder, &theirs)),
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
        | Event::Conversation(_)
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
