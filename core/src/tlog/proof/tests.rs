//! Each refusal of a proof by its name, at its bounds; the many that are right or altered are in `tree/tests.rs`.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::tlog::tree::Tree;

fn tree(size: u64) -> Tree {
    (0..size).map(|n| Hash::leaf(&n.to_be_bytes())).collect()
}

fn more(mut hashes: Vec<Hash>) -> Vec<Hash> {
    hashes.push(Hash::of_nothing());
    hashes
}

#[test]
fn a_wrong_proof_of_inclusion_is_refused_for_its_reason() {
    let tree = tree(7);
    let (leaf, head) = (Hash::leaf(&5u64.to_be_bytes()), tree.head());
    let proof = tree.inclusion(5, 7).unwrap();
    assert_eq!((proof.index(), proof.size(), proof.check(leaf, &head)), (5, 7, Ok(())));
    let with = |index, size, hashes: &[Hash]| InclusionProof::new(index, size, hashes.to_vec()).unwrap();
    let hashes = proof.hashes();
    let (last, shorter) = hashes.split_last().unwrap();
    for (proof, refusal) in [
        (with(5, 6, hashes), ProofRefusal::OtherSize { proof: 6, wanted: 7 }),
        (with(7, 7, hashes), ProofRefusal::OutOfRange { index: 7, size: 7 }),
        (with(u64::MAX, 7, hashes), ProofRefusal::OutOfRange { index: u64::MAX, size: 7 }),
        (with(5, 7, shorter), ProofRefusal::Length),
        (with(5, 7, &more(hashes.to_vec())), ProofRefusal::Length),
        (with(4, 7, hashes), ProofRefusal::Root),
        (with(5, 7, &[&[*last], shorter].concat()), ProofRefusal::Root),
    ] {
        assert_eq!(proof.check(leaf, &head), Err(refusal), "{proof:?}");
    }
    assert_eq!(proof.check(Hash::leaf(b""), &head), Err(ProofRefusal::Root));
    assert_eq!(proof.check(leaf, &Head { root: Hash::leaf(b""), ..head }), Err(ProofRefusal::Root));
    let nothing = Head { size: 0, root: Hash::of_nothing() };
    assert_eq!(with(0, 0, &[]).check(leaf, &nothing), Err(ProofRefusal::OutOfRange { index: 0, size: 0 }));
}

#[test]
fn a_wrong_proof_of_consistency_is_refused_for_its_reason() {
    let tree = tree(7);
    let at = |size| tree.head_at(size).unwrap();
    let proof = tree.consistency(3, 7).unwrap();
    assert_eq!((proof.older(), proof.newer(), proof.check(&at(3), &at(7))), (3, 7, Ok(())));
    let hashes = proof.hashes();
    let shorter = hashes.split_last().unwrap().1;
    let with = |old, new, hashes: &[Hash]| ConsistencyProof::new(old, new, hashes.to_vec()).unwrap();
    let check = |old: u64, new: u64, hashes: &[Hash]| with(old, new, hashes).check(&at(old), &at(new));
    assert_eq!(proof.check(&at(3), &at(6)), Err(ProofRefusal::OtherSize { proof: 7, wanted: 6 }));
    assert_eq!(proof.check(&at(2), &at(7)), Err(ProofRefusal::OtherSize { proof: 3, wanted: 2 }));
    assert_eq!(check(7, 3, hashes), Err(ProofRefusal::Backwards));
    assert_eq!(check(0, 7, hashes), Err(ProofRefusal::FromNothing));
    assert_eq!(check(0, 0, &[]), Err(ProofRefusal::FromNothing));
    for wrong in [shorter, &more(hashes.to_vec()), &[]] {
        assert_eq!(check(3, 7, wrong), Err(ProofRefusal::Length));
    }
    assert_eq!(check(7, 7, &[]), Ok(()));
    assert_eq!(check(7, 7, &more(Vec::new())), Err(ProofRefusal::Length));
    let mut head = at(7);
    head.root = Hash::of_nothing();
    assert_eq!(with(7, 7, &[]).check(&at(7), &head), Err(ProofRefusal::Root));
    assert_eq!(proof.check(&at(3), &head), Err(ProofRefusal::Root));
    assert_eq!(proof.check(&Head { size: 3, ..head }, &at(7)), Err(ProofRefusal::OldRoot));
}

#[test]
fn a_proof_at_its_bound_is_looked_at_and_one_hash_more_is_too_long_from_the_wire_too() {
    let hashes = |count| vec![Hash::of_nothing(); count];
    let encoded = |count: usize| postcard::to_stdvec(&(1u64, u64::MAX, hashes(count))).unwrap();
    assert!(InclusionProof::new(1, u64::MAX, hashes(PROOF_HASHES_MAX)).is_ok());
    assert_eq!(InclusionProof::new(1, u64::MAX, hashes(PROOF_HASHES_MAX + 1)), Err(ProofRefusal::TooLong));
    assert_eq!(ConsistencyProof::new(1, u64::MAX, hashes(PROOF_HASHES_MAX + 1)), Err(ProofRefusal::TooLong));
    for (count, fits) in [(PROOF_HASHES_MAX, true), (PROOF_HASHES_MAX + 1, false)] {
        assert_eq!(postcard::from_bytes::<InclusionProof>(&encoded(count)).is_ok(), fits, "{count}");
        assert_eq!(postcard::from_bytes::<ConsistencyProof>(&encoded(count)).is_ok(), fits, "{count}");
    }
}

#[test]
fn the_largest_sizes_that_a_number_can_say_are_answered_and_not_a_panic() {
    let hash = Hash::of_nothing();
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
        for other in [0, 1, size / 2, size - 1, size] {
            for count in [0, 1, 63, 64] {
                let (old, new) = (Head { size: other, root: hash }, Head { size, root: hash });
                let hashes = vec![hash; count];
                let consistent = ConsistencyProof::new(other, size, hashes.clone()).unwrap().check(&old, &new);
                assert_eq!(consistent.is_ok(), other == size && count == 0, "{other} {size} {count}");
                assert!(InclusionProof::new(other, size, hashes).unwrap().check(hash, &new).is_err());
            }
        }
    }
}

#[test]
fn every_refusal_is_a_sentence_of_its_own() {
    let all = [
        ProofRefusal::TooLong,
        ProofRefusal::OtherSize { proof: 1, wanted: 2 },
        ProofRefusal::OutOfRange { index: 2, size: 1 },
        ProofRefusal::Backwards,
        ProofRefusal::FromNothing,
        ProofRefusal::Length,
        ProofRefusal::OldRoot,
        ProofRefusal::Root,
    ];
    let sentences: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), all.len());
}
