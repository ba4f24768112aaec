//! Nobody is blamed who did nothing: a side finds fault with the other only where a byte was damaged on the way.
//!
//! All programs here keep to the protocol, so whoever is said to have broken it was misunderstood. Calls run inside of
//! connections that notice each damage first, so in a call there is never a fault to find.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::ConnId;

use super::Oracle;
use crate::story::tally::reason_name;
use crate::story::{Program, Seen, Who};

/// See the module.
#[derive(Debug, Default)]
pub struct Blame {
    damaged: BTreeSet<ConnId>,
    current: BTreeMap<Program, ConnId>,
}

impl Oracle for Blame {
    fn name(&self) -> &'static str {
        "blame"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Connected(conn, who) => drop(self.current.insert(who.program, *conn)),
            Seen::Delivered { conn, flipped: true, .. } => drop(self.damaged.insert(*conn)),
            Seen::Noted(Note::Closed(conn, _, reason)) if blames(*reason) && !self.damaged.contains(conn) => {
                return Err(format!("the relay blames connection {conn}: {}", reason_name(*reason)));
            }
            Seen::Told(who, Event::Offline(reason, _) | Event::GivenUp(reason))
            | Seen::EnrolEnded(who, EnrolResult::Lost(reason), ..) => return self.device(who, *reason),
            Seen::Told(who, Event::Call(call, CallEvent::Ended(CallEnd::Closed(reason)))) if blames(*reason) => {
                return Err(format!("{} blames the other in call {call}: {}", who.name.user, reason_name(*reason)));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Blame {
    fn device(&self, who: &Who<'_>, reason: CloseReason) -> Result<(), String> {
        let damaged = self.current.get(&who.program).is_some_and(|conn| self.damaged.contains(conn));
        if blames(reason) && !damaged {
            return Err(format!("{} blames the relay: {}", who.name.user, reason_name(reason)));
        }
        Ok(())
    }
}

fn blames(reason: CloseReason) -> bool {
    matches!(reason, CloseReason::Fault(_) | CloseReason::Alert(_))
}

#[cfg(test)]
mod tests {
    use countersign_core::fault::Fault;

    use super::*;
    use crate::oracles::tests::Stage;
    use crate::story::Side;

    const BLAMED: CloseReason = CloseReason::Fault(Fault::BadRecord);

    #[test]
    fn a_fault_without_damage_is_objected_to_on_either_side() {
        let (stage, conn) = (Stage::of(&["alice"]), ConnId(1));
        for damaged in [false, true] {
            let mut oracle = Blame::default();
            oracle.see(0, &Seen::Connected(conn, stage.who(0))).expect("connecting is free");
            oracle.see(1, &Seen::Delivered { conn, to: Side::Relay, bytes: b"x", flipped: damaged }).expect("free");
            assert_eq!(oracle.see(2, &Seen::Noted(&Note::Closed(conn, None, BLAMED))).is_ok(), damaged);
            let offline = Event::Offline(BLAMED, std::time::Duration::ZERO);
            assert_eq!(stage.told(0, offline).show(&mut oracle).is_ok(), damaged);
            assert_eq!(oracle.see(3, &Seen::Noted(&Note::Closed(conn, None, CloseReason::Truncated))), Ok(()));
        }
    }

    #[test]
    fn a_fault_in_a_call_is_never_right() {
        let ended = CallEvent::Ended(CallEnd::Closed(BLAMED));
        let call = Event::Call(countersign_core::id::CallId(1), ended);
        assert!(Stage::of(&["alice"]).told(0, call).show(&mut Blame::default()).is_err());
    }
}
