//! Values at their bounds and one beyond; what needs time or other people is tested where it happens (docs/limits.md).
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_bytes::ByteBuf;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::*;
use crate::fault::Fault;
use crate::id::{AskId, Realm, TunnelId, UserName};
use crate::invite::Endpoint;
use crate::journal::{Record, RecordRefusal};
use crate::pki::{SecretKey, Spki};
use crate::testing::{START, Town, authority, device_name, rng};
use crate::tls::{CertRefusal, Side, judge_device};
use crate::wire::peer::PeerMessage;
use crate::wire::relay::{Person, RelayEvent, RelayRequest};
use crate::wire::{Extensions, FrameReader, extension::Extension};

#[test]
fn names_at_their_bounds_are_names_and_one_byte_more_is_none() {
    for (length, fits) in [(LABEL_BYTES_MAX, true), (LABEL_BYTES_MAX + 1, false)] {
        assert_eq!(UserName::parse(&"a".repeat(length)).is_ok(), fits, "{length}");
    }
    for (length, fits) in [(REALM_BYTES_MAX, true), (REALM_BYTES_MAX + 1, false)] {
        let realm = format!("{}.{}.b", "a".repeat(31), "a".repeat(length - 34));
        assert_eq!((realm.len(), Realm::parse(&realm).is_ok()), (length, fits));
    }
    for (length, fits) in [(HOST_BYTES_MAX, true), (HOST_BYTES_MAX + 1, false)] {
        assert_eq!(Endpoint::parse(&format!("{}:7443", "a".repeat(length))).is_ok(), fits, "{length}");
    }
}

#[test]
fn a_frame_at_its_bound_is_awaited_and_one_byte_more_is_refused_by_its_header() {
    for (length, fits) in [(FRAME_BYTES_MAX, true), (FRAME_BYTES_MAX + 1, false)] {
        let header = u32::try_from(length).unwrap().to_be_bytes();
        assert_eq!(header.len(), FRAME_HEADER_BYTES);
        let mut bodies = Vec::new();
        let mut reader = FrameReader::default();
        let read = reader.read(&header, &mut bodies);
        assert_eq!(read, if fits { Ok(()) } else { Err(Fault::FrameLength) });
        if fits {
            let body = [&[crate::wire::VERSION][..], &vec![7; length - 1]].concat();
            assert_eq!((reader.read(&body, &mut bodies), bodies.len()), (Ok(()), 1));
        }
    }
}

#[test]
fn messages_at_their_bounds_are_heard_and_one_more_is_a_fault() {
    let tunnel = TunnelId(1);
    for beyond in [0, 1] {
        let verdict = |fault| if beyond == 0 { Ok(()) } else { Err(fault) };
        let bytes = ByteBuf::from(vec![0; FORWARD_BYTES_MAX + beyond]);
        assert_eq!(RelayRequest::Forward { tunnel, bytes: bytes.clone() }.check(), verdict(Fault::Malformed));
        assert_eq!(RelayEvent::Forwarded { tunnel, bytes }.check(), verdict(Fault::Malformed));
        let bytes = TUNNEL_WINDOW_BYTES + u32::try_from(beyond).unwrap();
        assert_eq!(RelayRequest::Credit { tunnel, bytes }.check(), verdict(Fault::Credit));
        assert_eq!(RelayEvent::Credited { tunnel, bytes }.check(), verdict(Fault::Credit));
        let device = device_name("alice", "laptop");
        let people = vec![Person { user: device.user.clone(), online: false }; WHO_PAGE_MAX + beyond];
        assert_eq!(RelayEvent::People { ask: AskId(1), people, more: false }.check(), verdict(Fault::Malformed));
        let devices = vec![device; WHO_PAGE_MAX + beyond];
        assert_eq!(RelayEvent::Here { devices }.check(), verdict(Fault::Malformed));
        let line = PeerMessage::Line { n: 0, text: "x".repeat(LINE_BYTES_MAX + beyond) };
        assert_eq!(line.check(), verdict(Fault::Malformed));
        let extensions = vec![Extension { kind: 1, body: ByteBuf::new() }; EXTENSIONS_MAX + beyond];
        assert_eq!(Extensions(extensions).check(), verdict(Fault::Malformed));
    }
}

#[test]
fn a_key_and_a_record_at_their_bounds_are_looked_at_and_one_byte_more_is_too_long() {
    for (length, fits) in [(SPKI_BYTES_MAX, true), (SPKI_BYTES_MAX + 1, false)] {
        assert_eq!(Spki::try_from(ByteBuf::from(vec![0; length])).is_ok(), fits, "{length}");
    }
    let mut record = Record::InviteCreated {
        token: crate::invite::Token::draw(&mut rng(1)).hash(),
        user: None,
        expires: START,
        at: START,
    }
    .encode();
    // What is left over is as wrong as what is missing, but it is read first.
    record.resize(RECORD_ENCODED_BYTES_MAX, 0);
    assert_eq!(Record::decode(&record).err(), Some(RecordRefusal::Malformed));
    record.push(0);
    assert_eq!(Record::decode(&record).err(), Some(RecordRefusal::TooLong));
}

#[test]
fn a_chain_of_so_many_certificates_is_judged_and_one_more_is_no_chain() {
    let identity = Town::new().enrol("alice");
    let (leaf, issuing) = (&identity.credentials.leaf, &identity.credentials.issuing);
    let root = identity.trust.root().der();
    for (intermediates, verdict) in [
        (vec![issuing.clone(); CHAIN_CERTIFICATES_MAX - 1], None),
        (vec![issuing.clone(), root.clone(), root.clone()], Some(CertRefusal::BadChain)),
    ] {
        let judged = judge_device(&identity.trust, leaf, &intermediates, Side::Client, START, None);
        assert_eq!(judged.err(), verdict, "{} certificates", intermediates.len() + 1);
    }
}

#[test]
fn certificates_live_as_long_as_it_says_here() {
    let mut town = Town::new();
    let device = town.enrol("alice").credentials.leaf.to_vec();
    let key = SecretKey::draw(&mut rng(5));
    let relay = authority(&town.founded).issue_relay(&key, START, &mut rng(6)).unwrap();
    for (der, lifetime) in [
        (&town.founded.root, ROOT_LIFETIME),
        (&town.founded.issuing, ISSUING_LIFETIME),
        (&device, DEVICE_LIFETIME),
        (&relay, RELAY_LIFETIME),
    ] {
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        let validity = certificate.validity();
        let start = i64::try_from(START.minus(BACKDATING).0).unwrap();
        assert_eq!(validity.not_before.timestamp(), start);
        let lives = validity.not_after.timestamp() - i64::try_from(START.0).unwrap();
        // The last second counts as well.
        assert!((i64::try_from(lifetime.as_secs()).unwrap() - lives).abs() <= 1, "{lives} s instead of {lifetime:?}");
    }
}
