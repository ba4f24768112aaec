//! Who is shown what happens: the hash, the story, the counts, the oracles, and the fate of each connection.

use std::collections::BTreeMap;

use countersign_core::device::Event;
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::ConnId;

use crate::oracles::{Objection, Panel};
use crate::page::collector::Collector;
use crate::story::tally::{Tally, reason_name};
use crate::story::{Program, Seen, fold, words};
use crate::trace::{Fields, Keep, Trace};

/// How a connection ended on each side, as far as it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// The relay's reason.
    pub relay: Option<CloseReason>,
    /// The device's reason, in short.
    pub device: Option<String>,
    /// Whether a damaged byte arrived on it.
    pub flipped: bool,
}

/// All that watch a run.
pub struct Watch {
    trace: Trace,
    /// Of the newest event.
    fields: Fields,
    tally: Tally,
    panel: Panel,
    objection: Option<Objection>,
    fates: BTreeMap<ConnId, Fate>,
    current: BTreeMap<Program, ConnId>,
    /// How many bytes each connection had carried, to the relay and to the device, when the storm was over.
    pub storm_bytes: BTreeMap<ConnId, [u64; 2]>,
    /// How long the run was, on the world's clock.
    pub virtual_us: u64,
    /// What a page of the run shows, if one is wished for.
    pub page: Option<Box<Collector>>,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(panel: Panel, keep: Keep) -> Self {
        Self {
            trace: Trace::new(keep),
            fields: Fields::default(),
            tally: Tally::default(),
            panel,
            objection: None,
            fates: BTreeMap::new(),
            current: BTreeMap::new(),
            storm_bytes: BTreeMap::new(),
            virtual_us: 0,
            page: None,
        }
    }

    /// Shows one event to all. Oracles are asked until the first objection.
    pub fn see(&mut self, at_us: u64, seen: &Seen<'_>) {
        let step = self.trace.steps();
        fold::fold(&mut self.trace, &mut self.fields, at_us, seen);
        self.trace.describe(at_us, seen);
        self.trace.tell_some(|| words::line(at_us, seen));
        self.tally.see(seen);
        self.follow(seen);
        if let Some(page) = &mut self.page {
            page.see(step, at_us, seen);
        }
        if self.objection.is_none() {
            self.objection = self.panel.see(at_us, seen).err();
            if let (Some(page), Some(objection)) = (&mut self.page, &self.objection) {
                page.object(step, objection);
            }
        }
    }

    /// The first objection, if there was one.
    pub fn objection(&self) -> Option<&Objection> {
        self.objection.as_ref()
    }

    /// The running hash and the story.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The counts.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How each connection ended.
    pub fn fates(&self) -> &BTreeMap<ConnId, Fate> {
        &self.fates
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a fate is decided by a few kinds of event")]
    fn follow(&mut self, seen: &Seen<'_>) {
        match seen {
            Seen::Opened(conn, _) => drop(self.fates.insert(*conn, Fate::default())),
            Seen::Connected(conn, who) => drop(self.current.insert(who.program, *conn)),
            Seen::Delivered { conn, flipped: true, .. } => self.fate(*conn).flipped = true,
            Seen::Noted(Note::Closed(conn, _, reason)) => self.fate(*conn).relay = Some(*reason),
            Seen::Told(who, Event::Offline(reason, _) | Event::GivenUp(reason) | Event::Lapsed(Some(reason))) => {
                self.device_ended(who.program, &reason_name(*reason));
            }
            Seen::Told(who, Event::ServerClock(_)) => self.device_ended(who.program, "answered"),
            Seen::Told(who, Event::Done) => self.device_ended(who.program, "done"),
            Seen::EnrolEnded(who, result, ..) => {
                use countersign_core::device::enrol::EnrolResult;
                let words = match result {
                    EnrolResult::Enrolled(_) => "enrolled".to_owned(),
                    EnrolResult::Refused(code, _) => format!("refused {}", code.0),
                    EnrolResult::BadCertificate(refusal) => format!("bad certificate {refusal:?}"),
                    EnrolResult::LogRefused(refusal) => format!("log refused {refusal:?}"),
                    EnrolResult::Lost(reason) => reason_name(*reason),
                };
                self.device_ended(who.program, &words);
            }
            Seen::Killed(who) => self.device_ended(who.program, "killed"),
            _ => {}
        }
    }

    fn fate(&mut self, conn: ConnId) -> &mut Fate {
        self.fates.entry(conn).or_default()
    }

    fn device_ended(&mut self, program: Program, words: &str) {
        if let Some(conn) = self.current.remove(&program) {
            self.fate(conn).device = Some(words.to_owned());
        }
    }
}
