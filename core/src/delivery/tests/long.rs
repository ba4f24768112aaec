//! Long requests and long events: in pieces both ways, within their bounds.

use super::*;
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_DEVICES_MAX, LONG_BYTES_MAX, MESSAGE_SEALED_BYTES_MAX, PIECE_BYTES_MAX};

fn long_commit(length: usize) -> ConversationsRequest {
    let ConversationsRequest::Commit { ask, conversation, epoch, change, commit: _, welcome } =
        commit(1, &["carol"], &[])
    else {
        panic!("no commit")
    };
    ConversationsRequest::Commit { ask, conversation, epoch, change, commit: bytes(length - 40), welcome }
}

#[test]
fn the_longest_message_and_commit_go_in_pieces_both_ways() {
    let mut hall = Hall::in_a_room(&["alice", "bob"]);
    let carol = hall.town.enrol("carol");
    hall.identities.push(carol);
    hall.ask(0, message(1, 1, MESSAGE_SEALED_BYTES_MAX));
    assert_eq!(hall.is_posted(1), [(2, said(1, MESSAGE_SEALED_BYTES_MAX))]);
    assert_eq!(long_commit(COMMIT_BYTES_MAX + 1).check(), Err(Fault::Malformed));
    hall.ask(0, long_commit(COMMIT_BYTES_MAX));
    let change = RosterChange { add: vec![device_name("carol", "laptop")], remove: vec![] };
    assert_eq!(hall.is_posted(1), [(3, What::Commit { epoch: 1, change, commit: bytes(COMMIT_BYTES_MAX - 40) })]);
    assert_eq!(hall.is_posted(0), [(2, own(1)), (3, What::OwnCommit { epoch: 1 })]);
    // From the disk as from memory.
    hall.restart();
    let [Heard::Event(_), posted @ .., Heard::Event(ConversationsEvent::CaughtUp)] = &hall.hears(1)[..] else {
        panic!("something else was heard")
    };
    assert_eq!(posted.len(), 2);
    let roster = ["alice", "bob", "carol"].map(|user| device_name(user, "laptop")).to_vec();
    let welcome = What::Welcome { epoch: 2, kind: Kind::Room, roster, welcome: bytes(40) };
    assert_eq!(hall.is_posted(2), [(3, welcome)]);
}

#[test]
fn pieces_that_make_no_request_are_a_fault() {
    let piece = |bytes: &[u8], last| RelayRequest::Piece { bytes: ByteBuf::from(bytes), last };
    let too_many =
        ConversationsRequest::Take { ask: ASK, of: vec![device_name("alice", "laptop"); COMMIT_DEVICES_MAX + 1] };
    let not_sound = postcard::to_stdvec(&too_many).unwrap();
    let (first, second) = not_sound.split_at(9);
    for pieces in
        [vec![piece(&[0xff; 100], true)], vec![piece(first, false), piece(second, true)], vec![piece(&[], true)]]
    {
        let mut hall = Hall::of(&["alice"]);
        for piece in &pieces {
            hall.request(0, piece);
        }
        assert_eq!(hall.hears(0), [Heard::Ended(Code::MALFORMED)], "{pieces:?}");
    }
    let mut hall = Hall::of(&["alice"]);
    for _ in 0..LONG_BYTES_MAX / PIECE_BYTES_MAX {
        hall.request(0, &piece(&[0; PIECE_BYTES_MAX], false));
    }
    assert_eq!(hall.hears(0), []);
    hall.request(0, &piece(&[0], false));
    assert_eq!(hall.hears(0), [Heard::Ended(Code::MALFORMED)]);
}

#[test]
fn who_begins_a_long_message_beyond_what_all_may_is_parted_with() {
    let mut hall = Hall::of(&["alice"]);
    // As if others had begun so much.
    let others = (1_000..).map(ConnId);
    for (conn, _) in others.zip(0..=crate::limits::LONG_TOTAL_BYTES_MAX / LONG_BYTES_MAX) {
        for _ in 0..LONG_BYTES_MAX / PIECE_BYTES_MAX {
            let _ = hall.town.server.delivery_mut().pieces.take(conn, &[0; PIECE_BYTES_MAX], false);
        }
    }
    hall.request(0, &RelayRequest::Piece { bytes: bytes(PIECE_BYTES_MAX), last: false });
    let mut heard = hall.hears(0);
    for _ in 0..LONG_BYTES_MAX / PIECE_BYTES_MAX {
        if heard.is_empty() {
            hall.request(0, &RelayRequest::Piece { bytes: bytes(PIECE_BYTES_MAX), last: false });
            heard = hall.hears(0);
        }
    }
    assert_eq!(heard, [Heard::Ended(Code::BUSY)]);
}
