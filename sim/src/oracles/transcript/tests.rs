//! Two transcripts that may be, and two that may not.

use super::*;
use crate::oracles::tests::{Stage, text};

#[test]
fn two_who_are_in_have_the_same_at_each_place_and_all_between() {
    let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Transcript::default());
    stage.both_in(&mut oracle);
    for (device, place, said) in [(0, 2, "one"), (1, 2, "one"), (0, 3, "three"), (1, 4, "four"), (0, 4, "four")] {
        assert_eq!(stage.kept(device, place, "alice", text(said)).show(&mut oracle), Ok(()));
    }
    assert!(oracle.see(4, &Seen::Phase(Phase::Shutdown)).is_err(), "bob lacks the third");
    assert_eq!(stage.kept(1, 3, "alice", text("three")).show(&mut oracle), Ok(()));
    assert_eq!(oracle.see(4, &Seen::Phase(Phase::Shutdown)), Ok(()));
    assert!(stage.kept(0, 5, "alice", text("five")).show(&mut oracle).is_ok());
    assert!(stage.kept(1, 5, "alice", text("another")).show(&mut oracle).is_err());
}
