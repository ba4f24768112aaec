//! Who has to read what is written in the calm.

use super::*;
use crate::oracles::tests::{Stage, text};

#[test]
fn what_is_written_in_the_calm_is_read_by_whoever_is_there() {
    let (stage, mut oracle) = (Stage::of(&["alice", "bob"]), Reunion::default());
    stage.both_in(&mut oracle);
    stage.all_there(&mut oracle);
    stage.writes(0, FIRST_PROBE.0, "bob", "hello").show(&mut oracle).expect("alice may write");
    stage.kept(0, 2, "alice", text("hello")).show(&mut oracle).expect("alice has it");
    assert!(oracle.see(4, &Seen::Phase(Phase::Shutdown)).is_err(), "bob lacks it");
    stage.kept(1, 2, "alice", text("hello")).show(&mut oracle).expect("bob has it");
    assert_eq!(oracle.see(4, &Seen::Phase(Phase::Shutdown)), Ok(()));
}

#[test]
fn who_can_not_write_in_the_calm_is_objected_to_unless_nobody_is_there() {
    for others in [&["alice", "bob"][..], &["alice"]] {
        let (stage, mut oracle) = (Stage::of(others), Reunion::default());
        for device in 0..others.len() {
            let said = text("earlier");
            stage.kept(device, 2, "alice", said).show(&mut oracle).expect("they may have it");
        }
        stage.all_there(&mut oracle);
        stage.writes(0, FIRST_PROBE.0, "bob", "hello").show(&mut oracle).expect("alice may write");
        stage.hears(0, ConversationEvent::NotSent(FIRST_PROBE, NotSent::Nobody)).show(&mut oracle).expect("told");
        assert_eq!(oracle.see(4, &Seen::Phase(Phase::Shutdown)).is_ok(), others.len() == 1);
    }
}
