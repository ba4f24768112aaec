//! Decides what a person is told during a chat, and in which words: as a sentence, or as one JSON object.

use std::fmt;

use countersign_core::device::Met;
use countersign_core::id::{DeviceLabel, DeviceName, Realm, UserName};
use countersign_core::time::Wall;
use serde::Serialize;

use super::clean::clean;
use super::metbook;
use super::spoken::Spoken;

/// One thing that a person is told. Its JSON form is what `--json` prints; a text for people is left out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// The server has admitted us.
    Online {
        /// Who we are.
        user: UserName,
        /// By which device.
        device: DeviceLabel,
        /// Where.
        realm: Realm,
        /// By which server.
        server: String,
        /// Whether this ends a loss that was told.
        again: bool,
        /// What to expect now.
        #[serde(skip)]
        hint: &'static str,
    },
    /// The connection to the server is lost.
    Offline {
        /// Why.
        reason: String,
        /// The next try is after this long, if there is one.
        retry_ms: Option<u64>,
        /// Whether it was there until now.
        #[serde(skip)]
        lost: bool,
    },
    /// Somebody is here, came or went.
    Presence {
        /// Who.
        user: UserName,
        /// Which device.
        device: DeviceLabel,
        /// Is here, or left.
        online: bool,
    },
    /// A device of this user's waits to be approved.
    DeviceWaits {
        /// Which.
        device: DeviceLabel,
    },
    /// The one who is called is not online and is waited for.
    Waiting {
        /// Who.
        user: UserName,
        /// For how long.
        seconds: u64,
    },
    /// The one who is called is being asked, on this device.
    Ringing {
        /// Who.
        user: UserName,
        /// Which device.
        device: DeviceLabel,
        /// Whether another device of theirs was named before.
        #[serde(skip)]
        too: bool,
    },
    /// Somebody calls. Whether it is really them shows when the call opens.
    Incoming {
        /// Who says to be calling.
        from: UserName,
        /// By which device.
        device: DeviceLabel,
        /// Whether the person is asked to take it, or it is taken.
        #[serde(skip)]
        asked: bool,
    },
    /// Somebody called and was declined by this program.
    Declined {
        /// Who said to be calling.
        from: UserName,
        /// By which device.
        device: DeviceLabel,
        /// Why.
        reason: Declined,
    },
    /// Whoever has this name now is not who had it before: no call was made or taken.
    Changed {
        /// Who.
        user: UserName,
        /// By which device, if it was by one.
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<DeviceLabel>,
        /// When the one was met who had the name before.
        met: Wall,
        /// What to do.
        #[serde(skip)]
        words: String,
    },
    /// Somebody is met for the first time.
    Met {
        /// Who.
        user: UserName,
    },
    /// Both ends have proved who they are.
    Open {
        /// Who the other one is.
        with: UserName,
        /// By which device.
        device: DeviceLabel,
        /// By which way.
        path: &'static str,
        /// What to know now.
        #[serde(skip)]
        hint: &'static str,
    },
    /// The call goes on by another way, or stays where it is.
    Path {
        /// With whom.
        with: UserName,
        /// By which way.
        path: &'static str,
        /// Why not directly, if so.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether there was a direct connection until now.
        #[serde(skip)]
        back: bool,
    },
    /// The other one said a line.
    Line {
        /// Who.
        from: UserName,
        /// The how-manieth, from 0.
        n: u64,
        /// What.
        text: String,
    },
    /// A call is over.
    Ended {
        /// With whom.
        with: UserName,
        /// Why.
        reason: String,
        /// Why, as a number of the protocol.
        code: u16,
        /// The exit code that a `call` ends with.
        exit: u8,
    },
    /// A line of ours was not sent.
    Unsent {
        /// Why.
        reason: String,
    },
    /// The log has an act in this person's name that this device did not ask for.
    Unasked {
        /// In whose name.
        user: UserName,
        /// In which log.
        log: String,
        /// Where in it.
        index: u64,
        /// When, by the server's clock.
        at: Wall,
        /// What.
        act: String,
    },
    /// The log has an act in this person's name for which one of their own keys vouches, and which another device has asked
    /// for.
    Vouched {
        /// In whose name.
        user: UserName,
        /// In which log.
        log: String,
        /// Where in it.
        index: u64,
        /// When, by the server's clock.
        at: Wall,
        /// What.
        act: String,
    },
    /// This device has a new certificate.
    Renewed {
        /// Its last second.
        not_after: Wall,
    },
    /// Something to know.
    Warning {
        /// What.
        reason: String,
    },
    /// All messages that had come until now were told.
    CaughtUp,
    /// Something stands in a conversation.
    #[serde(untagged)]
    Spoken(Spoken),
}

/// Why this program declines a call without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Declined {
    /// There is a call already.
    Busy,
    /// There is nobody to ask.
    NobodyToAsk,
}

impl Notice {
    /// Somebody is not who they were.
    pub fn changed(user: UserName, device: Option<DeviceLabel>, before: Met) -> Self {
        let words = metbook::changed(&user, before);
        Self::Changed { user, device, met: before.since, words }
    }

    /// A presence notice.
    pub fn presence(name: DeviceName, online: bool) -> Self {
        Self::Presence { user: name.user, device: name.device, online }
    }

    /// Whether it is of little weight, beside a conversation.
    pub fn is_faint(&self) -> bool {
        matches!(
            self,
            Self::Presence { .. }
                | Self::Online { .. }
                | Self::Ringing { .. }
                | Self::Path { .. }
                | Self::Renewed { .. }
                | Self::Met { .. }
                | Self::CaughtUp
                | Self::Spoken(Spoken::Joined { .. } | Spoken::Members { .. })
        )
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online { again: true, .. } => f.write_str("back online"),
            Self::Online { user, device, server, hint, .. } => write!(f, "{user}/{device} is online at {server}{hint}"),
            Self::Offline { reason, retry_ms, lost } => {
                let lost = if *lost { "lost the server: " } else { "" };
                write!(f, "{lost}{reason}")?;
                retry_ms.map_or(Ok(()), |wait| write!(f, "; trying again in {}", seconds(wait)))
            }
            Self::Presence { user, device, online: true } => write!(f, "{user}/{device} is here"),
            Self::Presence { user, device, online: false } => write!(f, "{user}/{device} left"),
            Self::Waiting { user, seconds } => {
                write!(f, "{user} is not online; waiting {seconds} s for them (Ctrl-C gives up)")
            }
            Self::DeviceWaits { device } => write!(
                f,
                "a device that calls itself {device} wants to be one of yours; if it is: client devices approve {device}"
            ),
            Self::Ringing { user, device, too: false } => write!(f, "ringing {user}/{device} ..."),
            Self::Ringing { user, device, too: true } => write!(f, "and {user}/{device} ..."),
            Self::Incoming { from, asked: true, .. } => write!(f, "{from} calls. Accept? [y/n]"),
            Self::Incoming { from, asked: false, .. } => write!(f, "{from} calls"),
            Self::Declined { from, reason: Declined::Busy, .. } => {
                write!(f, "{from} called and was told that you are busy")
            }
            Self::Declined { from, reason: Declined::NobodyToAsk, .. } => {
                write!(
                    f,
                    "{from} called and was not answered: standard input has ended, so nobody can be asked; --accept takes calls without asking"
                )
            }
            Self::Changed { words, .. } => f.write_str(words),
            Self::Met { user } => {
                write!(
                    f,
                    "this is the first time that you meet {user}; client verify {user} shows how to make sure of them"
                )
            }
            Self::Open { with, device, path, hint } => {
                write!(f, "connected to {with}/{device} ({path}, end to end encrypted; certificate checked){hint}")
            }
            Self::Path { with, reason: None, .. } => {
                write!(f, "now directly with {with} (end to end encrypted; certificate checked again)")
            }
            Self::Path { reason: Some(reason), back: true, .. } => {
                write!(f, "the direct connection is gone, and the call goes on through the server: {reason}")
            }
            Self::Path { reason: Some(reason), back: false, .. } => {
                write!(f, "no direct connection, so the call stays with the server: {reason}")
            }
            Self::Line { from, text, .. } => write!(f, "{from}: {}", clean(text)),
            Self::Ended { reason, .. } | Self::Unsent { reason } => f.write_str(reason),
            Self::Unasked { user, log, index, at, act } => write!(
                f,
                "ALARM: the server has done in the name of {user} what this device did not ask for: {act}, on {at}, entry \
                 {index} of {log}; ask the operator, tell those who talk with you, and read all of it with client log check \
                 (--acknowledge ends this alarm)"
            ),
            Self::Vouched { user, log, index, at, act } => write!(
                f,
                "notice: {act}, on {at}, entry {index} of {log}; a key of {user}'s own vouches for it: if that was not you, \
                 make a new code with client recover --new, and revoke the device that did it with client devices revoke \
                 (client log check --acknowledge ends this notice)"
            ),
            Self::Renewed { not_after } => {
                write!(f, "this device's certificate is renewed: it is valid until {not_after}")
            }
            Self::Warning { reason } => write!(f, "warning: {reason}"),
            Self::CaughtUp => f.write_str("these are all messages that had come until now"),
            Self::Spoken(spoken) => spoken.fmt(f),
        }
    }
}

/// Milliseconds as a person says them.
fn seconds(ms: u64) -> String {
    if ms < 900 { format!("0.{} s", ms.div_ceil(100).max(1)) } else { format!("{} s", (ms + 500) / 1000) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn json(notice: &Notice) -> String {
        serde_json::to_string(notice).unwrap()
    }

    #[test]
    fn json_begins_with_the_event_and_carries_the_exact_text() {
        let line = Notice::Line { from: user("alice"), n: 0, text: "a\tb\u{1b}[1m".into() };
        assert_eq!(json(&line), r#"{"event":"line","from":"alice","n":0,"text":"a\tb\u001b[1m"}"#);
        assert_eq!(line.to_string(), "alice: a\tb[1m");
        let device = DeviceLabel::parse("laptop").unwrap();
        let open = Notice::Open { with: user("alice"), device: device.clone(), path: "tunnel", hint: "" };
        assert_eq!(json(&open), r#"{"event":"open","with":"alice","device":"laptop","path":"tunnel"}"#);
        let moved = |reason: Option<&str>, back| {
            let path = if reason.is_some() { "tunnel" } else { "direct" };
            Notice::Path { with: user("alice"), path, reason: reason.map(str::to_owned), back }
        };
        assert_eq!(json(&moved(None, false)), r#"{"event":"path","with":"alice","path":"direct"}"#);
        assert_eq!(json(&moved(Some("x"), true)), r#"{"event":"path","with":"alice","path":"tunnel","reason":"x"}"#);
        assert!(moved(Some("x"), true).to_string().ends_with("goes on through the server: x"));
        assert!(moved(Some("x"), false).to_string().ends_with("stays with the server: x"));
        let incoming = Notice::Incoming { from: user("alice"), device: device.clone(), asked: true };
        assert_eq!(json(&incoming), r#"{"event":"incoming","from":"alice","device":"laptop"}"#);
        let busy = Notice::Declined { from: user("alice"), device: device.clone(), reason: Declined::Busy };
        assert_eq!(json(&busy), r#"{"event":"declined","from":"alice","device":"laptop","reason":"busy"}"#);
        let here = Notice::Presence { user: user("bob"), device, online: true };
        assert_eq!(json(&here), r#"{"event":"presence","user":"bob","device":"laptop","online":true}"#);
        let offline = Notice::Offline { reason: "x".into(), retry_ms: Some(2000), lost: true };
        assert_eq!(json(&offline), r#"{"event":"offline","reason":"x","retry_ms":2000}"#);
        assert_eq!(offline.to_string(), "lost the server: x; trying again in 2 s");
    }

    #[test]
    fn an_alarm_says_who_what_when_where_and_what_to_do() {
        let (log, act) = ("relay.chat.internal/log/07".to_owned(), "certificate of alice/phone".to_owned());
        let alarm = Notice::Unasked { user: user("alice"), log, index: 12, at: Wall(1_800_000_000), act };
        let words = alarm.to_string();
        for part in ["ALARM", "of alice", "alice/phone", "2027-01-15 08:00:00 UTC", "entry 12 of relay", "log check"] {
            assert!(words.contains(part), "{part} in {words}");
        }
        assert_eq!(
            json(&alarm),
            r#"{"event":"unasked","user":"alice","log":"relay.chat.internal/log/07","index":12,"at":1800000000,"act":"certificate of alice/phone"}"#
        );
        assert!(!alarm.is_faint());
    }

    #[test]
    fn what_ones_own_keys_vouch_for_is_told_and_no_alarm() {
        let (log, act) = ("relay.chat.internal/log/07".to_owned(), "certificate of alice/desk".to_owned());
        let notice = Notice::Vouched { user: user("alice"), log, index: 12, at: Wall(1_800_000_000), act };
        let words = notice.to_string();
        assert!(words.starts_with("notice: certificate of alice/desk") && !words.contains("ALARM"), "{words}");
        assert!(words.contains("recover --new") && !notice.is_faint());
    }

    #[test]
    fn waits_are_said_in_tenths_and_then_in_seconds() {
        assert_eq!([1, 240, 899, 900, 1499, 19_600].map(seconds), ["0.1 s", "0.3 s", "0.9 s", "1 s", "1 s", "20 s"]);
    }
}
