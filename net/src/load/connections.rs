//! Decides the two measures of connections: what a login costs, and what one takes up that only stays.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Map, json};

use super::args::{Idle, Logins};
use super::crowd::{Crowd, News};
use super::field::{Field, Outcome, World, as_f64, rate, rounded};
use super::latency::Latency;
use super::people::Person;
use super::talk::{PATIENCE, collect, connect};
use crate::exit::Failure;

/// Different devices that log in, one after the other.
const PEOPLE: usize = 64;
/// Connections that come before the first reading of memory, so that what the first ones cost once is not counted.
const BEFORE: usize = 50;
/// How many come at one moment, to stay.
const AT_ONCE: usize = 16;

/// Devices connect, prove themselves, are admitted, and leave.
pub(super) fn logins(args: &Logins, world: &World) -> Result<(), Failure> {
    let field = world.field(PEOPLE, &[], false)?;
    let asked = json!({
        "rate": rate(args.rate),
        "at_once": args.at_once,
        "logins_max": args.count,
        "seconds_max": args.seconds,
    });
    field.measure("logins", &asked, |field| log_in(field, args))
}

fn log_in(field: &mut Field, args: &Logins) -> Result<Outcome, Failure> {
    let (begun, address) = (Instant::now(), field.server.address());
    let end = begun + Duration::from_secs(u64::from(args.seconds));
    let mut free: Vec<usize> = (0..usize::try_from(args.at_once).unwrap_or(usize::MAX)).collect();
    let (mut since, mut news, mut latency) = (vec![begun; free.len()], Vec::new(), Latency::default());
    let (mut started, mut left, mut time) = (0_u32, 0_u64, Duration::ZERO);
    loop {
        let now = Instant::now();
        let goes_on = started < args.count && now < end;
        let due = |started: u32| args.rate.map_or(begun, |rate| begun + Duration::from_secs(1) * started / rate);
        while goes_on && started < args.count && due(started) <= now {
            let Some(place) = free.pop() else { break };
            let who = usize::try_from(started).unwrap_or_default() % field.people.len();
            let Some(person) = field.people.get(who) else { break };
            field.crowd.connect(place, &person.dial, address)?;
            if let Some(since) = since.get_mut(place) {
                *since = if args.rate.is_some() { due(started) } else { now };
            }
            started += 1;
        }
        if !goes_on && left == u64::from(started) {
            break;
        }
        if now > end + PATIENCE {
            return Err(Failure::failed("the server does not answer those who log in"));
        }
        let next = if goes_on && !free.is_empty() { due(started) } else { end + PATIENCE };
        field.crowd.turn(next.saturating_duration_since(now), &mut news)?;
        let now = Instant::now();
        for (place, told) in news.drain(..) {
            match told {
                News::Admitted => {
                    let since = since.get(place).copied().unwrap_or(now);
                    latency.add(now.saturating_duration_since(since));
                    time = now.duration_since(begun);
                    field.crowd.leave(place);
                }
                News::Left => {
                    left += 1;
                    free.push(place);
                }
                News::Conversations(_) => {}
            }
        }
    }
    Ok(Outcome { unit: "login", units: latency.count(), time, latency, more: Map::new() })
}

/// Devices connect, are present and take what is posted, and stay.
pub(super) fn idle(args: &Idle, world: &World) -> Result<(), Failure> {
    let count = usize::try_from(args.connections).unwrap_or(usize::MAX);
    let field = world.field(BEFORE + count, &[], false)?;
    field.measure("idle", &json!({ "connections": args.connections }), |field| {
        let Field { server, crowd, people, .. } = field;
        let address = server.address();
        come(crowd, people, 0..BEFORE, address)?;
        let (before, begun) = (server.resident_kib()?, Instant::now());
        come(crowd, people, BEFORE..people.len(), address)?;
        let (time, after) = (begun.elapsed(), server.resident_kib()?);
        let units = u64::from(args.connections);
        let each = rounded(as_f64(after.saturating_sub(before)) / as_f64(units));
        let more = Map::from_iter([("server_kib_per_connection".to_owned(), json!(each))]);
        Ok(Outcome { unit: "connection", units, time, latency: Latency::default(), more })
    })
}

/// People come, a few at a time, as they do: what a crowd takes that comes at one moment is not what each takes that stays.
fn come(crowd: &mut Crowd, people: &[Person], places: Range<usize>, to: SocketAddr) -> Result<(), Failure> {
    for first in places.clone().step_by(AT_ONCE) {
        let some = first..places.end.min(first + AT_ONCE);
        connect(crowd, first, people.get(some.clone()).unwrap_or_default(), to)?;
        collect(crowd, some)?;
    }
    Ok(())
}
