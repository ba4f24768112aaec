//! Decides the three measures of messages: one to many, many to one each, and no more than the acknowledgement that it is durable.

use std::time::Duration;

use serde_json::{Map, json};

use super::args::{Acks, FanOut, Pairs, Sending};
use super::drive::{Plan, Unit, drive};
use super::field::{Field, Outcome, World, rate};
use crate::exit::Failure;

/// What a text takes beyond its own length once it is sealed, before it is rounded up: what core puts around it, and MLS.
const SEALED_BESIDES: usize = 222;

/// One writes to many in a room.
pub(super) fn fan_out(args: &FanOut, world: &World) -> Result<(), Failure> {
    let FanOut { to, sending } = args;
    let group = (0..=index(*to)).collect();
    let field = world.field(index(*to) + 1, &[group], true)?;
    run(field, "fan-out", ("to", *to), sending, Unit::Delivery)
}

/// Many pairs, in each of which one writes to the other.
pub(super) fn pairs(args: &Pairs, world: &World) -> Result<(), Failure> {
    let Pairs { count, sending } = args;
    let groups: Vec<Vec<usize>> = (0..index(*count)).map(|pair| vec![2 * pair, 2 * pair + 1]).collect();
    let field = world.field(2 * index(*count), &groups, true)?;
    run(field, "pairs", ("pairs", *count), sending, Unit::Delivery)
}

/// Many who each write where nobody else reads.
pub(super) fn acks(args: &Acks, world: &World) -> Result<(), Failure> {
    let Acks { senders, sending } = args;
    let groups: Vec<Vec<usize>> = (0..index(*senders)).map(|sender| vec![sender]).collect();
    let field = world.field(index(*senders), &groups, true)?;
    run(field, "acks", ("senders", *senders), sending, Unit::Acknowledgement)
}

fn run(field: Field, name: &str, (of, count): (&str, u32), sending: &Sending, unit: Unit) -> Result<(), Failure> {
    let plan = Plan {
        unit,
        sealed_bytes: index(sending.size) + SEALED_BESIDES,
        rate: sending.rate,
        in_flight: sending.in_flight,
        messages: sending.messages,
        time: Duration::from_secs(u64::from(sending.seconds)),
    };
    let asked = json!({
        of: count,
        "size": sending.size,
        "sealed_bytes": plan.sealed_bytes,
        "rate": rate(sending.rate),
        "in_flight": sending.in_flight,
        "messages_max": sending.messages,
        "seconds_max": sending.seconds,
    });
    field.measure(name, &asked, |field| {
        let driven = drive(&mut field.crowd, &field.talks, plan)?;
        let unit = match unit {
            Unit::Delivery => "delivery",
            Unit::Acknowledgement => "acknowledgement",
        };
        Ok(Outcome { unit, units: driven.units, time: driven.time, latency: driven.latency, more: Map::new() })
    })
}

/// A count as an index; the arguments' bounds are far below any machine's.
fn index(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
