//! What other revocation lists do to the calls that there are.

use super::{CallEnd, Calls, Stage};
use crate::fault::{CloseReason, Fault};
use crate::id::{CallId, TunnelId};
use crate::time::Now;
use crate::tls::{CertRefusal, Lists};
use crate::wire::Code;
use crate::wire::relay::RelayRequest;

/// The other end is not who it was any more.
const REVOKED: CloseReason = CloseReason::Fault(Fault::Certificate(CertRefusal::Revoked));

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
                Stage::Ringing(branches) => {
                    // Those of the person's devices that are not revoked go on ringing.
                    let revoked = branches.revoked_by(lists);
                    let left = revoked.iter().filter_map(|tunnel| branches.over(*tunnel, Code::GONE)).last();
                    let hang_up = |tunnel: &TunnelId| RelayRequest::HangUp { tunnel: *tunnel, code: Code::HUNG_UP };
                    self.requests.extend(revoked.iter().map(hang_up));
                    if left.is_some() {
                        self.end(id, CallEnd::Closed(REVOKED), now);
                    }
                }
                Stage::Incoming(_, expected) if lists.have(expected.serial()) => {
                    self.tell_relay(id, Code::HUNG_UP);
                    self.end(id, CallEnd::Closed(REVOKED), now);
                }
                Stage::Waiting | Stage::Asking(_) | Stage::Incoming(..) | Stage::Ending(..) => {}
            }
        }
    }
}
