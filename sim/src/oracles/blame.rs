//! Nobody is blamed who did nothing: a side finds fault with the other only where bytes were tampered with on the way.
//!
//! All programs here keep to the protocol, so whoever is said to have broken it was misunderstood. Calls run inside of
//! connections that notice each damage first, so in a call there is never a fault to find.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::device::calls::{CallEnd, CallEvent, DirectEnd};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, ConnId};

use super::Oracle;
use crate::story::tally::reason_name;
use crate::story::weather::Weather;
use crate::story::{Program, Seen, Who};

/// See the module.
#[derive(Debug, Default)]
pub struct Blame {
    damaged: BTreeSet<ConnId>,
    current: BTreeMap<Program, ConnId>,
    /// The direct connections that each program was at an end of.
    direct: BTreeMap<Program, BTreeSet<ConnId>>,
    /// Who was led to somebody else than they dialled.
    astray: BTreeSet<Program>,
}

impl Oracle for Blame {
    fn name(&self) -> &'static str {
        "blame"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Connected(conn, who) => drop(self.current.insert(who.program, *conn)),
            Seen::Delivered { conn, flipped: true, .. } | Seen::Network(Weather::Meddled(conn, ..)) => {
                self.damaged.insert(*conn);
            }
            Seen::Met { conn, dialler, listener, astray } => {
                for program in dialler.iter().chain(listener.iter().map(|(program, _)| program)) {
                    self.direct.entry(*program).or_default().insert(*conn);
                }
                if let (Some(program), true) = (dialler, astray) {
                    self.astray.insert(*program);
                }
            }
            Seen::Told(who, Event::Call(call, CallEvent::Moved(_, Some(end)))) => return self.moved(who, *call, *end),
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
    /// A direct connection may fail by somebody's fault where the device was led to somebody else, or one of its own was
    /// tampered with.
    fn moved(&self, who: &Who<'_>, call: CallId, end: DirectEnd) -> Result<(), String> {
        let (DirectEnd::Failed(reason) | DirectEnd::Broken(reason)) = end else { return Ok(()) };
        let damaged = self.direct.get(&who.program).is_some_and(|conns| !conns.is_disjoint(&self.damaged));
        if blames(reason) && !damaged && !self.astray.contains(&who.program) {
            let name = &who.name.user;
            return Err(format!("{name} blames the other for the direct way of call {call}: {}", reason_name(reason)));
        }
        Ok(())
    }

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
    use countersign_core::device::calls::Path;
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
            oracle.see(1, &Seen::Delivered { conn, to: Side::Listener, bytes: b"x", flipped: damaged }).expect("free");
            assert_eq!(oracle.see(2, &Seen::Noted(&Note::Closed(conn, None, BLAMED))).is_ok(), damaged);
            let offline = Event::Offline(BLAMED, std::time::Duration::ZERO);
            assert_eq!(stage.told(0, offline).show(&mut oracle).is_ok(), damaged);
            assert_eq!(oracle.see(3, &Seen::Noted(&Note::Closed(conn, None, CloseReason::Truncated))), Ok(()));
        }
    }

    #[test]
    fn a_direct_connection_may_fail_by_a_fault_only_where_the_dialler_was_led_astray() {
        let stage = Stage::of(&["alice"]);
        for astray in [false, true] {
            let mut oracle = Blame::default();
            let dialler = Some(stage.who(0).program);
            let met = Seen::Met { conn: crate::story::FIRST_DIRECT, dialler, listener: None, astray };
            oracle.see(0, &met).expect("meeting is free");
            let moved = CallEvent::Moved(Path::Tunnel, Some(DirectEnd::Failed(BLAMED)));
            assert_eq!(stage.told(0, Event::Call(CallId(1), moved)).show(&mut oracle).is_ok(), astray);
        }
    }

    #[test]
    fn a_fault_in_a_call_is_never_right() {
        let ended = CallEvent::Ended(CallEnd::Closed(BLAMED));
        let call = Event::Call(countersign_core::id::CallId(1), ended);
        assert!(Stage::of(&["alice"]).told(0, call).show(&mut Blame::default()).is_err());
    }
}
