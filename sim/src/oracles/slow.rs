//! A member who does not read is heard again or let go, and is not kept in suspense.

use std::collections::BTreeMap;

use countersign_core::effect::Note;
use countersign_core::id::ConnId;
use countersign_core::limits::{PING_AFTER, SLOW_TIME_MAX};

use super::Oracle;
use crate::story::{Seen, Side};

/// How long the relay may not hear a member whom it has paused, in microseconds: twice its patience, since who reads a
/// good part gets it anew, and the time until a member that is heard again says something.
const SUSPENSE_US: u64 = (2 * SLOW_TIME_MAX.as_secs() + PING_AFTER.as_secs() + 2) * 1_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Slow {
    /// Whom the relay does not hear, since when.
    paused: BTreeMap<ConnId, u64>,
    second: u64,
}

impl Oracle for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Noted(Note::Paused(conn, _)) => drop(self.paused.insert(*conn, at_us)),
            Seen::Delivered { conn, to: Side::Listener, .. } | Seen::Noted(Note::Closed(conn, ..)) => {
                self.paused.remove(conn);
            }
            Seen::Crashed(..) => self.paused.clear(),
            _ => {}
        }
        if at_us / 1_000_000 > self.second {
            self.second = at_us / 1_000_000;
            if let Some((conn, _)) = self.paused.iter().find(|(_, since_us)| at_us > *since_us + SUSPENSE_US) {
                return Err(format!("connection {conn} was paused long ago, and is neither heard again nor closed"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::fault::CloseReason;
    use countersign_core::wire::Code;

    use super::*;
    use crate::oracles::tests::name;
    use crate::story::Phase;

    #[test]
    fn who_is_paused_is_closed_or_heard_again_in_time() {
        let closed = Note::Closed(ConnId(1), Some(name("alice")), CloseReason::Ours(Code::TOO_SLOW));
        let heard = Seen::Delivered { conn: ConnId(1), to: Side::Listener, bytes: b"x", flipped: false };
        for (then, fine) in [(Seen::Noted(&closed), true), (heard, true), (Seen::Phase(Phase::Calm), false)] {
            let mut oracle = Slow::default();
            oracle.see(1, &Seen::Noted(&Note::Paused(ConnId(1), name("alice")))).expect("pausing is free");
            oracle.see(SUSPENSE_US - 1, &then).expect("in time");
            assert_eq!(oracle.see(2 * SUSPENSE_US, &Seen::Phase(Phase::Calm)).is_ok(), fine);
        }
    }
}
