//! What may be in a mailbox, and what may not.

use super::*;
use crate::oracles::tests::{Stage, entry, text};

/// Two who are in, and one has written to the other.
fn written() -> (Stage, Mailbox) {
    let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Mailbox::default());
    stage.both_in(&mut oracle);
    stage.writes(0, 1, "bob", "hello").show(&mut oracle).expect("alice may write");
    (stage, oracle)
}

#[test]
fn what_is_posted_is_on_each_device_that_is_there() {
    let (stage, mut oracle) = written();
    let sent = || stage.hears(0, ConversationEvent::Sent(SendId(1), entry(2, "alice", text("hello"))));
    for step in [stage.kept(0, 2, "alice", text("hello")), sent()] {
        assert_eq!(step.show(&mut oracle), Ok(()));
    }
    stage.all_there(&mut oracle);
    assert!(oracle.see(4, &Seen::Phase(Phase::Shutdown)).is_err(), "bob lacks it");
    assert_eq!(stage.kept(1, 2, "alice", text("hello")).show(&mut oracle), Ok(()));
    assert_eq!(oracle.see(4, &Seen::Phase(Phase::Shutdown)), Ok(()));
}

#[test]
fn who_is_not_there_may_lack_it() {
    let (stage, mut oracle) = written();
    stage.kept(0, 2, "alice", text("hello")).show(&mut oracle).expect("alice has it");
    assert_eq!(oracle.see(4, &Seen::Phase(Phase::Shutdown)), Ok(()));
}

#[test]
fn what_nobody_wrote_or_somebody_else_or_to_somebody_else_or_comes_twice_or_in_another_order_is_objected_to() {
    let (stage, mut oracle) = written();
    assert!(stage.kept(1, 2, "alice", text("hullo!")).show(&mut oracle).is_err(), "nobody wrote it");
    assert!(stage.kept(1, 2, "bob", text("hello")).show(&mut oracle).is_err(), "alice did");
    stage.writes(0, 2, "carol", "for carol").show(&mut oracle).expect("alice may write");
    assert!(stage.kept(1, 2, "alice", text("for carol")).show(&mut oracle).is_err(), "bob is not carol");
    assert_eq!(stage.kept(1, 3, "alice", text("hello")).show(&mut oracle), Ok(()));
    assert!(stage.kept(1, 4, "alice", text("hello")).show(&mut oracle).is_err(), "twice");
    stage.writes(0, 3, "bob", "and more").show(&mut oracle).expect("alice may write");
    assert!(stage.kept(1, 2, "alice", text("and more")).show(&mut oracle).is_err(), "after a later place");
}

#[test]
fn what_can_not_be_read_or_was_not_seen_in_the_same_order_is_objected_to_where_the_relay_is_honest() {
    let other = |what| {
        if let Said::Text { id, written, text, .. } = what {
            Said::Text { id, written, text, order: Order::Other }
        } else {
            what
        }
    };
    for what in [Said::Unreadable(Unreadable::Sealed), other(text("hello"))] {
        let (stage, mut oracle) = written();
        assert!(stage.kept(1, 2, "alice", what.clone()).show(&mut oracle).is_err());
        let (stage, mut oracle) = written();
        oracle.lied_to = true;
        assert_eq!(stage.kept(1, 2, "alice", what).show(&mut oracle), Ok(()));
    }
}

#[test]
fn another_text_is_not_the_one_that_was_sent() {
    let (stage, mut oracle) = written();
    let sent = stage.hears(0, ConversationEvent::Sent(SendId(1), entry(2, "alice", text("hullo!"))));
    assert!(sent.show(&mut oracle).is_err());
}
