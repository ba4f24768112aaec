//! What a meddler does to a stream of records, one kind of deed at a time.

use std::collections::BTreeSet;

use super::*;

const CONN: ConnId = ConnId(1);
const WAY: (ConnId, Side) = (CONN, Side::Listener);

/// The weight of one family of deeds.
type Weight = fn(&mut SimConfig) -> &mut u64;

/// A config in which everybody is met by a meddler who does this alone, often.
fn config(weight: Weight) -> SimConfig {
    let mut config = SimConfig { meddled_percent: 100, meddle_mean_bytes: 60, ..SimConfig::draw(1) };
    for field in [
        &mut config.meddle_flip_weight,
        &mut config.meddle_drop_weight,
        &mut config.meddle_double_weight,
        &mut config.meddle_replay_weight,
        &mut config.meddle_insert_weight,
    ] {
        *field = 0;
    }
    *weight(&mut config) = 1;
    config
}

/// Records that differ from each other.
fn stream(first: u8) -> Vec<u8> {
    (first..first + 40).flat_map(|n| [23, 3, 3, 0, 20].into_iter().chain(std::iter::repeat_n(n, 20))).collect()
}

fn pass(config: &SimConfig, seed: u64) -> (Vec<u8>, BTreeSet<Deed>) {
    let (mut meddlers, streams) = (Meddlers::default(), Streams::new(seed));
    let mut all = (Vec::new(), BTreeSet::new());
    // Something elsewhere, and in the other direction, that can be replayed.
    meddlers.pass(config, streams, (CONN, Side::Dialler), stream(100));
    meddlers.pass(config, streams, (ConnId(2), Side::Listener), stream(50));
    for part in stream(1).chunks(33) {
        let (bytes, deeds) = meddlers.pass(config, streams, WAY, part.to_vec());
        all.0.extend(bytes);
        all.1.extend(deeds);
    }
    all
}

#[test]
fn each_weight_brings_its_deeds_and_no_others() {
    let kinds: [(Weight, &[Deed]); 5] = [
        (|config| &mut config.meddle_flip_weight, &[Deed::FlippedBit]),
        (|config| &mut config.meddle_drop_weight, &[Deed::DroppedBytes, Deed::DroppedRecord]),
        (|config| &mut config.meddle_double_weight, &[Deed::DoubledBytes, Deed::DoubledRecord]),
        (
            |config| &mut config.meddle_replay_weight,
            &[Deed::ReplayedRecord, Deed::ReflectedRecord, Deed::ForeignRecord],
        ),
        (|config| &mut config.meddle_insert_weight, &[Deed::InsertedBytes, Deed::InsertedRecord]),
    ];
    let plain = stream(1);
    for (weight, deeds) in kinds {
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            let (bytes, done) = pass(&config(weight), seed);
            assert!(!done.is_empty() && bytes != plain, "{deeds:?}, seed {seed}");
            seen.extend(done);
        }
        assert_eq!(seen, deeds.iter().copied().collect());
    }
}

#[test]
fn what_is_flipped_keeps_its_length_and_what_is_dropped_or_put_in_does_not() {
    let plain = stream(1);
    for seed in 0..20 {
        assert_eq!(pass(&config(|config| &mut config.meddle_flip_weight), seed).0.len(), plain.len());
        assert!(pass(&config(|config| &mut config.meddle_drop_weight), seed).0.len() < plain.len());
        assert!(pass(&config(|config| &mut config.meddle_insert_weight), seed).0.len() > plain.len());
    }
}

#[test]
fn whole_records_are_replayed_and_they_have_passed_somewhere_before() {
    let (bytes, _) = pass(&config(|config| &mut config.meddle_replay_weight), 3);
    assert!(bytes.len().is_multiple_of(25));
    let known: BTreeSet<Vec<u8>> =
        [stream(1), stream(50), stream(100)].iter().flat_map(|all| all.chunks(25).map(<[u8]>::to_vec)).collect();
    assert!(bytes.chunks(25).all(|record| known.contains(record)));
}

#[test]
fn who_is_not_on_a_way_changes_nothing_there() {
    let mut config = config(|config| &mut config.meddle_flip_weight);
    config.meddled_percent = 0;
    assert_eq!(pass(&config, 1), (stream(1), BTreeSet::new()));
}
