//! Decides what a villain does who has become a member in order: it asks without end, and reads little or everything.

mod intruder;

use countersign_core::id::{AskId, TunnelId, UserName};
use countersign_core::wire::frame::decode;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Code, Extensions, Frame};

use crate::forge::villain::Villain;
use crate::rng::{Chooser, Draw};

/// What a member is there for.
#[derive(Debug, Default)]
pub(crate) struct Errand {
    /// Whether the relay has admitted it.
    admitted: bool,
    /// Whether it has just become its device's presence.
    present: bool,
    asks: u64,
    /// Those who call it.
    callers: Vec<TunnelId>,
    /// What it knows of conversations.
    known: intruder::Known,
}

impl Errand {
    /// Hears what the relay says.
    pub(crate) fn heard(&mut self, tls: &mut Villain) {
        for message in tls.messages() {
            match decode::<RelayEvent>(&message) {
                Ok(RelayEvent::Welcome(_)) => {
                    self.admitted = true;
                    tls.say(&Frame::message(&RelayRequest::Attend { extensions: Extensions::default() }));
                }
                Ok(RelayEvent::Introduced { tunnel, .. }) => self.callers.push(tunnel),
                Ok(RelayEvent::Here { .. }) => self.present = true,
                Ok(RelayEvent::Refused { code, .. }) => self.known.refused(code),
                Ok(RelayEvent::Conversations(event)) => self.known.heard(&event),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Whether it has become its device's presence, told once.
    pub(crate) fn take_present(&mut self) -> bool {
        std::mem::take(&mut self.present)
    }

    /// Whether the relay has admitted it.
    pub(crate) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Asks so many things, whichever: who there is, for certificates, for somebody, for a sign of life. Whoever has
    /// called meanwhile is accepted, and then never spoken to, or told something else.
    pub(crate) fn ask(&mut self, tls: &mut Villain, count: u64, people: &[UserName], rng: &mut dyn Chooser) {
        for _ in 0..count {
            self.asks += 1;
            let (kind, ask) = (rng.below(20), AskId(self.asks));
            let user = rng.pick(people).cloned();
            let request = match (kind, user) {
                (0, Some(user)) => RelayRequest::Fetch { ask, user },
                (1, Some(to)) => RelayRequest::Introduce { ask, to, extensions: Extensions::default() },
                (2, _) => RelayRequest::Ping,
                // What is over by now, or never was, is nobody's.
                (3, _) => RelayRequest::HangUp { tunnel: TunnelId(self.asks), code: Code::DECLINED },
                _ => RelayRequest::Who { ask, after: None },
            };
            tls.say(&Frame::message(&request));
        }
        for tunnel in std::mem::take(&mut self.callers) {
            let request = if rng.chance(1, 2) {
                RelayRequest::Accept { tunnel }
            } else {
                RelayRequest::HangUp { tunnel, code: Code::DECLINED }
            };
            tls.say(&Frame::message(&request));
        }
    }
}
