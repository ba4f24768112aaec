//! Who is told that a conversation lacks a device.

use super::*;
use crate::id::UserName;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// That the conversation lacks bob's laptop.
fn lacks_bob() -> Heard {
    Heard::Event(ConversationsEvent::Lacking { conversation: ROOM, devices: vec![device_name("bob", "laptop")] })
}

#[test]
fn who_left_key_packages_while_a_commit_was_put_together_is_named_to_those_who_are_in_after_it() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.ask(0, ConversationsRequest::Collect);
    hall.ask(0, found(ROOM, Kind::Direct(user("alice"), user("bob"))));
    let packages = vec![bytes(300)];
    hall.ask(1, ConversationsRequest::Publish { ask: ASK, last_resort: None, packages, not_after: LATE });
    assert!(!hall.hears(0).contains(&lacks_bob()), "alice has begun it, and adds nobody yet");
    hall.ask(0, commit(0, &[], &[]));
    assert!(hall.hears(0).contains(&lacks_bob()));
    hall.ask(0, commit(1, &["bob"], &[]));
    assert!(!hall.hears(0).contains(&lacks_bob()));
}

/// All their devices are out of it, and they come back by another: nobody else's word leads there.
#[test]
fn somebody_who_has_no_device_in_a_conversation_any_more_is_named_when_they_come_back() {
    let mut hall = Hall::of(&["alice", "bob"]);
    for who in 0..2 {
        hall.ask(who, ConversationsRequest::Collect);
    }
    hall.ask(0, found(ROOM, Kind::Direct(user("alice"), user("bob"))));
    hall.ask(0, commit(0, &["bob"], &[]));
    hall.ask(0, commit(1, &[], &["bob"]));
    hall.ask(1, acknowledge(2));
    hall.town.wait(ACKNOWLEDGE_AFTER);
    assert_eq!(hall.town.server.state().conversations().seats(&device_name("bob", "laptop")), 0);
    hall.hears(0);
    let packages = vec![bytes(300)];
    hall.ask(1, ConversationsRequest::Publish { ask: ASK, last_resort: None, packages, not_after: LATE });
    assert_eq!(hall.hears(0), [lacks_bob()]);
}
