//! A call of ours that rings, at each of the other's devices: which are asked, which of them takes it, and, where none does,
//! of which end the person is told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, CallEvent, Calls, Stage, Wake};
use crate::fault::Fault;
use crate::id::{AskId, DeviceName, TunnelId};
use crate::limits::{BRANCHES_MAX, RING_TIME_MAX};
use crate::peer::{Expected, Peer};
use crate::time::Now;
use crate::tls::Lists;
use crate::wire::Code;
use crate::wire::relay::RelayRequest;

/// The branches of one ask.
#[derive(Debug)]
pub(super) struct Branches {
    ask: AskId,
    ringing: BTreeMap<TunnelId, Expected>,
    /// Whom the relay has ever named for it: each once, and no more than a person can have.
    named: BTreeSet<DeviceName>,
    /// The most telling end of those that are over.
    end: Option<Code>,
}

impl Branches {
    fn new(ask: AskId) -> Self {
        Self { ask, ringing: BTreeMap::new(), named: BTreeSet::new(), end: None }
    }

    /// Whether these are of this ask.
    pub(super) fn are_of(&self, ask: AskId) -> bool {
        self.ask == ask
    }

    /// Whether it rings at this device.
    pub(super) fn ring_at(&self, device: &DeviceName) -> bool {
        self.ringing.values().any(|expected| expected.device() == device)
    }

    /// The numbers of those that ring.
    pub(super) fn tunnels(&self) -> impl Iterator<Item = TunnelId> + '_ {
        self.ringing.keys().copied()
    }

    /// Those that ring at devices which are revoked by these lists.
    pub(super) fn revoked_by(&self, lists: &Lists) -> Vec<TunnelId> {
        let revoked = self.ringing.iter().filter(|(_, expected)| lists.have(expected.serial()));
        revoked.map(|(tunnel, _)| *tunnel).collect()
    }

    /// Whether one of those that ring has this number.
    pub(super) fn have(&self, tunnel: TunnelId) -> bool {
        self.ringing.contains_key(&tunnel)
    }

    /// One more device is asked. No honest relay asks one twice, gives a number twice, or asks more than a person can have.
    fn add(&mut self, tunnel: TunnelId, expected: Expected) -> Result<(), Fault> {
        let is_new = self.named.insert(expected.device().clone()) && !self.ringing.contains_key(&tunnel);
        if !is_new || self.named.len() > BRANCHES_MAX {
            return Err(Fault::Unexpected);
        }
        self.ringing.insert(tunnel, expected);
        Ok(())
    }

    /// One of them is over. If it was the last, why nobody took the call.
    pub(super) fn over(&mut self, tunnel: TunnelId, code: Code) -> Option<Code> {
        self.ringing.remove(&tunnel);
        let most_telling = self.end.filter(|before| weight(*before) >= weight(code)).unwrap_or(code);
        self.end = Some(most_telling);
        self.ringing.is_empty().then_some(most_telling)
    }
}

/// How much the end of one branch tells of the person who was called: that they are not who they were more than anything,
/// that they said no more than that they are busy, that
/// more than that a device rang and nobody came, and least that a device went away.
fn weight(code: Code) -> u8 {
    match code {
        Code::CHANGED => 5,
        Code::DECLINED => 4,
        Code::IN_A_CALL => 3,
        Code::NO_ANSWER => 2,
        Code::GONE => 0,
        _ => 1,
    }
}

impl Calls {
    /// The relay asks one of the other's devices for us.
    ///
    /// With `expected`, what the log has of the one who is asked; nobody else is met.
    pub fn ringing(
        &mut self,
        ask: AskId,
        tunnel: TunnelId,
        device: DeviceName,
        expected: Option<Expected>,
        now: Now,
    ) -> Result<(), Fault> {
        let before = expected.as_ref().and_then(|expected| self.was_other(expected));
        let Some((id, call)) = self.by_id.iter_mut().find(|(_, call)| call.stage.is_of(ask)) else {
            // We gave it up meanwhile, or another device has taken it.
            self.requests.push_back(RelayRequest::HangUp { tunnel, code: Code::HUNG_UP });
            return Ok(());
        };
        let id = *id;
        if device.user != call.user {
            // A relay that rings at somebody else than we asked for is not one to go on with.
            return Err(Fault::Unexpected);
        }
        let expected = expected.ok_or(Fault::Log)?;
        if let Stage::Asking(_) = call.stage {
            call.stage = Stage::Ringing(Box::new(Branches::new(ask)));
            self.deadlines.set(Wake::Call(id), now.mono.plus(RING_TIME_MAX * 2));
        }
        if let Stage::Ringing(branches) = &mut call.stage {
            branches.add(tunnel, expected)?;
        }
        match before {
            Some(before) => self.leave_changed(id, tunnel, device, before, now),
            None => self.events.push_back((id, Ok(CallEvent::Ringing(device)))),
        }
        Ok(())
    }

    /// One of the devices that we call takes the call. The relay ends the other branches.
    pub fn accepted(&mut self, tunnel: TunnelId, now: Now) -> Result<(), Fault> {
        let Some(id) = self.by_tunnel(tunnel) else { return Ok(()) };
        let Some(Call { stage: Stage::Ringing(branches), .. }) = self.by_id.get_mut(&id) else {
            return Err(Fault::Unexpected);
        };
        let expected = branches.ringing.remove(&tunnel).ok_or(Fault::Unexpected)?;
        let (reach, first) = (self.reach.clone(), self.numbers());
        let own = self.credentials(tunnel);
        let peer = Peer::calling(&self.env, &own, &self.identity.trust, expected, reach, first)
            .with_lists(self.identity.lists.clone());
        self.up(id, tunnel, peer, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
