//! Decides where an arrow begins and ends: which connection has whom at its ends, and when arriving bytes had left.

use std::collections::{BTreeMap, VecDeque};

use countersign_core::id::ConnId;

use super::events::short;
use super::row::{Class, Column, Place, Row};
use super::stream::{Part, Talk, Way};
use crate::story::{Side, is_direct};

/// The connections of a run.
#[derive(Debug)]
pub struct Wires {
    all: BTreeMap<ConnId, Wire>,
    relay: Column,
    others: Column,
}

/// A connection.
#[derive(Debug)]
struct Wire {
    dialler: Column,
    listener: Column,
    talk: Talk,
    /// What the listener gets, and what the dialler gets.
    ways: [OneWay; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct OneWay {
    /// What was written and has not arrived as a whole.
    writes: VecDeque<Write>,
    written: u64,
    arrived: u64,
    shut_us: Option<u64>,
}

/// What a socket took at once.
#[derive(Clone, Copy, Debug)]
struct Write {
    /// How many bytes had been written with it.
    until: u64,
    length: usize,
    at_us: u64,
    step: u64,
}

impl Wires {
    /// No connection yet; the relay and all who are no part of the realm are in these columns.
    pub fn new(relay: Column, others: Column) -> Self {
        Self { all: BTreeMap::new(), relay, others }
    }

    /// A connection is there.
    pub fn open(&mut self, conn: ConnId, dialler: Column, listener: Column) {
        let wire = Wire { dialler, listener, talk: Talk::default(), ways: Default::default() };
        self.all.insert(conn, wire);
    }

    /// Who is at the two ends.
    pub fn ends(&self, conn: ConnId) -> Option<(Column, Column)> {
        self.all.get(&conn).map(|wire| (wire.dialler, wire.listener))
    }

    /// Where an end is.
    pub fn column(&self, conn: ConnId, side: Side) -> Column {
        let (dialler, listener) = self.ends(conn).unwrap_or((self.others, self.stranger(conn)));
        if side == Side::Dialler { dialler } else { listener }
    }

    /// Where a connection goes of which nobody has said who made it.
    fn stranger(&self, conn: ConnId) -> Column {
        if is_direct(conn) { self.others } else { self.relay }
    }

    /// A connection of which nobody has said who made it is a stranger's.
    fn wire(&mut self, conn: ConnId) -> &mut Wire {
        let (others, listener) = (self.others, self.stranger(conn));
        let stranger = || Wire { dialler: others, listener, talk: Talk::default(), ways: Default::default() };
        self.all.entry(conn).or_insert_with(stranger)
    }

    /// A socket took bytes.
    pub fn wrote(&mut self, conn: ConnId, by: Side, length: usize, at_us: u64, step: u64) {
        let way = self.wire(conn).way(by.other());
        way.written += u64::try_from(length).unwrap_or(0);
        way.writes.push_back(Write { until: way.written, length, at_us, step });
    }

    /// One end says that it will send no more.
    pub fn shut(&mut self, conn: ConnId, by: Side, at_us: u64) {
        self.wire(conn).way(by.other()).shut_us.get_or_insert(at_us);
    }

    /// An end learns that nothing more comes: an arrow from the other, if that has said so.
    pub fn ended(&mut self, conn: ConnId, to: Side) -> Place {
        let (from, to_column) = (self.column(conn, to.other()), self.column(conn, to));
        match self.wire(conn).way(to).shut_us {
            Some(sent_us) => Place::Arrow { from, to: to_column, sent_us, way: Way::Unknown },
            None => Place::At(to_column),
        }
    }

    /// Bytes arrive: an arrow for all that is whole now and goes by the same way.
    pub fn arrived(&mut self, conn: ConnId, to: Side, bytes: &[u8], row: &Row) -> Vec<Row> {
        let (from, to_column) = (self.column(conn, to.other()), self.column(conn, to));
        let wire = self.wire(conn);
        let sent_us = wire.way(to).left_us(bytes.len()).unwrap_or(row.at_us);
        let mut rows: Vec<Row> = Vec::new();
        for part in wire.talk.hear(to, bytes) {
            let class = class(&part);
            let place = Place::Arrow { from, to: to_column, sent_us, way: part.way };
            match rows.last_mut().filter(|last| last.class == class && last.place == Some(place)) {
                Some(last) => {
                    last.label = format!("{}, {}", last.label, part.label);
                    last.detail = format!("{}\n{}", last.detail, part.detail);
                }
                None => rows.push(Row {
                    class,
                    place: Some(place),
                    label: part.label,
                    detail: format!("connection {}, {} bytes arrive\n{}", short(conn), bytes.len(), part.detail),
                    ..row.clone()
                }),
            }
        }
        if rows.is_empty() {
            let place = Some(Place::Arrow { from, to: to_column, sent_us, way: Way::Unknown });
            let label = format!("{} bytes of a record", bytes.len());
            let detail = format!("connection {}: {label}, which is not whole yet", short(conn));
            rows.push(Row { class: Class::Bytes, place, label, detail, ..row.clone() });
        }
        rows
    }

    /// What was written and never arrived.
    pub fn lost(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (conn, wire) in &self.all {
            for (to, way) in [Side::Listener, Side::Dialler].into_iter().zip(&wire.ways) {
                let (from, to) = (self.column(*conn, to.other()), self.column(*conn, to));
                rows.extend(way.writes.iter().map(|write| {
                    let place = Place::Arrow { from, to, sent_us: write.at_us, way: Way::Unknown };
                    Row {
                        step: write.step,
                        at_us: write.at_us,
                        class: Class::Lost,
                        kind: "written",
                        place: Some(place),
                        label: format!("{} bytes, never read", write.length),
                        detail: format!(
                            "connection {}: {} bytes were written and never read",
                            short(*conn),
                            write.length
                        ),
                    }
                }));
            }
        }
        rows
    }
}

/// The messages that keep others going, by their names.
const ROUTINE: [&str; 5] = ["Ping", "Pong", "Heard", "Credit", "Credited"];

fn class(part: &Part) -> Class {
    let name = part.label.split(' ').next().unwrap_or_default();
    match (part.tls, ROUTINE.contains(&name)) {
        (true, _) => Class::Handshake,
        (false, true) => Class::Routine,
        (false, false) => Class::Message,
    }
}

impl Wire {
    fn way(&mut self, to: Side) -> &mut OneWay {
        let [to_listener, to_dialler] = &mut self.ways;
        if to == Side::Listener { to_listener } else { to_dialler }
    }
}

impl OneWay {
    /// When the last of so many arriving bytes had left.
    fn left_us(&mut self, length: usize) -> Option<u64> {
        self.arrived += u64::try_from(length).unwrap_or(0);
        while self.writes.front().is_some_and(|write| write.until < self.arrived) {
            self.writes.pop_front();
        }
        let write = self.writes.front().copied()?;
        if write.until == self.arrived {
            self.writes.pop_front();
        }
        Some(write.at_us)
    }
}
