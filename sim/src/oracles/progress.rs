//! When faults have stopped everybody is online within a bound, and whoever is called is reached and heard, directly
//! where nothing is in the way.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::calls::{CallEnd, CallEvent, Path};
use countersign_core::device::{Command, Event, LogRefusal};
use countersign_core::effect::Note;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::{CallId, DeviceName};
use countersign_core::pki::CrlRefusal;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;

use super::Oracle;
use super::clocks::Clocks;
use super::revoked;
use crate::actors::person::ROLL_CALL_LINES;
use crate::story::plots::Plot;
use crate::story::tally::reason_name;
use crate::story::{Phase, Program, Seen, Who};

/// See the module.
#[derive(Debug)]
pub struct Progress {
    phase: Phase,
    /// Each device by its number: whether it is online, and whether the roll call reached it.
    devices: BTreeMap<usize, Reached>,
    /// The calls of the roll call, and whether each was wished for by its holder.
    calls: BTreeMap<(Program, CallId), Called>,
    /// Whether a device can be reached directly by those who wish it, and wishes it.
    open_hosts: BTreeMap<usize, bool>,
    /// Which device has which name.
    names: BTreeMap<DeviceName, usize>,
    /// Who wished to speak with whom, and then did on another device of theirs.
    elsewhere: BTreeSet<(String, String)>,
    clocks: Clocks,
    /// Whether the operator has restored an older journal, which may not know everybody.
    restored: bool,
    /// Which devices the operator has taken back.
    revoked: BTreeSet<DeviceName>,
    /// Of which devices there is a copy, which takes their place and they the copy's.
    copied: BTreeSet<DeviceName>,
    /// Whether the relay lies until the calm: then it may have told a device something that makes it give up.
    lied_to: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    online: bool,
    spoke: bool,
}

#[derive(Debug, Default)]
struct Called {
    holder: String,
    whom: String,
    /// With which device it is open.
    with: Option<DeviceName>,
    open: bool,
    heard: u64,
    direct: bool,
}

impl Progress {
    /// The oracle of a run with so many devices, and an honest relay or one that lies until the calm.
    pub fn new(devices: usize, lied_to: bool) -> Self {
        let devices = (0..devices).map(|device| (device, Reached::default())).collect();
        let (calls, open_hosts, names) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self {
            phase: Phase::Storm,
            devices,
            calls,
            open_hosts,
            names,
            elsewhere: BTreeSet::new(),
            clocks: Clocks::default(),
            restored: false,
            revoked: BTreeSet::new(),
            copied: BTreeSet::new(),
            lied_to,
        }
    }
}

impl Oracle for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.clocks.see(at_us, seen);
        match seen {
            Seen::NotStarted(who, refusal) => {
                self.not_started(who.program, &who.name.user.to_string(), *refusal, at_us)
            }
            Seen::Restored(..) => {
                self.restored = true;
                Ok(())
            }
            // A crash may come between the record and the note.
            Seen::Replayed(state, _) => {
                self.revoked.extend(revoked::of(state));
                Ok(())
            }
            Seen::Noted(Note::Revoked(device)) => {
                self.revoked.insert(device.clone());
                Ok(())
            }
            Seen::Plot(Plot::Copied(device)) => {
                self.copied.insert(device.clone());
                Ok(())
            }
            Seen::Phase(phase) => {
                self.phase = *phase;
                match phase {
                    Phase::RollCall => self.all_online(),
                    Phase::Shutdown => self.all_reached(),
                    Phase::Storm | Phase::Calm | Phase::Over => Ok(()),
                }
            }
            Seen::Hosted(program, host) => {
                self.open_hosts.insert(program.device, host.is_open());
                Ok(())
            }
            Seen::ShutDown(false) => Err("the relay was told to shut down and has not".to_owned()),
            Seen::Told(who, event) => self.told(who, event, at_us),
            Seen::Wished(who, Command::Call(call, user, _)) if self.phase == Phase::RollCall => {
                let (holder, whom) = (who.name.user.to_string(), user.to_string());
                self.calls.insert((who.program, *call), Called { holder, whom, ..Called::default() });
                Ok(())
            }
            Seen::Killed(who) => {
                self.set_online(who.program.device, false);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Progress {
    /// Who is not let in by their own program has a clock that is wrong, or a certificate that has lapsed, and the
    /// refusal says which.
    fn not_started(&self, program: Program, name: &str, refusal: CertRefusal, at_us: u64) -> Result<(), String> {
        let wrong = self.clocks.is_wrong(program.device, at_us);
        let lapsed = refusal == CertRefusal::Expired && self.clocks.has_lapsed(program.device, at_us);
        match refusal {
            CertRefusal::Expired | CertRefusal::NotYetValid if wrong || lapsed => Ok(()),
            _ => Err(format!("{name} can't start ({refusal}), and nothing is wrong with clock and certificate")),
        }
    }

    fn told(&mut self, who: &Who<'_>, event: &Event, at_us: u64) -> Result<(), String> {
        let (program, name) = (who.program, &who.name.user);
        match event {
            Event::Online(_) => {
                self.names.insert(who.name.clone(), program.device);
                self.set_online(program.device, true);
            }
            Event::Offline(..) | Event::Lapsed(_) | Event::Done => self.set_online(program.device, false),
            Event::GivenUp(reason) if self.clocks.excuse(program.device, *reason, at_us) => {
                self.set_online(program.device, false);
            }
            // Whoever came after the backup; and whoever has seen what is gone, until they have asked the operator.
            Event::GivenUp(
                CloseReason::Theirs(Code::UNKNOWN_DEVICE | Code::RENEWAL_UNKNOWN) | CloseReason::Fault(Fault::History),
            ) if self.restored => self.set_online(program.device, false),
            Event::GivenUp(CloseReason::Theirs(Code::REVOKED)) if self.revoked.contains(who.name) => {
                self.set_online(program.device, false);
            }
            Event::GivenUp(CloseReason::Theirs(Code::REPLACED))
                if self.copied.contains(who.name) && self.phase < Phase::RollCall =>
            {
                self.set_online(program.device, false);
            }
            Event::GivenUp(_) if self.lied_to => self.set_online(program.device, false),
            Event::GivenUp(reason) => {
                return Err(format!("{name} gave up ({}), and nothing was wrong with it", reason_name(*reason)));
            }
            Event::Call(call, event) if self.phase == Phase::RollCall => {
                self.call_event((program, *call), name.as_str(), event);
            }
            // By a clock that is wrong the log's own certificate is not valid, nor that of the CA whose lists there are.
            Event::LogRefused(LogRefusal::Certificate(CertRefusal::Expired | CertRefusal::NotYetValid))
            | Event::ListsRefused(CrlRefusal::Issuer(CertRefusal::Expired | CertRefusal::NotYetValid)) => {}
            Event::LogRefused(LogRefusal::Restored(_)) if self.restored => {}
            Event::LogRefused(refusal) if !self.lied_to => {
                return Err(format!("{name} does not believe the log ({refusal}), and nobody has lied"));
            }
            Event::ListsRefused(refusal) if !self.lied_to => {
                return Err(format!("{name} does not believe the revocation lists ({refusal}), and nobody has lied"));
            }
            Event::AnotherLog(_) if !self.restored => return Err(format!("{name} sees another log begin")),
            Event::Call(..)
            | Event::Here(_)
            | Event::Doubted(_)
            | Event::Reconciled(_)
            | Event::Conversation(_)
            | Event::Presence(..)
            | Event::Asked(_)
            | Event::Followed(_)
            | Event::Unasked(_)
            | Event::AnotherLog(_)
            | Event::Listed(_)
            | Event::ListsRefused(_)
            | Event::LogRefused(_)
            | Event::Renewed(_)
            | Event::NotRenewed(_)
            | Event::ServerClock(_)
            | Event::Denied(..) => {}
        }
        Ok(())
    }

    fn call_event(&mut self, call: (Program, CallId), holder: &str, event: &CallEvent) {
        match event {
            CallEvent::Open(with, _) => {
                let known = self.calls.entry(call).or_default();
                (known.open, known.whom, known.with) = (true, with.user.to_string(), Some(with.clone()));
                holder.clone_into(&mut known.holder);
                if let Some(device) = self.devices.get_mut(&call.0.device) {
                    device.spoke = true;
                }
            }
            CallEvent::Line(..) => {
                if let Some(known) = self.calls.get_mut(&call) {
                    known.heard += 1;
                }
            }
            CallEvent::Moved(path, _) => {
                if let Some(known) = self.calls.get_mut(&call) {
                    known.direct = *path == Path::Direct;
                }
            }
            // A restored server has lost somebody who then came anew: whoever has met them before is told, and nothing more
            // is owed to the two.
            CallEvent::Changed(..) | CallEvent::Ended(CallEnd::Refused(Code::CHANGED)) => {
                self.calls.remove(&call);
                if let Some(device) = self.devices.get_mut(&call.0.device) {
                    device.spoke = true;
                }
            }
            // Both called at once, and it came up on another device of theirs.
            // Both called, and theirs has come up with another device of this person: for all others they are busy then.
            CallEvent::Ended(CallEnd::Refused(code @ (Code::ELSEWHERE | Code::IN_A_CALL))) => {
                match self.calls.remove(&call) {
                    Some(known) => drop(self.elsewhere.insert((known.holder, known.whom))),
                    // Somebody has called this person, who speaks with them on another device of theirs.
                    None if *code == Code::ELSEWHERE => {}
                    None => return,
                }
                if let Some(device) = self.devices.get_mut(&call.0.device) {
                    device.spoke = true;
                }
            }
            CallEvent::Waiting
            | CallEvent::Ringing(_)
            | CallEvent::Incoming(_)
            | CallEvent::Met(..)
            | CallEvent::Ended(_) => {}
        }
    }

    fn set_online(&mut self, device: usize, online: bool) {
        if let Some(known) = self.devices.get_mut(&device) {
            known.online = online;
        }
    }

    fn all_online(&self) -> Result<(), String> {
        match self.devices.iter().find(|(_, known)| !known.online) {
            Some((device, _)) => Err(format!("device {device} is not online, long after the faults have stopped")),
            None => Ok(()),
        }
    }

    fn all_reached(&self) -> Result<(), String> {
        self.all_online()?;
        for ((program, call), known) in &self.calls {
            let (device, whom) = (program.device, &known.whom);
            if !known.open {
                return Err(format!("device {device} called {whom} in the calm (call {call}) and was not put through"));
            }
            if known.heard < ROLL_CALL_LINES {
                let heard = known.heard;
                return Err(format!(
                    "device {device} heard {heard} of {ROLL_CALL_LINES} lines from {whom} (call {call})"
                ));
            }
        }
        for ((program, call), known) in &self.calls {
            let is_open = |device: &usize| self.open_hosts.get(device) == Some(&true);
            let other = known.with.as_ref().and_then(|with| self.names.get(with));
            let both = is_open(&program.device) && other.is_some_and(is_open);
            if both && !known.direct {
                let (device, whom) = (program.device, &known.whom);
                return Err(format!(
                    "device {device} could reach {whom} directly (call {call}) and speaks by the relay"
                ));
            }
        }
        let speaks = |(holder, whom): &(String, String)| {
            self.calls.values().any(|known| known.open && known.holder == *holder && known.whom == *whom)
        };
        if let Some((holder, whom)) = self.elsewhere.iter().find(|pair| !speaks(pair)) {
            return Err(format!("{holder} is said to speak with {whom} on another device, and does not"));
        }
        match self.devices.iter().find(|(_, known)| !known.spoke) {
            Some((device, _)) => Err(format!("device {device} spoke with nobody in the roll call")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::tests::{Stage, name, welcome};

    /// A roll call in which two people each hear `lines` lines, if the call opens at all.
    fn roll_call(online: bool, opens: bool, lines: u64) -> Result<(), String> {
        let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Progress::new(2, false));
        stage.told(0, Event::Online(welcome("alice"))).show(&mut oracle)?;
        if online {
            stage.told(1, Event::Online(welcome("bob"))).show(&mut oracle)?;
        }
        oracle.see(0, &Seen::Phase(Phase::RollCall))?;
        let call = CallId(1);
        stage.wished(0, Command::Call(call, name("bob").user, std::time::Duration::ZERO)).show(&mut oracle)?;
        for (device, other) in [(0, "bob"), (1, "alice")] {
            if opens {
                let open = CallEvent::Open(name(other), Path::Tunnel);
                stage.told(device, Event::Call(call, open)).show(&mut oracle)?;
            }
            for n in 0..lines {
                let line = CallEvent::Line(n, "hello".to_owned());
                stage.told(device, Event::Call(call, line)).show(&mut oracle)?;
            }
        }
        oracle.see(1, &Seen::Phase(Phase::Shutdown))
    }

    #[test]
    fn everybody_must_be_online_be_put_through_and_be_heard() {
        assert_eq!(roll_call(true, true, ROLL_CALL_LINES), Ok(()));
        assert!(roll_call(false, true, ROLL_CALL_LINES).is_err());
        assert!(roll_call(true, false, 0).is_err());
        assert!(roll_call(true, true, ROLL_CALL_LINES - 1).is_err());
    }

    #[test]
    fn who_is_busy_with_another_device_of_the_caller_has_to_speak_with_that_one() {
        let (stage, mut oracle) = (Stage::of(&["alice", "alice/tablet", "bob"]), Progress::new(3, false));
        for (device, user) in [(0, "alice"), (1, "alice/tablet"), (2, "bob")] {
            stage.told(device, Event::Online(welcome(user))).show(&mut oracle).expect("they are online");
        }
        oracle.see(0, &Seen::Phase(Phase::RollCall)).expect("all are");
        let call = Command::Call(CallId(1), name("bob").user, std::time::Duration::ZERO);
        stage.wished(0, call).show(&mut oracle).expect("wishing is free");
        let busy = CallEvent::Ended(CallEnd::Refused(Code::IN_A_CALL));
        stage.told(0, Event::Call(CallId(1), busy)).show(&mut oracle).expect("he may be");
        let end = Seen::Phase(Phase::Shutdown);
        assert!(oracle.see(1, &end).is_err_and(|words| words.contains("on another device")));
    }

    #[test]
    fn a_device_that_gives_up_is_objected_to() {
        let (stage, mut oracle) = (Stage::of(&["alice"]), Progress::new(1, false));
        assert!(stage.told(0, Event::GivenUp(CloseReason::Truncated)).show(&mut oracle).is_err());
    }
}
