//! How the delivery service is a room of the server's: what it is told of, and what goes with it.

use super::{Output, Server, Written};
use crate::delivery::Round;
use crate::effect::Effect;
use crate::id::AppendId;
use crate::journal::Outcome;
use crate::time::Now;

impl Server {
    /// What a crash has left beside the records goes, and what was kept for too long.
    pub(super) fn begin_posting(&mut self, now: Now) {
        // A new journal has nothing.
        if self.state.position().n > 0 {
            self.outputs.push_back(Output::KeepBodies(self.state.conversations().needed()));
        }
        self.delivery.look(&mut Round { state: &self.state, now, out: &mut self.effects });
    }

    /// The journal has a record of the delivery service's.
    pub(super) fn delivery_appended(&mut self, id: AppendId, outcome: &Outcome, written: &Written, now: Now) {
        let bytes = written.body.as_ref().map_or(0, |body| body.len());
        let mut round = Round { state: &self.state, now, out: &mut self.effects };
        self.delivery.appended(id, outcome, bytes, &mut round);
    }

    /// What nobody needs any more since the record that was folded last goes.
    pub(super) fn drop_unneeded(&mut self) {
        let gone = self.state.conversations().unneeded();
        if !gone.is_empty() {
            self.delivery.unneeded(gone);
            self.effects.push(Effect::DropBodies(gone.to_vec()));
        }
    }

    pub(super) fn delivery_tick(&mut self, now: Now) {
        self.delivery.tick(&mut Round { state: &self.state, now, out: &mut self.effects });
    }

    /// The operator has chosen to have no lobby.
    #[cfg(test)]
    pub(crate) fn set_lobby(&mut self, lobby: bool) {
        self.delivery.set_lobby(lobby);
    }

    /// The delivery service, for what can't be seen from outside.
    #[cfg(test)]
    pub(crate) fn delivery_mut(&mut self) -> &mut crate::delivery::Delivery {
        &mut self.delivery
    }
}
