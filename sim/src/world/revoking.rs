//! The operator takes devices back now and then, whatever these do at the moment.

use countersign_core::id::AdminId;
use countersign_core::operator::{Command, Revoke};
use countersign_core::server::Input;
use countersign_core::tlog::ReasonCode;

use super::World;
use super::event::Event;
use crate::rng::{Choices, Draw, Streams};
use crate::story::Phase;

/// The numbers of these commands begin here, far above those of invites and of villains.
const FIRST_ASK: u64 = 1 << 50;

/// What is drawn for revocations, and how many there were.
pub(super) struct Revoking {
    rng: Choices,
    asked: u64,
}

impl Revoking {
    /// None yet.
    pub(super) fn new(streams: Streams) -> Self {
        Self { rng: streams.stream("revoking"), asked: 0 }
    }
}

impl World {
    /// Plans the next one.
    pub(super) fn plan_revoke(&mut self) {
        let mean_ms = self.config.revoke_mean_ms;
        let after_ms = self.revoking.rng.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Revoke);
        }
    }

    /// The operator takes a device back that has joined. In the calm everybody is left in peace.
    pub(super) fn revoke(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let joined: Vec<_> =
            self.devices.iter().filter_map(|node| Some(node.store.identity.as_ref()?.name.clone())).collect();
        if let Some(name) = self.revoking.rng.pick(&joined).cloned() {
            self.revoking.asked += 1;
            let (whole, reason) =
                (self.revoking.rng.chance(1, 2), self.revoking.rng.pick(&[0, 1, 3, 4, 5, 9]).copied());
            let reason = reason.and_then(ReasonCode::new).expect("each of these is a reason");
            let device = (!whole).then_some(name.device);
            let command = Command::Revoke(Revoke { user: name.user, device, reason, force: true });
            self.tell_relay(Input::Operator(AdminId(FIRST_ASK + self.revoking.asked), &command));
        }
        self.plan_revoke();
    }
}
