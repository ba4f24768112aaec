//! People write to each other: online or not, once and in order. Each test is a short story over memory.

use super::*;
use crate::device::conversations::{ConversationEvent, NotSent};
use crate::id::SendId;
use crate::limits::TEXT_BYTES_MAX;
use crate::testing::kept::Kept;

/// What somebody was told of conversations.
fn told(events: &[Event]) -> Vec<ConversationEvent> {
    let of = |event: &Event| if let Event::Conversation(event) = event { Some((**event).clone()) } else { None };
    events.iter().filter_map(of).collect()
}

#[test]
fn what_is_too_long_or_nothing_is_not_sent_and_the_user_is_told_at_once() {
    let mut town = Town::of(&[]);
    let alice = town.enrol("alice");
    let alice = town.join_conversing(alice, Kept::default());
    for (n, text) in [(1, String::new()), (2, "x".repeat(TEXT_BYTES_MAX + 1))] {
        town.news(alice);
        town.command(alice, Command::Send(SendId(n), user("bob"), text));
        assert_eq!(told(&town.news(alice)), [ConversationEvent::NotSent(SendId(n), NotSent::Length)]);
    }
}
