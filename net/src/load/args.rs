//! Decides what the load program is asked: which measure, how much, and for how long. Everything has a greatest value.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};

/// Measures a server of its own on this machine, over the real protocol: one JSON object a result
#[derive(Debug, Parser)]
#[command(name = "load", version, disable_help_subcommand = true)]
pub(super) struct Cli {
    /// Where the server's folder is made, and so which disk it syncs [default: where this system keeps temporary files]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// What is measured.
    #[command(subcommand)]
    pub(super) measure: Measure,
}

/// The measures.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Measure {
    /// One device writes to many in a room: what a delivery costs
    FanOut(FanOut),
    /// Many pairs, in each of which one writes to the other: what a delivery costs
    Pairs(Pairs),
    /// Devices that are connected and silent: how much memory each takes
    Idle(Idle),
    /// Devices that connect, are admitted, and leave: what a login costs
    Logins(Logins),
    /// Devices that write where nobody else reads: what a durable acknowledgement costs
    Acks(Acks),
    /// What the devices of rooms need to create, join, change, write in and catch up with them
    Rooms(Rooms),
    /// All of these, one after the other
    All {
        /// So small that it takes seconds: to see that everything works, not for figures
        #[arg(long)]
        quick: bool,
    },
}

/// How messages are sent.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Sending {
    /// Bytes of text in each
    #[arg(long, default_value_t = 256, value_parser = value_parser!(u32).range(1..=65_536))]
    pub(super) size: u32,
    /// How many are sent at most
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) messages: u32,
    /// For how long they are sent at most
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=300))]
    pub(super) seconds: u32,
    /// How many are sent in a second, all writers together [default: as many as the server takes]
    #[arg(long, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(super) rate: Option<u32>,
    /// How many of one writer are on their way at one time, where there is no rate
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=64))]
    pub(super) in_flight: u32,
}

/// See [`Measure::FanOut`].
#[derive(Clone, Debug, Args)]
pub(super) struct FanOut {
    /// How many others are in the room
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(super) to: u32,
    #[command(flatten)]
    pub(super) sending: Sending,
}

/// See [`Measure::Pairs`].
#[derive(Clone, Debug, Args)]
pub(super) struct Pairs {
    /// How many pairs
    #[arg(long = "pairs", default_value_t = 50, value_parser = value_parser!(u32).range(1..=500))]
    pub(super) count: u32,
    #[command(flatten)]
    pub(super) sending: Sending,
}

/// See [`Measure::Acks`].
#[derive(Clone, Debug, Args)]
pub(super) struct Acks {
    /// How many write
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(super) senders: u32,
    #[command(flatten)]
    pub(super) sending: Sending,
}

/// See [`Measure::Idle`].
#[derive(Clone, Debug, Args)]
pub(super) struct Idle {
    /// How many connections
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=4_000))]
    pub(super) connections: u32,
}

/// See [`Measure::Logins`].
#[derive(Clone, Debug, Args)]
pub(super) struct Logins {
    /// How many logins at most
    #[arg(long = "logins", default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(super) count: u32,
    /// How many are under way at one time
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u32).range(1..=256))]
    pub(super) at_once: u32,
    /// For how long at most
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=300))]
    pub(super) seconds: u32,
    /// How many in a second [default: as many as the server takes]
    #[arg(long, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(super) rate: Option<u32>,
}

/// See [`Measure::Rooms`].
#[derive(Clone, Debug, Args)]
pub(super) struct Rooms {
    /// How many devices are in each
    #[arg(long, default_values_t = [2, 10, 100, 1_000], value_delimiter = ',', value_parser = value_parser!(u32).range(2..=1_000))]
    pub(super) devices: Vec<u32>,
    /// How many messages somebody has missed
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(super) missed: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_and_every_time_has_a_greatest_value() {
        for (wrong, right) in [
            (&["fan-out", "--to", "1001"][..], &["fan-out", "--to", "1000"][..]),
            (&["fan-out", "--messages", "1000001"], &["fan-out", "--messages", "1000000"]),
            (&["pairs", "--seconds", "301"], &["pairs", "--seconds", "300"]),
            (&["acks", "--in-flight", "65"], &["acks", "--in-flight", "64"]),
            (&["acks", "--rate", "0"], &["acks", "--rate", "1"]),
            (&["idle", "--connections", "4001"], &["idle", "--connections", "4000"]),
            (&["logins", "--at-once", "257"], &["logins", "--at-once", "256"]),
            (&["rooms", "--devices", "1,2"], &["rooms", "--devices", "2,3"]),
        ] {
            let parse = |words: &[&str]| Cli::try_parse_from(["load"].iter().chain(words)).is_ok();
            assert!(!parse(wrong) && parse(right), "{wrong:?}");
        }
    }
}
