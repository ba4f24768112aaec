//! A person's own devices: which there are, and how one of them has another one join (design 4, protocol §4.13).
//!
//! ```text
//! newcomer: Enrol ------> waits ---- Reveal ---+               +--> Granted (as a first device's, `ca.rs`)
//!                           |                  v               |
//! device:    List --> Compare ------------> Compared --> Endorse --Append(CertificateEndorsed)--> Done
//! ```
//!
//! The server only carries the comparison between the two: what it alters shows in their codes
//! ([`crate::pki::comparison`]). It has to check the word itself once more, and the fold does so for good (EN-01 to EN-05).

use std::collections::BTreeSet;

use serde_bytes::ByteArray;

use super::waiting::Waiting;
use super::{Asker, Ca, No, Step, refuse};
use crate::effect::{Effect, Effects, Room, Turn};
use crate::fault::Fault;
use crate::id::{AskId, ConnId, DeviceLabel, DeviceName, KeyId};
use crate::invite::TokenHash;
use crate::journal::fold::may_wait;
use crate::journal::{Record, State};
use crate::limits::{APPENDS_PENDING_MAX, WAITING_TIME_MAX};
use crate::pki::CheckedCsr;
use crate::pki::comparison::{Commitment, ComparisonNonce};
use crate::relay::Admitted;
use crate::tlog::{Basis, Endorsement};
use crate::wire::devices::{DevicesEvent, DevicesRequest, OwnDevice, WaitingDevice};
use crate::wire::enrol::EnrolEvent;
use crate::wire::relay::RelayEvent;
use crate::wire::{Code, Frame};

impl Ca {
    /// Whether a newcomer waits on this connection.
    pub fn is_waiting(&mut self, conn: ConnId) -> bool {
        self.waiting_room.at(conn).is_some()
    }

    /// A newcomer has gone.
    pub fn gone(&mut self, conn: ConnId, out: &mut Effects) {
        if let Some(waiting) = self.waiting_room.leave(conn) {
            waits_no_more(&waiting, out);
        }
    }

    /// A newcomer shows what it has committed itself to.
    pub fn revealed(
        &mut self,
        conn: ConnId,
        nonce: ComparisonNonce,
        next: Commitment,
        out: &mut Effects,
    ) -> Result<(), Fault> {
        // One that another device has endorsed meanwhile waits no more; what it says crosses its certificate on the way.
        let Some(waiting) = self.waiting_room.at(conn) else { return Ok(()) };
        let (member, ask) = waiting.comparing.take().ok_or(Fault::Unexpected)?;
        waiting.commitment = next;
        say(member, DevicesEvent::Compared { ask, nonce }, out);
        Ok(())
    }

    /// A device asks about the devices of its user; `is_online` says which of them are present.
    pub fn devices(
        &mut self,
        from: &Admitted,
        request: DevicesRequest,
        is_online: &dyn Fn(&DeviceName) -> bool,
        turn: &mut Turn<'_>,
    ) {
        let conn = from.conn();
        let (ask, result) = match request {
            DevicesRequest::List { ask } => {
                say(conn, self.list(ask, from.device(), is_online, turn.state), turn.out);
                (ask, Ok(()))
            }
            DevicesRequest::Compare { ask, device, key, nonce } => {
                (ask, self.compare((conn, ask), from.device(), (&device, key), nonce, turn))
            }
            DevicesRequest::Endorse { ask, device, endorsement } => {
                (ask, self.endorse((conn, ask), from.device(), &device, *endorsement, turn))
            }
            DevicesRequest::Arm { ask, key, endorsement } => {
                (ask, self.arm((conn, ask), from.device(), key, *endorsement, turn))
            }
            DevicesRequest::Dismiss { ask, device } => {
                (ask, self.dismiss((conn, ask), from.device(), &device, turn.out))
            }
            DevicesRequest::Recovery { ask } => {
                let newest = turn.state.users().get(&from.device().user).and_then(|user| user.recoveries.newest());
                let armed = newest.map(|armed| (armed.by.clone(), armed.at));
                say(conn, DevicesEvent::Recovery { ask, armed }, turn.out);
                (ask, Ok(()))
            }
            // Others' to answer: `server/own_devices.rs` hands them there.
            DevicesRequest::Withdraw { ask, .. } | DevicesRequest::Acted { ask, .. } => (ask, Err(No::Failed)),
        };
        if let Err(no) = result {
            refuse(Asker::Endorser(conn, ask), no, turn.out);
        }
    }

    /// Tells a device that has just come which others of its user wait.
    pub fn tell_waiting(&self, from: &Admitted, out: &mut Effects) {
        for (_, waiting) in self.waiting_room.of(&from.device().user) {
            say(from.conn(), DevicesEvent::Waits { device: waiting.checked.name().device.clone() }, out);
        }
    }

    /// A newcomer's user is there already: it waits, if it can be endorsed and has said that it would.
    pub(super) fn wait(
        &mut self,
        conn: ConnId,
        checked: CheckedCsr,
        token: TokenHash,
        commitment: Commitment,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        let name = checked.name().clone();
        may_wait(turn.state, &token, &name, checked.key().id(), turn.now.wall).map_err(No::Journal)?;
        if !self.waiting_room.has_place(&name.user) {
            return Err(No::Busy);
        }
        let seconds = u32::try_from(WAITING_TIME_MAX.as_secs()).unwrap_or(u32::MAX);
        turn.out.send(conn, Frame::message(&EnrolEvent::Waiting { seconds }));
        let since = turn.now.wall;
        let waiting = Waiting { checked, token, commitment, since, comparing: None, compared: BTreeSet::new() };
        if let Some((older, waiting)) = self.waiting_room.enter(conn, waiting) {
            waits_no_more(&waiting, turn.out);
            turn.out.push(Effect::Part(older, Code::REPLACED));
        }
        let waits = RelayEvent::Devices(DevicesEvent::Waits { device: name.device });
        turn.out.push(Effect::Tell(name.user, Frame::message(&waits)));
        Ok(())
    }

    fn list(
        &self,
        ask: AskId,
        own: &DeviceName,
        is_online: &dyn Fn(&DeviceName) -> bool,
        state: &State,
    ) -> DevicesEvent {
        let user = &own.user;
        let devices = state.users().get(user).map(|account| &account.devices);
        let own = devices.into_iter().flatten().filter_map(|(label, device)| {
            let origin = state.progress(device.origin)?;
            let endorsed_by = match &origin.basis {
                Basis::Endorsed(word) => Some(word.by.clone()),
                Basis::FirstDevice
                | Basis::Recovered { .. }
                | Basis::Renewed
                | Basis::MadeElsewhere
                | Basis::Reissue => None,
            };
            let name = DeviceName { user: user.clone(), device: label.clone() };
            let (online, revoked) = (is_online(&name), state.revoked(&name).is_some());
            let since = origin.grant.at;
            Some(OwnDevice { device: label.clone(), key: device.key, since, endorsed_by, online, revoked })
        });
        let waiting = self.waiting_room.of(user).filter_map(|(_, waiting)| {
            Some(WaitingDevice {
                device: waiting.checked.name().device.clone(),
                // At enrolment there is no other kind.
                key: ByteArray::new(waiting.checked.key().ed25519_bytes()?),
                commitment: waiting.commitment.clone(),
                since: waiting.since,
            })
        });
        DevicesEvent::List { ask, own: own.collect(), waiting: waiting.collect() }
    }

    fn compare(
        &mut self,
        member: (ConnId, AskId),
        own: &DeviceName,
        (device, key): (&DeviceLabel, KeyId),
        nonce: ComparisonNonce,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        let is_it = |waiting: &Waiting| waiting.checked.key().id() == key;
        let conn = self.waiting_room.find(&own.user, device, is_it).ok_or(No::Code(Code::NOT_WAITING))?;
        let by = turn.state.device(own).ok_or(No::Code(Code::UNKNOWN_DEVICE))?;
        let waiting = self.waiting_room.at(conn).ok_or(No::Code(Code::NOT_WAITING))?;
        if waiting.comparing.is_some() {
            return Err(No::Busy);
        }
        waiting.comparing = Some(member);
        waiting.compared.insert(by.key);
        let compare = EnrolEvent::Compare { by: own.device.clone(), key: by.key, nonce };
        turn.out.send(conn, Frame::message(&compare));
        Ok(())
    }

    fn endorse(
        &mut self,
        (conn, ask): (ConnId, AskId),
        own: &DeviceName,
        device: &DeviceLabel,
        endorsement: Endorsement,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        self.in_office(turn)?;
        let by = turn.state.device(own).ok_or(No::Code(Code::UNKNOWN_DEVICE))?;
        // Nobody speaks for another device of theirs.
        if endorsement.by != own.device || endorsement.key.id() != by.key {
            return Err(No::Code(Code::NOT_ENDORSED));
        }
        let realm = self.authority.realm();
        let is_for = |waiting: &Waiting| endorsement.holds(realm, waiting.checked.name(), waiting.checked.key().id());
        let has_compared = |waiting: &Waiting| is_for(waiting) && waiting.compared.contains(&by.key);
        let Some(newcomer) = self.waiting_room.find(&own.user, device, has_compared) else {
            let is_other = |waiting: &Waiting| !is_for(waiting);
            let waits = self.waiting_room.find(&own.user, device, is_other).is_some();
            return Err(No::Code(if waits { Code::NOT_ENDORSED } else { Code::NOT_WAITING }));
        };
        if self.appending.len() >= APPENDS_PENDING_MAX {
            return Err(No::Busy);
        }
        let Some(mut waiting) = self.waiting_room.leave(newcomer) else { return Err(No::Code(Code::NOT_WAITING)) };
        // Whoever has compared and endorses is told of the certificate instead.
        waiting.comparing = waiting.comparing.filter(|(member, _)| *member != conn);
        waits_no_more(&waiting, turn.out);
        let grant = self.authority.propose(&waiting.checked, waiting.token, turn.now.wall, turn.rng);
        let record = if grant.token == TokenHash::of_password(&own.user) {
            Record::SignedIn { grant, endorsement }
        } else {
            Record::CertificateEndorsed { grant, endorsement }
        };
        let append = turn.out.append(Room::Ca, vec![record]);
        self.appending.insert(append, Step::Endorsing(Asker::Newcomer(newcomer), Asker::Endorser(conn, ask)));
        Ok(())
    }

    fn dismiss(
        &mut self,
        (conn, ask): (ConnId, AskId),
        own: &DeviceName,
        device: &DeviceLabel,
        out: &mut Effects,
    ) -> Result<(), No> {
        let newcomer = self.waiting_room.find(&own.user, device, |_| true).ok_or(No::Code(Code::NOT_WAITING))?;
        if let Some(waiting) = self.waiting_room.leave(newcomer) {
            waits_no_more(&waiting, out);
        }
        refuse(Asker::Newcomer(newcomer), No::Code(Code::NOT_APPROVED), out);
        say(conn, DevicesEvent::Done { ask }, out);
        Ok(())
    }
}

/// Whoever compares with a device that waits no more need not wait either.
fn waits_no_more(waiting: &Waiting, out: &mut Effects) {
    if let Some((member, ask)) = waiting.comparing {
        refuse(Asker::Endorser(member, ask), No::Code(Code::NOT_WAITING), out);
    }
}

/// The commitment of a request, if its sender would wait.
pub(super) fn commitment(extensions: &crate::wire::Extensions) -> Option<Commitment> {
    extensions.get(crate::wire::enrol::COMMITMENT).ok().flatten()
}

/// Tells a member about its devices.
pub(super) fn say(conn: ConnId, event: DevicesEvent, out: &mut Effects) {
    out.send(conn, Frame::message(&RelayEvent::Devices(event)));
}
