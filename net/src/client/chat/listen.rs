//! Decides how `client listen` goes: be present, show messages, take or decline calls one at a time, and go on until a signal.

use countersign_core::device::Command;
use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::id::{CallId, DeviceName};
use countersign_core::wire::Code;

use super::super::World;
use super::super::holding::Hold;
use super::super::notice::{Declined, Notice};
use super::super::outcome::Began;
use super::super::screen::Screen;
use super::super::typed::Typed;
use super::talk::Talk;
use super::{Desk, Ear, Part, Role, Saying, Ways, run};
use crate::exit::Failure;

/// Runs `client listen`.
pub fn listen(world: &World, json: bool, accept: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let screen = Screen::new(json);
    let input_again = screen.has_typist();
    let part = Part::Listens(Hold::take_to_stay(&stored.folder)?.map(Box::new));
    run(&mut Listener::new(accept), &stored, world, screen, Ways { input_again, part })
}

/// The one who is called.
#[derive(Debug)]
pub struct Listener {
    accept: bool,
    line: Line,
    /// Whether there is nobody to ask any more.
    input_ended: bool,
    /// Whether a pipe was told that nobody is on the line, since when somebody was.
    told_nobody: bool,
}

/// Who is on the line.
#[derive(Debug)]
enum Line {
    Nobody,
    /// Somebody who calls: the next line of input answers whether to take the call.
    Asks(Talk),
    /// Somebody whose call was taken, or is just ending.
    With(Talk),
}

impl Line {
    fn talk(&mut self) -> Option<&mut Talk> {
        match self {
            Self::Asks(talk) | Self::With(talk) => Some(talk),
            Self::Nobody => None,
        }
    }
}

impl Listener {
    /// Takes calls without asking, or asks.
    pub fn new(accept: bool) -> Self {
        Self { accept, line: Line::Nobody, input_ended: false, told_nobody: false }
    }

    fn incoming(&mut self, id: CallId, from: DeviceName, desk: &mut Desk) {
        let DeviceName { user: from, device } = from;
        if self.line.talk().is_some() || desk.is_finished() {
            desk.wish(Command::HangUp(id, Code::IN_A_CALL));
            desk.tell(Notice::Declined { from, device, reason: Declined::Busy });
        } else if self.accept {
            self.line = Line::With(Talk::new(id, from.clone(), Began::Them));
            desk.wish(Command::Accept(id));
            desk.tell(Notice::Incoming { from, device, asked: false });
        } else if self.input_ended {
            // No person's word: this person may answer at another device.
            desk.wish(Command::HangUp(id, Code::NO_ANSWER));
            desk.tell(Notice::Declined { from, device, reason: Declined::NobodyToAsk });
        } else {
            self.line = Line::Asks(Talk::new(id, from.clone(), Began::Them));
            desk.tell(Notice::Incoming { from, device, asked: true });
        }
    }

    /// A line that answers whether to take a call.
    fn answer(talk: Talk, typed: &Typed, desk: &mut Desk) -> Line {
        let answer = match typed {
            Typed::Line(line) => line.trim(),
            Typed::End if !desk.has_typist() => {
                desk.wish(Command::HangUp(talk.id(), Code::NO_ANSWER));
                return Line::With(talk);
            }
            Typed::End => "n",
            Typed::TooLong | Typed::NotText => "",
        };
        match answer {
            "y" | "Y" | "yes" => desk.wish(Command::Accept(talk.id())),
            "n" | "N" | "no" => desk.wish(Command::HangUp(talk.id(), Code::DECLINED)),
            _ => {
                desk.say(Saying::Hint("please answer y or n"));
                return Line::Asks(talk);
            }
        }
        Line::With(talk)
    }

    /// A line that is for nobody.
    fn nobody(&mut self, desk: &mut Desk) {
        if desk.has_typist() || !self.told_nobody {
            desk.say(Saying::Hint("nobody is on the line; lines are sent once a call is open (Ctrl-C ends)"));
        }
        self.told_nobody = true;
    }
}

impl Role for Listener {
    const HINT: &'static str = "; waiting for calls and messages (Ctrl-C ends)";

    fn is_patient(&self) -> bool {
        true
    }

    fn online(&mut self, _: &mut Desk) {}

    fn call(&mut self, id: CallId, event: CallEvent, desk: &mut Desk) {
        if let CallEvent::Incoming(from) = event {
            return self.incoming(id, from, desk);
        }
        if let CallEvent::Changed(device, before) = event {
            return desk.tell(Notice::changed(device.user, Some(device.device), before));
        }
        // Calls that were declined end, too, and nobody need be told.
        let Some(talk) = self.line.talk().filter(|talk| talk.id() == id) else { return };
        match event {
            CallEvent::Open(with, path) => {
                talk.opened(with, path, desk);
                self.told_nobody = false;
            }
            CallEvent::Moved(path, end) => talk.moved(path, end, desk),
            CallEvent::Line(n, text) => talk.heard(n, text, desk),
            CallEvent::Ended(end) => {
                talk.ended(end, |_, notice| Saying::Notice(notice), desk);
                self.line = Line::Nobody;
            }
            CallEvent::Met(user, _) => desk.tell(Notice::Met { user }),
            CallEvent::Waiting | CallEvent::Ringing(_) | CallEvent::Incoming(_) | CallEvent::Changed(..) => {}
        }
    }

    fn denied(&mut self, id: CallId, denied: CallDenied, desk: &mut Desk) {
        if let Some(talk) = self.line.talk().filter(|talk| talk.id() == id) {
            talk.denied(denied, desk);
        }
    }

    fn ear(&self) -> Ear {
        match &self.line {
            Line::With(talk) => talk.ear(),
            Line::Nobody | Line::Asks(_) => Ear::Now,
        }
    }

    fn typed(&mut self, typed: Typed, desk: &mut Desk) {
        let ended = typed == Typed::End;
        // On a terminal the end of input is no more than a word: hang up.
        self.input_ended |= ended && !desk.has_typist();
        match std::mem::replace(&mut self.line, Line::Nobody) {
            Line::Asks(talk) => self.line = Self::answer(talk, &typed, desk),
            Line::With(mut talk) => {
                if !talk.say(typed, desk) && desk.has_typist() {
                    talk.hang_up(desk);
                }
                self.line = Line::With(talk);
            }
            Line::Nobody if ended && !desk.has_typist() => {}
            Line::Nobody => self.nobody(desk),
        }
    }

    fn interrupted(&mut self, desk: &mut Desk) {
        desk.finish(Ok(()));
    }

    /// Whoever listens stays, and what they type belongs to the next call.
    fn unsaid(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
