//! Revocation lists: what is signed reads back, what is altered does not, and another program's reader agrees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use rustls_pki_types::UnixTime;
use webpki::{CertRevocationList, EndEntityCert, ExpirationPolicy, RevocationOptionsBuilder};

use super::*;
use crate::fault::Fault;
use crate::id::Realm;
use crate::limits::{FRAME_BYTES_MAX, LIST_LIFETIME, LISTS_MAX, REVOKED_BYTES};
use crate::pki::{Founded, SecretKey, found_realm};
use crate::testing::{START, authority, rng};
use crate::wire::relay::{RelayEvent, Welcome};
use crate::wire::revocation::{SignedList, SignedLists};
use crate::wire::{Extensions, Frame};

fn facts(issuing: &[u8]) -> ListFacts {
    let issuer = own_id(issuing).unwrap();
    ListFacts { issuer, number: START.0, this_update: START, next_update: START.plus(LIST_LIFETIME) }
}

fn entries(reasons: &[u8]) -> BTreeMap<Serial, Entry> {
    let entry = |(n, reason): (u8, &u8)| {
        (Serial([0x40 + n; 16]), Entry { reason: ReasonCode::new(*reason).unwrap(), at: START.minus(LIST_LIFETIME) })
    };
    (0..).zip(reasons).map(entry).collect()
}

fn signed(founded: &Founded, key: &SecretKey, params: &CertificateRevocationListParams) -> Vec<u8> {
    let issuing = CertificateDer::from(founded.issuing.clone());
    params.signed_by(&Issuer::from_ca_cert_der(&issuing, key).unwrap()).unwrap().der().to_vec()
}

#[test]
fn a_list_reads_back_as_it_was_made_with_and_without_entries() {
    let founded = found_realm(&Realm::default(), START, &mut rng(1));
    let issuing = CertificateDer::from(founded.issuing.clone());
    let issuer = Issuer::from_ca_cert_der(&issuing, &founded.issuing_key).unwrap();
    for entries in [entries(&[]), entries(&[0, 1, 2, 3, 4, 5, 6, 8, 9, 10])] {
        for number in [0, 1, 0x80, 0x1234, START.0, u64::MAX] {
            let facts = ListFacts { number, ..facts(&issuing) };
            let list = RevocationList::sign(&issuer, &issuing, &facts, &entries).unwrap();
            assert_eq!((list.facts(), list.entries()), (&facts, &entries));
            assert_eq!(ListFacts::read(list.der()), Some(facts), "the journal reads the same");
            let again = RevocationList::sign(&issuer, &issuing, &facts, &entries).unwrap();
            assert_eq!(again.der(), list.der(), "signed again it has the same bytes");
        }
    }
}

#[test]
fn a_list_that_anybody_has_touched_is_refused() {
    let founded = found_realm(&Realm::default(), START, &mut rng(1));
    let issuing = CertificateDer::from(founded.issuing.clone());
    let good = signed(&founded, &founded.issuing_key, &params(&facts(&issuing), &entries(&[1, 0])));
    assert!(RevocationList::read(&good, &issuing).is_ok());
    for length in 0..good.len() {
        assert!(RevocationList::read(&good[..length], &issuing).is_err(), "cut at {length}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(RevocationList::read(&bad, &issuing).is_err(), "a bit at {at}");
    }
    let trailing = [good.as_slice(), &[0]].concat();
    assert_eq!(RevocationList::read(&trailing, &issuing), Err(CrlRefusal::Malformed));
    let long = [good.as_slice(), &vec![0; LIST_BYTES_MAX]].concat();
    assert_eq!(RevocationList::read(&long, &issuing), Err(CrlRefusal::Malformed));
}

#[test]
fn a_list_of_another_ca_or_by_another_key_is_refused_by_name() {
    let founded = found_realm(&Realm::default(), START, &mut rng(1));
    let other = found_realm(&Realm::default(), START, &mut rng(2));
    let issuing = CertificateDer::from(founded.issuing.clone());
    let list = params(&facts(&issuing), &entries(&[1]));
    let of_other = signed(&other, &other.issuing_key, &params(&facts(&other.issuing), &entries(&[1])));
    assert_eq!(RevocationList::read(&of_other, &issuing), Err(CrlRefusal::OtherIssuer));
    let by_other = signed(&founded, &other.issuing_key, &list);
    assert_eq!(RevocationList::read(&by_other, &issuing), Err(CrlRefusal::Signature));
}

/// What our own key may sign and no list of ours is.
#[test]
fn a_list_that_is_signed_and_not_written_as_ours_is_refused() {
    let founded = found_realm(&Realm::default(), START, &mut rng(1));
    let issuing = CertificateDer::from(founded.issuing.clone());
    let good = || params(&facts(&issuing), &entries(&[1, 1]));
    let mut twice = good();
    twice.revoked_certs.push(twice.revoked_certs[0].clone());
    let mut disordered = good();
    disordered.revoked_certs.reverse();
    let mut dated = good();
    dated.revoked_certs[0].invalidity_date = Some(date(START));
    let mut short = good();
    short.revoked_certs[0].serial_number = SerialNumber::from_slice(&[0x41; 15]);
    let mut partial = good();
    partial.issuing_distribution_point = Some(rcgen::CrlIssuingDistributionPoint {
        distribution_point: rcgen::CrlDistributionPoint { uris: vec!["http://crl.internal/".to_owned()] },
        scope: Some(rcgen::CrlScope::UserCertsOnly),
    });
    let mut numbered = good();
    numbered.crl_number = SerialNumber::from_slice(&[1; 9]);
    for (params, what) in [
        (twice, "a serial twice"),
        (disordered, "not in order"),
        (dated, "an extension that ours have not"),
        (short, "a serial that is none of ours"),
        (partial, "a part of a list"),
        (numbered, "a number beyond all"),
    ] {
        let der = signed(&founded, &founded.issuing_key, &params);
        assert_eq!(RevocationList::read(&der, &issuing), Err(CrlRefusal::NotOurs), "{what}");
    }
}

/// The judge is the verifier that most Rust programs use.
#[test]
fn the_verifier_of_others_refuses_whoever_is_on_the_list_and_nobody_else() {
    let founded = found_realm(&Realm::default(), START, &mut rng(1));
    let issuing = CertificateDer::from(founded.issuing.clone());
    let authority = authority(&founded);
    let key = SecretKey::draw(&mut rng(3));
    let [revoked, good] = [4, 5].map(|seed| authority.issue_relay(&key, START, &mut rng(seed)).unwrap());
    let serial = Serial::from_content(X509Certificate::from_der(&revoked).unwrap().1.raw_serial()).unwrap();
    let listed = BTreeMap::from([(serial, Entry { reason: ReasonCode::new(1).unwrap(), at: START })]);
    let der = signed(&founded, &founded.issuing_key, &params(&facts(&issuing), &listed));
    let list = CertRevocationList::from(BorrowedCertRevocationList::from_der(&der).unwrap());
    let lists = [&list];
    let options = || {
        RevocationOptionsBuilder::new(&lists)
            .unwrap()
            .with_depth(webpki::RevocationCheckDepth::EndEntity)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build()
    };
    let root = CertificateDer::from(founded.root.clone());
    let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
    let judge = |leaf: &[u8], at: Wall| {
        let leaf = CertificateDer::from(leaf);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.0));
        EndEntityCert::try_from(&leaf)
            .unwrap()
            .verify_for_usage(
                &[webpki::aws_lc_rs::ED25519],
                std::slice::from_ref(&anchor),
                std::slice::from_ref(&issuing),
                time,
                webpki::KeyUsage::server_auth(),
                Some(options()),
                None,
            )
            .map(drop)
    };
    assert!(matches!(judge(&revoked, START), Err(webpki::Error::CertRevoked)));
    assert!(judge(&good, START).is_ok());
    let late = START.plus(LIST_LIFETIME * 2);
    assert!(matches!(judge(&good, late), Err(webpki::Error::CrlExpired { .. })));
}

/// Whatever is revoked, and by how many CAs: a welcome takes all of it.
#[test]
fn all_lists_fit_a_frame_however_full_and_one_more_is_a_fault() {
    let realm = Realm::parse(&format!("{0}.{0}", "x".repeat(31))).unwrap();
    let founded = found_realm(&realm, START, &mut rng(1));
    let issuing = CertificateDer::from(founded.issuing.clone());
    let of = |count: usize| {
        let entries: BTreeMap<Serial, Entry> = (0..count)
            .map(|n| {
                let mut serial = Serial([0x7f; 16]);
                serial.0[14..].copy_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
                (serial, Entry { reason: ReasonCode::new(1).unwrap(), at: START })
            })
            .collect();
        let facts = ListFacts { number: u64::MAX, ..facts(&issuing) };
        signed(&founded, &founded.issuing_key, &params(&facts, &entries))
    };
    let (empty, full) = (of(0), of(REVOKED_MAX));
    assert!((full.len() - empty.len()).div_ceil(REVOKED_MAX) <= REVOKED_BYTES, "{} {}", full.len(), empty.len());
    let list = |der: &[u8]| SignedList { issuing: founded.issuing.clone().into(), list: der.to_vec().into() };
    let mut lists = SignedLists(vec![list(&empty); LISTS_MAX - 1]);
    lists.0.push(list(&full));
    assert_eq!(lists.check(), Ok(()));
    let position = crate::id::Position { incarnation: u64::MAX, n: u64::MAX };
    let device = crate::testing::device_name(&"u".repeat(32), &"d".repeat(32));
    let extensions = Extensions(vec![lists.extension()]);
    let welcome = Welcome { device, position, time: Wall(u64::MAX), extensions };
    let frame = Frame::message(&RelayEvent::Welcome(welcome));
    assert!(frame.bytes().len() <= FRAME_BYTES_MAX, "{}", frame.bytes().len());
    lists.0.push(list(&empty));
    assert_eq!(lists.check(), Err(Fault::Malformed));
    let long = [of(1), vec![0; LIST_BYTES_MAX]].concat();
    for (list, sound) in [(vec![1; LIST_BYTES_MAX], true), (vec![1; LIST_BYTES_MAX + 1], false), (Vec::new(), false)] {
        let lists = SignedLists(vec![SignedList { issuing: founded.issuing.clone().into(), list: list.into() }]);
        assert_eq!(lists.check().is_ok(), sound);
    }
    assert_eq!(RevocationList::read(&long, &issuing), Err(CrlRefusal::Malformed));
    assert_eq!(RevocationList::read(&of(REVOKED_MAX + 1), &issuing), Err(CrlRefusal::NotOurs));
}
