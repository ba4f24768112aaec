//! What both ends must agree on before a word is said.

use super::*;
use crate::id::Fingerprint;
use crate::testing::rng;
use crate::tlog::{Certified, Founder, Leaf, LogSigner, NoteName, Tree, VerifiedCheckpoint, View};
use crate::wire::peer::PeerMessage;

/// What a log of one entry has, signed by this key.
fn only(certified: &Certified, key: u64) -> Expected {
    let leaf = Leaf::DeviceCertificate(certified.clone());
    let tree: Tree = [leaf.leaf_hash()].into_iter().collect();
    let origin = NoteName::of_log(&crate::id::Realm::default(), 1);
    let signer = LogSigner::new(origin, crate::pki::SecretKey::draw(&mut rng(key)));
    let view = View::begin(signer.sign(tree.head()));
    let founder = Founder { key: certified.key, reissued: None };
    Expected::new(view.believe(&leaf, &tree.inclusion(0, 1).unwrap()).unwrap(), founder).unwrap()
}

fn closed(fault: Fault) -> PeerEvent {
    PeerEvent::Closed(CloseReason::Fault(fault))
}

#[test]
fn whoever_shows_a_certificate_that_the_log_does_not_have_is_not_spoken_to() {
    let [alice, bob, _] = people();
    let log = SmallLog::of(&[&alice, &bob]);
    let said = certified(&bob);
    let others = [
        Certified { certificate: Fingerprint([5; 32]), ..said.clone() },
        Certified { key: crate::id::KeyId([5; 32]), ..said.clone() },
        Certified { serial: crate::id::Serial::draw(&mut rng(5)), ..said },
    ];
    for other in others {
        let mut call = Call::expecting(&alice, &bob, only(&other, 77), log.expected(&alice));
        call.pump();
        let (caller, callee) = call.events();
        assert_eq!(caller, [closed(Fault::Certificate(CertRefusal::NotLogged))], "{other:?}");
        assert_eq!(callee, [PeerEvent::Closed(CloseReason::Theirs(Code::NOT_LOGGED))], "{other:?}");
    }
}

#[test]
fn a_caller_whose_certificate_the_log_does_not_have_is_not_welcome() {
    let [alice, bob, _] = people();
    let log = SmallLog::of(&[&alice, &bob]);
    let other = Certified { certificate: Fingerprint([5; 32]), ..certified(&alice) };
    let mut call = Call::expecting(&alice, &bob, log.expected(&bob), only(&other, 77));
    call.pump();
    let (caller, callee) = call.events();
    assert_eq!(callee, [closed(Fault::Certificate(CertRefusal::NotLogged))]);
    assert_eq!(caller, [PeerEvent::Closed(CloseReason::Theirs(Code::NOT_LOGGED))]);
}

#[test]
fn two_who_were_shown_different_histories_both_get_the_proof() {
    let [alice, bob, mallory] = people();
    let (one, other) = (SmallLog::of(&[&alice, &bob, &mallory]), SmallLog::of(&[&alice, &bob, &bob]));
    let mut call = Call::expecting(&alice, &bob, one.expected(&bob), other.expected(&alice));
    call.pump();
    let (caller, callee) = call.events();
    let heads = |events: &[PeerEvent]| match events {
        [PeerEvent::Split(split), PeerEvent::Closed(CloseReason::Fault(Fault::OtherLog))] => {
            [*split.one().head(), *split.other().head()]
        }
        _ => panic!("{events:?}"),
    };
    let (one, other) = (*one.checkpoint().head(), *other.checkpoint().head());
    assert_eq!(heads(&caller), [one, other]);
    assert_eq!(heads(&callee), [other, one]);
}

#[test]
fn a_checkpoint_of_another_log_ends_the_session_and_says_nothing() {
    let [alice, bob, mallory] = people();
    let now = SmallLog::of(&[&alice, &bob, &mallory]);
    let mut call = Call::expecting(&alice, &bob, now.expected(&bob), only(&certified(&alice), 78));
    call.pump();
    let (caller, callee) = call.events();
    assert_eq!(caller, [closed(Fault::OtherLog)]);
    assert_eq!(callee, [closed(Fault::OtherLog)]);
}

#[test]
fn a_checkpoint_of_another_moment_ends_the_session_and_each_has_the_others_to_ask_about() {
    let [alice, bob, mallory] = people();
    let (now, before) = (SmallLog::of(&[&alice, &bob, &mallory]), SmallLog::of(&[&alice, &bob]));
    let mut call = Call::expecting(&alice, &bob, now.expected(&bob), before.expected(&alice));
    call.pump();
    let other = |log: &SmallLog| PeerEvent::Other(Box::new(log.checkpoint()));
    assert_eq!(
        call.events(),
        ([other(&before), closed(Fault::OtherLog)].into(), [other(&now), closed(Fault::OtherLog)].into())
    );
}

#[test]
fn nobody_says_which_log_they_have_twice_or_not_at_all() {
    let [alice, bob, _] = people();
    let log = SmallLog::of(&[&alice, &bob]);
    let note = |checkpoint: VerifiedCheckpoint| checkpoint.to_string().into_bytes().into();
    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    call.caller.tunnelled(&PeerMessage::Checkpoint { note: note(log.checkpoint()) });
    call.pump();
    assert_eq!(call.events().1, [closed(Fault::Unexpected)], "the session is open");

    let mut agreement = Agreement::new(log.expected(&bob));
    assert!(!agreement.is_made());
    assert_eq!(agreement.hear(log.checkpoint().to_string().as_bytes()), Ok(()));
    assert_eq!(agreement.hear(log.checkpoint().to_string().as_bytes()), Err(Disagreement::Again));

    let mut call = Call::between(&alice, &bob, &bob, &alice);
    call.pump();
    call.events();
    (call.caller.open, call.caller.agreement) = (false, Agreement::new(log.expected(&bob)));
    call.callee.tunnelled(&PeerMessage::Welcome { extensions: Extensions::default() });
    call.pump();
    assert_eq!(call.events().0, [closed(Fault::Unexpected)], "a welcome before the other's checkpoint");
}
