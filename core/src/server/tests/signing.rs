//! Keys made elsewhere: the operator's word, the journal's decision, and the same road to the certificate.

use super::*;
use crate::device::{Following, Identity};
use crate::invite::TokenHash;
use crate::journal::EnrolRefusal;
use crate::limits::{CERTIFICATE_BYTES_MAX, RECORD_ENCODED_BYTES_MAX};
use crate::operator::Signed;
use crate::pki::{CsrRefusal, DeviceKey, KeyRefusal};
use crate::testing::vectors;
use crate::tls::{Root, Trust};

fn sign(csr: &str, user: &str, device: &str) -> Command {
    Command::Sign { csr: vectors::csr(csr), name: device_name(user, device) }
}

fn signed(answer: Option<Answer>) -> Signed {
    match answer {
        Some(Answer::Signed(signed)) => signed,
        other => panic!("not signed: {other:?}"),
    }
}

/// Who the answer makes the owner of a key.
fn identity(signed: &Signed, key: &str, user: &str, now: Wall) -> Identity {
    let key = DeviceKey::from_pkcs8(&vectors::pkcs8(key)).unwrap();
    let trust = Trust::new(Realm::default(), Root::parse(&signed.root, now).unwrap());
    let (leaf, issuing) = (signed.leaf.clone().into(), signed.issuing.clone().into());
    let name = device_name(user, "laptop");
    crate::device::enrol::check_own(&trust, &leaf, &issuing, &name, &key, now).unwrap();
    Identity {
        name,
        credentials: Credentials { leaf, issuing, key },
        trust,
        log: Following::default(),
        lists: crate::tls::Lists::default(),
    }
}

#[test]
fn a_key_of_each_kind_is_certified_and_its_owner_is_a_member_like_any_other() {
    let kinds = ["ed25519", "p256", "p384", "rsa2048", "rsa4096"];
    let mut town = Town::of(&["alice"]);
    for (n, kind) in kinds.into_iter().enumerate() {
        let before = town.journal.len();
        let answer = town.operator(&sign(kind, &format!("user{n}"), "laptop"));
        let signed = signed(Some(answer));
        assert_eq!(town.journal.len() - before, 3, "the operator's word, the grant, the certificate");
        assert!(town.journal.iter().all(|record| record.len() < RECORD_ENCODED_BYTES_MAX / 4));
        assert!(signed.leaf.len() < CERTIFICATE_BYTES_MAX / 2, "{kind}: {}", signed.leaf.len());
        let identity = identity(&signed, kind, &format!("user{n}"), town.now.wall);
        town.join(identity, true);
        town.settle();
    }
    let news = town.news(town.devices()[0]);
    for (n, kind) in kinds.into_iter().enumerate() {
        let name = device_name(&format!("user{n}"), "laptop");
        assert!(news.contains(&Event::Presence(name, true)), "{kind} was not seen coming");
    }
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn the_same_key_and_name_get_the_same_certificate_again() {
    let mut town = Town::new();
    let first = signed(Some(town.operator(&sign("p384", "bob", "desk"))));
    let records = town.journal.len();
    assert_eq!(signed(Some(town.operator(&sign("p384", "bob", "desk")))), first);
    // Another request by the same key, much later.
    town.wait(Duration::from_secs(86_400));
    assert_eq!(signed(Some(town.operator(&sign("p384-sha384", "bob", "desk")))), first);
    let mut town = Town::with_founded(town.founded, town.journal);
    assert_eq!(signed(Some(town.operator(&sign("p384", "bob", "desk")))), first);
    assert_eq!(
        town.journal.len(),
        records + 3,
        "that day's lists, the relay's new certificate, and the lists of the start"
    );
}

/// Later versions have to find it again (protocol §4.9), so its bytes stand here once more.
#[test]
fn the_operators_word_stands_in_the_journal_under_the_name_that_the_protocol_gives_it() {
    let mut town = Town::new();
    let leaf = signed(Some(town.operator(&sign("p256", "bob", "desk"))));
    let key = DeviceKey::from_pkcs8(&vectors::pkcs8("p256")).unwrap().spki().id();
    let word = [&b"countersign operator's word v1\0"[..], &key.0, b"bob/desk"].concat();
    let invite = town.server.state().invite(TokenHash(Fingerprint::of(&word).0)).unwrap();
    let serial = invite.used.unwrap();
    assert!(leaf.leaf.windows(16).any(|window| window == serial.0));
    assert_eq!((invite.user.as_ref(), invite.expires), (Some(&device_name("bob", "desk").user), town.now.wall));
    assert_eq!(town.server.state().invites_open(town.now.wall), 0);
}

#[test]
fn what_the_journal_has_against_it_is_told() {
    let mut town = Town::of(&["alice"]);
    let _ = signed(Some(town.operator(&sign("p256", "bob", "desk"))));
    let records = town.journal.len();
    for (csr, user, device, refusal) in [
        ("p384", "alice", "laptop", EnrolRefusal::NameTaken),
        ("p384", "alice", "phone", EnrolRefusal::SecondDevice),
        ("p384", "a1ice", "phone", EnrolRefusal::NameLooksTaken),
        ("p256", "bob", "phone", EnrolRefusal::SecondDevice),
        ("p256", "carol", "desk", EnrolRefusal::KeyTaken),
        ("p384", "bob", "desk", EnrolRefusal::NameTaken),
    ] {
        let answer = town.operator(&sign(csr, user, device));
        assert_eq!(answer, Answer::Refused(OperatorRefusal::Sign(refusal)), "{csr} for {user}/{device}");
    }
    let further = OperatorRefusal::Sign(EnrolRefusal::SecondDevice).to_string();
    assert!(further.contains("one of their devices would have to approve a further one"), "{further}");
    let small = KeyRefusal::RsaSize { bits: 1024 };
    let answer = town.operator(&sign("rsa1024", "carol", "desk"));
    assert_eq!(answer, Answer::Refused(OperatorRefusal::Csr(CsrRefusal::Key(small))));
    assert_eq!(town.journal.len(), records, "nothing of it was written down");
}

#[test]
fn nothing_is_told_before_it_is_durable_and_two_that_ask_at_once_get_one_certificate() {
    let mut town = Town::new();
    town.hold = true;
    let asked = [town.ask(&sign("p256", "bob", "desk")), town.ask(&sign("p256-sha512", "bob", "desk"))];
    let other = town.ask(&sign("p384", "bob", "desk"));
    assert_eq!(town.held.len(), 3, "all passed what can be seen before the journal has spoken");
    assert!(asked.iter().all(|id| town.answered(*id).is_none()));
    let (id, records) = town.held.remove(0);
    town.held_answered(id, records);
    town.settle();
    assert!(asked.iter().all(|id| town.answered(*id).is_none()), "granted, and the certificate waits for the disk");
    town.release();
    let certificates = asked.map(|id| signed(town.answered(id)));
    assert_eq!(certificates[0], certificates[1]);
    let refused = Answer::Refused(OperatorRefusal::Sign(EnrolRefusal::NameTaken));
    assert_eq!(town.answered(other), Some(refused));
    assert_eq!(town.replayed(), *town.server.state());
    let alarms = town.notes.iter().filter(|note| matches!(note, crate::effect::Note::Alarm(_))).count();
    assert_eq!(alarms, 0, "{:?}", town.notes);
}

#[test]
fn a_restart_between_word_and_certificate_loses_nothing() {
    let mut town = Town::new();
    town.hold = true;
    town.ask(&sign("rsa2048", "bob", "desk"));
    let (id, records) = town.held.remove(0);
    assert_eq!(records.len(), 2, "word and grant are one append");
    town.held_answered(id, records);
    let mut town = Town::with_founded(town.founded, town.journal);
    assert_eq!(town.server.state().unissued().count(), 0);
    let _ = signed(Some(town.operator(&sign("rsa2048", "bob", "desk"))));
}

#[test]
fn a_key_whose_certificate_has_expired_is_told_so_and_gets_no_expired_one() {
    let mut town = Town::new();
    let _: Signed = signed(Some(town.operator(&sign("p256", "bob", "desk"))));
    town.wait(DEVICE_LIFETIME + Duration::from_secs(1));
    assert_eq!(town.operator(&sign("p256", "bob", "desk")), Answer::Refused(OperatorRefusal::Lapsed));
}
