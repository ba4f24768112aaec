//! A session between two devices: mutual TLS through the relay's tunnel, and a direct connection where one comes about
//! (protocol §7).
//!
//! ```text
//!             handshake over, both say Checkpoint; the callee says Welcome
//! Securing -----------------------------------------------------------------> Open ---goodbye---> Parting ---> (closed)
//!     |  a certificate is refused, other checkpoints, it takes too long         |  fault, both ways lost      |
//!                                                                               |
//!                                 tunnel --Attached, Attach--> direct --broken, Detach--> tunnel
//! ```
//!
//! One machine over two transports: each is a link of its own, and a line is a line on either. Each end speaks on one
//! way at a time and listens on both; when it changes, it says again what was not confirmed, and the numbers of the
//! lines keep them whole (`lines.rs`). The relay sees lengths. Each end demands the very name that was called or that
//! was announced as calling, so a relay that introduces somebody else is found out by the handshake; and a certificate
//! that the log does not have, or a log that is another for each, by what is compared then (`agreement.rs`).

mod agreement;
mod direct;
pub mod glare;
mod lines;
mod moving;
pub mod network;
pub mod proof;
mod reach;
mod sockets;
mod tunnel;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::fault::{CloseReason, Fault};
use crate::id::{ConnId, DeviceName};
use crate::limits::{LINE_BYTES_MAX, PEER_HEARD_BACKLOG_BYTES, PEER_LINE_OVERHEAD_BYTES, PEER_OUTBOX_BYTES_MAX};
use crate::link::{Link, LinkEvent};
use crate::time::{Now, Wall};
use crate::tlog::{Founder, Split, VerifiedCheckpoint};
use crate::tls::{Credentials, Dial, Doors, Lists, Proven, TlsEnv, Trust};
use crate::wire::frame::decode;
use crate::wire::peer::PeerMessage;
use crate::wire::{Code, Extensions, Frame};

use agreement::{Agreement, Disagreement};
use direct::{Direct, Ends};
use lines::Lines;
use tunnel::Tunnel;

pub use agreement::Expected;
pub use direct::{DirectEnd, DirectOutput};
pub use reach::Reach;
pub use sockets::DirectInput;

/// Which end of the call this is, and so which side of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Called: TLS client.
    Caller,
    /// Was called: TLS server.
    Callee,
}

/// By which way two devices speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Through the relay, as bytes that it can't read.
    Tunnel,
    /// From one to the other.
    Direct,
}

/// What came of the other end's bytes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Both ends have proved who they are, in the tunnel. Lines may be said.
    Open(Proven<DeviceName>),
    /// The other end said a line.
    Line {
        /// Counted from 0.
        n: u64,
        /// Without end of line.
        text: String,
    },
    /// The session goes on directly.
    Direct,
    /// The session goes on in the tunnel: there is no direct connection, or not any more.
    Tunnelled(DirectEnd),
    /// The log has shown the two ends different histories: here is the proof. The end follows.
    Split(Box<Split>),
    /// The log has signed this for the other end, and it is of another size than ours: the log has to show that both are of
    /// one history. The end follows.
    Other(Box<VerifiedCheckpoint>),
    /// The session is over. Nothing follows.
    Closed(CloseReason),
}

/// Why a line can't be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayRefusal {
    /// The session is not open, or is parting.
    NotOpen,
    /// The line is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// Too much waits already: say it again when some has gone.
    Full,
}

/// One end of a session.
#[derive(Debug)]
pub struct Peer {
    role: Role,
    reach: Reach,
    /// `None` once the relay or the tunnel is lost.
    tunnel: Option<Tunnel>,
    direct: Direct,
    lines: Lines,
    agreement: Agreement,
    lists: Lists,
    proven: Option<Proven<DeviceName>>,
    /// Until when the proof holds: the end of the certificate that was shown, or of one that has renewed it.
    proof_ends: Option<Wall>,
    open: bool,
    over: bool,
    parted: Option<Code>,
    /// Whether it ended while this end spoke directly: what still waits for the tunnel is of no use.
    over_directly: bool,
    events: VecDeque<PeerEvent>,
}

impl Peer {
    /// The caller's end: the other must be `called`, with the certificate that the log has. Direct connections go as far as `reach` and are numbered from
    /// `first_conn` on.
    pub fn calling(
        env: &TlsEnv,
        credentials: &Credentials,
        trust: &Trust,
        called: Expected,
        reach: Reach,
        first_conn: ConnId,
    ) -> Self {
        let ends = Ends::Caller(Dial::peer(env, credentials, trust, called.device()));
        Self::new(ends, called, Role::Caller, reach, first_conn)
    }

    /// The callee's end: the other must be `caller`. Otherwise as [`Peer::calling`].
    pub fn called(
        env: &TlsEnv,
        credentials: &Credentials,
        trust: &Trust,
        caller: Expected,
        reach: Reach,
        first_conn: ConnId,
    ) -> Self {
        let doors = Arc::new(Doors::of_peer(env, credentials, trust, caller.device().clone()));
        Self::new(Ends::Callee(doors), caller, Role::Callee, reach, first_conn)
    }

    fn new(ends: Ends, expected: Expected, role: Role, reach: Reach, first_conn: ConnId) -> Self {
        Self {
            role,
            reach,
            tunnel: Some(Tunnel::new(ends.link())),
            direct: Direct::new(ends, first_conn),
            lines: Lines::default(),
            agreement: Agreement::new(expected),
            lists: Lists::default(),
            proven: None,
            proof_ends: None,
            open: false,
            over: false,
            parted: None,
            over_directly: false,
            events: VecDeque::new(),
        }
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// By which way this end speaks.
    pub fn path(&self) -> Path {
        if self.direct.is_up() { Path::Direct } else { Path::Tunnel }
    }

    /// Takes bytes that came through the tunnel.
    pub fn received(&mut self, bytes: &[u8], now: Now) {
        let events = self.tunnel.as_mut().map(|tunnel| tunnel.received(bytes)).unwrap_or_default();
        for event in events {
            let result = match event {
                LinkEvent::Secured(secured) => self.met(secured.device, now),
                LinkEvent::Message(message) => self.message(&message, Path::Tunnel, now),
                LinkEvent::Closed(reason) => {
                    self.tunnel_closed(reason, now);
                    Ok(())
                }
            };
            self.judge(result);
            self.direct_events(now);
        }
        self.confirm();
    }

    /// The tunnel is gone, or the relay. A direct connection goes on without it. Without one this is the end, and no
    /// good one, after our goodbye, too: that everything arrived is for the other end to say, inside the session, and
    /// the relay can't say it in its place.
    pub fn tunnel_ended(&mut self) {
        self.tunnel = None;
        if !self.direct.is_up() {
            self.closed(CloseReason::Truncated);
        }
    }

    /// The tunnel takes this many bytes more.
    pub fn credited(&mut self, bytes: u32) {
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.credited(bytes);
        }
        self.confirm();
    }

    /// Says a line.
    pub fn say(&mut self, text: &str, now: Now) -> Result<u64, SayRefusal> {
        if !self.is_open() {
            return Err(SayRefusal::NotOpen);
        }
        // Half of the outbox stays for what has to be said again when the way changes.
        if !self.way_has_room(text.len()) {
            return Err(SayRefusal::Full);
        }
        let n = self.lines.say(text, now.mono)?;
        // Before each line, however much waits: with one who talks without pause there is never little (`confirm`).
        self.say_heard();
        self.speak(&PeerMessage::Line { n, text: text.to_owned() });
        Ok(n)
    }

    /// Ends the session in good order: what was said goes out first. The other end's goodbye is awaited.
    pub fn part(&mut self, code: Code) {
        if self.over || self.parted.is_some() {
            return;
        }
        self.parted = Some(code);
        // Where nothing was tried yet, the other end's wish may be on its way and is no breach.
        if !self.direct.is_up() && !self.direct.is_idle() {
            self.direct.leave(Code::OTHER_WAY);
        }
        self.say_goodbye(code);
    }

    /// The session is given up without a word to anybody but the direct connection, if there is one.
    pub fn abandon(&mut self) {
        self.over = true;
        self.direct.leave(Code::GONE);
    }

    /// Whether we have said goodbye and wait for the other's.
    pub fn has_parted(&self) -> bool {
        self.parted.is_some()
    }

    /// Whether lines can be said.
    pub fn is_open(&self) -> bool {
        self.open && !self.over && self.parted.is_none()
    }

    /// Whether both ends had proved who they are, whatever came then.
    pub fn was_open(&self) -> bool {
        self.open
    }

    /// Who the other end has proved to be, once it has.
    pub fn with(&self) -> Option<&DeviceName> {
        self.proven.as_ref().map(Proven::who)
    }

    /// Whether a line of any allowed length would be taken now.
    pub fn has_room(&self) -> bool {
        self.is_open() && self.lines.have_room(LINE_BYTES_MAX) && self.way_has_room(LINE_BYTES_MAX)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// The next bytes for the tunnel, as far as its credit goes.
    pub fn poll_forward(&mut self) -> Option<Vec<u8>> {
        // What has gone makes room for a confirmation that waited.
        self.confirm();
        self.tunnel.as_mut()?.poll_forward()
    }

    /// Credit that is to be given back to the other end of the tunnel.
    pub fn poll_credit(&mut self) -> Option<u32> {
        if self.over { None } else { self.tunnel.as_mut()?.poll_credit() }
    }

    /// Whether everything was handed to the tunnel that is to go through it.
    pub fn is_drained(&self) -> bool {
        self.over_directly || self.tunnel.as_ref().is_none_or(|tunnel| tunnel.link.waiting() == 0)
    }

    fn message(&mut self, message: &[u8], path: Path, now: Now) -> Result<(), Fault> {
        if self.over {
            return Ok(());
        }
        let message: PeerMessage = decode(message)?;
        message.check()?;
        match (message, path) {
            (PeerMessage::Checkpoint { note }, Path::Tunnel) if !self.open => self.compare(&note, now),
            (PeerMessage::Welcome { .. }, Path::Tunnel)
                if self.role == Role::Caller && self.agreement.is_made() && !self.open =>
            {
                self.opened(now);
                Ok(())
            }
            (PeerMessage::Line { n, text }, _) if self.open => {
                // Only where there are two ways may a line come twice.
                if self.lines.hear(n, !self.direct.is_idle())? {
                    self.events.push_back(PeerEvent::Line { n, text });
                }
                Ok(())
            }
            (PeerMessage::Heard { n }, _) if self.open => self.lines.confirmed_by_other(n, now.mono),
            (PeerMessage::Propose { from }, Path::Tunnel)
                if self.open && self.role == Role::Callee && self.direct.is_idle() =>
            {
                if self.reach.direct && self.parted.is_none() {
                    self.direct.begin(from, now);
                } else {
                    self.direct.decline();
                    self.tunnelled(&PeerMessage::Detach);
                }
                Ok(())
            }
            (PeerMessage::Listening { nonce, at }, Path::Tunnel) if self.open && self.role == Role::Caller => {
                let shown = self.proven.as_ref().map(Proven::certificate).ok_or(Fault::Unexpected)?;
                if self.direct.offered(nonce, &at, shown, &self.reach) { Ok(()) } else { Err(Fault::Unexpected) }
            }
            (PeerMessage::Detach, Path::Tunnel) if self.open => {
                self.back(None, DirectEnd::GivenUp, now);
                Ok(())
            }
            (
                PeerMessage::Welcome { .. }
                | PeerMessage::Line { .. }
                | PeerMessage::Heard { .. }
                | PeerMessage::Propose { .. }
                | PeerMessage::Listening { .. }
                | PeerMessage::Attach { .. }
                | PeerMessage::Attached
                | PeerMessage::Detach
                | PeerMessage::Checkpoint { .. },
                _,
            ) => Err(Fault::Unexpected),
        }
    }

    /// The other end's checkpoint has come. If it is ours, the one who was called admits the caller.
    fn compare(&mut self, note: &[u8], now: Now) -> Result<(), Fault> {
        let Err(disagreement) = self.agreement.hear(note) else {
            if self.role == Role::Callee {
                self.tunnelled(&PeerMessage::Welcome { extensions: Extensions::default() });
                self.opened(now);
            }
            return Ok(());
        };
        let fault = disagreement.fault();
        match disagreement {
            Disagreement::Split(split) => self.events.push_back(PeerEvent::Split(split)),
            Disagreement::Other(theirs) => self.events.push_back(PeerEvent::Other(theirs)),
            Disagreement::OtherLog | Disagreement::Again => {}
        }
        Err(fault)
    }

    /// Whose device the other end is, as the log has it.
    pub fn founder(&self) -> Founder {
        self.agreement.founder()
    }

    fn opened(&mut self, now: Now) {
        self.open = true;
        self.events.extend(self.proven.clone().map(PeerEvent::Open));
        if self.role == Role::Caller && self.reach.direct {
            self.direct.begin(Vec::new(), now);
        }
    }

    /// The tunnel's own link is over. What is the other end's doing there ends the session; anything else costs the
    /// tunnel alone, as long as there is another way.
    fn tunnel_closed(&mut self, reason: CloseReason, now: Now) {
        if self.direct.is_up() {
            if !moving::ends_the_session(reason) {
                return;
            }
            // It has left the direct connection before it said goodbye here, and reads until we answer: what it did not
            // hear there is said here.
            self.direct.leave(Code::OTHER_WAY);
            self.say_again(now);
        }
        self.closed(reason);
    }

    /// A breach of the protocol ends the session on every way.
    fn judge(&mut self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            let reason = CloseReason::Fault(fault);
            if let Some(link) = self.speaking() {
                link.fault(fault);
            }
            self.closed(reason);
        }
    }

    fn say_goodbye(&mut self, code: Code) {
        let Some(link) = self.speaking() else { return };
        link.part(code, 0);
        if link.is_closed() {
            self.closed(CloseReason::Ours(code));
        }
    }

    /// Says something on the way that this end speaks on.
    fn speak(&mut self, message: &PeerMessage) {
        let full = self.speaking().is_some_and(|link| link.send(&Frame::message(message)).is_err());
        if full {
            // The bounds of lines and confirmations are made so that it can't be; if it is, nothing more gets out.
            self.closed(CloseReason::Ours(Code::TOO_SLOW));
        }
    }

    /// Says something in the tunnel.
    fn tunnelled(&mut self, message: &PeerMessage) {
        if let Some(tunnel) = &mut self.tunnel {
            // What goes there is small, and a session says only a few of it.
            let _ = tunnel.link.send(&Frame::message(message));
        }
    }

    /// Whether the tunnel is still a way.
    fn has_tunnel(&self) -> bool {
        self.tunnel.as_ref().is_some_and(|tunnel| !tunnel.link.is_closed())
    }

    /// Whether a line of so many bytes may join what waits on the way that this end speaks on.
    fn way_has_room(&self, bytes: usize) -> bool {
        let tunnel = || self.tunnel.as_ref().map(|tunnel| tunnel.link.waiting());
        let waiting = self.direct.waiting().or_else(tunnel).unwrap_or(0);
        waiting + bytes + PEER_LINE_OVERHEAD_BYTES <= PEER_OUTBOX_BYTES_MAX / 2
    }

    fn speaking(&mut self) -> Option<&mut Link> {
        if self.direct.is_up() { self.direct.up() } else { self.tunnel.as_mut().map(|tunnel| &mut tunnel.link) }
    }

    fn closed(&mut self, reason: CloseReason) {
        if !self.over {
            // What answers our goodbye is its good end, by whichever way it comes.
            let answered = self.parted.filter(|_| reason == CloseReason::Theirs(Code::FINISHED));
            let reason = answered.map_or(reason, CloseReason::Ours);
            self.over = true;
            self.over_directly = self.direct.is_up();
            self.direct.leave(if reason.is_polite() { Code::FINISHED } else { Code::GONE });
            self.events.push_back(PeerEvent::Closed(reason));
        }
    }

    /// Confirms what was heard, unless so much waits on the way that a later confirmation will do for both: the one
    /// before our next line, or the one when the way has caught up.
    fn confirm(&mut self) {
        if self.is_open() && self.speaking().is_some_and(|link| link.waiting() < PEER_HEARD_BACKLOG_BYTES) {
            self.say_heard();
        }
    }

    fn say_heard(&mut self) {
        if let Some(n) = self.lines.news() {
            self.speak(&PeerMessage::Heard { n });
            self.lines.told(n);
        }
    }
}

#[cfg(test)]
mod tests;
