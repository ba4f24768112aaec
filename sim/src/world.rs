//! The loop: takes the next event, gives it to its node, carries out what the machines want, and shows it to all.
//!
//! ```text
//! queue --event--> world --input--> machine --outputs--> world --arrivals, delays--> queue
//!                    |                                     |
//!                    +------------- Seen ------------------+--> hash, story, counts, oracles
//! ```
//!
//! Events of one moment are one turn: every machine takes its inputs first, and its outputs are carried out when the
//! moment is over. So a machine sees what it sees under a real reactor, several segments in one turn included.

mod alarms;
pub mod carry;
mod conversing;
pub mod disks;
pub mod event;
pub mod faults;
pub mod hours;
mod kin;
pub mod network;
pub mod own;
pub mod people;
mod revoking;
mod roll_call;
pub mod secrets;
pub mod sleep;
pub mod slips;
pub mod stores;
pub mod streets;
pub mod villains;
pub mod watch;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::{CallId, ConnId};
use countersign_core::server::Input;

use crate::actors::operator::Operator;
use crate::actors::person::Person;
use crate::actors::saboteur::Saboteur;
use crate::canary::Sabotage;
use crate::config::SimConfig;
use crate::crypto::weakness;
use crate::node::Node;
use crate::node::device::{DeviceNode, Nudge};
use crate::node::relay::RelayNode;
use crate::oracles::Panel;
use crate::page::collector::Collector;
use crate::queue::Queue;
use crate::rng::{Choices, Draw};
use crate::story::{Phase, Program, Seen, Side};
use crate::trace::Keep;
use conversing::Conversing;
use disks::Disks;
use event::Event;
use hours::Hours;
use network::Network;
use own::Owners;
use revoking::Revoking;
use streets::{Host, Place};
use villains::Villains;
use watch::Watch;
use wire::{Party, Wire};

/// How long the calm lasts before the roll call, in microseconds: a silent cut is found out after a minute and some,
/// and the longest wait before dialling again comes after that.
const CALM_US: u64 = 130_000_000;
/// How long the roll call lasts.
const ROLL_CALL_US: u64 = 30_000_000;
/// How much longer each of the two lasts where somebody has two devices: one has to be online before it can approve the
/// other, and the other calls when it has called.
const KIN_CALM_US: u64 = 60_000_000;
const KIN_ROLL_CALL_US: u64 = 20_000_000;
/// How long the shutdown may take.
const SHUTDOWN_US: u64 = 12_000_000;

/// How many events a run has at most: far more than any that comes to an end.
const EVENTS_MAX: u64 = 5_000_000;

/// Everything there is in a run.
pub struct World {
    config: SimConfig,
    now_us: u64,
    phase: Phase,
    queue: Queue<Event>,
    relay: RelayNode,
    devices: Vec<DeviceNode>,
    people: Vec<Person>,
    operator: Operator,
    revoking: Revoking,
    owners: Owners,
    saboteur: Saboteur,
    wires: BTreeMap<ConnId, Wire>,
    /// What has arrived on the connections that the relay does not read at the moment.
    unread: BTreeMap<ConnId, Vec<Event>>,
    last_conn: u64,
    /// How many processes of the relay have ended.
    relay_life: u64,
    /// When each node will be woken next.
    wakes: BTreeMap<Node, u64>,
    /// Nodes that may have outputs.
    dirty: BTreeSet<Node>,
    /// Whether a device is being asked at once if it takes a line, and whether it has said no.
    asking: bool,
    denied: bool,
    faults: Choices,
    late: Choices,
    /// What goes wrong between devices, drawn apart from what goes wrong with the relay.
    streets: Choices,
    hosts: Vec<Host>,
    /// Who listens where, and for which call.
    listeners: BTreeMap<Place, (Program, CallId)>,
    last_port: u64,
    last_direct: u64,
    watch: Watch,
    /// How many events there were.
    events: u64,
    /// How many bytes each connection had carried, to the relay and to the device, when the storm was over.
    storm_bytes: BTreeMap<ConnId, [u64; 2]>,
    /// What the network does besides cutting connections.
    network: Network,
    /// What goes wrong with clocks, and who sleeps.
    hours: Hours,
    /// What goes wrong with disks.
    disks: Disks,
    villains: Villains,
    /// Who writes to whom, and what becomes of what devices keep of it.
    conversing: Conversing,
}

impl World {
    /// A world in which nothing has happened yet.
    ///
    /// # Panics
    /// If the configuration is not sound ([`SimConfig::check`]).
    pub fn new(config: SimConfig, sabotage: Option<Sabotage>, panel: Panel, keep: Keep) -> Self {
        let streams = config.streams();
        assert_eq!(config.check(), Ok(()), "a run needs a sound configuration");
        let count = config.all_devices();
        let mut world = Self {
            now_us: 0,
            phase: Phase::Storm,
            queue: Queue::new(),
            relay: RelayNode::new(streams, config.skew_max_s, config.append_max_us),
            devices: (0..count).map(|number| DeviceNode::of(&config, streams, number)).collect(),
            people: (0..count).map(|number| Person::new(&config, streams, number)).collect(),
            operator: Operator::new(&config, streams),
            revoking: Revoking::new(streams),
            owners: Owners::new(streams),
            saboteur: Saboteur::new(sabotage),
            wires: BTreeMap::new(),
            unread: BTreeMap::new(),
            last_conn: 0,
            relay_life: 0,
            wakes: BTreeMap::new(),
            dirty: BTreeSet::new(),
            asking: false,
            denied: false,
            faults: streams.stream("faults"),
            late: streams.stream("late"),
            streets: streams.stream("streets"),
            hosts: (0..count).map(|number| Host::draw(&config, streams, number)).collect(),
            listeners: BTreeMap::new(),
            last_port: 0,
            last_direct: 0,
            watch: Watch::new(panel, keep),
            events: 0,
            storm_bytes: BTreeMap::new(),
            network: Network::new(&config, streams),
            hours: Hours::new(streams, count),
            disks: Disks::new(streams),
            villains: Villains::new(&config, streams),
            conversing: Conversing::new(streams),
            config,
        };
        world.relay.settings = world.saboteur.settings(world.config.settings());
        world.relay.snapshot_every = world.config.snapshot_every;
        weakness::founded(world.relay.founded(), world.relay.realm(), world.relay.clocks.now(0).wall);
        world.begin();
        world
    }

    /// The same world with one more watcher, who collects what a page of the run shows.
    #[must_use]
    pub fn with_page(mut self) -> Self {
        let names = self.people.iter().enumerate().map(|(number, person)| match person.name() {
            name if self.config.is_further(number) => format!("{}/{}", name.user, name.device),
            name => name.user.to_string(),
        });
        self.watch.page = Some(Box::new(Collector::new(names.collect())));
        self
    }

    /// Lets everything happen, until the run is over or an oracle objects.
    #[must_use]
    pub fn run(mut self) -> Watch {
        self.go();
        self.into_watch()
    }

    /// As [`World::run`], of a world that is still there when something panics on the way.
    ///
    /// # Panics
    /// If it comes to no end.
    pub fn go(&mut self) {
        let end_us = if self.config.end_ms == 0 { u64::MAX } else { self.config.end_ms.saturating_mul(1_000) };
        while self.phase != Phase::Over && self.watch.objection().is_none() {
            let Some((at_us, event)) = self.queue.pop().filter(|(at_us, _)| *at_us <= end_us) else { break };
            self.now_us = at_us;
            self.events += 1;
            assert!(self.events <= EVENTS_MAX, "a run of {EVENTS_MAX} events comes to no end: {event:?}");
            self.happen(event);
            if self.queue.peek_time() != Some(at_us) {
                self.settle();
            }
        }
    }

    /// What was seen of it.
    #[must_use]
    pub fn into_watch(mut self) -> Watch {
        self.watch.storm_bytes = self.storm_bytes;
        // What everybody was away for cost nothing.
        self.watch.virtual_us = self.now_us - self.hours.away_us;
        self.watch
    }

    fn begin(&mut self) {
        self.later(0, Event::Phase(Phase::Storm));
        self.later(1, Event::StartRelay);
        for person in 0..self.people.len() {
            let after_us = self.faults.between(1_000, 5_000_000);
            self.later(after_us, Event::Prompt(person, crate::actors::Prompt::Act));
        }
        self.plan_cut();
        self.plan_crash();
        self.plan_direct_cut();
        self.plan_scan();
        self.plan_weather();
        self.see_authority();
        let calm_us = self.begin_hours();
        self.plan_restore();
        self.plan_revoke();
        self.plan_own();
        self.plan_villains();
        self.plan_writing();
        self.plan_room();
        self.later(calm_us, Event::Phase(Phase::Calm));
        let (more_calm_us, more_calls_us) =
            if self.config.further > 0 { (KIN_CALM_US, KIN_ROLL_CALL_US) } else { (0, 0) };
        let roll_call_us = calm_us + CALM_US + more_calm_us;
        let shutdown_us = roll_call_us + ROLL_CALL_US + more_calls_us;
        self.later(roll_call_us, Event::Phase(Phase::RollCall));
        self.later(shutdown_us, Event::Phase(Phase::Shutdown));
        self.later(shutdown_us + SHUTDOWN_US, Event::Phase(Phase::Over));
    }

    fn happen(&mut self, event: Event) {
        let Some(event) = self.weather(event) else { return };
        let Some(event) = self.put_off(event) else { return };
        self.come(event);
    }

    /// What neither the network holds up nor a machine sleeps through comes to whom it is for.
    fn come(&mut self, event: Event) {
        match event {
            Event::Phase(phase) => self.enter(phase),
            Event::Dialled(program, local) => self.dialled(program, local),
            Event::Unreachable(program, local) => self.unreachable(program, local),
            Event::Connected(conn) => self.connected(conn),
            Event::Deliver { conn, to, bytes, flipped } => self.deliver(conn, to, bytes, flipped),
            Event::Ended(conn, to) => self.ended(conn, to),
            Event::Writable(conn, by) => {
                if let Some(wire) = self.wires.get_mut(&conn) {
                    wire.unblock(by);
                    self.write(conn, by);
                }
            }
            Event::Tick(node) => self.tick(node),
            Event::Durable(life) => self.durable(life),
            Event::Appended(life, append, first) if life == self.relay_life => {
                self.tell_relay(Input::Appended(append, first));
                if let Some(state) = self.relay.server().map(countersign_core::server::Server::state) {
                    let (n, digest) = (state.position().n, state.digest());
                    self.see(&Seen::Folded(n, digest));
                }
            }
            Event::Loaded(life, load, n) if life == self.relay_life => {
                let record = self.relay.disk.read(n).map(<[u8]>::to_vec);
                self.see(&Seen::Loaded(n, record.as_deref()));
                self.tell_relay(Input::Loaded(load, record.as_deref()));
            }
            Event::LoadedBody(life, load, n) if life == self.relay_life => {
                let disk = &self.relay.disk;
                let body = self.saboteur.loads_body(disk.read(n), disk.read_body(n).map(<[u8]>::to_vec));
                self.tell_relay(Input::LoadedBody(load, body.as_deref()));
            }
            Event::Snapshotted(life) => self.snapshotted(life),
            Event::Stretched(life, id, stretched) if life == self.relay_life => {
                self.see(&Seen::Look(id, None));
                self.tell_relay(Input::Stretched(id, stretched.as_ref()));
            }
            Event::Appended(..) | Event::Loaded(..) | Event::LoadedBody(..) | Event::Stretched(..) => {}
            Event::Found(program, call) => self.found(program, call),
            Event::Bind(program, call, on) => self.bind(program, call, on),
            Event::DialledPeer(program, local, address) => self.dialled_peer(program, local, address),
            Event::StrangerSays(conn, side) => self.stranger_says(conn, side),
            Event::StrangerLeaves(conn, side) => self.stranger_leaves(conn, side),
            Event::Scan => self.scan(),
            Event::CutDirect => self.cut_direct(),
            Event::CutSomething => self.cut_something(),
            Event::CrashRelay => self.crash_whenever(),
            Event::StartRelay => self.start_relay(),
            Event::AskOperator(person) => self.ask_operator(person),
            Event::Handed(person, link) => self.handed(person, link),
            Event::InviteRefused(person) => self.person(person).invite_refused(),
            Event::Prompt(person, prompt) => self.prompt(person, prompt),
            Event::Gust(gust) => self.gust(gust),
            Event::LookInside => self.look_inside(),
            Event::SetClock => self.set_some_clock(),
            Event::MendClock(device) => self.mend_clock(device),
            Event::Doze => self.doze(),
            Event::Awaken(device, nap) => self.awaken(device, nap),
            Event::Leave => self.leave(),
            Event::Return => self.come_back(),
            Event::Stored(program) => self.stored(program),
            Event::BackUp => self.back_up(),
            Event::Restore => self.restore(),
            Event::Revoke => self.revoke(),
            Event::Own(deed) => self.own(deed),
            Event::Villain(doing) => self.villain(doing),
            Event::Writes => self.writes(),
            Event::ActsInRoom => self.acts_in_room(),
            Event::Kept(program) => self.rows_kept(program),
        }
    }

    /// The moment is over: carries out what the machines want, until none wants anything, and sets their alarms.
    fn settle(&mut self) {
        let mut touched = BTreeSet::new();
        while let Some(node) = self.dirty.pop_first() {
            touched.insert(node);
            match node {
                Node::Relay => self.carry_out_relay(),
                Node::Device(device) => self.carry_out_device(device),
            }
        }
        for node in touched {
            self.set_alarm(node);
        }
    }

    fn deliver(&mut self, conn: ConnId, to: Side, bytes: Vec<u8>, flipped: bool) {
        let Some(wire) = self.wires.get(&conn).filter(|wire| wire.reads(to, self.now_us)) else { return };
        let party = wire.party(to);
        if let (Party::Relay, Some(unread)) = (&party, self.unread.get_mut(&conn)) {
            unread.push(Event::Deliver { conn, to, bytes, flipped });
            return;
        }
        self.has_read(conn, to, bytes.len());
        self.see(&Seen::Delivered { conn, to, bytes: &bytes, flipped });
        match party {
            Party::Relay => self.tell_relay(Input::Received(conn, &bytes)),
            Party::Device(program, local) => self.tell_device(program.device, Nudge::Received(local, &bytes)),
            Party::Stranger => self.villain_hears(conn, &bytes),
            Party::Liar => self.at_liar(|liar, genuine, at_us| liar.received(conn, &bytes, genuine, at_us)),
        }
    }

    fn ended(&mut self, conn: ConnId, to: Side) {
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let party = wire.party(to);
        if let (Party::Relay, Some(unread)) = (&party, self.unread.get_mut(&conn)) {
            unread.push(Event::Ended(conn, to));
            return;
        }
        if !wire.end(to) {
            return;
        }
        self.see(&Seen::Ended(conn, to));
        match party {
            Party::Relay => self.tell_relay(Input::Ended(conn)),
            Party::Device(program, local) => self.tell_device(program.device, Nudge::Ended(local)),
            Party::Stranger => self.villain_ended(conn),
            Party::Liar => self.at_liar(|liar, genuine, at_us| liar.ended(conn, genuine, at_us)),
        }
    }

    /// The relay reads no more from a connection: what arrives waits at its door.
    fn pause(&mut self, conn: ConnId) {
        self.unread.entry(conn).or_default();
    }

    /// It reads again, first what has arrived.
    #[allow(clippy::wildcard_enum_match_arm, reason = "bytes and an end wait at its door, and nothing else does")]
    fn resume(&mut self, conn: ConnId) {
        for event in self.unread.remove(&conn).unwrap_or_default() {
            match event {
                Event::Ended(conn, to) => self.ended(conn, to),
                // Past all weather: it had arrived.
                Event::Deliver { conn, to, bytes, flipped } => self.deliver(conn, to, bytes, flipped),
                other => self.happen(other),
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.see(&Seen::Phase(phase));
        match phase {
            Phase::Storm => {}
            Phase::Calm => {
                self.clear_up();
                self.end_hours();
                self.calm_down();
            }
            Phase::RollCall => {
                self.roll_call();
                self.probe();
            }
            Phase::Shutdown => {
                self.stop_liar();
                self.tell_relay(Input::Shutdown);
            }
            Phase::Over => self.close_the_books(),
        }
    }

    fn tell_relay(&mut self, input: Input<'_>) {
        weakness::runs(self.relay.clocks.now(self.now_us).wall, None);
        self.relay.handle(input, self.now_us);
        self.dirty.insert(Node::Relay);
        self.see_unsealed();
    }

    fn tell_device(&mut self, device: usize, nudge: Nudge<'_>) {
        let now_us = self.now_us;
        if let Some(node) = self.devices.get_mut(device) {
            weakness::runs(node.clocks.now(now_us).wall, self.saboteur.meant(device));
            node.handle(nudge, now_us);
            let (program, refused) = (node.program(), node.take_refused());
            self.dirty.insert(Node::Device(device));
            for code in refused {
                self.see(&Seen::Refused(program, code));
            }
        }
    }

    fn later(&mut self, after_us: u64, event: Event) {
        self.at(self.now_us + after_us, event);
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.queue.push(at_us, event).expect("the queue has room and the world makes nothing for the past");
    }

    fn see(&mut self, seen: &Seen<'_>) {
        self.watch.see(self.now_us, seen);
    }
}
