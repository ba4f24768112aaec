//! Measures a server of this machine's own over the real protocol, one JSON object a result: `load --help`, `docs/load.md`.
//!
//! | room | decides |
//! | --- | --- |
//! | `args` | what is asked, each with a greatest value |
//! | `place`, `child`, `process` | the folder, the server in it, and what its process costs |
//! | `disk` | how slow the disk is in the same minute |
//! | `people`, `talk` | who there is, and which conversations they are in |
//! | `crowd` | many light devices in one loop |
//! | `drive`, `latency` | when messages are sent, and how times are counted |
//! | `field` | what surrounds each measure, and its report |
//! | `messages`, `connections`, `rooms` | the measures |
//! | `device` | a whole device, as the last has it |
//! | `halt` | what a signal does |
//!
//! The server is the program `server` that lies beside this one, on loopback, with the protocol's own handshakes, requests and
//! syncs. What it forwards is opaque: bytes of the size that a sealed text has, since a relay can't tell, and sealing them would
//! only slow this program down. What devices themselves need is measured apart, by real ones.

mod args;
mod child;
mod connections;
mod crowd;
mod device;
mod disk;
mod drive;
mod field;
mod halt;
mod latency;
mod messages;
mod people;
mod place;
mod process;
mod rooms;
mod talk;

use std::process::ExitCode;

use crate::args::parse;
use crate::exit::{self, Failure};
use args::{Acks, Cli, FanOut, Idle, Logins, Measure, Pairs, Rooms, Sending};
use field::World;

/// The program `load`.
pub fn run() -> ExitCode {
    exit::end(parse().and_then(|cli| cli.map_or(Ok(()), carry_out)))
}

fn carry_out(cli: Cli) -> Result<(), Failure> {
    let world = World::new(cli.dir)?;
    one(&cli.measure, &world)
}

fn one(measure: &Measure, world: &World) -> Result<(), Failure> {
    match measure {
        Measure::FanOut(args) => messages::fan_out(args, world),
        Measure::Pairs(args) => messages::pairs(args, world),
        Measure::Acks(args) => messages::acks(args, world),
        Measure::Idle(args) => connections::idle(args, world),
        Measure::Logins(args) => connections::logins(args, world),
        Measure::Rooms(args) => rooms::rooms(args, world),
        Measure::All { quick } => all(*quick).iter().try_for_each(|measure| one(measure, world)),
    }
}

/// Each measure as fast as the server goes and at a rate that it can well bear.
fn all(quick: bool) -> Vec<Measure> {
    let (to, messages, pairs, seconds) = if quick { (4, 40, 2, 1) } else { (100, 20_000, 50, 10) };
    let sending = Sending { size: 256, messages, seconds, rate: None, in_flight: 1 };
    let at = |rate| Sending { rate: Some(rate), ..sending };
    let rate = if quick { 200 } else { 100 };
    let (connections, logins) = if quick { (20, 20) } else { (1_000, 5_000) };
    let (devices, missed) = if quick { (vec![2, 4], 5) } else { (vec![2, 10, 100, 1_000], 1_000) };
    let rooms = Rooms { devices, missed };
    let logins = |rate| Measure::Logins(Logins { count: logins, at_once: 16, seconds, rate });
    vec![
        Measure::FanOut(FanOut { to, sending: Sending { in_flight: 64, ..sending } }),
        Measure::FanOut(FanOut { to, sending: at(rate) }),
        Measure::Pairs(Pairs { count: pairs, sending }),
        Measure::Pairs(Pairs { count: pairs, sending: at(rate) }),
        Measure::Acks(Acks { senders: pairs, sending }),
        Measure::Acks(Acks { senders: pairs, sending: at(rate) }),
        logins(None),
        logins(Some(rate)),
        Measure::Idle(Idle { connections }),
        Measure::Rooms(rooms),
    ]
}
