//! Which of a device's calls it is that somebody speaks of.

use super::{Call, Calls, Stage};
use crate::id::{AskId, CallId, TunnelId, UserName};
use crate::peer::Expected;

impl Calls {
    /// The call that somebody makes to us, if they do.
    pub(super) fn incoming_from(&self, user: &UserName) -> Option<(CallId, TunnelId, Expected)> {
        let incoming = |(id, call): (&CallId, &Call)| match &call.stage {
            Stage::Incoming(tunnel, from) if call.user == *user => Some((*id, *tunnel, Expected::clone(from))),
            Stage::Incoming(..)
            | Stage::Waiting
            | Stage::Asking(_)
            | Stage::Ringing(..)
            | Stage::Up(..)
            | Stage::Ending(..) => None,
        };
        self.by_id.iter().find_map(incoming)
    }

    /// The call with somebody, if there is one that goes on.
    pub(super) fn with(&self, user: &UserName) -> Option<CallId> {
        let goes_on = |call: &Call| call.user == *user && !matches!(call.stage, Stage::Ending(..));
        self.by_id.iter().find(|(_, call)| goes_on(call)).map(|(id, _)| *id)
    }

    /// The call for which the relay has not answered this ask.
    pub(super) fn asking(&self, ask: AskId) -> Option<CallId> {
        let asks = |call: &Call| matches!(call.stage, Stage::Asking(asked) if asked == ask);
        self.by_id.iter().find(|(_, call)| asks(call)).map(|(id, _)| *id)
    }

    pub(super) fn by_tunnel(&self, tunnel: TunnelId) -> Option<CallId> {
        self.by_id.iter().find(|(_, call)| call.stage.has(tunnel)).map(|(id, _)| *id)
    }
}
