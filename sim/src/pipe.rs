//! Decides when, and in which pieces, the bytes of one direction of a stream arrive.
//!
//! What TCP promises is kept: bytes arrive in order, once, and undamaged unless a flip is asked for. What it doesn't
//! promise is drawn: how long they take and where they are cut, so that a reader which hopes to see one frame in one
//! read is found out. The pipe holds no bytes and knows no queue: a write answers at once with all its arrivals.

use crate::rng::{Chooser, Draw};

/// How one direction of a stream behaves. Plain data: the pipe has no other source of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeConfig {
    /// The shortest way, in microseconds.
    pub latency_min_us: u64,
    /// The longest way, in microseconds; not less than the shortest (if it is, the shortest counts).
    pub latency_max_us: u64,
    /// How many percent of the pieces are split further; 0 leaves every write whole.
    pub split_percent: u64,
    /// How many percent of the pieces arrive together with the one before, when that is still on its way.
    pub merge_percent: u64,
    /// The most pieces of one write, so that a long write can't fill the queue; the last takes what is left.
    pub segments_max: usize,
    /// Damages one bit of the byte at this offset, counted from 0 over the pipe's whole life.
    pub flip: Option<u64>,
}

impl PipeConfig {
    /// A pipe without faults: every write arrives whole, after `latency_us`.
    pub fn calm(latency_us: u64) -> Self {
        Self {
            latency_min_us: latency_us,
            latency_max_us: latency_us,
            split_percent: 0,
            merge_percent: 0,
            segments_max: 1,
            flip: None,
        }
    }
}

/// Bytes that arrive together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When, in microseconds.
    pub at_us: u64,
    /// What; never empty.
    pub bytes: Vec<u8>,
    /// Whether one of the bytes is the damaged one.
    pub flipped: bool,
}

/// One direction of a byte stream.
#[derive(Clone, Debug)]
pub struct Pipe {
    config: PipeConfig,
    /// How many bytes were written so far: the offset of the next one.
    written: u64,
    /// The newest arrival. Nothing written later arrives earlier.
    newest_us: u64,
    /// From when on nothing arrives.
    cut_us: Option<u64>,
    ended: bool,
    flipped: bool,
}

impl Pipe {
    /// A pipe that nothing was written to yet.
    pub fn new(config: PipeConfig) -> Self {
        Self { config, written: 0, newest_us: 0, cut_us: None, ended: false, flipped: false }
    }

    /// Writes `bytes` and answers with all their arrivals, in order; together they hold exactly `bytes`, apart from
    /// the flip, what a cut swallows, and what is written after the end, which goes nowhere.
    ///
    /// Pieces that arrive at one time are pieces a reader may get in one read.
    #[must_use]
    pub fn write(&mut self, now_us: u64, bytes: &[u8], rng: &mut dyn Chooser) -> Vec<Segment> {
        let mut segments = Vec::new();
        if self.ended {
            return segments;
        }
        let mut rest = bytes;
        let mut pieces = 0;
        while !rest.is_empty() {
            pieces += 1;
            let length = if pieces < self.config.segments_max { self.piece(rest.len(), rng) } else { rest.len() };
            let (piece, after) = rest.split_at(length);
            rest = after;
            let at_us = self.arrival(now_us, rng);
            let offset = self.written;
            self.written = offset.saturating_add(count(piece.len()));
            // A cut pipe goes on drawing and counting, so that the cut changes nothing but what arrives.
            if self.delivers(at_us) {
                let mut bytes = piece.to_vec();
                let flipped = self.flip(offset, &mut bytes);
                segments.push(Segment { at_us, bytes, flipped });
            }
        }
        segments
    }

    /// Lets the reader know that the stream exists: when it learns of it, which is never after the first byte, or `None`
    /// if a cut comes first.
    pub fn open(&mut self, now_us: u64, rng: &mut dyn Chooser) -> Option<u64> {
        let at_us = self.arrival(now_us, rng);
        self.delivers(at_us).then_some(at_us)
    }

    /// Ends the stream in good order: when the reader learns of it, which is never before the last byte, or `None`
    /// if a cut comes first.
    pub fn end(&mut self, now_us: u64, rng: &mut dyn Chooser) -> Option<u64> {
        self.ended = true;
        let at_us = self.arrival(now_us, rng);
        self.delivers(at_us).then_some(at_us)
    }

    /// Cuts the pipe: from `at_us` on nothing arrives, whenever it was written. The earliest cut counts.
    ///
    /// Segments that [`write`](Self::write) gave out before are with the caller, who asks
    /// [`delivers`](Self::delivers) when their time comes.
    pub fn cut(&mut self, at_us: u64) {
        self.cut_us = Some(self.cut_us.map_or(at_us, |cut_us| cut_us.min(at_us)));
    }

    /// Whether what arrives at `at_us` still gets through.
    pub fn delivers(&self, at_us: u64) -> bool {
        self.cut_us.is_none_or(|cut_us| at_us < cut_us)
    }

    /// Whether the flip that the config asks for has happened: the byte was written and its arrival given out.
    pub fn flipped(&self) -> bool {
        self.flipped
    }

    /// How many bytes were written so far, with those that a cut swallowed.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The length of the next piece of `rest` bytes, from 1 to all of them.
    fn piece(&self, rest: usize, rng: &mut dyn Chooser) -> usize {
        if !rng.chance(self.config.split_percent, 100) {
            return rest;
        }
        // Half of the cuts are short: the interesting places (a length prefix, a record's header) are a few bytes long,
        // and an even choice over a long write would seldom hit them.
        let most = if rng.chance(1, 2) { count(rest).min(8) } else { count(rest) };
        usize::try_from(rng.between(1, most)).expect("not more than the length of a slice")
    }

    /// When the next piece arrives: after its own way, but never before what was sent earlier.
    fn arrival(&mut self, now_us: u64, rng: &mut dyn Chooser) -> u64 {
        let PipeConfig { latency_min_us: min, latency_max_us: max, .. } = self.config;
        let alone_us = now_us.saturating_add(rng.between(min, max.max(min)));
        let merged = rng.chance(self.config.merge_percent, 100);
        // Joining the piece before must not be faster than the shortest way.
        if !(merged && self.newest_us >= now_us.saturating_add(min)) {
            self.newest_us = self.newest_us.max(alone_us);
        }
        self.newest_us
    }

    /// Damages the byte that the config names, if it is one of `bytes`, which begin at `offset`.
    fn flip(&mut self, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(target) = self.config.flip else {
            return false;
        };
        let inside = target.checked_sub(offset).and_then(|index| usize::try_from(index).ok());
        let Some(byte) = inside.and_then(|index| bytes.get_mut(index)) else {
            return false;
        };
        // The offset also chooses the bit: a draw would shift everything that comes after, and a run with the flip
        // could not be compared with the same run without it.
        *byte ^= 1 << (target % 8);
        self.flipped = true;
        true
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("no slice is longer than u64 counts")
}

#[cfg(test)]
mod tests;
