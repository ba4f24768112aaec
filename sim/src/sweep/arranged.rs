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
    [others(), of_their_own(), conversing()].into_iter().flatten().collect()
}

/// Those in which people do something about their own devices.
fn of_their_own() -> Vec<Arranged> {
    vec![
        Arranged {
            what: "people make recovery codes without end, lose every device, and the codes, too, and come back",
            config: SimConfig {
                devices: 4,
                further: 2,
                storm_s: 300,
                pace_ms: 1_500,
                call_weight: 40,
                accept_percent: 80,
                decline_percent: 10,
                recovery_percent: 100,
                code_mean_ms: 1_500,
                lose_mean_ms: 20_000,
                lose_code_percent: 30,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "people sign up by passwords, mistype them, and set others, where nothing else admits",
            config: SimConfig {
                devices: 4,
                further: 2,
                storm_s: 200,
                pace_ms: 1_500,
                sign_up: 1,
                password_percent: 50,
                password_mean_ms: 3_000,
                slip_percent: 40,
                rival_percent: 50,
                revoke_mean_ms: 20_000,
                recovery_percent: 50,
                lose_mean_ms: 25_000,
                lose_code_percent: 50,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "many guess at the passwords of many people at once, who set others and join with further devices",
            config: SimConfig {
                devices: 14,
                further: 7,
                storm_s: 120,
                pace_ms: 2_000,
                sign_up: 1,
                password_percent: 100,
                password_mean_ms: 4_000,
                revoke_mean_ms: 15_000,
                guess_mean_ms: 25_000,
                guess_max: 120,
                guess_sources: 40,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "people try passwords where invites alone admit",
            config: SimConfig {
                devices: 3,
                storm_s: 60,
                password_percent: 100,
                password_mean_ms: 5_000,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "people with two devices take the one or the other back themselves",
            config: SimConfig {
                devices: 3,
                further: 3,
                storm_s: 300,
                pace_ms: 1_500,
                call_weight: 40,
                accept_percent: 80,
                decline_percent: 10,
                withdraw_mean_ms: 4_000,
                ..SimConfig::draw(1).without_faults()
            },
        },
    ]
}

/// Those in which people write to each other.
fn conversing() -> Vec<Arranged> {
    let quiet = || SimConfig {
        conversing: 4,
        write_mean_ms: 4_000,
        append_max_us: 5_000,
        ..SimConfig::draw(1).without_faults()
    };
    vec![
        Arranged {
            what: "a member breaks into conversations without end, and takes more key packages than it may",
            config: SimConfig {
                devices: 3,
                storm_s: 100,
                conversing: 3,
                write_mean_ms: 3_000,
                intrude_mean_ms: 150,
                // Each key package is read by itself.
                append_max_us: 200,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "people do with rooms whatever there is to do with one, and ask for a lobby that there is not",
            config: SimConfig { devices: 4, storm_s: 200, room_mean_ms: 500, lobby: 2, ..quiet() },
        },
        Arranged {
            what: "people come into a lobby in which nobody may be who could let them in, since all come and go all the time",
            config: SimConfig {
                devices: 4,
                storm_s: 120,
                room_mean_ms: 1_500,
                lobby: 1,
                pace_ms: 1_000,
                quit_weight: 60,
                kill_weight: 60,
                ..quiet()
            },
        },
    ]
}

fn others() -> Vec<Arranged> {
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
                // Whatever seeds are drawn like: they call soon, and do nothing else.
                pace_ms: 1_000,
                call_weight: 10,
                who_weight: 0,
                fetch_weight: 0,
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
        Arranged {
            what: "many people call each other, and nobody takes a call or gives one up",
            config: SimConfig {
                devices: 16,
                storm_s: 100,
                pace_ms: 300,
                call_weight: 100,
                who_weight: 0,
                fetch_weight: 0,
                hang_up_weight: 5,
                accept_percent: 0,
                decline_percent: 0,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "two people stay online for hours, and their devices ask what the log has become",
            config: SimConfig { devices: 2, storm_s: 7_500, pace_ms: 100_000, ..SimConfig::draw(1).without_faults() },
        },
        Arranged {
            what: "everybody is away for longer than any certificate can be renewed, and the server's disk is well",
            config: SimConfig { devices: 4, storm_s: 60, away_h: 3_600, ..SimConfig::draw(1).without_faults() },
        },
        Arranged {
            what: "people with two devices each lose the one or the other, and their person has the next one join",
            config: SimConfig {
                devices: 3,
                further: 3,
                storm_s: 400,
                pace_ms: 1_500,
                call_weight: 40,
                accept_percent: 80,
                decline_percent: 10,
                revoke_mean_ms: 12_000,
                ..SimConfig::draw(1).without_faults()
            },
        },
        Arranged {
            what: "people whose programs end and start again while it rings take a call that is another one by now",
            config: SimConfig {
                devices: 12,
                storm_s: 500,
                pace_ms: 500,
                call_weight: 100,
                kill_weight: 60,
                accept_percent: 100,
                decline_percent: 0,
                ..SimConfig::draw(1).without_faults()
            },
        },
        far_off_clocks(),
        damaged("the hello of an enrolment is damaged", Flip { conn: 1, to_relay: true, offset: 100 }),
        damaged("a newcomer's part of the handshake is damaged", Flip { conn: 1, to_relay: true, offset: 600 }),
        damaged("the relay's part of a handshake is damaged", Flip { conn: 4, to_relay: false, offset: 1_200 }),
    ]
}

/// A run whose clocks go wrong often.
fn far_off_clocks() -> Arranged {
    Arranged {
        what: "clocks are far off in a realm whose devices hear of revocation lists meanwhile",
        config: SimConfig {
            wrong_clock_percent: 70,
            clock_step_mean_ms: 3_000,
            sign_up: 0,
            password_percent: 0,
            password_mean_ms: 0,
            withdraw_mean_ms: 0,
            recovery_percent: 0,
            code_mean_ms: 0,
            lose_mean_ms: 0,
            conversing: 0,
            room_mean_ms: 0,
            lobby: 0,
            ..SimConfig::draw(6)
        },
    }
}

/// Two people, and one byte is damaged.
fn damaged(what: &'static str, flip: Flip) -> Arranged {
    let quiet = SimConfig::draw(1).without_faults();
    Arranged { what, config: SimConfig { devices: 2, storm_s: 10, flip: Some(flip), ..quiet } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run;
    use crate::trace::Keep;

    #[test]
    fn the_room_of_a_call_is_used_up_where_two_people_say_more_than_their_sockets_take() {
        let named = |arranged: &Arranged| arranged.what == "two people say more than their sockets take";
        let found = arranged().into_iter().find(named).expect("it is arranged");
        let outcome = run(&found.config, Keep::default());
        assert_eq!(outcome.objection, None);
        assert!(outcome.tally.count("call denied", "Full") > 100, "{}", outcome.tally);
    }
}
