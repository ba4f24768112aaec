//! Collects what a page shows, as one more watcher of a run: it is shown everything and decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_core::device::Event as Told;

use super::row::{Class, Column, Row, Span};
use super::wires::Wires;
use crate::oracles::Objection;
use crate::story::{Program, Seen, Who, fold};

/// How many rows are kept. A failure is explained by what came last, so the oldest go first.
pub const ROWS_MAX: usize = 1 << 17;

/// What was seen so far.
#[derive(Debug)]
pub struct Collector {
    devices: usize,
    /// What each device's person is called; they may have wished for another name before.
    pub names: Vec<String>,
    /// The rows, by the order of their steps.
    pub rows: VecDeque<Row>,
    /// How many rows went first.
    pub left_out: u64,
    /// When each node ran.
    pub spans: Vec<Span>,
    /// The kinds of event that there were.
    pub kinds: BTreeSet<&'static str>,
    /// What was objected, and at which step.
    pub objection: Option<(u64, Objection)>,
    /// Who is connected to whom.
    pub(super) wires: Wires,
    /// When each program last dialled the relay, and another device.
    pub(super) dialled: BTreeMap<Program, u64>,
    pub(super) dialled_peer: BTreeMap<Program, u64>,
    running: BTreeMap<Column, usize>,
}

impl Collector {
    /// Nothing seen yet, of devices whose people have these names.
    pub fn new(names: Vec<String>) -> Self {
        let devices = names.len();
        Self {
            devices,
            names,
            rows: VecDeque::new(),
            left_out: 0,
            spans: Vec::new(),
            kinds: BTreeSet::new(),
            objection: None,
            wires: Wires::new(devices, devices + 1),
            dialled: BTreeMap::new(),
            dialled_peer: BTreeMap::new(),
            running: BTreeMap::new(),
        }
    }

    /// The relay's column, after those of the devices.
    pub fn relay(&self) -> Column {
        self.devices
    }

    /// The column of everybody who is no part of the realm.
    pub(super) fn others(&self) -> Column {
        self.devices + 1
    }

    /// Where a program is: who has no column of their own is no part of the realm.
    pub(super) fn column(&self, program: Program) -> Column {
        if program.device < self.devices { program.device } else { self.others() }
    }

    /// Sees one event.
    pub fn see(&mut self, step: u64, at_us: u64, seen: &Seen<'_>) {
        let kind = fold::kind(seen);
        self.kinds.insert(kind);
        self.follow(step, at_us, seen);
        let (label, detail) = (String::new(), String::new());
        let row = Row { step, at_us, class: Class::Bytes, kind, place: None, label, detail };
        for row in self.rows_of(seen, &row) {
            self.push(row);
        }
        if let Some(&Who { program, name }) = named(seen)
            && let Some(known) = self.names.get_mut(program.device)
        {
            // Whose further device it is, by its column's first name.
            *known = if known.contains('/') { format!("{}/{}", name.user, name.device) } else { name.user.to_string() };
        }
    }

    /// An oracle objects to what was shown last.
    pub fn object(&mut self, step: u64, objection: &Objection) {
        self.objection = Some((step, objection.clone()));
        let label = format!("{}: {}", objection.oracle, self.in_names(&objection.words));
        let (at_us, detail) = (objection.at_us, String::new());
        self.push(Row { step, at_us, class: Class::Objection, kind: "objection", place: None, label, detail });
    }

    /// Nothing more happens: what never arrived is put where it was sent.
    pub fn close(&mut self) {
        let first = self.rows.front().map_or(0, |row| row.step);
        let lost = self.wires.lost().into_iter().filter(|row| self.left_out == 0 || row.step >= first);
        self.rows.extend(lost.collect::<Vec<_>>());
        self.rows.make_contiguous().sort_by_key(|row| row.step);
    }

    fn push(&mut self, row: Row) {
        if self.rows.len() >= ROWS_MAX {
            self.rows.pop_front();
            self.left_out += 1;
        }
        self.rows.push_back(row);
    }

    /// Keeps up with who is connected to whom and who runs.
    #[allow(clippy::wildcard_enum_match_arm, reason = "these few kinds of event begin or end something")]
    fn follow(&mut self, step: u64, at_us: u64, seen: &Seen<'_>) {
        let (relay, others) = (self.relay(), self.others());
        match seen {
            Seen::Opened(conn, program) => self.wires.open(*conn, self.column(*program), relay),
            Seen::Met { conn, dialler, listener, .. } => {
                let column = |program: Option<Program>| program.map_or(others, |program| self.column(program));
                let (from, to) = (column(*dialler), column(listener.map(|(program, _)| program)));
                self.wires.open(*conn, from, to);
            }
            Seen::Written { conn, by, taken, .. } => self.wires.wrote(*conn, *by, *taken, at_us, step),
            Seen::Shut(conn, by) | Seen::Dropped(conn, by) => self.wires.shut(*conn, *by, at_us),
            Seen::Dialled(program) => drop(self.dialled.insert(*program, at_us)),
            Seen::DialledPeer(program, ..) => drop(self.dialled_peer.insert(*program, at_us)),
            Seen::Started(who, _) => self.starts(self.column(who.program), at_us),
            Seen::Killed(who) | Seen::EnrolEnded(who, ..) | Seen::Told(who, Told::Done | Told::GivenUp(_)) => {
                self.stops(self.column(who.program), at_us);
            }
            Seen::Replayed(..) => self.starts(relay, at_us),
            Seen::Crashed(..) | Seen::ShutDown(_) => self.stops(relay, at_us),
            _ => {}
        }
    }

    fn starts(&mut self, column: Column, at_us: u64) {
        self.stops(column, at_us);
        self.running.insert(column, self.spans.len());
        self.spans.push(Span { column, from_us: at_us, until_us: None });
    }

    fn stops(&mut self, column: Column, at_us: u64) {
        let span = self.running.remove(&column).and_then(|index| self.spans.get_mut(index));
        if let Some(span) = span {
            span.until_us = Some(at_us);
        }
    }
}

/// Who an event is about, by name.
#[allow(clippy::wildcard_enum_match_arm, reason = "these are the events that say who")]
fn named<'a>(seen: &'a Seen<'a>) -> Option<&'a Who<'a>> {
    match seen {
        Seen::Connected(_, who)
        | Seen::Started(who, _)
        | Seen::Killed(who)
        | Seen::Wished(who, _)
        | Seen::Said(who, ..)
        | Seen::Told(who, _)
        | Seen::EnrolEnded(who, ..) => Some(who),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Phase;

    #[test]
    fn a_long_run_keeps_its_end_and_says_how_much_went_before() {
        let mut collector = Collector::new(vec!["alice".to_owned(), "bob".to_owned()]);
        let count = u64::try_from(ROWS_MAX).expect("it is a small number") + 5;
        for step in 0..count {
            collector.see(step, step, &Seen::Phase(Phase::Storm));
        }
        let objection = Objection { oracle: "spin", at_us: count, words: String::new() };
        collector.object(count - 1, &objection);
        collector.close();
        assert_eq!((collector.rows.len(), collector.left_out), (ROWS_MAX, 6));
        assert_eq!(collector.rows.front().map(|row| row.step), Some(6));
        let last = collector.rows.back().expect("there are rows");
        assert_eq!((last.step, last.class), (count - 1, Class::Objection));
    }
}
