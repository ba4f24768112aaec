//! Every call that begins ends once, and before its program does; nothing is told of it after that.

use std::collections::BTreeSet;

use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::device::{Command, Event};
use countersign_core::id::CallId;

use crate::story::{Phase, Program, Seen};

/// The calls that are not over.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeSet<(Program, CallId)>);

impl Calls {
    pub(super) fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Wished(who, Command::Call(call, ..)) => drop(self.0.insert((who.program, *call))),
            Seen::Told(who, event) => return self.told(who.program, event),
            Seen::Killed(who) => self.0.retain(|(holder, _)| *holder != who.program),
            Seen::Phase(Phase::Over) => {
                if let Some((program, call)) = self.0.first() {
                    return Err(format!("call {call} of device {} has not ended with the run", program.device));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, program: Program, event: &Event) -> Result<(), String> {
        match event {
            Event::Denied(call, CallDenied::TooMany) => drop(self.0.remove(&(program, *call))),
            Event::Call(call, CallEvent::Incoming(_) | CallEvent::Changed(..)) => drop(self.0.insert((program, *call))),
            Event::Call(call, event) => {
                if !self.0.contains(&(program, *call)) {
                    return Err(format!("device {} is told of call {call}, which is over", program.device));
                }
                if let CallEvent::Ended(_) = event {
                    self.0.remove(&(program, *call));
                }
            }
            Event::Done => {
                if let Some((_, call)) = self.0.iter().find(|(holder, _)| *holder == program) {
                    return Err(format!("device {} is gone, and its call {call} has not ended", program.device));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
