//! A call that rings at several devices, against a relay that says what it likes.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use super::*;
use crate::device::calls::{CallDenied, CallEnd};
use crate::device::{Acquaintances, Identity, Met};
use crate::fault::CloseReason;
use crate::id::{CallId, ConnId, KeyId, Realm};
use crate::peer::Reach;
use crate::pki::SecretKey;
use crate::testing::log::certified;
use crate::testing::{START, Town, device_name, env, rng};
use crate::time::Instant;
use crate::tlog::{Founder, Leaf, LogSigner, NoteName, Tree, View};
use crate::tls::CertRefusal;

const NOW: Now = Now { mono: Instant(1_000_000), wall: START };
const CALL: CallId = CallId(1);

/// Alice's calls, and what a log that has one entry says of anybody.
struct Alice {
    calls: Calls,
    own: Identity,
}

impl Alice {
    /// She calls bob, and the relay was asked.
    fn calling() -> Self {
        let own = Town::new().enrol("alice");
        let mut calls = Calls::new(env(), own.clone());
        calls.online(NOW);
        calls.call(CALL, device_name("bob", "laptop").user, Duration::ZERO, NOW);
        let asked = calls.poll_request();
        assert!(matches!(asked, Some(RelayRequest::Introduce { ask: AskId(1), .. })), "{asked:?}");
        Self { calls, own }
    }

    fn expected(&self, device: &DeviceName) -> Expected {
        let mut certified = certified(&self.own);
        certified.name = device.clone();
        let founder = Founder { key: certified.key, reissued: None };
        let leaf = Leaf::DeviceCertificate(certified);
        let tree: Tree = [leaf.leaf_hash()].into_iter().collect();
        let signer = LogSigner::new(NoteName::of_log(&Realm::default(), 1), SecretKey::draw(&mut rng(77)));
        let view = View::begin(signer.sign(tree.head()));
        Expected::new(view.believe(&leaf, &tree.inclusion(0, 1).unwrap()).unwrap(), founder).unwrap()
    }

    fn rings(&mut self, n: u64, user: &str, device: &str) -> Result<(), Fault> {
        let device = device_name(user, device);
        let expected = self.expected(&device);
        self.calls.ringing(AskId(1), TunnelId(n), device, Some(expected), NOW)
    }

    /// The call rings at these devices of bob's, the first of which has the number 1.
    fn ringing(devices: &[&str]) -> Self {
        let mut alice = Self::calling();
        for (n, device) in (1..).zip(devices) {
            assert_eq!(alice.rings(n, "bob", device), Ok(()));
        }
        let ringing = devices.iter().map(|device| CallEvent::Ringing(device_name("bob", device)));
        assert_eq!(alice.told(), ringing.collect::<Vec<_>>());
        alice
    }

    fn told(&mut self) -> Vec<CallEvent> {
        let told = |(id, event): (CallId, Result<CallEvent, CallDenied>)| {
            assert_eq!(id, CALL);
            event.unwrap()
        };
        std::iter::from_fn(|| self.calls.poll_event()).map(told).collect()
    }

    fn asked(&mut self) -> Vec<RelayRequest> {
        std::iter::from_fn(|| self.calls.poll_request()).collect()
    }
}

fn over(code: Code) -> Vec<CallEvent> {
    vec![CallEvent::Ended(CallEnd::Refused(code))]
}

#[test]
fn a_call_ends_with_its_last_branch_and_by_the_most_telling_end_of_all() {
    let order = [Code::GONE, Code::HUNG_UP, Code::NO_ANSWER, Code::IN_A_CALL, Code::DECLINED, Code::CHANGED];
    for (place, more) in order.iter().enumerate() {
        for less in order.iter().take(place) {
            for ends in [[*more, *less], [*less, *more]] {
                let mut alice = Alice::ringing(&["laptop", "phone"]);
                alice.calls.ended(TunnelId(2), ends[0], NOW);
                assert_eq!(alice.told(), [], "the laptop still rings");
                alice.calls.ended(TunnelId(2), Code::DECLINED, NOW);
                assert_eq!(alice.told(), [], "a branch that is over says nothing more");
                alice.calls.ended(TunnelId(1), ends[1], NOW);
                assert_eq!(alice.told(), over(*more), "{ends:?}");
                assert!(alice.calls.is_empty());
            }
        }
    }
}

#[test]
fn a_device_of_somebody_else_than_we_have_met_is_left_and_the_others_go_on_ringing() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    let before = Met { founder: Founder { key: KeyId([7; 32]), reissued: None }, since: START };
    let mut met = Acquaintances::default();
    assert!(met.meet(&device_name("bob", "laptop").user, before));
    alice.calls.set_acquaintances(met);
    assert_eq!(alice.rings(3, "bob", "tablet"), Ok(()));
    assert_eq!(alice.told(), [CallEvent::Changed(device_name("bob", "tablet"), before)]);
    assert_eq!(alice.asked(), [RelayRequest::HangUp { tunnel: TunnelId(3), code: Code::CHANGED }]);
    assert_eq!(alice.calls.accepted(TunnelId(3), NOW), Ok(()), "it crossed, and nobody is met there");
    alice.calls.ended(TunnelId(1), Code::DECLINED, NOW);
    assert_eq!(alice.told(), [], "the phone still rings");
    alice.calls.ended(TunnelId(2), Code::GONE, NOW);
    assert_eq!(alice.told(), over(Code::CHANGED));
}

#[test]
fn of_two_ends_that_tell_as_much_the_first_is_told() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    for (n, code) in [(1, Code::HUNG_UP), (2, Code::FINISHED)] {
        alice.calls.ended(TunnelId(n), code, NOW);
    }
    assert_eq!(alice.told(), over(Code::HUNG_UP));
}

#[test]
fn hanging_up_ends_every_branch_and_those_that_come_later() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    alice.calls.hang_up(CALL, Code::HUNG_UP, NOW);
    let hang_up = |n| RelayRequest::HangUp { tunnel: TunnelId(n), code: Code::HUNG_UP };
    assert_eq!(alice.asked(), [hang_up(1), hang_up(2)]);
    assert_eq!(alice.told(), over(Code::HUNG_UP));
    assert_eq!(alice.rings(3, "bob", "tablet"), Ok(()), "the two crossed on the way");
    assert_eq!(alice.asked(), [hang_up(3)]);
    assert_eq!(alice.told(), []);
}

#[test]
fn a_call_that_nobody_ends_is_given_up_at_every_branch() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    let late = Now { mono: NOW.mono.plus(RING_TIME_MAX * 2), ..NOW };
    alice.calls.tick(late);
    let hang_up = |n| RelayRequest::HangUp { tunnel: TunnelId(n), code: Code::NO_ANSWER };
    assert_eq!(alice.asked(), [hang_up(1), hang_up(2)]);
    assert_eq!(alice.told(), over(Code::NO_ANSWER));
}

#[test]
fn the_device_that_takes_a_call_is_the_one_that_has_to_prove_itself() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    alice.calls.accepted(TunnelId(2), NOW).unwrap();
    alice.calls.ended(TunnelId(1), Code::ELSEWHERE, NOW);
    assert_eq!(alice.told(), [], "the call goes on with the phone");
    let mut hello = Vec::new();
    alice.calls.seal(NOW);
    for request in alice.asked() {
        let RelayRequest::Forward { tunnel: TunnelId(2), bytes } = request else { panic!("{request:?}") };
        hello.extend(bytes.into_vec());
    }
    // The laptop answers in the phone's place. All towns have one root.
    let laptop = Town::new().enrol("bob");
    let (from, reach) = (alice.expected(&alice.own.name), Reach::tunnel_only());
    let mut other = Peer::called(&env(), &laptop.credentials, &laptop.trust, from, reach, ConnId(1 << 32));
    other.received(&hello, NOW);
    while let Some(bytes) = other.poll_forward() {
        alice.calls.forwarded(TunnelId(2), &bytes, NOW);
    }
    let refused = CloseReason::Fault(Fault::Certificate(CertRefusal::OtherName));
    assert_eq!(alice.told(), [CallEvent::Ended(CallEnd::Closed(refused))]);
}

#[test]
fn what_a_relay_says_of_a_branch_that_is_over_or_after_one_was_taken_is_passed_over() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    alice.calls.ended(TunnelId(1), Code::GONE, NOW);
    assert_eq!(alice.calls.accepted(TunnelId(1), NOW), Ok(()), "it may have crossed our own hanging up");
    assert_eq!((alice.told(), alice.asked()), (Vec::new(), Vec::new()), "and nothing comes of it");

    alice.calls.accepted(TunnelId(2), NOW).unwrap();
    alice.calls.seal(NOW);
    alice.asked();
    assert_eq!(alice.rings(3, "bob", "tablet"), Ok(()));
    assert_eq!(alice.asked(), [RelayRequest::HangUp { tunnel: TunnelId(3), code: Code::HUNG_UP }]);
    assert_eq!(alice.calls.accepted(TunnelId(3), NOW), Ok(()));
    alice.calls.refused(AskId(1), Code::OFFLINE, NOW);
    assert_eq!(alice.told(), [], "the call goes on");
    assert_eq!(alice.calls.accepted(TunnelId(2), NOW), Err(Fault::Unexpected), "it was taken");
}

#[test]
fn an_answer_to_an_ask_that_rings_is_passed_over() {
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    alice.calls.refused(AskId(1), Code::NO_SUCH_USER, NOW);
    assert_eq!(alice.told(), []);
}

#[test]
fn a_relay_that_rings_where_it_was_not_asked_to_breaks_the_protocol() {
    let mut alice = Alice::ringing(&["laptop"]);
    assert_eq!(alice.rings(2, "carol", "laptop"), Err(Fault::Unexpected), "somebody else, as a second branch");
    let mut alice = Alice::ringing(&["laptop"]);
    assert_eq!(alice.rings(2, "bob", "laptop"), Err(Fault::Unexpected), "a device twice");
    let mut alice = Alice::ringing(&["laptop"]);
    assert_eq!(alice.rings(1, "bob", "phone"), Err(Fault::Unexpected), "a number twice");
    let mut alice = Alice::ringing(&["laptop", "phone"]);
    alice.calls.ended(TunnelId(1), Code::GONE, NOW);
    assert_eq!(alice.rings(3, "bob", "laptop"), Err(Fault::Unexpected), "a device again that is gone");
    let mut alice = Alice::ringing(&["laptop"]);
    let unproved = alice.calls.ringing(AskId(1), TunnelId(2), device_name("bob", "phone"), None, NOW);
    assert_eq!(unproved, Err(Fault::Log), "a second branch that is not proved");
}

#[test]
fn a_call_rings_at_no_more_devices_than_a_person_can_have() {
    let names: Vec<String> = (0..BRANCHES_MAX).map(|n| format!("d{n}")).collect();
    let mut alice = Alice::ringing(&names.iter().map(String::as_str).collect::<Vec<_>>());
    // Nor one after the other.
    alice.calls.ended(TunnelId(1), Code::GONE, NOW);
    assert_eq!(alice.rings(100, "bob", "one-more"), Err(Fault::Unexpected));
}
