//! A whole group in one process, for core's own tests: the server and its members over memory, without delay.
//!
//! A test says who does what, calls [`Town::settle`], and looks at what everybody was told. Faults that need time or
//! broken pipes belong to the simulator; here a test is ten lines.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at once"
)]

mod carry;
mod further;
mod hex;
mod input;
pub(crate) mod kept;
pub(crate) mod log;
pub(crate) mod vectors;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::device::calls::FIRST_DIALLED;
use crate::device::enrol::{EnrolInput, EnrolResult, Enrolment};
use crate::device::{self, Command, Device, Event, Identity};
use crate::effect::Note;
use crate::fault::CloseReason;
use crate::id::{AdminId, AppendId, ConnId, DeviceLabel, DeviceName, Realm, SnapshotId, StretchId, UserName};
use crate::invite::{Endpoint, InviteLink};
use crate::journal::{Record, State};
use crate::limits::KEY_OPERATIONS_SPAN;
use crate::operator::{Answer, Command as Operator};
use crate::password::{Cost, Stretch};
use crate::peer::Reach;
use crate::pki::{Authority, Founded, SecretKey, found_realm};
use crate::server::{self, Server, Source, replay};
use crate::time::{Instant, Now, Wall};
use crate::tls::TlsEnv;

mod streets;

pub(crate) use hex::{from_hex, to_hex};
use input::MemberInput;
pub(crate) use streets::Streets;

/// The second at which tests begin.
pub(crate) const START: Wall = Wall(1_800_000_000);
/// The life of a town's journal, unless it was restored.
const INCARNATION: u64 = 7;

/// An environment with the crypto of the programs.
#[allow(clippy::disallowed_methods, reason = "a test hands the provider in, as the shell does")]
pub(crate) fn env() -> TlsEnv {
    let env = TlsEnv::new(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    env.clock.set(START);
    env
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn device_name(user: &str, device: &str) -> DeviceName {
    DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse(device).unwrap() }
}

/// The authority of a founded realm.
pub(crate) fn authority(founded: &Founded) -> Authority {
    let realm = Realm::default();
    Authority::new(realm, founded.files(), START).unwrap()
}

/// A member's machine with what it was told.
pub(crate) struct Member {
    machine: Machine,
    /// What the user was told, newest last.
    pub(crate) told: Vec<Event>,
    pub(crate) kept: kept::Kept,
    wire: Option<(ConnId, ConnId)>,
}

impl Member {
    fn new(machine: Machine) -> Self {
        Self { machine, told: Vec::new(), kept: kept::Kept::default(), wire: None }
    }
}

enum Machine {
    Enrolment(Box<Enrolment>),
    Device(Box<Device>),
    Killed,
}

/// The server, its journal, and its members.
pub(crate) struct Town {
    pub(crate) now: Now,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) founded: Founded,
    pub(crate) server: Server,
    /// The journal as it is on the disk.
    pub(crate) journal: Vec<Vec<u8>>,
    /// Appends that the disk has not answered yet; filled while [`Town::hold`] is set.
    pub(crate) held: Vec<(AppendId, Vec<server::Written>)>,
    /// What stands beside the records.
    pub(crate) bodies: BTreeMap<u64, Arc<[u8]>>,
    /// How many of them were read.
    pub(crate) bodies_read: usize,
    pub(crate) hold: bool,
    pub(crate) notes: Vec<Note>,
    /// Which connections the server wanted to be read no more, and again.
    pub(crate) pauses: Vec<server::Output>,
    /// The snapshots that the server wanted to be kept; the test answers.
    pub(crate) snapshots: Vec<(SnapshotId, u64, Vec<u8>)>,
    /// Passwords that are not stretched yet; filled while [`Town::hold_stretches`] is set.
    pub(crate) stretches: Vec<(StretchId, Stretch)>,
    pub(crate) hold_stretches: bool,
    /// Where those come from who connect from now on.
    pub(crate) source: Source,
    /// Connections whose sockets take nothing of what the server writes.
    pub(crate) deaf: BTreeSet<ConnId>,
    answers: BTreeMap<AdminId, Answer>,
    pub(crate) members: Vec<Member>,
    conns: u64,
    admins: u64,
    /// While set, nobody can connect.
    pub(crate) unreachable: bool,
    /// What the server's civil clock reads, where it is not right.
    pub(crate) server_wall: Option<Wall>,
    /// Outputs that were polled and not carried out yet.
    later: Vec<(usize, device::Output)>,
    pub(crate) streets: Streets,
    /// How far the calls of devices go that join from now on. Not at all, unless a test says so.
    pub(crate) reach: Reach,
}

impl Town {
    pub(crate) fn new() -> Self {
        Self::with_founded(found_realm(&Realm::default(), START, &mut rng(1)), Vec::new())
    }

    /// A server that starts over a journal.
    pub(crate) fn with_founded(founded: Founded, journal: Vec<Vec<u8>>) -> Self {
        Self::over(env(), founded, journal)
    }

    /// The same, with a TLS of the server's own.
    pub(crate) fn over(env: TlsEnv, founded: Founded, journal: Vec<Vec<u8>>) -> Self {
        Self::in_life(INCARNATION, env, founded, journal, Duration::ZERO)
    }

    /// The town of [`Town::new`] whose server was restored so much later from what its journal was.
    pub(crate) fn restored(mut journal: Vec<Vec<u8>>, after: Duration) -> Self {
        journal.push(Record::Restored { previous: INCARNATION, at: START.plus(after) }.encode());
        let founded = found_realm(&Realm::default(), START, &mut rng(1));
        Self::in_life(INCARNATION + 1, env(), founded, journal, after)
    }

    fn in_life(incarnation: u64, env: TlsEnv, founded: Founded, journal: Vec<Vec<u8>>, after: Duration) -> Self {
        let mut rng = rng(2);
        let now = Now { mono: Instant(1_000_000).plus(after), wall: START.plus(after) };
        let state = replay(incarnation, journal.iter().map(Vec::as_slice)).unwrap();
        let server = Server::start(env, authority(&founded), state, now, &mut rng).unwrap();
        let server = server.with_password_cost(Cost::LEAST);
        let mut town = Self {
            now,
            rng,
            founded,
            server,
            journal,
            held: Vec::new(),
            bodies: BTreeMap::new(),
            bodies_read: 0,
            hold: false,
            notes: Vec::new(),
            pauses: Vec::new(),
            snapshots: Vec::new(),
            stretches: Vec::new(),
            hold_stretches: false,
            source: Source::default(),
            deaf: BTreeSet::new(),
            answers: BTreeMap::new(),
            members: Vec::new(),
            conns: 0,
            admins: 0,
            unreachable: false,
            server_wall: None,
            later: Vec::new(),
            streets: Streets::default(),
            reach: Reach::tunnel_only(),
        };
        town.settle();
        town
    }

    /// A town whose members have these names, enrolled and attending.
    pub(crate) fn of(names: &[&str]) -> Self {
        Self::of_reaching(names, Reach::tunnel_only())
    }

    /// As [`Town::of`], with calls that go this far for a direct connection.
    pub(crate) fn of_reaching(names: &[&str], reach: Reach) -> Self {
        let mut town = Self { reach, ..Self::new() };
        for name in names {
            let identity = town.enrol(name);
            town.join(identity, true);
        }
        town
    }

    /// The state that the journal on the disk gives.
    pub(crate) fn replayed(&self) -> State {
        replay(self.server.state().position().incarnation, self.journal.iter().map(Vec::as_slice)).unwrap()
    }

    pub(crate) fn operator(&mut self, command: &Operator) -> Answer {
        let id = self.ask(command);
        self.answered(id).unwrap()
    }

    /// Feeds the server one input.
    pub(crate) fn serve(&mut self, input: server::Input<'_>) {
        let now = Now { wall: self.server_wall.unwrap_or(self.now.wall), ..self.now };
        self.server.handle(input, now, &mut self.rng);
    }

    /// Has the operator ask, and goes on until nothing more comes of it.
    pub(crate) fn ask(&mut self, command: &Operator) -> AdminId {
        self.admins += 1;
        let id = AdminId(self.admins);
        self.serve(server::Input::Operator(id, command));
        self.settle();
        id
    }

    /// What the operator was told, if it was by now.
    pub(crate) fn answered(&mut self, id: AdminId) -> Option<Answer> {
        self.answers.remove(&id)
    }

    pub(crate) fn invite(&mut self, user: Option<&str>) -> InviteLink {
        let user = user.map(|user| UserName::parse(user).unwrap());
        match self.operator(&Operator::Invite { user, lifetime: Duration::from_secs(3600) }) {
            Answer::Invite(token, _) => InviteLink {
                endpoint: Endpoint::parse("127.0.0.1:7443").unwrap(),
                realm: Realm::default(),
                root: self.server.root(),
                token,
            },
            other => panic!("no invite: {other:?}"),
        }
    }

    /// Starts an enrolment; its result is there after the next [`Town::settle`].
    pub(crate) fn begin_enrolment(&mut self, link: InviteLink, name: DeviceName, key: SecretKey) -> usize {
        self.start_enrolment(Enrolment::new(env(), link, name, key))
    }

    /// Starts an enrolment that was made elsewhere.
    pub(crate) fn start_enrolment(&mut self, mut machine: Enrolment) -> usize {
        machine.handle(&EnrolInput::Start, self.now);
        self.members.push(Member::new(Machine::Enrolment(Box::new(machine))));
        self.members.len() - 1
    }

    /// A newcomer's machine.
    pub(crate) fn enrolment(&mut self, member: usize) -> &mut Enrolment {
        match &mut self.members[member].machine {
            Machine::Enrolment(machine) => machine,
            Machine::Device(_) | Machine::Killed => panic!("not an enrolment"),
        }
    }

    pub(crate) fn enrolment_result(&self, member: usize) -> Option<EnrolResult> {
        match &self.members[member].machine {
            Machine::Enrolment(machine) => machine.result().cloned(),
            Machine::Device(_) | Machine::Killed => panic!("not an enrolment"),
        }
    }

    /// Enrols `user` with a device called laptop and a key of its own.
    pub(crate) fn enrol(&mut self, user: &str) -> Identity {
        let link = self.invite(Some(user));
        let key = SecretKey::draw(&mut self.rng);
        let member = self.begin_enrolment(link, device_name(user, "laptop"), key);
        self.settle();
        if self.enrolment_result(member).is_none() {
            // So many enrol at one moment that they have to wait for their turn.
            self.wait(KEY_OPERATIONS_SPAN);
        }
        match self.enrolment_result(member) {
            Some(EnrolResult::Enrolled(identity)) => *identity,
            other => panic!("{user} was not enrolled: {other:?}; {:?}", self.notes),
        }
    }

    /// Starts a device.
    pub(crate) fn join(&mut self, identity: Identity, attend: bool) -> usize {
        let member = self.start(Device::new(env(), identity, attend).with_reach(self.reach.clone()));
        self.settle();
        member
    }

    fn start(&mut self, mut machine: Device) -> usize {
        machine.handle(device::Input::Start, self.now, &mut self.rng);
        self.members.push(Member::new(Machine::Device(Box::new(machine))));
        self.members.len() - 1
    }

    /// The last device that was started for a user of this place in the order of starting devices.
    pub(crate) fn command(&mut self, member: usize, command: Command) {
        self.device(member, device::Input::Command(command));
        self.settle();
    }

    /// A device's machine.
    pub(crate) fn machine(&mut self, member: usize) -> &mut Device {
        let Machine::Device(machine) = &mut self.members[member].machine else { panic!("not a device") };
        machine
    }

    /// Feeds a device one input without letting anything else happen.
    pub(crate) fn device(&mut self, member: usize, input: device::Input<'_>) {
        let Machine::Device(machine) = &mut self.members[member].machine else { panic!("not a device") };
        machine.handle(input, self.now, &mut self.rng);
    }

    /// Polls one output of a device and keeps it back from everybody else: whether a wish was denied.
    pub(crate) fn poll_only(&mut self, member: usize) -> Option<bool> {
        match self.poll_member(member)? {
            device::Output::Tell(event) => {
                let denied = matches!(event, Event::Denied(..));
                self.members[member].told.push(event);
                Some(denied)
            }
            output => {
                self.later.push((member, output));
                Some(false)
            }
        }
    }

    /// What a member was told since the last time.
    pub(crate) fn news(&mut self, member: usize) -> Vec<Event> {
        std::mem::take(&mut self.members[member].told)
    }

    /// The members that are devices, in the order in which they joined.
    pub(crate) fn devices(&self) -> Vec<usize> {
        let is_device = |member: &usize| matches!(self.members[*member].machine, Machine::Device(_));
        (0..self.members.len()).filter(is_device).collect()
    }

    /// Cuts a member's connection: both sides see the end.
    pub(crate) fn cut(&mut self, member: usize) {
        if let Some((at_server, at_member)) = self.members[member].wire.take() {
            self.serve(server::Input::Ended(at_server));
            self.tell_member(member, MemberInput::Ended(at_member));
        }
        self.settle();
    }

    /// Lets time pass in steps, so that everything that is due happens.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.mono.plus(time);
        loop {
            let next = self.next_deadline().filter(|at| *at <= end).unwrap_or(end);
            self.go_to(next.max(self.now.mono));
            self.serve(server::Input::Tick);
            for member in 0..self.members.len() {
                self.tell_member(member, MemberInput::Tick);
            }
            self.settle();
            if next >= end {
                return;
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let of_members = self.members.iter().filter_map(|member| match &member.machine {
            Machine::Enrolment(machine) => machine.next_deadline(),
            Machine::Device(machine) => machine.next_deadline().map(|(at, _)| at),
            Machine::Killed => None,
        });
        of_members.chain(self.server.next_deadline().map(|(at, _)| at)).min()
    }

    fn go_to(&mut self, mono: Instant) {
        let wall_micros = mono.0 - 1_000_000;
        self.now = Now { mono, wall: START.plus(Duration::from_micros(wall_micros)) };
    }

    /// The disk answers one append that was held back.
    pub(crate) fn held_answered(&mut self, id: AppendId, records: Vec<server::Written>) {
        self.durable(id, records);
    }

    /// The socket of a deaf connection takes so many bytes, or all, and they get to its member.
    pub(crate) fn take(&mut self, conn: ConnId, bytes_max: usize) {
        let mut bytes = self.server.outbound(conn).to_vec();
        bytes.truncate(bytes_max);
        self.serve(server::Input::Sent(conn, bytes.len()));
        if let Some((member, at_member)) = self.member_at(conn) {
            self.tell_member(member, MemberInput::Received(at_member, &bytes));
        }
        self.settle();
    }

    /// The number of the next connection, for one that is nobody's.
    pub(crate) fn next_conn(&mut self) -> ConnId {
        self.conns += 1;
        ConnId(self.conns)
    }

    /// A member's connection, as the server numbers it.
    pub(crate) fn wire_of(&self, member: usize) -> ConnId {
        self.members[member].wire.unwrap().0
    }

    /// A member's connection, as the member numbers it.
    pub(crate) fn conn_of(&self, member: usize) -> ConnId {
        self.members[member].wire.unwrap().1
    }

    /// A member's connection goes dead: nobody sees an end.
    pub(crate) fn lose_wire(&mut self, member: usize) {
        self.members[member].wire = None;
    }

    /// The disk answers what was held back.
    pub(crate) fn release(&mut self) {
        self.hold = false;
        for (id, records) in std::mem::take(&mut self.held) {
            self.durable(id, records);
        }
        self.settle();
    }

    /// Moves bytes and outputs until nobody has anything to do.
    pub(crate) fn settle(&mut self) {
        for (member, output) in std::mem::take(&mut self.later) {
            self.carry_out_member(member, output);
        }
        loop {
            let mut busy = false;
            while let Some(output) = self.server.poll_output() {
                busy = true;
                self.carry_out_server(output);
            }
            for member in 0..self.members.len() {
                while let Some(output) = self.poll_member(member) {
                    busy = true;
                    self.carry_out_member(member, output);
                }
            }
            if !busy {
                return;
            }
        }
    }

    fn poll_member(&mut self, member: usize) -> Option<device::Output> {
        match &mut self.members[member].machine {
            Machine::Enrolment(machine) => machine.poll_output(),
            Machine::Device(machine) => machine.poll_output(),
            Machine::Killed => None,
        }
    }

    fn tell_member(&mut self, member: usize, input: MemberInput<'_>) {
        let (now, rng) = (self.now, &mut self.rng);
        match &mut self.members[member].machine {
            Machine::Enrolment(machine) => machine.handle(&input.enrol(), now),
            Machine::Device(machine) => machine.handle(input.device(), now, rng),
            Machine::Killed => {}
        }
    }

    fn member_at(&self, at_server: ConnId) -> Option<(usize, ConnId)> {
        let wires = self.members.iter().enumerate();
        wires
            .filter_map(|(member, known)| known.wire.map(|wire| (member, wire)))
            .find_map(|(member, wire)| (wire.0 == at_server).then_some((member, wire.1)))
    }

    fn server_at(&self, member: usize, at_member: ConnId) -> Option<ConnId> {
        self.members[member].wire.filter(|wire| wire.1 == at_member).map(|wire| wire.0)
    }

    /// The reasons of the closings that the server's log has, oldest first.
    pub(crate) fn closings(&self) -> Vec<CloseReason> {
        let reason = |note: &Note| if let Note::Closed(_, _, reason) = note { Some(*reason) } else { None };
        self.notes.iter().filter_map(reason).collect()
    }
}
