//! Those who are in a conversation at the same time have the same lines in it, in the same order: at each place the same text by the
//! same device, or the same change of a room; and between the first and the last place that two devices have in common, none of the two lacks one.
//!
//! A server that was restored from a backup counts places once more, from where the backup ends.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::conversations::{Entry, Said};
use countersign_core::id::{ConversationId, DeviceName};

use super::Oracle;
use super::shelves::{Lines, Shelf, Shelves};
use crate::story::{Phase, Seen};

/// See the module.
#[derive(Debug, Default)]
pub struct Transcript {
    shelves: Shelves,
    /// What was first seen at each place, and on whose device.
    at: BTreeMap<(ConversationId, u64), (DeviceName, Entry)>,
    /// The conversations from before the server was restored.
    forgotten: BTreeSet<ConversationId>,
}

impl Oracle for Transcript {
    fn name(&self) -> &'static str {
        "transcript"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Kept(who, keep) => {
                self.shelves.see(seen);
                keep.entries.iter().try_for_each(|entry| self.stands(who.name, entry))
            }
            Seen::Anew(_) => {
                self.shelves.see(seen);
                Ok(())
            }
            Seen::Restored(..) => {
                self.forgotten.extend(self.shelves.conversations());
                Ok(())
            }
            Seen::Phase(Phase::Shutdown) => self.compare(),
            _ => Ok(()),
        }
    }
}

impl Transcript {
    fn stands(&mut self, name: &DeviceName, entry: &Entry) -> Result<(), String> {
        let (id, place) = (entry.conversation, entry.place);
        if self.forgotten.contains(&id) || matches!(entry.what, Said::Unreadable(_)) {
            return Ok(());
        }
        let (first, theirs) = self.at.entry((id, place)).or_insert_with(|| (name.clone(), entry.clone()));
        if is_same(theirs, entry) {
            return Ok(());
        }
        let words = format!("{name} and {first} have different lines at place {place} of a conversation");
        Err(format!("{words}, by {} and {}", entry.by, theirs.by))
    }

    /// No device lacks a text that another one has, between two places that both have.
    fn compare(&self) -> Result<(), String> {
        let all: Vec<&Shelf> = self.shelves.all().collect();
        for (n, one) in all.iter().enumerate() {
            for other in all.iter().skip(n + 1) {
                let shared = one.lines.iter().filter_map(|(id, lines)| Some((id, lines, other.lines.get(id)?)));
                for (id, ours, theirs) in shared.filter(|(id, ..)| !self.forgotten.contains(*id)) {
                    let missing = lacking(ours, theirs).or_else(|| lacking(theirs, ours));
                    if let Some(place) = missing {
                        let who = format!("of {} and {} one", one.name, other.name);
                        return Err(format!("{who} lacks place {place} of conversation {id}, and both were in"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The first text of the one that the other lacks, where both were in all the time: from the first line that both have to the last.
fn lacking(ours: &Lines, theirs: &Lines) -> Option<u64> {
    let both: Vec<u64> = ours.keys().filter(|place| theirs.contains_key(place)).copied().collect();
    let (first, last) = (both.first()?, both.last()?);
    // Whoever was out between has been told so, and whoever can't read something, too.
    let is_whole = |lines: &Lines| {
        let between = lines.range(first..=last).skip(1);
        between.into_iter().all(|(_, entry)| !matches!(entry.what, Said::Unreadable(_) | Said::Joined { .. }))
    };
    if !is_whole(ours) || !is_whole(theirs) {
        return None;
    }
    let texts = ours.range(first..=last).filter(|(_, entry)| matches!(entry.what, Said::Text { .. }));
    texts.map(|(place, _)| *place).find(|place| !theirs.contains_key(place))
}

/// Whether two devices can have these at one place: what is said is the same, and who comes reads that it has joined.
fn is_same(one: &Entry, other: &Entry) -> bool {
    if (&one.kind, &one.by) != (&other.kind, &other.by) {
        return false;
    }
    match (&one.what, &other.what) {
        (Said::Text { id, text, written, .. }, Said::Text { id: its_id, text: its_text, written: its_written, .. }) => {
            (id, text, written) == (its_id, its_text, its_written)
        }
        (Said::More { id, saying, written, .. }, Said::More { id: its_id, saying: its, written: its_written, .. }) => {
            (id, saying, written) == (its_id, its, its_written)
        }
        // One whose keys were taken away with it does not know what a room is from then on, and reads who has gone alone.
        (
            Said::Altered { came, went, changes, .. },
            Said::Altered { came: its_came, went: its_went, changes: its_changes, .. },
        ) => (came, went, changes) == (its_came, its_went, its_changes),
        (Said::Text { .. } | Said::More { .. }, _) | (_, Said::Text { .. } | Said::More { .. }) => false,
        (
            Said::Joined { .. } | Said::Changed { .. } | Said::Altered { .. } | Said::Unreadable(_),
            Said::Joined { .. } | Said::Changed { .. } | Said::Altered { .. } | Said::Unreadable(_),
        ) => true,
    }
}

#[cfg(test)]
mod tests;
