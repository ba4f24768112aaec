//! Calls with people who are not who they were (design 4): found out by the log alone, before a word is said, and turned away.

use super::{CallEnd, CallEvent, Calls, Stage};
use crate::device::acquaintances::{Met, Standing};
use crate::id::{CallId, DeviceName, TunnelId};
use crate::peer::Expected;
use crate::time::Now;
use crate::wire::Code;
use crate::wire::relay::RelayRequest;

impl Calls {
    /// Who the owner of this device's name was to us, if that was somebody else.
    pub(super) fn was_other(&self, expected: &Expected) -> Option<Met> {
        match self.met.standing(&expected.device().user, expected.founder()) {
            Standing::Changed(before) => Some(before),
            Standing::New | Standing::Known(_) => None,
        }
    }

    /// Somebody else than we have met calls under a name that we know: the person is told, and so are they.
    pub(super) fn turn_away(&mut self, tunnel: TunnelId, from: DeviceName, before: Met) {
        self.requests.push_back(RelayRequest::HangUp { tunnel, code: Code::CHANGED });
        self.incoming += 1;
        let id = CallId(self.incoming);
        self.events.push_back((id, Ok(CallEvent::Changed(from, before))));
        self.events.push_back((id, Ok(CallEvent::Ended(CallEnd::Refused(Code::CHANGED)))));
    }

    /// The call that we make rings at a device of somebody else than we have met. It goes on as long as it rings at another.
    pub(super) fn leave_changed(&mut self, id: CallId, tunnel: TunnelId, device: DeviceName, before: Met, now: Now) {
        self.requests.push_back(RelayRequest::HangUp { tunnel, code: Code::CHANGED });
        self.events.push_back((id, Ok(CallEvent::Changed(device, before))));
        if let Some(Stage::Ringing(branches)) = self.by_id.get_mut(&id).map(|call| &mut call.stage)
            && let Some(code) = branches.over(tunnel, Code::CHANGED)
        {
            self.end(id, CallEnd::Refused(code), now);
        }
    }
}

#[cfg(test)]
mod tests;
