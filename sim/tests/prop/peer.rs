//! Two peer sessions over a tunnel and a direct connection, which come, break and vanish at random: each end hears the
//! other's lines once and in order, whatever ways they took; and who ends in good order has heard them all.

mod errands;
mod ways;

use std::time::Duration;

use countersign_core::fault::CloseReason;
use countersign_core::limits::LINE_BYTES_MAX;
use countersign_core::peer::SayRefusal;
use countersign_core::wire::Code;
use proptest::prelude::*;

use super::cases;
use ways::{Cut, Pair, Way};

#[derive(Clone, Debug)]
enum Act {
    /// An end says a line of so many bytes.
    Say(usize, usize),
    /// An end gets what is on its way to it: so many pieces or bytes.
    Carry(usize, Way, usize),
    /// An end's shell does what it was asked for: says addresses, listens, connects, or fails at it.
    Shell(usize, bool),
    /// An end loses the relay.
    LoseRelay(usize),
    /// The direct connection breaks.
    Break(Cut),
    Wait(Duration),
    HangUp(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let end = 0..2_usize;
    let length = prop_oneof![4 => 0..40_usize, 1 => 0..=LINE_BYTES_MAX];
    let way = prop::sample::select(vec![Way::Tunnel, Way::Direct]);
    let cut = prop::sample::select(vec![Cut::Both, Cut::One(0), Cut::One(1), Cut::Silent]);
    prop_oneof![
        24 => (end.clone(), length).prop_map(|(end, length)| Act::Say(end, length)),
        40 => (end.clone(), way, 1..4000_usize).prop_map(|(end, way, n)| Act::Carry(end, way, n)),
        10 => (end.clone(), prop::bool::weighted(0.95)).prop_map(|(end, works)| Act::Shell(end, works)),
        1 => end.clone().prop_map(Act::LoseRelay),
        3 => cut.prop_map(Act::Break),
        5 => (1..12_000_u64).prop_map(|ms| Act::Wait(Duration::from_millis(ms))),
        1 => end.prop_map(Act::HangUp),
    ]
}

fn play(pair: &mut Pair, act: &Act) -> Result<(), TestCaseError> {
    match *act {
        Act::Say(end, length) => {
            let (promised, open) = (pair.ends[end].peer.has_room(), pair.ends[end].peer.is_open());
            match pair.say(end, length) {
                Ok(()) => prop_assert!(open, "nobody has proved who they are"),
                Err(SayRefusal::Full) => prop_assert!(!promised && open, "there was room"),
                Err(SayRefusal::NotOpen) => prop_assert!(!open && !promised),
                Err(SayRefusal::TooLong) => prop_assert!(false, "no line is that long"),
            }
        }
        Act::Carry(end, way, n) => {
            pair.carry(end, way, n);
        }
        Act::Shell(end, works) => {
            pair.shell(end, works);
        }
        Act::LoseRelay(end) => pair.lose_relay(end),
        Act::Break(cut) => pair.cut(cut),
        Act::Wait(time) => pair.wait(time),
        Act::HangUp(end) => pair.hang_up(end),
    }
    heard_is_a_beginning(pair)
}

fn heard_is_a_beginning(pair: &Pair) -> Result<(), TestCaseError> {
    for end in 0..2 {
        let (heard, said) = (&pair.ends[end].heard, &pair.ends[1 - end].said);
        prop_assert!(heard.len() <= said.len(), "end {} hears more than was said", end);
        let lines = (0_u64..).zip(said).map(|(n, text)| (n, text.clone()));
        prop_assert!(lines.zip(heard).all(|(said, heard)| said == *heard), "end {} hears {:?}", end, heard);
    }
    Ok(())
}

/// Both have hung up, and whatever can still happen has happened.
fn whole_or_told(pair: &Pair) -> Result<(), TestCaseError> {
    for end in 0..2 {
        let (own, other) = (&pair.ends[end], &pair.ends[1 - end]);
        let Some(ended) = own.ended else {
            return Err(TestCaseError::fail(format!("end {end} never ends")));
        };
        let good = matches!(ended, CloseReason::Theirs(Code::FINISHED) | CloseReason::Ours(Code::FINISHED));
        if good {
            prop_assert_eq!(own.heard.len(), other.said.len(), "end {} ends with {:?}", end, ended);
        }
        prop_assert!(
            !matches!(ended, CloseReason::Fault(_) | CloseReason::Alert(_)),
            "two honest ends, and end {} believes in {:?}",
            end,
            ended
        );
    }
    let undisturbed = !pair.disturbed;
    let finished = |end: usize| {
        matches!(pair.ends[end].ended, Some(CloseReason::Theirs(Code::FINISHED) | CloseReason::Ours(Code::FINISHED)))
    };
    prop_assert!(!undisturbed || (finished(0) && finished(1)), "nothing was broken, and yet it broke");
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn lines_arrive_once_and_in_order_by_whatever_way_or_their_loss_is_told(
        begun in prop::bool::weighted(0.7),
        acts in prop::collection::vec(act(), 0..120),
    ) {
        let mut pair = Pair::new();
        if begun {
            // As most calls begin: both have proved themselves, and there is a direct connection.
            pair.rest();
        }
        for act in &acts {
            play(&mut pair, act)?;
        }
        pair.finish();
        heard_is_a_beginning(&pair)?;
        whole_or_told(&pair)?;
    }
}
