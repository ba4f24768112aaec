//! A device that follows a log: what it takes, what it refuses, and what it keeps as evidence.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Fingerprint, Realm};
use crate::limits::{LOG_ENTRIES_MAX, NOTE_NAME_BYTES_MAX};
use crate::pki::SecretKey;
use crate::testing::{START, rng};
use crate::tlog::checkpoint::LogSigner;
use crate::tlog::hash::Hash;
use crate::tlog::tree::Tree;

/// An act with a number.
fn act(n: u8) -> Leaf {
    Leaf::Rotation { from: Fingerprint([n; 32]), to: Fingerprint([n.wrapping_add(1); 32]), at: START }
}

fn log(acts: impl IntoIterator<Item = u8>) -> Tree {
    acts.into_iter().map(|n| act(n).leaf_hash()).collect()
}

fn signer() -> LogSigner {
    LogSigner::new(NoteName::of_log(&Realm::default(), 1), SecretKey::draw(&mut rng(1)))
}

/// A view of a log at a size.
fn view(tree: &Tree, size: u64) -> View {
    View::begin(signer().sign(tree.head_at(size).unwrap()))
}

#[test]
fn a_log_that_grows_is_followed_with_proofs_and_not_without() {
    let tree = log(0..20);
    let at = |size| signer().sign(tree.head_at(size).unwrap());
    let mut view = view(&tree, 5);
    assert_eq!(view.advance(at(5), None), Ok(Advance::Same));
    assert_eq!(view.advance(at(12), None), Err(ViewRefusal::Unproven { ours: 5, theirs: 12 }));
    let unfit = tree.consistency(5, 13);
    let refusal = ViewRefusal::Proof(ProofRefusal::OtherSize { proof: 13, wanted: 12 });
    assert_eq!(view.advance(at(12), unfit.as_ref()), Err(refusal));
    assert_eq!(view.newest().head().size, 5, "nothing that was refused is kept");
    assert_eq!(view.advance(at(12), tree.consistency(5, 12).as_ref()), Ok(Advance::Moved { from: 5 }));
    assert_eq!(view.newest(), &at(12));
}

#[test]
fn an_older_checkpoint_is_believed_with_a_proof_and_changes_nothing() {
    let tree = log(0..20);
    let at = |size| signer().sign(tree.head_at(size).unwrap());
    let mut view = view(&tree, 12);
    assert_eq!(view.advance(at(5), None), Err(ViewRefusal::Older { ours: 12, theirs: 5 }));
    assert_eq!(view.advance(at(5), tree.consistency(5, 12).as_ref()), Ok(Advance::Behind));
    let unfit = tree.consistency(4, 12);
    let refusal = ViewRefusal::Proof(ProofRefusal::OtherSize { proof: 4, wanted: 5 });
    assert_eq!(view.advance(at(5), unfit.as_ref()), Err(refusal));
    assert_eq!(view.newest(), &at(12));
}

#[test]
fn everything_goes_on_from_nothing_without_a_proof() {
    let tree = log(0..3);
    let at = |size| signer().sign(tree.head_at(size).unwrap());
    let mut view = view(&tree, 0);
    assert_eq!(view.advance(at(0), None), Ok(Advance::Same));
    assert_eq!(view.advance(at(3), None), Ok(Advance::Moved { from: 0 }));
    assert_eq!(view.advance(at(0), None), Ok(Advance::Behind));
    assert_eq!(view.newest(), &at(3));
}

#[test]
fn two_roots_of_one_size_are_a_split_with_evidence_that_anybody_can_check() {
    let (tree, other) = (log(0..8), log((0..7).chain([99])));
    let mut view = view(&tree, 8);
    let theirs = signer().sign(other.head());
    let Err(ViewRefusal::Split(split)) = view.advance(theirs.clone(), None) else { panic!("no split") };
    assert_eq!((split.one(), split.other()), (view.newest(), &theirs));
    // Two texts and the log's key are enough.
    let (one, other) = (split.one().to_string(), split.other().to_string());
    let key = signer().key().clone();
    let open = |text: &str| key.open(text.as_bytes()).unwrap();
    assert_eq!(Split::of(open(&one), open(&other)).as_ref(), Some(&*split));
    // What does not contradict itself is no evidence: the same, another size, another log, another key.
    assert_eq!(Split::of(open(&one), open(&one)), None);
    assert_eq!(Split::of(open(&one), signer().sign(tree.head_at(7).unwrap())), None);
    let origin = NoteName::of_log(&Realm::default(), 2);
    let elsewhere = LogSigner::new(origin, SecretKey::draw(&mut rng(1))).sign(*theirs.head());
    assert_eq!(Split::of(open(&one), elsewhere), None);
    let stranger = LogSigner::new(key.origin().clone(), SecretKey::draw(&mut rng(2))).sign(*theirs.head());
    assert_eq!(Split::of(open(&one), stranger), None);
}

#[test]
fn a_history_that_was_rewritten_has_no_proof_in_either_direction() {
    let honest = log(0..20);
    let forged = log((0..3).chain([99]).chain(4..20));
    let mut view = view(&honest, 12);
    let at = |size| signer().sign(forged.head_at(size).unwrap());
    // The forger's best: the true proof of the forged history, or that of the honest one.
    for (size, proof, why) in [
        (15, forged.consistency(12, 15), ProofRefusal::OldRoot),
        (15, honest.consistency(12, 15), ProofRefusal::Root),
        (5, forged.consistency(5, 12), ProofRefusal::Root),
        (5, honest.consistency(5, 12), ProofRefusal::OldRoot),
    ] {
        let (ours, theirs) = (Box::new(view.newest().clone()), Box::new(at(size)));
        let refusal = ViewRefusal::Inconsistent { ours, theirs, why };
        assert_eq!(view.advance(at(size), proof.as_ref()), Err(refusal), "{size} {why:?}");
    }
    // Before the place that was altered both are one: a view that young can't know yet.
    let mut young = View::begin(signer().sign(honest.head_at(3).unwrap()));
    assert_eq!(young.advance(at(15), forged.consistency(3, 15).as_ref()), Ok(Advance::Moved { from: 3 }));
    assert_eq!(view.newest().head(), &honest.head_at(12).unwrap());
}

#[test]
fn another_log_or_another_key_is_never_taken_for_this_one() {
    let tree = log(0..8);
    let mut view = view(&tree, 5);
    let proof = tree.consistency(5, 8);
    let (ours, theirs) = (NoteName::of_log(&Realm::default(), 1), NoteName::of_log(&Realm::default(), 2));
    let restored = LogSigner::new(theirs.clone(), SecretKey::draw(&mut rng(1)));
    let refusal = ViewRefusal::OtherLog { theirs, ours: ours.clone() };
    assert_eq!(view.advance(restored.sign(tree.head()), proof.as_ref()), Err(refusal));
    let stranger = LogSigner::new(ours, SecretKey::draw(&mut rng(2)));
    assert_eq!(view.advance(stranger.sign(tree.head()), proof.as_ref()), Err(ViewRefusal::OtherKey));
    assert_eq!(view.advance(stranger.sign(tree.head_at(5).unwrap()), None), Err(ViewRefusal::OtherKey));
}

#[test]
fn an_act_is_believed_under_the_newest_checkpoint_and_under_no_other() {
    let tree = log(0..12);
    let mut view = view(&tree, 8);
    let included = view.believe(&act(5), &tree.inclusion(5, 8).unwrap()).unwrap();
    assert_eq!((included.leaf(), included.index(), included.under()), (&act(5), 5, view.newest()));
    assert_eq!(view.believe(&act(6), &tree.inclusion(5, 8).unwrap()), Err(ProofRefusal::Root));
    assert_eq!(
        view.believe(&act(99), &log(99..=99).inclusion(0, 1).unwrap()),
        Err(ProofRefusal::OtherSize { proof: 1, wanted: 8 })
    );
    // In the log by now, but not in what this device has seen of it.
    let proof = tree.inclusion(9, 12).unwrap();
    assert_eq!(view.believe(&act(9), &proof), Err(ProofRefusal::OtherSize { proof: 12, wanted: 8 }));
    view.advance(signer().sign(tree.head()), tree.consistency(8, 12).as_ref()).unwrap();
    assert!(view.believe(&act(9), &proof).is_ok());
}

#[test]
fn a_view_is_kept_as_its_checkpoint_and_checked_when_it_is_read() {
    let view = view(&log(0..8), 8);
    let text = view.to_string();
    let key = signer().key().clone();
    assert_eq!(View::restore(&key, text.as_bytes()), Ok(view));
    assert!(View::restore(&key, text.replace("\n8\n", "\n9\n").as_bytes()).is_err());
    // The largest: a log with the longest name and as many entries as there can be.
    let name = NoteName::parse(&"n".repeat(NOTE_NAME_BYTES_MAX)).unwrap();
    let head = Head { size: LOG_ENTRIES_MAX, root: Hash::of_nothing() };
    let largest = View::begin(LogSigner::new(name, SecretKey::draw(&mut rng(1))).sign(head)).to_string();
    assert!(largest.len() < 1000, "{} bytes", largest.len());
}

#[test]
fn every_refusal_is_a_sentence_that_says_what_to_do_or_what_it_means() {
    let tree = log(0..8);
    let at = |size| Box::new(signer().sign(tree.head_at(size).unwrap()));
    let name = |n| NoteName::of_log(&Realm::default(), n);
    let split = Split::of(signer().sign(tree.head()), signer().sign(log(1..9).head())).unwrap();
    for (refusal, part) in [
        (ViewRefusal::OtherLog { theirs: name(2), ours: name(1) }, "restored from a backup"),
        (ViewRefusal::OtherKey, "ask the operator"),
        (ViewRefusal::Split(Box::new(split)), "two different logs of 8 entries"),
        (ViewRefusal::Inconsistent { ours: at(8), theirs: at(5), why: ProofRefusal::Root }, "keep the evidence"),
        (ViewRefusal::Unproven { ours: 5, theirs: 8 }, "ask the server"),
        (ViewRefusal::Older { ours: 8, theirs: 5 }, "older backup"),
        (ViewRefusal::Proof(ProofRefusal::Length), "hashes"),
    ] {
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}
