//! What makes another hash.

use countersign_core::id::ConnId;

use super::*;
use crate::trace::Keep;

fn hash(at_us: u64, seen: &Seen<'_>) -> String {
    let mut trace = Trace::new(Keep::default());
    fold(&mut trace, &mut Fields::default(), at_us, seen);
    trace.finish_hex()
}

#[test]
fn time_end_and_every_byte_of_a_segment_are_in_the_hash() {
    let segment = |conn, to, bytes| Seen::Delivered { conn: ConnId(conn), to, bytes, flipped: false };
    let one = hash(1, &segment(1, Side::Listener, b"ab"));
    assert_eq!(one, hash(1, &segment(1, Side::Listener, b"ab")));
    assert_ne!(one, hash(2, &segment(1, Side::Listener, b"ab")));
    assert_ne!(one, hash(1, &segment(2, Side::Listener, b"ab")));
    assert_ne!(one, hash(1, &segment(1, Side::Dialler, b"ab")));
    assert_ne!(one, hash(1, &segment(1, Side::Listener, b"ac")));
}
