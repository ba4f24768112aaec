//! Decides how `client call` goes: find the person, wait for them if need be, talk until either end has said goodbye.

use std::io::IsTerminal;
use std::time::Duration;

use countersign_core::device::Command;
use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::id::{CallId, UserName};
use countersign_core::wire::Code;

use super::super::World;
use super::super::names::person;
use super::super::notice::{Declined, Notice};
use super::super::outcome::{self, Began, CallOutcome};
use super::super::screen::Screen;
use super::super::typed::Typed;
use super::talk::Talk;
use super::{Desk, Ear, Part, Role, Saying, Ways, run};
use crate::exit::{Exit, Failure};

/// How long somebody is waited for when a person waits.
const WAIT_ON_TERMINAL: Duration = Duration::from_secs(60);
/// How long somebody is waited for when a program waits.
const WAIT_IN_PIPE: Duration = Duration::from_secs(10);
/// The one call of this program.
const CALL: CallId = CallId(1);

/// Runs `client call`.
pub fn call(world: &World, user: &str, json: bool) -> Result<(), Failure> {
    let user = person(user)?;
    let stored = world.stored()?;
    if user == stored.name.user {
        let end = countersign_core::device::calls::CallEnd::Refused(Code::SELF_CALL);
        let itself = outcome::of_call(end, &user, Began::Us, false);
        return Err(Failure::new(itself.exit, itself.sentence));
    }
    let usual = if std::io::stdin().is_terminal() { WAIT_ON_TERMINAL } else { WAIT_IN_PIPE };
    let mut caller = Caller::new(user, world.config.wait.unwrap_or(usual));
    run(&mut caller, &stored, world, Screen::new(json), Ways { input_again: false, part: Part::None })
}

/// The one who calls.
#[derive(Debug)]
pub struct Caller {
    user: UserName,
    wait: Duration,
    /// Once the server has been asked for the call.
    talk: Option<Talk>,
    waits: bool,
    /// Whether a device of theirs rings already.
    rings: bool,
    /// Whether whoever has the name was found to be somebody else than before.
    changed: bool,
}

impl Caller {
    /// Wants to speak to `user`, and waits this long for them.
    pub fn new(user: UserName, wait: Duration) -> Self {
        Self { user, wait, talk: None, waits: false, rings: false, changed: false }
    }
}

impl Role for Caller {
    const HINT: &'static str = "";

    /// A direct call goes on without the server.
    fn is_patient(&self) -> bool {
        self.talk.as_ref().is_some_and(Talk::is_direct)
    }

    fn online(&mut self, desk: &mut Desk) {
        if self.talk.is_none() {
            self.talk = Some(Talk::new(CALL, self.user.clone(), Began::Us));
            desk.wish(Command::Call(CALL, self.user.clone(), self.wait));
        }
    }

    fn call(&mut self, id: CallId, event: CallEvent, desk: &mut Desk) {
        if let CallEvent::Incoming(from) = event {
            desk.tell(Notice::Declined { from: from.user, device: from.device, reason: Declined::Busy });
            return desk.wish(Command::HangUp(id, Code::IN_A_CALL));
        }
        if let CallEvent::Changed(device, before) = &event
            && id != CALL
        {
            return desk.tell(Notice::changed(device.user.clone(), Some(device.device.clone()), *before));
        }
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.id() == id) else { return };
        match event {
            CallEvent::Waiting => {
                if !self.waits {
                    self.waits = true;
                    desk.tell(Notice::Waiting { user: self.user.clone(), seconds: self.wait.as_secs() });
                }
            }
            CallEvent::Ringing(name) => {
                let too = std::mem::replace(&mut self.rings, true);
                desk.tell(Notice::Ringing { user: name.user, device: name.device, too });
            }
            CallEvent::Changed(device, before) => {
                self.changed = true;
                desk.tell(Notice::changed(device.user, Some(device.device), before));
            }
            CallEvent::Met(user, _) => desk.tell(Notice::Met { user }),
            CallEvent::Open(with, path) => talk.opened(with, path, desk),
            CallEvent::Moved(path, end) => talk.moved(path, end, desk),
            CallEvent::Line(n, text) => talk.heard(n, text, desk),
            CallEvent::Ended(end) => {
                // What went wrong is said by the failure that the program ends with.
                let say = |outcome: &CallOutcome, notice| match outcome.exit {
                    Exit::Done => Saying::Notice(notice),
                    Exit::Failed | Exit::Usage | Exit::Refused | Exit::Unreachable => Saying::ForPrograms(notice),
                };
                let outcome = talk.ended(end, say, desk);
                let sentence = if self.changed && outcome.code == Code::CHANGED {
                    format!("NOT CONNECTED: {} is CHANGED: nothing was said to them", self.user)
                } else {
                    outcome.sentence
                };
                let failure = Failure::new(outcome.exit, sentence);
                desk.finish(if outcome.exit == Exit::Done { Ok(()) } else { Err(failure) });
            }
            CallEvent::Incoming(_) => {}
        }
    }

    fn denied(&mut self, id: CallId, denied: CallDenied, desk: &mut Desk) {
        match &self.talk {
            Some(talk) if talk.id() == id => match denied {
                CallDenied::Say(_) => talk.denied(denied, desk),
                CallDenied::TooMany | CallDenied::NoSuchCall => {
                    desk.finish(Err(Failure::failed(format_args!(
                        "{} can't be called just now: try again",
                        self.user
                    ))));
                }
            },
            Some(_) | None => {}
        }
    }

    /// Before the call is open, lines wait, and so does the end of input.
    fn ear(&self) -> Ear {
        self.talk.as_ref().map_or(Ear::Later, Talk::ear)
    }

    fn typed(&mut self, typed: Typed, desk: &mut Desk) {
        let Some(talk) = &mut self.talk else { return };
        if !talk.say(typed, desk) {
            talk.hang_up(desk);
        }
    }

    fn interrupted(&mut self, desk: &mut Desk) {
        match &mut self.talk {
            Some(talk) => talk.hang_up(desk),
            None => desk.finish(Err(Failure::failed("the call was given up before the server answered"))),
        }
    }

    fn unsaid(&self) -> Option<String> {
        let cut_short = self.talk.as_ref().is_some_and(|talk| !talk.is_parting());
        cut_short
            .then(|| format!("{} hung up before everything was said: the rest of the input was not sent", self.user))
    }
}

#[cfg(test)]
mod tests;
