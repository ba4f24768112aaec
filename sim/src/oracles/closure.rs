//! Whatever ends has one reason on each side: a connection within a deadline of the other side's end, a call before its
//! program does; and what a call was given between devices goes with it.

mod attempts;
mod calls;
mod connections;
mod direct;

use super::Oracle;
use crate::story::Seen;
use attempts::Attempts;
use calls::Calls;
use connections::Connections;
use direct::Direct;

/// See the module.
#[derive(Debug, Default)]
pub struct Closure {
    attempts: Attempts,
    connections: Connections,
    calls: Calls,
    direct: Direct,
}

impl Oracle for Closure {
    fn name(&self) -> &'static str {
        "closure"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.attempts.see(at_us, seen)?;
        self.connections.see(at_us, seen)?;
        self.direct.see(at_us, seen)?;
        self.calls.see(seen)
    }
}

#[cfg(test)]
mod tests;
