//! Every revoked device is out everywhere within the bound, whether the operator has taken it back or its owner: the relay ends
//! its connections within a second and admits it no more; and whoever goes by lists that are younger neither meets it nor hears it.
//!
//! When a person's device has heard the lists is theirs to say (`Listed`); one that the network keeps away from the relay
//! may go on for so long, and in the calm, when nothing does, nobody is left who does.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::approve::Approval;
use countersign_core::device::calls::CallEvent;
use countersign_core::device::{Asked, Event};
use countersign_core::effect::Note;
use countersign_core::id::{CallId, ConnId, DeviceName};
use countersign_core::journal::State;

use super::Oracle;
use crate::story::{Phase, Program, Seen};

/// How long the relay may take to end what a revoked device has there, in microseconds.
const BOUND_US: u64 = 1_000_000;
/// How long the lists may take to be written down after the revocation was, in microseconds: an append of the longest kind,
/// behind all that waits for the disk. Lists that come earlier may be from before.
const LISTED_US: u64 = 5_000_000;

/// The devices that are revoked by what a journal says.
pub(super) fn of(state: &State) -> impl Iterator<Item = DeviceName> + '_ {
    let devices = state.users().iter().flat_map(|(user, account)| {
        account.devices.keys().map(|device| DeviceName { user: user.clone(), device: device.clone() })
    });
    devices.filter(|name| state.revoked(name).is_some())
}

/// See the module.
#[derive(Debug, Default)]
pub struct Revoked {
    /// Since when each device is.
    since: BTreeMap<DeviceName, u64>,
    /// The relay's connections of each device.
    conns: BTreeMap<DeviceName, BTreeSet<ConnId>>,
    /// With whom each call is.
    calls: BTreeMap<(Program, CallId), DeviceName>,
    /// When each program has heard its newest lists.
    listed: BTreeMap<Program, u64>,
}

impl Oracle for Revoked {
    fn name(&self) -> &'static str {
        "revoked"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.connections_end(at_us)?;
        match seen {
            Seen::Noted(Note::Revoked(name)) => drop(self.since.entry(name.clone()).or_insert(at_us)),
            // A crash may come between the record and the note.
            Seen::Replayed(state, _) => {
                for name in of(state) {
                    self.since.entry(name).or_insert(at_us);
                }
            }
            Seen::Noted(Note::Admitted(conn, name)) => {
                if let Some(since_us) = self.since.get(name) {
                    return Err(format!("{name} is admitted, and was revoked {} us before", at_us - since_us));
                }
                self.conns.entry(name.clone()).or_default().insert(*conn);
            }
            Seen::Noted(Note::Closed(conn, Some(name), _)) => {
                if let Some(conns) = self.conns.get_mut(name) {
                    conns.remove(conn);
                }
            }
            Seen::Crashed(..) => self.conns.clear(),
            // Whoever has taken back a device of their own and is told that it is done relies on it, whatever the log says.
            Seen::Told(who, Event::Asked(Asked::Approval(Approval::Withdrawn(device, _)))) => {
                let name = DeviceName { user: who.name.user.clone(), device: device.clone() };
                self.since.entry(name).or_insert(at_us);
            }
            // An older journal has forgotten what was revoked, and who is.
            Seen::Restored(..) => self.since.clear(),
            Seen::Told(who, Event::Listed(_)) => drop(self.listed.insert(who.program, at_us)),
            Seen::Told(who, Event::Call(call, event)) => return self.call(who.program, *call, event, at_us),
            Seen::Killed(who) | Seen::Told(who, Event::Done) => {
                self.calls.retain(|(program, _), _| *program != who.program);
            }
            Seen::Phase(Phase::Shutdown) => return self.nobody_is_left(),
            _ => {}
        }
        Ok(())
    }
}

impl Revoked {
    fn connections_end(&self, at_us: u64) -> Result<(), String> {
        for (name, since_us) in self.since.iter().filter(|(_, since_us)| at_us > *since_us + BOUND_US) {
            if self.conns.get(name).is_some_and(|conns| !conns.is_empty()) {
                return Err(format!("{name} is connected {} us after it was revoked", at_us - since_us));
            }
        }
        Ok(())
    }

    fn call(&mut self, program: Program, call: CallId, event: &CallEvent, at_us: u64) -> Result<(), String> {
        match event {
            CallEvent::Open(with, _) => {
                self.calls.insert((program, call), with.clone());
                self.spoken(program, with, "meets", at_us)
            }
            CallEvent::Line(..) => {
                let with = self.calls.get(&(program, call));
                with.map_or(Ok(()), |with| self.spoken(program, with, "hears", at_us))
            }
            CallEvent::Ended(_) => {
                self.calls.remove(&(program, call));
                Ok(())
            }
            CallEvent::Waiting
            | CallEvent::Ringing(_)
            | CallEvent::Incoming(_)
            | CallEvent::Changed(..)
            | CallEvent::Met(..)
            | CallEvent::Moved(..) => Ok(()),
        }
    }

    /// Somebody who has heard lists that are young enough has nothing to do with whoever is on them.
    fn spoken(&self, program: Program, with: &DeviceName, what: &str, at_us: u64) -> Result<(), String> {
        let (Some(since_us), Some(listed_us)) = (self.since.get(with), self.listed.get(&program)) else {
            return Ok(());
        };
        if *listed_us > since_us + LISTED_US {
            let after_us = at_us - since_us;
            return Err(format!("device {} {what} {with}, who was revoked {after_us} us before", program.device));
        }
        Ok(())
    }

    fn nobody_is_left(&self) -> Result<(), String> {
        match self.calls.iter().find(|(_, with)| self.since.contains_key(with)) {
            Some(((program, call), with)) => {
                Err(format!("device {} is in call {call} with {with} at the end, who was revoked", program.device))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::device::calls::Path;
    use countersign_core::fault::CloseReason;
    use countersign_core::wire::Code;
    use countersign_core::wire::revocation::SignedLists;

    use super::*;
    use crate::oracles::tests::{Stage, name};

    const LATE_US: u64 = LISTED_US + BOUND_US;

    fn revoked() -> Revoked {
        let mut oracle = Revoked::default();
        oracle.see(0, &Seen::Noted(&Note::Admitted(ConnId(1), name("bob")))).expect("he may come");
        oracle.see(1, &Seen::Noted(&Note::Revoked(name("bob")))).expect("he may be revoked");
        oracle
    }

    fn closed() -> Note {
        Note::Closed(ConnId(1), Some(name("bob")), CloseReason::Ours(Code::REVOKED))
    }

    #[test]
    fn a_connection_that_stays_and_one_that_comes_are_objected_to() {
        let mut oracle = revoked();
        assert!(oracle.see(BOUND_US + 2, &Seen::Rotten).is_err_and(|words| words.contains("is connected")));
        let mut oracle = revoked();
        oracle.see(2, &Seen::Noted(&closed())).expect("it is to go");
        oracle.see(BOUND_US + 2, &Seen::Rotten).expect("it has gone");
        let again = Note::Admitted(ConnId(2), name("bob"));
        assert!(oracle.see(3, &Seen::Noted(&again)).is_err_and(|words| words.contains("is admitted")));
    }

    #[test]
    fn what_its_owner_is_told_is_taken_back_has_to_go_whatever_the_log_says() {
        let (stage, mut oracle) = (Stage::of(&["bob/tablet"]), Revoked::default());
        oracle.see(0, &Seen::Noted(&Note::Admitted(ConnId(1), name("bob")))).expect("he may come");
        let told = Event::Asked(Asked::Approval(Approval::Withdrawn(name("bob").device, 1)));
        stage.told(0, told).show_at(1, &mut oracle).expect("it may be taken back");
        assert!(oracle.see(BOUND_US + 2, &Seen::Rotten).is_err_and(|words| words.contains("is connected")));
    }

    #[test]
    fn whoever_has_heard_younger_lists_neither_meets_nor_hears_the_revoked() {
        let (stage, call) = (Stage::of(&["alice"]), |event| Event::Call(CallId(1), event));
        let open = || stage.told(0, call(CallEvent::Open(name("bob"), Path::Direct)));
        let line = || stage.told(0, call(CallEvent::Line(0, "hello".to_owned())));
        let oracle = || {
            let mut oracle = revoked();
            oracle.see(2, &Seen::Noted(&closed())).expect("it is to go");
            oracle
        };
        let listed = || stage.told(0, Event::Listed(SignedLists::default()));
        let mut early = oracle();
        listed().show_at(3, &mut early).expect("lists may come");
        open().show_at(LATE_US, &mut early).expect("she has not heard of it");
        listed().show_at(LATE_US + 1, &mut early).expect("lists may come");
        assert!(line().show_at(LATE_US + 2, &mut early).is_err_and(|words| words.contains("hears bob")));
        assert!(open().show_at(LATE_US + 2, &mut early).is_err_and(|words| words.contains("meets bob")));
        let end = Seen::Phase(Phase::Shutdown);
        assert!(early.see(LATE_US, &end).is_err_and(|words| words.contains("at the end")));
    }
}
