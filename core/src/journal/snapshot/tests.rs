//! Snapshots: the state comes back whole, from every place of the journal, and what is no snapshot of it has its reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;

use super::super::tests::{Ledger, golden_3};
use super::*;

/// The golden journal's state after each record, the empty one first.
fn states(ledger: &Ledger) -> Vec<State> {
    let mut state = State::new(7);
    let mut states = vec![state.clone()];
    for (n, bytes) in (1..).zip(&ledger.bytes) {
        state.apply(n, bytes).unwrap();
        states.push(state.clone());
    }
    states
}

/// A snapshot with this state's bytes under its own hash.
fn framed(body: &[u8]) -> Vec<u8> {
    [&[FORMAT, RULES], &Fingerprint::of(body).0[..], body].concat()
}

fn restored(end: u64, snapshots: &[(u64, Vec<u8>)]) -> (State, Vec<(u64, SnapshotRefusal)>) {
    let mut passed_over = Vec::new();
    let end = Position { incarnation: 7, n: end };
    let snapshots = snapshots.iter().map(|(n, bytes)| (*n, bytes));
    let state = newest(end, snapshots, |n, refusal| passed_over.push((n, refusal)));
    (state, passed_over)
}

#[test]
fn a_state_comes_back_from_its_snapshot_at_every_place_and_goes_on_as_the_replay_does() {
    let ledger = golden_3();
    let states = states(&ledger);
    for (place, state) in states.iter().enumerate() {
        let mut back = State::restore(&state.snapshot().unwrap()).unwrap();
        assert_eq!(back, *state);
        assert_eq!(back.digest(), state.digest());
        for (n, bytes) in (1..).zip(&ledger.bytes).skip(place) {
            back.apply(n, bytes).unwrap();
        }
        assert_eq!(back, ledger.state);
        assert_eq!(back.log().head(), ledger.state.log().head());
    }
}

#[test]
fn a_snapshot_says_the_same_hash_of_itself_as_the_state_does() {
    let state = golden_3().state;
    assert_eq!(state.snapshot().unwrap()[2..34], state.digest().0);
    assert_eq!(state.snapshot().unwrap()[34..], state.encode());
}

/// If this fails, the state has another form than before, or the fold makes something else of the same records: raise
/// [`FORMAT`], and write the new bytes into the file. Nobody reads the old ones again: the test after this one shows that an
/// older program's snapshot is passed over.
#[test]
fn the_golden_snapshot_is_written_today_as_it_was_then_and_is_read_back() {
    let golden = crate::testing::from_hex(include_str!("../golden/snapshot.hex").trim_end());
    let today = golden_3().state;
    assert_eq!(golden[..2], [FORMAT, RULES]);
    assert_eq!(crate::testing::to_hex(&today.snapshot().unwrap()), crate::testing::to_hex(&golden));
    assert_eq!(State::restore(&golden), Ok(today));
}

#[test]
fn a_snapshot_of_another_program_is_passed_over_by_name_whether_it_is_older_or_newer() {
    let ledger = golden_3();
    let (end, good) = (ledger.state.position().n, ledger.state.snapshot().unwrap());
    for (at, by, refusal) in [
        (0, 1, SnapshotRefusal::Newer(FORMAT + 1, RULES)),
        (1, 1, SnapshotRefusal::Newer(FORMAT, RULES + 1)),
        (0, u8::MAX, SnapshotRefusal::Older(FORMAT - 1, RULES)),
        (1, u8::MAX, SnapshotRefusal::Older(FORMAT, RULES - 1)),
    ] {
        let mut other = good.clone();
        other[at] = other[at].wrapping_add(by);
        assert_eq!(State::restore(&other), Err(refusal));
        let (state, passed_over) = restored(end, &[(end, other)]);
        assert_eq!((state, passed_over), (State::new(7), vec![(end, refusal)]), "everything is to be folded");
    }
}

#[test]
fn every_cut_and_every_changed_byte_of_a_snapshot_is_refused() {
    let good = golden_3().state.snapshot().unwrap();
    for length in 0..good.len() {
        assert!(State::restore(&good[..length]).is_err(), "{length} bytes");
    }
    for at in 0..good.len() {
        let mut other = good.clone();
        other[at] ^= 1;
        let refusal = State::restore(&other).unwrap_err();
        assert_eq!(refusal == SnapshotRefusal::OtherDigest, at >= 2, "byte {at}: {refusal}");
    }
    let longer = framed(&[&good[34..], &[0]].concat());
    assert_eq!(State::restore(&longer), Err(SnapshotRefusal::Damaged));
    assert_eq!(State::restore(&framed(&[])), Err(SnapshotRefusal::Damaged));
}

/// In each place of a state where a length stands, one that no memory holds.
#[test]
fn a_length_that_nothing_stands_behind_takes_no_memory() {
    let body = golden_3().state.encode();
    let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for at in 0..body.len() {
        let claimed = [&body[..at], &endless, &body[at..]].concat();
        // Some places are in the middle of a number, which may well read otherwise.
        let _ = State::restore(&framed(&claimed));
    }
}

#[test]
fn a_snapshot_at_its_bound_is_looked_at_and_one_byte_more_is_too_long() {
    let zeros = vec![0; SNAPSHOT_BYTES_MAX + 1];
    assert_eq!(State::restore(&zeros), Err(SnapshotRefusal::TooLong));
    assert_eq!(State::restore(&zeros[1..]), Err(SnapshotRefusal::Older(0, 0)));
    let state = golden_3().state;
    let length = state.snapshot().unwrap().len();
    assert!(state.snapshot_within(length).is_some() && state.snapshot_within(length - 1).is_none());
}

#[test]
fn the_newest_that_can_be_used_is_gone_on_from_and_the_others_have_their_reasons() {
    let ledger = golden_3();
    let states = states(&ledger);
    let end = ledger.state.position().n;
    let good = |place: usize| (place as u64, states[place].snapshot().unwrap());
    let damaged = |place: usize| {
        let (n, mut bytes) = good(place);
        *bytes.last_mut().unwrap() ^= 0x40;
        (n, bytes)
    };
    assert_eq!(restored(end, &[good(9), good(5)]), (states[9].clone(), vec![]));
    let passed = vec![(9, SnapshotRefusal::OtherDigest)];
    assert_eq!(restored(end, &[damaged(9), good(5)]), (states[5].clone(), passed.clone()));
    let both = [passed, vec![(5, SnapshotRefusal::OtherDigest)]].concat();
    assert_eq!(restored(end, &[damaged(9), damaged(5)]), (State::new(7), both));
    assert_eq!(restored(end, &[]), (State::new(7), vec![]));
    let misplaced = SnapshotRefusal::OtherPlace { kept_for: 8, found: 9 };
    assert_eq!(restored(end, &[(8, good(9).1), good(5)]), (states[5].clone(), vec![(8, misplaced)]));
    assert_eq!(restored(8, &[good(9), good(5)]), (states[5].clone(), vec![(9, SnapshotRefusal::BeyondEnd)]));
    assert_eq!(restored(9, &[good(9)]).0, states[9]);
    let elsewhere = (0, State::new(8).snapshot().unwrap());
    assert_eq!(restored(end, &[elsewhere]), (State::new(7), vec![(0, SnapshotRefusal::OtherIncarnation)]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_snapshot_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = State::restore(&bytes);
        let _ = State::restore(&framed(&bytes));
    }

    #[test]
    fn whatever_stands_under_its_own_hash_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        cut in 0..40_usize,
        instead in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let body = golden_3().state.encode();
        let at = at.index(body.len());
        let behind = (at + cut).min(body.len());
        let changed = [&body[..at], &instead, &body[behind..]].concat();
        if let Ok(state) = State::restore(&framed(&changed)) {
            // What is read has one form, so that it comes back the same.
            let again = state.snapshot().unwrap();
            prop_assert_eq!(State::restore(&again), Ok(state));
        }
    }
}
