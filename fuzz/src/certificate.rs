//! Decides whether a certificate is believed for no other reason than that it should be (V-01 to V-08, V-10, V-11).
//!
//! | form | what the bytes are | what may be believed |
//! | --- | --- | --- |
//! | 0 | a leaf and what is said to lead to a root | the honest ones, byte for byte |
//! | 1 | changes to an honest chain, the other town's included | the same |
//! | 2 | the signed part of a leaf, which the genuine issuing CA then signs | what a second reader finds in order |
//! | 3 | the extensions in an honest signed part, which is then signed | the same |

use countersign_core::id::{DeviceName, KeyId};
use countersign_core::limits::CERTIFICATE_BYTES_MAX;
use countersign_core::pki::Facts;
use countersign_core::tls::{Judged, Root, Side, judge_device};
use rustls_pki_types::CertificateDer;

use crate::cast::{Cast, NOW, Town, cast};
use crate::der::{self, Tlv, oid, signed, wrap};
use crate::script::Script;

/// `form | side | who was called | bytes`.
pub fn certificate(data: &[u8]) {
    let cast = cast();
    let mut script = Script::new(data);
    let form = script.byte() % 4;
    let side = if script.byte().is_multiple_of(2) { Side::Client } else { Side::Server };
    let called = match script.byte() % 4 {
        0 => None,
        n => Some(&cast.home.member(n - 1).name),
    };
    let (leaf, intermediates) = match form {
        0 => raw(script),
        1 => changed(cast, script),
        2 => misissued(cast, script.rest()),
        _ => misissued(cast, &signed_part(cast, script.rest())),
    };
    let chain: Vec<CertificateDer<'_>> = intermediates.into_iter().map(CertificateDer::from).collect();
    let leaf = CertificateDer::from(leaf);
    let is_ours = form < 2;
    if let Ok(judged) = judge_device(&cast.trust, &leaf, &chain, side, NOW, called) {
        assert!(called.is_none_or(|called| *called == judged.device), "somebody else than was called is believed");
        if is_ours {
            is_honest_member(cast, &leaf, &judged);
        } else {
            is_in_order(cast, &leaf, &judged);
        }
    }
    if cast.trust.judge_relay(&leaf, &chain, NOW).is_ok() {
        let name = cast.realm.relay_name();
        assert!(!is_ours || leaf == cast.home.relay.leaf, "a relay is believed that is none");
        assert_eq!(read(&leaf).map(|leaf| (leaf.names, leaf.usages)), Some((vec![name], vec![oid::SERVER.to_vec()])));
    }
    if cast.trust.judge_issuing(&leaf, NOW).is_ok() {
        assert_eq!(leaf.as_ref(), cast.home.founded.issuing, "an issuing CA is believed that is none");
    }
    match Root::parse(&leaf, NOW) {
        Ok(root) => {
            let roots = [&cast.home.founded.root, &cast.abroad.founded.root];
            assert!(roots.contains(&&leaf.to_vec()), "a root is believed that signed itself otherwise");
            assert_eq!(root.der(), &leaf);
        }
        Err(refusal) => assert_ne!(leaf.as_ref(), cast.home.founded.root, "the honest root is refused: {refusal}"),
    }
    if let Some(facts) = Facts::read(&leaf) {
        assert!(leaf.len() <= CERTIFICATE_BYTES_MAX && !facts.serial.is_empty());
    }
}

/// A leaf behind its length, and what follows it in the same form.
fn raw(mut script: Script<'_>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let leaf = script.bytes().to_vec();
    let mut chain = Vec::new();
    while !script.is_over() && chain.len() < 4 {
        chain.push(script.bytes().to_vec());
    }
    (leaf, chain)
}

/// An honest chain with changes: `which leaf | which chain | (which certificate, how, where, what)...`.
fn changed(cast: &Cast, mut script: Script<'_>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut chain = vec![one(cast, script.byte())];
    for _ in 0..script.byte() % 4 {
        chain.push(one(cast, script.byte()));
    }
    while !script.is_over() {
        let n = usize::from(script.byte()) % chain.len();
        let Some(der) = chain.get_mut(n) else { break };
        let (how, at, what) = (script.byte() % 6, usize::from(script.word()), script.byte());
        change(der, how, at, what);
    }
    let leaf = chain.remove(0);
    (leaf, chain)
}

fn one(cast: &Cast, which: u8) -> Vec<u8> {
    let town = |n: u8| -> &Town { if n.is_multiple_of(2) { &cast.home } else { &cast.abroad } };
    let (town, which) = (town(which), which / 2);
    match which % 6 {
        0..=2 => town.member(which % 6).credentials.leaf.to_vec(),
        3 => town.relay.leaf.to_vec(),
        4 => town.founded.issuing.clone(),
        _ => town.founded.root.clone(),
    }
}

fn change(der: &mut Vec<u8>, how: u8, at: usize, what: u8) {
    let at = at % (der.len() + 1);
    match how {
        0 => der.iter_mut().skip(at).take(1).for_each(|byte| *byte = what),
        1 => der.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (what % 8)),
        2 => der.insert(at, what),
        3 => drop(der.drain(at..(at + usize::from(what)).min(der.len()))),
        4 => der.truncate(at),
        _ => der.extend(std::iter::repeat_n(what, at % 16)),
    }
}

/// What the genuine issuing CA never would sign, signed by it, for Mallory's key or whichever the bytes name.
fn misissued(cast: &Cast, signed_part: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let signature = cast.home.founded.issuing_key.sign(signed_part);
    (signed(signed_part, &signature), vec![cast.home.founded.issuing.clone()])
}

/// The signed part of Mallory's certificate with these extensions in place of its own.
fn signed_part(cast: &Cast, extensions: &[u8]) -> Vec<u8> {
    let leaf = &cast.home.member(2).credentials.leaf;
    let parts = tbs(leaf).expect("an honest certificate can be read");
    let before: Vec<u8> = parts.iter().filter(|part| part.tag != 0xa3).flat_map(|part| part.whole).copied().collect();
    wrap(0x30, &[before, wrap(0xa3, &wrap(0x30, extensions))].concat())
}

/// The parts of a certificate's signed part.
fn tbs(certificate: &[u8]) -> Option<Vec<Tlv<'_>>> {
    let (whole, rest) = der::first(certificate)?;
    let parts = if rest.is_empty() { der::all(whole.content)? } else { return None };
    der::all(parts.first()?.content)
}

fn is_honest_member(cast: &Cast, leaf: &CertificateDer<'_>, judged: &Judged) {
    let member = cast.home.members.iter().find(|member| member.credentials.leaf == *leaf);
    let member = member.unwrap_or_else(|| panic!("{judged:?} is believed by a certificate that was never issued"));
    assert_eq!((&judged.device, judged.serial), (&member.name, member.serial));
    assert_eq!(judged.key, member.credentials.key.spki().id());
}

/// What the second reader finds in a leaf.
#[derive(Debug)]
struct Leaf<'a> {
    serial: &'a [u8],
    valid: [&'a [u8]; 2],
    spki: &'a [u8],
    names: Vec<String>,
    usages: Vec<Vec<u8>>,
    is_ca: bool,
    strange: bool,
}

/// Reads a leaf; `None` where it is not as ours are.
fn read(certificate: &[u8]) -> Option<Leaf<'_>> {
    let parts = tbs(certificate)?;
    let [version, serial, algorithm, _issuer, validity, _subject, spki, .., extensions] = parts.as_slice() else {
        return None;
    };
    let [from, until] = der::all(validity.content)?.try_into().ok()?;
    let (list, rest) = der::first(extensions.content)?;
    if version.content != [2, 1, 2] || algorithm.whole != der::ED25519 || extensions.tag != 0xa3 || !rest.is_empty() {
        return None;
    }
    let mut leaf = Leaf {
        serial: serial.content,
        valid: [from.content, until.content],
        spki: spki.whole,
        names: Vec::new(),
        usages: Vec::new(),
        is_ca: false,
        strange: false,
    };
    for extension in der::extensions(list.content)? {
        let parts = || der::all(der::first(extension.value)?.0.content);
        match extension.oid {
            oid::NAMES => {
                let plain =
                    |name: &Tlv<'_>| (name.tag == 0x82).then(|| String::from_utf8(name.content.to_vec()).ok())?;
                leaf.names.extend(parts()?.iter().map(plain).collect::<Option<Vec<_>>>()?);
            }
            oid::EXTENDED_KEY_USAGE => {
                leaf.usages.extend(parts()?.iter().map(|usage| usage.content.to_vec()));
            }
            oid::BASIC_CONSTRAINTS => {
                leaf.is_ca |= parts()?.iter().any(|part| part.tag == 1 && part.content != [0]);
            }
            oid::KEY_USAGE => {}
            _ => leaf.strange |= extension.critical,
        }
    }
    leaf.usages.sort();
    leaf.usages.dedup();
    Some(leaf)
}

/// What must be true of a believed device's certificate, whatever else it says.
fn is_in_order(cast: &Cast, certificate: &[u8], judged: &Judged) {
    assert!(certificate.len() <= CERTIFICATE_BYTES_MAX);
    let Some(leaf) = read(certificate) else { panic!("{judged:?} is believed by what can't be read strictly") };
    let name: &DeviceName = &judged.device;
    assert_eq!(leaf.names, [name.dns(&cast.realm)], "{leaf:?}");
    assert_eq!(leaf.usages, [oid::SERVER, oid::CLIENT], "{leaf:?}");
    assert!(!leaf.is_ca && !leaf.strange, "{leaf:?}");
    assert_eq!((KeyId::of(leaf.spki), judged.serial.0.as_slice()), (judged.key, leaf.serial));
    // The cast's second, as X.509 writes it.
    let [from, until] = leaf.valid.map(second);
    assert!(from.as_str() <= "20270115080000Z" && until.as_str() >= "20270115080000Z", "{leaf:?}");
}

/// A time of X.509 with four digits of its year (RFC 5280 §4.1.2.5), which sort as they count.
fn second(time: &[u8]) -> String {
    let text = String::from_utf8_lossy(time);
    match (time.len(), time.first()) {
        (13, Some(b'0'..=b'4')) => format!("20{text}"),
        (13, _) => format!("19{text}"),
        _ => text.into_owned(),
    }
}
