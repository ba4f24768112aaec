//! The tree against Certificate Transparency's known roots, against RFC 6962's own definitions, and against a forger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;

use super::*;
use crate::testing::{from_hex, to_hex};
use crate::tlog::proof::ProofRefusal;

/// RFC 6962 §2.1 word by word: slow, and nothing in it is shared with the tree.
mod definition {
    use super::Hash;

    fn k(n: usize) -> usize {
        let mut k = 1;
        while 2 * k < n {
            k *= 2;
        }
        k
    }

    pub(super) fn mth(d: &[Hash]) -> Hash {
        match d {
            [] => Hash::of_nothing(),
            [leaf] => *leaf,
            _ => Hash::node(&mth(&d[..k(d.len())]), &mth(&d[k(d.len())..])),
        }
    }

    pub(super) fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
        if d.len() == 1 {
            return Vec::new();
        }
        let (left, right) = d.split_at(k(d.len()));
        let (mut path, other) =
            if m < left.len() { (path(m, left), mth(right)) } else { (path(m - left.len(), right), mth(left)) };
        path.push(other);
        path
    }

    pub(super) fn subproof(m: usize, d: &[Hash], is_known: bool) -> Vec<Hash> {
        if m == d.len() {
            return if is_known { Vec::new() } else { vec![mth(d)] };
        }
        let (left, right) = d.split_at(k(d.len()));
        let (mut proof, other) = if m <= left.len() {
            (subproof(m, left, is_known), mth(right))
        } else {
            (subproof(m - left.len(), right, false), mth(left))
        };
        proof.push(other);
        proof
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| Hash::leaf(&n.to_be_bytes())).collect()
}

#[test]
fn the_roots_of_certificate_transparencys_known_tree() {
    let contents = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Tree::default();
    assert_eq!(tree.root(), Hash::of_nothing());
    for (index, (content, root)) in contents.iter().zip(roots).enumerate() {
        assert_eq!(tree.push(Hash::leaf(&from_hex(content))), index as u64);
        assert_eq!(to_hex(&tree.root().0), root);
    }
    for (size, root) in (1..).zip(roots) {
        assert_eq!(to_hex(&tree.root_at(size).unwrap().0), root);
    }
    // RFC 6962's neighbours in that tree have these paths.
    let node = |hex: &str| {
        let mut hash = Hash::of_nothing();
        hash.0.copy_from_slice(&from_hex(hex));
        hash
    };
    let path = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    .map(node);
    assert_eq!(tree.inclusion(0, 8).unwrap().hashes(), path);
    assert_eq!(tree.consistency(1, 8).unwrap().hashes(), path);
}

#[test]
fn roots_and_proofs_are_those_of_the_definition_at_every_size() {
    const SIZES: usize = 200;
    let leaves = leaves(SIZES as u64);
    let tree: Tree = leaves.iter().copied().collect();
    for size in 0..=SIZES {
        let d = &leaves[..size];
        let n = size as u64;
        assert_eq!(tree.root_at(n).unwrap(), definition::mth(d), "{size}");
        // Every index of the smaller trees, and of the larger ones both ends and some between.
        for m in (0..size).filter(|m| size <= 70 || m % 13 == 0 || m + 5 > size) {
            let proof = tree.inclusion(m as u64, n).unwrap();
            assert_eq!(proof.hashes(), definition::path(m, d), "{m} in {size}");
            assert_eq!(proof.check(leaves[m], &tree.head_at(n).unwrap()), Ok(()));
            let proof = tree.consistency(m as u64 + 1, n).unwrap();
            assert_eq!(proof.hashes(), definition::subproof(m + 1, d, true), "{} of {size}", m + 1);
            assert_eq!(proof.check(&tree.head_at(m as u64 + 1).unwrap(), &tree.head_at(n).unwrap()), Ok(()));
        }
    }
}

#[test]
fn what_the_tree_does_not_have_is_none_and_never_a_panic() {
    let tree: Tree = leaves(5).into_iter().collect();
    for (index, size) in [(0, 0), (5, 5), (4, 4), (0, 6), (u64::MAX, 5), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        assert!(tree.inclusion(index, size).is_none(), "{index} {size}");
    }
    for (old, new) in [(0, 0), (0, 5), (4, 3), (1, 6), (u64::MAX, 5), (1, u64::MAX), (u64::MAX, u64::MAX)] {
        assert!(tree.consistency(old, new).is_none(), "{old} {new}");
    }
    assert!(tree.root_at(6).is_none() && tree.root_at(u64::MAX).is_none());
    let empty = Tree::default();
    assert!(empty.is_empty() && empty.inclusion(0, 0).is_none() && empty.root_at(1).is_none());
}

/// What makes a million entries quick, counted instead of timed: each inner node is hashed once as it is filled, and a
/// proof is as long as the size has bits.
#[test]
fn a_large_tree_hashes_each_full_node_once_and_proves_in_as_many_steps_as_its_size_has_bits() {
    const SIZE: u64 = 100_000;
    let tree: Tree = leaves(SIZE).into_iter().collect();
    let nodes: usize = tree.levels.iter().skip(1).map(Vec::len).sum();
    assert_eq!(nodes as u64, SIZE - u64::from(SIZE.count_ones()));
    for index in [0, 1, SIZE / 2, 65_535, 65_536, 99_998, SIZE - 1] {
        let proof = tree.inclusion(index, SIZE).unwrap();
        assert!(proof.hashes().len() <= 17, "{index}: {}", proof.hashes().len());
        assert_eq!(proof.check(Hash::leaf(&index.to_be_bytes()), &tree.head()), Ok(()));
        let proof = tree.consistency(index + 1, SIZE).unwrap();
        assert!(proof.hashes().len() <= 18);
        assert_eq!(proof.check(&tree.head_at(index + 1).unwrap(), &tree.head()), Ok(()));
    }
}

#[test]
fn equal_trees_have_equal_bytes_and_only_their_leaves_are_written() {
    let leaves = leaves(300);
    let mut grown = Tree::default();
    grown.extend(leaves.iter().copied());
    let tree: Tree = leaves.iter().copied().collect();
    let bytes = postcard::to_stdvec(&tree).unwrap();
    assert_eq!(bytes, postcard::to_stdvec(&grown).unwrap());
    assert_eq!(bytes.len(), 300 * HASH_BYTES + 2);
    let read: Tree = postcard::from_bytes(&bytes).unwrap();
    assert_eq!((&read, read.head(), read.leaves()), (&tree, tree.head(), leaves.as_slice()));
    grown.push(Hash::of_nothing());
    assert_ne!(grown, tree);
    // A byte more or less is no tree.
    assert!(postcard::from_bytes::<Tree>(&postcard::to_stdvec(&ByteBuf::from(vec![0; 33])).unwrap()).is_err());
    assert!(postcard::from_bytes::<Tree>(&bytes[..bytes.len() - 1]).is_err());
}

/// Changes one bit of one of the hashes.
fn altered(hashes: &[Hash], at: usize, bit: usize) -> Vec<Hash> {
    let mut hashes = hashes.to_vec();
    hashes[at].0[bit / 8] ^= 1 << (bit % 8);
    hashes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_proof_of_inclusion_holds_and_none_that_was_altered(
        size in 1u64..600, index in any::<u64>(), at in any::<usize>(), bit in 0usize..256, other in any::<u64>(),
    ) {
        let leaves = leaves(600);
        let tree: Tree = leaves.iter().copied().collect();
        let index = index % size;
        let (leaf, head) = (leaves[usize::try_from(index).unwrap()], tree.head_at(size).unwrap());
        let proof = tree.inclusion(index, size).unwrap();
        prop_assert_eq!(proof.check(leaf, &head), Ok(()));
        let sent: InclusionProof = postcard::from_bytes(&postcard::to_stdvec(&proof).unwrap()).unwrap();
        prop_assert_eq!(&sent, &proof);
        let hashes = proof.hashes();
        if !hashes.is_empty() {
            let wrong = InclusionProof::new(index, size, altered(hashes, at % hashes.len(), bit)).unwrap();
            prop_assert_eq!(wrong.check(leaf, &head), Err(ProofRefusal::Root));
        }
        prop_assert_eq!(proof.check(altered(&[leaf], 0, bit)[0], &head), Err(ProofRefusal::Root));
        prop_assert_eq!(proof.check(leaf, &Head { root: altered(&[head.root], 0, bit)[0], size }), Err(ProofRefusal::Root));
        for wrong in [other % 600, index.wrapping_add(1), index.wrapping_sub(1), index ^ 2, other] {
            if wrong != index {
                let wrong = InclusionProof::new(wrong, size, hashes.to_vec()).unwrap();
                prop_assert!(wrong.check(leaf, &head).is_err());
            }
        }
        // Another size under the root of this one: the sizes are told apart by the head, which is signed.
        let wrong = 1 + other % 600;
        if wrong != size {
            let refusal = Err(ProofRefusal::OtherSize { proof: size, wanted: wrong });
            prop_assert_eq!(proof.check(leaf, &tree.head_at(wrong).unwrap()), refusal);
            let wrong = InclusionProof::new(index, wrong, hashes.to_vec()).unwrap();
            prop_assert!(wrong.check(leaf, &tree.head_at(wrong.size()).unwrap()).is_err());
        }
    }

    #[test]
    fn every_proof_of_consistency_holds_and_none_that_was_altered(
        new in 1u64..600, old in any::<u64>(), at in any::<usize>(), bit in 0usize..256, other in 0u64..600,
    ) {
        let tree: Tree = leaves(600).into_iter().collect();
        let old = 1 + old % new;
        let (before, after) = (tree.head_at(old).unwrap(), tree.head_at(new).unwrap());
        let proof = tree.consistency(old, new).unwrap();
        prop_assert_eq!(proof.check(&before, &after), Ok(()));
        let sent: ConsistencyProof = postcard::from_bytes(&postcard::to_stdvec(&proof).unwrap()).unwrap();
        prop_assert_eq!(&sent, &proof);
        let hashes = proof.hashes();
        if !hashes.is_empty() {
            let wrong = ConsistencyProof::new(old, new, altered(hashes, at % hashes.len(), bit)).unwrap();
            prop_assert!(matches!(wrong.check(&before, &after), Err(ProofRefusal::Root | ProofRefusal::OldRoot)));
        }
        for is_old in [true, false] {
            let (mut before, mut after) = (before, after);
            let head = if is_old { &mut before } else { &mut after };
            head.root = altered(&[head.root], 0, bit)[0];
            prop_assert!(proof.check(&before, &after).is_err());
        }
        if other != old && other != new {
            let wrong = tree.head_at(other).unwrap();
            prop_assert!(proof.check(&wrong, &after).is_err() && proof.check(&before, &wrong).is_err());
            let shown = ConsistencyProof::new(other, new, hashes.to_vec()).unwrap();
            prop_assert!(shown.check(&wrong, &after).is_err());
            let shown = ConsistencyProof::new(old, other, hashes.to_vec()).unwrap();
            prop_assert!(shown.check(&before, &wrong).is_err());
        }
        // A history that was rewritten has no proof: every leaf of the old tree counts.
        let rewritten: Tree = (0..new).map(|n| {
            let leaf = Hash::leaf(&n.to_be_bytes());
            if n == other % old { altered(&[leaf], 0, bit)[0] } else { leaf }
        }).collect();
        let proof = rewritten.consistency(old, new).unwrap();
        prop_assert!(proof.check(&before, &rewritten.head()).is_err());
    }
}
