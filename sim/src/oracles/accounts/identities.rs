//! Which identity each device belongs to: who was let in again by the operator is another one, who came back by their code is
//! who they were. Whoever has met the one takes nobody for it who is the other, and is not told so of who is the same.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::device::calls::CallEvent;
use countersign_core::id::{DeviceName, KeyId, UserName};
use countersign_core::journal::Record;

use crate::story::Seen;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// The key of the first device to which each one leads back.
    founders: BTreeMap<DeviceName, KeyId>,
    /// Who has made each recovery key, by the number of their first device, and by which device.
    armed: BTreeMap<KeyId, (usize, DeviceName)>,
    /// By which recovery key a device was certified, and which ones by the operator's word alone, as the journal says.
    recovered: BTreeMap<DeviceName, KeyId>,
    reissued: BTreeSet<DeviceName>,
    /// Whom each device has met, and as whom.
    met: BTreeMap<(usize, UserName), KeyId>,
}

impl Identities {
    /// Sees one event.
    pub(super) fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Durable(_, records) => {
                for record in *records {
                    match Record::decode(record) {
                        Ok((_, Record::CertificateRecovered { grant, word })) => {
                            self.recovered.insert(grant.name, word.key.id());
                        }
                        Ok((_, Record::CertificateReissued(grant))) => drop(self.reissued.insert(grant.name)),
                        _ => {}
                    }
                }
            }
            Seen::Anew(who) => self.met.retain(|(device, _), _| *device != who.program.device),
            Seen::Told(who, Event::Call(_, event)) => return self.call(who.program.device, &who.name.user, event),
            _ => {}
        }
        Ok(())
    }

    /// A person has made a recovery key on one of their devices.
    pub(super) fn arms(&mut self, key: KeyId, owner: usize, by: &DeviceName) {
        self.armed.insert(key, (owner, by.clone()));
    }

    /// A device of this person has its certificate, and another one has vouched for it, if one has: whether anything but being
    /// the first of its user gives it a right to it.
    pub(super) fn joins(
        &mut self,
        name: &DeviceName,
        key: KeyId,
        owner: usize,
        by: Option<&DeviceName>,
    ) -> Result<bool, String> {
        let (founder, is_rightful) = if let Some(code) = self.recovered.get(name) {
            match self.armed.get(code) {
                Some((armer, by)) if *armer == owner && by.user == name.user => {
                    (self.founders.get(by).copied().unwrap_or(key), true)
                }
                _ => return Err(format!("{name} has come by a recovery code that its person has not made")),
            }
        } else if self.reissued.contains(name) {
            (key, true)
        } else {
            let founder = by.and_then(|by| self.founders.get(by)).copied();
            (founder.unwrap_or(key), by.is_some())
        };
        self.founders.insert(name.clone(), founder);
        Ok(is_rightful)
    }

    fn call(&mut self, device: usize, by: &UserName, event: &CallEvent) -> Result<(), String> {
        match event {
            CallEvent::Met(user, met) => {
                self.met.insert((device, user.clone()), met.founder.key);
            }
            CallEvent::Ringing(with) | CallEvent::Incoming(with) | CallEvent::Open(with, _)
                if self.is_same(device, with) == Some(false) =>
            {
                let user = &with.user;
                return Err(format!("{by} has met {user}, and takes {with}, who is another identity, for them"));
            }
            CallEvent::Changed(with, _) if self.is_same(device, with) == Some(true) => {
                return Err(format!("{by} is told that {with} is somebody else, and they are who they were"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether somebody is the one whom a device has met, if that is known.
    fn is_same(&self, device: usize, with: &DeviceName) -> Option<bool> {
        let met = self.met.get(&(device, with.user.clone()))?;
        Some(self.founders.get(with)? == met)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::device::Met;
    use countersign_core::device::calls::Path;
    use countersign_core::time::Wall;
    use countersign_core::tlog::Founder;

    use super::*;
    use crate::oracles::tests::name;

    const CODE: KeyId = KeyId([9; 32]);

    /// Bob has met Alice, who then has another device.
    fn met() -> Identities {
        let mut identities = Identities::default();
        identities.joins(&name("alice"), KeyId([1; 32]), 0, None).expect("the first");
        let founder = Founder { key: KeyId([1; 32]), reissued: None };
        let met = CallEvent::Met(name("alice").user, Met { founder, since: Wall(0) });
        identities.call(1, &name("bob").user, &met).expect("meeting is free");
        identities.arms(CODE, 0, &name("alice"));
        identities
    }

    fn taken(identities: &mut Identities) -> Result<(), String> {
        identities.call(1, &name("bob").user, &CallEvent::Open(name("alice/desk"), Path::Tunnel))
    }

    fn changed(identities: &mut Identities) -> Result<(), String> {
        let founder = Founder { key: KeyId([1; 32]), reissued: None };
        let event = CallEvent::Changed(name("alice/desk"), Met { founder, since: Wall(0) });
        identities.call(1, &name("bob").user, &event)
    }

    #[test]
    fn who_comes_back_by_their_code_is_who_they_were_and_nobody_else_comes_by_it() {
        let mut identities = met();
        identities.recovered.insert(name("alice/desk"), CODE);
        let other = identities.joins(&name("alice/desk"), KeyId([2; 32]), 1, None);
        assert!(other.is_err_and(|words| words.contains("has not made")));
        assert_eq!(identities.joins(&name("alice/desk"), KeyId([2; 32]), 0, None), Ok(true));
        assert_eq!(taken(&mut identities), Ok(()));
        assert!(changed(&mut identities).is_err_and(|words| words.contains("who they were")));
    }

    #[test]
    fn whom_the_operator_lets_in_again_is_another_identity_and_so_is_whom_that_one_vouches_for() {
        let mut identities = met();
        identities.reissued.insert(name("alice/phone"));
        assert_eq!(identities.joins(&name("alice/phone"), KeyId([2; 32]), 0, None), Ok(true));
        let phone = name("alice/phone");
        assert_eq!(identities.joins(&name("alice/desk"), KeyId([3; 32]), 0, Some(&phone)), Ok(true));
        assert!(taken(&mut identities).is_err_and(|words| words.contains("another identity")));
        assert_eq!(changed(&mut identities), Ok(()));
    }

    #[test]
    fn a_further_device_is_its_persons_by_the_word_of_one_that_is() {
        let mut identities = met();
        assert_eq!(identities.joins(&name("alice/desk"), KeyId([2; 32]), 0, Some(&name("alice"))), Ok(true));
        assert_eq!(taken(&mut identities), Ok(()));
        assert_eq!(identities.joins(&name("alice/tablet"), KeyId([4; 32]), 0, None), Ok(false), "by nobody's");
    }
}
