//! The direct connection of a session: from the wish for one until it is attached, broken or given up (protocol §7.5).
//!
//! ```text
//! caller: Idle -> Finding (own addresses) -> Proposed -> Trying (dials) ---Attached---> Up --broken, left--> Over
//! callee: Idle -> Finding (own addresses) -> Binding  -> Trying (listens) --Attach-----> Up
//!                        any of them: nothing to offer, no answer in time, the other end leaves it -------> Over
//! ```
//!
//! There is one attempt in a session. Everybody can connect to the callee's port; what counts is the handshake, in which
//! the other end proves the very certificate that it has proved in the tunnel, and the nonce, which was told there. A
//! connection that has neither is closed, and the listening goes on.

mod candidates;
mod end;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand_core::CryptoRng;

use super::reach::Reach;
use crate::fault::CloseReason;
use crate::id::{ConnId, Fingerprint};
use crate::limits::{DIRECT_HEARD_TIME_MAX, DIRECT_TIME_MAX, PING_AFTER, SILENCE_TIME_MAX};
use crate::link::{Link, LinkEvent, Step};
use crate::time::{Instant, Now};
use crate::tls::{Dial, Doors};
use crate::wire::Code;
use crate::wire::peer::Nonce;

use candidates::{Candidates, Tried};
pub use end::DirectEnd;

/// What the session wants done with sockets. Connections are answered by number, the rest by the session.
#[derive(Debug)]
pub enum DirectOutput {
    /// Say which addresses this machine has.
    FindAddresses,
    /// Listen on these addresses, for this session.
    Listen(Vec<IpAddr>),
    /// Stop listening.
    Unlisten,
    /// Connect.
    Dial(ConnId, SocketAddr),
    /// The session is done with this connection; what its link still holds is to be sent before it is closed.
    Leave(ConnId, Box<Link>),
    /// Close the socket and forget it.
    Drop(ConnId),
}

/// What the session has to know.
#[derive(Debug)]
pub(super) enum DirectEvent {
    /// From here on this end speaks on the direct connection.
    Attached,
    /// The other end said something on it.
    Message(Vec<u8>),
    /// It was attached and is over, for this reason.
    Closed(CloseReason),
    /// It did not come about.
    Failed(DirectEnd),
}

/// How a link to the other end is made.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    /// We dial.
    Caller(Dial),
    /// We listen.
    Callee(Arc<Doors>),
}

impl Ends {
    /// A link to the other end, by whatever way.
    pub(super) fn link(&self) -> Link {
        match self {
            Self::Caller(dial) => Link::connect(dial),
            Self::Callee(doors) => Link::accept(Arc::clone(doors)),
        }
    }
}

/// The attempt, and what came of it.
#[derive(Debug)]
pub(super) struct Direct {
    ends: Ends,
    stage: Stage,
    /// The numbers for our connections.
    next_conn: ConnId,
    turned: bool,
    outputs: VecDeque<DirectOutput>,
    events: VecDeque<DirectEvent>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    /// The shell is asked which addresses there are; the callee knows from where the caller would come.
    Finding(Instant, Vec<IpAddr>),
    Proposed(Instant),
    Binding(Instant),
    Trying(Instant, Box<Candidates>),
    Up(Box<Up>),
    Over,
}

#[derive(Debug)]
struct Up {
    conn: ConnId,
    link: Link,
    heard_at: Instant,
    told_at: Instant,
}

impl Up {
    /// When the connection is dead, if nothing comes until then: by its silence, or by a line of ours that has waited
    /// for its confirmation `since` then. While they talk, the confirmation may stand behind what they said before.
    fn dead_at(&self, waiting_since: Option<Instant>) -> Instant {
        let unheard =
            |since: Instant| since.max(self.heard_at).plus(DIRECT_HEARD_TIME_MAX).min(since.plus(SILENCE_TIME_MAX));
        waiting_since.map(unheard).into_iter().fold(self.heard_at.plus(SILENCE_TIME_MAX), Instant::min)
    }
}

impl Direct {
    /// Nothing yet. Connections of ours are numbered from `first_conn` on.
    pub(super) fn new(ends: Ends, first_conn: ConnId) -> Self {
        Self {
            ends,
            stage: Stage::Idle,
            next_conn: first_conn,
            turned: false,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins the attempt. The callee has been told from where the other end would come.
    pub(super) fn begin(&mut self, theirs: Vec<IpAddr>, now: Now) {
        self.stage = Stage::Finding(now.mono.plus(DIRECT_TIME_MAX), theirs);
        self.outputs.push_back(DirectOutput::FindAddresses);
    }

    /// There will be none.
    pub(super) fn decline(&mut self) {
        self.stage = Stage::Over;
    }

    /// These are our addresses: the caller proposes those that it gets back; the callee has them listened on.
    pub(super) fn addresses(&mut self, own: &[IpAddr], reach: &Reach) -> Option<Vec<IpAddr>> {
        let Stage::Finding(until, theirs) = &self.stage else { return None };
        let until = *until;
        let offered = match &self.ends {
            Ends::Caller(_) => reach.offered(own),
            Ends::Callee(_) => reach.offered_to(own, theirs),
        };
        if offered.is_empty() {
            self.fail(DirectEnd::NoAddress);
            return None;
        }
        match &self.ends {
            Ends::Caller(_) => {
                self.stage = Stage::Proposed(until);
                Some(offered)
            }
            Ends::Callee(_) => {
                self.stage = Stage::Binding(until);
                self.outputs.push_back(DirectOutput::Listen(offered));
                None
            }
        }
    }

    /// The shell listens there: what the caller is to be told. With nowhere, it could not.
    pub(super) fn listening(
        &mut self,
        at: &[SocketAddr],
        certificate: Fingerprint,
        rng: &mut dyn CryptoRng,
    ) -> Option<(Nonce, Vec<SocketAddr>)> {
        let Stage::Binding(until) = self.stage else {
            // It was given up meanwhile.
            self.outputs.push_back(DirectOutput::Unlisten);
            return None;
        };
        let nonce = Nonce::draw(rng);
        self.stage = Stage::Trying(until, Box::new(Candidates::of_callee(nonce.clone(), certificate)));
        if at.is_empty() {
            self.fail(DirectEnd::NoAddress);
            return None;
        }
        Some((nonce, at.to_vec()))
    }

    /// The callee listens there: dials, and says whether that was expected.
    pub(super) fn offered(&mut self, nonce: Nonce, at: &[SocketAddr], certificate: Fingerprint, reach: &Reach) -> bool {
        match self.stage {
            // Given up meanwhile; the callee will hear so.
            Stage::Over => true,
            Stage::Proposed(until) => {
                let dialled = reach.dialled(at);
                let conns: Vec<ConnId> = dialled.iter().map(|_| self.number()).collect();
                if dialled.is_empty() {
                    self.fail(DirectEnd::NotAllowed);
                    return true;
                }
                self.stage = Stage::Trying(until, Box::new(Candidates::of_caller(nonce, certificate, &conns)));
                for (conn, address) in conns.into_iter().zip(dialled) {
                    self.outputs.push_back(DirectOutput::Dial(conn, address));
                }
                true
            }
            Stage::Idle | Stage::Finding(..) | Stage::Binding(_) | Stage::Trying(..) | Stage::Up(_) => false,
        }
    }

    /// Somebody connected to where we listen, or a connection of ours is there.
    pub(super) fn connected(&mut self, conn: ConnId) {
        self.turned = true;
        let Stage::Trying(_, candidates) = &mut self.stage else {
            self.outputs.push_back(DirectOutput::Drop(conn));
            return;
        };
        let tried = candidates.connected(conn, &self.ends, &mut self.outputs);
        self.tried(tried, None);
    }

    /// A connection of ours could not be made.
    pub(super) fn unreachable(&mut self, conn: ConnId) {
        if let Stage::Trying(_, candidates) = &mut self.stage {
            let tried = candidates.lost(conn, DirectEnd::Unreachable);
            self.tried(tried, None);
        }
    }

    /// Bytes came in on a connection.
    pub(super) fn received(&mut self, conn: ConnId, bytes: &[u8], now: Now) {
        self.turned = true;
        match &mut self.stage {
            Stage::Trying(_, candidates) => {
                let mut events = Vec::new();
                let tried = candidates.received(conn, bytes, &mut events, &mut self.outputs);
                self.tried(tried, Some(now));
                self.link_events(events);
            }
            Stage::Up(up) if up.conn == conn => {
                let (mut events, before) = (Vec::new(), up.link.opened_bytes());
                up.link.received(bytes, &mut events);
                if up.link.opened_bytes() > before {
                    up.heard_at = now.mono;
                }
                self.link_events(events);
            }
            Stage::Idle | Stage::Finding(..) | Stage::Proposed(_) | Stage::Binding(_) | Stage::Up(_) | Stage::Over => {}
        }
    }

    /// A connection's socket took bytes.
    pub(super) fn sent(&mut self, conn: ConnId, n: usize) {
        if let Some(link) = self.link_of(conn) {
            link.sent(n);
            self.turned |= self.link_of(conn).is_some_and(|link| link.waiting() == 0);
        }
    }

    /// A connection's socket has ended.
    pub(super) fn ended(&mut self, conn: ConnId) {
        match &mut self.stage {
            Stage::Trying(_, candidates) => {
                self.outputs.push_back(DirectOutput::Drop(conn));
                let tried = candidates.lost(conn, DirectEnd::Failed(CloseReason::Truncated));
                self.tried(tried, None);
            }
            Stage::Up(up) if up.conn == conn => {
                let mut events = Vec::new();
                up.link.ended(&mut events);
                self.link_events(events);
            }
            Stage::Idle | Stage::Finding(..) | Stage::Proposed(_) | Stage::Binding(_) | Stage::Up(_) | Stage::Over => {}
        }
    }

    /// The other end leaves it, or we do: what there is of it is taken down, each connection told `code`. Says what
    /// that makes of an attempt; `None` if there was none, or it is over already.
    pub(super) fn leave(&mut self, code: Code) -> Option<DirectEnd> {
        self.turned = true;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Idle | Stage::Over => None,
            Stage::Proposed(_) => Some(DirectEnd::Declined),
            Stage::Finding(..) => Some(DirectEnd::GivenUp),
            Stage::Binding(_) => {
                self.outputs.push_back(DirectOutput::Unlisten);
                Some(DirectEnd::GivenUp)
            }
            Stage::Trying(_, candidates) => {
                candidates.clear(&self.ends, code, &mut self.outputs);
                Some(DirectEnd::GivenUp)
            }
            Stage::Up(up) => {
                let Up { conn, mut link, .. } = *up;
                link.part(code, 0);
                self.outputs.push_back(DirectOutput::Leave(conn, Box::new(link)));
                Some(DirectEnd::GivenUp)
            }
        }
    }

    /// Does what is due. A line of ours that nobody confirms shows a dead connection; `true`: say a sign of life.
    pub(super) fn tick(&mut self, waiting_since: Option<Instant>, now: Now) -> bool {
        match &mut self.stage {
            Stage::Finding(until, _) | Stage::Proposed(until) | Stage::Binding(until) | Stage::Trying(until, _) => {
                if *until <= now.mono {
                    self.fail(DirectEnd::TimedOut);
                }
                false
            }
            Stage::Up(up) => {
                if up.dead_at(waiting_since) <= now.mono {
                    self.events.push_back(DirectEvent::Closed(CloseReason::TimedOut));
                    return false;
                }
                let due = up.told_at.plus(PING_AFTER) <= now.mono;
                if due {
                    up.told_at = now.mono;
                }
                due
            }
            Stage::Idle | Stage::Over => false,
        }
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self, waiting_since: Option<Instant>) -> Option<Instant> {
        match &self.stage {
            Stage::Finding(until, _) | Stage::Proposed(until) | Stage::Binding(until) | Stage::Trying(until, _) => {
                Some(*until)
            }
            Stage::Up(up) => Some(up.dead_at(waiting_since).min(up.told_at.plus(PING_AFTER))),
            Stage::Idle | Stage::Over => None,
        }
    }

    /// The connection that this end speaks on, if it does.
    pub(super) fn up(&mut self) -> Option<&mut Link> {
        match &mut self.stage {
            Stage::Up(up) => {
                self.turned = true;
                Some(&mut up.link)
            }
            Stage::Idle
            | Stage::Finding(..)
            | Stage::Proposed(_)
            | Stage::Binding(_)
            | Stage::Trying(..)
            | Stage::Over => None,
        }
    }

    /// How many bytes wait for the socket of the connection that this end speaks on, if it does.
    pub(super) fn waiting(&self) -> Option<usize> {
        if let Stage::Up(up) = &self.stage { Some(up.link.waiting()) } else { None }
    }

    /// Whether this end speaks on it.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up(_))
    }

    /// Whether nothing was tried yet.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// What a connection's socket should take.
    pub(super) fn outbound(&self, conn: ConnId) -> &[u8] {
        match &self.stage {
            Stage::Trying(_, candidates) => candidates.outbound(conn),
            Stage::Up(up) if up.conn == conn => up.link.outbound(),
            Stage::Idle | Stage::Finding(..) | Stage::Proposed(_) | Stage::Binding(_) | Stage::Up(_) | Stage::Over => {
                &[]
            }
        }
    }

    /// Whether a connection is one of this session's.
    pub(super) fn has(&self, conn: ConnId) -> bool {
        match &self.stage {
            Stage::Trying(_, candidates) => candidates.has(conn),
            Stage::Up(up) => up.conn == conn,
            Stage::Idle | Stage::Finding(..) | Stage::Proposed(_) | Stage::Binding(_) | Stage::Over => false,
        }
    }

    /// The next thing that the session has to know.
    pub(super) fn poll_event(&mut self) -> Option<DirectEvent> {
        self.events.pop_front()
    }

    /// The next thing to be done with sockets.
    pub(super) fn poll_output(&mut self) -> Option<DirectOutput> {
        self.outputs.pop_front()
    }

    /// What the sockets of the session's connections should do next. Seals what the turn has queued.
    pub(super) fn steps(&mut self) -> Vec<(ConnId, Step)> {
        if !std::mem::take(&mut self.turned) {
            return Vec::new();
        }
        let step = |(conn, link): (ConnId, &mut Link)| link.step().map(|step| (conn, step));
        match &mut self.stage {
            Stage::Trying(_, candidates) => candidates.links().filter_map(step).collect(),
            Stage::Up(up) => step((up.conn, &mut up.link)).into_iter().collect(),
            Stage::Idle | Stage::Finding(..) | Stage::Proposed(_) | Stage::Binding(_) | Stage::Over => Vec::new(),
        }
    }

    fn number(&mut self) -> ConnId {
        let conn = self.next_conn;
        self.next_conn = ConnId(conn.0 + 1);
        conn
    }

    fn link_of(&mut self, conn: ConnId) -> Option<&mut Link> {
        match &mut self.stage {
            Stage::Trying(_, candidates) => candidates.link_of(conn),
            Stage::Up(up) if up.conn == conn => Some(&mut up.link),
            Stage::Idle | Stage::Finding(..) | Stage::Proposed(_) | Stage::Binding(_) | Stage::Up(_) | Stage::Over => {
                None
            }
        }
    }

    fn link_events(&mut self, events: Vec<LinkEvent>) {
        for event in events {
            match event {
                LinkEvent::Secured(_) => {}
                LinkEvent::Message(message) => self.events.push_back(DirectEvent::Message(message)),
                LinkEvent::Closed(reason) => self.events.push_back(DirectEvent::Closed(reason)),
            }
        }
    }

    fn tried(&mut self, tried: Tried, now: Option<Now>) {
        match tried {
            Tried::GoOn => {}
            Tried::Failed(end) => self.fail(end),
            Tried::Attached(conn, link) => {
                let Some(now) = now else { return };
                let up = Up { conn, link: *link, heard_at: now.mono, told_at: now.mono };
                if let Stage::Trying(_, candidates) = std::mem::replace(&mut self.stage, Stage::Up(Box::new(up))) {
                    candidates.clear(&self.ends, Code::OTHER_WAY, &mut self.outputs);
                }
                self.events.push_back(DirectEvent::Attached);
            }
        }
    }

    fn fail(&mut self, end: DirectEnd) {
        self.leave(Code::OTHER_WAY);
        self.events.push_back(DirectEvent::Failed(end));
    }
}
