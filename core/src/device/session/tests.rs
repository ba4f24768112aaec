//! What makes a device that never got in dial again, and what makes it stop.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use super::*;
use crate::device::{Device, Event, Input};
use crate::testing::{Town, env, rng};

/// The alert `certificate_revoked` (RFC 8446 §6.2).
const REVOKED: u8 = 44;

#[test]
fn an_alert_in_the_clear_does_not_end_a_device_that_was_never_admitted() {
    let mut town = Town::new();
    let (identity, now, rng) = (town.enrol("alice"), town.now, &mut rng(5));
    let mut device = Device::new(env(), identity, true);
    device.handle(Input::Start, now, rng);
    let Some(Output::Dial(conn)) = device.poll_output() else { panic!("it dials") };
    device.handle(Input::Connected(conn), now, rng);
    device.handle(Input::Received(conn, &[21, 3, 3, 0, 2, 2, REVOKED]), now, rng);
    let told: Vec<Output> =
        std::iter::from_fn(|| device.poll_output()).filter(|output| matches!(output, Output::Tell(_))).collect();
    let [Output::Tell(Event::Offline(CloseReason::Alert(REVOKED), _))] = told[..] else { panic!("{told:?}") };
    assert!(matches!(device.next_deadline(), Some((_, Wake::Linger | Wake::Redial))));
}

#[test]
fn a_refusal_of_our_certificate_is_final_only_when_it_is_the_relays_word() {
    let refused = CloseReason::Alert(REVOKED);
    assert!(useless(refused, true, false, false), "after the handshake");
    assert!(!useless(refused, false, false, false), "in the clear");
    assert!(!useless(refused, true, true, false), "it was good enough before");
    assert!(!useless(CloseReason::Alert(20), true, false, false), "that is no refusal of a certificate");
    assert!(useless(CloseReason::Theirs(Code::UNKNOWN_DEVICE), true, true, false));
}
