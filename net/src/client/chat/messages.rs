//! Decides what a program that listens shows of conversations: what nobody has shown yet, in the order in which it came, and
//! up to where it was shown.
//!
//! What is shown is read from the disk, where it stood before anybody heard of it. So a message that another program has taken
//! in meanwhile is shown as well, and one whose showing was cut off is shown once more.

use countersign_core::device::Device;
use countersign_core::device::conversations::{ConversationEvent, Said};
use countersign_core::id::DeviceName;

use super::super::holding::{Hold, given_up};
use super::super::metbook;
use super::super::notice::Notice;
use super::super::reactor::Reactor;
use super::super::spoken::Spoken;
use super::{Chat, Desk, Role, Saying};
use crate::exit::Failure;
use crate::store::conversations::Line;

/// Whether there is something to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Messages {
    /// All that there is was shown.
    Shown,
    /// There may be more.
    PerhapsNew,
}

impl<R: Role> Chat<'_, R> {
    /// The device tells something of conversations.
    pub(super) fn conversation(
        &mut self,
        event: &ConversationEvent,
        device: &mut Device,
        reactor: &mut Reactor,
    ) -> Result<(), Failure> {
        match event {
            ConversationEvent::Entry(_) => self.messages = Messages::PerhapsNew,
            ConversationEvent::CaughtUp => {
                self.show(device, reactor)?;
                self.desk.say(Saying::ForPrograms(Notice::CaughtUp));
            }
            ConversationEvent::Met(user, met) => {
                self.keep_or_warn(metbook::keep(&self.stored.folder, user, *met));
                self.desk.tell(Notice::Met { user: user.clone() });
            }
            ConversationEvent::Changed(user, before) => {
                self.desk.tell(Notice::changed(user.clone(), None, *before));
            }
            ConversationEvent::GivenUp(to, saying, why) => {
                self.desk.tell(Notice::Warning { reason: given_up(to, saying, why) });
            }
            // Whoever has wished for it hears of it.
            ConversationEvent::Sent(..)
            | ConversationEvent::NotSent(..)
            | ConversationEvent::OpenRooms(..)
            | ConversationEvent::Delivered(_) => {}
        }
        Ok(())
    }

    /// Shows what was not shown yet, if there may be something.
    pub(super) fn show_new(&mut self, device: &mut Device, reactor: &mut Reactor) -> Result<(), Failure> {
        if self.messages == Messages::PerhapsNew { self.show(device, reactor) } else { Ok(()) }
    }

    fn show(&mut self, device: &mut Device, reactor: &mut Reactor) -> Result<(), Failure> {
        self.messages = Messages::Shown;
        // Whoever is about to leave shows nothing more: it is shown by the next.
        while !self.desk.is_finished() {
            let page = match reactor.hold().map(|hold| hold.store().unshown()).transpose().map_err(Failure::failed)? {
                Some(page) if !page.is_empty() => page,
                Some(_) | None => break,
            };
            for one in &page {
                tell(one, &self.stored.name, &mut self.desk);
            }
            self.carry_out(device, reactor);
            if self.desk.is_finished() {
                break;
            }
            if let (Some(hold), Some(last)) = (reactor.hold(), page.last()) {
                hold.store().shown(last).map_err(Failure::failed)?;
            }
        }
        Ok(())
    }
}

/// Tells what stands in a conversation; not what this very device has said.
fn tell(line: &Line, own: &DeviceName, desk: &mut Desk) {
    if line.entry.by == *own && matches!(line.entry.what, Said::Text { .. } | Said::More { .. }) {
        return;
    }
    let spoken = Spoken::of(line, &own.user);
    if let Some(warning) = spoken.warning() {
        desk.say(Saying::Loud(warning));
    }
    desk.tell(Notice::Spoken(spoken));
}

/// What a listener says of taking part.
pub(super) fn taking_part(hold: Option<&Hold>, desk: &mut Desk) {
    let reason = match hold {
        Some(hold) if hold.is_reachable() => return,
        Some(_) => {
            "the path of the data folder is too long for a socket, so client send can't be used while this program runs: choose \
             a shorter folder with --data-dir, or set XDG_RUNTIME_DIR"
        }
        None => {
            "another program takes part in this device's conversations, so messages are shown there and not here: end it, and \
             start this one again"
        }
    };
    desk.tell(Notice::Warning { reason: reason.to_owned() });
}

#[cfg(test)]
mod tests;
