//! Decides who meets whom, in what order: the honest machines and the villain's connections in one process.
//!
//! ```text
//!  Server (a whole relay, with its journal)   <- lines ->   Device | Enrolment (honest people)   <- lines ->   Villain
//! ```
//!
//! Bytes arrive at once and in order; time stands still unless a scene lets it pass. Each party has its own streams of
//! randomness, named by the scene, so that one scene never disturbs another.

mod run;
mod streets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::device::enrol::{EnrolInput, EnrolResult, Enrolment};
use countersign_core::device::{self, Command, Device, Event, Identity};
use countersign_core::effect::Note;
use countersign_core::id::{AdminId, ConnId, DeviceName, Realm, UserName};
use countersign_core::invite::{Endpoint, InviteLink};
use countersign_core::journal::State;
use countersign_core::operator::{self, Answer};
use countersign_core::peer::Reach;
use countersign_core::pki::{Authority, Founded, SecretKey, found_realm};
use countersign_core::server::{self, Server};
use countersign_core::time::{Instant, Now, Wall};
use countersign_core::tls::TlsEnv;
use countersign_core::wire::revocation::SignedLists;
use countersign_core::wire::{Extensions, Frame};
use rand_chacha::ChaCha20Rng;

use super::mint::{Mint, name};
use super::villain::{Shown, Villain};
use crate::crypto::{lend, provider};
use crate::node::lists::journalled;
use crate::rng::Streams;
use crate::trace::{Keep, Trace};
pub(crate) use streets::{Mishap, Streets};

/// The second at which every scene begins.
const START: Wall = Wall(1_800_000_000);

/// A device on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeviceId(usize);
/// A newcomer on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NewcomerId(usize);
/// A connection of the villain's on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VillainId(usize);

/// To whom an honest machine's calls go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    /// The relay.
    Relay,
    /// The villain, who has taken the relay's place.
    Villain(VillainId),
    /// Nobody.
    Nobody,
}

/// One end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Relay(ConnId),
    Device(DeviceId, ConnId),
    Newcomer(NewcomerId),
    Villain(VillainId),
}

/// What travels on a line.
enum Parcel {
    Bytes(Vec<u8>),
    End,
}

struct Node<M> {
    machine: M,
    rng: ChaCha20Rng,
    tls: ChaCha20Rng,
    to: To,
    told: Vec<Event>,
}

/// Everybody who takes part in a scene.
pub(crate) struct Stage {
    /// Both clocks, the same for all.
    pub(crate) now: Now,
    /// The realm's name.
    pub(crate) realm: Realm,
    /// The genuine CAs.
    pub(crate) founded: Founded,
    scene: String,
    streams: Streams<'static>,
    trace: Trace,
    relay: Node<Server>,
    journal: Vec<Vec<u8>>,
    notes: Vec<Note>,
    answers: BTreeMap<AdminId, Answer>,
    devices: Vec<Node<Device>>,
    newcomers: Vec<Node<Enrolment>>,
    villains: Vec<Villain>,
    lines: BTreeMap<End, End>,
    ended: BTreeSet<End>,
    parcels: VecDeque<(End, Parcel)>,
    counter: u64,
    /// What there is between devices.
    pub(crate) streets: Streets,
    /// How many parcels were delivered, and what befalls somebody before a certain one.
    pub(crate) delivered: u64,
    pub(crate) mishap: Option<(u64, Mishap)>,
    gone: BTreeSet<DeviceId>,
}

impl Stage {
    /// A realm and its relay, and nobody else yet.
    pub(crate) fn new(seed: u64, scene: &str) -> Self {
        let streams = Streams::new(seed);
        let stream = |what: &str| streams.secret(&format!("forge/{scene}/{what}"));
        let now = Now { mono: Instant(1_000_000), wall: START };
        let realm = Realm::default();
        let founded = found_realm(&realm, START, &mut stream("found"));
        let authority =
            Authority::new(realm.clone(), founded.files(), START).expect("a new realm's files belong together");
        let (mut rng, mut tls) = (stream("relay"), stream("relay/tls"));
        let machine = {
            let _lent = lend(&mut tls);
            Server::start(env(), authority, State::new(1), now, &mut rng).expect("a new realm's relay starts")
        };
        let mut stage = Self {
            now,
            realm,
            founded,
            scene: scene.to_owned(),
            streams,
            trace: Trace::new(Keep::default()),
            relay: Node { machine, rng, tls, to: To::Nobody, told: Vec::new() },
            journal: Vec::new(),
            notes: Vec::new(),
            answers: BTreeMap::new(),
            devices: Vec::new(),
            newcomers: Vec::new(),
            villains: Vec::new(),
            lines: BTreeMap::new(),
            ended: BTreeSet::new(),
            parcels: VecDeque::new(),
            counter: 0,
            streets: Streets::default(),
            delivered: 0,
            mishap: None,
            gone: BTreeSet::new(),
        };
        stage.run();
        stage
    }

    /// The hash over all that happened.
    pub(crate) fn finish_hex(self) -> String {
        self.trace.finish_hex()
    }

    /// What the genuine relay knows for good.
    pub(crate) fn state(&self) -> &State {
        self.relay.machine.state()
    }

    /// The revocation lists that the genuine CA has signed last.
    pub(crate) fn lists(&self) -> SignedLists {
        let record = |n: u64| self.journal.get(usize::try_from(n).ok()?.checked_sub(1)?).cloned();
        journalled(self.state(), &self.founded.issuing, &record)
    }

    /// The same, as they go with a welcome.
    pub(crate) fn listed(&self) -> Extensions {
        Extensions(vec![self.lists().extension()])
    }

    /// A stream of randomness that nobody else has.
    pub(crate) fn stream(&mut self) -> ChaCha20Rng {
        let n = self.next();
        self.streams.secret(&format!("forge/{}/{n}", self.scene))
    }

    /// The villain's mint, for a certificate of this name and with this key.
    pub(crate) fn mint(&mut self, name: DeviceName, key: SecretKey) -> Mint<'_> {
        let rng = self.stream();
        Mint { genuine: &self.founded, realm: &self.realm, name, key, own: None, now: self.now.wall, rng }
    }

    /// A key of the villain's.
    pub(crate) fn key(&mut self) -> SecretKey {
        SecretKey::draw(&mut self.stream())
    }

    // --- honest people ---

    /// The operator invites somebody.
    pub(crate) fn invite(&mut self, user: Option<&str>, lifetime: Duration) -> InviteLink {
        let user = user.map(|user| UserName::parse(user).expect("a user's name"));
        let id = AdminId(self.next());
        let command = operator::Command::Invite { user, lifetime };
        self.at_relay(server::Input::Operator(id, &command));
        self.run();
        let Some(Answer::Invite(token, _)) = self.answers.remove(&id) else { panic!("the operator was refused") };
        let endpoint = Endpoint::parse("relay.example:7443").expect("an endpoint");
        InviteLink { endpoint, realm: self.realm.clone(), root: self.relay.machine.root(), token }
    }

    /// Enrols somebody in good order, with the device `phone`.
    pub(crate) fn enrol(&mut self, user: &str) -> Identity {
        let link = self.invite(Some(user), Duration::from_secs(3600));
        let key = self.key();
        let newcomer = self.newcomer(link, name(user, "phone"), key, To::Relay);
        self.run();
        match self.enrolled(newcomer) {
            Some(EnrolResult::Enrolled(identity)) => (**identity).clone(),
            other => panic!("{user} was not enrolled: {other:?}"),
        }
    }

    /// A newcomer who asks with this invite.
    pub(crate) fn newcomer(&mut self, link: InviteLink, name: DeviceName, key: SecretKey, to: To) -> NewcomerId {
        let (rng, tls) = (self.stream(), self.stream());
        let machine = Enrolment::new(env(), link, name, key);
        self.newcomers.push(Node { machine, rng, tls, to, told: Vec::new() });
        let id = NewcomerId(self.newcomers.len() - 1);
        self.at_newcomer(id, &EnrolInput::Start);
        id
    }

    /// What a newcomer's enrolment came to.
    pub(crate) fn enrolled(&self, id: NewcomerId) -> Option<&EnrolResult> {
        self.newcomers.get(id.0)?.machine.result()
    }

    /// An honest device, which attends and wishes for the tunnel alone.
    pub(crate) fn device(&mut self, identity: Identity, to: To) -> DeviceId {
        self.device_reaching(identity, to, Reach::tunnel_only())
    }

    /// An honest device, which attends and goes this far for a direct connection.
    pub(crate) fn device_reaching(&mut self, identity: Identity, to: To, reach: Reach) -> DeviceId {
        let (rng, mut tls) = (self.stream(), self.stream());
        let machine = {
            let _lent = lend(&mut tls);
            Device::new(env(), identity, true).with_reach(reach)
        };
        self.devices.push(Node { machine, rng, tls, to, told: Vec::new() });
        let id = DeviceId(self.devices.len() - 1);
        self.at_device(id, device::Input::Start);
        self.run();
        id
    }

    /// A device's user wishes something.
    pub(crate) fn command(&mut self, id: DeviceId, command: Command) {
        self.at_device(id, device::Input::Command(command));
        self.run();
    }

    /// The same, and nobody acts on it yet.
    pub(crate) fn wish(&mut self, id: DeviceId, command: Command) {
        self.at_device(id, device::Input::Command(command));
    }

    /// What a device has told its user, oldest first.
    pub(crate) fn told(&self, id: DeviceId) -> &[Event] {
        self.devices.get(id.0).map(|node| node.told.as_slice()).unwrap_or_default()
    }

    // --- the villain ---

    /// The villain connects to the relay.
    pub(crate) fn dial(&mut self, protocols: &[&[u8]], shown: Option<Shown>) -> VillainId {
        let villain = Villain::client(self.stream(), protocols, shown);
        let id = self.place(villain);
        self.open(End::Villain(id));
        self.run();
        id
    }

    /// The villain connects to the relay and keeps its hello to itself: it will say something else.
    pub(crate) fn dial_silently(&mut self) -> VillainId {
        let mut villain = Villain::client(self.stream(), &[], None);
        villain.take();
        let id = self.place(villain);
        self.open(End::Villain(id));
        id
    }

    /// The villain waits to be connected to.
    pub(crate) fn lie_in_wait(&mut self, protocols: &[&[u8]], shown: Shown) -> VillainId {
        let villain = Villain::server(self.stream(), protocols, shown);
        self.place(villain)
    }

    /// A connection of the villain's.
    pub(crate) fn villain(&mut self, id: VillainId) -> &mut Villain {
        self.villains.get_mut(id.0).expect("the stage gave out the number")
    }

    /// The villain says a message, and everybody acts on it.
    pub(crate) fn say(&mut self, id: VillainId, frame: &Frame) {
        self.villain(id).say(frame);
        self.run();
    }

    /// Sends bytes in the villain's place, past its TLS.
    pub(crate) fn say_raw(&mut self, id: VillainId, bytes: Vec<u8>) {
        self.send(End::Villain(id), Parcel::Bytes(bytes));
        self.run();
    }

    /// The villain hangs up, without a goodbye.
    pub(crate) fn hang_up(&mut self, id: VillainId) {
        self.send(End::Villain(id), Parcel::End);
        self.run();
    }

    /// Which connection of the relay's the villain has.
    pub(crate) fn conn_of(&self, id: VillainId) -> Option<ConnId> {
        match self.lines.get(&End::Villain(id)) {
            Some(End::Relay(conn)) => Some(*conn),
            Some(End::Device(..) | End::Newcomer(_) | End::Villain(_)) | None => None,
        }
    }

    /// The relay's log, oldest first.
    pub(crate) fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn place(&mut self, villain: Villain) -> VillainId {
        self.villains.push(villain);
        VillainId(self.villains.len() - 1)
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

fn env() -> TlsEnv {
    TlsEnv::new(Arc::new(provider()))
}
