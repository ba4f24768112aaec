//! The relay as a machine: who is here, who asks for whom, and tunnels that it can't look into (protocol §5, §6).
//!
//! Everything it is told comes from an [`Admitted`] connection, and only a proven device becomes one, so a request
//! without a certificate behind it can't be written down. It speaks in values: connections, TLS and frames are
//! elsewhere.

mod fetch;
mod follow;
pub(crate) mod rate;
pub mod roster;
pub mod session;
pub mod tunnel;

use std::time::Duration;

use serde_bytes::ByteBuf;

use crate::effect::Effects;
use crate::fault::Fault;
use crate::id::{AskId, ConnId, DeviceName, LoadId, TunnelId, UserName};
use crate::journal::State;
use crate::limits::{
    ATTENDANCES_MAX, ATTENDANCES_SPAN, BRANCHES_MAX, INTRODUCTIONS_MAX, INTRODUCTIONS_SPAN, WHO_PAGE_MAX,
};
use crate::time::{Instant, Now};
use crate::tlog::keeper::lineage;
use crate::wire::log::LogProof;
use crate::wire::relay::{Person, RelayEvent, RelayRequest};
use crate::wire::revocation::SignedLists;
use crate::wire::{Code, Extensions, Frame};

pub use session::Admitted;

pub use follow::Books;

use fetch::Fetches;
use follow::Followers;
use rate::Rate;
use roster::Roster;
use tunnel::{Tunnels, codes};

/// The relay.
#[derive(Debug)]
pub struct Relay {
    roster: Roster,
    tunnels: Tunnels,
    fetches: Fetches,
    followers: Followers,
    /// How often each device has come after it was absent: each time all others are told, and again when it goes.
    attendances: Rate<DeviceName>,
    /// How often each has had somebody asked for.
    introductions: Rate<DeviceName>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            roster: Roster::default(),
            tunnels: Tunnels::default(),
            fetches: Fetches::default(),
            followers: Followers::default(),
            attendances: Rate::new(ATTENDANCES_MAX, ATTENDANCES_SPAN),
            introductions: Rate::new(INTRODUCTIONS_MAX, INTRODUCTIONS_SPAN),
        }
    }
}

impl Relay {
    /// Lets calls ring so long from now on.
    pub fn set_ring_time(&mut self, time: Duration) {
        self.tunnels.set_ring_time(time);
    }

    /// A device was admitted on a connection.
    pub fn admitted(&mut self, admitted: &Admitted, out: &mut Effects) {
        if let Some(oldest) = self.roster.connected(admitted) {
            out.push(crate::effect::Effect::Part(oldest, Code::REPLACED));
        }
    }

    /// A device asks something, which was held against the bounds of its kind ([`RelayRequest::check`]). A fault is the
    /// device's doing and ends its connection.
    pub fn request(
        &mut self,
        from: &Admitted,
        request: RelayRequest,
        books: &mut Books<'_>,
        now: Now,
        out: &mut Effects,
    ) -> Result<(), Fault> {
        let (conn, state) = (from.conn(), books.state);
        match request {
            RelayRequest::Attend { .. } => self.attend(from, now, out),
            RelayRequest::Ping => out.send(conn, Frame::message(&RelayEvent::Pong)),
            RelayRequest::Who { ask, after } => {
                out.send(conn, Frame::message(&self.people(ask, after.as_ref(), state)));
            }
            RelayRequest::Fetch { ask, user } => {
                if let Err(code) = self.fetches.ask(conn, ask, &user, state, out) {
                    out.send(conn, Frame::message(&RelayEvent::Refused { ask, code }));
                }
            }
            RelayRequest::Certificate { ask, serial } => {
                if let Err(code) = self.fetches.ask_one(conn, ask, serial, state, out) {
                    out.send(conn, Frame::message(&RelayEvent::Refused { ask, code }));
                }
            }
            RelayRequest::Introduce { ask, to, .. } => {
                if let Err(code) = self.introduce(from, ask, &to, books, now, out) {
                    out.send(conn, Frame::message(&RelayEvent::Refused { ask, code }));
                }
            }
            RelayRequest::Accept { tunnel } => self.tunnels.accept(conn, tunnel, out)?,
            RelayRequest::HangUp { tunnel, code } => self.tunnels.hang_up(conn, tunnel, codes::allowed(code), out),
            RelayRequest::Forward { tunnel, bytes } => self.tunnels.forward(conn, tunnel, bytes, out)?,
            RelayRequest::Credit { tunnel, bytes } => self.tunnels.credit(conn, tunnel, bytes, out)?,
            RelayRequest::Follow { seen } => self.followers.follow(conn, seen, books, out),
            RelayRequest::Leaves { ask, from } => Followers::leaves(conn, ask, from, state, out),
            // The CA's and the revoker's to answer: `server/conn.rs` hands them there.
            RelayRequest::Renew { .. }
            | RelayRequest::Devices(_)
            | RelayRequest::Password { .. }
            | RelayRequest::ListsBefore(_)
            | RelayRequest::Conversations(_)
            | RelayRequest::Piece { .. } => return Err(Fault::Unexpected),
            RelayRequest::Listed { number } => self.roster.listed(from, number),
        }
        Ok(())
    }

    /// The journal gave a record that we asked for. Certificates go out with the CA that issued them, and with the log's
    /// proof for whoever follows the log.
    ///
    /// # Panics
    /// If we did not ask.
    pub fn loaded(&mut self, id: LoadId, record: Option<&[u8]>, books: &mut Books<'_>, out: &mut Effects) {
        self.fetches.loaded(id, record, &mut self.followers, books, out);
    }

    /// A device has a new certificate, and its connection the proof from it: it is handed out with the log's proof, and in
    /// the same order with everything that names the device.
    pub fn renewed(
        &mut self,
        to: &Admitted,
        ask: AskId,
        (leaf, issuing): (Vec<u8>, Vec<u8>),
        books: &mut Books<'_>,
        out: &mut Effects,
    ) {
        self.roster.renewed(to);
        let proof = self.followers.prove(to.conn(), to.serial(), books, out);
        let row = proof.as_ref().and_then(|_| lineage(books.state, to.serial()).extension());
        let extensions = Extensions(proof.iter().map(LogProof::extension).chain(row).collect());
        let (leaf, issuing) = (ByteBuf::from(leaf), ByteBuf::from(issuing));
        out.send(to.conn(), Frame::message(&RelayEvent::Renewed { ask, leaf, issuing, extensions }));
    }

    /// A connection is over.
    pub fn gone(&mut self, admitted: &Admitted, out: &mut Effects) {
        self.tunnels.gone(admitted.conn(), out);
        self.followers.gone(admitted.conn());
        if self.roster.gone(admitted) {
            self.announce(admitted.device(), false, None, out);
        }
    }

    /// A device was revoked: its connections end, and what it does on them.
    pub fn revoked(&self, device: &DeviceName, out: &mut Effects) {
        for conn in self.roster.conns_of(device) {
            out.push(crate::effect::Effect::Part(conn, Code::REVOKED));
        }
    }

    /// There are other revocation lists: all who are connected are told, encoded once. Whoever was welcomed a moment ago, and does
    /// not attend yet, was shown the ones before.
    pub fn push(&self, lists: &SignedLists, out: &mut Effects) {
        let frame = Frame::message(&RelayEvent::Lists(lists.clone()));
        for conn in self.roster.all_conns() {
            out.send(conn, frame.clone());
        }
    }

    /// How many devices that are present go by lists of this number or newer ones, and how many do not yet.
    pub fn acted_counts(&self, number: u64) -> [u32; 2] {
        self.roster.acted_counts(number)
    }

    /// The devices that are present, and whether each has said to go by lists of this number or newer ones.
    pub fn acted(&self, number: u64) -> Vec<(DeviceName, bool)> {
        self.roster.acted(number)
    }

    /// Whether a device is present.
    pub fn is_present(&self, device: &DeviceName) -> bool {
        self.attending(device).is_some()
    }

    /// The connection by which a device is present.
    pub fn attending(&self, device: &DeviceName) -> Option<ConnId> {
        self.roster.attending(device)
    }

    /// The connections by which a person is present.
    pub fn conns_of(&self, user: &UserName) -> Vec<ConnId> {
        self.roster.attending_conns(user).collect()
    }

    /// How many open tunnels end at a connection; those that ring are not open.
    pub fn open_tunnels(&self, conn: ConnId) -> usize {
        self.tunnels.open_at(conn)
    }

    /// When the next call has rung long enough.
    pub fn next_deadline(&self) -> Option<(Instant, TunnelId)> {
        self.tunnels.next_deadline()
    }

    /// Ends the calls that have rung long enough.
    pub fn tick(&mut self, now: Now, out: &mut Effects) {
        self.tunnels.tick(now.mono, out);
    }

    /// The connection becomes the device's presence: the newest replaces an older one.
    fn attend(&mut self, from: &Admitted, now: Now, out: &mut Effects) {
        let conn = from.conn();
        if !self.is_present(from.device()) && !self.attendances.allows(from.device(), now.mono) {
            return out.push(crate::effect::Effect::Part(conn, Code::BUSY));
        }
        match self.roster.attend(from) {
            roster::Attended::Again => return,
            roster::Attended::Outdated => return out.push(crate::effect::Effect::Part(conn, Code::REPLACED)),
            roster::Attended::New => self.announce(from.device(), true, Some(conn), out),
            roster::Attended::Replaces(older) => {
                // The calls of the older connection end with it; the others see no coming or going.
                self.tunnels.gone(older, out);
                out.push(crate::effect::Effect::Part(older, Code::REPLACED));
            }
        }
        let here: Vec<DeviceName> = self.roster.devices().filter(|device| device != from.device()).collect();
        // An empty page as well: it says that the view is whole.
        let pages = here.chunks(WHO_PAGE_MAX).map(<[_]>::to_vec);
        let pages: Vec<_> = if here.is_empty() { vec![Vec::new()] } else { pages.collect() };
        for devices in pages {
            out.send(conn, Frame::message(&RelayEvent::Here { devices }));
        }
    }

    /// Tells all who attend, encoded once.
    fn announce(&self, device: &DeviceName, online: bool, except: Option<ConnId>, out: &mut Effects) {
        let frame = Frame::message(&RelayEvent::Presence { device: device.clone(), online });
        for conn in self.roster.conns().filter(|conn| Some(*conn) != except) {
            out.send(conn, frame.clone());
        }
    }

    fn people(&self, ask: AskId, after: Option<&UserName>, state: &State) -> RelayEvent {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let mut rest = state.users().range::<UserName, _>((from, Unbounded)).map(|(user, _)| user);
        let people = rest
            .by_ref()
            .take(WHO_PAGE_MAX)
            .map(|user| Person { user: user.clone(), online: self.roster.devices_of(user).next().is_some() })
            .collect();
        RelayEvent::People { ask, people, more: rest.next().is_some() }
    }

    fn introduce(
        &mut self,
        from: &Admitted,
        ask: AskId,
        to: &UserName,
        books: &mut Books<'_>,
        now: Now,
        out: &mut Effects,
    ) -> Result<(), Code> {
        if self.roster.attending(from.device()) != Some(from.conn()) {
            return Err(Code::TOO_EARLY);
        }
        if *to == from.device().user {
            return Err(Code::SELF_CALL);
        }
        if !books.state.users().contains_key(to) {
            return Err(Code::NO_SUCH_USER);
        }
        // All devices by which they are here at this moment; one that comes later is not asked.
        let callees: Vec<_> = self.roster.devices_of(to).take(BRANCHES_MAX).collect();
        if callees.is_empty() {
            return Err(Code::OFFLINE);
        }
        // Nobody makes others ring without end.
        if !self.introductions.allows(from.device(), now.mono) {
            return Err(Code::TOO_MANY_CALLS);
        }
        let conns: Vec<ConnId> = callees.iter().map(|(_, present)| present.conn).collect();
        let branches = self.tunnels.introduce(from.conn(), &conns, now.mono)?;
        for (callee, present) in callees {
            // A device that has no room for another call is left out.
            let Some(tunnel) = branches.get(&present.conn).copied() else { continue };
            // Both under the head of this moment, so that the two have the same one to compare.
            self.followers.prove_device(from.conn(), (&callee, present.serial), books, out);
            self.followers.prove_device(present.conn, (from.device(), from.serial()), books, out);
            out.send(from.conn(), Frame::message(&RelayEvent::Ringing { ask, tunnel, device: callee }));
            let (from, extensions) = (from.device().clone(), Extensions::default());
            out.send(present.conn, Frame::message(&RelayEvent::Introduced { tunnel, from, extensions }));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
