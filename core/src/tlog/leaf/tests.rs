//! The bytes of each leaf as they were hashed since format 1, and what is none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::id::Realm;
use crate::limits::{LABEL_BYTES_MAX, NOTE_NAME_BYTES_MAX, SPKI_BYTES_MAX};
use crate::pki::SecretKey;
use crate::testing::{START, device_name, from_hex, rng, to_hex};

const LATER: Wall = Wall(START.0 + 7_776_000);

fn key(seed: u64) -> Spki {
    SecretKey::draw(&mut rng(seed)).spki()
}

fn endorsement() -> Endorsement {
    let by = device_name("alice", "laptop").device;
    Endorsement { by, key: key(1), signature: ByteArray::new([0xe1; 64]) }
}

fn certified(basis: Basis) -> Leaf {
    Leaf::DeviceCertificate(Certified {
        name: device_name("alice", "phone"),
        serial: Serial([0x44; 16]),
        key: key(2).id(),
        certificate: Fingerprint([0xce; 32]),
        not_after: LATER,
        basis,
        at: START,
    })
}

/// One leaf of each kind, and one of each right to a certificate.
fn each() -> Vec<(&'static str, Leaf)> {
    let (key_id, serial) = (key(3).id(), Serial([0x45; 16]));
    let certificate = Fingerprint([0xca; 32]);
    let head = Head { size: 300, root: Hash::leaf(b"old") };
    let recovered = Basis::Recovered(RecoveryWord { key: key(4), signature: ByteArray::new([0xe2; 64]) });
    vec![
        ("issuing-ca", Leaf::IssuingCa { certificate, key: key_id, not_after: LATER, at: START }),
        ("relay-certificate", Leaf::RelayCertificate { certificate, serial, key: key_id, not_after: LATER, at: START }),
        ("device.first", certified(Basis::FirstDevice)),
        ("device.endorsed", certified(Basis::Endorsed(endorsement()))),
        ("device.recovered", certified(recovered)),
        ("device.renewed", certified(Basis::Renewed)),
        ("device.made-elsewhere", certified(Basis::MadeElsewhere)),
        ("device.reissue", certified(Basis::Reissue)),
        (
            "revocation",
            Leaf::Revocation {
                name: device_name("bob", "laptop"),
                serial,
                reason: ReasonCode::new(1).unwrap(),
                at: START,
            },
        ),
        ("rotation", Leaf::Rotation { from: certificate, to: Fingerprint([0xcb; 32]), at: START }),
        (
            "recovery-key",
            Leaf::RecoveryKey {
                user: device_name("alice", "laptop").user,
                key: key(4),
                endorsement: endorsement(),
                at: START,
            },
        ),
        ("generation", Leaf::Generation { previous: NoteName::of_log(&Realm::default(), 7), head, at: START }),
        (
            "withdrawal",
            Leaf::Withdrawal {
                name: device_name("alice", "phone"),
                reason: ReasonCode::new(1).unwrap(),
                endorsement: endorsement(),
                at: START,
            },
        ),
    ]
}

#[test]
fn every_leaf_reads_and_writes_as_it_did_in_format_1() {
    let golden: Vec<(&str, &str)> =
        include_str!("../golden/leaves-v1.hex").lines().map(|line| line.split_once(' ').unwrap()).collect();
    let mut missing = Vec::new();
    for (name, leaf) in each() {
        let bytes = leaf.encode();
        let Some((_, hex)) = golden.iter().find(|(known, _)| *known == name) else {
            missing.push(format!("{name} {}", to_hex(&bytes)));
            continue;
        };
        assert_eq!(&to_hex(&bytes), hex, "{name} is not what it was");
        assert_eq!(Leaf::decode(&from_hex(hex)), Ok(leaf.clone()), "{name}");
        assert_eq!(leaf.leaf_hash(), Hash::leaf(&bytes));
        for cut in 0..bytes.len() {
            assert_eq!(Leaf::decode(&bytes[..cut]), Err(LeafRefusal::Malformed), "{name} cut at {cut}");
        }
        assert_eq!(Leaf::decode(&[&bytes[..], &[0]].concat()), Err(LeafRefusal::Malformed), "{name}");
    }
    assert!(missing.is_empty(), "add to golden/leaves-v1.hex: {missing:#?}");
    assert_eq!(golden.len(), each().len(), "a line of the file is no leaf any more");
}

#[test]
fn each_leaf_says_whose_name_it_concerns_and_when_it_was() {
    for (name, leaf) in each() {
        let about = match name {
            "revocation" => Some("bob"),
            "recovery-key" | "withdrawal" => Some("alice"),
            _ => name.starts_with("device.").then_some("alice"),
        };
        assert_eq!((leaf.about().map(UserName::as_str), leaf.at()), (about, START), "{name}");
    }
    let hashes: BTreeSet<Hash> = each().iter().map(|(_, leaf)| leaf.leaf_hash()).collect();
    assert_eq!(hashes.len(), each().len());
}

#[test]
fn what_says_the_same_in_other_bytes_is_no_leaf() {
    // The last field of a revocation is its time, five bytes of seven bits each: a sixth with nothing in it adds nothing.
    let mut bytes = each().into_iter().find(|(name, _)| *name == "revocation").unwrap().1.encode();
    *bytes.last_mut().unwrap() |= 0x80;
    bytes.push(0);
    assert_eq!(Leaf::decode(&bytes), Err(LeafRefusal::NotCanonical));
}

#[test]
fn another_format_an_unknown_kind_and_an_impossible_reason_are_refused() {
    let bytes = certified(Basis::Renewed).encode();
    for format in [0, 2, 255] {
        let other = [&[format], &bytes[1..]].concat();
        assert_eq!(Leaf::decode(&other), Err(LeafRefusal::Format(format)));
    }
    let unknown = [&[FORMAT, 99], &bytes[2..]].concat();
    assert_eq!(Leaf::decode(&unknown), Err(LeafRefusal::Malformed));
    assert_eq!(Leaf::decode(&[]), Err(LeafRefusal::Malformed));
    let reasons: Vec<u8> = (0..=255).filter(|code| ReasonCode::new(*code).is_some()).collect();
    assert_eq!(reasons, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
    assert_eq!(ReasonCode::new(9).unwrap().code(), 9);
    assert!(postcard::from_bytes::<ReasonCode>(&[7]).is_err());
}

#[test]
fn the_largest_leaves_fit_and_a_leaf_at_its_bound_is_looked_at_and_one_byte_more_is_too_long() {
    let label = "a".repeat(LABEL_BYTES_MAX);
    let name = device_name(&label, &label);
    let key = Spki::try_from(serde_bytes::ByteBuf::from(vec![0; SPKI_BYTES_MAX])).unwrap();
    let last = Wall(u64::MAX);
    let signature = ByteArray::new([0; 64]);
    let id = key.id();
    let certificate = |basis| {
        Leaf::DeviceCertificate(Certified {
            name: name.clone(),
            serial: Serial([0; 16]),
            key: id,
            certificate: Fingerprint([0; 32]),
            not_after: last,
            basis,
            at: last,
        })
    };
    let endorsement = Endorsement { by: name.device.clone(), key: key.clone(), signature };
    let previous = NoteName::parse(&"a".repeat(NOTE_NAME_BYTES_MAX)).unwrap();
    let head = Head { size: u64::MAX, root: Hash::of_nothing() };
    for leaf in [
        certificate(Basis::Endorsed(endorsement.clone())),
        certificate(Basis::Recovered(RecoveryWord { key: key.clone(), signature })),
        Leaf::RecoveryKey { user: name.user.clone(), key, endorsement: endorsement.clone(), at: last },
        Leaf::Withdrawal { name: name.clone(), reason: ReasonCode::new(10).unwrap(), endorsement, at: last },
        Leaf::Generation { previous, head, at: last },
    ] {
        let bytes = leaf.encode();
        assert_eq!(Leaf::decode(&bytes), Ok(leaf));
    }
    let mut bytes = certified(Basis::Renewed).encode();
    bytes.resize(LEAF_BYTES_MAX, 0);
    assert_eq!(Leaf::decode(&bytes), Err(LeafRefusal::Malformed));
    bytes.push(0);
    assert_eq!(Leaf::decode(&bytes), Err(LeafRefusal::TooLong));
}

proptest! {
    #[test]
    fn any_bytes_are_a_leaf_in_its_one_form_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0usize..13, at in any::<usize>(), to in any::<u8>(),
    ) {
        let mut altered = each()[which].1.encode();
        let at = at % altered.len();
        altered[at] = to;
        for bytes in [bytes, altered] {
            if let Ok(leaf) = Leaf::decode(&bytes) {
                prop_assert_eq!(leaf.encode(), bytes);
            }
        }
    }
}
