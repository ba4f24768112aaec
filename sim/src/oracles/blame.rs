//! Nobody is blamed who did nothing: a side finds fault with the other only where bytes were tampered with on the way.
//!
//! All programs here keep to the protocol, so whoever is said to have broken it was misunderstood. Tunnels run inside of
//! connections that notice each damage first, so there is never a fault to find in one. A direct connection may be all
//! that a call has left, and the end of both.
//!
//! A device whose civil clock is wrong is excused for what that brings about, and a certificate that has lapsed, too.

mod tunnels;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::device::calls::{CallEnd, CallEvent, DirectEnd, Path};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::effect::Note;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::{CallId, ConnId};
use countersign_core::tls::CertRefusal;

use super::Oracle;
use super::clocks::Clocks;
use crate::story::tally::reason_name;
use crate::story::weather::Weather;
use crate::story::{Program, Seen, Who, is_direct};
use tunnels::Tunnels;

/// See the module.
#[derive(Debug, Default)]
pub struct Blame {
    damaged: BTreeSet<ConnId>,
    current: BTreeMap<Program, ConnId>,
    /// The direct connections that each program was at an end of.
    direct: BTreeMap<Program, BTreeSet<ConnId>>,
    /// The calls that went directly at some time.
    went_direct: BTreeSet<(Program, CallId)>,
    tunnels: Tunnels,
    /// Who was led to somebody else than they dialled.
    astray: BTreeSet<Program>,
    clocks: Clocks,
    /// Who was given the wrong idea of whose server it is.
    misled: BTreeSet<Program>,
    /// Whether the relay lies: then devices blame it, and each other for what it has made of their calls, with reason.
    lied_to: bool,
    /// Whether the server was restored from a backup: whoever has seen what is gone leaves it, until they have asked.
    restored: bool,
}

impl Blame {
    /// The oracle of a run with an honest relay, or with one that lies.
    pub fn new(lied_to: bool) -> Self {
        Self { lied_to, ..Self::default() }
    }
}

impl Oracle for Blame {
    fn name(&self) -> &'static str {
        "blame"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.clocks.see(at_us, seen);
        let judged = self.judge(at_us, seen);
        self.tunnels.see(at_us, seen);
        judged
    }
}

impl Blame {
    fn judge(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Slipped(who, slip, true) if slip.doubts_the_server() => drop(self.misled.insert(who.program)),
            Seen::Opened(conn, program) if self.misled.contains(program) => drop(self.damaged.insert(*conn)),
            Seen::Connected(conn, who) => drop(self.current.insert(who.program, *conn)),
            Seen::Delivered { conn, flipped: true, .. } | Seen::Network(Weather::Meddled(conn, ..)) => {
                self.damaged.insert(*conn);
            }
            // A villain is blamed with reason.
            Seen::Knocked(conn, _) if !is_direct(*conn) => drop(self.damaged.insert(*conn)),
            Seen::Met { conn, dialler, listener, astray } => {
                for program in dialler.iter().chain(listener.iter().map(|(program, _)| program)) {
                    self.direct.entry(*program).or_default().insert(*conn);
                }
                if let (Some(program), true) = (dialler, astray) {
                    self.astray.insert(*program);
                }
            }
            Seen::Told(who, Event::Call(call, CallEvent::Moved(Path::Direct, _))) => {
                self.went_direct.insert((who.program, *call));
            }
            Seen::Told(who, Event::Call(call, CallEvent::Moved(_, Some(end)))) => {
                return self.moved(who, *call, *end, at_us);
            }
            Seen::Noted(Note::Closed(conn, _, reason))
                if blames(*reason)
                    && !self.damaged.contains(conn)
                    && !self.clocks.excuse_relay(*conn, *reason, at_us) =>
            {
                return Err(format!("the relay blames connection {conn}: {}", reason_name(*reason)));
            }
            Seen::Told(_, Event::Offline(..) | Event::GivenUp(_) | Event::Call(_, CallEvent::Ended(_)))
                if self.lied_to => {}
            Seen::Restored(..) => self.restored = true,
            Seen::Told(_, Event::GivenUp(CloseReason::Fault(Fault::History))) if self.restored => {}
            Seen::Told(who, Event::Offline(reason, _) | Event::GivenUp(reason) | Event::Lapsed(Some(reason)))
            | Seen::EnrolEnded(who, EnrolResult::Lost(reason), ..) => return self.device(who, *reason, at_us),
            Seen::Told(who, Event::Call(call, CallEvent::Ended(CallEnd::Closed(reason))))
                if blames(*reason) && !self.clocks.excuse_call(*reason, at_us) =>
            {
                return self.ended(who, *call, *reason);
            }
            _ => {}
        }
        Ok(())
    }

    /// A direct connection may fail by somebody's fault where the device was led to somebody else, or one of its own was
    /// tampered with.
    fn moved(&self, who: &Who<'_>, call: CallId, end: DirectEnd, at_us: u64) -> Result<(), String> {
        let (DirectEnd::Failed(reason) | DirectEnd::Broken(reason)) = end else { return Ok(()) };
        if blames(reason)
            && !self.is_damaged_directly(who.program)
            && !self.astray.contains(&who.program)
            && !self.clocks.excuse_call(reason, at_us)
        {
            let name = &who.name.user;
            return Err(format!("{name} blames the other for the direct way of call {call}: {}", reason_name(reason)));
        }
        Ok(())
    }

    /// A call may be over by a fault where the connection that was its last way was tampered with: by one that anybody
    /// on that way can bring about, and none that takes a key. While there is a tunnel, it goes on there.
    fn ended(&self, who: &Who<'_>, call: CallId, reason: CloseReason) -> Result<(), String> {
        let anybodys = match reason {
            CloseReason::Fault(fault) => matches!(fault, Fault::BadRecord | Fault::NotTls),
            _ => true,
        };
        let end = (who.program, call);
        let tampered = self.went_direct.contains(&end) && self.is_damaged_directly(who.program);
        if anybodys && tampered && self.tunnels.may_be_gone(end, who) {
            return Ok(());
        }
        Err(format!("{} blames the other in call {call}: {}", who.name.user, reason_name(reason)))
    }

    /// Whether one of a program's direct connections was tampered with.
    fn is_damaged_directly(&self, program: Program) -> bool {
        self.direct.get(&program).is_some_and(|conns| !conns.is_disjoint(&self.damaged))
    }

    fn device(&self, who: &Who<'_>, reason: CloseReason, at_us: u64) -> Result<(), String> {
        let damaged = self.current.get(&who.program).is_some_and(|conn| self.damaged.contains(conn));
        if blames(reason) && !damaged && !self.clocks.excuse(who.program.device, reason, at_us) {
            return Err(format!("{} blames the relay: {}", who.name.user, reason_name(reason)));
        }
        Ok(())
    }
}

fn blames(reason: CloseReason) -> bool {
    // That somebody was revoked is the operator's doing.
    let revoked = CloseReason::Fault(Fault::Certificate(CertRefusal::Revoked));
    reason != revoked && matches!(reason, CloseReason::Fault(_) | CloseReason::Alert(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::tests::{Stage, name};
    use crate::story::weather::Deed;
    use crate::story::{FIRST_DIRECT, Side};

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
    fn a_call_may_be_over_by_a_meddlers_deed_on_its_own_direct_connection_alone() {
        let ended = |reason| Event::Call(CallId(1), CallEvent::Ended(CallEnd::Closed(reason)));
        let judge = |went: bool, tunnel: bool, at: usize, reason| {
            let (stage, mut oracle) = (Stage::of(&["alice", "bob", "carol"]), Blame::default());
            let met = |conn, one, other: usize| Seen::Met {
                conn,
                dialler: Some(stage.who(one).program),
                listener: Some((stage.who(other).program, CallId(9))),
                astray: false,
            };
            let tampered = Weather::Meddled(FIRST_DIRECT, Side::Dialler, Deed::DroppedRecord);
            let steps = [met(FIRST_DIRECT, 0, 1), met(ConnId(FIRST_DIRECT.0 + 1), 0, 2), Seen::Network(&tampered)];
            steps.iter().try_for_each(|seen| oracle.see(0, seen)).expect("all of it is free");
            let open = Event::Call(CallId(1), CallEvent::Open(name("dave"), Path::Tunnel));
            stage.told(at, open).show(&mut oracle).expect("opening is free");
            if !tunnel {
                let offline = Event::Offline(CloseReason::Truncated, std::time::Duration::ZERO);
                stage.told(at, offline).show(&mut oracle).expect("a cut is free");
            }
            if went {
                let moved = Event::Call(CallId(1), CallEvent::Moved(Path::Direct, None));
                stage.told(at, moved).show(&mut oracle).expect("moving is free");
            }
            stage.told(at, ended(reason)).show(&mut oracle)
        };
        assert_eq!(judge(true, false, 0, BLAMED), Ok(()));
        assert_eq!(judge(true, false, 1, CloseReason::Alert(20)), Ok(()));
        assert!(judge(true, true, 0, BLAMED).is_err(), "it could go on in the tunnel");
        assert!(judge(true, false, 2, BLAMED).is_err(), "nobody touched hers");
        assert!(judge(false, false, 0, BLAMED).is_err(), "the call never went there");
        assert!(judge(true, false, 0, CloseReason::Fault(Fault::Malformed)).is_err(), "that takes a key");
    }

    #[test]
    fn a_fault_in_a_tunnel_is_never_right() {
        let ended = CallEvent::Ended(CallEnd::Closed(BLAMED));
        let call = Event::Call(countersign_core::id::CallId(1), ended);
        assert!(Stage::of(&["alice"]).told(0, call).show(&mut Blame::default()).is_err());
    }
}
