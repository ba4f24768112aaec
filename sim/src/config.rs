//! Decides what a run is like: how many people, which network, which faults. Plain data, drawn from the seed.
//!
//! A configuration prints itself whole, a field a line, and reads itself back, so a failure can be kept as text even
//! when the drawing below has changed. The faults come in families, each of which is off in about half of all runs:
//! faults that are all slightly on hide each other's bugs.

mod conversing;
mod disk;
mod draw;
mod flip;
mod further;
mod guessers;
mod network;
mod passwords;
mod recovering;
mod refusal;
mod revoking;
mod rooms;
mod standard;
mod thieves;
mod time;
mod villains;
mod withdrawing;

use std::fmt;

pub use flip::Flip;
pub use refusal::ConfigRefusal;

use crate::rng::{Streams, Tape};

/// Writes the fields once, so that none is left out when a configuration is printed, read or changed.
macro_rules! config {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a run is like.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct SimConfig {
            $($(#[$doc])* pub $name: u64,)*
            /// Damages one byte.
            pub flip: Option<Flip>,
            /// Decides, as far as it goes, what the generator of the seed decides otherwise. What is secret is the seed's.
            pub tape: Option<Tape>,
        }

        impl SimConfig {
            /// Sets one field by its name.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigRefusal> {
                let number = || value.parse().map_err(|_| ConfigRefusal::Value(name.to_owned()));
                match name {
                    $(stringify!($name) => self.$name = number()?,)*
                    "flip" if value == "none" => self.flip = None,
                    "flip" => self.flip = Some(value.parse().map_err(|()| ConfigRefusal::Value(name.to_owned()))?),
                    "tape" if value == "none" => self.tape = None,
                    "tape" => self.tape = Some(value.parse().map_err(|_| ConfigRefusal::Value(name.to_owned()))?),
                    _ => return Err(ConfigRefusal::Unknown(name.to_owned())),
                }
                Ok(())
            }

            /// The seed alone: nothing else is set.
            fn blank(seed: u64) -> Self {
                let mut config = Self { $($name: 0,)* flip: None, tape: None };
                config.seed = seed;
                config
            }

            /// Every number, by the name of its field.
            pub fn numbers(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        impl fmt::Display for SimConfig {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, concat!(stringify!($name), "={}"), self.$name)?;)*
                match self.flip {
                    Some(flip) => writeln!(f, "flip={flip}"),
                    None => writeln!(f, "flip=none"),
                }?;
                match &self.tape {
                    Some(tape) => writeln!(f, "tape={tape}"),
                    None => writeln!(f, "tape=none"),
                }
            }
        }
    };
}

config! {
    /// Where every random number of the run comes from.
    seed,
    /// How many people there are, each with one device to begin with: 2 to 16.
    devices,
    /// How long faults happen, in seconds.
    storm_s,
    /// When the run is broken off, in milliseconds, so that nothing is run after a failure's moment; 0 for at its end.
    end_ms,
    /// The shortest way of a segment, in microseconds.
    latency_min_us,
    /// The longest way of a segment, in microseconds; not less than the shortest.
    latency_max_us,
    /// How many percent of the pieces of a write are split further.
    split_percent,
    /// How many percent of the pieces arrive together with the one before.
    merge_percent,
    /// The most pieces of one write, at least 1.
    segments_max,
    /// How many percent of the writes a socket takes only a part of.
    short_write_percent,
    /// How long a full socket takes until it takes more, at most, in microseconds.
    blocked_max_us,
    /// How many percent of the full sockets take nothing for up to half a minute.
    stall_percent,
    /// How many percent of the calls are met by one in the other direction.
    glare_percent,
    /// How late a machine is woken after its deadline, at most, in microseconds.
    late_max_us,
    /// How far a node's civil clock is off in either direction, at most, in seconds. Certificates are backdated by 300.
    skew_max_s,
    /// The time between two cuts of a connection, on average, in milliseconds; 0 for none.
    cut_mean_ms,
    /// How many percent of the cuts neither side is told of.
    silent_percent,
    /// How many percent of the attempts to connect fail.
    dial_fail_percent,
    /// How many percent of the appends the relay crashes before, so that they are lost.
    crash_before_percent,
    /// How many percent of the appends the relay crashes after, before it has heard that they are durable.
    crash_after_percent,
    /// The time between two crashes of the relay that no append brings about, on average, in milliseconds; 0 for none.
    crash_mean_ms,
    /// How long the relay is down after a crash, at most, in milliseconds.
    down_max_ms,
    /// How long an append takes to become durable, at most, in microseconds.
    append_max_us,
    /// The time between two acts of a person, on average, in milliseconds.
    pace_ms,
    /// How many percent of the invites are handed to two people.
    shared_invite_percent,
    /// How many percent of the people want somebody else's name.
    rival_percent,
    /// How many percent of the invites live for a few seconds only.
    brief_invite_percent,
    /// How many percent of the invites are for one name alone.
    bound_invite_percent,
    /// The weight of calling somebody among the acts of a person.
    call_weight,
    /// The weight of hanging up.
    hang_up_weight,
    /// The weight of asking who there is.
    who_weight,
    /// The weight of leaving in good order.
    quit_weight,
    /// The weight of the program's end without a goodbye.
    kill_weight,
    /// How many percent of the calls that come in are taken.
    accept_percent,
    /// How many percent are declined; the rest ring until they stop.
    decline_percent,
    /// How many lines somebody says in a call, at most.
    lines_max,
    /// How many percent of the lines are long.
    long_line_percent,
    /// How many percent of the devices wish for the tunnel alone.
    tunnel_only_percent,
    /// How many percent of the devices have an IPv6 address besides their IPv4 one.
    ipv6_percent,
    /// How many percent of the devices offer and dial loopback too, where nobody else is.
    loopback_percent,
    /// How many percent of the devices are behind a filter that swallows whatever connects to them.
    filtered_percent,
    /// How many percent of the devices can't make a listener.
    closed_port_percent,
    /// How many percent of the devices have addresses at which somebody else answers.
    lying_percent,
    /// How many percent of the attempts to connect directly are refused or swallowed.
    direct_fail_percent,
    /// The longest way of a segment on a direct connection, in microseconds.
    direct_latency_max_us,
    /// The time between two cuts of a direct connection, on average, in milliseconds; 0 for none.
    direct_cut_mean_ms,
    /// How many percent of those cuts carry one direction on, and tell nobody.
    one_way_percent,
    /// How many percent of the devices may offer their own addresses and dial nobody else's.
    narrow_percent,
    /// The time between two visits of a stranger to a listening port, on average, in milliseconds; 0 for none.
    scan_mean_ms,

    // The network, besides what is above.
    /// How many percent of the connections are reset once, in the middle of a TLS record.
    reset_percent,
    /// How many percent of the connections have somebody on their way who meddles with what passes.
    meddled_percent,
    /// How many bytes a meddler lets pass between two deeds, on average; at least 1.
    meddle_mean_bytes,
    /// The weight of flipping a bit among the deeds of a meddler.
    meddle_flip_weight,
    /// The weight of dropping bytes or a record.
    meddle_drop_weight,
    /// The weight of sending bytes or a record twice.
    meddle_double_weight,
    /// The weight of sending an earlier record once more, of this or another direction or connection.
    meddle_replay_weight,
    /// The weight of putting in bytes or records of their own.
    meddle_insert_weight,
    /// The time between two stalls of one direction of a connection, on average, in milliseconds; 0 for none.
    way_stall_mean_ms,
    /// How long one direction delivers nothing, at most, in milliseconds.
    way_stall_max_ms,
    /// The time between two partitions of the network, on average, in milliseconds; 0 for none.
    part_mean_ms,
    /// How long a partition lasts, at most, in milliseconds.
    part_max_ms,
    /// How many percent of the partitions let one direction pass.
    part_one_way_percent,
    /// How many percent of the partitions part a single node from all others.
    part_alone_percent,
    /// How many percent of the connections that a partition held up are forgotten by the network meanwhile.
    part_forget_percent,
    /// The time between two devices whose machine is switched off, on average, in milliseconds; 0 for none.
    off_mean_ms,
    /// How long such a machine is off, at most, in milliseconds.
    off_max_ms,
    /// How many percent of the relay's crashes take its machine with it, so that no device is told.
    silent_crash_percent,
    /// How many percent of the devices are on a machine that reads late and little in the storm.
    slow_reader_percent,
    /// How many bytes such a machine reads at a time, at most; at least 1.
    slow_read_bytes_max,
    /// How long it takes from one reading to the next, at most, in milliseconds.
    slow_read_max_ms,
    /// The time between two times at which the relay's port takes nobody, on average, in milliseconds; 0 for none.
    refuse_mean_ms,
    /// How long the port takes nobody, at most, in milliseconds.
    refuse_max_ms,
    /// How many percent of these times are a full queue, which answers nothing, rather than a closed port.
    refuse_mute_percent,
    /// How many bytes may be on their way in one direction until they are read; 0 for as many as there are. A smaller
    /// number than 32768 is too little for the roll call.
    window_bytes,

    // Time.
    /// How far a node's clocks run fast or slow, at most, in millionths.
    drift_ppm,
    /// The time between two settings of some node's civil clock, on average, in milliseconds; 0 for none.
    clock_step_mean_ms,
    /// How far off a civil clock is set in either direction, at most, in seconds. Certificates are backdated by 300.
    clock_step_max_s,
    /// How many percent of the devices begin with a civil clock that is beyond what certificates allow, and how many
    /// percent of the settings of a device's clock take it there.
    wrong_clock_percent,
    /// The time between two machines that fall asleep, on average, in milliseconds; 0 for none.
    nap_mean_ms,
    /// How long a machine sleeps, at most, in seconds.
    nap_max_s,
    /// How many hours everybody is away in the middle of the storm: laptops asleep or off, the server on; 0 for none.
    away_h,

    /// How many percent of the appends a crash of the relay tears.
    torn_percent,
    /// How many percent of the appends find the relay's disk full, and the process ends.
    disk_full_percent,
    /// How long the relay's disk stays full, at most, in milliseconds.
    disk_full_max_ms,
    /// How many percent of the appends fail in their sync: nobody knows whether they are there, and the process ends.
    sync_fail_percent,
    /// How long a device takes to write down its key or its identity, at most, in microseconds.
    store_max_us,
    /// How many percent of a device's writes fail, since its disk is full or a sync fails.
    store_fail_percent,
    /// In how many percent of a device's writes its program is killed, before or after the write.
    store_crash_percent,
    /// The second of the storm at which the operator takes a backup, if there will be a restore.
    backup_after_s,
    /// The second of the storm at which the operator restores the backup; 0 for never.
    restore_after_s,
    /// After how many records the relay asks for a snapshot of its state; 0 for never.
    snapshot_every,
    /// How many percent of the snapshots in the storm find no room.
    snapshot_full_percent,
    /// How many percent of the relay's starts in the storm find the newest snapshot damaged.
    snapshot_rot_percent,
    /// The append of the storm that goes wrong for certain, counted from 1; 0 for none.
    fail_append,
    /// How: 1 a crash before it, 2 one after it, 3 it is torn, 4 no room, 5 and 6 a failed sync, without and with it.
    fail_append_how,
    /// The write of a device in the storm that goes wrong for certain, counted from 1; 0 for none.
    fail_store,
    /// How: 1 no room, 2 and 3 a failed sync, without and with it, 4 and 5 the program is killed before and after it.
    fail_store_how,

    // Villains, and slips of the hand.
    /// The time between two attempts of somebody with a forged certificate, on average, in milliseconds; 0 for none.
    forge_mean_ms,
    /// The time between two connections of somebody who says nothing, on average, in milliseconds; 0 for none.
    mute_mean_ms,
    /// The time between two crowds at the relay's door, on average, in milliseconds; 0 for none.
    crowd_mean_ms,
    /// How many connections a crowd has, at most.
    crowd_max,
    /// From how many addresses crowds come: 1 to 200.
    crowd_sources,
    /// How many connections that have not been admitted the relay's operator allows.
    strangers_max,
    /// How many public-key operations a second they allow strangers.
    key_operations,
    /// The time between two acts of a member who reads little, on average, in milliseconds; 0 for no such member.
    slow_mean_ms,
    /// How many bytes a second they read; 0 for none at all.
    slow_bytes,
    /// The time between two bursts of a member who asks without end, on average, in milliseconds; 0 for no such member.
    hasty_mean_ms,
    /// How much they ask in a burst, at most.
    hasty_max,
    /// The weight of asking for somebody's certificates among the acts of a person.
    fetch_weight,
    /// How many percent of what people type in the storm, invite links and names, has a mistake in it.
    slip_percent,
    /// How many percent of what the relay says to devices is a lie: 0 for an honest one.
    lie_percent,
    /// Whether a relay that lies is replaced by an honest one when the storm is over (1), or stays (0).
    liar_leaves,
    /// The time between two devices that the CA certifies in secret under an honest person's name, on average, in
    /// milliseconds; 0 for a CA that does not. It takes a relay that stays, and whose log alone is not the genuine one.
    secret_mean_ms,
    /// The time between two devices that the operator takes back, on average, in milliseconds; 0 for none.
    revoke_mean_ms,
    /// How many of the people, the first ones, come to have a further device, which their first one has to approve.
    further,
    /// Whether a CA that certifies in secret leaves newcomers out of its second log, so that both are of one size (1), or not (0).
    secret_hides,
    /// Whether somebody plays the devices that such a CA has grown people, in calls (1), or they are offered alone (0).
    secret_plays,
    /// The time between two attempts of somebody with an invite whose time is over, on average, in milliseconds; 0 for none.
    invite_thief_mean_ms,
    /// The time between two attempts of somebody who has stolen a device that was revoked, on average, in milliseconds; 0 for none.
    revoked_thief_mean_ms,
    /// The time between two attempts of somebody with a copy of a device's folder, on average, in milliseconds; 0 for none.
    copy_mean_ms,
    /// The time between two devices that people take back themselves, or try to, on average, in milliseconds; 0 for none.
    withdraw_mean_ms,
    /// How many percent of the people make a recovery code when they have joined.
    recovery_percent,
    /// The time between two people who make another code, or ask whether one counts, on average, in milliseconds; 0 for none.
    code_mean_ms,
    /// The time between two people who lose every device that they have, on average, in milliseconds; 0 for none.
    lose_mean_ms,
    /// How many percent of those have lost their codes, too, and ask the operator to let them in again.
    lose_code_percent,
    /// What admits newcomers: invites alone (0), passwords alone (1), or either (2).
    sign_up,
    /// How many percent of the people would rather join by a password than by an invite.
    password_percent,
    /// The time between two people who set another password, on average, in milliseconds; 0 for none.
    password_mean_ms,
    /// The time between two visits of somebody who guesses at people's passwords, on average, in milliseconds; 0 for none.
    guess_mean_ms,
    /// How many passwords they try in one visit, at most.
    guess_max,
    /// From how many addresses they come: 1 to 40, where they come.
    guess_sources,
    /// How many of the people, the first ones, take part in conversations, with all their devices; 0 for nobody.
    conversing,
    /// The time between two texts that one of them writes to somebody in the storm, on average, in milliseconds; 0 for none.
    write_mean_ms,
    /// The time between two visits of a member who asks of conversations what nobody may, on average, in milliseconds; 0 for none.
    intrude_mean_ms,
    /// The time between two things that one of them does with a room in the storm, on average, in milliseconds; 0 for no rooms.
    room_mean_ms,
    /// Whether their devices come into the lobby as soon as they are there: no (0), yes (1), or in vain, since the operator has
    /// chosen to have none (2).
    lobby,
}

impl SimConfig {
    /// Where every decision and every random number of a run comes from.
    pub fn streams(&self) -> Streams<'_> {
        Streams::over(self.seed, self.tape.as_ref())
    }

    /// Reads what [`Display`](fmt::Display) wrote. Fields that are not named are those of the seed, and a line that
    /// begins with `#` is for people.
    pub fn parse(text: &str) -> Result<Self, ConfigRefusal> {
        Self::read(text, Self::draw)
    }

    /// As [`SimConfig::parse`], of what was written whole: fields that are not named are off.
    pub fn parse_whole(text: &str) -> Result<Self, ConfigRefusal> {
        Self::read(text, Self::blank)
    }

    fn read(text: &str, base: fn(u64) -> Self) -> Result<Self, ConfigRefusal> {
        let mut pairs = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            pairs.push(line.split_once('=').ok_or_else(|| ConfigRefusal::Line(line.to_owned()))?);
        }
        let mut config = base(0);
        // The seed first, since it says what the others are by default.
        let mut seeds = pairs.iter().filter(|(name, _)| *name == "seed");
        if let Some((name, value)) = seeds.next() {
            config.set(name, value)?;
            config = base(config.seed);
        }
        if let Some((name, value)) = seeds.next() {
            return Err(ConfigRefusal::Line(format!("{name}={value}")));
        }
        for (name, value) in pairs {
            config.set(name, value)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Whether a run can be made of it.
    pub fn check(&self) -> Result<(), ConfigRefusal> {
        let percents = [
            (self.silent_percent, "silent_percent"),
            (self.dial_fail_percent, "dial_fail_percent"),
            (self.accept_percent.saturating_add(self.decline_percent), "decline_percent"),
        ];
        // Far beyond what makes sense, and far below what a sum could not hold.
        let limited = |(name, number): &(&str, u64)| *name != "seed" && *number > 1_000_000_000;
        if let Some((name, _)) = self.numbers().into_iter().find(limited) {
            return Err(ConfigRefusal::Range(name));
        }
        if let Some((_, name)) = percents.into_iter().find(|(value, _)| *value > 100) {
            return Err(ConfigRefusal::Range(name));
        }
        match self {
            _ if !(2..=16).contains(&self.devices) => Err(ConfigRefusal::Range("devices")),
            _ if self.storm_s == 0 || self.storm_s > 86_400 => Err(ConfigRefusal::Range("storm_s")),
            _ if self.latency_max_us < self.latency_min_us => Err(ConfigRefusal::Range("latency_max_us")),
            // Beyond this a handshake through two hops no longer fits its time.
            _ if self.latency_max_us > 400_000 => Err(ConfigRefusal::Range("latency_max_us")),
            _ if self.direct_latency_max_us > 400_000 => Err(ConfigRefusal::Range("direct_latency_max_us")),
            _ if self.skew_max_s > 120 => Err(ConfigRefusal::Range("skew_max_s")),
            _ if self.segments_max == 0 => Err(ConfigRefusal::Range("segments_max")),
            _ if self.drift_ppm > 1_000 => Err(ConfigRefusal::Range("drift_ppm")),
            _ if self.clock_step_max_s > 120 => Err(ConfigRefusal::Range("clock_step_max_s")),
            _ if self.fail_store_how > 5 => Err(ConfigRefusal::Range("fail_store_how")),
            _ if self.fail_append_how > 6 => Err(ConfigRefusal::Range("fail_append_how")),
            // The issuing CA lives for a year.
            _ if self.away_h > 8_000 => Err(ConfigRefusal::Range("away_h")),
            _ if self.pace_ms == 0 => Err(ConfigRefusal::Range("pace_ms")),
            _ if self.further > self.devices => Err(ConfigRefusal::Range("further")),
            _ if self.lobby > 2 => Err(ConfigRefusal::Range("lobby")),
            _ => self
                .check_network()
                .and_then(|()| self.check_villains())
                .and_then(|()| self.check_own())
                .and_then(|()| self.check_guessers()),
        }
    }
}

#[cfg(test)]
mod tests;
