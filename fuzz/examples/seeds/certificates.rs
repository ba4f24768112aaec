//! Seeds from certificates: the cast's honest ones in every role, and what the genuine CA never would sign.

use countersign_core::id::{Realm, Serial};
use countersign_core::invite::TokenHash;
use countersign_core::pki::{Grant, profile};
use countersign_core::time::Wall;
use fuzz::cast::{NOW, cast};
use fuzz::der::{all, first};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType};

use super::Seeds;

/// `form | side | who was called | bytes`.
pub(super) fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    let home = &cast().home;
    let issuing = home.founded.issuing.as_slice();
    for (n, member) in (1..).zip(&home.members) {
        let chain = chain(&[&member.credentials.leaf, issuing]);
        seeds.push((format!("member-{n}"), [&[0, 0, 0], chain.as_slice()].concat()));
        seeds.push((format!("called-{n}"), [&[0, 1, n], chain.as_slice()].concat()));
    }
    let root = home.founded.root.as_slice();
    for (name, list) in [
        ("relay", vec![home.relay.leaf.as_ref(), issuing]),
        ("relay-with-root", vec![home.relay.leaf.as_ref(), issuing, root]),
        ("root", vec![root]),
        ("issuing", vec![issuing]),
        ("abroad", vec![cast().abroad.member(0).credentials.leaf.as_ref(), &cast().abroad.founded.issuing]),
        ("abroad-behind-ours", vec![cast().abroad.member(0).credentials.leaf.as_ref(), issuing]),
        ("too-long", vec![home.relay.leaf.as_ref(), issuing, issuing, issuing, root]),
    ] {
        seeds.push((name.into(), [&[0, 1, 0], chain(&list).as_slice()].concat()));
    }
    // Leaf, chain of one: the issuing CA; then changes.
    for leaf in 0..12 {
        seeds.push((format!("unchanged-{leaf}"), vec![1, leaf, 0, leaf, 1, 8]));
        seeds.push((format!("changed-{leaf}"), vec![1, 0, 0, leaf, 1, 8, 0, 1, 0, leaf, 3, 1, 0, 0, 9, 1]));
    }
    for (name, params) in misissued() {
        let der = params.self_signed(&home.member(2).key).expect("a certificate can be encoded");
        let signed = tbs(der.der());
        // The issuer's name is the certificate's own here, so the genuine one's is put in its place.
        let parts = all(first(&signed).expect("just encoded").0.content).expect("just encoded");
        let whole: Vec<u8> =
            (0..).zip(&parts).flat_map(|(n, part)| if n == 3 { issuer_name() } else { part.whole.to_vec() }).collect();
        let signed = fuzz::der::wrap(0x30, &whole);
        seeds.push((format!("misissued-{name}"), [&[2, 0, 0], signed.as_slice()].concat()));
        let list = parts.last().and_then(|part| first(part.content)).map(|(list, _)| list.content.to_vec());
        seeds.push((format!("extensions-{name}"), [vec![3, 0, 0], list.unwrap_or_default()].concat()));
    }
    seeds
}

fn chain(certificates: &[&[u8]]) -> Vec<u8> {
    let one = |der: &&[u8]| {
        let length = u16::try_from(der.len()).expect("a certificate is short").to_be_bytes();
        [length.as_slice(), *der].concat()
    };
    certificates.iter().flat_map(one).collect()
}

fn tbs(der: &[u8]) -> Vec<u8> {
    let parts = first(der).and_then(|(whole, _)| first(whole.content)).expect("just encoded");
    parts.0.whole.to_vec()
}

fn issuer_name() -> Vec<u8> {
    let issuing = tbs(&cast().home.founded.issuing);
    let parts = all(first(&issuing).expect("honest").0.content).expect("honest");
    // Version, serial, algorithm, issuer, validity, subject.
    parts.get(5).expect("a subject").whole.to_vec()
}

/// An honest device's certificate, and the same with one thing wrong.
fn misissued() -> Vec<(&'static str, CertificateParams)> {
    let realm: &Realm = &cast().realm;
    let member = cast().home.member(2);
    let honest = || {
        let grant = Grant {
            token: TokenHash([0; 32]),
            name: member.name.clone(),
            key: member.key.spki(),
            serial: Serial([0x42; 16]),
            not_before: NOW,
            not_after: Wall(NOW.0 + 3600),
            at: NOW,
        };
        profile::device(realm, &grant)
    };
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = honest();
        change(&mut params);
        params
    };
    let name = |text: &str| SanType::DnsName(text.try_into().expect("ASCII"));
    let constraint = |name: &str| {
        with(&|params| {
            params.custom_extensions.push(rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], name.into()));
        })
    };
    vec![
        ("honest", honest()),
        ("no-name", with(&|params| params.subject_alt_names.clear())),
        ("two-names", with(&|params| params.subject_alt_names.push(name("a.b.chat.internal")))),
        ("wildcard", with(&|params| params.subject_alt_names = vec![name("*.mallory.chat.internal")])),
        ("outside", with(&|params| params.subject_alt_names = vec![name("laptop.mallory.example.org")])),
        ("relay", with(&|params| params.subject_alt_names = vec![name("relay.chat.internal")])),
        ("address", with(&|params| params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())])),
        ("ca", with(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)))),
        ("server-only", with(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
        ("any-usage", with(&|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::Any))),
        ("no-usage", with(&|params| params.extended_key_usages.clear())),
        ("unknown", constraint("x")),
        ("big", constraint(&"x".repeat(4000))),
        ("relays", profile::relay(realm, Serial([0x43; 16]), NOW, Wall(NOW.0 + 3600))),
        ("issuing", profile::issuing(realm, Serial([0x44; 16]), NOW, Wall(NOW.0 + 3600))),
        ("root", profile::root(realm, Serial([0x45; 16]), NOW)),
    ]
}
