//! When everything is calm, everybody's view of who is here is who is here.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::id::DeviceName;

use super::Oracle;
use crate::story::{Phase, Seen};

/// See the module.
#[derive(Debug, Default)]
pub struct Presence {
    /// Who is online, by their own account, and whom each of them sees.
    views: BTreeMap<usize, (DeviceName, BTreeSet<DeviceName>)>,
    /// Members who are villains: they come and go as they like, and give no account of it.
    villains: BTreeSet<DeviceName>,
    /// Whether the relay lies until the calm.
    lied_to: bool,
}

impl Presence {
    /// The oracle of a run with an honest relay, or with one that lies until the calm.
    pub fn new(lied_to: bool) -> Self {
        Self { lied_to, ..Self::default() }
    }
}

impl Oracle for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(who, event) => {
                let device = who.program.device;
                match event {
                    Event::Online(_) => drop(self.views.insert(device, (who.name.clone(), BTreeSet::new()))),
                    Event::Offline(..) | Event::Lapsed(_) | Event::GivenUp(_) | Event::Done => {
                        drop(self.views.remove(&device));
                    }
                    Event::Here(devices) => {
                        if let Some((_, view)) = self.views.get_mut(&device) {
                            view.extend(devices.iter().cloned());
                        }
                    }
                    Event::Presence(other, here) => {
                        if let Some((_, view)) = self.views.get_mut(&device) {
                            // A coming twice or a going of nobody would be a view that is wrong by luck alone.
                            let changed = if *here { view.insert(other.clone()) } else { view.remove(other) };
                            if !changed && !self.lied_to {
                                let what = if *here { "come who was here" } else { "go who was not here" };
                                return Err(format!("{} sees {} {what}", who.name.user, other.user));
                            }
                        }
                    }
                    Event::Asked(_)
                    | Event::Followed(_)
                    | Event::Unasked(_)
                    | Event::Listed(_)
                    | Event::ListsRefused(_)
                    | Event::AnotherLog(_)
                    | Event::LogRefused(_)
                    | Event::Doubted(_)
                    | Event::Reconciled(_)
                    | Event::Conversation(_)
                    | Event::Renewed(_)
                    | Event::NotRenewed(_)
                    | Event::ServerClock(_)
                    | Event::Call(..)
                    | Event::Denied(..) => {}
                }
                Ok(())
            }
            Seen::Infiltrated(name) => {
                self.villains.insert((*name).clone());
                Ok(())
            }
            Seen::Killed(who) => {
                self.views.remove(&who.program.device);
                Ok(())
            }
            // From here on whoever comes online is told the truth.
            Seen::Phase(Phase::RollCall) => {
                self.lied_to = false;
                self.compare()
            }
            Seen::Phase(Phase::Shutdown) => self.compare(),
            _ => Ok(()),
        }
    }
}

impl Presence {
    fn compare(&self) -> Result<(), String> {
        let here: BTreeSet<&DeviceName> = self.views.values().map(|(name, _)| name).collect();
        for (name, view) in self.views.values() {
            if let Some(missed) = here.iter().find(|other| **other != name && !view.contains(**other)) {
                return Err(format!("{} does not see {}, who is here", name.user, missed.user));
            }
            if let Some(ghost) = view.iter().find(|other| !here.contains(other) && !self.villains.contains(other)) {
                return Err(format!("{} sees {}, who is not here", name.user, ghost.user));
            }
            if view.contains(name) {
                return Err(format!("{} is shown themselves", name.user));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::tests::{Stage, name, welcome};

    fn both_online() -> (Stage, Presence) {
        let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Presence::default());
        for step in [
            stage.told(0, Event::Online(welcome("alice"))),
            stage.told(0, Event::Here(Vec::new())),
            stage.told(1, Event::Online(welcome("bob"))),
            stage.told(1, Event::Here(vec![name("alice")])),
        ] {
            assert_eq!(step.show(&mut oracle), Ok(()));
        }
        (stage, oracle)
    }

    #[test]
    fn a_view_is_right_when_everybody_was_told() {
        let (stage, mut oracle) = both_online();
        assert_eq!(stage.told(0, Event::Presence(name("bob"), true)).show(&mut oracle), Ok(()));
        assert_eq!(oracle.see(0, &Seen::Phase(Phase::Shutdown)), Ok(()));
    }

    #[test]
    fn a_coming_that_was_not_told_and_a_ghost_are_objected_to() {
        let (stage, mut oracle) = both_online();
        assert!(oracle.see(0, &Seen::Phase(Phase::RollCall)).is_err());
        for there in ["bob", "carol"] {
            stage.told(0, Event::Presence(name(there), true)).show(&mut oracle).expect("told once");
        }
        assert!(oracle.see(0, &Seen::Phase(Phase::RollCall)).is_err());
        assert!(stage.told(0, Event::Presence(name("carol"), true)).show(&mut oracle).is_err());
        assert!(stage.told(0, Event::Presence(name("dave"), false)).show(&mut oracle).is_err());
    }
}
