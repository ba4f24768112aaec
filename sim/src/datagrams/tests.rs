//! What a path for datagrams promises, over many random lives of one.

use std::collections::BTreeMap;

use super::*;
use crate::rng::Streams;

/// What was sent and when, what of it arrived, and the path.
type Life = (Vec<(u64, Vec<u8>)>, Vec<Arrival>, Path);

/// A path as wild as `seed` says, that config changed, with many random datagrams at growing times.
fn run(seed: u64, change: impl FnOnce(&mut PathConfig)) -> Life {
    let mut rng = Streams::new(seed).stream("path");
    let min = rng.below(1_000);
    let mut config = PathConfig {
        latency_min_us: min,
        latency_max_us: min + rng.below(50_000),
        loss_percent: rng.below(60),
        loss_run_max: rng.between(1, 5),
        double_percent: rng.below(60),
        reorder_percent: rng.below(60),
        reorder_max_us: rng.below(100_000),
        passes_bytes_max: usize::try_from(rng.between(500, 1_500)).expect("small"),
    };
    change(&mut config);
    let (mut path, mut sent, mut arrived, mut now) = (Path::new(config), Vec::new(), Vec::new(), 0);
    for _ in 0..60 {
        now += rng.below(20_000);
        let bytes: Vec<u8> = (0..rng.below(1_600)).map(|_| u8::try_from(rng.below(256)).expect("a byte")).collect();
        arrived.extend(path.send(now, &bytes, &mut rng).expect("none is too large for a socket"));
        sent.push((now, bytes));
    }
    (sent, arrived, path)
}

fn copies(arrived: &[Arrival]) -> BTreeMap<u64, u64> {
    let mut copies = BTreeMap::new();
    for arrival in arrived {
        *copies.entry(arrival.number).or_default() += 1;
    }
    copies
}

#[test]
fn a_datagram_arrives_whole_and_undamaged_once_or_twice_or_not_at_all_and_never_too_soon() {
    let (mut never, mut once, mut twice) = (0, 0, 0);
    for seed in 0..200 {
        let (sent, arrived, path) = run(seed, |_| ());
        for arrival in &arrived {
            let (sent_us, bytes) = &sent[usize::try_from(arrival.number).expect("small")];
            assert_eq!(&arrival.bytes, bytes, "seed {seed}");
            assert!(arrival.at_us >= sent_us + path.config.latency_min_us, "seed {seed}");
            assert!(bytes.len() <= path.config.passes_bytes_max, "seed {seed}");
        }
        let copies = copies(&arrived);
        assert!(copies.values().all(|count| *count <= 2));
        let counts = path.counts();
        assert_eq!(counts.sent, 60);
        assert_eq!(counts.sent - counts.lost - counts.too_large - counts.cut, copies.len() as u64, "seed {seed}");
        assert_eq!(counts.doubled, copies.values().filter(|count| **count == 2).count() as u64, "seed {seed}");
        never += 60 - copies.len();
        once += copies.values().filter(|count| **count == 1).count();
        twice += copies.values().filter(|count| **count == 2).count();
    }
    assert!(never > 1_000 && once > 1_000 && twice > 500, "{never} never, {once} once, {twice} twice");
}

#[test]
fn without_reordering_nothing_overtakes_and_with_it_much_does() {
    let mut overtaken = 0;
    for seed in 0..100 {
        let first = |arrived: Vec<Arrival>| {
            let mut first: BTreeMap<u64, u64> = BTreeMap::new();
            for arrival in arrived {
                let at_us = first.entry(arrival.number).or_insert(arrival.at_us);
                *at_us = (*at_us).min(arrival.at_us);
            }
            first.into_values().collect::<Vec<u64>>()
        };
        let (_, ordered, path) = run(seed, |config| config.reorder_percent = 0);
        assert!(ordered.is_sorted_by_key(|arrival| arrival.at_us), "seed {seed}");
        assert_eq!(path.counts().late, 0);
        let (_, wild, _) = run(seed, |config| (config.reorder_percent, config.reorder_max_us) = (50, 100_000));
        overtaken += u64::from(!first(wild).is_sorted());
    }
    assert!(overtaken > 80, "in {overtaken} of 100 runs something was overtaken");
}

#[test]
fn losses_come_in_runs_no_longer_than_the_config_says() {
    let (_, arrived, path) =
        run(3, |config| (config.loss_percent, config.loss_run_max, config.passes_bytes_max) = (10, 4, 5_000));
    let copies = copies(&arrived);
    let lost: Vec<u64> = (0..60).filter(|number| !copies.contains_key(number)).collect();
    assert_eq!(lost.len() as u64, path.counts().lost);
    assert!(lost.iter().zip(lost.iter().skip(1)).any(|(a, b)| a + 1 == *b), "no run at all: {lost:?}");
    let (_, all, _) = run(3, |config| (config.loss_percent, config.passes_bytes_max) = (0, 5_000));
    assert_eq!(self::copies(&all).len(), 60);
}

#[test]
fn a_fault_that_is_switched_off_changes_nothing_but_what_arrives() {
    for seed in 0..100 {
        let (sent, arrived, _) = run(seed, |config| config.loss_percent = 0);
        let (again, lossy, _) = run(seed, |config| config.loss_percent = 30);
        assert_eq!(sent, again, "seed {seed}");
        // Those that keep their order wait for those before them, so a loss can only make others sooner.
        let at = |arrived: &[Arrival]| {
            let soonest = arrived.iter().rev().map(|arrival| (arrival.number, arrival.at_us));
            soonest.collect::<BTreeMap<_, _>>()
        };
        let (full, part) = (at(&arrived), at(&lossy));
        assert!(part.iter().all(|(number, at_us)| full.get(number).is_some_and(|other| at_us <= other)), "{seed}");
        assert!(part.len() <= full.len());
    }
}

#[test]
fn the_same_stream_of_random_numbers_gives_the_same_arrivals() {
    for seed in 0..20 {
        assert_eq!(run(seed, |_| ()).1, run(seed, |_| ()).1);
    }
    assert_ne!(run(1, |_| ()).1, run(2, |_| ()).1);
}

#[test]
fn a_calm_path_delivers_each_once_after_its_latency() {
    let mut rng = Streams::new(1).stream("path");
    let mut path = Path::new(PathConfig::calm(250));
    let whole = |number, at_us, bytes: &[u8]| Ok(vec![Arrival { at_us, number, bytes: bytes.to_vec() }]);
    assert_eq!(path.send(1_000, b"one", &mut rng), whole(0, 1_250, b"one"));
    assert_eq!(path.send(1_001, b"", &mut rng), whole(1, 1_251, b""));
}

#[test]
fn what_no_socket_takes_is_refused_and_what_the_path_does_not_take_is_lost_unsaid() {
    let mut rng = Streams::new(1).stream("path");
    let mut path = Path::new(PathConfig { passes_bytes_max: 1_200, ..PathConfig::calm(250) });
    let bytes = vec![7; DATAGRAM_BYTES_MAX + 1];
    let refused = path.send(0, &bytes, &mut rng).expect_err("too large");
    assert_eq!(refused.to_string(), "a datagram has at most 65507 bytes: send these 65508 in several");
    assert_eq!(path.counts(), Counts::default());
    for (length, arrivals) in [(DATAGRAM_BYTES_MAX, 0), (1_201, 0), (1_200, 1)] {
        let sent = path.send(0, &bytes[..length], &mut rng).expect("a socket takes it");
        assert_eq!(sent.len(), arrivals);
    }
    assert_eq!(path.counts(), Counts { sent: 3, too_large: 2, ..Counts::default() });
}

#[test]
fn after_a_cut_nothing_arrives_until_it_is_mended() {
    let mut rng = Streams::new(1).stream("path");
    let mut path = Path::new(PathConfig::calm(10));
    path.cut(1_000);
    path.cut(2_000);
    assert_eq!(path.send(985, b"in time", &mut rng).map(|arrivals| arrivals.len()), Ok(1));
    assert_eq!(path.send(990, b"too late", &mut rng), Ok(Vec::new()));
    assert!(path.delivers(999) && !path.delivers(1_000));
    assert_eq!(path.counts().cut, 1);
    path.mend();
    assert_eq!(path.send(1_500, b"again", &mut rng).map(|arrivals| arrivals.len()), Ok(1));
}
