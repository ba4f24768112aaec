//! What an operator may choose of a server's behaviour, each within hard bounds of [`crate::limits`].
//!
//! Plain data: the shell reads it from wherever it likes, [`Settings::check`] says what is wrong with it, and
//! [`super::Server::with_settings`] takes it only if nothing is.

use std::fmt;
use std::time::Duration;

use crate::limits::{
    CONNECTIONS_MAX, CONNECTIONS_MIN, HANDSHAKE_TIME_LEAST, HANDSHAKE_TIME_MAX, HANDSHAKE_TIME_MOST, INVITE_LIFETIME,
    INVITE_LIFETIME_MAX, INVITE_LIFETIME_MIN, KEY_OPERATIONS_PER_SECOND, KEY_OPERATIONS_PER_SECOND_MAX,
    KEY_OPERATIONS_PER_SECOND_MIN, RING_TIME_LEAST, RING_TIME_MAX, RING_TIME_MOST, SILENCE_TIME_LEAST,
    SILENCE_TIME_MAX, SILENCE_TIME_MOST, STRANGERS_MAX,
};

/// What an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Connections at one time, strangers included: 2 to 4096.
    pub connections_max: usize,
    /// Connections among them that have not been admitted: 1 to 512, and fewer than `connections_max`.
    pub strangers_max: usize,
    /// Public-key operations that all strangers together may cause in a second: 100 to 20,000. A connection counts for
    /// seven, so the default, 2800, lets 400 in a second.
    pub key_operations_per_second: u32,
    /// From the opening of a connection until it must be admitted, or have its certificate: 1 s to 60 s.
    pub handshake_time: Duration,
    /// Without a word from a device for this long its connection is given up: 41 s to 600 s. Devices ask for a sign of
    /// life every 20 s, and one of those may be lost.
    pub silence_time: Duration,
    /// How long a call rings: 5 s to 60 s.
    pub ring_time: Duration,
    /// The lifetime of an invite when the operator names none: 1 s to 30 days. It is the shell that reads it: the machine
    /// is told one each time.
    pub invite_lifetime: Duration,
    /// What admits newcomers.
    pub sign_up: SignUpBy,
    /// Whether there may be a lobby: an open room of that name, into which programs come with everybody who joins.
    pub lobby: bool,
}

/// What admits newcomers to a realm. The operator's own word (`server ca sign`) always does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUpBy {
    /// An invite alone.
    #[default]
    Invite,
    /// A password alone.
    Password,
    /// Either.
    Both,
}

impl SignUpBy {
    /// Whether invites admit.
    pub fn takes_invites(self) -> bool {
        self != Self::Password
    }

    /// Whether passwords admit.
    pub fn takes_passwords(self) -> bool {
        self != Self::Invite
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            strangers_max: STRANGERS_MAX,
            key_operations_per_second: KEY_OPERATIONS_PER_SECOND,
            handshake_time: HANDSHAKE_TIME_MAX,
            silence_time: SILENCE_TIME_MAX,
            ring_time: RING_TIME_MAX,
            invite_lifetime: INVITE_LIFETIME,
            sign_up: SignUpBy::default(),
            lobby: true,
        }
    }
}

impl Settings {
    /// Whether every value is within its bounds; the first that is not is named.
    pub fn check(&self) -> Result<(), SettingRefusal> {
        let within = |setting, value, least, most| {
            let refusal = SettingRefusal::OutOfRange { setting, value, least, most };
            if (least..=most).contains(&value) { Ok(()) } else { Err(refusal) }
        };
        let count = |setting, value: usize, least: usize, most: usize| {
            within(setting, Value::of(value), Value::of(least), Value::of(most))
        };
        let time =
            |setting, value, least, most| within(setting, Value::Time(value), Value::Time(least), Value::Time(most));
        let rate = |value: u32| Value::Count(u64::from(value));
        count(Setting::ConnectionsMax, self.connections_max, CONNECTIONS_MIN, CONNECTIONS_MAX)?;
        count(Setting::StrangersMax, self.strangers_max, 1, STRANGERS_MAX.min(self.connections_max - 1))?;
        within(
            Setting::KeyOperationsPerSecond,
            rate(self.key_operations_per_second),
            rate(KEY_OPERATIONS_PER_SECOND_MIN),
            rate(KEY_OPERATIONS_PER_SECOND_MAX),
        )?;
        time(Setting::HandshakeTime, self.handshake_time, HANDSHAKE_TIME_LEAST, HANDSHAKE_TIME_MOST)?;
        time(Setting::SilenceTime, self.silence_time, SILENCE_TIME_LEAST, SILENCE_TIME_MOST)?;
        time(Setting::RingTime, self.ring_time, RING_TIME_LEAST, RING_TIME_MOST)?;
        time(Setting::InviteLifetime, self.invite_lifetime, INVITE_LIFETIME_MIN, INVITE_LIFETIME_MAX)
    }
}

/// Which setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// [`Settings::connections_max`].
    ConnectionsMax,
    /// [`Settings::strangers_max`].
    StrangersMax,
    /// [`Settings::key_operations_per_second`].
    KeyOperationsPerSecond,
    /// [`Settings::handshake_time`].
    HandshakeTime,
    /// [`Settings::silence_time`].
    SilenceTime,
    /// [`Settings::ring_time`].
    RingTime,
    /// [`Settings::invite_lifetime`].
    InviteLifetime,
}

impl Setting {
    /// All of them, in the order in which they are checked.
    pub const ALL: [Self; 7] = [
        Self::ConnectionsMax,
        Self::StrangersMax,
        Self::KeyOperationsPerSecond,
        Self::HandshakeTime,
        Self::SilenceTime,
        Self::RingTime,
        Self::InviteLifetime,
    ];

    /// Its name: that of its field.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectionsMax => "connections_max",
            Self::StrangersMax => "strangers_max",
            Self::KeyOperationsPerSecond => "key_operations_per_second",
            Self::HandshakeTime => "handshake_time",
            Self::SilenceTime => "silence_time",
            Self::RingTime => "ring_time",
            Self::InviteLifetime => "invite_lifetime",
        }
    }
}

/// A value of a setting, or one of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// So many.
    Count(u64),
    /// So long.
    Time(Duration),
}

impl Value {
    fn of(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            // A fraction of a second shows as one: a bound may be missed by less than a second.
            Self::Time(time) if time.subsec_nanos() == 0 => write!(f, "{} s", time.as_secs()),
            Self::Time(time) => write!(f, "{} s", time.as_secs_f64()),
        }
    }
}

/// Why settings are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingRefusal {
    /// A value is beyond its bounds.
    OutOfRange {
        /// Which.
        setting: Setting,
        /// What it is.
        value: Value,
        /// The least it may be.
        least: Value,
        /// The most it may be.
        most: Value,
    },
}

impl SettingRefusal {
    /// Which setting is refused.
    pub fn setting(self) -> Setting {
        match self {
            Self::OutOfRange { setting, .. } => setting,
        }
    }
}

impl fmt::Display for SettingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { setting, value, least, most } => {
                write!(f, "{} can't be {value}: choose {least} to {most}", setting.name())
            }
        }
    }
}

impl std::error::Error for SettingRefusal {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    /// The settings with one of them at `value`.
    fn with(setting: Setting, value: Value) -> Settings {
        let mut settings = Settings::default();
        let count = |value: u64| usize::try_from(value).unwrap();
        match (setting, value) {
            (Setting::ConnectionsMax, Value::Count(n)) => {
                settings.connections_max = count(n);
                settings.strangers_max = 1;
            }
            (Setting::StrangersMax, Value::Count(n)) => settings.strangers_max = count(n),
            (Setting::KeyOperationsPerSecond, Value::Count(n)) => {
                settings.key_operations_per_second = u32::try_from(n).unwrap();
            }
            (Setting::HandshakeTime, Value::Time(time)) => settings.handshake_time = time,
            (Setting::SilenceTime, Value::Time(time)) => settings.silence_time = time,
            (Setting::RingTime, Value::Time(time)) => settings.ring_time = time,
            (Setting::InviteLifetime, Value::Time(time)) => settings.invite_lifetime = time,
            (setting, value) => panic!("{value} is no value of {}", setting.name()),
        }
        settings
    }

    /// A setting's bounds, as its refusal of nothing at all tells them.
    fn range(setting: Setting) -> (Value, Value) {
        let zero = match setting {
            Setting::ConnectionsMax | Setting::StrangersMax | Setting::KeyOperationsPerSecond => Value::Count(0),
            Setting::HandshakeTime | Setting::SilenceTime | Setting::RingTime | Setting::InviteLifetime => {
                Value::Time(Duration::ZERO)
            }
        };
        let SettingRefusal::OutOfRange { setting: named, least, most, .. } = with(setting, zero).check().unwrap_err();
        assert_eq!(named, setting);
        (least, most)
    }

    #[test]
    fn each_setting_is_taken_at_its_bounds_and_refused_one_beyond() {
        assert_eq!(Settings::default().check(), Ok(()));
        let (count, time) = (|n: usize| Value::Count(u64::try_from(n).unwrap()), Value::Time);
        let rate = |n: u32| Value::Count(u64::from(n));
        for (setting, expected) in Setting::ALL.into_iter().zip([
            (count(CONNECTIONS_MIN), count(CONNECTIONS_MAX)),
            (count(1), count(STRANGERS_MAX)),
            (rate(KEY_OPERATIONS_PER_SECOND_MIN), rate(KEY_OPERATIONS_PER_SECOND_MAX)),
            (time(HANDSHAKE_TIME_LEAST), time(HANDSHAKE_TIME_MOST)),
            (time(SILENCE_TIME_LEAST), time(SILENCE_TIME_MOST)),
            (time(RING_TIME_LEAST), time(RING_TIME_MOST)),
            (time(INVITE_LIFETIME_MIN), time(INVITE_LIFETIME_MAX)),
        ]) {
            let (least, most) = range(setting);
            assert_eq!((least, most), expected, "{}", setting.name());
            for edge in [least, most] {
                assert_eq!(with(setting, edge).check(), Ok(()), "{} at {edge}", setting.name());
            }
            let step = Duration::from_millis(1);
            let (below, above) = match (least, most) {
                (Value::Count(least), Value::Count(most)) => (Value::Count(least - 1), Value::Count(most + 1)),
                (Value::Time(least), Value::Time(most)) => {
                    (Value::Time(least.saturating_sub(step)), Value::Time(most + step))
                }
                (least, most) => panic!("{least} and {most} are of two kinds"),
            };
            for value in [below, above] {
                let refusal = with(setting, value).check().unwrap_err();
                assert_eq!(refusal, SettingRefusal::OutOfRange { setting, value, least, most });
                assert_eq!(refusal.setting(), setting);
            }
        }
    }

    #[test]
    fn strangers_never_take_all_the_places() {
        let mut settings = Settings { connections_max: 10, strangers_max: 9, ..Settings::default() };
        assert_eq!(settings.check(), Ok(()));
        settings.strangers_max = 10;
        assert_eq!(settings.check().unwrap_err().to_string(), "strangers_max can't be 10: choose 1 to 9");
    }

    #[test]
    fn a_refusal_is_one_sentence_that_names_the_setting_and_its_range() {
        let silence = Settings { silence_time: Duration::from_millis(40_500), ..Settings::default() };
        assert_eq!(silence.check().unwrap_err().to_string(), "silence_time can't be 40.5 s: choose 41 s to 600 s");
    }
}
