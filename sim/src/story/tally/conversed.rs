//! What is counted of conversations: what people are told, and what their devices keep.

use countersign_core::device::conversations::{ConversationEvent, Keep, Said};

use countersign_core::wire::Code;

use super::Tally;
use crate::story::kinds::conversations as kinds;

impl Tally {
    /// Counts what somebody is told.
    pub(super) fn conversed(&mut self, event: &ConversationEvent) {
        self.add("conversation", kinds::event(event));
        if let ConversationEvent::NotSent(_, why) = event {
            self.add("not sent", kinds::not_sent(why));
        }
    }

    /// Counts what a device is refused, if that is about conversations: of all else its user is told.
    pub(super) fn refused(&mut self, code: Code) {
        if (Code::NO_CONVERSATION..=Code::NO_CERTIFICATE).contains(&code) {
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
                Said::Joined { .. } | Said::Changed { .. } | Said::Altered { .. } => {}
            }
        }
    }
}
