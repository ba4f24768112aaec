//! When it is looked for what was kept for too long: at the start, and each hour in which something stands.

use super::{Asked, Delivery, Round};
use crate::effect::Room;
use crate::journal::Record;
use crate::limits::{EXPIRED_AT_ONCE_MAX, POSTED_KEPT, POSTED_LOOK_PAUSE, POSTED_LOOK_SPAN};

impl Delivery {
    /// Proposes to keep no longer what was kept for too long.
    pub fn look(&mut self, round: &mut Round<'_>) {
        self.looks_at = None;
        let at = round.now.wall;
        let old = round.state.conversations().older_than(at.minus(POSTED_KEPT)).take(EXPIRED_AT_ONCE_MAX);
        let records: Vec<Record> =
            old.map(|(conversation, upto)| Record::PostedExpired { conversation, upto, at }).collect();
        let is_on_its_way = self.asked.values().any(|asked| matches!(asked, Asked::Expire(_)));
        if records.is_empty() || is_on_its_way {
            return self.look_later(round);
        }
        // There may be more.
        self.looks_at = Some(round.now.mono.plus(POSTED_LOOK_PAUSE));
        let count = records.len();
        let append = round.out.append(Room::Delivery, records);
        self.asked.insert(append, Asked::Expire(count));
    }

    /// Looks again in an hour, if anything stands.
    pub(super) fn look_later(&mut self, round: &mut Round<'_>) {
        if self.looks_at.is_none() && round.state.conversations().standing() > 0 {
            self.looks_at = Some(round.now.mono.plus(POSTED_LOOK_SPAN));
        }
    }
}
