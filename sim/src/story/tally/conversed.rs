//! What is counted of conversations: what people are told, and what their devices keep.

use countersign_core::device::Command;
use countersign_core::device::conversations::{ConversationEvent, Entry, Keep, NotSent, Said, Target};

use countersign_core::wire::Code;
use countersign_core::wire::conversations::Kind;

use super::Tally;
use crate::story::kinds::conversations as kinds;

impl Tally {
    /// Counts what somebody is told.
    pub(super) fn conversed(&mut self, event: &ConversationEvent) {
        self.add("conversation", kinds::event(event));
        match event {
            ConversationEvent::NotSent(_, NotSent::Of(_, why)) => {
                self.add("not sent", format!("Of, {}", kinds::not_sent(why)));
            }
            ConversationEvent::NotSent(_, why) => self.add("not sent", kinds::not_sent(why)),
            ConversationEvent::GivenUp(Target::Room(_), ..) => self.add("room", "text given up"),
            ConversationEvent::Sent(..)
            | ConversationEvent::GivenUp(..)
            | ConversationEvent::Entry(_)
            | ConversationEvent::Met(..)
            | ConversationEvent::Changed(..)
            | ConversationEvent::OpenRooms(..)
            | ConversationEvent::Delivered(_)
            | ConversationEvent::CaughtUp => {}
        }
    }

    /// Counts what stands in a room.
    fn stands_in_room(&mut self, entry: &Entry) {
        let kind = match &entry.kind {
            Kind::Direct(..) => return,
            Kind::Room => "closed room",
            Kind::Open(name) if name.is_lobby() => "lobby",
            Kind::Open(_) => "open room",
        };
        let came_alone = matches!(&entry.what, Said::Changed { came, .. } if came.contains(&entry.by));
        let what = if came_alone { "somebody came by themselves" } else { kinds::said(&entry.what) };
        self.add("room", format!("{kind}: {what}"));
    }

    /// Counts what somebody wishes of rooms.
    pub(super) fn wished_of_rooms(&mut self, command: &Command) {
        if let Command::Run(_, errand) = command {
            self.add("room", format!("wish: {}", kinds::errand(errand)));
        } else if let Command::Send(_, Target::Room(_), _) = command {
            self.add("room", "text written");
        }
    }

    /// Counts what a device is refused, if that is about conversations: of all else its user is told.
    pub(super) fn refused(&mut self, code: Code) {
        if (Code::NO_CONVERSATION..=Code::NO_LOBBY).contains(&code) {
            self.code(code);
        }
    }

    /// Counts what a device keeps.
    pub(super) fn kept(&mut self, keep: &Keep) {
        self.add("device disk", "Rows Kept");
        for entry in &keep.entries {
            self.add("history", kinds::said(&entry.what));
            match &entry.what {
                Said::Text { order, .. } | Said::More { order, .. } => self.add("order", kinds::order(*order)),
                Said::Unreadable(why) => self.add("unreadable", kinds::unreadable(*why)),
                Said::Joined { declared, .. } | Said::Changed { declared, .. } | Said::Altered { declared, .. }
                    if !declared =>
                {
                    self.add("history", "not as the relay has declared");
                }
                Said::Altered { changes, .. } => {
                    for change in changes {
                        self.add("room", format!("change: {}", kinds::room_change(change)));
                    }
                }
                Said::Joined { .. } | Said::Changed { .. } => {}
            }
            self.stands_in_room(entry);
        }
    }
}
