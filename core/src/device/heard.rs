//! What the relay says to an admitted device, and which room it is for.

use rand_core::CryptoRng;

use super::conversations::{Conversations, Turn};
use super::{Device, Event};
use crate::fault::Fault;
use crate::time::Now;
use crate::wire::relay::RelayEvent;

impl Device {
    /// The relay says something. A fault is its doing and ends the connection.
    pub(super) fn relay_event(&mut self, event: RelayEvent, now: Now, rng: &mut dyn CryptoRng) -> Result<(), Fault> {
        match event {
            // The first one was the session's; a second is out of turn.
            RelayEvent::Welcome(_) => Err(Fault::Unexpected),
            RelayEvent::Pong => Ok(()),
            RelayEvent::Here { devices } => {
                for device in &devices {
                    self.calls.presence(&device.user, now);
                }
                self.tell(Event::Here(devices));
                Ok(())
            }
            RelayEvent::Presence { device, online } => {
                if online {
                    self.calls.presence(&device.user, now);
                }
                self.tell(Event::Presence(device, online));
                Ok(())
            }
            RelayEvent::People { ask, people, more } => self.asks.people(ask, people, more, now),
            RelayEvent::Conversations(event) => self.conversation(event, now, rng),
            RelayEvent::Piece { bytes, last } => self.piece(&bytes, last, now, rng),
            RelayEvent::Certificate { ask, ref extensions, .. } => {
                let proved = self.converse(now, rng, |conversations, turn| conversations.proved(ask, extensions, turn));
                if proved.unwrap_or(Ok(false))? {
                    return Ok(());
                }
                self.asks.certificate(event, &self.identity, now)
            }
            RelayEvent::Generations(generations) => {
                self.identity.log.hear_generations(generations);
                Ok(())
            }
            RelayEvent::Log(head) => self.log(&head, now),
            RelayEvent::Renewed { .. } => self.renewed(&event, now, rng),
            RelayEvent::Leaves { ask, page } => self.leaves(ask, &page, now),
            RelayEvent::Lineage(lineage) => {
                self.lineage = lineage;
                Ok(())
            }
            RelayEvent::Proof { device, proof } => self.proof(&device, &proof),
            RelayEvent::PasswordSet { ask } => {
                self.asks.password_set(ask);
                Ok(())
            }
            RelayEvent::Lists(lists) => self.relisted(&lists, now),
            RelayEvent::Ringing { ask, tunnel, device } => {
                let expected = self.proved(&device);
                let heard = self.calls.ringing(ask, tunnel, device, expected, now);
                heard.map_err(|fault| if fault == Fault::Log { self.unproved() } else { fault })
            }
            RelayEvent::Introduced { tunnel, from, .. } => {
                let expected = self.proved(&from).ok_or_else(|| self.unproved())?;
                self.calls.introduced(tunnel, expected, now);
                Ok(())
            }
            RelayEvent::Devices(event) => {
                self.approvals.heard(event, &self.identity, now);
                Ok(())
            }
            RelayEvent::Accepted { tunnel } => self.calls.accepted(tunnel, now),
            RelayEvent::Refused { ask, code } => {
                let ours = self.asks.refused(ask, code, now) || self.approvals.refused(ask, code);
                let converse =
                    |conversations: &mut Conversations, turn: &mut Turn<'_>| conversations.refused(ask, code, turn);
                let ours = ours || self.converse(now, rng, converse).unwrap_or(false);
                if !ours && !self.renewal_refused(ask, code, now, rng) {
                    self.calls.refused(ask, code, now);
                }
                Ok(())
            }
            RelayEvent::Ended { tunnel, code } => {
                self.calls.ended(tunnel, code, now);
                Ok(())
            }
            RelayEvent::Forwarded { tunnel, bytes } => {
                self.calls.forwarded(tunnel, &bytes, now);
                Ok(())
            }
            RelayEvent::Credited { tunnel, bytes } => {
                self.calls.credited(tunnel, bytes, now);
                Ok(())
            }
        }
    }
}
