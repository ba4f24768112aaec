//! Every attempt to connect comes to an end: a connection, a refusal, or the device's patience.

use std::collections::BTreeMap;

use super::connections::UNTOLD_US;
use crate::story::{Phase, Program, Seen};

/// Since when each program has tried to connect, if it does.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<Program, u64>);

impl Attempts {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Dialled(program) => {
                if self.0.insert(*program, at_us).is_some() {
                    return Err(format!("device {} tries to connect twice at once", program.device));
                }
            }
            Seen::Unreachable(program) | Seen::Abandoned(program) => self.end(program),
            Seen::Connected(_, who) | Seen::Killed(who) | Seen::EnrolEnded(who, ..) => self.end(&who.program),
            Seen::Phase(Phase::Over) => {
                if let Some((program, _)) = self.0.iter().find(|(_, since_us)| at_us > **since_us + UNTOLD_US) {
                    return Err(format!(
                        "device {} has tried to connect all the time, and nothing came of it",
                        program.device
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
