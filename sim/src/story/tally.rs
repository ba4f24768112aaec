//! Decides what is counted: each way in which something can end, be refused or be woken, by its name.
//!
//! A sweep ends with these counts. What never happened was never tested, however green the sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use countersign_core::device::calls::{CallEnd, CallEvent, DirectEnd, Path};
use countersign_core::device::enrol::{EnrolNews, EnrolResult};
use countersign_core::device::{Asked, Command, Event, NotRenewed};
use countersign_core::effect::Note;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::UserName;
use countersign_core::wire::Code;

use super::guessed::Guessed;
pub use super::kinds::code as code_name;
use super::plots::Plot;
use super::{Program, Seen, Side, is_direct, kinds};
use crate::actors::villains::{Guise, Lie};
use crate::node::Node;

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<(&'static str, String), u64>,
    /// Who has called whom and was neither put through nor refused: for counting those who call each other at once.
    calling: BTreeSet<(UserName, UserName)>,
    /// The newest lie that each program was told: what it complains of next is taken for that.
    lies: BTreeMap<Program, Lie>,
    guessed: Guessed,
}

impl Tally {
    /// Counts one thing of a family.
    pub(crate) fn add(&mut self, family: &'static str, what: impl Into<String>) {
        *self.counts.entry((family, what.into())).or_default() += 1;
    }

    /// Has a row for one thing of a family, also if it never happened.
    pub(crate) fn mention(&mut self, family: &'static str, what: &str) {
        self.counts.entry((family, what.to_owned())).or_default();
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
    }

    /// How often `what` of a family happened.
    pub fn count(&self, family: &'static str, what: &str) -> u64 {
        self.counts.get(&(family, what.to_owned())).copied().unwrap_or(0)
    }

    /// Everything that happened, by family and name: how often.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &str, u64)> {
        self.counts.iter().map(|((family, what), count)| (*family, what.as_str(), *count))
    }

    /// Counts a reason for which a connection is over, whoever gives it.
    pub(crate) fn reason(&mut self, reason: CloseReason) {
        self.add("close reason", kinds::close_reason(reason));
        match reason {
            CloseReason::Ours(code) | CloseReason::Theirs(code) => self.code(code),
            CloseReason::Fault(fault) => self.fault(fault),
            CloseReason::Alert(number) => self.add("alert", number.to_string()),
            CloseReason::PeerClosed | CloseReason::Truncated | CloseReason::TimedOut | CloseReason::Unreachable => {}
        }
    }

    /// Counts a code, whoever gives it for what.
    pub(crate) fn code(&mut self, code: Code) {
        self.add("code", code_name(code));
    }

    /// Counts a breach of the protocol, wherever it is noticed.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.add("fault", kinds::fault(fault));
        if let Fault::Certificate(refusal) = fault {
            self.add("certificate", kinds::cert_refusal(refusal));
        }
    }

    /// How often anything of a family happened whose name begins so.
    pub fn sum(&self, family: &'static str, beginning: &str) -> u64 {
        let counts = self.counts.iter().filter(|((of, what), _)| *of == family && what.starts_with(beginning));
        counts.map(|(_, count)| count).sum()
    }

    /// Counts what an event shows.
    #[allow(clippy::too_many_lines, reason = "one arm for each kind of event, each a line or three")]
    pub fn see(&mut self, seen: &Seen<'_>) {
        self.guessed.see(seen).into_iter().for_each(|what| self.add("villain", what));
        match seen {
            Seen::Opened(..) => self.add("network", "connections"),
            Seen::Unreachable(_) => self.add("network", "unreachable"),
            Seen::Cut { conn, silent } if is_direct(*conn) => {
                self.add("direct", if *silent { "silent cuts" } else { "cuts" });
            }
            Seen::Cut { silent: false, .. } => self.add("network", "cuts"),
            Seen::Cut { silent: true, .. } => self.add("network", "silent cuts"),
            Seen::Delivered { flipped: true, .. } => self.add("network", "flipped bytes"),
            Seen::Written { conn, taken, waiting, by, .. } if taken < waiting => {
                let who = if is_direct(*conn) { "peer" } else { side(*by) };
                self.add("network", format!("short writes by the {who}"));
            }
            Seen::Stalled(..) => self.add("network", "stalls"),
            Seen::DialledPeer(..) => self.add("direct", "dialled"),
            Seen::Missed(..) => self.add("direct", "unreachable"),
            Seen::Met { dialler: None, .. } => self.add("direct", "strangers at a port"),
            Seen::Met { astray: true, .. } => self.add("direct", "led astray"),
            Seen::Met { .. } => self.add("direct", "met"),
            Seen::Listens(_, _, []) => self.add("direct", "listeners that could not be made"),
            Seen::Listens(_, _, at) => {
                let v6 = at.iter().any(std::net::SocketAddr::is_ipv6);
                self.add("direct", if v6 { "listeners, IPv6 too" } else { "listeners" });
            }
            Seen::CutOneWay(..) => self.add("direct", "cuts of one way"),
            Seen::Durable(..) => self.add("journal", "appends"),
            Seen::Loaded(..) => self.add("journal", "records read for a repeated request"),
            Seen::Crashed(how, lost) => {
                self.add("relay", kinds::crash(*how));
                if *lost > 0 {
                    self.add("journal", "crashes that lost an append");
                }
            }
            Seen::Replayed(..) => self.add("relay", "starts"),
            Seen::Snapshot(..) => self.add("journal", "snapshots"),
            Seen::Resumed(n, _, passed_over) => {
                self.add("journal", if *n > 0 { "starts from a snapshot" } else { "starts from the first record" });
                for (_, refusal) in *passed_over {
                    self.add("snapshot passed over", kinds::snapshot_refusal(*refusal));
                }
            }
            Seen::Noted(note) => self.note(note),
            Seen::Killed(_) => self.add("device", "killed"),
            Seen::Started(_, true) => self.add("device", "enrolments begun"),
            Seen::Started(_, false) => self.add("device", "starts"),
            Seen::Wished(who, command) => {
                self.add("wish", kinds::wish(command));
                self.wished_of_rooms(command);
                if let Command::Call(_, user, _) = command {
                    self.calls(&who.name.user, user);
                }
            }
            Seen::Said(..) => self.add("call", "lines said"),
            Seen::Told(who, event) => {
                self.found_out(who.program, event);
                self.told(&who.name.user, event);
            }
            Seen::EnrolEnded(_, result, ..) => self.enrolled(result),
            Seen::Waits(_, EnrolNews::Waits(_)) => self.add("enrolment", "waits"),
            Seen::Waits(_, EnrolNews::Compare(..)) => self.add("enrolment", "compared"),
            Seen::Woken { node, why, .. } => {
                let kind = why.split('(').next().unwrap_or(why);
                self.add(if *node == Node::Relay { "relay woken" } else { "device woken" }, kind);
            }
            Seen::Abandoned(_) => self.add("network", "attempts given up"),
            Seen::ClockSet(_, _, true) => self.add("time", "clocks beyond what certificates allow"),
            Seen::ClockSet(_, _, false) => self.add("time", "clocks set"),
            Seen::Slept(_) => self.add("time", "machines that fell asleep"),
            Seen::Awoke(_, how) => self.add("time", format!("machines that woke, sockets {how:?}")),
            Seen::Away(true) => self.add("time", "absences of everybody"),
            Seen::NotStarted(_, refusal) => self.add("device", format!("did not start, own certificate {refusal:?}")),
            Seen::Anew(_) => self.add("device", "begun anew"),
            Seen::SignsUp(..) => self.add("device", "enrolments by a password"),
            Seen::Lost(_, code_too) => self.add("device", if *code_too { "lost, and the code" } else { "lost" }),
            Seen::AskedBack(..) => self.add("device", "asked to be let in again"),
            Seen::CameBack(_, back) => self.add("device", back.to_string()),
            Seen::Stored(_, item, stored, _) => self.add("device disk", format!("{item:?} {stored:?}")),
            Seen::Kept(_, keep) => self.kept(keep),
            Seen::RowsFailed(_, stored) => self.add("device disk", format!("Rows {stored:?}")),
            Seen::Restored(..) => self.add("journal", "restored from a backup"),
            Seen::Knocked(conn, guise) => {
                self.add("villain", format!("{guise}{}", if is_direct(*conn) { " at a port" } else { "" }));
                if let Guise::Forger(forgery) = guise {
                    self.add("forgery", *forgery);
                }
            }
            Seen::Sent(_, guise, heard) => self.add("villain told", format!("{guise} {heard}")),
            Seen::Slipped(_, slip, taken) => {
                self.add("slip", format!("{slip:?}{}", if *taken { "" } else { ", refused by the program" }));
            }
            Seen::Lured(..) => self.add("network", "connections to a relay that lies"),
            Seen::Lied(program, lie) => {
                self.add("lie", format!("{lie:?}"));
                self.lies.insert(*program, *lie);
            }
            Seen::Overheard(_) => self.add("lie", "looked into a tunnel"),
            Seen::Betrayed(..) => self.add("villain", "certified in secret"),
            Seen::Grown(_, claim, ..) => self.add("villain", claim.to_string()),
            Seen::Infiltrated(_) => self.add("villain", "has become a member"),
            Seen::Refused(_, code) | Seen::Plot(Plot::Refused(code)) => self.refused(*code),
            Seen::Plot(plot) => plot.name().into_iter().for_each(|name| self.add("villain", name)),
            Seen::Phase(_)
            | Seen::Dialled(_)
            | Seen::Connected(..)
            | Seen::Delivered { .. }
            | Seen::Ended(..)
            | Seen::Written { .. }
            | Seen::Shut(..)
            | Seen::Dropped(..)
            | Seen::Hosted(..)
            | Seen::Reached(..)
            | Seen::Unlistens(..)
            | Seen::Appending(..)
            | Seen::Folded(..)
            | Seen::Answered(..)
            | Seen::ShutDown(_)
            | Seen::RoomBroken(..)
            | Seen::Unsealed(_)
            | Seen::OnDisk(_)
            | Seen::Rotten
            | Seen::AskedBy(..)
            | Seen::Beside(..)
            | Seen::Look(_, None)
            | Seen::Away(false) => {}
            Seen::Network(weather) => self.add(weather.family(), weather.name()),
            Seen::Secret(what, _) => self.add("secrecy", format!("{what} to be kept")),
            Seen::Look(_, Some(_)) => self.add("relay", "passwords looked at"),
            Seen::Held(..) => self.add("secrecy", "looks at the relay's memory"),
        }
    }

    fn enrolled(&mut self, result: &EnrolResult) {
        match result {
            EnrolResult::Enrolled(_) => self.add("enrolment", "granted"),
            EnrolResult::Refused(code, _) => {
                self.code(*code);
                self.add("enrolment", format!("refused {}", code_name(*code)));
            }
            EnrolResult::BadCertificate(refusal) => {
                self.add("certificate", kinds::cert_refusal(*refusal));
                self.add("enrolment", format!("bad certificate {refusal:?}"));
            }
            EnrolResult::LogRefused(refusal) => self.add("log refused", kinds::log_refusal(refusal)),
            EnrolResult::Lost(reason) => {
                self.reason(*reason);
                self.add("enrolment", format!("lost {}", reason_name(*reason)));
            }
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Closed(_, device, reason) => {
                self.reason(*reason);
                let family = if device.is_some() { "relay closed a member's" } else { "relay closed a stranger's" };
                self.add(family, reason_name(*reason));
            }
            Note::TurnedAway(_) => self.add("relay", "turned away"),
            Note::Admitted(..) => self.add("relay", "admitted"),
            Note::Paused(..) => self.add("relay", "paused"),
            Note::Issued(..) => self.add("relay", "issued"),
            Note::EnrolRefused(_, code, _) => {
                self.code(*code);
                self.add("relay refused", code_name(*code));
            }
            Note::Invited(_) => self.add("relay", "invited"),
            Note::RelayCertified(_) => self.add("relay", "certified"),
            Note::Rotated(_) => self.add("relay", "rotated"),
            Note::Revoked(_) => self.add("relay", "revoked"),
            Note::IssuingEndsSoon(_) => self.add("relay", "warned"),
            Note::Snapshot(_, false) => self.add("journal", "snapshots without room"),
            Note::Strangers(work) if work.held_back > 0 => self.add("relay", "held strangers back"),
            Note::Snapshot(_, true) | Note::Strangers(_) => {}
            Note::Alarm(words) if words.starts_with("there is no key package") => self.add("body", "missed"),
            Note::Alarm(words) if words.starts_with("what was posted") => self.add("body", "missed"),
            Note::Alarm(_) => self.add("relay", "ALARM"),
        }
    }

    fn calls(&mut self, caller: &UserName, called: &UserName) {
        if self.calling.contains(&(called.clone(), caller.clone())) {
            self.add("call", "made by both at once");
        }
        self.calling.insert((caller.clone(), called.clone()));
    }

    /// A lie is found out where a device finds fault with somebody after it.
    fn found_out(&mut self, program: Program, event: &Event) {
        let reason = match event {
            Event::Offline(reason, _)
            | Event::GivenUp(reason)
            | Event::Call(_, CallEvent::Ended(CallEnd::Closed(reason))) => *reason,
            Event::Asked(Asked::Certificates(_, fetched)) if fetched.iter().any(|one| one.verdict.is_err()) => {
                CloseReason::Fault(Fault::Malformed)
            }
            Event::Online(_)
            | Event::Here(_)
            | Event::Presence(..)
            | Event::Asked(_)
            | Event::Followed(_)
            | Event::Unasked(_)
            | Event::AnotherLog(_)
            | Event::Listed(_)
            | Event::ListsRefused(_)
            | Event::LogRefused(_)
            | Event::Renewed(_)
            | Event::NotRenewed(_)
            | Event::ServerClock(_)
            | Event::Lapsed(_)
            | Event::Call(..)
            | Event::Denied(..)
            | Event::Doubted(_)
            | Event::Reconciled(_)
            | Event::Conversation(_)
            | Event::Done => return,
        };
        if let (CloseReason::Fault(_), Some(lie)) = (reason, self.lies.get(&program).copied()) {
            self.lies.remove(&program);
            self.add("lie found out", format!("{lie:?}"));
        }
    }

    fn told(&mut self, user: &UserName, event: &Event) {
        match event {
            Event::Online(_) => self.add("device", "online"),
            Event::Offline(reason, _) => {
                self.reason(*reason);
                self.add("device lost", reason_name(*reason));
            }
            Event::GivenUp(reason) => {
                self.reason(*reason);
                self.add("device gave up", reason_name(*reason));
            }
            Event::Presence(..) => self.add("device", "presence"),
            Event::Followed(_) => self.add("log", "grown"),
            Event::Unasked(_) => self.add("log", "alarm"),
            Event::AnotherLog(_) => self.add("log", "another"),
            Event::Renewed(_) => self.add("renewal", "kept"),
            Event::Lapsed(reason) => {
                if let Some(reason) = reason {
                    self.reason(*reason);
                }
                self.add("renewal", if reason.is_some() { "said to have expired" } else { "expired" });
            }
            Event::ServerClock(_) => self.add("renewal", "the server's clock"),
            Event::NotRenewed(NotRenewed::Refused(code)) => {
                self.code(*code);
                self.add("renewal", format!("refused {}", code_name(*code)));
            }
            Event::NotRenewed(NotRenewed::BadCertificate(refusal)) => {
                self.add("certificate", kinds::cert_refusal(*refusal));
                self.add("renewal", format!("bad certificate {refusal:?}"));
            }
            Event::NotRenewed(NotRenewed::Unanswered) => self.add("renewal", "unanswered"),
            Event::Listed(_) => self.add("device", "listed"),
            Event::ListsRefused(refusal) => self.add("lists refused", kinds::list_refusal(*refusal)),
            Event::LogRefused(refusal) => self.add("log refused", kinds::log_refusal(refusal)),
            Event::Asked(asked) => {
                match asked {
                    Asked::Refused(code) => self.code(*code),
                    Asked::Approval(approval) => self.add("approval", kinds::approval(approval)),
                    Asked::Certificates(_, fetched) => {
                        for refusal in fetched.iter().filter_map(|fetched| fetched.verdict.as_ref().err()) {
                            self.add("certificate", kinds::cert_refusal(*refusal));
                        }
                    }
                    Asked::People(_) | Asked::Log(_) | Asked::Renewed(_) | Asked::PasswordSet | Asked::Unanswered => {}
                }
                self.add("device", kinds::answer(asked));
            }
            Event::Done => self.add("device", "done"),
            Event::Doubted(_) => self.add("log", "doubted"),
            Event::Reconciled(_) => self.add("log", "reconciled"),
            Event::Conversation(event) => self.conversed(event),
            Event::Denied(_, denied) => self.add("call denied", kinds::denial(*denied)),
            Event::Call(_, event) => match event {
                CallEvent::Waiting => self.add("call", "waiting"),
                CallEvent::Ringing(_) => self.add("call", "ringing"),
                CallEvent::Incoming(_) => self.add("call", "incoming"),
                CallEvent::Changed(..) => self.add("call", "somebody else than before"),
                CallEvent::Met(..) => self.add("call", "met"),
                CallEvent::Open(with, _) => {
                    self.calling.remove(&(user.clone(), with.user.clone()));
                    self.add("call", "opened");
                }
                CallEvent::Line(..) => self.add("call", "lines heard"),
                CallEvent::Moved(path, end) => {
                    self.moved(*end);
                    self.add("call moved", moved_name(*path, *end));
                }
                CallEvent::Ended(end) => {
                    self.ended(*end);
                    self.calling.retain(|(caller, _)| caller != user);
                    self.add("call ended", end_name(*end));
                }
            },
            Event::Here(_) => {}
        }
    }

    /// Counts how a call ends.
    pub(crate) fn ended(&mut self, end: CallEnd) {
        self.add("end of a call", kinds::call_end(end));
        match end {
            CallEnd::Refused(code) => self.code(code),
            CallEnd::Closed(reason) => self.reason(reason),
            CallEnd::RelayLost => {}
        }
    }

    /// Counts why a call does without a direct connection.
    pub(crate) fn moved(&mut self, end: Option<DirectEnd>) {
        let Some(end) = end else { return };
        self.add("no direct connection", kinds::direct_end(end));
        if let DirectEnd::Failed(reason) | DirectEnd::Broken(reason) = end {
            self.reason(reason);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for ((family, what), count) in &self.counts {
            let shown = if *family == last { "" } else { family };
            writeln!(f, "{shown:<26} {what:<44} {count:>10}")?;
            last = family;
        }
        Ok(())
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Dialler => "device",
        Side::Listener => "relay",
    }
}

/// A reason in one short name, codes by theirs.
pub fn reason_name(reason: CloseReason) -> String {
    match reason {
        CloseReason::Ours(code) => format!("ours {}", code_name(code)),
        CloseReason::Theirs(code) => format!("theirs {}", code_name(code)),
        CloseReason::Fault(fault) => format!("fault {fault:?}"),
        CloseReason::Alert(number) => format!("alert {number}"),
        CloseReason::PeerClosed | CloseReason::Truncated | CloseReason::TimedOut | CloseReason::Unreachable => {
            format!("{reason:?}")
        }
    }
}

/// The end of a call in one short name.
pub fn end_name(end: CallEnd) -> String {
    match end {
        CallEnd::Refused(code) => format!("refused {}", code_name(code)),
        CallEnd::Closed(reason) => reason_name(reason),
        CallEnd::RelayLost => "relay lost".to_owned(),
    }
}

/// A change of way in one short name.
pub fn moved_name(path: Path, end: Option<DirectEnd>) -> String {
    let end = end.map(|end| match end {
        DirectEnd::Failed(reason) => format!("failed, {}", reason_name(reason)),
        DirectEnd::Broken(reason) => format!("broken, {}", reason_name(reason)),
        DirectEnd::NoAddress
        | DirectEnd::NotAllowed
        | DirectEnd::Declined
        | DirectEnd::Unreachable
        | DirectEnd::TimedOut
        | DirectEnd::Crowded
        | DirectEnd::GivenUp => format!("{end:?}"),
    });
    let path = match path {
        Path::Tunnel => "tunnel",
        Path::Direct => "direct",
    };
    end.map_or_else(|| path.to_owned(), |end| format!("{path}: {end}"))
}

mod conversed;
#[cfg(test)]
mod tests;
