//! A damaged byte, wherever it is, has no effect or ends its connection with a reason on both sides; it never becomes
//! another line, name or account.

use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::ConnId;
use sim::config::{Flip, SimConfig};
use sim::rng::{Draw, Streams};
use sim::run::{Outcome, run};
use sim::story::is_direct;
use sim::trace::Keep;
use sim::world::watch::Fate;

/// How many runs are damaged, and how often each.
const RUNS: u64 = 10;
const FLIPS: u64 = 10;

/// A run in which nothing goes wrong but what the flip does: segments still come as they like.
fn config(seed: u64) -> SimConfig {
    SimConfig { devices: 3, storm_s: 40, pace_ms: 400, ..SimConfig::draw(seed).without_faults() }
}

/// How many bytes the storm has carried, to and from the relay or else between devices.
fn carried(outcome: &Outcome, direct: bool) -> u64 {
    outcome.storm_bytes.iter().filter(|(conn, _)| is_direct(**conn) == direct).flat_map(|(_, bytes)| bytes).sum()
}

/// The place of the `nth` byte of those.
fn place(outcome: &Outcome, direct: bool, mut nth: u64) -> Option<Flip> {
    for (conn, bytes) in outcome.storm_bytes.iter().filter(|(conn, _)| is_direct(**conn) == direct) {
        for (length, to_relay) in bytes.iter().zip([true, false]) {
            if nth < *length {
                return Some(Flip { conn: conn.0, to_relay, offset: nth });
            }
            nth -= length;
        }
    }
    None
}

/// What came of one damaged byte.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// It never arrived: the connection was over before.
    Nowhere,
    /// It arrived and nothing at all was different.
    None,
    /// One of the two ends noticed, and both had a reason.
    Noticed,
}

fn effect(flip: Flip, plain: &Outcome, damaged: &Outcome) -> Effect {
    assert_eq!(damaged.objection, None, "{flip}");
    let fate = damaged.fates.get(&ConnId(flip.conn)).expect("the connection was there before the flip");
    if !fate.flipped {
        assert_eq!(damaged.hash, plain.hash, "{flip} never arrived and changed the run");
        return Effect::Nowhere;
    }
    let unmarked = |fate: &Fate| Fate { flipped: false, ..fate.clone() };
    let as_plain = damaged.fates.iter().map(|(conn, fate)| (*conn, unmarked(fate))).collect();
    let lines =
        |outcome: &Outcome| ["lines said", "lines heard", "opened"].map(|what| outcome.tally.count("call", what));
    if plain.fates == as_plain && lines(plain) == lines(damaged) {
        return Effect::None;
    }
    let relay = fate.relay.unwrap_or_else(|| panic!("{flip}: the relay has no reason"));
    let device = fate.device.as_deref().unwrap_or_else(|| panic!("{flip}: the device has no reason"));
    let noticed_by_relay = matches!(
        relay,
        CloseReason::Fault(
            Fault::BadRecord | Fault::NotTls | Fault::WrongTlsVersion | Fault::WrongAlpn | Fault::NoAlpn
        ) | CloseReason::TimedOut
            | CloseReason::Alert(_)
    );
    let noticed_by_device = ["fault ", "alert ", "TimedOut", "Truncated"].iter().any(|start| device.starts_with(start));
    assert!(noticed_by_relay || noticed_by_device, "{flip}: {relay:?}, {device}");
    Effect::Noticed
}

#[test]
fn a_byte_flipped_at_any_of_100_places_is_noticed_or_has_no_effect() {
    let mut effects = Vec::new();
    for seed in 0..RUNS {
        let config = config(seed);
        let plain = run(&config, Keep::default());
        assert_eq!(plain.objection, None);
        let total = carried(&plain, false);
        let rng = &mut Streams::new(seed).stream("flips");
        for _ in 0..FLIPS {
            let flip = place(&plain, false, rng.below(total)).expect("a place within the run");
            let damaged = run(&SimConfig { flip: Some(flip), ..config.clone() }, Keep::default());
            effects.push(effect(flip, &plain, &damaged));
        }
    }
    let noticed = effects.iter().filter(|effect| **effect == Effect::Noticed).count();
    assert!(noticed >= 80, "only {noticed} of {} were noticed: {effects:?}", effects.len());
}

#[test]
fn a_byte_flipped_in_a_handshake_of_each_kind_is_noticed_too() {
    // The first bytes of a run are enrolments, then come devices; each way, each part of the first flights.
    let config = config(1);
    let plain = run(&config, Keep::default());
    for conn in [1, 2] {
        for to_relay in [true, false] {
            for offset in [0, 1, 2, 3, 4, 5, 9, 44, 80, 130, 200, 400, 900] {
                let flip = Flip { conn, to_relay, offset };
                let damaged = run(&SimConfig { flip: Some(flip), ..config.clone() }, Keep::default());
                effect(flip, &plain, &damaged);
            }
        }
    }
}

#[test]
fn a_byte_flipped_between_two_devices_costs_that_way_and_never_a_line() {
    let (mut arrived, mut lost) = (0, 0);
    for seed in 0..6 {
        let config = SimConfig { tunnel_only_percent: 0, ..config(seed) };
        let plain = run(&config, Keep::default());
        assert_eq!(plain.objection, None);
        let (total, rng) = (carried(&plain, true), &mut Streams::new(seed).stream("flips/direct"));
        for _ in 0..8 {
            let flip = place(&plain, true, rng.below(total)).expect("a place within the run");
            let damaged = run(&SimConfig { flip: Some(flip), ..config.clone() }, Keep::default());
            // Delivery and the other oracles have seen it all.
            assert_eq!(damaged.objection, None, "{flip}");
            if !damaged.fates.get(&ConnId(flip.conn)).is_some_and(|fate| fate.flipped) {
                assert_eq!(damaged.hash, plain.hash, "{flip} never arrived and changed the run");
                continue;
            }
            arrived += 1;
            let moved = |outcome: &Outcome| outcome.tally.sum("call moved", "tunnel: ");
            lost += u64::from(moved(&damaged) > moved(&plain));
        }
    }
    assert!(arrived >= 30 && lost * 2 >= arrived, "{arrived} arrived, and {lost} cost a way");
}
