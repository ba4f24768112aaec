//! Two honest people who talk after the server has shown them different logs never end unwarned: at the latest at the next
//! contact with it one of them has the evidence, and keeps it. Nobody is warned of what is not so.
//!
//! What a device has seen it tells itself (`Followed`); of which log each head is, a relay that lies says to this oracle
//! alone. Two heads contradict each other if no log has both. A contact counts that lasts long enough without a fault: the one
//! at the end of the run, after everybody came online once more in the calm.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Event, Followed, LogRefusal};
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::{CallId, DeviceName};
use countersign_core::tlog::{Checkpoint, Head, ViewRefusal};
use countersign_core::wire::Code;

use super::Oracle;
use crate::story::plots::Plot;
use crate::story::{Phase, Program, Seen, Who};

/// How long a contact has to last at least, in microseconds: some questions, each after the other.
const CONTACT_US: u64 = 20_000_000;

/// A head of a log: how many entries, and their root.
type Known = (u64, [u8; 32]);

/// See the module.
#[derive(Debug)]
pub struct Split {
    /// Whether somebody else than the genuine relay is at its place.
    lies: bool,
    /// Of which logs each head is.
    heads: BTreeMap<Known, BTreeSet<u64>>,
    devices: BTreeMap<usize, Device>,
    /// With whom each call may be.
    calls: BTreeMap<(Program, CallId), BTreeSet<DeviceName>>,
    /// Who has talked with whom, when, and with which heads.
    talks: Vec<Talk>,
}

#[derive(Debug)]
struct Talk {
    between: [usize; 2],
    heads: [Known; 2],
    at_us: u64,
}

#[derive(Debug)]
struct Device {
    name: DeviceName,
    newest: Option<Known>,
    online_us: Option<u64>,
    /// When it has left the server last for what that shows as its log.
    left_us: Option<u64>,
    /// Whether it has the proof; and which two heads it has that the server would have to explain.
    proof: bool,
    evidence: Option<[Known; 2]>,
    /// Whether its program has told of it, and whether any has.
    told: bool,
    warned: bool,
}

impl Split {
    /// The oracle of a run with an honest relay, or with one that lies.
    pub fn new(lies: bool) -> Self {
        Self { lies, heads: BTreeMap::new(), devices: BTreeMap::new(), calls: BTreeMap::new(), talks: Vec::new() }
    }
}

impl Oracle for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Plot(Plot::Head(log, head)) => {
                self.heads.entry(known(head)).or_default().insert(*log);
            }
            Seen::Anew(who) => drop(self.devices.remove(&who.program.device)),
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), ..) => {
                if let Some(followed) = identity.log.followed() {
                    self.follows(who, &followed);
                }
            }
            Seen::Started(who, _) => {
                let device = self.device(who);
                (device.told, device.online_us) = (false, None);
            }
            Seen::Killed(who) | Seen::Told(who, Event::Offline(..) | Event::GivenUp(_) | Event::Done) => {
                let device = self.device(who);
                device.online_us = None;
                if let Seen::Told(_, Event::GivenUp(CloseReason::Fault(Fault::History))) = seen {
                    device.left_us = Some(at_us);
                }
                self.calls.retain(|(program, _), _| *program != who.program);
            }
            Seen::Told(who, Event::Online(_)) => {
                let device = self.device(who);
                device.online_us = Some(at_us);
                if device.proof {
                    return Err(format!("{} has the proof of two logs, and goes on", who.name));
                }
            }
            Seen::Told(who, Event::Followed(followed) | Event::AnotherLog(followed)) => self.follows(who, followed),
            Seen::Told(who, Event::LogRefused(LogRefusal::History(refusal))) => return self.warned(who, refusal),
            Seen::Told(who, Event::Call(call, event)) => self.call(who, *call, event, at_us),
            Seen::Phase(Phase::Shutdown) => return self.everybody_is_warned(at_us),
            _ => {}
        }
        Ok(())
    }
}

impl Split {
    fn device(&mut self, who: &Who<'_>) -> &mut Device {
        let device = self.devices.entry(who.program.device).or_insert_with(|| Device::of(who.name));
        if device.name != *who.name {
            *device = Device::of(who.name);
        }
        device
    }

    fn follows(&mut self, who: &Who<'_>, followed: &Followed) {
        let checkpoint = Checkpoint::parse(followed.checkpoint.as_bytes()).ok();
        if let Some(checkpoint) = checkpoint {
            self.device(who).newest = Some(known(checkpoint.head()));
        }
    }

    /// No log that there is has both; of what nobody said nothing is known.
    fn contradict(&self, one: Known, other: Known) -> bool {
        let (Some(ones), Some(others)) = (self.heads.get(&one), self.heads.get(&other)) else { return false };
        ones.is_disjoint(others)
    }

    fn call(&mut self, who: &Who<'_>, call: CallId, event: &CallEvent, at_us: u64) {
        let key = (who.program, call);
        match event {
            CallEvent::Ringing(with) | CallEvent::Incoming(with) => {
                self.calls.entry(key).or_default().insert(with.clone());
            }
            CallEvent::Open(with, _) => {
                self.calls.insert(key, BTreeSet::from([with.clone()]));
                self.talk(who, with, at_us);
            }
            CallEvent::Ended(end) => {
                let with = self.calls.remove(&key).unwrap_or_default();
                let other_log = matches!(
                    end,
                    CallEnd::Closed(CloseReason::Fault(Fault::OtherLog) | CloseReason::Theirs(Code::OTHER_LOG))
                );
                // Where it rang at several nobody knows which one it was.
                if let Some(with) = with.first().filter(|_| other_log && with.len() == 1) {
                    self.talk(who, with, at_us);
                }
            }
            CallEvent::Waiting
            | CallEvent::Changed(..)
            | CallEvent::Met(..)
            | CallEvent::Line(..)
            | CallEvent::Moved(..) => {}
        }
    }

    /// The two are who they say, and have heard each other.
    fn talk(&mut self, who: &Who<'_>, with: &DeviceName, at_us: u64) {
        let other = self.devices.iter().find(|(_, device)| device.name == *with);
        let heads = other.and_then(|(other, device)| Some((*other, device.newest?)));
        let ours = self.devices.get(&who.program.device).and_then(|device| device.newest);
        if let (Some(ours), Some((other, theirs))) = (ours, heads) {
            self.talks.push(Talk { between: [who.program.device, other], heads: [ours, theirs], at_us });
        }
    }

    /// Somebody is told that the server has two logs: it has to be so.
    fn warned(&mut self, who: &Who<'_>, refusal: &ViewRefusal) -> Result<(), String> {
        let (pair, is_proof) = match refusal {
            ViewRefusal::Split(split) => ([split.one().head(), split.other().head()].map(known), true),
            ViewRefusal::Diverged { ours, theirs } => ([ours.head(), theirs.head()].map(known), false),
            _ => return Ok(()),
        };
        let contradicts = self.contradict(pair[0], pair[1]);
        if !self.lies {
            return Err(format!("{} is warned of two logs, and there is one", who.name));
        }
        let device = self.device(who);
        (device.told, device.warned) = (true, true);
        if contradicts {
            device.proof |= is_proof;
            device.evidence = Some(pair);
        }
        Ok(())
    }

    fn everybody_is_warned(&self, at_us: u64) -> Result<(), String> {
        let in_contact = |device: &Device, since_us: u64| {
            device.online_us.is_some_and(|online_us| at_us >= online_us.max(since_us) + CONTACT_US)
        };
        let was_in_contact =
            |device: &Device, since_us| in_contact(device, since_us) || device.left_us.is_some_and(|us| us >= since_us);
        for Talk { between, heads: [one, other], at_us: talked_us } in &self.talks {
            let both = between.map(|device| self.devices.get(&device));
            let [Some(first), Some(second)] = both else { continue };
            let unwarned = !first.warned && !second.warned && self.contradict(*one, *other);
            if unwarned && [first, second].iter().any(|device| was_in_contact(device, *talked_us)) {
                return Err(format!(
                    "{}, who saw {} entries, talked with {}, who saw {} of another log, and neither is warned",
                    first.name, one.0, second.name, other.0
                ));
            }
        }
        let forgot = |device: &&Device| device.evidence.is_some() && !device.told && in_contact(device, 0);
        match self.devices.values().find(forgot) {
            Some(device) => Err(format!("{} was warned of two logs, and is not any more", device.name)),
            None => Ok(()),
        }
    }
}

impl Device {
    fn of(name: &DeviceName) -> Self {
        let name = name.clone();
        Self {
            name,
            newest: None,
            online_us: None,
            left_us: None,
            proof: false,
            evidence: None,
            told: false,
            warned: false,
        }
    }
}

fn known(head: &Head) -> Known {
    (head.size, head.root.0)
}

#[cfg(test)]
mod tests {
    use countersign_core::device::calls::Path;
    use countersign_core::id::Realm;
    use countersign_core::pki::SecretKey;
    use countersign_core::tlog::{LogSigner, NoteName, ProofRefusal, Split as Proof, Tree, VerifiedCheckpoint};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use rustls::pki_types::CertificateDer;

    use super::*;
    use crate::oracles::tests::{Stage, name, welcome};

    /// A checkpoint of the log that has these entries.
    fn checkpoint(leaves: &[u8]) -> VerifiedCheckpoint {
        let tree: Tree = leaves.iter().map(|leaf| countersign_core::tlog::Hash::leaf(&[*leaf])).collect();
        let key = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1));
        LogSigner::new(NoteName::of_log(&Realm::default(), 1), key).sign(tree.head())
    }

    const ONE: &[u8] = &[1, 2, 3];
    const OTHER: &[u8] = &[1, 2, 4, 5];

    fn followed(leaves: &[u8]) -> Event {
        let certificate = CertificateDer::from(vec![1]);
        Event::Followed(Box::new(Followed { certificate, checkpoint: checkpoint(leaves).to_string(), reading: None }))
    }

    fn call(event: CallEvent) -> Event {
        Event::Call(CallId(1), event)
    }

    /// Alice follows the one log and bob that, in a run whose relay says which heads there are.
    fn oracle(stage: &Stage, bobs: &[u8]) -> Split {
        let mut oracle = Split::new(true);
        for (log, leaves) in [(0, ONE), (1, OTHER)] {
            for size in 1..=leaves.len() {
                let head = Plot::Head(log, *checkpoint(&leaves[..size]).head());
                oracle.see(1, &Seen::Plot(&head)).expect("it is shown");
            }
        }
        for (device, leaves) in [(0, ONE), (1, bobs)] {
            oracle.see(1, &Seen::Started(stage.who(device), false)).expect("a start");
            let user = ["alice", "bob"][device];
            stage.told(device, Event::Online(welcome(user))).show_at(2, &mut oracle).expect("a welcome");
            stage.told(device, followed(leaves)).show_at(2, &mut oracle).expect("it grows");
        }
        oracle
    }

    fn end(oracle: &mut Split) -> Result<(), String> {
        oracle.see(CONTACT_US + 9, &Seen::Phase(Phase::Shutdown))
    }

    fn diverged() -> Event {
        let (ours, theirs) = (Box::new(checkpoint(ONE)), Box::new(checkpoint(OTHER)));
        Event::LogRefused(LogRefusal::History(ViewRefusal::Diverged { ours, theirs }))
    }

    #[test]
    fn two_who_talk_and_were_shown_different_logs_are_warned_or_the_server_was_not_met_since() {
        let stage = Stage::of(&["alice", "bob"]);
        let open = || stage.told(0, call(CallEvent::Open(name("bob"), Path::Tunnel)));
        let other_log = || stage.told(1, call(CallEvent::Ended(CallEnd::Closed(CloseReason::Theirs(Code::OTHER_LOG)))));
        for fine in [ONE, &ONE[..1], &OTHER[..2]] {
            let mut oracle = oracle(&stage, fine);
            open().show_at(3, &mut oracle).expect("they may");
            assert_eq!(end(&mut oracle), Ok(()), "{fine:?}");
        }
        let mut talked = oracle(&stage, OTHER);
        open().show_at(3, &mut talked).expect("they may");
        assert!(end(&mut talked).is_err_and(|words| words.contains("neither is warned")));
        let mut ended = oracle(&stage, OTHER);
        stage.told(1, call(CallEvent::Incoming(name("alice")))).show_at(3, &mut ended).expect("she may");
        other_log().show_at(3, &mut ended).expect("it may end");
        assert!(end(&mut ended).is_err_and(|words| words.contains("neither is warned")));
        let mut silent = oracle(&stage, OTHER);
        assert_eq!(end(&mut silent), Ok(()), "they have not talked");
        let mut away = oracle(&stage, OTHER);
        open().show_at(3, &mut away).expect("they may");
        for device in [0, 1] {
            stage.told(device, Event::Done).show_at(4, &mut away).expect("they may");
        }
        assert_eq!(end(&mut away), Ok(()), "nobody has met the server since");
        let mut left = oracle(&stage, OTHER);
        open().show_at(3, &mut left).expect("they may");
        let given_up = Event::GivenUp(CloseReason::Fault(Fault::History));
        stage.told(0, given_up).show_at(4, &mut left).expect("she may");
        stage.told(1, Event::Done).show_at(4, &mut left).expect("he may");
        assert!(end(&mut left).is_err_and(|words| words.contains("neither is warned")));
        let mut warned = oracle(&stage, OTHER);
        open().show_at(3, &mut warned).expect("they may");
        stage.told(0, diverged()).show_at(4, &mut warned).expect("she may");
        assert_eq!(end(&mut warned), Ok(()));
    }

    #[test]
    fn whoever_is_warned_stays_warned() {
        let stage = Stage::of(&["alice", "bob"]);
        let mut oracle = oracle(&stage, OTHER);
        stage.told(0, diverged()).show_at(4, &mut oracle).expect("she may");
        oracle.see(5, &Seen::Started(stage.who(0), false)).expect("a start");
        stage.told(0, Event::Online(welcome("alice"))).show_at(5, &mut oracle).expect("the server is asked");
        assert!(end(&mut oracle).is_err_and(|words| words.contains("is not any more")));
        stage.told(0, diverged()).show_at(6, &mut oracle).expect("she may");
        assert_eq!(end(&mut oracle), Ok(()));
    }

    #[test]
    fn whoever_has_the_proof_does_not_go_on() {
        let stage = Stage::of(&["alice", "bob"]);
        let mut oracle = oracle(&stage, OTHER);
        let proof = Proof::of(checkpoint(&[1, 2, 3]), checkpoint(&[1, 2, 4])).expect("they contradict each other");
        let split = Event::LogRefused(LogRefusal::History(ViewRefusal::Split(Box::new(proof))));
        stage.told(0, split).show_at(4, &mut oracle).expect("she may");
        let online = stage.told(0, Event::Online(welcome("alice"))).show_at(5, &mut oracle);
        assert!(online.is_err_and(|words| words.contains("goes on")));
    }

    #[test]
    fn nobody_is_warned_of_an_honest_server() {
        let stage = Stage::of(&["alice"]);
        assert!(stage.told(0, diverged()).show(&mut Split::new(false)).is_err());
        let wrong = ViewRefusal::Proof(ProofRefusal::Root);
        assert_eq!(stage.told(0, Event::LogRefused(LogRefusal::History(wrong))).show(&mut Split::new(false)), Ok(()));
    }
}
