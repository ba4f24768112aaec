//! Whatever the CA does in secret under a person's name is known to that person's devices within one online period, and told
//! again by each program that starts; and nobody is alarmed by what nobody did.
//!
//! A period counts that begins after the act and lasts long enough without a fault of the network: the one at the end of
//! the run, after everybody came online once more in the calm.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::id::UserName;

use super::Oracle;
use crate::story::{Phase, Seen};

/// How long a period has to last at least, in microseconds: some pages of the log, each after the other.
const PERIOD_US: u64 = 60_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Unasked {
    /// What was done, under whose name, at which place of the log, and when.
    acts: Vec<(UserName, u64, u64)>,
    devices: BTreeMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    user: UserName,
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
            Seen::Betrayed(victim, index) => self.acts.push((victim.user.clone(), *index, at_us)),
            Seen::Started(who, _) => {
                let known = self.known(who.program.device, &who.name.user);
                (known.online_us, known.told) = (None, BTreeSet::new());
            }
            Seen::Anew(who) => drop(self.devices.remove(&who.program.device)),
            Seen::Killed(who) | Seen::Told(who, Event::Offline(..) | Event::GivenUp(_) | Event::Done) => {
                self.known(who.program.device, &who.name.user).online_us = None;
            }
            Seen::Told(who, Event::Online(_)) => {
                let user = &who.name.user;
                let known = self.known(who.program.device, user);
                known.online_us = Some(at_us);
                if let Some(index) = known.ever.difference(&known.told).next() {
                    return Err(format!("{user} was told of entry {index} of the log, and is not told again"));
                }
            }
            Seen::Told(who, Event::Unasked(unasked)) => {
                let (user, index) = (&who.name.user, unasked.index);
                let is_act = self.acts.iter().any(|(victim, place, _)| victim == user && *place == index);
                if !is_act || unasked.leaf.about() != Some(user) {
                    return Err(format!("{user} is alarmed by entry {index} of the log, which nobody has put there"));
                }
                let known = self.known(who.program.device, user);
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
    fn known(&mut self, device: usize, user: &UserName) -> &mut Known {
        let known = self.devices.entry(device).or_insert_with(|| Known::of(user));
        if known.user != *user {
            *known = Known::of(user);
        }
        known
    }

    fn all_know(&self, at_us: u64) -> Result<(), String> {
        for Known { user, online_us, told, .. } in self.devices.values() {
            let Some(online_us) = online_us.filter(|online_us| at_us - online_us >= PERIOD_US) else { continue };
            let before = self.acts.iter().filter(|(victim, _, act_us)| victim == user && *act_us < online_us);
            if let Some((_, index, _)) = before.into_iter().find(|(_, index, _)| !told.contains(index)) {
                let seconds = (at_us - online_us) / 1_000_000;
                return Err(format!("{user} is online for {seconds} s and does not know of entry {index} of the log"));
            }
        }
        Ok(())
    }
}

impl Known {
    fn of(user: &UserName) -> Self {
        Self { user: user.clone(), online_us: None, told: BTreeSet::new(), ever: BTreeSet::new() }
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
    fn an_alarm_about_what_nobody_did_is_objected_to() {
        let stage = Stage::of(&["alice", "bob"]);
        for (device, wrong) in [(0, alarm("alice", 8)), (1, alarm("bob", 7)), (0, alarm("bob", 7))] {
            let shown = stage.told(device, wrong).show(&mut betrayed(&stage));
            assert!(shown.is_err_and(|words| words.contains("nobody has put there")));
        }
    }
}
