//! The certificate of the log's key: what is one, and for what else it is good, which is nothing.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType,
};

use super::*;
use crate::id::Serial;
use crate::limits::BACKDATING;
use crate::pki::{Founded, SecretKey, found_log, found_realm, profile};
use crate::testing::{START, rng};
use crate::tls::{Side, judge_device};

const DAY: Duration = Duration::from_hours(24);

type Der = CertificateDer<'static>;

struct House {
    founded: Founded,
    trust: Trust,
}

impl House {
    fn new(seed: u64) -> Self {
        let founded = found_realm(&Realm::default(), START, &mut rng(seed));
        let trust = Trust::new(Realm::default(), Root::parse(&founded.root, START).unwrap());
        Self { founded, trust }
    }

    fn log(&self) -> Der {
        Der::from(self.founded.log.clone())
    }

    /// The log's certificate with one thing changed, signed by the root.
    fn changed(&self, change: impl FnOnce(&mut CertificateParams)) -> Der {
        let mut params = profile::log(&Realm::default(), Serial::draw(&mut rng(3)), START, START.plus(DAY));
        change(&mut params);
        let root = Der::from(self.founded.root.clone());
        let issuer = Issuer::from_ca_cert_der(&root, &self.founded.root_key).unwrap();
        params.signed_by(&self.founded.log_key, &issuer).unwrap().der().clone()
    }
}

#[test]
fn the_logs_certificate_is_believed_for_as_long_as_the_root() {
    let house = House::new(1);
    let subject = house.trust.judge_log(&house.log(), START).unwrap();
    assert_eq!(subject.key, house.founded.log_key.spki());
    assert_eq!(subject.not_after, house.trust.root().not_after());
}

#[test]
fn what_the_root_did_not_sign_as_the_logs_is_refused() {
    let house = House::new(1);
    let judge = |der: &Der| house.trust.judge_log(der, START).unwrap_err();
    assert_eq!(judge(&Der::from(house.founded.issuing.clone())), CertRefusal::WrongUsage);
    assert_eq!(judge(&Der::from(house.founded.root.clone())), CertRefusal::WrongUsage);
    assert_eq!(judge(&House::new(2).log()), CertRefusal::ForeignIssuer);
    assert_eq!(
        judge(&house.changed(|p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)))),
        CertRefusal::WrongUsage
    );
    assert_eq!(judge(&house.changed(|p| p.key_usages.clear())), CertRefusal::WrongUsage);
    assert_eq!(judge(&house.changed(|p| p.key_usages.push(KeyUsagePurpose::CrlSign))), CertRefusal::WrongUsage);
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    assert_eq!(judge(&house.changed(|p| p.extended_key_usages.push(server))), CertRefusal::WrongUsage);
    let name = SanType::DnsName("relay.chat.internal".try_into().unwrap());
    assert_eq!(judge(&house.changed(|p| p.subject_alt_names.push(name))), CertRefusal::WrongUsage);
    assert_eq!(
        judge(&house.changed(|p| p.distinguished_name.push(DnType::CommonName, "relay"))),
        CertRefusal::WrongUsage
    );
    let cut = house.log();
    for length in 0..cut.len() {
        assert_eq!(judge(&Der::from(cut.get(..length).unwrap().to_vec())), CertRefusal::Malformed, "{length}");
    }
}

#[test]
fn a_root_says_of_which_realm_it_is() {
    let realm = Realm::parse("lab.example").unwrap();
    let founded = found_realm(&realm, START, &mut rng(1));
    let root = Root::parse(&founded.root, START).unwrap();
    assert_eq!(root.realm(), Some(realm.clone()));
    assert_eq!(Trust::new(realm.clone(), root).realm(), &realm);
}

#[test]
fn a_logs_certificate_has_its_time() {
    let house = House::new(1);
    let der = house.changed(|_| ());
    let begins = START.minus(BACKDATING);
    assert_eq!(house.trust.judge_log(&der, begins.minus(Duration::from_secs(1))), Err(CertRefusal::NotYetValid));
    assert!(house.trust.judge_log(&der, begins).is_ok());
    assert!(house.trust.judge_log(&der, START.plus(DAY)).is_ok());
    assert_eq!(house.trust.judge_log(&der, START.plus(DAY + Duration::from_secs(1))), Err(CertRefusal::Expired));
}

#[test]
fn in_tls_a_logs_certificate_is_nobodys() {
    let house = House::new(1);
    for side in [Side::Client, Side::Server] {
        assert_eq!(judge_device(&house.trust, &house.log(), &[], side, START, None), Err(CertRefusal::WrongUsage));
    }
    assert_eq!(house.trust.judge_relay(&house.log(), &[], START), Err(CertRefusal::WrongUsage));
    assert_eq!(house.trust.judge_issuing(&house.log(), START), Err(CertRefusal::BadChain));
}

#[test]
fn a_realm_that_has_no_log_gets_one_from_its_root() {
    let house = House::new(1);
    let (key, der) = found_log(&house.trust, &house.founded.root_key, START, &mut rng(5)).unwrap();
    assert_eq!(house.trust.judge_log(&Der::from(der), START).unwrap().key, key.spki());
    let other = SecretKey::draw(&mut rng(6));
    assert!(found_log(&house.trust, &other, START, &mut rng(5)).is_err());
}
