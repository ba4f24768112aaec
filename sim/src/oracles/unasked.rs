//! Whatever the CA does in secret under a person's name is known to that person's devices within one online period, and told
//! again by each program that starts; so is what another device of theirs has taken back, and that is an alarm to nobody, nor
//! is anybody alarmed by what nobody did.
//!
//! A period counts that begins after the act and lasts long enough without a fault of the network: the one at the end of
//! the run, after everybody came online once more in the calm.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Command, Event};
use countersign_core::effect::Note;
use countersign_core::id::{DeviceLabel, DeviceName, KeyId, UserName};
use countersign_core::journal::Record;
use countersign_core::limits::UNASKED_KEPT_MAX;
use countersign_core::tlog::{Basis, Certified, Leaf, Unasked as Found};

use super::Oracle;
use crate::story::{Phase, Seen};

/// How long a period has to last at least, in microseconds: some pages of the log, each after the other.
const PERIOD_US: u64 = 60_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Unasked {
    /// What was done under the name of which device's user, at which place of the log that it is shown, and when.
    acts: Vec<(DeviceName, u64, u64)>,
    /// What the operator has taken back: to a person's other devices that is nothing they asked for.
    revoked: BTreeSet<DeviceName>,
    /// What somebody has wished to take back themselves.
    wished: BTreeSet<DeviceName>,
    /// The recovery keys that somebody has wished to make, and by which device.
    armed: BTreeMap<KeyId, DeviceName>,
    /// Whom the operator has let in again.
    reissued: BTreeSet<UserName>,
    /// What the journal has been asked to take back by its owner, by which device of theirs.
    asked: BTreeMap<DeviceName, DeviceName>,
    /// What was taken back so, by which device, and when.
    withdrawn: Vec<(DeviceName, DeviceName, u64)>,
    devices: BTreeMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    name: DeviceName,
    /// When it got its certificate.
    born_us: Option<u64>,
    online_us: Option<u64>,
    /// What this program has told, and what any program of the device has.
    told: BTreeSet<u64>,
    ever: BTreeSet<u64>,
    /// What this program has told of devices that another one has taken back.
    gone: BTreeSet<DeviceName>,
}

impl Oracle for Unasked {
    fn name(&self) -> &'static str {
        "unasked"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Betrayed(victim, index) => self.acts.push(((*victim).clone(), *index, at_us)),
            Seen::Durable(_, records) => {
                for record in *records {
                    match Record::decode(record) {
                        Ok((_, Record::DeviceRevoked { name, .. })) => drop(self.revoked.insert(name)),
                        Ok((_, Record::DeviceWithdrawn { name, endorsement, .. })) => {
                            let by = sibling(&name, &endorsement.by);
                            self.asked.insert(name, by);
                        }
                        Ok((_, Record::CertificateReissued(grant))) => drop(self.reissued.insert(grant.name.user)),
                        _ => {}
                    }
                }
            }
            Seen::Wished(who, Command::Arm(key)) => drop(self.armed.insert(key.id(), who.name.clone())),
            Seen::Wished(who, Command::Withdraw(device, ..)) => drop(self.wished.insert(sibling(who.name, device))),
            Seen::Noted(Note::Revoked(name)) => {
                self.withdrawn.extend(self.asked.remove(name).map(|by| (name.clone(), by, at_us)));
            }
            Seen::EnrolEnded(who, EnrolResult::Enrolled(_), ..) => {
                self.known(who.program.device, who.name).born_us.get_or_insert(at_us);
            }
            Seen::Started(who, _) => {
                let known = self.known(who.program.device, who.name);
                (known.online_us, known.told, known.gone) = (None, BTreeSet::new(), BTreeSet::new());
            }
            Seen::Anew(who) => drop(self.devices.remove(&who.program.device)),
            Seen::Killed(who) | Seen::Told(who, Event::Offline(..) | Event::GivenUp(_) | Event::Done) => {
                self.known(who.program.device, who.name).online_us = None;
            }
            Seen::Told(who, Event::Online(_)) => {
                let user = &who.name.user;
                let known = self.known(who.program.device, who.name);
                known.online_us = Some(at_us);
                if let Some(index) = known.ever.difference(&known.told).next() {
                    return Err(format!("{user} was told of entry {index} of the log, and is not told again"));
                }
            }
            Seen::Told(who, Event::Unasked(unasked)) => {
                let (user, index) = (&who.name.user, unasked.index);
                self.may_be_told(who.name, unasked)?;
                let known = self.known(who.program.device, who.name);
                known.ever.insert(index);
                if let Leaf::Withdrawal { name, .. } = &unasked.leaf {
                    known.gone.insert(name.clone());
                }
                if !known.told.insert(index) {
                    return Err(format!("{user} is told of entry {index} of the log twice by one program"));
                }
            }
            Seen::Phase(Phase::Shutdown) => return self.all_know(at_us),
            _ => {}
        }
        Ok(())
    }
}

impl Unasked {
    fn known(&mut self, device: usize, name: &DeviceName) -> &mut Known {
        let known = self.devices.entry(device).or_insert_with(|| Known::of(name));
        if known.name != *name {
            *known = Known::of(name);
        }
        known
    }

    /// Whether somebody did what a person is told of, and whether it is told as what it is.
    fn may_be_told(&self, own: &DeviceName, unasked: &Found) -> Result<(), String> {
        let (user, index) = (&own.user, unasked.index);
        let by_nobody = || Err(format!("{user} is alarmed by entry {index} of the log, which nobody has put there"));
        if unasked.leaf.about() != Some(user) {
            return by_nobody();
        }
        let is_act = self.acts.iter().any(|(victim, place, _)| victim.user == *user && *place == index);
        // Whoever has made a code knows of it; the others of theirs are told.
        let is_theirs = |key: KeyId| self.armed.get(&key).is_some_and(|by| by.user == *user && by != own);
        let is_own = match &unasked.leaf {
            Leaf::Withdrawal { name, .. } => self.wished.contains(name),
            Leaf::RecoveryKey { key, .. } => is_theirs(key.id()),
            Leaf::DeviceCertificate(Certified { basis: Basis::Recovered(word), .. }) => {
                self.armed.get(&word.key.id()).is_some_and(|by| by.user == *user)
            }
            _ => false,
        };
        match &unasked.leaf {
            _ if is_own && unasked.is_alarm => {
                Err(format!("{user} is alarmed by entry {index} of the log, which a device of their own has asked for"))
            }
            _ if is_own => Ok(()),
            Leaf::Revocation { name, .. }
                if unasked.is_alarm && (self.revoked.contains(name) || self.reissued.contains(user)) =>
            {
                Ok(())
            }
            Leaf::DeviceCertificate(Certified { basis: Basis::Reissue, .. })
                if unasked.is_alarm && self.reissued.contains(user) =>
            {
                Ok(())
            }
            _ if is_act && unasked.is_alarm => Ok(()),
            _ => by_nobody(),
        }
    }

    fn all_know(&self, at_us: u64) -> Result<(), String> {
        for Known { name, born_us, online_us, told, gone, .. } in self.devices.values() {
            let Some(online_us) = online_us.filter(|online_us| at_us - online_us >= PERIOD_US) else { continue };
            let before = self.acts.iter().filter(|(victim, _, act_us)| victim == name && *act_us < online_us);
            if let Some((_, index, _)) = before.into_iter().find(|(_, index, _)| !told.contains(index)) {
                let seconds = (at_us - online_us) / 1_000_000;
                let user = &name.user;
                return Err(format!("{user} is online for {seconds} s and does not know of entry {index} of the log"));
            }
            // Whoever has too much to acknowledge is told of the first of it alone.
            let is_full = told.len() >= UNASKED_KEPT_MAX;
            let is_theirs = |(device, by, since_us): &&(DeviceName, DeviceName, u64)| {
                let was_there = born_us.is_some_and(|born_us| born_us < *since_us) && *since_us < online_us;
                by.user == name.user && by != name && device != name && was_there && !gone.contains(device)
            };
            if let Some((device, by, _)) = self.withdrawn.iter().find(is_theirs).filter(|_| !is_full) {
                return Err(format!("{name} does not know that {by} has taken {device} back"));
            }
        }
        Ok(())
    }
}

impl Known {
    fn of(name: &DeviceName) -> Self {
        let (told, ever, gone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { name: name.clone(), born_us: None, online_us: None, told, ever, gone }
    }
}

/// A device of the same person.
fn sibling(own: &DeviceName, device: &DeviceLabel) -> DeviceName {
    DeviceName { user: own.user.clone(), device: device.clone() }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::{Realm, Serial};
    use countersign_core::pki::SecretKey;
    use countersign_core::time::Wall;
    use countersign_core::tlog::{Endorsement, NoteName, ReasonCode};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::oracles::tests::{Stage, name, welcome};

    const LATE_US: u64 = 2 * PERIOD_US;

    /// An alarm about somebody, at a place of the log.
    fn alarm(user: &str, index: u64) -> Event {
        let serial = Serial::draw(&mut ChaCha20Rng::seed_from_u64(1));
        let reason = ReasonCode::new(0).expect("a reason");
        let leaf = Leaf::Revocation { name: name(user), serial, reason, at: Wall(0) };
        Event::Unasked(Box::new(Found { log: NoteName::parse("log").expect("a name"), index, leaf, is_alarm: true }))
    }

    /// The oracle of a run in which something was done under alice's name, and she came online then.
    fn betrayed(stage: &Stage) -> Unasked {
        let mut oracle = Unasked::default();
        oracle.see(1, &Seen::Betrayed(&name("alice"), 7)).expect("nobody is to know yet");
        oracle.see(2, &Seen::Started(stage.who(0), true)).expect("a start");
        stage.told(0, Event::Online(welcome("alice"))).show(&mut oracle).expect("a welcome");
        oracle
    }

    #[test]
    fn whoever_is_online_for_long_after_the_act_has_to_know_of_it() {
        let stage = Stage::of(&["alice"]);
        let end = Seen::Phase(Phase::Shutdown);
        assert!(betrayed(&stage).see(LATE_US, &end).is_err_and(|words| words.contains("does not know of entry 7")));
        assert_eq!(betrayed(&stage).see(PERIOD_US, &end), Ok(()), "there was no time");
        let mut knows = betrayed(&stage);
        assert_eq!(stage.told(0, alarm("alice", 7)).show(&mut knows), Ok(()));
        assert_eq!(knows.see(LATE_US, &end), Ok(()));
        let mut away = betrayed(&stage);
        assert_eq!(stage.told(0, Event::Done).show(&mut away), Ok(()));
        assert_eq!(away.see(LATE_US, &end), Ok(()));
        let mut early = betrayed(&stage);
        early.see(LATE_US, &Seen::Betrayed(&name("alice"), 8)).expect("it is done");
        assert_eq!(stage.told(0, alarm("alice", 7)).show(&mut early), Ok(()));
        assert_eq!(early.see(LATE_US, &end), Ok(()), "she has not come online since");
    }

    #[test]
    fn each_program_tells_it_again_and_once() {
        let stage = Stage::of(&["alice"]);
        let mut oracle = betrayed(&stage);
        assert_eq!(stage.told(0, alarm("alice", 7)).show(&mut oracle), Ok(()));
        assert!(stage.told(0, alarm("alice", 7)).show(&mut oracle).is_err_and(|words| words.contains("twice")));
        oracle.see(9, &Seen::Started(stage.who(0), true)).expect("a start");
        let online = stage.told(0, Event::Online(welcome("alice")));
        assert!(online.show(&mut oracle).is_err_and(|words| words.contains("not told again")));
        assert_eq!(stage.told(0, alarm("alice", 7)).show(&mut oracle), Ok(()));
        assert_eq!(online.show(&mut oracle), Ok(()));
    }

    #[test]
    fn that_a_persons_other_device_was_taken_back_is_for_this_one_to_know() {
        let stage = Stage::of(&["alice/tablet"]);
        let mut oracle = Unasked::default();
        assert!(stage.told(0, alarm("alice", 7)).show(&mut oracle).is_err());
        let reason = ReasonCode::new(0).expect("a reason");
        let record = Record::DeviceRevoked { name: name("alice"), reason, force: true, at: Wall(0) };
        oracle.see(1, &Seen::Durable(1, &[record.encode()])).expect("the operator may");
        assert_eq!(stage.told(0, alarm("alice", 7)).show(&mut oracle), Ok(()));
    }

    #[test]
    fn what_another_device_of_theirs_has_taken_back_people_are_told_and_never_alarmed_by() {
        let stage = Stage::of(&["alice", "alice/tablet", "alice/phone"]);
        let word = |by: usize, is_alarm| {
            let key = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1));
            let (gone, reason) = (name("alice/phone"), ReasonCode::new(1).expect("a reason"));
            let endorsement =
                Endorsement::withdraw(stage.who(by).name.device.clone(), &key, &Realm::default(), &gone, reason);
            let leaf = Leaf::Withdrawal { name: gone, reason, endorsement, at: Wall(0) };
            let log = NoteName::parse("log").expect("a name");
            stage.told(1, Event::Unasked(Box::new(Found { log, index: 9, leaf, is_alarm })))
        };
        let oracle = |is_wished: bool| {
            let mut oracle = Unasked::default();
            oracle.known(1, &name("alice/tablet")).born_us = Some(1);
            let reason = ReasonCode::new(1).expect("a reason");
            let wish = Command::Withdraw(name("alice/phone").device, reason, false);
            if is_wished {
                stage.wished(0, wish).show(&mut oracle).expect("wishing is free");
                oracle.asked.insert(name("alice/phone"), name("alice"));
                oracle.see(2, &Seen::Noted(&Note::Revoked(name("alice/phone")))).expect("it is done");
            }
            stage.told(1, Event::Online(welcome("alice/tablet"))).show_at(3, &mut oracle).expect("a welcome");
            oracle
        };
        let end = Seen::Phase(Phase::Shutdown);
        assert!(oracle(true).see(LATE_US, &end).is_err_and(|words| words.contains("does not know that")));
        let mut told = oracle(true);
        assert_eq!(word(0, false).show(&mut told).and_then(|()| told.see(LATE_US, &end)), Ok(()));
        assert!(word(0, true).show(&mut oracle(true)).is_err_and(|words| words.contains("of their own has asked for")));
        assert!(word(0, false).show(&mut oracle(false)).is_err_and(|words| words.contains("nobody has put there")));
    }

    #[test]
    fn an_alarm_about_what_nobody_did_is_objected_to() {
        let stage = Stage::of(&["alice", "bob"]);
        for (device, wrong) in [(0, alarm("alice", 8)), (1, alarm("bob", 7)), (0, alarm("bob", 7))] {
            let shown = stage.told(device, wrong).show(&mut betrayed(&stage));
            assert!(shown.is_err_and(|words| words.contains("nobody has put there")));
        }
    }
}
