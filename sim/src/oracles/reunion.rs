//! Nobody is lost for good: what somebody writes when faults have long stopped is posted, and read by all devices of both people
//! that are there, before the run ends. So all of them are at one epoch, whatever has happened before.
//!
//! What is written into a room is read by all who are in it by what its writer was told, and all who see it see the same of it: who is
//! in, and what each is.
//!
//! Excused are those who are somebody else now: whom the operator has let in again enters no conversation by themselves (design 4). And
//! where the server was restored from a backup, conversations from before are behind it, or it behind them: nothing repairs them yet.
//! Nor does anything yet where a device of the two was told that it can't read something (`mailbox` says when that may be), or where
//! nobody who is there is in their conversation, since all who were have lost their devices or are away: nobody adds the others.

mod rooms;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{ConversationEvent, NotSent, Said, Saying, Target};
use countersign_core::device::{Command, Event};
use countersign_core::effect::Note;
use countersign_core::id::{ConversationId, DeviceName, SendId, UserName};
use countersign_core::journal::Record;
use countersign_core::wire::conversations::Kind;

use self::rooms::RoomProbe;
use super::shelves::{Attendance, Shelf, Shelves};
use super::{Oracle, revoked};
use crate::actors::person::own::Back;
use crate::actors::person::whims::FIRST_PROBE;
use crate::story::{Phase, Seen};

/// See the module.
#[derive(Debug, Default)]
pub struct Reunion {
    shelves: Shelves,
    attendance: Attendance,
    probes: BTreeMap<SendId, Probe>,
    room_probes: BTreeMap<SendId, RoomProbe>,
    revoked: BTreeSet<DeviceName>,
    /// Whom the operator has let in again.
    reissued: BTreeSet<UserName>,
    /// The devices that had anything when the server was restored.
    forgotten: BTreeSet<DeviceName>,
    /// The conversations of each two people that the journal has, or was to have.
    founded: BTreeMap<(UserName, UserName), BTreeSet<ConversationId>>,
    /// The conversations from before the server was restored.
    behind: BTreeSet<ConversationId>,
}

/// A text of the roll call.
#[derive(Debug)]
struct Probe {
    device: usize,
    to: UserName,
    text: String,
    refused: Option<NotSent>,
}

impl Oracle for Reunion {
    fn name(&self) -> &'static str {
        "reunion"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.attendance.see(at_us, seen);
        self.shelves.see(seen);
        match seen {
            Seen::Wished(who, Command::Send(send, Target::User(to), Saying::Text(text))) if *send >= FIRST_PROBE => {
                let probe = Probe { device: who.program.device, to: to.clone(), text: text.clone(), refused: None };
                self.probes.insert(*send, probe);
            }
            Seen::Wished(who, Command::Send(send, Target::Room(room), Saying::Text(text))) if *send >= FIRST_PROBE => {
                self.room_probes.insert(*send, RoomProbe::new(who.program.device, room, text));
            }
            Seen::Told(_, Event::Conversation(event)) => {
                if let ConversationEvent::NotSent(send, why) = &**event {
                    let refused = self.probes.get_mut(send).map(|probe| &mut probe.refused);
                    let in_room = self.room_probes.get_mut(send).map(|probe| &mut probe.refused);
                    refused.or(in_room).into_iter().for_each(|refused| *refused = Some(why.clone()));
                }
            }
            Seen::Durable(_, records) => records.iter().for_each(|record| self.durable(record)),
            Seen::CameBack(who, Back::Operator(_)) => drop(self.reissued.insert(who.name.user.clone())),
            Seen::Noted(Note::Revoked(name)) => drop(self.revoked.insert(name.clone())),
            Seen::Replayed(state, _) => self.revoked.extend(revoked::of(state)),
            Seen::Restored(..) => {
                let with = |shelf: &&Shelf| !shelf.lines.is_empty();
                self.forgotten.extend(self.shelves.all().filter(with).map(|shelf| shelf.name.clone()));
                self.behind.extend(self.shelves.conversations());
            }
            Seen::Phase(Phase::Shutdown) => {
                self.probes.values().try_for_each(|probe| self.is_read(probe))?;
                self.room_probes.values().try_for_each(|probe| self.is_read_in_room(probe))?;
                return self.all_see_the_same();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Reunion {
    fn is_read(&self, probe: &Probe) -> Result<(), String> {
        let Some(writer) = self.shelves.of(probe.device).filter(|writer| self.is_there(writer)) else { return Ok(()) };
        let (by, to) = (&writer.name.user, &probe.to);
        let both = |user: &UserName| user == by || user == to;
        if self.reissued.iter().any(both) || self.forgotten.iter().any(|device| both(&device.user)) {
            return Ok(());
        }
        let readers: Vec<&Shelf> =
            self.shelves.all().filter(|shelf| both(&shelf.name.user) && self.is_there(shelf)).collect();
        match &probe.refused {
            Some(NotSent::Nobody) if readers.iter().all(|reader| reader.name.user != *to) => return Ok(()),
            Some(why) => return Err(format!("{} can't write to {to} in the calm: {why}", writer.name)),
            None => {}
        }
        if self.is_told_of_loss(to, by) || self.waits_for_others(to, by) {
            return Ok(());
        }
        let lacks = readers.into_iter().find(|reader| !reader.has(&probe.text));
        lacks.map_or(Ok(()), |reader| {
            let what = format!("what {} wrote to {to} in the calm", writer.name);
            Err(format!("{what} is not on {}, which is there", reader.name))
        })
    }

    /// Whether anybody was told that they can't read something in the conversation of the two.
    fn is_told_of_loss(&self, one: &UserName, other: &UserName) -> bool {
        let kind = Kind::Direct(one.min(other).clone(), one.max(other).clone());
        let mut entries = self.shelves.all().flat_map(|shelf| shelf.lines.values().flat_map(|lines| lines.values()));
        entries.any(|entry| entry.kind == kind && matches!(entry.what, Said::Unreadable(_)))
    }

    /// Whether there is a conversation of the two in which nobody is who is there.
    fn waits_for_others(&self, one: &UserName, other: &UserName) -> bool {
        let Some(ids) = self.founded.get(&(one.min(other).clone(), one.max(other).clone())) else { return false };
        let is_in = |shelf: &Shelf| ids.iter().any(|id| !shelf.roster(*id, u64::MAX).is_empty());
        !self.shelves.all().filter(|shelf| self.is_there(shelf)).any(is_in)
    }

    /// A record is durable.
    fn durable(&mut self, record: &[u8]) {
        if let Ok((_, Record::ConversationFounded { conversation, kind: Kind::Direct(one, other), .. })) =
            Record::decode(record)
        {
            self.founded.entry((one, other)).or_default().insert(conversation);
        }
    }

    fn is_there(&self, shelf: &Shelf) -> bool {
        !shelf.gone && self.attendance.is_there(shelf.device) && !self.revoked.contains(&shelf.name)
    }
}

impl Shelf {
    /// Whether it has a text.
    fn has(&self, wanted: &str) -> bool {
        let entries = self.lines.values().flat_map(|lines| lines.values());
        entries.into_iter().any(|entry| matches!(&entry.what, Said::Text { text, .. } if text == wanted))
    }
}

#[cfg(test)]
mod tests;
