//! What other revocation lists do to the calls that there are.

use super::{CallEnd, Calls, Stage};
use crate::fault::{CloseReason, Fault};
use crate::id::CallId;
use crate::time::Now;
use crate::tls::{CertRefusal, Lists};
use crate::wire::Code;

impl Calls {
    /// From now on these lists say who is revoked. Whoever is, is spoken to no more, on whatever way.
    pub fn relisted(&mut self, lists: &Lists, now: Now) {
        self.identity.lists = lists.clone();
        let ids: Vec<CallId> = self.by_id.keys().copied().collect();
        for id in ids {
            let Some(call) = self.by_id.get_mut(&id) else { continue };
            match &mut call.stage {
                Stage::Up(_, peer) => {
                    peer.relisted(lists.clone());
                    self.pump(id, now);
                }
                Stage::Ringing(_, expected) | Stage::Incoming(_, expected) if lists.revoke(expected.serial()) => {
                    self.tell_relay(id, Code::HUNG_UP);
                    let revoked = CloseReason::Fault(Fault::Certificate(CertRefusal::Revoked));
                    self.end(id, CallEnd::Closed(revoked), now);
                }
                Stage::Waiting | Stage::Asking(_) | Stage::Ringing(..) | Stage::Incoming(..) | Stage::Ending(..) => {}
            }
        }
    }
}
