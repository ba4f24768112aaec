//! How a turn of a device ends, and how the device does: what was queued is sealed, and the relay is told goodbye last.

use super::session::SessionEvent;
use super::{Device, Event};
use crate::time::Now;

impl Device {
    /// Has the calls hand over what the turn has queued for their tunnels.
    pub(super) fn seal(&mut self) {
        if let Some(now) = self.turn
            && self.seal_calls(now)
        {
            self.quit_when_ready(now);
        }
    }

    pub(super) fn seal_calls(&mut self, now: Now) -> bool {
        let sealed = self.calls.seal(now);
        if sealed {
            while let Some(request) = self.calls.poll_request() {
                self.session.request(&request);
            }
        }
        sealed
    }

    /// Once the calls have ended in good order the relay is told goodbye, too.
    pub(super) fn quit_when_ready(&mut self, now: Now) {
        let is_kept = self.conversations.as_ref().is_none_or(|conversations| conversations.is_idle());
        if self.quitting && self.calls.is_empty() && is_kept && !self.done {
            self.session.quit(now);
            while let Some(event) = self.session.poll_event() {
                if let SessionEvent::Parted = event {
                    self.done();
                }
            }
        }
    }

    pub(super) fn done(&mut self) {
        if !self.done {
            self.done = true;
            self.tell(Event::Done);
        }
    }
}
