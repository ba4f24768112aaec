//! Runs that are arranged so that something rare happens in them: a sweep of few seeds can't wait for its accident.

use crate::config::{Flip, SimConfig};

/// A run with what it is for.
pub struct Arranged {
    /// What happens in it that hardly happens elsewhere.
    pub what: &'static str,
    /// The run.
    pub config: SimConfig,
}

/// All of them.
pub fn arranged() -> Vec<Arranged> {
    vec![
        Arranged {
            what: "strangers crowd at the ports of devices that nobody of the realm dials",
            config: SimConfig {
                devices: 6,
                storm_s: 30,
                pace_ms: 1_000,
                direct_latency_max_us: 400_000,
                narrow_percent: 50,
                tunnel_only_percent: 0,
                scan_mean_ms: 1,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "two people say more than their sockets take",
            config: SimConfig {
                devices: 2,
                storm_s: 100,
                accept_percent: 100,
                decline_percent: 0,
                hang_up_weight: 0,
                lines_max: 1_000,
                long_line_percent: 100,
                tunnel_only_percent: 100,
                slow_reader_percent: 100,
                slow_read_bytes_max: 4_000,
                slow_read_max_ms: 500,
                window_bytes: 32_768,
                ..SimConfig::draw(1).without_faults()
            },
        },
        damaged("the hello of an enrolment is damaged", Flip { conn: 1, to_relay: true, offset: 100 }),
        damaged("a newcomer's part of the handshake is damaged", Flip { conn: 1, to_relay: true, offset: 600 }),
        damaged("the relay's part of a handshake is damaged", Flip { conn: 4, to_relay: false, offset: 1_200 }),
    ]
}

/// Two people, and one byte is damaged.
fn damaged(what: &'static str, flip: Flip) -> Arranged {
    let quiet = SimConfig::draw(1).without_faults();
    Arranged { what, config: SimConfig { devices: 2, storm_s: 10, flip: Some(flip), ..quiet } }
}
