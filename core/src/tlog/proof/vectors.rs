//! The vectors of transparency-dev/merkle (`vectors/merkle`): 518 proofs, of which 36 prove what they say.
//!
//! | file | what is called |
//! | --- | --- |
//! | `inclusion`, `subtreeinclusion` | [`InclusionProof::check`]; in a subtree, with index and size counted from its start |
//! | `consistency`, `subtreeconsistency` | [`ConsistencyProof::check`]: the subtrees there begin with the first leaf, or are none |
//!
//! A [`Hash`] has 32 bytes, so what is shorter or longer is refused where it is read, as it would be on the wire.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use base64ct::{Base64, Encoding};
use serde_json::Value;

use super::*;
use crate::testing::vectors;

/// One of the vectors.
struct Vector(Value);

impl Vector {
    fn of(file: &str) -> Vec<Self> {
        let text = String::from_utf8(vectors::file(&format!("merkle/{file}.jsonl"))).unwrap();
        text.lines().map(|line| Self(serde_json::from_str(line).unwrap())).collect()
    }

    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }

    fn hash(&self, name: &str) -> Option<Hash> {
        hash(&self.0[name])
    }

    /// A root, where it is only compared: some vectors have a few words in its place.
    fn words(&self, name: &str) -> Option<Hash> {
        let mut bytes = Base64::decode_vec(self.0[name].as_str().unwrap()).unwrap();
        if bytes.starts_with(b"don't care") {
            bytes.resize(32, 0);
        }
        Some(Hash(bytes.try_into().ok()?))
    }

    fn hashes(&self) -> Option<Vec<Hash>> {
        self.0["proof"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(hash).collect()
    }

    /// Compares a verdict with the one that is written there; `true` if both are that it proves something.
    fn holds(&self, verdict: Option<()>) -> bool {
        assert_eq!(verdict.is_none(), self.0["wantErr"].as_bool().unwrap(), "{}", self.0["file"]);
        verdict.is_some()
    }
}

fn hash(text: &Value) -> Option<Hash> {
    Hash::from_base64(text.as_str().unwrap())
}

/// Whether the tree has a node over these leaves: the start is a multiple of the power of two that they reach into.
fn is_node(start: u64, end: u64) -> bool {
    let width = end.checked_sub(start).and_then(u64::checked_next_power_of_two);
    width.is_some_and(|width| start.is_multiple_of(width))
}

fn included(index: u64, size: u64, vector: &Vector) -> Option<()> {
    let head = Head { size, root: vector.hash("root")? };
    InclusionProof::new(index, size, vector.hashes()?).ok()?.check(vector.hash("leafHash")?, &head).ok()
}

fn consistent(old: u64, new: u64, vector: &Vector) -> Option<()> {
    let (before, after) = (vector.words("root1")?, vector.words("root2")?);
    let proof = ConsistencyProof::new(old, new, vector.hashes()?).ok()?;
    proof.check(&Head { size: old, root: before }, &Head { size: new, root: after }).ok()
}

/// Gives how many vectors there were, and how many of them hold.
fn counted(file: &str, verdict: impl Fn(&Vector) -> Option<()>) -> (usize, usize) {
    let vectors = Vector::of(file);
    (vectors.len(), vectors.iter().filter(|vector| vector.holds(verdict(vector))).count())
}

#[test]
fn all_proofs_of_inclusion_are_judged_as_they_are_by_others() {
    let whole = |vector: &Vector| included(vector.number("leafIdx"), vector.number("treeSize"), vector);
    assert_eq!(counted("inclusion", whole), (98, 6));
    let part = |vector: &Vector| {
        let (start, end) = (vector.number("start"), vector.number("end"));
        let index = vector.number("leafIdx").checked_sub(start)?;
        if is_node(start, end) { included(index, end - start, vector) } else { None }
    };
    assert_eq!(counted("subtreeinclusion", part), (204, 12));
}

#[test]
fn all_proofs_of_consistency_are_judged_as_they_are_by_others() {
    let whole = |vector: &Vector| consistent(vector.number("size1"), vector.number("size2"), vector);
    assert_eq!(counted("consistency", whole), (98, 6));
    let part = |vector: &Vector| {
        let (start, end, size) = (vector.number("start"), vector.number("end"), vector.number("size"));
        if start == end {
            // Nothing is a part of every tree. A log is never asked about it, so here it is said by hand.
            assert_eq!(consistent(end - start, size, vector), None);
            let is_nothing = vector.words("root1") == Some(Hash::of_nothing()) && vector.hashes()?.is_empty();
            return (end <= size && is_nothing).then_some(());
        }
        assert_eq!(is_node(start, end), start == 0, "a subtree in the middle, which has no meaning in a log");
        if start == 0 { consistent(end, size, vector) } else { None }
    };
    assert_eq!(counted("subtreeconsistency", part), (118, 12));
}
