//! Which room answers what a device asks about the devices of its own user.

use rand_core::CryptoRng;

use super::Server;
use crate::effect::Turn;
use crate::id::DeviceName;
use crate::relay::Admitted;
use crate::revoker::Withdraw;
use crate::time::Now;
use crate::wire::Frame;
use crate::wire::devices::{DevicesEvent, DevicesRequest};
use crate::wire::relay::RelayEvent;

impl Server {
    /// A device asks: the revoker takes back, the relay knows who goes by which lists, the rest is the CA's.
    pub(super) fn own_devices(&mut self, from: &Admitted, request: DevicesRequest, now: Now, rng: &mut dyn CryptoRng) {
        let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
        match request {
            DevicesRequest::Withdraw { ask, device, reason, force, endorsement } => {
                let withdraw = Withdraw { ask, device, reason, force, endorsement: *endorsement };
                self.revoker.withdraw(from, withdraw, turn);
            }
            DevicesRequest::Acted { ask, number } => {
                let [acted, left] = self.relay.acted_counts(number);
                let event = DevicesEvent::Acted { ask, acted, left };
                turn.out.send(from.conn(), Frame::message(&RelayEvent::Devices(event)));
            }
            request @ (DevicesRequest::List { .. }
            | DevicesRequest::Compare { .. }
            | DevicesRequest::Endorse { .. }
            | DevicesRequest::Dismiss { .. }
            | DevicesRequest::Arm { .. }
            | DevicesRequest::Recovery { .. }) => {
                let is_online = |device: &DeviceName| self.relay.is_present(device);
                self.ca.devices(from, request, &is_online, turn);
            }
        }
    }
}
