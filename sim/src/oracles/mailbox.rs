//! Whatever somebody was told is posted is on each device that was in for it and is there in the calm, once, in the conversation's
//! one order, and as it was written; or its person was told that it can't be read. Nothing is there that nobody wrote, and nothing
//! that was written to somebody else.
//!
//! Nothing repairs yet what a device can't read, and so two kinds of it are excused, which its person is told: what was posted by a
//! device that was revoked before this one came for it (nobody joins those who are with one), and what follows it there; and what the
//! relay kept no longer since everybody was away for so long, and what follows that. Whatever a villain posts is excused, too: it may be noise.
//!
//! What a server forgot that was restored from a backup nobody can have, and conversations from before are behind it: nothing repairs
//! them yet. So nothing is asked of those that somebody had when it was restored.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{
    ConversationEvent, Entry, Keep, Order, Said, Saying, Target, Unreadable,
};
use countersign_core::device::{Command, Event};
use countersign_core::effect::Note;
use countersign_core::id::{ConversationId, DeviceName, RoomName, SendId, UserName};
use countersign_core::wire::conversations::Kind;

use super::shelves::{Attendance, Shelf, Shelves};
use super::{Oracle, revoked};
use crate::story::{Phase, Seen, Who};

/// See the module.
#[derive(Debug, Default)]
pub struct Mailbox {
    shelves: Shelves,
    attendance: Attendance,
    /// Who has written each text, and to whom.
    written: BTreeMap<String, (usize, Target)>,
    /// And by which number.
    wishes: BTreeMap<SendId, String>,
    /// Where somebody was told that something of theirs stands.
    posted: BTreeMap<(usize, ConversationId, u64), String>,
    /// Which texts each device has, by the name and number of the device.
    had: BTreeSet<(DeviceName, usize, String)>,
    /// Every name that each room ever had.
    names: BTreeMap<ConversationId, BTreeSet<RoomName>>,
    revoked: BTreeSet<DeviceName>,
    villains: BTreeSet<UserName>,
    /// The conversations from before the server was restored.
    forgotten: BTreeSet<ConversationId>,
    /// Whether the relay lies until the calm.
    lied_to: bool,
    /// Whether everybody was away for so long that what was posted may be kept no longer.
    away: bool,
}

impl Mailbox {
    /// The oracle of a run with an honest relay, or with one that lies until the calm.
    pub fn new(lied_to: bool) -> Self {
        Self { lied_to, ..Self::default() }
    }
}

impl Oracle for Mailbox {
    fn name(&self) -> &'static str {
        "mailbox"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.attendance.see(at_us, seen);
        match seen {
            Seen::Wished(who, Command::Send(send, to, Saying::Text(text))) => {
                self.written.insert(text.clone(), (who.program.device, to.clone()));
                self.wishes.insert(*send, text.clone());
            }
            Seen::Kept(who, keep) => {
                self.kept(*who, keep)?;
                self.shelves.see(seen);
                for entry in keep.entries.iter().filter(|entry| entry.by == *who.name) {
                    self.stands(*who, entry);
                }
            }
            Seen::Told(who, Event::Conversation(event)) => {
                if let ConversationEvent::Sent(send, entry) = &**event {
                    self.sent(*who, *send, entry)?;
                }
            }
            Seen::Restored(..) => self.forgotten.extend(self.shelves.conversations()),
            Seen::Infiltrated(name) => drop(self.villains.insert(name.user.clone())),
            Seen::Noted(Note::Revoked(name)) => drop(self.revoked.insert(name.clone())),
            Seen::Replayed(state, _) => self.revoked.extend(revoked::of(state)),
            Seen::Away(true) => self.away = true,
            Seen::Anew(_) => self.shelves.see(seen),
            Seen::Phase(Phase::Shutdown) => return self.all_is_there(),
            _ => {}
        }
        Ok(())
    }
}

impl Mailbox {
    fn sent(&mut self, who: Who<'_>, send: SendId, entry: &Entry) -> Result<(), String> {
        let is_it = match (&entry.what, self.wishes.get(&send)) {
            (Said::Text { text, .. }, wish) => wish == Some(text),
            // Something that was wished of a room is done.
            (_, wish) => wish.is_none(),
        };
        if !is_it {
            return Err(format!("{} is told that text {} is posted, and it is another one", who.name, send.0));
        }
        self.stands(who, entry);
        Ok(())
    }

    /// Something that somebody wrote is posted.
    fn stands(&mut self, who: Who<'_>, entry: &Entry) {
        if let Said::Text { text, .. } = &entry.what {
            self.posted.insert((who.program.device, entry.conversation, entry.place), text.clone());
        }
    }

    /// A device has more of its conversations.
    fn kept(&mut self, who: Who<'_>, keep: &Keep) -> Result<(), String> {
        for (id, (name, _)) in &keep.rooms {
            self.names.entry(*id).or_default().insert(name.clone());
        }
        let mut last: BTreeMap<ConversationId, u64> = BTreeMap::new();
        for entry in &keep.entries {
            let (name, id, place) = (who.name, entry.conversation, entry.place);
            let before =
                self.shelves.of(who.program.device).and_then(|shelf| shelf.lines.get(&id)?.keys().last().copied());
            let before = last.insert(id, place).or(before);
            if before.is_some_and(|before| before >= place) {
                return Err(format!("{name} has place {place} of a conversation after place {}", before.unwrap_or(0)));
            }
            let is_behind = self.forgotten.contains(&id) || self.lied_to;
            match &entry.what {
                Said::Text { text, order, .. } => {
                    self.is_written(name, entry, text)?;
                    if !self.had.insert((name.clone(), who.program.device, text.clone())) {
                        return Err(format!("{name} has a text of {} twice: {}", entry.by, beginning(text)));
                    }
                    if *order == Order::Other && !is_behind {
                        return Err(format!("{name} has not seen what {} has seen before place {place}", entry.by));
                    }
                }
                Said::Unreadable(_) if self.away && self.has_expired(who, entry, keep) => {}
                Said::Unreadable(_) if self.villains.contains(&entry.by.user) => {}
                Said::Unreadable(_) if self.is_by_one_revoked(who, entry, keep) => {}
                Said::Unreadable(why) if !is_behind => {
                    return Err(format!("{name} can't read place {place} of a conversation, by {}: {why:?}", entry.by));
                }
                Said::Unreadable(_)
                | Said::Joined { .. }
                | Said::Changed { .. }
                | Said::Altered { .. }
                | Said::More { .. } => {}
            }
        }
        Ok(())
    }

    /// Whether it is kept no longer, or comes after something that is not.
    fn has_expired(&self, who: Who<'_>, entry: &Entry, keep: &Keep) -> bool {
        let is_one = |entry: &Entry| matches!(entry.what, Said::Unreadable(Unreadable::Expired));
        let id = entry.conversation;
        let before = self.shelves.of(who.program.device).and_then(|shelf| shelf.lines.get(&id));
        let together = keep.entries.iter().filter(|other| other.conversation == id && other.place < entry.place);
        is_one(entry) || before.into_iter().flat_map(|lines| lines.values()).chain(together).any(is_one)
    }

    /// Whether it is by a device that was revoked, or comes after something that was.
    fn is_by_one_revoked(&self, who: Who<'_>, entry: &Entry, keep: &Keep) -> bool {
        let is_one = |entry: &Entry| matches!(entry.what, Said::Unreadable(_)) && self.revoked.contains(&entry.by);
        let id = entry.conversation;
        let before = self.shelves.of(who.program.device).and_then(|shelf| shelf.lines.get(&id));
        let together = keep.entries.iter().filter(|other| other.conversation == id && other.place < entry.place);
        is_one(entry) || before.into_iter().flat_map(|lines| lines.values()).chain(together).any(is_one)
    }

    fn is_written(&self, name: &DeviceName, entry: &Entry, text: &str) -> Result<(), String> {
        let words = beginning(text);
        let Some((device, to)) = self.written.get(text) else {
            return Err(format!("{name} has a text that nobody wrote: {words}"));
        };
        if !self.shelves.all().any(|shelf| shelf.device == *device && shelf.name == entry.by) {
            return Err(format!("{name} has a text by {}, which somebody else wrote: {words}", entry.by));
        }
        let by = &entry.by.user;
        let is_there = match (&entry.kind, to) {
            (Kind::Direct(one, other), Target::User(to)) => (one, other) == (by, to) || (one, other) == (to, by),
            (Kind::Room | Kind::Open(_), Target::Room(room)) => self.is_called(entry.conversation, room),
            (Kind::Direct(..), Target::Room(_)) | (Kind::Room | Kind::Open(_), Target::User(_)) => false,
        };
        if is_there { Ok(()) } else { Err(format!("{name} has a text from {by} to {to} elsewhere: {words}")) }
    }

    /// Whether a room has this number, or ever had this name.
    fn is_called(&self, id: ConversationId, room: &RoomName) -> bool {
        id.to_string() == room.as_str() || self.names.get(&id).is_some_and(|names| names.contains(room))
    }

    /// Faults have long stopped: whoever is there has it all.
    fn all_is_there(&self) -> Result<(), String> {
        for ((device, id, place), text) in &self.posted {
            let writers = self.shelves.all().filter(|shelf| shelf.device == *device);
            let rosters = writers.map(|shelf| shelf.roster(*id, *place));
            let roster: BTreeSet<DeviceName> = rosters.flatten().collect();
            let readers = roster.iter().filter_map(|name| self.shelves.named(name));
            for reader in readers.filter(|reader| self.is_owed(reader, *id, *place)) {
                let line = reader.lines.get(id).and_then(|lines| lines.get(place));
                if !line.is_some_and(|line| matches!(&line.what, Said::Text { text: theirs, .. } if theirs == text)) {
                    return Err(format!("what is posted at place {place} is not on {}, which was in", reader.name));
                }
            }
        }
        Ok(())
    }

    fn is_owed(&self, reader: &Shelf, id: ConversationId, place: u64) -> bool {
        self.attendance.is_there(reader.device)
            && !self.revoked.contains(&reader.name)
            && !self.forgotten.contains(&id)
            && !reader.lacks(id, place)
            && !reader.has_left(id, place)
    }
}

/// A text's number and mark.
fn beginning(text: &str) -> String {
    text.chars().take(48).collect()
}

#[cfg(test)]
mod tests;
