//! What stands, for whom, and when it goes.

use super::*;
use crate::limits::{POSTED_BYTES_MAX, POSTED_MAX, POSTED_PER_CONVERSATION_MAX};

#[test]
fn a_message_stands_until_everybody_has_it_its_sender_too() {
    let mut ledger = with_room();
    assert_eq!(ledger.sends("alice", 1, 1), Conversed::Posted(ROOM, 2));
    let n = ledger.state.position().n;
    for user in ["alice", "bob"] {
        ledger.has(user, 2);
        assert_eq!((ledger.standing(), ledger.state.conversations().unneeded()), (vec![2], &[][..]), "{user}");
    }
    assert_eq!(ledger.posted_to("carol"), [2]);
    ledger.has("carol", 2);
    assert_eq!((ledger.standing(), ledger.state.conversations().unneeded()), (vec![], &[n][..]));
    assert_eq!((ledger.state.conversations().standing(), ledger.state.conversations().bytes()), (0, 0));
    ledger.has("carol", 2);
    assert_eq!(ledger.state.conversations().unneeded(), NOTHING, "it is told once");
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_message_sent_again_is_the_one_that_stands() {
    let mut ledger = with_room();
    assert_eq!(ledger.sends("alice", 1, 1), Conversed::Posted(ROOM, 2));
    ledger.commits("bob", 1, change(&[], &[]));
    assert_eq!(ledger.sends("alice", 1, 1), Conversed::PostedBefore(ROOM, 2), "whatever has become of the epoch");
    assert_eq!(ledger.sends("bob", 2, 1), refused(ConversationRefusal::Exists), "it is another one's number");
    assert_eq!(ledger.standing(), [2, 3]);
    for user in ["alice", "bob", "carol"] {
        ledger.has(user, 3);
    }
    assert_eq!(ledger.sends("alice", 2, 1), Conversed::Posted(ROOM, 4), "what does not stand is forgotten");
}

#[test]
fn a_device_is_posted_what_stands_from_its_coming_to_its_going_each_time() {
    let mut ledger = with_room();
    ledger.sends("alice", 1, 2);
    ledger.commits("alice", 1, change(&[], &["bob"]));
    ledger.sends("alice", 2, 4);
    ledger.commits("alice", 2, change(&["bob", "dora"], &[]));
    ledger.sends("alice", 3, 6);
    assert_eq!(ledger.posted_to("bob"), [2, 3, 5, 6], "what was between was not for it");
    assert_eq!(ledger.posted_to("dora"), [5, 6]);
    assert_eq!(ledger.posted_to("carol"), [2, 3, 4, 5, 6]);
    let came = |user: &str, place| ledger.room().seat(&laptop(user)).unwrap().came_at(place);
    assert!(came("bob", 5) && came("dora", 5) && !came("carol", 5) && !came("alice", 1));
    for user in ["alice", "carol"] {
        ledger.has(user, 6);
    }
    assert_eq!(ledger.standing(), [2, 3, 5, 6]);
    ledger.has("bob", 3);
    assert_eq!((ledger.standing(), ledger.posted_to("bob")), (vec![5, 6], vec![5, 6]));
    ledger.has("bob", 6);
    ledger.has("dora", 6);
    assert_eq!(ledger.standing(), NOTHING);
    ledger.commits("alice", 3, change(&[], &["bob"]));
    assert_eq!(ledger.state.conversations().seats(&laptop("bob")), 1);
    ledger.has("bob", 7);
    assert_eq!(ledger.state.conversations().seats(&laptop("bob")), 0, "the seat goes when all is acknowledged");
    assert!(ledger.room().seat(&laptop("bob")).is_none());
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn what_was_not_posted_is_not_acknowledged() {
    let mut ledger = with_room();
    ledger.sends("alice", 1, 2);
    ledger.has("bob", 3);
    ledger.has("dora", 2);
    assert_eq!(ledger.posted_to("bob"), [2], "nothing stands at 3 yet");
    ledger.has("bob", 2);
    ledger.has("bob", 1);
    assert_eq!(ledger.posted_to("bob"), NOTHING, "what was said stays said");
    ledger.sends("alice", 1, 3);
    assert_eq!(ledger.posted_to("bob"), [3]);
    ledger.converse(&Record::Acknowledged { of: vec![(laptop("bob"), vec![(OTHER, 1)])] });
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn a_revoked_device_holds_nothing_up_and_stays_until_it_is_removed() {
    let mut ledger = with_room();
    ledger.sends("alice", 1, 2);
    let n = ledger.state.position().n;
    for user in ["alice", "carol"] {
        ledger.has(user, 2);
    }
    ledger.revokes("bob");
    assert_eq!((ledger.standing(), ledger.state.conversations().unneeded()), (vec![], &[n][..]));
    assert!(ledger.room().has(&laptop("bob")));
    ledger.sends("alice", 1, 3);
    for user in ["alice", "carol"] {
        ledger.has(user, 3);
    }
    assert_eq!((ledger.standing(), ledger.posted_to("bob")), (vec![], vec![]));
    ledger.commits("alice", 1, change(&[], &["bob"]));
    assert!(ledger.room().seat(&laptop("bob")).is_none());
    assert_eq!(ledger.state.conversations().seats(&laptop("bob")), 0);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn who_has_left_and_is_revoked_then_leaves_nothing_behind() {
    let mut ledger = with_room();
    ledger.sends("alice", 1, 2);
    ledger.commits("alice", 1, change(&[], &["bob"]));
    for user in ["alice", "carol"] {
        ledger.has(user, 3);
    }
    assert_eq!(ledger.standing(), [2, 3]);
    ledger.revokes("bob");
    assert_eq!(ledger.standing(), NOTHING);
    assert!(ledger.room().seat(&laptop("bob")).is_none());
    assert_eq!(ledger.state.conversations().seats(&laptop("bob")), 0);
}

#[test]
fn what_was_kept_for_too_long_goes_and_whoever_comes_for_it_is_told() {
    let mut ledger = with_room();
    for id in 2..=5 {
        ledger.sends("alice", 1, id);
    }
    for user in ["alice", "bob"] {
        ledger.has(user, 3);
    }
    let later = Wall(START.0 + 1000);
    assert_eq!(ledger.state.conversations().older_than(later).collect::<Vec<_>>(), [(ROOM, 5)]);
    assert_eq!(ledger.state.conversations().older_than(START).count(), 0);
    ledger.converse(&Record::PostedExpired { conversation: ROOM, upto: 4, at: later });
    assert_eq!(ledger.standing(), [5]);
    assert_eq!(ledger.state.conversations().unneeded().len(), 3);
    assert_eq!(ledger.room().next_for(&laptop("carol"), 0), Some(Next::Expired(4, later)));
    assert_eq!(ledger.posted_to("carol"), [4, 5]);
    assert_eq!(ledger.posted_to("bob"), [4, 5]);
    ledger.has("carol", 4);
    assert_eq!(ledger.posted_to("carol"), [5]);
    // Beyond the end there is nothing to be forgotten, and nothing of what comes later either.
    ledger.converse(&Record::PostedExpired { conversation: ROOM, upto: 100, at: later });
    ledger.sends("alice", 1, 6);
    assert_eq!((ledger.standing(), ledger.posted_to("bob")), (vec![6], vec![5, 6]));
    assert_eq!(ledger.sends("alice", 1, 5), Conversed::Posted(ROOM, 7), "its number is free again");
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn so_much_stands_in_a_conversation_and_removals_find_room_beyond() {
    assert_eq!(super::super::POSTED_PER_CONVERSATION_MAX_V5, POSTED_PER_CONVERSATION_MAX);
    let mut ledger = with_room();
    let send = |ledger: &mut Ledger, n: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let (conversation, by, id) = (ROOM, laptop("alice"), MessageId(id));
        ledger.converse(&Record::MessagePosted { conversation, by, epoch: 1, id, bytes: 1, at: START })
    };
    for n in 0..POSTED_PER_CONVERSATION_MAX {
        assert!(matches!(send(&mut ledger, n), Conversed::Posted(..)));
    }
    assert_eq!(send(&mut ledger, usize::MAX), refused(ConversationRefusal::PostedFull));
    assert_eq!(ledger.commits("alice", 1, change(&["dora"], &[])), refused(ConversationRefusal::PostedFull));
    assert_eq!(ledger.commits("alice", 1, change(&[], &[])), refused(ConversationRefusal::PostedFull));
    assert!(matches!(ledger.commits("alice", 1, change(&[], &["carol"])), Conversed::Posted(..)));
    let last = ledger.room().last();
    for user in ["alice", "bob", "carol"] {
        ledger.has(user, last);
    }
    assert!(matches!(ledger.commits("alice", 2, change(&["dora"], &[])), Conversed::Posted(..)));
}

#[test]
fn so_much_stands_in_all_conversations_and_no_more() {
    assert_eq!(super::super::POSTED_MAX_V5, POSTED_MAX);
    assert_eq!(super::super::POSTED_BYTES_MAX_V5, POSTED_BYTES_MAX);
    for (standing, bytes, fits) in [
        (POSTED_MAX - 1, 0, true),
        (POSTED_MAX, 0, false),
        (0, POSTED_BYTES_MAX - 10, true),
        (0, POSTED_BYTES_MAX - 9, false),
    ] {
        let mut ledger = with_room();
        ledger.state.conversations.pretend(standing, bytes);
        let expected = if fits { Conversed::Posted(ROOM, 2) } else { refused(ConversationRefusal::PostedFull) };
        assert_eq!(ledger.sends("alice", 1, 1), expected, "{standing} {bytes}");
    }
}
