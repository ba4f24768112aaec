//! What goes into the hash of conversations: all that a device keeps, the secrets among it, and all that the relay does.

use super::Folding;
use crate::story::Seen;

impl Folding<'_> {
    /// Folds one event of conversations.
    #[allow(clippy::wildcard_enum_match_arm, reason = "everything else is folded where all is")]
    pub(super) fn conversed(&mut self, seen: &Seen<'_>) -> &'static str {
        match seen {
            Seen::Kept(who, keep) => {
                self.program(who.program);
                for (row, bytes) in &keep.rows {
                    self.value(row);
                    self.bytes(bytes.as_deref().unwrap_or_default());
                }
                self.value(&keep.entries);
                for room in &keep.rooms {
                    self.value(&room);
                }
                "kept"
            }
            Seen::RowsFailed(who, stored) => {
                self.program(who.program);
                self.value(stored);
                "rows-failed"
            }
            Seen::Refused(program, code) => {
                self.program(*program);
                self.number(u64::from(code.0));
                "refused"
            }
            Seen::Beside(append, body) => {
                self.number(append.0);
                self.bytes(body);
                "beside"
            }
            _ => unreachable!("this is nothing of conversations"),
        }
    }
}
