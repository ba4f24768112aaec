//! What the fold decides about conversations (rules 5 and 6): who is in which, what stands in them, and whose key packages there are.
//!
//! | check | what | test (`fold/conversations/tests/`) |
//! | --- | --- | --- |
//! | CV-01 | whoever asks, or is spoken for, is a device of the directory that was not revoked | `nobody_who_is_not_there_or_was_revoked_does_anything` |
//! | CV-02 | a conversation is founded once: the very same founding is the one before | `a_conversation_is_founded_once` |
//! | CV-03 | one between two people is founded by a device of either, and both are there | `a_conversation_between_two_is_theirs` |
//! | CV-04 | those two have no other one in which a device that was not revoked is left | `two_people_have_one_living_conversation` |
//! | CV-05 | nobody has a seat in too many | `a_device_is_in_so_many_conversations_and_no_more` |
//! | CV-06 | whoever commits or sends is in it | `who_is_not_in_it_neither_commits_nor_sends` |
//! | CV-07 | the epoch is the newest one | `of_two_commits_of_one_epoch_the_first_in_the_journal_wins` |
//! | CV-08 | nobody is named twice; who is added is not in it, is there, and was not revoked | `who_is_added_is_there_and_was_not_in_it` |
//! | CV-09 | who is added to one between two people is a device of either | `nobody_else_comes_into_a_conversation_between_two` |
//! | CV-10 | who is removed is in it, and is not who commits | `who_is_removed_was_in_it_and_is_somebody_else` |
//! | CV-11 | no more devices are in it than can be | `so_many_devices_are_in_a_conversation_and_no_more` |
//! | CV-12 | a message with the number of one that stands is that one | `a_message_sent_again_is_the_one_that_stands` |
//! | CV-13 | no more stands in it than may; a commit that only removes finds some places more | `so_much_stands_in_a_conversation_and_removals_find_room_beyond` |
//! | CV-14 | no more stands in all of them than may, in number and in bytes | `so_much_stands_in_all_conversations_and_no_more` |
//! | CV-15 | no more key packages of a device are kept than may | `so_many_key_packages_are_kept_and_no_more` |
//! | CV-16 | what is acknowledged was posted, to whoever says so | `what_was_not_posted_is_not_acknowledged` |
//! | CV-17 | no two open rooms have one name in which a device that was not revoked is left | `two_open_rooms_have_two_names` |
//! | CV-18 | whoever comes in by themselves comes into an open room, and was not in it | `a_device_comes_by_itself_into_an_open_room_alone` |
//! | CV-19 | what it takes to come in is left in an open room, once for each epoch | `what_it_takes_to_come_in_is_left_once_for_each_epoch` |
//!
//! A key package is taken of whoever left one that holds: the one that was left first, then the one of last resort; of anybody
//! else there is none. What expires is what stands up to a place: the machine that has the clock has proposed it.

pub(super) mod open;
pub(super) mod packages;
pub(super) mod posts;
pub(super) mod roster;

use std::fmt;

use super::Outcome;
use crate::id::{ConversationId, DeviceName};
use crate::journal::conversations::Taken;
use crate::journal::state::State;
use crate::wire::Code;

pub use open::{may_enter, may_publish_info};
pub use packages::may_keep;
pub use posts::may_post;
pub use roster::{may_commit, may_found};

/// Devices in one conversation, by the rules of version 5.
pub(super) const CONVERSATION_DEVICES_MAX_V5: usize = 1_024;
/// Seats of one device.
pub(super) const SEATS_PER_DEVICE_MAX_V5: usize = 1_024;
/// Entries that stand in one conversation.
pub(super) const POSTED_PER_CONVERSATION_MAX_V5: usize = 20_000;
/// Entries beyond those that commits find which only remove: so whoever is away for too long can be removed, and what waits for
/// them goes.
pub(super) const POSTED_FOR_REMOVALS_V5: usize = 256;
/// Entries that stand in all conversations.
pub(super) const POSTED_MAX_V5: u64 = 1_000_000;
/// The sum of their bodies.
pub(super) const POSTED_BYTES_MAX_V5: u64 = 64 * 1024 * 1024 * 1024;
/// Key packages of one device, besides the one of last resort.
pub(super) const KEY_PACKAGES_MAX_V5: usize = 32;

/// What a record about conversations came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conversed {
    /// The key package is kept.
    Kept,
    /// These key packages were taken, of those whom the record names, in its order.
    Taken(Vec<Option<Taken>>),
    /// The conversation is there, with its founder alone in it.
    Founded,
    /// It stands at this place.
    Posted(ConversationId, u64),
    /// It stood at this place before.
    PostedBefore(ConversationId, u64),
    /// Some of what stood may not stand any more.
    Passed,
    /// It changes nothing.
    Refused(ConversationRefusal),
}

/// Why something about conversations is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConversationRefusal {
    /// CV-01.
    NoDevice,
    /// CV-02, CV-04, CV-17, CV-19.
    Exists,
    /// CV-03, CV-09.
    NotBetweenThem,
    /// CV-05, CV-11.
    Full,
    /// CV-06.
    NotIn,
    /// CV-07.
    EpochOver,
    /// CV-08, CV-10, CV-18.
    NotChanged,
    /// CV-08.
    CannotBeAdded,
    /// CV-13, CV-14.
    PostedFull,
    /// CV-15.
    PackagesFull,
    /// CV-18, CV-19.
    NotOpen,
}

impl ConversationRefusal {
    /// What the device is told.
    pub fn code(self) -> Code {
        match self {
            Self::NoDevice => Code::UNKNOWN_DEVICE,
            Self::Exists => Code::CONVERSATION_EXISTS,
            Self::NotBetweenThem => Code::NOT_BETWEEN_THEM,
            Self::Full => Code::CONVERSATION_FULL,
            Self::NotIn => Code::NO_CONVERSATION,
            Self::EpochOver => Code::EPOCH_OVER,
            Self::NotChanged => Code::NOT_CHANGED,
            Self::CannotBeAdded => Code::CANNOT_BE_ADDED,
            Self::PostedFull => Code::POSTED_FULL,
            Self::PackagesFull => Code::KEY_PACKAGES_FULL,
            Self::NotOpen => Code::NO_OPEN_ROOM,
        }
    }
}

impl fmt::Display for ConversationRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

/// Whether a device is there, and was not revoked (CV-01).
fn lives(state: &State, device: &DeviceName) -> bool {
    state.device(device).is_some() && state.revoked(device).is_none()
}

impl From<Conversed> for Outcome {
    fn from(conversed: Conversed) -> Self {
        Self::Conversed(conversed)
    }
}

#[cfg(test)]
mod tests;
