//! Decides what of a device survives its program: the key, from before anybody hears of it, and the identity.

use std::collections::BTreeMap;

use countersign_core::device::calls::FIRST_ACCEPTED;
use countersign_core::device::enrol::{EnrolInput, EnrolNews, EnrolResult, Enrolment, check_own};
use countersign_core::device::{
    Acquaintances, Command, Device, Event, Followed, Following, Identity, Input, LogRefusal, Met, Output, Renewed,
};
use countersign_core::id::{CallId, ConnId, DeviceName, KeyId, UserName};
use countersign_core::invite::{InviteLink, ServerLink, TokenHash};
use countersign_core::password::Password;
use countersign_core::peer::Reach;
use countersign_core::pki::{Facts, SecretKey};
use countersign_core::tlog::{NoteName, ViewRefusal};
use countersign_core::tls::{CertRefusal, Credentials, Root};
use countersign_core::wire::Code;
use countersign_core::wire::revocation::SignedLists;

use super::ear::refusals;
use super::holding::Holding;
use super::{Chance, Clocks, Deadline, Why, tls_env};
use crate::config::SimConfig;
use crate::crypto::suites::overhear;
use crate::rng::Streams;
use crate::story::{Program, Side};

/// A person's device.
#[derive(Debug)]
pub struct DeviceNode {
    number: usize,
    chance: Chance,
    /// Its clocks.
    pub clocks: Clocks,
    machine: Machine,
    /// How many programs have been started.
    life: u64,
    /// How many connections the listeners of the program that runs have taken.
    accepted: u64,
    /// The sockets of the program that runs, by its own numbers.
    pub sockets: BTreeMap<ConnId, Socket>,
    /// What lies on the device's disk.
    pub store: Store,
    /// Whether it takes part in conversations.
    converses: bool,
    /// What the relay has refused it since somebody asked.
    refused: Vec<Code>,
}

/// What survives the program.
#[derive(Debug, Default)]
pub struct Store {
    /// The key, stored before it is used.
    pub key: Option<SecretKey>,
    /// By which invite a certificate was last asked for.
    pub asked_by: Option<TokenHash>,
    /// The identity, once it was enrolled.
    pub identity: Option<Identity>,
    /// Whom this device has met.
    met: Acquaintances,
    /// The log that its person takes for the one that goes on from theirs, once they have asked the operator.
    pub accepted: Option<NoteName>,
    /// The newest of the log and of the revocation lists, as texts beside the identity: read at the next start.
    news: News,
    /// What somebody else was shown of the log, as long as the server has not shown that it is the same.
    doubt: Option<String>,
    /// Whether the proof lies here that the server keeps two logs, and whether the person was told since.
    split: Option<bool>,
    /// What is being written at the moment, and is not there yet.
    writing: Option<Writing>,
    /// What is kept of its conversations.
    pub holding: Holding,
}

/// What a program has kept since its start, and the next one believes anew.
#[derive(Debug, Default)]
struct News {
    log: Option<Followed>,
    lists: Option<SignedLists>,
}

/// What a device writes down.
#[derive(Debug)]
enum Writing {
    Key(SecretKey),
    Identity(Box<Identity>),
}

/// What a device writes down, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// The secret key.
    Key,
    /// Who the device is.
    Identity,
}

/// A socket of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Not connected yet.
    Dialling,
    /// The world knows it by this number, and this end of it is the device's.
    Wired(ConnId, Side),
}

#[derive(Debug)]
enum Machine {
    Off,
    /// It is about to enrol, and has to keep its key first.
    Keeping(Box<Wish>),
    Enrolling(Box<Enrolment>),
    On(Box<Device>),
}

/// What admits a newcomer.
#[derive(Clone, Debug)]
pub enum By {
    /// An invite.
    Invite(InviteLink),
    /// A password, at this server.
    Password(ServerLink, Password),
}

/// A certificate that somebody wishes for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What is to admit it.
    pub by: By,
    /// For whom.
    pub name: DeviceName,
    /// Whether it waits if its user is there and has to approve it.
    pub waits: bool,
    /// The recovery key by which it comes back, if it does.
    pub recovery: Option<SecretKey>,
}

/// An input that both kinds of machine have.
#[derive(Clone, Copy, Debug)]
pub enum Nudge<'a> {
    /// A socket is connected.
    Connected(ConnId),
    /// A socket could not be connected.
    Unreachable(ConnId),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket took bytes.
    Sent(ConnId, usize),
    /// The socket has ended.
    Ended(ConnId),
    /// Time has passed.
    Tick,
}

impl DeviceNode {
    /// A new device with nothing on it.
    pub fn new(streams: Streams, number: usize, skew_max_s: u64) -> Self {
        let name = format!("device/{number}");
        Self {
            number,
            chance: Chance::new(streams, &name),
            clocks: Clocks::draw(streams, &name, skew_max_s),
            machine: Machine::Off,
            life: 0,
            accepted: 0,
            sockets: BTreeMap::new(),
            store: Store::default(),
            converses: false,
            refused: Vec::new(),
        }
    }

    /// The device of this number in a run.
    pub fn of(config: &SimConfig, streams: Streams, number: usize) -> Self {
        Self { converses: config.converses(number), ..Self::new(streams, number, config.skew_max_s) }
    }

    /// The program that runs, or ran last.
    pub fn program(&self) -> Program {
        Program { device: self.number, life: self.life }
    }

    /// Whether a program runs.
    pub fn is_on(&self) -> bool {
        !matches!(self.machine, Machine::Off)
    }

    /// Whether the program that runs enrols the device.
    pub fn is_enrolling(&self) -> bool {
        matches!(self.machine, Machine::Enrolling(_) | Machine::Keeping(_))
    }

    /// Starts an attempt at enrolment on a disk without fault.
    pub fn enrol(&mut self, invite: InviteLink, name: DeviceName, at_us: u64) {
        self.prepare(Wish { by: By::Invite(invite), name, waits: false, recovery: None });
        self.written();
        self.ask(at_us);
    }

    /// A program begins that will enrol the device. Where there is no key, one is drawn and has to be written first.
    pub fn prepare(&mut self, wish: Wish) {
        self.store.asked_by = Some(match &wish.by {
            By::Invite(invite) => invite.token.hash(),
            By::Password(..) => TokenHash::of_password(&wish.name.user),
        });
        if self.store.key.is_none() {
            self.store.writing = Some(Writing::Key(self.chance.lend(|rng| SecretKey::draw(rng))));
        }
        self.begin(Machine::Keeping(Box::new(wish)));
    }

    /// With the key in its place the program asks for a certificate.
    pub fn ask(&mut self, at_us: u64) {
        let now = self.clocks.now(at_us);
        let (Machine::Keeping(wish), Some(key)) = (&self.machine, self.store.key.clone()) else { return };
        let Wish { by, name, waits, recovery } = (**wish).clone();
        let machine = self.chance.lend(|rng| {
            let mut machine = match by {
                By::Invite(invite) => Enrolment::new(tls_env(), invite, name, key),
                By::Password(server, password) => Enrolment::sign_up(tls_env(), server, password, name, key),
            };
            if waits {
                machine = machine.ready_to_wait(rng);
            }
            if let Some(recovery) = &recovery {
                machine = machine.by_recovery(recovery);
            }
            machine.handle(&EnrolInput::Start, now);
            machine
        });
        self.machine = Machine::Enrolling(Box::new(machine));
    }

    /// What the enrolment brought is to be written down.
    pub fn keep(&mut self, identity: Identity) {
        self.store.writing = Some(Writing::Identity(Box::new(identity)));
    }

    /// What is being written.
    pub fn writing(&self) -> Option<Item> {
        Some(match self.store.writing.as_ref()? {
            Writing::Key(_) => Item::Key,
            Writing::Identity(_) => Item::Identity,
        })
    }

    /// The key that is there or is being written.
    pub fn newest_key(&self) -> Option<KeyId> {
        let new = if let Some(Writing::Key(key)) = &self.store.writing { Some(key) } else { None };
        new.or(self.store.key.as_ref()).map(|key| key.spki().id())
    }

    /// What was being written is in its place.
    pub fn written(&mut self) {
        match self.store.writing.take() {
            Some(Writing::Key(key)) => self.store.key = Some(key),
            Some(Writing::Identity(identity)) => self.store.identity = Some(*identity),
            None => {}
        }
    }

    /// What was being written is lost.
    pub fn unwritten(&mut self) {
        self.store.writing = None;
    }

    /// Keeps what the log has grown to. It is small, and losing it would cost no promise: it is kept at once.
    pub fn keep_log(&mut self, followed: &Followed) {
        self.store.news.log = Some(followed.clone());
    }

    /// Keeps a new certificate, as the shell does before anything else is done.
    pub fn keep_certificate(&mut self, renewed: &Renewed) {
        if let Some(Identity { credentials, .. }) = &mut self.store.identity {
            (credentials.leaf, credentials.issuing) = (renewed.leaf.clone(), renewed.issuing.clone());
        }
    }

    /// Keeps revocation lists that were believed.
    pub fn keep_lists(&mut self, lists: &SignedLists) {
        self.store.news.lists = Some(lists.clone());
    }

    /// Keeps, or keeps no more, what the log may contradict, and what proves that there are two.
    pub fn keep_evidence(&mut self, event: &Event) {
        if let Event::Doubted(theirs) = event {
            self.store.doubt = Some(theirs.to_string());
        } else if let Event::Reconciled(theirs) = event {
            self.store.doubt.take_if(|doubt| *doubt == theirs.to_string());
        } else if let Event::LogRefused(LogRefusal::History(ViewRefusal::Split(_))) = event {
            self.store.split = Some(false);
        }
    }

    /// Whether nothing starts here, since the server keeps two logs; and whether that was not told yet.
    pub fn held_back(&mut self) -> Option<bool> {
        let told = self.store.split.as_mut()?;
        Some(!std::mem::replace(told, true))
    }

    /// Keeps who somebody is that was met for the first time.
    pub fn keep_met(&mut self, user: &UserName, met: Met) {
        self.store.met.meet(user, met);
    }

    /// A program that starts reads what the last one has kept.
    pub fn read_kept(&mut self, at_us: u64) {
        let wall = self.clocks.now(at_us).wall;
        let News { log, lists } = std::mem::take(&mut self.store.news);
        let Some(identity) = &mut self.store.identity else { return };
        if let Some(Ok(log)) = log.map(|followed| Following::restore(&identity.trust, &followed, wall)) {
            identity.log = log;
        }
        if let Some(lists) = lists {
            // What is refused is older than what is kept.
            let _ = identity.lists.hear(&identity.trust, &lists, wall);
        }
    }

    /// Why the program that is to be started would not believe what is stored, if so: the shell looks at it first.
    pub fn disbelief(&self, at_us: u64) -> Option<CertRefusal> {
        let Identity { name, credentials, trust, log: _, lists: _ } = self.store.identity.as_ref()?;
        let Credentials { leaf, issuing, key } = credentials;
        let wall = self.clocks.now(at_us).wall;
        let root = Root::parse(trust.root().der(), wall);
        // One that has expired is for the device to renew: it has to have been good until its end.
        let at = Facts::read(leaf).map_or(wall, |facts| wall.min(facts.not_after));
        root.and_then(|_| check_own(trust, leaf, issuing, name, key, at)).err()
    }

    /// Starts the device with the identity that is stored; without one nothing starts. Its calls go this far.
    pub fn start(&mut self, reach: Reach, at_us: u64) {
        let Some(mut identity) = self.store.identity.clone() else { return };
        if let Some(log) = self.store.accepted.take() {
            identity.log.accept(log);
        }
        if let Some(doubt) = &self.store.doubt {
            identity.log.recall_doubt(doubt.as_bytes());
        }
        let (now, met, converses) = (self.clocks.now(at_us), self.store.met.clone(), self.converses);
        let machine = self.chance.lend(|rng| {
            let mut machine = Device::new(tls_env(), identity, true).with_reach(reach).with_acquaintances(met);
            if converses {
                machine = machine.with_conversations(self.store.holding.rows());
            }
            machine.handle(Input::Start, now, rng);
            machine
        });
        self.begin(Machine::On(Box::new(machine)));
    }

    fn begin(&mut self, machine: Machine) {
        self.machine = machine;
        self.life += 1;
        self.accepted = 0;
        self.sockets.clear();
    }

    /// Somebody has connected to a listener of the program: the number that it knows the connection by.
    pub fn accept(&mut self, conn: ConnId) -> ConnId {
        let local = ConnId(FIRST_ACCEPTED + self.accepted);
        self.accepted += 1;
        self.sockets.insert(local, Socket::Wired(conn, Side::Listener));
        local
    }

    /// Something happened between the program and other devices; an enrolment has nothing to do with them.
    pub fn direct(&mut self, input: Input<'_>, at_us: u64) {
        let now = self.clocks.now(at_us);
        if let Machine::On(machine) = &mut self.machine {
            self.chance.lend(|rng| machine.handle(input, now, rng));
        }
    }

    /// The program ends at once. The sockets that the kernel closes for it.
    pub fn stop(&mut self) -> BTreeMap<ConnId, Socket> {
        self.machine = Machine::Off;
        self.unwritten();
        self.store.holding.lose();
        std::mem::take(&mut self.sockets)
    }

    /// Feeds the program that runs.
    pub fn handle(&mut self, nudge: Nudge<'_>, at_us: u64) {
        let now = self.clocks.now(at_us);
        match &mut self.machine {
            Machine::Off | Machine::Keeping(_) => {}
            Machine::Enrolling(machine) => self.chance.lend(|_| machine.handle(&enrol_input(nudge), now)),
            Machine::On(machine) if self.converses => {
                let heard = &mut Vec::new();
                self.chance.lend(|rng| overhear(heard, || machine.handle(input(nudge), now, rng)));
                self.refused.extend(heard.iter().flat_map(|record| refusals(record)));
            }
            Machine::On(machine) => self.chance.lend(|rng| machine.handle(input(nudge), now, rng)),
        }
    }

    /// What the relay has refused it since the last time, whatever its user is told.
    pub fn take_refused(&mut self) -> Vec<Code> {
        std::mem::take(&mut self.refused)
    }

    /// The user wishes something; an enrolment takes no wishes.
    pub fn command(&mut self, command: Command, at_us: u64) {
        let now = self.clocks.now(at_us);
        if let Machine::On(machine) = &mut self.machine {
            self.chance.lend(|rng| machine.handle(Input::Command(command), now, rng));
        }
    }

    /// The program's next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        match &mut self.machine {
            Machine::Off | Machine::Keeping(_) => None,
            Machine::Enrolling(machine) => self.chance.lend(|_| machine.poll_output()),
            Machine::On(machine) => self.chance.lend(|_| machine.poll_output()),
        }
    }

    /// How a device that enrols waits, as it is told to its person.
    pub fn poll_news(&mut self) -> Option<EnrolNews> {
        match &mut self.machine {
            Machine::Enrolling(machine) => machine.poll_news(),
            Machine::Off | Machine::Keeping(_) | Machine::On(_) => None,
        }
    }

    /// What the enrolment came to, if it is over.
    pub fn enrol_result(&self) -> Option<EnrolResult> {
        match &self.machine {
            Machine::Enrolling(machine) => machine.result().cloned(),
            Machine::Off | Machine::Keeping(_) | Machine::On(_) => None,
        }
    }

    /// When the program wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let (at, why) = match &self.machine {
            Machine::Off | Machine::Keeping(_) => return None,
            Machine::Enrolling(machine) => (machine.next_deadline()?, Why::Enrolment),
            Machine::On(machine) => {
                let (at, wake) = machine.next_deadline()?;
                (at, Why::Device(wake))
            }
        };
        Some(Deadline { at_us: self.clocks.world_us(at), why })
    }

    /// What waits for a socket.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        match &self.machine {
            Machine::Off | Machine::Keeping(_) => &[],
            Machine::Enrolling(machine) => machine.outbound(),
            Machine::On(machine) => machine.outbound(conn),
        }
    }

    /// Whether a line of any allowed length would be taken by a call now.
    pub fn has_room(&self, call: CallId) -> bool {
        match &self.machine {
            Machine::On(machine) => machine.has_room(call),
            Machine::Off | Machine::Keeping(_) | Machine::Enrolling(_) => false,
        }
    }
}

fn enrol_input(nudge: Nudge<'_>) -> EnrolInput<'_> {
    match nudge {
        Nudge::Connected(conn) => EnrolInput::Connected(conn),
        Nudge::Unreachable(conn) => EnrolInput::Unreachable(conn),
        Nudge::Received(conn, bytes) => EnrolInput::Received(conn, bytes),
        Nudge::Sent(conn, n) => EnrolInput::Sent(conn, n),
        Nudge::Ended(conn) => EnrolInput::Ended(conn),
        Nudge::Tick => EnrolInput::Tick,
    }
}

fn input(nudge: Nudge<'_>) -> Input<'_> {
    match nudge {
        Nudge::Connected(conn) => Input::Connected(conn),
        Nudge::Unreachable(conn) => Input::Unreachable(conn),
        Nudge::Received(conn, bytes) => Input::Received(conn, bytes),
        Nudge::Sent(conn, n) => Input::Sent(conn, n),
        Nudge::Ended(conn) => Input::Ended(conn),
        Nudge::Tick => Input::Tick,
    }
}
