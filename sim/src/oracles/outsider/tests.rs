//! Who may read what, and who may not.

use countersign_core::time::Wall;
use countersign_core::tlog::ReasonCode;

use super::*;
use crate::oracles::tests::{Stage, name, text};

/// One who knows of alice's and bob's laptops.
fn oracle() -> Outsider {
    Outsider { enrolled: ["alice", "bob"].map(name).into(), ..Outsider::default() }
}

#[test]
fn who_has_not_enrolled_or_is_neither_of_the_two_is_not_in() {
    for stranger in ["bob/tablet", "mallory"] {
        let (stage, mut oracle) = (Stage::of(&["alice"]), oracle());
        oracle.enrolled.insert(name("mallory"));
        let came = |who: &str| Said::Changed { came: vec![name(who)], went: Vec::new(), declared: true };
        assert_eq!(stage.kept(0, 1, "alice", came("bob")).show(&mut oracle), Ok(()));
        assert!(stage.kept(0, 2, "alice", came(stranger)).show(&mut oracle).is_err(), "{stranger}");
    }
}

#[test]
fn who_is_in_by_the_writers_word_may_read_and_nobody_else() {
    let (stage, mut oracle) = (Stage::of(&["alice", "bob", "mallory"]), oracle());
    stage.both_in(&mut oracle);
    for device in [0, 1] {
        assert_eq!(stage.kept(device, 2, "alice", text("hello")).show(&mut oracle), Ok(()));
    }
    assert_eq!(oracle.see(4, &Seen::Phase(Phase::Shutdown)), Ok(()));
    stage.kept(2, 2, "alice", text("hello")).show(&mut oracle).expect("nobody knows yet");
    assert!(oracle.see(4, &Seen::Phase(Phase::Shutdown)).is_err(), "mallory was not in");
}

#[test]
fn who_was_revoked_before_it_was_posted_may_not_read() {
    let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), oracle());
    stage.both_in(&mut oracle);
    let Said::Text { id, .. } = text("hello") else { return };
    let reason = ReasonCode::new(1).expect("a reason");
    let revoked = Record::DeviceRevoked { name: name("bob"), reason, force: false, at: Wall(0) };
    let (conversation, by) = (ConversationId([7; 16]), name("alice"));
    let posted = Record::MessagePosted { conversation, by, epoch: 1, id, bytes: 1, at: Wall(0) };
    for (after, is_ok) in [(false, true), (true, false)] {
        let mut records = vec![posted.encode(), revoked.encode()];
        if after {
            records.reverse();
        }
        let mut oracle = Outsider::default();
        oracle.see(1, &Seen::Durable(1, &records)).expect("records may be durable");
        assert_eq!(stage.kept(1, 2, "alice", text("hello")).show(&mut oracle).is_ok(), is_ok);
    }
}
