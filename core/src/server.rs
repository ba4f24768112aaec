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
//! `Server::carry_out`; a connection's frames of one turn are sealed when the outputs are polled, once.
//!
//! Promises, and who keeps them: no answer before it is durable (`ca.rs`, `journal/`); no request without a proven
//! device (`relay/session.rs`); every connection closes with one reason (`link.rs`); nothing unbounded (`limits.rs`).

mod budget;
mod conn;
mod contract;
mod desk;
mod own_devices;
mod pause;
mod posting;
mod revoked;
pub mod settings;
mod snapshots;
mod strangers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRng;
use serde_bytes::ByteBuf;

use crate::ca::Ca;
use crate::delivery::Delivery;
use crate::effect::{Effect, Effects, Note, Room};
use crate::id::{AppendId, ConnId, Fingerprint, LoadId, Realm};
use crate::journal::state::RealmInfo;
use crate::journal::{Outcome, Record, RecordRefusal, State};
use crate::limits::{BACKDATING, ISSUING_NOTICE, ISSUING_NOTICE_SPAN, RELAY_LIFETIME, RENEWAL_RETRY};
use crate::link::Step;
use crate::operator::Operator;
use crate::password::Cost;
use crate::pki::{Authority, LintFailure, SecretKey};
use crate::relay::Relay;
use crate::revoker::Revoker;
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::tls::{Credentials, Doors, TlsEnv};
use crate::wire::Code;

pub use contract::{Input, Output, StartRefusal, Wake, Written};
pub use settings::{SettingRefusal, Settings, SignUpBy};
pub use strangers::{Source, StrangersWork};

use conn::Conn;
use snapshots::Snapshots;
use strangers::Strangers;

/// The server.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    env: TlsEnv,
    doors: Arc<Doors>,
    /// The relay's own certificate, in DER: what the doors show.
    leaf: Vec<u8>,
    state: State,
    ca: Ca,
    relay: Relay,
    operator: Operator,
    revoker: Revoker,
    delivery: Delivery,
    conns: BTreeMap<ConnId, Conn>,
    /// Connections that were not admitted.
    strangers: Strangers,
    /// What of their work the log has been told, and when.
    strangers_noted: (StrangersWork, Option<Instant>),
    appending: VecDeque<(AppendId, Room, Vec<Written>)>,
    loading: BTreeMap<LoadId, Room>,
    snapshots: Snapshots,
    effects: Effects,
    outputs: VecDeque<Output>,
    /// Connections that may have something for their socket.
    turned: BTreeSet<ConnId>,
    deadlines: Deadlines<Wake>,
    /// What the civil clock may read while the relay's own certificate is kept. A host may sleep, and its other clock
    /// with it; and a clock may have been ahead when the certificate was made, which is not valid yet then.
    kept: Range<Wall>,
    shutting_down: bool,
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
        if state.issuing().is_some_and(|certificate| !authority.issuers().has(certificate)) {
            return Err(StartRefusal::IssuingMissing);
        }
        env.clock.set(now.wall);
        let (doors, leaf) = doors(&env, &authority, now, rng).map_err(StartRefusal::Certificate)?;
        let incarnation = state.position().incarnation;
        let mut server = Self {
            settings: Settings::default(),
            env,
            doors,
            leaf,
            state,
            ca: Ca::new(authority, incarnation),
            relay: Relay::default(),
            operator: Operator::default(),
            revoker: Revoker::default(),
            delivery: Delivery::default(),
            conns: BTreeMap::new(),
            strangers: Strangers::new(Settings::default().key_operations_per_second, now.mono),
            strangers_noted: (StrangersWork::default(), None),
            kept: kept_until(now, RELAY_LIFETIME * 2 / 3),
            appending: VecDeque::new(),
            loading: BTreeMap::new(),
            snapshots: Snapshots::default(),
            effects: Effects::default(),
            outputs: VecDeque::new(),
            turned: BTreeSet::new(),
            deadlines: Deadlines::default(),
            shutting_down: false,
        };
        server.deadlines.set(Wake::Certificate, now.when(server.kept.end));
        let (realm, root) = (server.realm().clone(), server.root());
        let founded = server.state.realm().is_none().then_some(Record::RealmFounded { realm, root, at: now.wall });
        server.write_down_who_certifies(founded, now.wall);
        server.watch_issuing(now);
        server.ca.resume(&server.state, &mut server.effects);
        server.sign_lists(now);
        server.begin_posting(now);
        server.carry_out(now);
        Ok(server)
    }

    /// The same server with what its operator chose, before its first input.
    pub fn with_settings(mut self, settings: Settings) -> Result<Self, SettingRefusal> {
        settings.check()?;
        self.choose(settings);
        Ok(self)
    }

    /// The same server, in which passwords cost so much that are set from now on: for worlds in which nobody guesses.
    #[must_use]
    pub fn with_password_cost(mut self, cost: Cost) -> Self {
        self.ca.set_password_cost(cost);
        self
    }

    fn choose(&mut self, settings: Settings) {
        self.strangers.choose(settings.key_operations_per_second);
        self.relay.set_ring_time(settings.ring_time);
        self.ca.admit_by(settings.sign_up);
        self.delivery.set_lobby(settings.lobby);
        self.settings = settings;
    }

    /// What its operator chose.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many passwords were given away to be stretched.
    pub fn passwords_stretched(&self) -> u64 {
        self.ca.passwords_stretched()
    }

    /// What those who were not admitted have had of the server.
    pub fn strangers_work(&self) -> StrangersWork {
        self.strangers.work()
    }

    /// Takes one input.
    ///
    /// # Panics
    /// If the caller breaks the contract: a connection's number used again, an append answered out of order.
    pub fn handle(&mut self, input: Input<'_>, now: Now, rng: &mut dyn CryptoRng) {
        self.env.clock.set(now.wall);
        match input {
            Input::Opened(conn, source) => self.opened(conn, source, now, rng),
            Input::Received(conn, bytes) => self.received(conn, bytes, now, rng),
            Input::Ended(conn) => self.ended(conn, now, rng),
            Input::Sent(conn, n) => self.sent(conn, n, now, rng),
            Input::Appended(id, n) => {
                self.appended(id, n, now);
                if self.ca.take_rotated() {
                    // The relay's certificate by the CA from before would end with that one.
                    self.renew(now, rng);
                    self.sign_lists(now);
                }
            }
            Input::Loaded(id, record) => {
                let room = self.loading.remove(&id).expect("a load was answered that nobody asked for");
                match room {
                    Room::Relay => {
                        self.relay.loaded(id, record, &mut self.ca.books(&self.state), &mut self.effects);
                    }
                    Room::Ca | Room::Operator | Room::Revoker | Room::Delivery | Room::Nobody => {
                        self.ca.loaded(id, record, &self.state, &mut self.effects);
                    }
                }
            }
            Input::LoadedBody(id, body) => self.delivery.loaded(id, body, &self.state, &mut self.effects),
            Input::Snapshotted(id, written) => self.snapshotted(id, written),
            Input::Stretched(id, stretched) => self.stretched(id, stretched, now, rng),
            Input::Operator(id, command) => self.operate(id, command, now, rng),
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
        self.deadlines.next().into_iter().chain(ringing).chain(self.delivery.next_deadline()).min()
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

    /// The log gets whoever certifies and the relay, after the founding if the journal begins with it. The relay serves
    /// meanwhile: nobody asks for the log's proof of its certificate yet.
    fn write_down_who_certifies(&mut self, founded: Option<Record>, at: Wall) {
        let issuing = self.ca.authority().issuing();
        let is_known = self.state.issuing() == Some(Fingerprint::of(issuing));
        let certifies = (!is_known).then(|| Record::IssuingCertified { der: ByteBuf::from(issuing.as_ref()), at });
        let relay = Record::RelayCertified { der: ByteBuf::from(self.leaf.as_slice()), at };
        let records = founded.into_iter().chain(certifies).chain([relay]).collect();
        self.effects.append(Room::Nobody, records);
    }

    fn appended(&mut self, id: AppendId, first: u64, now: Now) {
        let (expected, room, records) = self.appending.pop_front().expect("an append was answered that nobody made");
        assert_eq!(id, expected, "appends were answered out of order");
        for (n, written) in (first..).zip(&records) {
            let outcome = match self.state.apply(n, &written.record) {
                Ok(outcome) => outcome,
                Err(refusal) => unreachable!("a record of ours can't be read: {refusal}"),
            };
            if let Outcome::Reissued(_, before) = &outcome {
                self.replaced(before, now);
            }
            match room {
                Room::Ca => self.ca.appended(id, &outcome, &self.state, &mut self.effects),
                Room::Operator => self.operator.appended(id, &outcome, &mut self.effects),
                Room::Revoker => self.revoker_appended(id, &outcome, now),
                Room::Delivery => self.delivery_appended(id, &outcome, written, now),
                Room::Relay | Room::Nobody => {}
            }
            self.drop_unneeded();
        }
        self.ask_for_snapshot();
    }

    fn tick(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        while let Some(wake) = self.deadlines.take_due(now.mono) {
            match wake {
                Wake::Handshake(conn) => self.too_late(conn, now),
                Wake::Expiry(conn) => self.expiry(conn, now),
                Wake::Silence(conn) => self.silence(conn, now),
                Wake::Linger(conn) => self.forget(conn),
                Wake::Certificate if !self.kept.contains(&now.wall) => self.renew(now, rng),
                // The civil clock was set back meanwhile.
                Wake::Certificate => self.deadlines.set(Wake::Certificate, now.when(self.kept.end)),
                Wake::Slow(conn) => self.part(conn, Code::TOO_SLOW, now),
                Wake::Turn => self.take_turns(now, rng),
                Wake::StrangersNote => self.note_strangers(now),
                Wake::Issuing => self.watch_issuing(now),
                Wake::Lists => self.freshen_lists(now),
                Wake::Ringing => unreachable!("the relay keeps those"),
                Wake::Acknowledgements | Wake::PostedOver => unreachable!("the delivery service keeps those"),
            }
        }
        self.relay.tick(now, &mut self.effects);
        self.delivery_tick(now);
        if let Some((next, wake)) = self.next_deadline() {
            assert!(next > now.mono, "the deadline of {wake:?} does not move");
        }
    }

    /// Makes the relay's certificate anew: well before it expires, or when it is one of the future. Connections that exist
    /// go on with theirs.
    fn renew(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        match doors(&self.env, self.ca.authority(), now, rng) {
            Ok((doors, leaf)) => {
                (self.doors, self.leaf) = (doors, leaf);
                self.write_down_who_certifies(None, now.wall);
                self.effects.note(Note::RelayCertified(now.wall));
                self.kept = kept_until(now, RELAY_LIFETIME * 2 / 3);
            }
            Err(failure) => {
                self.effects.note(Note::Alarm(format!("the relay's certificate can't be made anew: {failure}")));
                self.kept = kept_until(now, RENEWAL_RETRY);
            }
        }
        self.deadlines.set(Wake::Certificate, now.when(self.kept.end));
    }

    /// Warns of the issuing CA's end once it is near, and then every day.
    fn watch_issuing(&mut self, now: Now) {
        let ends = self.ca.authority().issuing_ends();
        let begins = ends.minus(ISSUING_NOTICE);
        let next = if now.wall < begins {
            // A civil clock may be set meanwhile, and a machine may sleep: it is looked at each day.
            begins.min(now.wall.plus(ISSUING_NOTICE_SPAN))
        } else {
            self.effects.note(Note::IssuingEndsSoon(ends));
            now.wall.plus(ISSUING_NOTICE_SPAN)
        };
        self.deadlines.set(Wake::Issuing, now.when(next));
    }

    fn shutdown(&mut self, now: Now) {
        self.shutting_down = true;
        self.effects.note(Note::Strangers(self.strangers.work()));
        self.delivery.shutdown(&mut self.effects);
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
                Effect::Tell(user, frame) => {
                    for conn in self.relay.conns_of(&user) {
                        self.send(conn, &frame, now);
                    }
                }
                Effect::Part(conn, code) => self.part(conn, code, now),
                Effect::Append(id, room, records) => {
                    let written = records.into_iter().map(|(record, body)| Written { record: record.encode(), body });
                    let written: Vec<Written> = written.collect();
                    self.appending.push_back((id, room, written.clone()));
                    self.outputs.push_back(Output::Append(id, written));
                }
                Effect::Load(id, room, n) => {
                    self.loading.insert(id, room);
                    self.outputs.push_back(Output::Load(id, n));
                }
                Effect::LoadBody(id, n) => self.outputs.push_back(Output::LoadBody(id, n)),
                Effect::DropBodies(gone) => self.outputs.push_back(Output::DropBodies(gone)),
                Effect::Stretch(id, stretch) => self.outputs.push_back(Output::Stretch(id, stretch)),
                Effect::Renewed(conn, renewed) => self.renewed(conn, renewed, now),
                Effect::Answer(id, answer) => self.outputs.push_back(Output::Answer(id, answer)),
                Effect::Note(note) => self.outputs.push_back(Output::Note(note)),
            }
        }
    }
}

/// From the beginning of a certificate that is made now until after `time`.
fn kept_until(now: Now, time: Duration) -> Range<Wall> {
    now.wall.minus(BACKDATING)..now.wall.plus(time)
}

/// The relay's doors with a new key and certificate, and the certificate.
fn doors(
    env: &TlsEnv,
    authority: &Authority,
    now: Now,
    rng: &mut dyn CryptoRng,
) -> Result<(Arc<Doors>, Vec<u8>), LintFailure> {
    let key = SecretKey::draw(rng);
    let leaf = authority.issue_relay(&key, now.wall, rng)?;
    let credentials = Credentials { leaf: leaf.clone().into(), issuing: authority.issuing().clone(), key: key.into() };
    Ok((Arc::new(Doors::of_relay(env, &credentials, authority.trust())), leaf))
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
