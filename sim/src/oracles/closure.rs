//! Whatever ends has one reason on each side: a connection within a deadline of the other side's end, a call before its
//! program does.

mod calls;
mod connections;

use super::Oracle;
use crate::story::Seen;
use calls::Calls;
use connections::Connections;

/// See the module.
#[derive(Debug, Default)]
pub struct Closure {
    connections: Connections,
    calls: Calls,
}

impl Oracle for Closure {
    fn name(&self) -> &'static str {
        "closure"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.connections.see(at_us, seen)?;
        self.calls.see(seen)
    }
}

#[cfg(test)]
mod tests;
