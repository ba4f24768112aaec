//! Decides what the two ends of a connection learn of each other: as TCP has it, bytes in order and then an end.

use countersign_core::id::ConnId;

use super::event::Event;
use crate::config::SimConfig;
use crate::pipe::{Pipe, PipeConfig};
use crate::rng::{Choices, Draw};
use crate::story::{Program, Side, is_direct};

/// The shortest way of a segment between two devices, in microseconds: they may be neighbours.
const DIRECT_LATENCY_MIN_US: u64 = 20;

/// A connection between a device and the relay, or between two devices, or between a device and a stranger.
#[derive(Debug)]
pub struct Wire {
    /// The connection as the world numbers it, and the relay too.
    pub conn: ConnId,
    dialler: Party,
    listener: Party,
    to_listener: Way,
    to_dialler: Way,
}

/// Who is at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The relay, which numbers the connection as the world does.
    Relay,
    /// A device's program, and its own number for the connection.
    Device(Program, ConnId),
    /// Somebody who is no part of the realm.
    Stranger,
    /// A relay that lies.
    Liar,
}

/// One direction, with the state of the end that reads from it.
#[derive(Debug)]
struct Way {
    pipe: Pipe,
    rng: Choices,
    /// Whether the process that reads still has its socket.
    reader: Reader,
    /// Whether the writer's socket is full at the moment.
    blocked: bool,
    /// How many bytes may be on their way until they are read; 0 for as many as there are.
    window: u64,
    unread: u64,
    /// Whether the writer was refused because so many are on their way.
    full: bool,
}

/// What the reading end has of its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// It reads.
    Open,
    /// It has seen the end of what the other says, and may still write.
    Ended,
    /// It has no socket any more.
    Gone,
}

impl Way {
    fn new(config: &SimConfig, conn: ConnId, name: &str, flip: Option<u64>) -> Self {
        let (latency_min_us, latency_max_us) = if is_direct(conn) {
            (DIRECT_LATENCY_MIN_US, config.direct_latency_max_us)
        } else {
            (config.latency_min_us, config.latency_max_us)
        };
        let pipe = PipeConfig {
            latency_min_us,
            latency_max_us,
            split_percent: config.split_percent,
            merge_percent: config.merge_percent,
            segments_max: usize::try_from(config.segments_max).unwrap_or(usize::MAX),
            flip,
        };
        let rng = config.streams().stream(&format!("wire/{conn}/{name}"));
        Self { pipe: Pipe::new(pipe), rng, reader: Reader::Open, blocked: false, window: 0, unread: 0, full: false }
    }

    /// How many bytes more may be on their way.
    fn free(&self) -> usize {
        let free = if self.window == 0 { u64::MAX } else { self.window.saturating_sub(self.unread) };
        usize::try_from(free).unwrap_or(usize::MAX)
    }
}

impl Wire {
    /// A connection that has just reached whom it was for, or somebody else.
    pub fn new(config: &SimConfig, conn: ConnId, dialler: Party, listener: Party) -> Self {
        let flip = |to_relay| {
            config.flip.filter(|flip| flip.conn == conn.0 && flip.to_relay == to_relay).map(|flip| flip.offset)
        };
        let to_listener = Way::new(config, conn, "to-relay", flip(true));
        let to_dialler = Way::new(config, conn, "to-device", flip(false));
        Self { conn, dialler, listener, to_listener, to_dialler }
    }

    /// Who is at an end.
    pub fn party(&self, side: Side) -> Party {
        match side {
            Side::Dialler => self.dialler,
            Side::Listener => self.listener,
        }
    }

    /// The answer to the attempt to connect is on its way: when it arrives.
    pub fn connect(&mut self, now_us: u64) -> Option<u64> {
        let way = &mut self.to_dialler;
        way.pipe.open(now_us, &mut way.rng)
    }

    /// How many of `waiting` bytes the socket of `by` takes now; `None` while it is full.
    pub fn room(&mut self, by: Side, waiting: usize, short_percent: u64) -> Option<usize> {
        let way = self.way_mut(by.other());
        let free = way.free();
        if way.blocked || waiting == 0 || free == 0 {
            return None;
        }
        let (short, part) = (way.rng.chance(short_percent, 100), way.rng.between(1, count(waiting)));
        let taken = if short { usize::try_from(part).unwrap_or(waiting) } else { waiting };
        Some(taken.min(free))
    }

    /// How many bytes may be on their way to `to` until they are read; 0 for as many as there are.
    pub fn set_window(&mut self, to: Side, bytes: u64) {
        self.way_mut(to).window = bytes;
    }

    /// Whether the socket of `by` takes nothing because the other end has not read, and this is new.
    pub fn fills(&mut self, by: Side) -> bool {
        let way = self.way_mut(by.other());
        way.free() == 0 && !std::mem::replace(&mut way.full, true)
    }

    /// `to` has read so many bytes: whether the other's socket, which took nothing, has room again for half of what may
    /// be on its way.
    pub fn took(&mut self, to: Side, bytes: usize) -> bool {
        let way = self.way_mut(to);
        way.unread = way.unread.saturating_sub(count(bytes));
        way.full && way.unread <= way.window / 2 && std::mem::take(&mut way.full)
    }

    /// The socket of `by` is full from now on: for how long, at most `max_us`.
    pub fn block(&mut self, by: Side, max_us: u64) -> u64 {
        let way = self.way_mut(by.other());
        way.blocked = true;
        way.rng.between(1, max_us.max(1))
    }

    /// The socket of `by` takes more.
    pub fn unblock(&mut self, by: Side) {
        self.way_mut(by.other()).blocked = false;
    }

    /// `by` writes: the arrivals at the other end.
    pub fn write(&mut self, by: Side, bytes: &[u8], now_us: u64) -> Vec<(u64, Event)> {
        let (conn, to) = (self.conn, by.other());
        let way = self.way_mut(to);
        way.unread = way.unread.saturating_add(count(bytes.len()));
        let segments = way.pipe.write(now_us, bytes, &mut way.rng);
        let arrival = |segment: crate::pipe::Segment| {
            (segment.at_us, Event::Deliver { conn, to, bytes: segment.bytes, flipped: segment.flipped })
        };
        segments.into_iter().map(arrival).collect()
    }

    /// `by` says that it will send no more: when the other end learns of it.
    pub fn shut(&mut self, by: Side, now_us: u64) -> Option<(u64, Event)> {
        let (conn, to) = (self.conn, by.other());
        let way = self.way_mut(to);
        let at_us = way.pipe.end(now_us, &mut way.rng)?;
        Some((at_us, Event::Ended(conn, to)))
    }

    /// `by` forgets its socket; the other end learns of it once all bytes have arrived. A second end is passed over.
    pub fn forget(&mut self, by: Side, now_us: u64) -> Option<(u64, Event)> {
        self.way_mut(by).reader = Reader::Gone;
        self.shut(by, now_us)
    }

    /// The process of `by` is gone, and its machine with it: nobody is told anything by this.
    pub fn vanish(&mut self, by: Side) {
        self.way_mut(by).reader = Reader::Gone;
    }

    /// From now on nothing arrives in either direction.
    pub fn cut(&mut self, now_us: u64) {
        self.to_listener.pipe.cut(now_us);
        self.to_dialler.pipe.cut(now_us);
    }

    /// From now on nothing arrives at `to`.
    pub fn cut_one_way(&mut self, to: Side, now_us: u64) {
        self.way_mut(to).pipe.cut(now_us);
    }

    /// Whether bytes that arrive at `to` now are read there.
    pub fn reads(&self, to: Side, now_us: u64) -> bool {
        let way = self.way(to);
        way.reader == Reader::Open && way.pipe.delivers(now_us)
    }

    /// The end `to` learns that nothing more will come: whether it is still there and did not know.
    pub fn end(&mut self, to: Side) -> bool {
        let way = self.way_mut(to);
        if way.reader != Reader::Open {
            return false;
        }
        way.reader = Reader::Ended;
        true
    }

    /// Whether `side` still has its socket.
    pub fn has(&self, side: Side) -> bool {
        self.way(side).reader != Reader::Gone
    }

    /// Whether neither end has a socket any more.
    pub fn is_over(&self) -> bool {
        !self.has(Side::Dialler) && !self.has(Side::Listener)
    }

    /// How many bytes were written towards `to`.
    pub fn written(&self, to: Side) -> u64 {
        self.way(to).pipe.written()
    }

    fn way(&self, to: Side) -> &Way {
        match to {
            Side::Listener => &self.to_listener,
            Side::Dialler => &self.to_dialler,
        }
    }

    fn way_mut(&mut self, to: Side) -> &mut Way {
        match to {
            Side::Listener => &mut self.to_listener,
            Side::Dialler => &mut self.to_dialler,
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("no slice is longer than u64 counts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> Wire {
        let config = SimConfig::draw(1).without_faults();
        let device = Party::Device(Program { device: 0, life: 1 }, ConnId(1));
        Wire::new(&config, ConnId(7), device, Party::Relay)
    }

    #[test]
    fn the_end_comes_after_the_bytes_and_leaves_the_other_way_open() {
        let mut wire = wire();
        let bytes = wire.write(Side::Dialler, b"hello", 0);
        let (end_us, _) = wire.shut(Side::Dialler, 0).expect("not cut");
        assert!(bytes.iter().all(|(at_us, _)| *at_us <= end_us));
        assert!(wire.end(Side::Listener) && !wire.end(Side::Listener));
        assert!(!wire.reads(Side::Listener, end_us) && wire.reads(Side::Dialler, end_us));
        assert!(!wire.write(Side::Listener, b"back", end_us).is_empty());
    }

    #[test]
    fn a_socket_that_is_forgotten_reads_nothing_and_ends_the_other() {
        let mut wire = wire();
        assert!(wire.forget(Side::Listener, 0).is_some());
        assert!(!wire.reads(Side::Listener, 0) && !wire.has(Side::Listener) && !wire.is_over());
        wire.vanish(Side::Dialler);
        assert!(wire.is_over());
    }

    #[test]
    fn after_a_cut_nothing_arrives_at_either_end() {
        let mut wire = wire();
        wire.cut(5);
        assert!(!wire.reads(Side::Listener, 5) && !wire.reads(Side::Dialler, 5));
        assert!(wire.write(Side::Dialler, b"lost", 5).is_empty());
        assert_eq!(wire.shut(Side::Dialler, 5).map(|(at_us, _)| at_us), None);
        assert_eq!(wire.written(Side::Listener), 4);
    }

    #[test]
    fn a_full_socket_takes_nothing_until_it_has_room_again() {
        let mut wire = wire();
        assert_eq!(wire.room(Side::Dialler, 10, 0), Some(10));
        assert!(wire.room(Side::Dialler, 10, 100).is_some_and(|taken| (1..=10).contains(&taken)));
        wire.block(Side::Dialler, 50);
        assert_eq!(wire.room(Side::Dialler, 10, 0), None);
        assert_eq!(wire.room(Side::Listener, 10, 0), Some(10));
        wire.unblock(Side::Dialler);
        assert_eq!(wire.room(Side::Dialler, 10, 0), Some(10));
    }

    #[test]
    fn what_is_not_read_fills_the_socket_until_half_of_it_was() {
        let mut wire = wire();
        wire.set_window(Side::Listener, 8);
        assert_eq!(wire.room(Side::Dialler, 10, 0), Some(8));
        wire.write(Side::Dialler, b"12345678", 0);
        assert_eq!(wire.room(Side::Dialler, 2, 0), None);
        assert!(wire.fills(Side::Dialler) && !wire.fills(Side::Dialler) && !wire.fills(Side::Listener));
        assert!(!wire.took(Side::Listener, 3) && wire.took(Side::Listener, 1) && !wire.took(Side::Listener, 1));
        assert_eq!(wire.room(Side::Dialler, 10, 0), Some(5));
    }
}
