//! A relay that lies: the genuine one's key and certificate, core's own rooms behind them, and somebody who changes what
//! is said on its way out.
//!
//! It takes the place of the genuine relay for everybody who has a certificate. The CA and the journal stay with the
//! genuine process: what a CA may not do is tried by [`crate::forge`], and one that certifies in secret is `secret`.

pub mod grown;
mod grows;
pub(crate) mod secret;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_core::effect::{Effect, Effects};
use countersign_core::id::{AskId, ConnId, DeviceName};
use countersign_core::journal::{Record, State};
use countersign_core::limits::FRAME_HEADER_BYTES;
use countersign_core::link::{Link, LinkEvent, Step};
use countersign_core::pki::{Authority, Founded, Issuers, SecretKey};
use countersign_core::relay::{Admitted, Books, Relay};
use countersign_core::time::Now;
use countersign_core::tlog::keeper::proof;
use countersign_core::tlog::{Checkpoint, Keeper};
use countersign_core::tls::{Credentials, Doors, TlsEnv};
use countersign_core::wire::frame::decode;
use countersign_core::wire::relay::{RelayEvent, RelayRequest, Welcome};
use countersign_core::wire::{Code, Extensions, Frame};

use super::lists::journalled;
use super::{Chance, Clocks, tls_env};
use crate::actors::villains::lies::{Lie, Lies, Said};
use crate::config::SimConfig;
use crate::rng::Streams;
use secret::Secret;
use serde_bytes::ByteBuf;

/// Where a frame's message begins: after its length and its version.
const BODY_AT: usize = FRAME_HEADER_BYTES + 1;

/// The lying relay.
pub(crate) struct Liar {
    chance: Chance,
    clocks: Clocks,
    env: TlsEnv,
    doors: Arc<Doors>,
    issuers: Issuers,
    /// The genuine log, signed with the genuine key.
    keeper: Keeper,
    relay: Relay,
    /// The log with what the CA does in secret.
    secret: Option<Secret>,
    effects: Effects,
    conns: BTreeMap<ConnId, Conn>,
    lies: Lies,
    turned: BTreeSet<ConnId>,
    /// The devices that were played since the last time, and whether they took a call.
    played: Vec<(DeviceName, bool)>,
}

struct Conn {
    link: Link,
    admitted: Option<Admitted>,
    /// How much of the log was shown on it.
    shown: u64,
    /// Whom it has just proved on it.
    proved: Option<DeviceName>,
    over: bool,
}

/// What the lying relay wants done on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Its socket is to take what waits.
    Write(ConnId),
    /// Its socket is to be closed.
    Drop(ConnId),
}

/// What the lying relay has of the genuine one.
pub(crate) struct Genuine<'a> {
    /// The folded journal.
    pub(crate) state: &'a State,
    /// A record of it, by its place.
    pub(crate) record: &'a dyn Fn(u64) -> Option<Vec<u8>>,
    /// The realm's keys.
    pub(crate) founded: &'a Founded,
}

impl Liar {
    /// A lying relay of a realm, with a certificate that is as genuine as the other one's, and with what it has logged in
    /// secret in its life before.
    pub(crate) fn new(
        config: &SimConfig,
        streams: Streams,
        life: u64,
        genuine: &Genuine<'_>,
        before: Option<Secret>,
        at_us: u64,
    ) -> Self {
        let name = format!("liar/{life}");
        let mut chance = Chance::new(streams, &name);
        let clocks = Clocks::draw(streams, "liar", config.skew_max_s);
        let (env, now) = (tls_env(), clocks.now(at_us));
        env.clock.set(now.wall);
        let founded = genuine.founded;
        let realm = genuine.state.realm().map(|info| info.realm.clone()).unwrap_or_default();
        let authority = Authority::new(realm, founded.files(), now.wall).expect("the realm's files belong together");
        let enough = usize::try_from(config.devices).unwrap_or(usize::MAX).div_ceil(2);
        let how = [config.secret_hides > 0, config.secret_plays > 0];
        let anew = || Secret::new(&authority, genuine.state.position().incarnation, enough, how);
        let secret = (config.secret_mean_ms > 0).then(|| before.unwrap_or_else(anew));
        let doors = chance.lend(|rng| {
            let key = SecretKey::draw(rng);
            let leaf = authority.issue_relay(&key, now.wall, rng).expect("the relay's certificate is in order");
            let issuing = authority.issuing().clone();
            let credentials = Credentials { leaf: leaf.into(), issuing, key: key.into() };
            Arc::new(Doors::of_relay(&env, &credentials, authority.trust()))
        });
        Self {
            chance,
            clocks,
            env,
            doors,
            issuers: authority.issuers().clone(),
            keeper: Keeper::new(authority.log_signer(genuine.state.position().incarnation), authority.log().clone()),
            relay: Relay::default(),
            secret,
            effects: Effects::default(),
            conns: BTreeMap::new(),
            lies: Lies::new(config, streams, &name),
            turned: BTreeSet::new(),
            played: Vec::new(),
        }
    }

    /// A device has connected.
    pub(crate) fn opened(&mut self, conn: ConnId) {
        let link = Link::accept(self.doors.clone());
        self.conns.insert(conn, Conn { link, admitted: None, shown: 0, proved: None, over: false });
    }

    /// Bytes came in.
    pub(crate) fn received(&mut self, conn: ConnId, bytes: &[u8], genuine: &Genuine<'_>, at_us: u64) {
        let now = self.now(at_us);
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let mut events = Vec::new();
        self.chance.lend(|_| known.link.received(bytes, &mut events));
        self.turned.insert(conn);
        for event in events {
            match event {
                LinkEvent::Secured(secured) => {
                    let admitted = secured.device.and_then(|device| Admitted::admit(conn, device, genuine.state).ok());
                    match admitted {
                        Some(admitted) => self.admitted(conn, admitted, genuine, now),
                        None => self.part(conn, Code::UNKNOWN_DEVICE),
                    }
                }
                LinkEvent::Message(message) => self.message(conn, &message, genuine, now),
                LinkEvent::Closed(_) => self.over(conn),
            }
            self.carry_out(genuine);
        }
    }

    /// A device's socket has ended.
    pub(crate) fn ended(&mut self, conn: ConnId, genuine: &Genuine<'_>, at_us: u64) {
        self.now(at_us);
        self.over(conn);
        self.carry_out(genuine);
    }

    /// A socket took bytes.
    pub(crate) fn sent(&mut self, conn: ConnId, bytes: usize) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.link.sent(bytes);
            self.turned.insert(conn);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, genuine: &Genuine<'_>, at_us: u64) {
        let now = self.now(at_us);
        self.relay.tick(now, &mut self.effects);
        for (conn, said) in self.lies.tick(genuine.founded, now.wall) {
            self.say(conn, said, genuine);
        }
        self.carry_out(genuine);
    }

    /// What waits for a socket.
    pub(crate) fn outbound(&self, conn: ConnId) -> &[u8] {
        self.conns.get(&conn).map(|known| known.link.outbound()).unwrap_or_default()
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Wants> {
        loop {
            let conn = self.turned.pop_first()?;
            let known = self.conns.get_mut(&conn)?;
            match self.chance.lend(|_| known.link.step()) {
                Some(Step::Write) => return Some(Wants::Write(conn)),
                _ if known.over && known.link.waiting() == 0 => {
                    self.conns.remove(&conn);
                    return Some(Wants::Drop(conn));
                }
                Some(Step::Shut) | None => {}
            }
        }
    }

    /// The lies that were told since the last time, and to whom.
    pub(crate) fn take_told(&mut self) -> Vec<(ConnId, Lie)> {
        self.lies.take_told()
    }

    /// What passed through tunnels since the last time, and what it was told itself: all that a relay can look at.
    pub(crate) fn take_overheard(&mut self) -> Vec<Vec<u8>> {
        self.lies.take_overheard()
    }

    fn now(&mut self, at_us: u64) -> Now {
        let now = self.clocks.now(at_us);
        self.env.clock.set(now.wall);
        now
    }

    fn admitted(&mut self, conn: ConnId, admitted: Admitted, genuine: &Genuine<'_>, now: Now) {
        self.lies.admitted(conn, admitted.device());
        if let Some(secret) = &mut self.secret {
            secret.meet(admitted.device());
        }
        let (device, position) = (admitted.device().clone(), genuine.state.position());
        let lists = journalled(genuine.state, self.issuers.current(), genuine.record);
        let extensions = Extensions(vec![lists.extension()]);
        let welcome = Welcome { device, position, time: now.wall, extensions };
        self.effects.send(conn, Frame::message(&RelayEvent::Welcome(welcome)));
        self.relay.admitted(&admitted, &mut self.effects);
        if let Some(known) = self.conns.get_mut(&conn) {
            known.admitted = Some(admitted);
        }
    }

    fn message(&mut self, conn: ConnId, message: &[u8], genuine: &Genuine<'_>, now: Now) {
        let Some(admitted) = self.conns.get(&conn).and_then(|known| known.admitted.clone()) else { return };
        let Ok(request) = decode::<RelayRequest>(message) else { return self.part(conn, Code::MALFORMED) };
        if let Some(secret) = self.secret.as_mut().filter(|secret| secret.deceives(admitted.device())) {
            if let RelayRequest::Leaves { ask, from } = request {
                let page = secret.page(from, genuine.state);
                return self.send(conn, &RelayEvent::Leaves { ask, page });
            }
            if let RelayRequest::Follow { seen } = request {
                secret.follow(conn, seen);
            }
            if let RelayRequest::Fetch { .. } = request
                && let Some(head) = secret.newest(conn, genuine.state)
            {
                self.send(conn, &head);
            }
        }
        if let RelayRequest::Introduce { ask, to, .. } = &request
            && self.play(conn, Some(*ask), to, genuine)
        {
            return;
        }
        if let RelayRequest::Renew { ask } = request {
            // It has no key to certify anybody with, and gives what there is.
            return self.renewed(conn, ask, &admitted, genuine);
        }
        let names = names(genuine.state);
        self.lies.know(&names);
        let Some(request) = self.lies.asked(conn, request, genuine.founded, now.wall) else {
            return self.answer(genuine);
        };
        let result = self.relay.request(
            &admitted,
            request,
            &mut Books { state: genuine.state, keeper: &mut self.keeper, issuers: &self.issuers },
            now,
            &mut self.effects,
        );
        if let Err(fault) = result {
            self.part(conn, fault.code());
        }
        self.answer(genuine);
    }

    /// Answers who wants a new certificate by the one that they have, or by a lie.
    fn renewed(&mut self, conn: ConnId, ask: AskId, to: &Admitted, genuine: &Genuine<'_>) {
        let issued = genuine.state.progress(to.serial()).and_then(|progress| progress.issued);
        let record = issued.and_then(|issued| (genuine.record)(issued.n));
        let event = match record.as_deref().map(Record::decode) {
            Some(Ok((_, Record::CertificateIssued { der, .. }))) => {
                let issuing = ByteBuf::from(self.issuers.of(&der).as_ref());
                RelayEvent::Renewed { ask, leaf: der, issuing, extensions: Extensions::default() }
            }
            _ => RelayEvent::Refused { ask, code: Code::BUSY },
        };
        for (to, said) in self.lies.tell(conn, event) {
            self.say(to, said, genuine);
        }
    }

    /// Says what the one who lies says of its own accord.
    fn answer(&mut self, genuine: &Genuine<'_>) {
        for (conn, said) in self.lies.take_own() {
            self.say(conn, said, genuine);
        }
    }

    /// Does what the rooms want done, or something else.
    fn carry_out(&mut self, genuine: &Genuine<'_>) {
        while let Some(effect) = self.effects.pop() {
            match effect {
                Effect::Send(conn, frame) => {
                    let body = frame.bytes().get(BODY_AT..).unwrap_or_default();
                    let event = decode(body).expect("core's own frames can be read");
                    let Some(event) = self.shown(conn, event, genuine.state) else { continue };
                    for (to, said) in self.lies.tell(conn, event) {
                        self.say(to, said, genuine);
                    }
                }
                Effect::Part(conn, code) => self.part(conn, code),
                Effect::Load(id, _, n) => {
                    let record = (genuine.record)(n);
                    let books = &mut Books { state: genuine.state, keeper: &mut self.keeper, issuers: &self.issuers };
                    self.relay.loaded(id, record.as_deref(), books, &mut self.effects);
                }
                Effect::Tell(..)
                | Effect::Append(..)
                | Effect::LoadBody(..)
                | Effect::DropBodies(_)
                | Effect::Stretch(..)
                | Effect::Answer(..)
                | Effect::Renewed(..)
                | Effect::Note(_) => {}
            }
        }
    }

    /// What is shown of the log, to those who are not shown the genuine one.
    fn shown(&mut self, conn: ConnId, event: RelayEvent, state: &State) -> Option<RelayEvent> {
        match self.deceiving(conn) {
            Some(secret) => secret.tell(conn, event, state),
            None => Some(event),
        }
    }

    /// The second log, if it is what the device on a connection is shown.
    fn deceiving(&mut self, conn: ConnId) -> Option<&mut Secret> {
        let device = self.conns.get(&conn)?.admitted.as_ref()?.device();
        self.secret.as_mut().filter(|secret| secret.deceives(device))
    }

    fn say(&mut self, conn: ConnId, said: Said, genuine: &Genuine<'_>) {
        let event = match said {
            Said::Event(event) => event,
            Said::Goodbye(code) => return self.part(conn, code),
        };
        let event = self.offer(conn, event, genuine.state);
        // Nobody believes a name that is not proved, so whoever lies about names proves what it says.
        if let RelayEvent::Ringing { device: named, .. } | RelayEvent::Introduced { from: named, .. } = &event
            && self.conns.get(&conn).is_some_and(|known| known.proved.as_ref() != Some(named))
        {
            self.prove(conn, named, genuine.state);
        }
        self.send(conn, &event);
    }

    /// Proves a device by the log that somebody follows, if it has it.
    fn prove(&mut self, conn: ConnId, device: &DeviceName, state: &State) {
        let Some((index, leaf)) = state.device(device).and_then(|known| state.logged(known.serial)) else { return };
        let row = state.device(device).map(|known| state.lineage(known.serial)).unwrap_or_default();
        let row: Vec<Vec<u8>> = row.iter().map(|(_, leaf)| leaf.encode()).collect();
        if let Some(secret) = self.deceiving(conn) {
            for event in secret.prove(conn, device, &leaf.encode(), &row, state) {
                self.send(conn, &event);
            }
            return;
        }
        let Some(shown) = self.conns.get(&conn).map(|known| known.shown).filter(|shown| *shown > 0) else { return };
        if shown < state.log().size() {
            let head = self.keeper.head(state.log(), shown);
            self.send(conn, &RelayEvent::Log(head));
        }
        if let Some(proof) = proof(state.log(), index, &leaf) {
            self.send(conn, &RelayEvent::Proof { device: device.clone(), proof });
        }
    }

    fn send(&mut self, conn: ConnId, event: &RelayEvent) {
        if let Some(known) = self.conns.get_mut(&conn).filter(|known| !known.over && known.admitted.is_some()) {
            // Whoever does not read hears less.
            let _ = known.link.send(&Frame::message(event));
            if let RelayEvent::Log(head) = event {
                known.shown = Checkpoint::parse(&head.checkpoint).map_or(known.shown, |shown| shown.head().size);
            } else if let RelayEvent::Proof { device, .. } = event {
                known.proved = Some(device.clone());
            } else if let RelayEvent::Ringing { .. } | RelayEvent::Introduced { .. } = event {
                known.proved = None;
            }
            self.turned.insert(conn);
        }
    }

    fn part(&mut self, conn: ConnId, code: Code) {
        if let Some(known) = self.conns.get_mut(&conn) {
            self.chance.lend(|_| known.link.part(code, 0));
        }
        self.over(conn);
    }

    fn over(&mut self, conn: ConnId) {
        let Some(known) = self.conns.get_mut(&conn).filter(|known| !known.over) else { return };
        known.over = true;
        self.turned.insert(conn);
        if let Some(admitted) = known.admitted.take() {
            self.relay.gone(&admitted, &mut self.effects);
        }
        self.lies.gone(conn);
        if let Some(secret) = &mut self.secret {
            secret.gone(conn);
        }
    }
}

/// Every device that the journal knows.
fn names(state: &State) -> Vec<DeviceName> {
    let of = |(user, account): (&_, &countersign_core::journal::state::User)| {
        let user: &countersign_core::id::UserName = user;
        let named = |device: &_| DeviceName { user: user.clone(), device: Clone::clone(device) };
        account.devices.keys().map(named).collect::<Vec<_>>()
    };
    state.users().iter().flat_map(of).collect()
}
