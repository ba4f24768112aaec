//! What of conversations is shown, and how loudly.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use countersign_core::device::conversations::{Entry, Order};
use countersign_core::id::{ConversationId, DeviceLabel, MessageId, UserName};
use countersign_core::time::Wall;
use countersign_core::wire::conversations::Kind;

use super::*;

fn device(user: &str, device: &str) -> DeviceName {
    DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse(device).unwrap() }
}

fn told(by: &DeviceName, what: Said) -> Vec<String> {
    let own = device("alice", "laptop");
    let kind = Kind::Direct(own.user.clone(), UserName::parse("bob").unwrap());
    let entry =
        Entry { conversation: ConversationId([1; 16]), kind, room: None, place: 1, at: Wall(1), by: by.clone(), what };
    let mut desk = Desk::new(false);
    tell(&Line::new(entry), &own, &mut desk);
    let words = |saying| match saying {
        Saying::Notice(notice) => notice.to_string(),
        Saying::Loud(warning) => warning.split(':').next().unwrap().to_owned(),
        other @ (Saying::ForPrograms(_) | Saying::Hint(_)) => panic!("{other:?}"),
    };
    desk.sayings.into_iter().map(words).collect()
}

fn text(order: Order) -> Said {
    Said::Text { id: MessageId([1; 16]), written: Wall(1), text: "hello".into(), order }
}

#[test]
fn what_this_device_has_said_is_not_shown_and_what_another_of_ones_own_has_is() {
    assert_eq!(told(&device("bob", "laptop"), text(Order::Same)), ["[bob/laptop] hello"]);
    assert_eq!(told(&device("alice", "phone"), text(Order::Same)), ["[alice/phone to bob] hello"]);
    assert_eq!(told(&device("alice", "laptop"), text(Order::Same)), Vec::<String>::new());
    let joined = Said::Joined { members: vec![device("bob", "laptop")], declared: true };
    assert_eq!(told(&device("alice", "laptop"), joined), ["in the conversation with bob are now bob/laptop"]);
}

#[test]
fn what_the_server_has_kept_back_or_not_said_is_loud() {
    assert_eq!(told(&device("bob", "laptop"), text(Order::Other)), ["WARNING", "[bob/laptop] hello"]);
    let changed = Said::Changed { came: vec![device("bob", "phone")], went: vec![], declared: false };
    let line = "in the conversation with bob is now also: bob/phone";
    assert_eq!(told(&device("bob", "laptop"), changed), ["WARNING", line]);
}

#[test]
fn who_does_not_take_part_says_so() {
    let mut desk = Desk::new(false);
    taking_part(None, &mut desk);
    let [Saying::Notice(Notice::Warning { reason })] = desk.sayings.make_contiguous() else { panic!("{desk:?}") };
    assert!(reason.contains("messages are shown there and not here"), "{reason}");
}
