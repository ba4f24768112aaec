//! Decides what surrounds every measure: a server that has forgotten how its people came, the disk asked before and after, and
//! one object that says what it cost.
//!
//! The people enrol and the conversations begin at a server that is then ended and started anew: so neither their processor time
//! nor their memory nor their syncs are in any figure.

use std::path::PathBuf;
use std::time::Duration;

use countersign_core::tls::TlsEnv;
use serde_json::{Map, Value, json};

use super::child::{Server, data};
use super::crowd::Crowd;
use super::disk::probe;
use super::halt::Halt;
use super::latency::Latency;
use super::people::{Person, enrol};
use super::place::Place;
use super::talk::{Talk, begin, collect, connect};
use crate::clock::Clock;
use crate::exit::{Failure, print_line};
use crate::provider::tls_env;

/// What all measures of a run have.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// The crypto, and the clock that certificates are judged by.
    pub(super) env: TlsEnv,
    /// Whether the run is to end.
    pub(super) halt: Halt,
    /// Where its folders are made.
    pub(super) dir: Option<PathBuf>,
}

/// A server with its people, before a measure. The server ends before its folder goes.
#[derive(Debug)]
pub(super) struct Field {
    /// The server.
    pub(super) server: Server,
    /// Those who are connected.
    pub(super) crowd: Crowd,
    /// Who there is, by their places.
    pub(super) people: Vec<Person>,
    /// The conversations that they are in.
    pub(super) talks: Vec<Talk>,
    place: Place,
}

/// What came of a measure.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What is counted.
    pub(super) unit: &'static str,
    /// How many of it.
    pub(super) units: u64,
    /// How long they took.
    pub(super) time: Duration,
    /// How long each took.
    pub(super) latency: Latency,
    /// What else there is to say.
    pub(super) more: Map<String, Value>,
}

impl World {
    /// A run that begins now.
    pub(super) fn new(dir: Option<PathBuf>) -> Result<Self, Failure> {
        let env = tls_env();
        env.clock.set(Clock::start().now().wall);
        Ok(Self { env, halt: Halt::take()?, dir })
    }

    /// A server with so many people, of whom those are in conversations, the first of each writing. With `present` everybody is
    /// connected and takes what is posted.
    pub(super) fn field(&self, count: usize, groups: &[Vec<usize>], present: bool) -> Result<Field, Failure> {
        let place = Place::make(self.dir.as_deref())?;
        let server = Server::start(place.path())?;
        let people = enrol(&data(place.path()), count, &self.env)?;
        let mut talks = Vec::new();
        if !groups.is_empty() {
            let mut crowd = Crowd::new(&self.env, &self.halt)?;
            connect(&mut crowd, 0, &people, server.address())?;
            collect(&mut crowd, 0..people.len())?;
            for group in groups {
                talks.push(begin(&mut crowd, &people, group)?);
            }
        }
        // What was acknowledged is written down as it ends.
        server.stop()?;
        let server = Server::start(place.path())?;
        let mut crowd = Crowd::new(&self.env, &self.halt)?;
        if present {
            connect(&mut crowd, 0, &people, server.address())?;
            collect(&mut crowd, 0..people.len())?;
        }
        Ok(Field { server, crowd, people, talks, place })
    }
}

impl Field {
    /// Measures, ends the server, and prints what came of it beside what was `asked`.
    pub(super) fn measure(
        mut self,
        name: &str,
        asked: &Value,
        measure: impl FnOnce(&mut Self) -> Result<Outcome, Failure>,
    ) -> Result<(), Failure> {
        let mut disk = Latency::default();
        let folder = data(self.place.path());
        probe(&folder, &mut disk)?;
        let before = self.server.computed()?;
        let outcome = measure(&mut self)?;
        let computed = self.server.computed()?.saturating_sub(before);
        let resident_kib = self.server.resident_kib()?;
        probe(&folder, &mut disk)?;
        let Self { server, crowd, place: _place, .. } = self;
        // The server would wait for an answer to its goodbyes.
        drop(crowd);
        let written = server.stop()?;
        let Outcome { unit, units, time, latency, more } = outcome;
        let mut object = Map::new();
        object.insert("measure".to_owned(), json!(name));
        object.extend(asked.as_object().cloned().unwrap_or_default());
        let results = json!({
            "unit": unit,
            "units": units,
            "seconds": rounded(time.as_secs_f64()),
            "server_cpu_us_per_unit": rounded(computed.as_secs_f64() * 1e6 / as_f64(units.max(1))),
            "latency_us": latency.to_json(),
            "server_syncs": written.syncs,
            "units_per_sync": rounded(as_f64(units) / as_f64(written.syncs.max(1))),
            "disk_sync_us": { "p50": disk.at(500), "p99": disk.at(990) },
            "server_resident_kib": resident_kib,
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": countersign_core::wire::VERSION,
        });
        object.extend(results.as_object().cloned().unwrap_or_default());
        object.extend(more);
        print_line(Value::Object(object))
    }
}

/// A rate, as reports say it.
pub(super) fn rate(rate: Option<u32>) -> Value {
    rate.map_or_else(|| json!("saturated"), |rate| json!(rate))
}

/// Three places behind the point are more than any figure here is good for.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// A count in a quotient.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 of anything nobody counts here")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}
