//! A relay and two newcomers in one room, without delay; only the disk waits until it is told.

use std::time::Duration;

use countersign_core::device;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::id::{AdminId, ConnId, DeviceLabel, DeviceName, KeyId, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::operator::{Answer, Command};
use countersign_core::server::{Input, Output, Source};
use sim::actors::operator::Operator;
use sim::node::device::{DeviceNode, Nudge};
use sim::node::relay::RelayNode;
use sim::rng::Streams;

/// The one connection of an enrolment, as its device numbers it.
const LOCAL: ConnId = ConnId(1);

/// A valid name of a laptop's.
pub(crate) fn name(user: &str) -> DeviceName {
    let user = UserName::parse(user).expect("a valid name");
    DeviceName { user, device: DeviceLabel::parse("laptop").expect("a valid label") }
}

/// Everybody in the room.
pub(crate) struct Hall {
    /// The relay, with its disk.
    pub(crate) relay: RelayNode,
    /// What time it is; none passes by itself.
    pub(crate) now_us: u64,
    newcomers: [DeviceNode; 2],
    answers: Vec<Answer>,
    on_their_way: usize,
}

impl Hall {
    /// A realm with nobody in it.
    pub(crate) fn new(seed: u64) -> Self {
        let streams = Streams::new(seed);
        let newcomers = [0, 1].map(|number| DeviceNode::new(streams, number, 0));
        let mut relay = RelayNode::new(streams, 0, 1);
        relay.start(0);
        let mut hall = Self { relay, now_us: 0, newcomers, answers: Vec::new(), on_their_way: 0 };
        hall.settle();
        hall.commit_all();
        hall
    }

    /// An invite that anybody may use.
    pub(crate) fn invite(&mut self) -> InviteLink {
        let command = Command::Invite { user: None, lifetime: Duration::from_secs(60) };
        self.relay.handle(Input::Operator(AdminId(1), &command), self.now_us);
        self.settle();
        self.commit_all();
        let answer = self.answers.pop().expect("the operator was answered");
        Operator::link(&answer, self.relay.realm(), self.relay.root()).expect("the answer is an invite")
    }

    /// A newcomer asks for a certificate, as far as that comes without the disk.
    pub(crate) fn enrol(&mut self, newcomer: usize, invite: InviteLink, name: &DeviceName) {
        let now_us = self.now_us;
        self.newcomer(newcomer).enrol(invite, name.clone(), now_us);
        self.settle();
    }

    /// What a newcomer's enrolment came to.
    pub(crate) fn result(&self, newcomer: usize) -> EnrolResult {
        self.newcomers.get(newcomer).and_then(DeviceNode::enrol_result).expect("the enrolment is over")
    }

    /// A newcomer's key.
    pub(crate) fn key(&self, newcomer: usize) -> Option<KeyId> {
        self.newcomers.get(newcomer)?.store.key.as_ref().map(|key| key.spki().id())
    }

    /// How many appends the disk holds back.
    pub(crate) fn on_their_way(&self) -> usize {
        self.on_their_way
    }

    /// The disk takes what it held back, and what that leads to.
    pub(crate) fn commit_all(&mut self) {
        while let Some(committed) = self.relay.disk.commit() {
            self.on_their_way -= 1;
            self.relay.handle(Input::Appended(committed.append, committed.first), self.now_us);
            self.settle();
        }
    }

    fn newcomer(&mut self, newcomer: usize) -> &mut DeviceNode {
        self.newcomers.get_mut(newcomer).expect("there are two")
    }

    fn settle(&mut self) {
        let mut busy = true;
        while busy {
            busy = false;
            while let Some(output) = self.relay.poll_output() {
                busy = true;
                self.carry_out_relay(output);
            }
            for newcomer in 0..2 {
                while let Some(output) = self.newcomer(newcomer).poll_output() {
                    busy = true;
                    self.carry_out_newcomer(newcomer, &output);
                }
            }
        }
    }

    fn carry_out_relay(&mut self, output: Output) {
        let now_us = self.now_us;
        match output {
            Output::Append(append, records) => {
                self.relay.disk.append(append, records, now_us);
                self.on_their_way += 1;
            }
            Output::Write(conn) => {
                let bytes = self.relay.outbound(conn).to_vec();
                self.relay.handle(Input::Sent(conn, bytes.len()), now_us);
                self.newcomer(whose(conn)).handle(Nudge::Received(LOCAL, &bytes), now_us);
            }
            Output::Shut(conn) | Output::Drop(conn) => {
                self.newcomer(whose(conn)).handle(Nudge::Ended(LOCAL), now_us);
            }
            Output::Answer(_, answer) => self.answers.push(answer),
            Output::Note(_) | Output::DropBodies(_) | Output::KeepBodies(_) => {}
            Output::Pause(_) | Output::Resume(_) => panic!("nobody is slow here"),
            Output::Snapshot(..) => panic!("nobody asked for snapshots"),
            Output::Stretch(..) => panic!("nobody comes by a password"),
            Output::LoadBody(..) => panic!("nobody converses here"),
            Output::Load(..) => panic!("nothing is asked for twice here"),
        }
    }

    fn carry_out_newcomer(&mut self, newcomer: usize, output: &device::Output) {
        let (now_us, conn) = (self.now_us, ConnId(u64::try_from(newcomer).expect("two") + 1));
        match output {
            device::Output::Dial(_) => {
                self.relay.handle(Input::Opened(conn, Source::default()), now_us);
                self.newcomer(newcomer).handle(Nudge::Connected(LOCAL), now_us);
            }
            device::Output::Write(_) => {
                let bytes = self.newcomer(newcomer).outbound(LOCAL).to_vec();
                self.newcomer(newcomer).handle(Nudge::Sent(LOCAL, bytes.len()), now_us);
                self.relay.handle(Input::Received(conn, &bytes), now_us);
            }
            device::Output::Shut(_) | device::Output::Drop(_) => self.relay.handle(Input::Ended(conn), now_us),
            device::Output::DialPeer(..)
            | device::Output::FindAddresses(_)
            | device::Output::Listen(..)
            | device::Output::Unlisten(_)
            | device::Output::Keep(..)
            | device::Output::Tell(_) => panic!("an enrolment tells nothing and knows no peers"),
        }
    }
}

/// The newcomer of a connection.
fn whose(conn: ConnId) -> usize {
    usize::try_from(conn.0 - 1).expect("two")
}
