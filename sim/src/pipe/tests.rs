//! What a pipe promises, over many random lives of one.

use rand_core::Rng;

use super::*;
use crate::rng::Streams;

/// A pipe as wild as `seed` says, with `writes` of random bytes at growing times.
fn run(seed: u64, change: impl FnOnce(&mut Pipe)) -> (Vec<u8>, Vec<Segment>, Pipe) {
    let mut rng = Streams::new(seed).secret("pipe");
    let min = rng.below(1_000);
    let mut pipe = Pipe::new(PipeConfig {
        latency_min_us: min,
        latency_max_us: min + rng.below(100_000),
        split_percent: rng.below(101),
        merge_percent: rng.below(101),
        segments_max: usize::try_from(rng.between(1, 40)).expect("small"),
        flip: None,
    });
    change(&mut pipe);
    let (mut sent, mut arrived, mut now) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rng.below(20) {
        now += rng.below(20_000);
        let mut bytes = vec![0; usize::try_from(rng.below(3_000)).expect("small")];
        rng.fill_bytes(&mut bytes);
        let segments = pipe.write(now, &bytes, &mut rng);
        assert!(segments.len() <= pipe.config.segments_max);
        assert!(segments.iter().all(|segment| segment.at_us >= now + min));
        sent.extend(bytes);
        arrived.extend(segments);
    }
    (sent, arrived, pipe)
}

fn joined(segments: &[Segment]) -> Vec<u8> {
    segments.iter().flat_map(|segment| segment.bytes.clone()).collect()
}

#[test]
fn every_byte_arrives_once_and_in_order_however_it_is_cut() {
    let mut pieces = 0;
    for seed in 0..200 {
        let (sent, arrived, pipe) = run(seed, |_| ());
        assert!(arrived.is_sorted_by_key(|segment| segment.at_us), "seed {seed}");
        assert!(arrived.iter().all(|segment| !segment.bytes.is_empty()), "seed {seed}");
        assert_eq!(joined(&arrived), sent, "seed {seed}");
        assert_eq!(pipe.written(), count(sent.len()));
        assert!(!pipe.flipped());
        pieces += arrived.len();
    }
    assert!(pieces > 2_000, "hardly anything was split: {pieces} pieces");
}

#[test]
fn the_same_stream_of_random_numbers_gives_the_same_arrivals() {
    for seed in 0..20 {
        assert_eq!(run(seed, |_| ()).1, run(seed, |_| ()).1);
    }
    assert_ne!(run(1, |_| ()).1, run(2, |_| ()).1);
}

#[test]
fn pieces_sometimes_arrive_together_and_sometimes_apart() {
    let mut rng = Streams::new(1).stream("pipe");
    let mut pipe = Pipe::new(PipeConfig {
        latency_max_us: 10_000,
        split_percent: 100,
        merge_percent: 50,
        segments_max: 100,
        ..PipeConfig::calm(10)
    });
    let segments = pipe.write(0, &vec![7; 50_000], &mut rng);
    let pairs = || segments.iter().zip(segments.iter().skip(1));
    assert!(pairs().any(|(a, b)| a.at_us == b.at_us));
    assert!(pairs().any(|(a, b)| a.at_us < b.at_us));
    assert!(segments.iter().any(|segment| segment.bytes.len() == 1));
}

#[test]
fn a_calm_pipe_delivers_whole_writes_after_its_latency() {
    let mut rng = Streams::new(1).stream("pipe");
    let mut pipe = Pipe::new(PipeConfig::calm(250));
    let whole = |at_us, bytes: &[u8]| vec![Segment { at_us, bytes: bytes.to_vec(), flipped: false }];
    assert_eq!(pipe.write(1_000, b"one", &mut rng), whole(1_250, b"one"));
    assert_eq!(pipe.write(1_000, b"", &mut rng), []);
    assert_eq!(pipe.write(1_001, b"two", &mut rng), whole(1_251, b"two"));
}

#[test]
fn the_flip_damages_one_bit_at_exactly_its_offset_and_nothing_else() {
    let mut happened = 0;
    for seed in 0..200 {
        let (sent, plain, _) = run(seed, |_| ());
        let target = seed * 37;
        let (_, damaged, pipe) = run(seed, |pipe| pipe.config.flip = Some(target));
        let mut expected = sent;
        if let Some(byte) = expected.get_mut(usize::try_from(target).expect("small")) {
            *byte ^= 1 << (target % 8);
            happened += 1;
            assert!(pipe.flipped());
            assert_eq!(damaged.iter().filter(|segment| segment.flipped).count(), 1);
        } else {
            assert!(!pipe.flipped());
        }
        assert_eq!(joined(&damaged), expected, "seed {seed}");
        let shape = |segments: &[Segment]| segments.iter().map(|s| (s.at_us, s.bytes.len())).collect::<Vec<_>>();
        assert_eq!(shape(&plain), shape(&damaged), "the flip moved something, seed {seed}");
    }
    assert!(happened > 50, "the flip was tried only {happened} times");
}

#[test]
fn after_a_cut_nothing_arrives_and_what_came_before_is_unchanged() {
    for seed in 0..200 {
        let (_, plain, _) = run(seed, |_| ());
        let cut_us = seed * 1_000;
        let (_, rest, pipe) = run(seed, |pipe| {
            pipe.cut(cut_us);
            pipe.cut(cut_us + 1);
        });
        let expected: Vec<_> = plain.into_iter().filter(|segment| segment.at_us < cut_us).collect();
        assert_eq!(rest, expected, "seed {seed}");
        assert!(pipe.delivers(cut_us.saturating_sub(1)) || cut_us == 0);
        assert!(!pipe.delivers(cut_us));
    }
}

#[test]
fn a_byte_that_a_cut_swallows_was_not_flipped() {
    let mut rng = Streams::new(1).stream("pipe");
    let mut pipe = Pipe::new(PipeConfig { flip: Some(0), ..PipeConfig::calm(10) });
    pipe.cut(5);
    assert_eq!(pipe.write(0, b"gone", &mut rng), []);
    assert!(!pipe.flipped());
    assert_eq!(pipe.end(0, &mut rng), None);
}

#[test]
fn the_end_comes_after_the_last_byte_and_nothing_after_the_end() {
    for seed in 0..50 {
        let (_, arrived, mut pipe) = run(seed, |_| ());
        let mut rng = Streams::new(seed).stream("end");
        let end_us = pipe.end(0, &mut rng).expect("not cut");
        assert!(arrived.last().is_none_or(|segment| segment.at_us <= end_us));
        assert_eq!(pipe.write(0, b"late", &mut rng), []);
    }
}

#[test]
fn nothing_arrives_before_the_reader_knows_of_the_stream() {
    for seed in 0..50 {
        let mut rng = Streams::new(seed).stream("open");
        let config = PipeConfig { latency_max_us: 10_000, ..PipeConfig::calm(10) };
        let mut pipe = Pipe::new(config);
        let open_us = pipe.open(0, &mut rng).expect("not cut");
        let segments = pipe.write(1, b"first", &mut rng);
        assert!(segments.iter().all(|segment| segment.at_us >= open_us), "seed {seed}");
        pipe.cut(0);
        assert_eq!(pipe.open(2, &mut rng), None);
    }
}
