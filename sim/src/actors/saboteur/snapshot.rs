//! Decides how a snapshot is spoilt so that it still looks like one: its hash is that of what it says.

use countersign_core::id::Fingerprint;

/// What stands before the state: two versions and a hash.
const HEADER_BYTES: usize = 2 + 32;
/// What stands before the conversations: that there is a newest certificate of the relay, and its hash.
const RELAY_BYTES: usize = 1 + 32;

/// What stands last: eight things about conversations, of which a run has none.
const CONVERSATIONS: [u8; 8] = [0; 8];

/// A snapshot of the same state but for the relay's newest certificate, which it does not know.
pub(super) fn forgetful(bytes: &[u8]) -> Option<Vec<u8>> {
    let body = bytes.get(HEADER_BYTES..)?;
    let (known, relay) = body.strip_suffix(&CONVERSATIONS)?.split_last_chunk::<RELAY_BYTES>()?;
    let is_known = relay.first() == Some(&1);
    is_known.then(|| framed(bytes, &[known, &[0], &CONVERSATIONS[..]].concat()))?
}

/// A snapshot that says it is of the record after its own.
pub(super) fn misplaced(bytes: &[u8]) -> Option<Vec<u8>> {
    let body = bytes.get(HEADER_BYTES..)?;
    let (incarnation, rest) = body.split_at_checked(number_bytes(body)?)?;
    let (n, rest) = rest.split_at_checked(number_bytes(rest)?)?;
    let value = n.iter().rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f)) + 1;
    let mut next = Vec::new();
    let mut left = value;
    while left >= 0x80 {
        next.push(0x80 | u8::try_from(left & 0x7f).ok()?);
        left >>= 7;
    }
    next.push(u8::try_from(left).ok()?);
    framed(bytes, &[incarnation, &next, rest].concat())
}

/// How long the number is that stands first: seven bits a byte, and the highest says that more follow.
fn number_bytes(bytes: &[u8]) -> Option<usize> {
    Some(bytes.iter().position(|byte| byte & 0x80 == 0)? + 1)
}

/// Another state under the versions of a snapshot.
fn framed(like: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    Some([like.get(..2)?, &Fingerprint::of(body).0, body].concat())
}

#[cfg(test)]
mod tests {
    use countersign_core::id::{Fingerprint, Realm};
    use countersign_core::journal::{Record, State};

    use super::*;
    use crate::node::Clocks;
    use crate::rng::Streams;

    #[test]
    fn a_spoilt_snapshot_can_be_restored_and_differs_in_what_it_should() {
        let mut state = State::new(1 << 40);
        let at = Clocks::draw(Streams::new(1), "relay", 0).now(0).wall;
        let founded = Record::RealmFounded { realm: Realm::default(), root: Fingerprint([1; 32]), at };
        for n in 1..=200 {
            state.apply(n, &founded.encode()).expect("a record");
            let spoilt = misplaced(&state.snapshot().expect("small")).expect("a snapshot");
            let mut next = state.clone();
            next.apply(n + 1, &founded.encode()).expect("a record");
            assert_eq!(State::restore(&spoilt), Ok(next), "the same but for its place");
        }
        // A state that does not know the relay ends with that and with the conversations.
        let body = state.encode();
        assert!(
            body.ends_with(&[[0, 0].as_slice(), &CONVERSATIONS].concat()),
            "its form has changed: spoil another part"
        );
    }
}
