//! The whole server as one machine: links, CA, relay, operator and the folded journal under one `handle`.
//!
//! The shell drives it so, and the simulator the same way:
//!
//! ```text
//! loop {
//!     for each event of this turn:  server.handle(input, now, rng)
//!     while let Some(output) = server.poll_output():   carry it out
//!     wait until a socket, the journal or the operator has something, or next_deadline()
//! }
//! ```
//!
//! It is a hall, not a storeroom: it decides the order of rooms and nothing else. Effects become bytes in one place,
//! [`Server::carry_out`]; a connection's frames of one turn are sealed when the outputs are polled, once.
//!
//! Promises, and who keeps them: no answer before it is durable (`ca.rs`, `journal/`); no request without a proven
//! device (`relay/session.rs`); every connection closes with one reason (`link.rs`); nothing unbounded (`limits.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRng;

use crate::ca::Ca;
use crate::effect::{Effect, Effects, Note, Room, Turn};
use crate::fault::{CloseReason, Fault};
use crate::id::{AdminId, AppendId, ConnId, Fingerprint, LoadId, Realm};
use crate::journal::state::RealmInfo;
use crate::journal::{Record, RecordRefusal, State};
use crate::limits::{
    CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, LINGER_TIME_MAX, RELAY_LIFETIME, SILENCE_TIME_MAX, STRANGERS_MAX,
};
use crate::link::{Link, LinkEvent, Step};
use crate::operator::{Answer, Command, Operator};
use crate::pki::{Authority, LintFailure, SecretKey};
use crate::relay::{Admitted, Relay};
use crate::time::{Deadlines, Instant, Now};
use crate::tls::{Credentials, Doors, Exporter, Secured, TlsEnv};
use crate::wire::enrol::{EnrolEvent, EnrolRequest};
use crate::wire::frame::decode;
use crate::wire::relay::{RelayEvent, RelayRequest, Welcome};
use crate::wire::{Channel, Code, Extensions, Frame};

/// What happened outside.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Somebody connected. The number was never used before.
    Opened(ConnId),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket has ended for reading, whether well or badly.
    Ended(ConnId),
    /// The socket took this many bytes of [`Server::outbound`].
    Sent(ConnId, usize),
    /// An append is durable; its first record has this place in the journal.
    Appended(AppendId, u64),
    /// A record was read from the journal, if there is one at that place.
    Loaded(LoadId, Option<&'a [u8]>),
    /// The operator wishes something.
    Operator(AdminId, &'a Command),
    /// Time has passed.
    Tick,
    /// The process is to end: everybody is told.
    Shutdown,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these encoded records down, all or none, durably; answer by [`Input::Appended`]. An append whose outcome
    /// is not known must end the process.
    Append(AppendId, Vec<Vec<u8>>),
    /// Read the record at this place; answer by [`Input::Loaded`].
    Load(LoadId, u64),
    /// Write what is in [`Server::outbound`] to the socket; answer by [`Input::Sent`].
    Write(ConnId),
    /// Close the socket's writing side.
    Shut(ConnId),
    /// Close the socket and forget it.
    Drop(ConnId),
    /// Tell the operator.
    Answer(AdminId, Answer),
    /// For the log.
    Note(Note),
}

/// Why the server wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A stranger has had time enough.
    Handshake(ConnId),
    /// A proof expires.
    Expiry(ConnId),
    /// Nothing was heard of a connection.
    Silence(ConnId),
    /// A closed connection's socket is still there.
    Linger(ConnId),
    /// The relay's own certificate is to be made anew.
    Certificate,
    /// A call has rung long enough.
    Ringing,
}

/// Why a server can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartRefusal {
    /// The journal is another realm's, or another root's.
    OtherRealm,
    /// The relay's own certificate fails its lint.
    Certificate(LintFailure),
}

impl fmt::Display for StartRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherRealm => f.write_str("the journal belongs to another realm or root than the certificates"),
            Self::Certificate(failure) => write!(f, "the relay's own certificate can't be issued: {failure}"),
        }
    }
}

impl std::error::Error for StartRefusal {}

/// The server.
#[derive(Debug)]
pub struct Server {
    env: TlsEnv,
    doors: Arc<Doors>,
    state: State,
    ca: Ca,
    relay: Relay,
    operator: Operator,
    conns: BTreeMap<ConnId, Conn>,
    strangers: usize,
    appending: VecDeque<(AppendId, Room, Vec<Vec<u8>>)>,
    loading: BTreeSet<LoadId>,
    effects: Effects,
    outputs: VecDeque<Output>,
    /// Connections that may have something for their socket.
    turned: BTreeSet<ConnId>,
    deadlines: Deadlines<Wake>,
    shutting_down: bool,
}

/// One connection.
#[derive(Debug)]
struct Conn {
    link: Link,
    stage: Stage,
    heard: Instant,
}

/// How far a connection has come.
///
/// ```text
/// Stranger --ALPN enrol--> Newcomer --asks--> Asked
///    |     --ALPN relay, proven, in the directory--> Admitted
///    +-- and from each of them --> Over
/// ```
#[derive(Debug)]
enum Stage {
    Stranger,
    Newcomer(Exporter),
    Asked,
    Admitted(Admitted),
    Over,
}

impl Server {
    /// Puts the server together over a folded journal. A new journal gets its first record; a grant that a crash left
    /// unsigned is finished.
    pub fn start(
        env: TlsEnv,
        authority: Authority,
        state: State,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StartRefusal> {
        let root = authority.trust().root().fingerprint();
        let other = |founded: &RealmInfo| founded.root != root || founded.realm != *authority.realm();
        if state.realm().is_some_and(other) {
            return Err(StartRefusal::OtherRealm);
        }
        env.clock.set(now.wall);
        let doors = doors(&env, &authority, now, rng).map_err(StartRefusal::Certificate)?;
        let mut server = Self {
            env,
            doors,
            state,
            ca: Ca::new(authority),
            relay: Relay::default(),
            operator: Operator::default(),
            conns: BTreeMap::new(),
            strangers: 0,
            appending: VecDeque::new(),
            loading: BTreeSet::new(),
            effects: Effects::default(),
            outputs: VecDeque::new(),
            turned: BTreeSet::new(),
            deadlines: Deadlines::default(),
            shutting_down: false,
        };
        server.deadlines.set(Wake::Certificate, now.mono.plus(RELAY_LIFETIME * 2 / 3));
        if server.state.realm().is_none() {
            let realm = server.realm().clone();
            let record = Record::RealmFounded { realm, root, at: now.wall };
            server.effects.append(Room::Nobody, vec![record]);
        }
        server.ca.resume(&server.state, &mut server.effects);
        server.carry_out(now);
        Ok(server)
    }

    /// Takes one input.
    ///
    /// # Panics
    /// If the caller breaks the contract: a connection's number used again, an append answered out of order.
    pub fn handle(&mut self, input: Input<'_>, now: Now, rng: &mut dyn CryptoRng) {
        self.env.clock.set(now.wall);
        match input {
            Input::Opened(conn) => self.opened(conn, now),
            Input::Received(conn, bytes) => self.received(conn, bytes, now, rng),
            Input::Ended(conn) => self.ended(conn, now),
            Input::Sent(conn, n) => self.sent(conn, n),
            Input::Appended(id, n) => self.appended(id, n),
            Input::Loaded(id, record) => {
                assert!(self.loading.remove(&id), "a load was answered that nobody asked for");
                self.ca.loaded(id, record, &self.state, &mut self.effects);
            }
            Input::Operator(id, command) => {
                let present = |device: &_| self.relay.is_present(device);
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                self.operator.command(id, command, &present, turn);
            }
            Input::Tick => self.tick(now, rng),
            Input::Shutdown => self.shutdown(now),
        }
        self.carry_out(now);
    }

    /// The next thing to be done outside. Frames are sealed here, those of one connection and turn together: so poll
    /// when a turn's inputs have all been handled.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let conn = self.turned.pop_first()?;
            match self.conns.get_mut(&conn).and_then(|known| known.link.step()) {
                Some(Step::Write) => return Some(Output::Write(conn)),
                Some(Step::Shut) => return Some(Output::Shut(conn)),
                None => {}
            }
        }
    }

    /// When the server next wants [`Input::Tick`], and why.
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        let ringing = self.relay.next_deadline().map(|(at, _)| (at, Wake::Ringing));
        self.deadlines.next().into_iter().chain(ringing).min()
    }

    /// What a connection's socket should take.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        self.conns.get(&conn).map(|known| known.link.outbound()).unwrap_or_default()
    }

    /// The folded journal.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        self.ca.authority().realm()
    }

    /// The root's name, for links.
    pub fn root(&self) -> Fingerprint {
        self.ca.authority().trust().root().fingerprint()
    }

    /// How many connections there are, closed ones that linger included.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Whether [`Input::Shutdown`] has been carried out: everybody was told and no append is under way.
    pub fn is_finished(&self) -> bool {
        self.shutting_down && self.conns.is_empty() && self.appending.is_empty()
    }

    fn opened(&mut self, conn: ConnId, now: Now) {
        if self.conns.len() >= CONNECTIONS_MAX || self.strangers >= STRANGERS_MAX || self.shutting_down {
            self.effects.note(Note::TurnedAway(conn));
            self.outputs.push_back(Output::Drop(conn));
            return;
        }
        let link = Link::accept(self.doors.clone());
        let old = self.conns.insert(conn, Conn { link, stage: Stage::Stranger, heard: now.mono });
        assert!(old.is_none(), "a connection's number was used twice");
        self.strangers += 1;
        self.deadlines.set(Wake::Handshake(conn), now.mono.plus(HANDSHAKE_TIME_MAX));
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8], now: Now, rng: &mut dyn CryptoRng) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        known.heard = now.mono;
        let mut events = Vec::new();
        known.link.received(bytes, &mut events);
        self.turned.insert(conn);
        for event in events {
            self.event(conn, event, now, rng);
        }
    }

    fn ended(&mut self, conn: ConnId, now: Now) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let mut events = Vec::new();
        known.link.ended(&mut events);
        for event in events {
            if let LinkEvent::Closed(reason) = event {
                self.over(conn, reason, now);
            }
        }
        self.forget(conn);
    }

    fn sent(&mut self, conn: ConnId, n: usize) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.link.sent(n);
            if known.link.waiting() == 0 {
                self.turned.insert(conn);
            }
        }
    }

    fn event(&mut self, conn: ConnId, event: LinkEvent, now: Now, rng: &mut dyn CryptoRng) {
        let result = match event {
            LinkEvent::Closed(reason) => {
                self.over(conn, reason, now);
                Ok(())
            }
            LinkEvent::Secured(secured) => {
                self.secured(conn, secured, now);
                Ok(())
            }
            LinkEvent::Message(message) => self.message(conn, &message, now, rng),
        };
        if let Err(fault) = result {
            self.fault(conn, fault, now);
        }
    }

    /// The handshake is over: a newcomer is welcomed to ask, a device is admitted or told why not.
    fn secured(&mut self, conn: ConnId, secured: Secured, now: Now) {
        let extensions = Extensions::default();
        match (secured.channel, secured.device) {
            (Channel::Enrol, _) => {
                self.set_stage(conn, Stage::Newcomer(secured.exporter));
                self.effects.send(conn, Frame::message(&EnrolEvent::Welcome { time: now.wall, extensions }));
            }
            (Channel::Relay, Some(device)) => match Admitted::admit(conn, device, &self.state) {
                Ok(admitted) => {
                    let position = self.state.position();
                    let device = admitted.device().clone();
                    let welcome = Welcome { device: device.clone(), position, time: now.wall, extensions };
                    self.effects.send(conn, Frame::message(&RelayEvent::Welcome(welcome)));
                    self.effects.note(Note::Admitted(conn, device));
                    self.relay.admitted(&admitted, &mut self.effects);
                    self.deadlines.set(Wake::Expiry(conn), now.when(admitted.not_after().plus(Duration::from_secs(1))));
                    self.deadlines.set(Wake::Silence(conn), now.mono.plus(SILENCE_TIME_MAX));
                    self.deadlines.clear(Wake::Handshake(conn));
                    self.strangers -= 1;
                    self.set_stage(conn, Stage::Admitted(admitted));
                }
                Err(code) => self.part(conn, code, now),
            },
            (Channel::Relay | Channel::Peer, _) => {
                unreachable!("the relay's doors open to enrolment and to proven devices alone")
            }
        }
    }

    fn message(&mut self, conn: ConnId, message: &[u8], now: Now, rng: &mut dyn CryptoRng) -> Result<(), Fault> {
        let Some(known) = self.conns.get_mut(&conn) else { return Ok(()) };
        match &known.stage {
            Stage::Admitted(admitted) => {
                if !admitted.holds_at(now.wall) {
                    self.part(conn, Code::EXPIRED, now);
                    return Ok(());
                }
                let request: RelayRequest = decode(message)?;
                self.relay.request(admitted, request, &self.state, now, &mut self.effects)
            }
            Stage::Newcomer(_) => {
                let EnrolRequest::Enrol(enrol) = decode(message)?;
                enrol.extensions.check()?;
                let Stage::Newcomer(exporter) = std::mem::replace(&mut known.stage, Stage::Asked) else {
                    unreachable!("the stage was just looked at");
                };
                let turn = &mut Turn { state: &self.state, now, rng, out: &mut self.effects };
                self.ca.request(conn, &exporter, &enrol, turn);
                Ok(())
            }
            Stage::Asked => Err(Fault::Unexpected),
            // We said goodbye already, and what was on its way is of no use.
            Stage::Over => Ok(()),
            Stage::Stranger => unreachable!("a link gives no message before it is secured"),
        }
    }

    fn appended(&mut self, id: AppendId, first: u64) {
        let (expected, room, records) = self.appending.pop_front().expect("an append was answered that nobody made");
        assert_eq!(id, expected, "appends were answered out of order");
        for (n, bytes) in (first..).zip(&records) {
            let outcome = match self.state.apply(n, bytes) {
                Ok(outcome) => outcome,
                Err(refusal) => unreachable!("a record of ours can't be read: {refusal}"),
            };
            match room {
                Room::Ca => self.ca.appended(id, &outcome, &self.state, &mut self.effects),
                Room::Operator => self.operator.appended(id, &outcome, &mut self.effects),
                Room::Nobody => {}
            }
        }
    }

    fn tick(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        while let Some(wake) = self.deadlines.take_due(now.mono) {
            match wake {
                Wake::Handshake(conn) => self.part_as(conn, Code::TIMED_OUT, CloseReason::TimedOut, now),
                Wake::Expiry(conn) => self.expiry(conn, now),
                Wake::Silence(conn) => self.silence(conn, now),
                Wake::Linger(conn) => self.forget(conn),
                Wake::Certificate => self.renew(now, rng),
                Wake::Ringing => unreachable!("the relay keeps those"),
            }
        }
        self.relay.tick(now, &mut self.effects);
        if let Some((next, wake)) = self.next_deadline() {
            assert!(next > now.mono, "the deadline of {wake:?} does not move");
        }
    }

    /// A proof may have expired; if the civil clock was set back meanwhile it has not.
    fn expiry(&mut self, conn: ConnId, now: Now) {
        if let Some(Conn { stage: Stage::Admitted(admitted), .. }) = self.conns.get(&conn) {
            if admitted.holds_at(now.wall) {
                self.deadlines.set(Wake::Expiry(conn), now.when(admitted.not_after().plus(Duration::from_secs(1))));
            } else {
                self.part(conn, Code::EXPIRED, now);
            }
        }
    }

    fn silence(&mut self, conn: ConnId, now: Now) {
        let Some(known) = self.conns.get(&conn) else { return };
        let until = known.heard.plus(SILENCE_TIME_MAX);
        if until > now.mono {
            self.deadlines.set(Wake::Silence(conn), until);
        } else {
            self.part_as(conn, Code::TIMED_OUT, CloseReason::TimedOut, now);
        }
    }

    /// Makes the relay's certificate anew, well before it expires. Connections that exist go on with theirs.
    fn renew(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        match doors(&self.env, self.ca.authority(), now, rng) {
            Ok(doors) => {
                self.doors = doors;
                self.effects.note(Note::RelayCertified(now.wall));
                self.deadlines.set(Wake::Certificate, now.mono.plus(RELAY_LIFETIME * 2 / 3));
            }
            Err(failure) => {
                self.effects.note(Note::Alarm(format!("the relay's certificate can't be made anew: {failure}")));
                self.deadlines.set(Wake::Certificate, now.mono.plus(RELAY_LIFETIME / 90));
            }
        }
    }

    fn shutdown(&mut self, now: Now) {
        self.shutting_down = true;
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.part(conn, Code::SHUTTING_DOWN, now);
        }
    }

    /// Does what the rooms want done. The only place where an effect leaves.
    fn carry_out(&mut self, now: Now) {
        while let Some(effect) = self.effects.pop() {
            match effect {
                Effect::Send(conn, frame) => self.send(conn, &frame, now),
                Effect::Part(conn, code) => self.part(conn, code, now),
                Effect::Append(id, room, records) => {
                    let encoded: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
                    self.appending.push_back((id, room, encoded.clone()));
                    self.outputs.push_back(Output::Append(id, encoded));
                }
                Effect::Load(id, n) => {
                    self.loading.insert(id);
                    self.outputs.push_back(Output::Load(id, n));
                }
                Effect::Answer(id, answer) => self.outputs.push_back(Output::Answer(id, answer)),
                Effect::Note(note) => self.outputs.push_back(Output::Note(note)),
            }
        }
    }

    fn send(&mut self, conn: ConnId, frame: &Frame, now: Now) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        if let Stage::Over = known.stage {
            return;
        }
        match known.link.send(frame) {
            Ok(()) => {
                self.turned.insert(conn);
            }
            // What it did not read is lost with the connection; nothing that was promised is.
            Err(crate::link::OutboxFull) => self.part(conn, Code::TOO_SLOW, now),
        }
    }

    /// Says goodbye with a code.
    fn part(&mut self, conn: ConnId, code: Code, now: Now) {
        self.part_as(conn, code, CloseReason::Ours(code), now);
    }

    fn part_as(&mut self, conn: ConnId, code: Code, reason: CloseReason, now: Now) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.link.part(code, 0);
            self.over(conn, reason, now);
        }
    }

    fn fault(&mut self, conn: ConnId, fault: Fault, now: Now) {
        if let Some(known) = self.conns.get_mut(&conn) {
            let reason = known.link.fault(fault);
            self.over(conn, reason, now);
        }
    }

    /// A connection is over, for one reason: the rooms forget it, its socket gets what is left and a while to end.
    fn over(&mut self, conn: ConnId, reason: CloseReason, now: Now) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let stage = std::mem::replace(&mut known.stage, Stage::Over);
        let device = match stage {
            Stage::Over => return,
            Stage::Admitted(admitted) => {
                self.relay.gone(&admitted, &mut self.effects);
                Some(admitted.device().clone())
            }
            Stage::Stranger | Stage::Newcomer(_) | Stage::Asked => {
                self.strangers -= 1;
                None
            }
        };
        for wake in [Wake::Handshake(conn), Wake::Expiry(conn), Wake::Silence(conn)] {
            self.deadlines.clear(wake);
        }
        self.deadlines.set(Wake::Linger(conn), now.mono.plus(LINGER_TIME_MAX));
        self.turned.insert(conn);
        self.effects.note(Note::Closed(conn, device, reason));
    }

    fn forget(&mut self, conn: ConnId) {
        if self.conns.remove(&conn).is_some() {
            self.deadlines.clear(Wake::Linger(conn));
            self.turned.remove(&conn);
            self.outputs.push_back(Output::Drop(conn));
        }
    }

    fn set_stage(&mut self, conn: ConnId, stage: Stage) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.stage = stage;
        }
    }
}

/// The relay's doors with a new key and certificate.
fn doors(env: &TlsEnv, authority: &Authority, now: Now, rng: &mut dyn CryptoRng) -> Result<Arc<Doors>, LintFailure> {
    let key = SecretKey::draw(rng);
    let leaf = authority.issue_relay(&key, now.wall, rng)?;
    let credentials = Credentials { leaf: leaf.into(), issuing: authority.issuing().clone(), key };
    Ok(Arc::new(Doors::of_relay(env, &credentials, authority.trust())))
}

/// Folds a stored journal record by record. The shell and the simulator start with it.
pub fn replay<'a>(
    incarnation: u64,
    records: impl IntoIterator<Item = &'a [u8]>,
) -> Result<State, (u64, RecordRefusal)> {
    let mut state = State::new(incarnation);
    for (n, bytes) in (1..).zip(records) {
        state.apply(n, bytes).map_err(|refusal| (n, refusal))?;
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
