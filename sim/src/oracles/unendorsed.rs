//! A device for which nothing of its person's vouches is never taken for that person: not by whoever has met them, who is
//! told that somebody else has their name now, and not by whoever reads the row that should lead to them.
//!
//! Who has never met them can't know better by a call alone: then the row says that it begins with that very device, and the
//! owner is alarmed (`unasked.rs`).

use std::collections::BTreeMap;

use countersign_core::device::calls::CallEvent;
use countersign_core::device::{Asked, Event, Fetched};
use countersign_core::id::{DeviceName, KeyId, UserName};

use super::Oracle;
use crate::node::liar::grown::Claim;
use crate::story::Seen;

/// See the module.
#[derive(Debug, Default)]
pub struct Unendorsed {
    /// The devices that people do not have, by their names and their certificates.
    names: BTreeMap<DeviceName, (Claim, KeyId)>,
    certificates: BTreeMap<Vec<u8>, Claim>,
    /// Whom each device has met, by the key of the device that they begin with for it: perhaps one that was grown.
    met: BTreeMap<(usize, UserName), KeyId>,
}

impl Oracle for Unendorsed {
    fn name(&self) -> &'static str {
        "unendorsed"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Grown(name, claim, der, key) => {
                self.names.insert((*name).clone(), (*claim, *key));
                self.certificates.insert(der.to_vec(), *claim);
            }
            Seen::Anew(who) => self.met.retain(|(device, _), _| *device != who.program.device),
            Seen::Told(who, Event::Call(_, CallEvent::Met(user, met))) => {
                self.met.entry((who.program.device, user.clone())).or_insert(met.founder.key);
            }
            Seen::Told(
                who,
                Event::Call(_, CallEvent::Ringing(with) | CallEvent::Incoming(with) | CallEvent::Open(with, _)),
            ) => return self.taken(who.program.device, &who.name.user, with),
            Seen::Told(who, Event::Asked(Asked::Certificates(_, fetched))) => {
                return fetched.iter().try_for_each(|fetched| self.shown(&who.name.user, fetched));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Unendorsed {
    /// Somebody is told that this one rings, calls, or speaks with them.
    fn taken(&self, device: usize, by: &UserName, with: &DeviceName) -> Result<(), String> {
        match self.names.get(with) {
            Some((claim, _)) if claim.is_forged() => {
                Err(format!("{by} is told of {with}, which nothing of {}'s vouches for", with.user))
            }
            Some((_, key)) if self.met.get(&(device, with.user.clone())).is_some_and(|met| met != key) => {
                Err(format!("{by}, who has met {}, takes {with} for them", with.user))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Somebody reads whose device it is said to be.
    fn shown(&self, to: &UserName, fetched: &Fetched) -> Result<(), String> {
        let (Some(claim), Ok(judged)) = (self.certificates.get(fetched.leaf.as_ref()), &fetched.verdict) else {
            return Ok(());
        };
        let device = &judged.device;
        let founder = fetched.founder.filter(|founder| founder.key == judged.key && !claim.is_forged());
        match founder {
            Some(founder) if founder.reissued.is_some() == (*claim == Claim::Reissue) => Ok(()),
            _ => Err(format!("{to} reads that {device} is a device of {}, by a word that nobody gave", device.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::device::Met;
    use countersign_core::device::calls::Path;
    use countersign_core::id::{CallId, KeyId};
    use countersign_core::time::Wall;
    use countersign_core::tlog::Founder;

    use super::*;
    use crate::oracles::tests::{Stage, name};

    fn told(event: CallEvent) -> Event {
        Event::Call(CallId(1), event)
    }

    #[test]
    fn whoever_has_met_somebody_takes_no_device_for_theirs_that_was_grown_and_nobody_takes_a_forged_word() {
        let stage = Stage::of(&["alice", "bob"]);
        let met = Met { founder: Founder { key: KeyId([1; 32]), reissued: None }, since: Wall(0) };
        for claim in Claim::ALL {
            let mut oracle = Unendorsed::default();
            let spare = name("bob/spare-1");
            oracle.see(1, &Seen::Grown(&spare, claim, b"der", KeyId([9; 32]))).expect("it is done");
            let rings = || stage.told(0, told(CallEvent::Ringing(spare.clone())));
            assert_eq!(rings().show(&mut oracle).is_ok(), !claim.is_forged(), "{claim}");
            stage.told(0, told(CallEvent::Met(name("bob").user, met))).show(&mut oracle).expect("meeting is free");
            let open = stage.told(0, told(CallEvent::Open(spare.clone(), Path::Tunnel)));
            for step in [rings(), stage.told(0, told(CallEvent::Incoming(spare.clone()))), open] {
                assert!(step.show(&mut oracle).is_err(), "{claim}");
            }
            let genuine = stage.told(0, told(CallEvent::Ringing(name("bob"))));
            assert_eq!(genuine.show(&mut oracle), Ok(()));
            oracle.see(3, &Seen::Anew(stage.who(0))).expect("it may");
            assert_eq!(rings().show(&mut oracle).is_ok(), !claim.is_forged(), "{claim}");
        }
    }
}
