//! Every attempt to connect comes to an end: a connection, a refusal, or the device's patience.

use std::collections::BTreeMap;

use countersign_core::device::Event;

use super::connections::UNTOLD_US;
use crate::story::{Phase, Program, Seen};

/// Since when each program has tried to connect, if it does.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<Program, u64>);

impl Attempts {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Dialled(program) => {
                let before = self.0.insert(*program, at_us);
                return before
                    .map_or(Ok(()), |_| Err(format!("device {} tries to connect twice at once", program.device)));
            }
            Seen::Unreachable(program) | Seen::Abandoned(program) => self.end(program),
            // A program that is done takes its attempt with it.
            Seen::Connected(_, who)
            | Seen::Killed(who)
            | Seen::EnrolEnded(who, ..)
            | Seen::Told(who, Event::Done | Event::GivenUp(_)) => self.end(&who.program),
            Seen::Phase(Phase::Over) => {
                if let Some((program, since_us)) = self.0.iter().find(|(_, since_us)| at_us > **since_us + UNTOLD_US) {
                    return Err(format!(
                        "device {} tries to connect since second {} (program {}), and nothing came of it",
                        program.device,
                        since_us / 1_000_000,
                        program.life
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, program: &Program) {
        self.0.remove(program);
    }
}
