//! Nobody has a text who was out when it was written: no device has one at a place at which its writer's own device had not been told
//! that it is in, and none has one that the relay took after it had taken the revocation of that device. And nobody else is in a
//! conversation of two people than devices of theirs that have enrolled. Into a closed room nobody comes by themselves, and into an
//! open one nobody of whom somebody has put the devices out, until others have them in again.

mod doors;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{Entry, Said};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::effect::Note;
use countersign_core::id::{ConversationId, DeviceName, MessageId};
use countersign_core::journal::Record;
use countersign_core::wire::conversations::Kind;

use super::shelves::{Shelf, Shelves};
use super::{Oracle, revoked};
use crate::story::{Phase, Seen};

/// See the module.
#[derive(Debug, Default)]
pub struct Outsider {
    shelves: Shelves,
    /// At which place of the journal each message was first posted, and each device revoked.
    posted: BTreeMap<MessageId, u64>,
    revoked: BTreeMap<DeviceName, u64>,
    /// The devices that were revoked in any way.
    gone: BTreeSet<DeviceName>,
    /// The devices that have enrolled.
    enrolled: BTreeSet<DeviceName>,
    /// The conversations from before the server was restored: places are counted once more there.
    forgotten: BTreeSet<ConversationId>,
}

impl Oracle for Outsider {
    fn name(&self) -> &'static str {
        "outsider"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Durable(first, records) => {
                for (n, record) in (*first..).zip(*records) {
                    self.durable(n, record);
                }
            }
            Seen::Kept(who, keep) => {
                self.shelves.see(seen);
                let check = |entry| self.is_out(who.name, entry).and_then(|()| self.is_theirs(who.name, entry));
                return keep.entries.iter().try_for_each(check);
            }
            Seen::EnrolEnded(_, EnrolResult::Enrolled(identity), ..) => {
                self.enrolled.insert(identity.name.clone());
            }
            Seen::Anew(_) => self.shelves.see(seen),
            Seen::Noted(Note::Revoked(name)) => drop(self.gone.insert(name.clone())),
            Seen::Replayed(state, _) => self.gone.extend(revoked::of(state)),
            Seen::Restored(..) => {
                self.forgotten.extend(self.shelves.conversations());
                self.posted.clear();
                self.revoked.clear();
            }
            Seen::Phase(Phase::Shutdown) => {
                self.nobody_was_out()?;
                return self.nobody_came_uncalled();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Outsider {
    fn durable(&mut self, n: u64, record: &[u8]) {
        match Record::decode(record) {
            Ok((_, Record::MessagePosted { id, .. })) => drop(self.posted.entry(id).or_insert(n)),
            Ok((_, Record::DeviceRevoked { name, .. })) => drop(self.revoked.entry(name).or_insert(n)),
            _ => {}
        }
    }

    /// Whether what a device has was posted when it was revoked.
    fn is_out(&self, name: &DeviceName, entry: &Entry) -> Result<(), String> {
        let Said::Text { id, .. } = &entry.what else { return Ok(()) };
        match self.posted.get(id).zip(self.revoked.get(name)) {
            Some((posted, revoked)) if revoked < posted => {
                Err(format!("{name} was revoked by record {revoked}, and reads what record {posted} is of"))
            }
            _ => Ok(()),
        }
    }

    /// Whether those who are said to be in may be.
    fn is_theirs(&self, name: &DeviceName, entry: &Entry) -> Result<(), String> {
        let (Said::Joined { members: came, .. } | Said::Changed { came, .. } | Said::Altered { came, .. }) =
            &entry.what
        else {
            return Ok(());
        };
        let may_be_in = |device: &&DeviceName| {
            let is_theirs = match &entry.kind {
                Kind::Direct(one, other) => device.user == *one || device.user == *other,
                Kind::Room | Kind::Open(_) => true,
            };
            is_theirs && self.enrolled.contains(*device)
        };
        match came.iter().find(|device| !may_be_in(device)) {
            Some(stranger) => Err(format!("{name} is told that {stranger} is in a conversation of {:?}", entry.kind)),
            None => Ok(()),
        }
    }

    fn nobody_was_out(&self) -> Result<(), String> {
        for reader in self.shelves.all() {
            let texts = reader.lines.values().flat_map(|lines| lines.values());
            for entry in texts.filter(|entry| matches!(entry.what, Said::Text { .. })) {
                let (id, place) = (entry.conversation, entry.place);
                if reader.has_left(id, place) && !self.forgotten.contains(&id) {
                    return Err(format!(
                        "{} reads what {} wrote at place {place}, and had left",
                        reader.name, entry.by
                    ));
                }
                let has = |writer: &&Shelf| {
                    let lines = writer.lines.get(&entry.conversation);
                    writer.name == entry.by && lines.is_some_and(|lines| lines.contains_key(&entry.place))
                };
                let Some(writer) = self.shelves.all().find(has) else { continue };
                let roster = writer.roster(entry.conversation, entry.place);
                if !self.forgotten.contains(&entry.conversation) && !roster.contains(&reader.name) {
                    let words = format!("{} reads what {} wrote at place {}", reader.name, writer.name, entry.place);
                    return Err(format!("{words}, and was not in by what its writer was told"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
