//! A device against a relay with a genuine certificate that breaks the protocol.

use std::sync::Arc;

use super::*;
use crate::device::{Device, Input, LogRefusal, Output};
use crate::fault::Fault;
use crate::id::{AskId, ConnId, Position, TunnelId};
use crate::link::Link;
use crate::pki::SecretKey;
use crate::testing::log::certified;
use crate::testing::{START, authority, env, rng};
use crate::time::{Instant, Now};
use crate::tlog::{Leaf, Tree};
use crate::tls::{Credentials, Doors};
use crate::wire::log::LogProof;
use crate::wire::relay::{RelayEvent, Welcome};
use crate::wire::{Extensions, Frame};

pub(super) const NOW: Now = Now { mono: Instant(1_000_000), wall: START };

/// A device that such a relay has admitted, and the relay's end.
pub(super) struct Admitted {
    pub(super) device: Device,
    conn: ConnId,
    pub(super) relay: Link,
    pub(super) told: Vec<Event>,
}

impl Admitted {
    pub(super) fn new() -> Self {
        let mut town = Town::new();
        let identity = town.enrol("alice");
        let authority = authority(&town.founded);
        let key = SecretKey::draw(&mut rng(2));
        let leaf = authority.issue_relay(&key, START, &mut rng(3)).unwrap();
        let credentials = Credentials { leaf: leaf.into(), issuing: authority.issuing().clone(), key: key.into() };
        let doors = Arc::new(Doors::of_relay(&env(), &credentials, authority.trust()));
        let (name, lists) = (identity.name.clone(), identity.lists.kept());
        let mut device = Device::new(env(), identity, false);
        device.handle(Input::Start, NOW, &mut rng(4));
        let Some(Output::Dial(conn)) = device.poll_output() else { panic!("it does not dial") };
        device.handle(Input::Connected(conn), NOW, &mut rng(4));
        let mut admitted = Self { device, conn, relay: Link::accept(doors), told: Vec::new() };
        for _ in 0..3 {
            admitted.move_up();
            admitted.move_down();
        }
        let position = Position { incarnation: 7, n: 1 };
        let extensions = Extensions(vec![lists.extension()]);
        let welcome = Welcome { device: name, position, time: START, extensions };
        admitted.relay.send(&Frame::message(&RelayEvent::Welcome(welcome))).unwrap();
        admitted.move_down();
        assert!(matches!(admitted.told.as_slice(), [Event::Online(_)]), "{:?}", admitted.told);
        admitted
    }

    pub(super) fn move_up(&mut self) {
        while let Some(output) = self.device.poll_output() {
            if let Output::Tell(event) = output {
                self.told.push(event);
            }
        }
        let bytes = self.device.outbound(self.conn).to_vec();
        self.device.handle(Input::Sent(self.conn, bytes.len()), NOW, &mut rng(4));
        self.relay.received(&bytes, &mut Vec::new());
    }

    pub(super) fn move_down(&mut self) {
        self.relay.flush();
        let bytes = self.relay.outbound().to_vec();
        self.relay.sent(bytes.len());
        self.device.handle(Input::Received(self.conn, &bytes), NOW, &mut rng(4));
        self.move_up();
    }
}

/// A review's find: the loss was told twice, or dialling went on after it was given up.
#[test]
fn a_connection_is_lost_once_whatever_its_last_bite_holds() {
    for code in [Code::FINISHED, Code::REPLACED] {
        let mut admitted = Admitted::new();
        admitted.relay.send(&Frame::message(&250_u8)).unwrap();
        admitted.relay.part(code, 0);
        admitted.move_down();
        let fault = CloseReason::Fault(crate::fault::Fault::Malformed);
        let told = admitted.told.split_off(1);
        assert!(matches!(told.as_slice(), [Event::Offline(reason, _)] if *reason == fault), "{told:?}");
    }
}

#[test]
fn nobody_is_met_whom_the_relay_does_not_prove() {
    let from = crate::testing::device_name("bob", "laptop");
    let introduced = RelayEvent::Introduced { tunnel: TunnelId(1), from, extensions: Extensions::default() };
    let mut admitted = Admitted::new();
    admitted.relay.send(&Frame::message(&introduced)).unwrap();
    admitted.move_down();
    let told = admitted.told.split_off(1);
    let log = CloseReason::Fault(Fault::Log);
    assert!(
        matches!(told.as_slice(), [Event::LogRefused(LogRefusal::Unproven), Event::Offline(reason, _)] if *reason == log),
        "{told:?}"
    );

    let mut admitted = Admitted::new();
    admitted.device.handle(Input::Command(Command::Call(CallId(1), user("bob"), NO_PATIENCE)), NOW, &mut rng(4));
    admitted.move_up();
    let device = crate::testing::device_name("bob", "laptop");
    admitted.relay.send(&Frame::message(&RelayEvent::Ringing { ask: AskId(1), tunnel: TunnelId(1), device })).unwrap();
    admitted.move_down();
    assert!(admitted.told.contains(&Event::LogRefused(LogRefusal::Unproven)), "{:?}", admitted.told);
    assert!(admitted.told.iter().any(|event| matches!(event, Event::Offline(reason, _) if *reason == log)));
}

#[test]
fn a_proof_under_no_head_is_none() {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|user| town.enrol(user));
    let leaf = Leaf::DeviceCertificate(certified(&bob));
    let tree: Tree = [leaf.leaf_hash()].into_iter().collect();
    let proof = LogProof { leaf: leaf.encode().into(), inclusion: tree.inclusion(0, 1).unwrap() };
    let mut admitted = Admitted::new();
    admitted.relay.send(&Frame::message(&RelayEvent::Proof { device: bob.name, proof })).unwrap();
    admitted.move_down();
    let refused = |event: &Event| matches!(event, Event::LogRefused(LogRefusal::Proof(_)));
    assert!(admitted.told.iter().any(refused), "{:?}", admitted.told);
    assert!(alice.log.seen() > 1, "and there is a log that it could have been in");
}

/// Found by the simulator (seed 12, a clock that had stepped back): the same breath was refused three times.
#[test]
fn what_comes_after_a_breach_in_the_same_bite_counts_for_nothing() {
    let from = || crate::testing::device_name("bob", "laptop");
    let introduced =
        |n| RelayEvent::Introduced { tunnel: TunnelId(n), from: from(), extensions: Extensions::default() };
    let mut admitted = Admitted::new();
    for n in 1..=3 {
        admitted.relay.send(&Frame::message(&introduced(n))).unwrap();
    }
    admitted.relay.send(&Frame::message(&RelayEvent::Presence { device: from(), online: true })).unwrap();
    admitted.move_down();
    let told = admitted.told.split_off(1);
    assert!(matches!(told.as_slice(), [Event::LogRefused(_), Event::Offline(..)]), "{told:?}");
}
