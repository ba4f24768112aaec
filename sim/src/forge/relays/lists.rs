//! What a relay with genuine credentials may not show as revocation lists, to a newcomer and to a device.

use std::collections::BTreeSet;

use countersign_core::fault::Fault;
use countersign_core::id::Serial;
use countersign_core::pki::crl::ListFacts;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::enrol::EnrolEvent;
use countersign_core::wire::revocation::SignedLists;
use countersign_core::wire::{Channel, Extensions, Frame};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use rustls::pki_types::CertificateDer;

use super::{
    Stage, device_of_alice, device_verdict, lying_relay, mint, misissued, newcomer, newcomer_verdict, welcome,
};
use crate::forge::mint::issuer_of;
use crate::forge::villain::Heard;
use crate::forge::{Act, Door, Forgery, Played, Reason, Verdict};

/// The genuine lists, with one thing changed.
type Lie = fn(&mut Stage, &mut SignedLists);

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let at = |door, name, what, checks, fault: Fault, play| Forgery {
        name,
        what,
        checks,
        tries: vec![(door, Verdict { reason: Reason::Fault(fault), heard: Heard::Goodbye(fault.code()) })],
        act: Act::Plays(play),
    };
    let revoked = Fault::Certificate(CertRefusal::Revoked);
    vec![
        at(Door::Device, "list-missing", "a relay that shows no list", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |_, lists| lists.0.clear())
        }),
        at(Door::Newcomer, "list-left-out", "the same to a newcomer", &["V-15"], Fault::Malformed, |stage| {
            told_newcomer(stage, |_, lists| lists.0.clear())
        }),
        at(Door::Device, "list-foreign", "the list of another realm's CA", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |stage, lists| of_another(stage, lists, true))
        }),
        at(Door::Newcomer, "list-foreign-new", "the same to a newcomer", &["V-15"], Fault::Lists, |stage| {
            told_newcomer(stage, |stage, lists| of_another(stage, lists, true))
        }),
        at(Door::Device, "list-other-issuer", "another CA's list under ours", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |stage, lists| of_another(stage, lists, false))
        }),
        at(Door::Device, "list-signature", "a list with one bit changed", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |_, lists| {
                change(lists, |list| list.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1));
            })
        }),
        at(Door::Device, "list-trailing", "a list with a byte after it", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |_, lists| change(lists, |list| list.push(0)))
        }),
        at(Door::Device, "list-cut", "a list without its last byte", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |_, lists| change(lists, |list| list.truncate(list.len() - 1)))
        }),
        at(Door::Device, "list-older", "a list by the genuine CA from before", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |stage, lists| signed(stage, lists, |facts, _| facts.number -= 1))
        }),
        at(Door::Device, "list-another", "another list of the same number", &["V-15"], Fault::Lists, |stage| {
            told_device(stage, |stage, lists| {
                signed(stage, lists, |_, serials| serials.push(Serial([0x41; 16])));
            })
        }),
        at(Door::Device, "revoked-relay", "a relay whose own certificate is listed", &["V-13"], revoked, |stage| {
            let shown = misissued(&mut mint(stage), |params| {
                params.serial_number = Some(SerialNumber::from_slice(&[0x42; 16]));
            });
            let villain = stage.lie_in_wait(&[Channel::Relay.alpn()], shown);
            let device = device_of_alice(stage, villain);
            let mut lists = stage.lists();
            signed(stage, &mut lists, |facts, serials| {
                facts.number += 1;
                serials.push(Serial([0x42; 16]));
            });
            welcome(stage, villain, Extensions(vec![lists.extension()]));
            device_verdict(stage, villain, device)
        }),
    ]
}

/// Alice's device is welcomed with lists that `lie` was at.
fn told_device(stage: &mut Stage, lie: Lie) -> Played {
    let villain = lying_relay(stage);
    let device = device_of_alice(stage, villain);
    let mut lists = stage.lists();
    lie(stage, &mut lists);
    welcome(stage, villain, Extensions(vec![lists.extension()]));
    device_verdict(stage, villain, device)
}

/// A newcomer is.
fn told_newcomer(stage: &mut Stage, lie: Lie) -> Played {
    let mut shown = misissued(&mut mint(stage), |_| ());
    shown.chain.push(CertificateDer::from(stage.founded.root.clone()));
    let (villain, newcomer) = newcomer(stage, shown);
    let mut lists = stage.lists();
    lie(stage, &mut lists);
    let (time, extensions) = (stage.now.wall, Extensions(vec![lists.extension()]));
    stage.say(villain, &Frame::message(&EnrolEvent::Welcome { time, extensions }));
    newcomer_verdict(stage, villain, newcomer)
}

fn change(lists: &mut SignedLists, how: impl Fn(&mut Vec<u8>)) {
    for list in &mut lists.0 {
        how(&mut list.list);
    }
}

/// The lists of a realm of the same name, with its CA's certificate or with ours.
fn of_another(stage: &mut Stage, lists: &mut SignedLists, with_its_ca: bool) {
    let foreign = mint(stage).another_realm(&countersign_core::id::Realm::default());
    for list in &mut lists.0 {
        let facts = ListFacts::read(&list.list).map(|facts| ListFacts { number: facts.number + 1, ..facts });
        let Some(mut facts) = facts else { continue };
        facts.issuer = countersign_core::pki::facts::own_id(&foreign.issuing).unwrap_or(facts.issuer);
        list.list = sign(&facts, &[], &issuer_of(&foreign)).into();
        if with_its_ca {
            list.issuing = foreign.issuing.clone().into();
        }
    }
}

/// Lists that the genuine CA has signed, with other values.
fn signed(stage: &mut Stage, lists: &mut SignedLists, with: impl Fn(&mut ListFacts, &mut Vec<Serial>)) {
    let issuer = issuer_of(&stage.founded);
    for list in &mut lists.0 {
        let Some(mut facts) = ListFacts::read(&list.list) else { continue };
        let mut serials = Vec::new();
        with(&mut facts, &mut serials);
        list.list = sign(&facts, &serials, &issuer).into();
    }
}

fn sign(facts: &ListFacts, serials: &[Serial], issuer: &rcgen::Issuer<'_, impl rcgen::SigningKey>) -> Vec<u8> {
    let serials: BTreeSet<Serial> = serials.iter().copied().collect();
    let date = |wall: countersign_core::time::Wall| {
        let second = i64::try_from(wall.0).unwrap_or(i64::MAX);
        time::OffsetDateTime::from_unix_timestamp(second).expect("a second of this century")
    };
    let revoked = serials.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial.0),
        revocation_time: date(facts.this_update),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date(facts.this_update),
        next_update: date(facts.next_update),
        crl_number: SerialNumber::from(facts.number),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::PreSpecified(facts.issuer.0.to_vec()),
    };
    params.signed_by(issuer).expect("a list can be encoded").der().to_vec()
}
