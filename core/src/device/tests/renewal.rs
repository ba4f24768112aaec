//! A relay that gives a device what is no certificate of its own, or unasked.

use super::faulty_relay::{Admitted, NOW};
use super::*;
use crate::device::{Input, NotRenewed};
use crate::fault::Fault;
use crate::id::{AskId, DeviceName, Serial};
use crate::invite::TokenHash;
use crate::pki::{Grant, Granted, SecretKey, Spki, found_realm};
use crate::testing::{START, authority, rng};
use crate::tls::CertRefusal;
use crate::wire::relay::RelayEvent;
use crate::wire::{Extensions, Frame};

/// A certificate of the realm's own CA, sent as the answer to the device's first wish; what the device told of it.
fn answered(name: DeviceName, key: impl FnOnce(&Admitted) -> Spki, wished: bool) -> Vec<Event> {
    let mut admitted = Admitted::new();
    let authority = authority(&found_realm(&crate::id::Realm::default(), START, &mut rng(1)));
    let validity = authority.renewal(START.plus(Duration::from_secs(60)));
    let grant = Grant {
        token: TokenHash([1; 32]),
        name,
        key: key(&admitted),
        serial: Serial::draw(&mut rng(7)),
        not_before: validity.not_before,
        not_after: validity.not_after,
        at: START,
    };
    let issued = authority.issue(&Granted::by_journal(grant)).unwrap();
    if wished {
        admitted.device.handle(Input::Command(Command::Renew), NOW, &mut rng(4));
        admitted.move_up();
    }
    let answer = RelayEvent::Renewed {
        ask: AskId((1 << 62) + 1),
        leaf: issued.der().to_vec().into(),
        issuing: authority.issuing().to_vec().into(),
        extensions: Extensions::default(),
    };
    admitted.relay.send(&Frame::message(&answer)).unwrap();
    admitted.move_down();
    admitted.told.split_off(1)
}

fn own_key(admitted: &Admitted) -> Spki {
    admitted.device.identity.credentials.key.spki().clone()
}

#[test]
fn a_renewed_certificate_is_judged_as_a_strangers() {
    let alice = || device_name("alice", "laptop");
    let others = |_: &Admitted| SecretKey::draw(&mut rng(99)).spki();
    for (told, refusal) in [
        (answered(device_name("bob", "laptop"), own_key, true), CertRefusal::OtherName),
        (answered(alice(), others, true), CertRefusal::WrongKey),
        (answered(alice(), own_key, true), CertRefusal::NotLogged),
    ] {
        assert!(told.contains(&Event::NotRenewed(NotRenewed::BadCertificate(refusal))), "{told:?}");
        let left = CloseReason::Fault(Fault::Certificate(refusal));
        assert!(told.iter().any(|event| matches!(event, Event::Offline(reason, _) if *reason == left)), "{told:?}");
        assert!(!told.iter().any(|event| matches!(event, Event::Renewed(_))), "{told:?}");
    }
}

#[test]
fn what_nobody_asked_for_is_a_breach() {
    let told = answered(device_name("alice", "laptop"), own_key, false);
    let left = CloseReason::Fault(Fault::Unexpected);
    assert!(matches!(told.as_slice(), [Event::Offline(reason, _)] if *reason == left), "{told:?}");
}
