//! Decides what somebody on the way does to the bytes that pass: flips, drops, doubles, replays, and puts in.
//!
//! They see records as anybody does, and have no key. The connections they meddle with are drawn, one by one.

use std::collections::{BTreeMap, VecDeque};

use countersign_core::id::ConnId;

use crate::config::SimConfig;
use crate::records::Records;
use crate::rng::{Choices, Draw, Streams};
use crate::story::weather::{Deed, Weather};
use crate::story::{Phase, Side};
use crate::world::World;

/// Half of the meddlers begin within so many bytes: there they meet what is said in the clear.
const HANDSHAKE_BYTES: u64 = 1_000;
/// How many earlier records of each direction are kept for later.
const OWN_MAX: usize = 6;
/// How many of all connections.
const ALL_MAX: usize = 48;
/// How many bytes are dropped, doubled or put in at once, at most.
const BYTES_MAX: u64 = 64;

/// All who meddle.
#[derive(Debug, Default)]
pub(super) struct Meddlers {
    /// Whoever is on the way of each connection, if anybody; drawn when something first passes.
    on: BTreeMap<ConnId, Option<Meddler>>,
    /// Records of all connections that are meddled with, the newest last.
    records: VecDeque<(ConnId, Vec<u8>)>,
}

/// Whoever is on the way of one connection.
#[derive(Debug)]
struct Meddler {
    rng: Choices,
    to_listener: Tap,
    to_dialler: Tap,
}

/// One direction, as far as it has passed.
#[derive(Debug, Default)]
struct Tap {
    records: Records,
    /// The record that passes.
    record: Vec<u8>,
    seen: VecDeque<Vec<u8>>,
    /// How many bytes pass before the next deed.
    rest: u64,
    /// What is done at the next place for it.
    wish: Option<Deed>,
    /// Whether a bit is to be flipped in a record's length: what follows is taken for the rest of it.
    aims: bool,
    /// How many more bytes are dropped.
    dropping: u64,
    drops_record: bool,
    doubles_record: bool,
}

impl Meddlers {
    /// What becomes of `bytes` on their way to one end of a connection, and by which deeds.
    fn pass(
        &mut self,
        config: &SimConfig,
        streams: Streams<'_>,
        (conn, to): (ConnId, Side),
        bytes: Vec<u8>,
    ) -> (Vec<u8>, Vec<Deed>) {
        let meddler = self.on.entry(conn).or_insert_with(|| {
            let mut rng = streams.stream(&format!("network/meddler/{conn}"));
            let meddles = rng.chance(config.meddled_percent, 100);
            let mut tap = || {
                let (early, late) = (rng.between(0, HANDSHAKE_BYTES), rng.between(0, 2 * config.meddle_mean_bytes));
                Tap { rest: if rng.chance(1, 2) { early } else { late }, ..Tap::default() }
            };
            let (to_listener, to_dialler) = (tap(), tap());
            meddles.then_some(Meddler { rng, to_listener, to_dialler })
        });
        match meddler {
            Some(meddler) => meddler.pass(config, (conn, to), &bytes, &mut self.records),
            None => (bytes, Vec::new()),
        }
    }
}

impl Meddler {
    fn pass(
        &mut self,
        config: &SimConfig,
        (conn, to): (ConnId, Side),
        bytes: &[u8],
        all: &mut VecDeque<(ConnId, Vec<u8>)>,
    ) -> (Vec<u8>, Vec<Deed>) {
        let Self { rng, to_listener, to_dialler } = self;
        let (tap, back) = match to {
            Side::Listener => (to_listener, &*to_dialler),
            Side::Dialler => (to_dialler, &*to_listener),
        };
        let (mut out, mut deeds) = (Vec::with_capacity(bytes.len()), Vec::new());
        for byte in bytes {
            if tap.rest == 0 && tap.wish.is_none() {
                tap.wish = draw_deed(config, rng);
                tap.aims = rng.chance(1, 2);
                tap.rest = rng.between(1, 2 * config.meddle_mean_bytes);
            }
            tap.rest = tap.rest.saturating_sub(1);
            let mut passes = *byte;
            let wish = tap.wish.filter(|deed| tap.is_place_for(*deed));
            if wish.is_some() {
                tap.wish = None;
            }
            if let Some(deed) = wish
                && tap.act(deed, rng, &mut passes, &mut out, &Others { conn, back, all })
            {
                deeds.push(deed);
            }
            if tap.dropping > 0 || tap.drops_record {
                tap.dropping = tap.dropping.saturating_sub(1);
            } else {
                out.push(passes);
            }
            tap.record.push(*byte);
            if tap.records.read(*byte) {
                let record = std::mem::take(&mut tap.record);
                if std::mem::take(&mut tap.doubles_record) {
                    out.extend(&record);
                }
                tap.drops_record = false;
                keep(all, (conn, record.clone()), ALL_MAX);
                keep(&mut tap.seen, record, OWN_MAX);
            }
        }
        (out, deeds)
    }
}

/// What has passed elsewhere.
struct Others<'a> {
    conn: ConnId,
    back: &'a Tap,
    all: &'a VecDeque<(ConnId, Vec<u8>)>,
}

impl Tap {
    /// Whether it can be done to, or before, the byte that passes next.
    fn is_place_for(&self, deed: Deed) -> bool {
        match deed {
            Deed::FlippedBit => !self.aims || self.records.is_at_length(),
            Deed::DroppedBytes | Deed::DoubledBytes | Deed::InsertedBytes => true,
            Deed::DroppedRecord
            | Deed::DoubledRecord
            | Deed::ReplayedRecord
            | Deed::ReflectedRecord
            | Deed::ForeignRecord
            | Deed::InsertedRecord => !self.records.is_inside(),
        }
    }

    /// Does it before, or to, the byte that passes: whether there was something to do.
    fn act(&mut self, deed: Deed, rng: &mut Choices, byte: &mut u8, out: &mut Vec<u8>, others: &Others<'_>) -> bool {
        let count = rng.between(1, BYTES_MAX);
        let length = usize::try_from(count).unwrap_or(1);
        let put_in = match deed {
            Deed::FlippedBit => {
                *byte ^= 1 << (count % 8);
                return true;
            }
            Deed::DroppedBytes => {
                self.dropping = count;
                return true;
            }
            Deed::DroppedRecord => {
                self.drops_record = true;
                return true;
            }
            Deed::DoubledRecord => {
                self.doubles_record = true;
                return true;
            }
            // Of what went by just now, as much as there is.
            Deed::DoubledBytes => {
                Some(self.record.get(self.record.len().saturating_sub(length)..).unwrap_or_default().to_vec())
            }
            Deed::ReplayedRecord => pick(rng, self.seen.iter()),
            Deed::ReflectedRecord => pick(rng, others.back.seen.iter()),
            Deed::ForeignRecord => {
                let foreign = others.all.iter().filter(|(conn, _)| *conn != others.conn);
                pick(rng, foreign.map(|(_, record)| record))
            }
            Deed::InsertedBytes => Some(noise(rng, length)),
            Deed::InsertedRecord => Some(forge(rng, length)),
        };
        let put_in = put_in.unwrap_or_default();
        out.extend(&put_in);
        !put_in.is_empty()
    }
}

fn draw_deed(config: &SimConfig, rng: &mut Choices) -> Option<Deed> {
    let families: [(u64, &[Deed]); 5] = [
        (config.meddle_flip_weight, &[Deed::FlippedBit]),
        (config.meddle_drop_weight, &[Deed::DroppedBytes, Deed::DroppedRecord]),
        (config.meddle_double_weight, &[Deed::DoubledBytes, Deed::DoubledRecord]),
        (config.meddle_replay_weight, &[Deed::ReplayedRecord, Deed::ReflectedRecord, Deed::ForeignRecord]),
        (config.meddle_insert_weight, &[Deed::InsertedBytes, Deed::InsertedRecord]),
    ];
    let total: u64 = families.iter().map(|(weight, _)| weight).sum();
    let mut left = rng.below(total.max(1));
    for (weight, deeds) in families {
        if left < weight {
            return rng.pick(deeds).copied();
        }
        left -= weight;
    }
    None
}

fn pick<'a>(rng: &mut Choices, records: impl Iterator<Item = &'a Vec<u8>>) -> Option<Vec<u8>> {
    let records: Vec<&Vec<u8>> = records.collect();
    rng.pick(&records).map(|record| (*record).clone())
}

fn byte(rng: &mut Choices) -> u8 {
    u8::try_from(rng.below(256)).unwrap_or(0)
}

fn noise(rng: &mut Choices, length: usize) -> Vec<u8> {
    (0..length).map(|_| byte(rng)).collect()
}

/// Something of the form of a record (RFC 8446 §5.1, §6, appendix D.4): an alert, a change of ciphers, a greeting of TLS
/// 1.2, or ciphertext that nobody sealed.
fn forge(rng: &mut Choices, length: usize) -> Vec<u8> {
    let alert = *rng.pick(&[0, 10, 20, 40, 42, 44, 45, 48, 49, 70, 80, 90, 112, 116, 120]).unwrap_or(&0);
    let sealed = noise(rng, length + 17);
    match rng.below(4) {
        0 => vec![21, 3, 3, 0, 2, if alert == 0 || alert == 90 { 1 } else { 2 }, alert],
        1 => vec![20, 3, 3, 0, 1, 1],
        2 => vec![22, 3, 3, 0, 4, 0, 0, 0, 0],
        _ => [vec![23, 3, 3, 0, u8::try_from(sealed.len()).unwrap_or(u8::MAX)], sealed].concat(),
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    queue.push_back(item);
    if queue.len() > most {
        queue.pop_front();
    }
}

impl World {
    /// What of an end's bytes goes on its way.
    pub(in crate::world) fn meddle(&mut self, conn: ConnId, by: Side, bytes: Vec<u8>) -> Vec<u8> {
        let to = by.other();
        let arrives = self.wires.get(&conn).is_some_and(|wire| wire.reads(to, self.now_us));
        if !arrives || self.phase != Phase::Storm {
            return bytes;
        }
        let network = &mut self.network;
        let (bytes, deeds) = network.meddlers.pass(&self.config, self.config.streams(), (conn, to), bytes);
        for deed in deeds {
            self.see_weather(&Weather::Meddled(conn, to, deed));
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
