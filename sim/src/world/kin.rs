//! Carries between the two devices of one person what nobody but the person does: whose the other one is, and what it shows.

use countersign_core::id::DeviceLabel;
use countersign_core::pki::comparison::ComparisonCode;

use super::World;
use crate::node::device::DeviceNode;
use crate::story::{Seen, Who};

impl World {
    /// A person looks at their other device, if they come to have two.
    pub(super) fn look_at_other(&mut self, person: usize) {
        let Some(other) = self.config.sibling(person) else { return };
        let joined = self.people.get(other).is_some_and(crate::actors::person::Person::is_enrolled);
        let identity = self.devices.get(other).and_then(|node| node.store.identity.as_ref()).filter(|_| joined);
        let user = identity.map(|identity| identity.name.user.clone());
        self.person(person).sees_other(user);
    }

    /// They look at both devices: whether the one that waits by this name shows this code, too.
    pub(super) fn look_at_codes(&mut self, person: usize, device: DeviceLabel, code: ComparisonCode) {
        let other = self.config.sibling(person).and_then(|other| self.people.get(other));
        let shown = other.and_then(|other| other.shows(&device));
        let acts = self.person(person).looked(device, shown == Some(code));
        self.act(person, acts);
    }

    /// A device that enrols tells how it waits.
    pub(super) fn see_news(&mut self, device: usize) {
        while let Some(news) = self.devices.get_mut(device).and_then(DeviceNode::poll_news) {
            let (now_us, name) = (self.now_us, self.person(device).name().clone());
            if let Some(program) = self.program(device) {
                self.see(&Seen::Waits(Who { program, name: &name }, &news));
            }
            self.person(device).told_news(&news, now_us);
        }
    }
}
