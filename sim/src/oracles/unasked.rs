//! Whatever the CA does in secret under a person's name is known to that person's devices within one online period, and told
//! again by each program that starts; and nobody is alarmed by what nobody did.
//!
//! A period counts that begins after the act and lasts long enough without a fault of the network: the one at the end of
//! the run, after everybody came online once more in the calm.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::effect::Note;
use countersign_core::id::DeviceName;
use countersign_core::tlog::Leaf;

use super::{Oracle, revoked};
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
    devices: BTreeMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    name: DeviceName,
    online_us: Option<u64>,
    /// What this program has told, and what any program of the device has.
    told: BTreeSet<u64>,
    ever: BTreeSet<u64>,
}

impl Oracle for Unasked {
    fn name(&self) -> &'static str {
        "unasked"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Betrayed(victim, index) => self.acts.push(((*victim).clone(), *index, at_us)),
            Seen::Noted(Note::Revoked(name)) => drop(self.revoked.insert(name.clone())),
            // A crash may come between the record and the note.
            Seen::Replayed(state, _) => self.revoked.extend(revoked::of(state)),
            Seen::Started(who, _) => {
                let known = self.known(who.program.device, who.name);
                (known.online_us, known.told) = (None, BTreeSet::new());
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
                let is_act = self.acts.iter().any(|(victim, place, _)| victim.user == *user && *place == index);
                let is_revocation =
                    matches!(&unasked.leaf, Leaf::Revocation { name, .. } if self.revoked.contains(name));
                if !(is_act || is_revocation) || unasked.leaf.about() != Some(user) {
                    return Err(format!("{user} is alarmed by entry {index} of the log, which nobody has put there"));
                }
                let known = self.known(who.program.device, who.name);
                known.ever.insert(index);
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

    fn all_know(&self, at_us: u64) -> Result<(), String> {
        for Known { name, online_us, told, .. } in self.devices.values() {
            let Some(online_us) = online_us.filter(|online_us| at_us - online_us >= PERIOD_US) else { continue };
            let before = self.acts.iter().filter(|(victim, _, act_us)| victim == name && *act_us < online_us);
            if let Some((_, index, _)) = before.into_iter().find(|(_, index, _)| !told.contains(index)) {
                let seconds = (at_us - online_us) / 1_000_000;
                let user = &name.user;
                return Err(format!("{user} is online for {seconds} s and does not know of entry {index} of the log"));
            }
        }
        Ok(())
    }
}

impl Known {
    fn of(name: &DeviceName) -> Self {
        Self { name: name.clone(), online_us: None, told: BTreeSet::new(), ever: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::Serial;
    use countersign_core::time::Wall;
    use countersign_core::tlog::{Leaf, NoteName, ReasonCode, Unasked as Found};
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
        oracle.see(1, &Seen::Noted(&Note::Revoked(name("alice")))).expect("the operator may");
        assert_eq!(stage.told(0, alarm("alice", 7)).show(&mut oracle), Ok(()));
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
