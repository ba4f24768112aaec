//! What streams and decisions promise.

use super::*;

fn first(mut rng: impl Chooser) -> [u64; 4] {
    [(); 4].map(|()| rng.number(u64::MAX))
}

#[test]
fn the_same_seed_and_name_give_the_same_stream() {
    assert_eq!(first(Streams::new(7).stream("faults")), first(Streams::new(7).stream("faults")));
}

#[test]
fn another_seed_or_name_gives_another_stream() {
    let here = first(Streams::new(7).stream("faults"));
    assert_ne!(here, first(Streams::new(8).stream("faults")));
    assert_ne!(here, first(Streams::new(7).stream("fault")));
    assert_ne!(here, first(Streams::new(7).stream("")));
}

/// If this fails, every seed that was written down names another run: change `DOMAIN` with it.
#[test]
fn the_derivation_is_what_it_was() {
    assert_eq!(Streams::new(1).stream("faults").number(u64::MAX), GOLDEN);
}

const GOLDEN: u64 = 16_130_214_140_975_374_065;

#[test]
fn drawing_from_one_stream_does_not_shift_another() {
    let streams = Streams::new(3);
    let undisturbed = first(streams.stream("b"));
    let mut a = streams.stream("a");
    let b = streams.stream("b");
    a.number(1);
    assert_eq!(first(b), undisturbed);
}

#[test]
fn below_stays_below_and_reaches_everything() {
    let mut rng = Streams::new(1).stream("below");
    let mut seen = [false; 6];
    for _ in 0..200 {
        let n = usize::try_from(rng.below(6)).expect("less than 6");
        *seen.get_mut(n).expect("less than 6") = true;
    }
    assert_eq!(seen, [true; 6]);
    assert_eq!(rng.below(1), 0);
    assert_eq!(scale(u64::MAX, u64::MAX), u64::MAX - 1);
    assert_eq!(scale(0, u64::MAX), 0);
}

#[test]
fn between_includes_both_ends() {
    let mut rng = Streams::new(1).stream("between");
    let drawn: std::collections::BTreeSet<u64> = (0..100).map(|_| rng.between(4, 6)).collect();
    assert_eq!(drawn, [4, 5, 6].into());
    assert_eq!(rng.between(u64::MAX, u64::MAX), u64::MAX);
    rng.between(0, u64::MAX);
}

#[test]
fn chance_is_never_at_zero_and_always_at_one() {
    let mut rng = Streams::new(1).stream("chance");
    assert!((0..100).all(|_| !rng.chance(0, 3)));
    assert!((0..100).all(|_| rng.chance(3, 3)));
    let hits = (0..10_000).filter(|_| rng.chance(1, 4)).count();
    assert!((2_300..2_700).contains(&hits), "{hits} of 10000");
}

#[test]
fn every_decision_takes_one_draw_even_when_it_is_certain() {
    let mut rng = Streams::new(1).stream("count");
    let mut plain = rng.clone();
    rng.chance(0, 5);
    rng.below(1);
    rng.between(9, 9);
    rng.between(0, u64::MAX);
    rng.pick(&[1]);
    for _ in 0..5 {
        plain.number(u64::MAX);
    }
    assert_eq!(first(rng), first(plain));
}

#[test]
fn the_helpers_work_behind_a_trait_object() {
    let mut rng = Streams::new(1).stream("dyn");
    let lent: &mut dyn Chooser = &mut rng;
    assert!(lent.below(10) < 10);
    assert_eq!(lent.pick::<u8>(&[]), None);
    assert_eq!(lent.pick(&["only"]), Some(&"only"));
}
