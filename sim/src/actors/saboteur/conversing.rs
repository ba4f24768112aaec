//! Breaks what devices keep of their conversations, and what the relay keeps for them.

use std::collections::BTreeMap;

use countersign_core::device::Command;
use countersign_core::device::conversations::{Entry, Keep, Row, Rows, Said, Saying};
use countersign_core::id::{ConversationId, UserName};
use countersign_core::journal::Record;
use countersign_core::wire::conversations::Kind;

use super::rooms::Rooms;
use super::{BAD_DEVICE, Saboteur, own};
use crate::actors::person::whims::other_name;
use crate::canary::Sabotage;
use crate::disk::Disk;
use crate::node::device::Store;
use crate::story::Phase;

/// What this saboteur remembers.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// A text that is kept after the next one of its conversation, by device.
    held: BTreeMap<(usize, ConversationId), Entry>,
    /// What somebody else may not read, and does.
    leaks: Option<(UserName, UserName, Entry)>,
    /// The body that was read last.
    body: Option<Vec<u8>>,
    /// What a device's program has begun with.
    begun: Rows,
    /// How many texts one device had.
    count: u64,
    rooms: Rooms,
}

impl Saboteur {
    /// What is there on a device's disk of what was to be kept.
    pub fn keeps(&mut self, device: usize, owner: &UserName, keep: &Keep) -> Keep {
        let mut keep = keep.clone();
        let remembered = &mut self.conversing;
        let is_text = |entry: &Entry| matches!(entry.what, Said::Text { .. });
        match self.plan {
            Some(Sabotage::DoubleText) => {
                let again: Vec<Entry> = keep.entries.iter().filter(|entry| is_text(entry)).cloned().collect();
                keep.entries.extend(again);
            }
            Some(Sabotage::SwapTexts) => {
                let mut entries = Vec::new();
                for entry in keep.entries {
                    let of = (device, entry.conversation);
                    match remembered.held.remove(&of) {
                        Some(held) => entries.extend([entry, held]),
                        None if is_text(&entry) => drop(remembered.held.insert(of, entry)),
                        None => entries.push(entry),
                    }
                }
                keep.entries = entries;
            }
            Some(Sabotage::SwallowTexts) => keep.entries.retain(|entry| !is_text(entry) || entry.by.user == *owner),
            Some(Sabotage::AlterText) if device == BAD_DEVICE => {
                for entry in &mut keep.entries {
                    if let Said::Text { text, .. } = &mut entry.what {
                        text.push('!');
                    }
                }
            }
            Some(Sabotage::SkipText) if device == BAD_DEVICE => keep.entries.retain(|entry| {
                remembered.count += u64::from(is_text(entry));
                !is_text(entry) || !remembered.count.is_multiple_of(3)
            }),
            Some(Sabotage::LeakText) => {
                let is_others = |(one, other, _): &(UserName, UserName, Entry)| owner != one && owner != other;
                if let Some((_, _, entry)) = remembered.leaks.take_if(|leak| is_others(leak)) {
                    keep.entries.push(entry);
                }
                if let Some(entry) = keep.entries.iter().find(|entry| is_text(entry) && entry.by.user == *owner)
                    && let Kind::Direct(one, other) = &entry.kind
                {
                    remembered.leaks = Some((one.clone(), other.clone(), entry.clone()));
                }
            }
            Some(Sabotage::AddStranger) => {
                for entry in &mut keep.entries {
                    if let Said::Changed { came, .. } = &mut entry.what
                        && let Some(mut stranger) = came.first().cloned()
                    {
                        stranger.user = other_name(0, 8);
                        came.push(stranger);
                    }
                }
            }
            Some(plan) => self.conversing.rooms.break_one(plan, device, &mut keep),
            None => {}
        }
        keep
    }

    /// Whether a device's disk answers for what was kept.
    pub fn lets_rows_answer(&self, device: usize, phase: Phase) -> bool {
        !(self.is(Sabotage::StuckRows) && device == BAD_DEVICE && phase >= Phase::RollCall)
    }

    /// Somebody writes a text.
    pub(super) fn writes(&mut self, command: &Command) {
        if let Command::Send(_, _, Saying::Text(text)) = command
            && self.is(Sabotage::TextBeside)
        {
            self.overheard = Some(text.clone());
        }
    }

    /// What the relay is seen to want written down beside a record.
    pub fn beside(&mut self, body: &[u8]) -> Vec<u8> {
        let besides = if self.is(Sabotage::TextBeside) { self.overheard.take() } else { None };
        [body, besides.unwrap_or_default().as_bytes()].concat()
    }

    /// What the relay's disk gives for the body of a record.
    pub fn loads_body(&mut self, record: Option<&[u8]>, body: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let is_post = |record| matches!(Record::decode(record), Ok((_, Record::MessagePosted { .. })));
        match self.plan {
            Some(Sabotage::LoseBody) if record.is_some_and(is_post) => None,
            Some(Sabotage::SwapBodies) => std::mem::replace(&mut self.conversing.body, body.clone()).or(body),
            _ => body,
        }
    }

    /// A device's program is about to start.
    pub(super) fn starts_rows(&mut self, device: usize, store: &Store) {
        if device == BAD_DEVICE {
            self.conversing.begun = store.holding.rows().clone();
        }
    }

    /// It has ended.
    pub(super) fn stopped_rows(&self, device: usize, store: &mut Store) {
        let is_group = |row: &Row| matches!(row, Row::Group(_));
        let rows = store.holding.rows_mut();
        match self.plan {
            Some(Sabotage::ForgetGroup) if device == BAD_DEVICE => rows.retain(|row, _| !is_group(row)),
            Some(Sabotage::RollBackGroup) if device == BAD_DEVICE => {
                for (row, bytes) in self.conversing.begun.iter().filter(|(row, _)| is_group(row)) {
                    if let Some(newer) = rows.get_mut(row) {
                        newer.clone_from(bytes);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The disk forgets the newest message, and whatever came after.
pub(super) fn forget_post(disk: &mut Disk) {
    own::forget_newest(disk, |record| matches!(record, Record::MessagePosted { .. }));
}
