//! Decides how a run is told to a person: a line for each thing that somebody would call an event.

mod conversed;

use countersign_core::device::approve::Approval;
use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::device::enrol::{EnrolNews, EnrolResult};
use countersign_core::device::{Asked, Command, Event};
use countersign_core::effect::Note;
use countersign_core::id::{CallId, ConnId, DeviceName};
use countersign_core::operator::Answer;

use super::tally::{code_name, end_name, moved_name, reason_name};
use super::{Crash, Phase, Program, Seen, Side, Stored, Waking, Who};
use crate::actors::person::kin::FURTHER;
use crate::actors::villains::Guise;
use crate::node::Node;
use crate::node::device::Item;

/// The line for an event, if it has one: when, who, what.
pub fn line(at_us: u64, seen: &Seen<'_>) -> Option<String> {
    let (who, what) = words(seen)?;
    Some(format!("{:>5}.{:06}  {who:<10} {what}", at_us / 1_000_000, at_us % 1_000_000))
}

/// A text of a person as it is shown: its beginning, so that a long line stays a line.
fn shown(text: &str) -> String {
    let beginning: String = text.chars().take(40).collect();
    if beginning.len() < text.len() { format!("{beginning}... ({} bytes)", text.len()) } else { beginning }
}

fn name(who: &Who<'_>) -> String {
    let DeviceName { user, device } = who.name;
    if device.as_str().starts_with(FURTHER) { format!("{user}/{device}") } else { user.to_string() }
}

fn list(devices: &[DeviceName]) -> String {
    if devices.is_empty() {
        return "nobody".to_owned();
    }
    devices.iter().map(|device| device.user.as_str()).collect::<Vec<_>>().join(", ")
}

fn side(side: Side) -> String {
    match side {
        Side::Dialler => "device".to_owned(),
        Side::Listener => "relay".to_owned(),
    }
}

/// Who did what, if the event has words.
#[allow(clippy::too_many_lines, reason = "one arm for each kind of event, each a line or three")]
pub fn words(seen: &Seen<'_>) -> Option<(String, String)> {
    let (relay, network, disk) = (|| "relay".to_owned(), || "network".to_owned(), || "disk".to_owned());
    Some(match seen {
        Seen::Phase(phase) => (
            "run".to_owned(),
            match phase {
                Phase::Storm => "the storm begins",
                Phase::Calm => "the calm begins: faults have stopped",
                Phase::RollCall => "roll call: everybody calls somebody",
                Phase::Shutdown => "the roll call is over, the server shuts down",
                Phase::Over => "over",
            }
            .to_owned(),
        ),
        Seen::Connected(conn, who) => (name(who), format!("is connected ({conn})")),
        Seen::Delivered { conn, to, flipped: true, .. } => {
            (network(), format!("damages a byte on its way to the {} on connection {conn}", side(*to)))
        }
        Seen::Cut { conn, silent } => {
            (network(), format!("cuts connection {conn}{}", if *silent { " and tells nobody" } else { "" }))
        }
        Seen::Met { conn, dialler, listener, astray } => met(*conn, *dialler, *listener, *astray)?,
        Seen::Listens(program, call, at) => {
            (format!("device {}", program.device), format!("listens for call {call} at {at:?}"))
        }
        Seen::CutOneWay(conn, to) => {
            (network(), format!("carries nothing to the {} of connection {conn} any more", side(*to)))
        }
        Seen::Stalled(conn, by) => (network(), format!("takes nothing of the {} on connection {conn}", side(*by))),
        Seen::Loaded(n, _) => (disk(), format!("gives record {n}")),
        Seen::Durable(first, records) => {
            let last = first + u64::try_from(records.len()).unwrap_or(0).saturating_sub(1);
            (
                disk(),
                if last > *first {
                    format!("holds records {first} to {last}")
                } else {
                    format!("holds record {first}")
                },
            )
        }
        Seen::Crashed(how, lost) => {
            let when = match how {
                Crash::BeforeAppend => "before an append is durable",
                Crash::AfterAppend => "after an append is durable, unheard",
                Crash::Whenever => "all of a sudden",
                Crash::TornAppend => "in the middle of an append",
                Crash::DiskFull => "since there is no room for an append",
                Crash::SyncFailed => "since a sync has failed",
                Crash::Stopped => "as the operator wishes",
            };
            (relay(), format!("ends {when}; {lost} appends are lost"))
        }
        Seen::Replayed(state, _) => (disk(), format!("is read up to record {}", state.position().n)),
        Seen::Snapshot(n, bytes) => (disk(), format!("holds a snapshot of record {n} ({} bytes)", bytes.len())),
        Seen::Rotten => (disk(), "has a snapshot that has gone bad".to_owned()),
        Seen::Resumed(n, _, passed_over) if *n > 0 || !passed_over.is_empty() => {
            let passed_over = passed_over.iter().map(|(n, refusal)| format!(", passing over {n}: {refusal}"));
            (relay(), format!("goes on after record {n} by its snapshots{}", passed_over.collect::<String>()))
        }
        Seen::Noted(note) => (relay(), noted(note)?),
        Seen::Answered(_, answer) => (
            "operator".to_owned(),
            match answer {
                Answer::Invite(_, expires) => format!("has an invite, valid until {expires}"),
                Answer::Users(users) => format!("sees {} users", users.len()),
                Answer::Refused(refusal) => format!("is refused: {refusal}"),
                Answer::Signed(_) => "has a key certified".to_owned(),
                Answer::Revoked { devices, number } => format!("has {} revoked by list {number}", list(devices)),
                Answer::Acted(devices) => format!("sees what {} devices go by", devices.len()),
                Answer::Rotated { .. } => "has another issuing CA".to_owned(),
                Answer::Authority(_) => "looks at the CA".to_owned(),
                Answer::Certificates(page) => format!("sees {} certificates", page.entries.len()),
                Answer::Devices(page) => format!("sees {} devices", page.entries.len()),
                Answer::Sessions(view) => format!("sees {} sessions", view.sessions.len()),
                Answer::Log(view) => format!("sees {} entries of the log", view.entries.len()),
            },
        ),
        Seen::ShutDown(in_time) => {
            (relay(), if *in_time { "has shut down" } else { "has not shut down in time" }.to_owned())
        }
        Seen::Started(who, true) => (name(who), "asks for a certificate".to_owned()),
        Seen::Started(who, false) => (name(who), "starts".to_owned()),
        Seen::Killed(who) => (name(who), "is killed".to_owned()),
        Seen::Wished(who, command) => (name(who), wished(command)?),
        Seen::Said(who, call, text) => (name(who), format!("says in call {call}: {}", shown(text))),
        Seen::RoomBroken(program, call) => {
            (format!("device {}", program.device), format!("refuses a line in call {call} that it had room for"))
        }
        Seen::Told(who, event) => (name(who), told(event)),
        Seen::EnrolEnded(who, result, ..) => (
            name(who),
            match result {
                EnrolResult::Enrolled(_) => "has a certificate".to_owned(),
                EnrolResult::Refused(code, _) => format!("gets no certificate: {code}"),
                EnrolResult::BadCertificate(refusal) => format!("does not believe the certificate: {refusal}"),
                EnrolResult::LogRefused(refusal) => format!("does not believe the log: {refusal}"),
                EnrolResult::Lost(reason) => format!("gets no answer: {reason}"),
            },
        ),
        Seen::Waits(who, EnrolNews::Waits(time)) => {
            (name(who), format!("waits for another device of theirs, for up to {} minutes", time.as_secs() / 60))
        }
        Seen::Waits(who, EnrolNews::Compare(by, code)) => {
            (name(who), format!("shows {code}, which {by} has to show, too"))
        }
        Seen::ClockSet(..)
        | Seen::Slept(_)
        | Seen::Awoke(..)
        | Seen::Away(_)
        | Seen::NotStarted(..)
        | Seen::Anew(_)
        | Seen::SignsUp(..)
        | Seen::Lost(..)
        | Seen::AskedBack(..)
        | Seen::CameBack(..)
        | Seen::Stored(..)
        | Seen::RowsFailed(..)
        | Seen::Restored(..) => return machines(seen),
        Seen::Refused(program, code) => {
            (machine(Node::Device(program.device)), format!("is refused something: {code}"))
        }
        Seen::Kept(_, keep) if keep.entries.is_empty() => return None,
        Seen::Kept(who, keep) => (name(who), conversed::kept(keep)),
        Seen::Knocked(conn, guise) => knocked(*conn, *guise),
        Seen::Sent(conn, guise, heard) => (guise.to_string(), format!("{heard} on connection {conn}")),
        Seen::Slipped(who, slip, taken) => {
            (name(who), format!("mistypes: {slip:?}{}", if *taken { "" } else { ", which the program refuses" }))
        }
        Seen::Lied(program, lie) => (relay(), format!("lies to device {}: {lie:?}", program.device)),
        Seen::Betrayed(name, index) => {
            (relay(), format!("certifies a device as {}'s, entry {index} of its log", name.user))
        }
        Seen::Grown(name, claim, ..) => (relay(), format!("has {}/{}: {claim}", name.user, name.device)),
        Seen::Infiltrated(name) => (name.user.to_string(), "is a member now, and a villain".to_owned()),
        Seen::Plot(plot) => return plot.words(),
        Seen::Look(_, Some(_)) => (relay(), "has a password looked at".to_owned()),
        Seen::Look(_, None)
        | Seen::Lured(..)
        | Seen::Resumed(..)
        | Seen::Overheard(_)
        | Seen::Dialled(_)
        | Seen::Abandoned(_)
        | Seen::Opened(..)
        | Seen::Unreachable(_)
        | Seen::Delivered { .. }
        | Seen::Ended(..)
        | Seen::Written { .. }
        | Seen::Shut(..)
        | Seen::Dropped(..)
        | Seen::Hosted(..)
        | Seen::DialledPeer(..)
        | Seen::Missed(..)
        | Seen::Reached(..)
        | Seen::Unlistens(..)
        | Seen::Appending(..)
        | Seen::Folded(..)
        | Seen::Woken { .. }
        | Seen::Secret(..)
        | Seen::Unsealed(_)
        | Seen::Held(..)
        | Seen::OnDisk(_)
        | Seen::Beside(..)
        | Seen::AskedBy(..) => return None,
        Seen::Network(weather) => weather.words(),
    })
}

/// What happens to machines, their clocks and their disks.
#[allow(clippy::wildcard_enum_match_arm, reason = "everything else has its words above")]
fn machines(seen: &Seen<'_>) -> Option<(String, String)> {
    Some(match seen {
        Seen::ClockSet(node, ahead_s, wrong) => {
            let what = if *wrong { "has a wrong clock" } else { "has its clock set" };
            (machine(*node), format!("{what}: {ahead_s} s ahead of the right time"))
        }
        Seen::Slept(device) => (machine(Node::Device(*device)), "falls asleep".to_owned()),
        Seen::Awoke(device, how) => (
            machine(Node::Device(*device)),
            match how {
                Waking::Whole => "wakes, and finds all that came meanwhile",
                Waking::Reset => "wakes, and finds its connections reset",
                Waking::Silent => "wakes, and its connections are silent",
            }
            .to_owned(),
        ),
        Seen::Away(true) => ("run".to_owned(), "everybody goes away; the server stays".to_owned()),
        Seen::Away(false) => ("run".to_owned(), "everybody is back".to_owned()),
        Seen::NotStarted(who, refusal) => (name(who), format!("can't start: {refusal}")),
        Seen::Anew(who) => (name(who), "begins anew, without key and certificate".to_owned()),
        Seen::SignsUp(who, _) => (name(who), "signs up by a password".to_owned()),
        Seen::Lost(who, code_too) => {
            (name(who), format!("loses the device{}", if *code_too { ", and the recovery code" } else { "" }))
        }
        Seen::AskedBack(who, keep) => {
            let what = if *keep { ", beside the devices from before" } else { "" };
            (name(who), format!("asks the operator to be let in again{what}"))
        }
        Seen::CameBack(who, back) => (name(who), format!("has {back}")),
        Seen::Stored(who, item, stored, _) => {
            let what = match item {
                Item::Key => "the key",
                Item::Identity => "the certificate",
            };
            let how = match stored {
                Stored::Kept => "keeps",
                Stored::Full => "has no room for",
                Stored::SyncFailed => "does not know whether it keeps",
                Stored::Killed => "is killed while it writes down",
            };
            (name(who), format!("{how} {what}"))
        }
        Seen::RowsFailed(who, stored) => (name(who), format!("does not keep what it is to: {stored:?}")),
        Seen::Restored(kept, gone) => {
            ("operator".to_owned(), format!("restores a backup of {kept} records; {gone} records are gone"))
        }
        _ => return None,
    })
}

fn machine(node: Node) -> String {
    match node {
        Node::Relay => "relay".to_owned(),
        Node::Device(device) => format!("device {device}"),
    }
}

/// A direct connection that has reached somebody.
fn met(
    conn: ConnId,
    dialler: Option<Program>,
    listener: Option<(Program, CallId)>,
    astray: bool,
) -> Option<(String, String)> {
    let network = || "network".to_owned();
    Some(match (dialler, listener) {
        (None, _) => (network(), format!("has a stranger knock (connection {conn})")),
        (Some(one), _) if astray => (network(), format!("leads device {} astray (connection {conn})", one.device)),
        (Some(one), Some((other, call))) => (
            format!("device {}", one.device),
            format!("reaches device {} for its call {call} (connection {conn})", other.device),
        ),
        (Some(_), None) => return None,
    })
}

/// A villain's connection.
fn knocked(conn: ConnId, guise: Guise) -> (String, String) {
    let what = if let Guise::Forger(forgery) = guise { format!("shows {forgery}") } else { "comes".to_owned() };
    (guise.to_string(), format!("{what} on connection {conn}"))
}

fn noted(note: &Note) -> Option<String> {
    Some(match note {
        Note::TurnedAway(conn) => format!("turns connection {conn} away"),
        Note::Admitted(conn, device) => format!("admits {} on connection {conn}", device.user),
        Note::Paused(conn, device) => format!("does not hear {} on connection {conn}, who does not read", device.user),
        Note::Closed(conn, device, reason) => {
            let whose = device.as_ref().map_or_else(|| "a stranger".to_owned(), |device| device.user.to_string());
            format!("closes connection {conn} of {whose}: {}", reason_name(*reason))
        }
        Note::Issued(device, serial) => format!("issues certificate {serial} to {}", device.user),
        Note::EnrolRefused(conn, code, words) => {
            format!("refuses the enrolment on connection {conn}: {} ({words})", code_name(*code))
        }
        Note::Strangers(work) => {
            format!("has done {} public-key operations for strangers, {} waited", work.key_operations, work.held_back)
        }
        Note::Alarm(words) => format!("ALARM: {words}"),
        Note::Revoked(device) => format!("revokes {device}"),
        Note::Rotated(ends) => format!("has another issuing CA until {ends}"),
        Note::IssuingEndsSoon(ends) => format!("warns: the issuing CA ends {ends}"),
        Note::Snapshot(n, false) => format!("could not write a snapshot of record {n}"),
        Note::Invited(_) | Note::RelayCertified(_) | Note::Snapshot(_, true) => return None,
    })
}

fn wished(command: &Command) -> Option<String> {
    Some(match command {
        Command::Who => "asks who there is".to_owned(),
        Command::Fetch(user) => format!("asks for the certificates of {user}"),
        Command::ReadLog => "asks for the whole log".to_owned(),
        Command::Devices => "asks for the devices of its user".to_owned(),
        Command::Compare(device) => format!("compares with {device}"),
        Command::Endorse => "vouches for the device".to_owned(),
        Command::Dismiss(device) => format!("sends {device} away"),
        Command::Call(call, user, patience) => format!("calls {user} (call {call}), patient for {patience:?}"),
        Command::Accept(call) => format!("takes call {call}"),
        Command::HangUp(call, code) => format!("hangs up call {call}: {}", code_name(*code)),
        Command::Arm(_) => "makes a recovery code".to_owned(),
        Command::Withdraw(device, ..) => format!("takes {device} back"),
        Command::Acted(_) => "asks who has acted".to_owned(),
        Command::Recovery => "asks for its recovery code".to_owned(),
        Command::Renew => "wants a new certificate".to_owned(),
        Command::Password(_) => "sets a password".to_owned(),
        Command::Send(_, to, saying) => {
            format!("writes {} bytes to {to}", saying.text().map_or(0, str::len))
        }
        Command::Run(_, errand) => format!("wishes of a room: {errand:?}"),
        Command::Await(send, id, place) => format!("waits for what stands at {place} of {id} as {}", send.0),
        Command::CallOff(send) => format!("waits no more for {}", send.0),
        Command::Quit => "leaves".to_owned(),
        // Told when the device has taken the line.
        Command::Say(..) => return None,
    })
}

fn approved(approval: &Approval) -> String {
    match approval {
        Approval::Devices(own, waiting) => format!("has {} devices, and {} wait", own.len(), waiting.len()),
        Approval::Waits(device) => format!("hears that {device} waits"),
        Approval::Compared(device, code) => format!("shows {code} for {device}"),
        Approval::Uncommitted(device) => format!("hears from {device} what it had not committed itself to"),
        Approval::Endorsed(device) => format!("has vouched for {device}"),
        Approval::Dismissed(device) => format!("has sent {device} away"),
        Approval::Armed => "has a recovery code".to_owned(),
        Approval::Withdrawn(device, _) => format!("has taken {device} back"),
        Approval::Recovery(armed) => format!("has {} recovery code", if armed.is_some() { "a" } else { "no" }),
        Approval::Acted(acted, left) => format!("hears that {acted} have acted, and {left} have not"),
    }
}

fn told(event: &Event) -> String {
    match event {
        Event::Online(welcome) => format!("is online, the journal is at {}", welcome.position.n),
        Event::Offline(reason, wait) => format!("is offline: {}; dials again in {wait:?}", reason_name(*reason)),
        Event::GivenUp(reason) => format!("gives up: {}", reason_name(*reason)),
        Event::Here(devices) => format!("sees {}", list(devices)),
        Event::Presence(device, true) => format!("sees {} come", device.user),
        Event::Presence(device, false) => format!("sees {} go", device.user),
        Event::Asked(Asked::People(people)) => format!("learns of {} people", people.len()),
        Event::Asked(Asked::Certificates(user, fetched)) => format!("gets {} certificates of {user}", fetched.len()),
        Event::Asked(Asked::Log(Ok(audit))) => format!("reads {} entries of the log", audit.head().size),
        Event::Asked(Asked::Log(Err(refusal))) => format!("does not believe the log that it reads: {refusal}"),
        Event::Asked(Asked::Approval(approval)) => approved(approval),
        Event::Followed(_) => "sees the log grow".to_owned(),
        Event::Unasked(unasked) => format!("is ALARMED: nobody has asked for entry {} of the log", unasked.index),
        Event::Listed(_) => "has other revocation lists".to_owned(),
        Event::ListsRefused(refusal) => format!("does not believe the revocation lists: {refusal}"),
        Event::AnotherLog(_) => "sees another log begin".to_owned(),
        Event::LogRefused(refusal) => format!("does not believe the log: {refusal}"),
        Event::Asked(Asked::Refused(code)) => format!("is refused an answer: {code}"),
        Event::Renewed(renewed) => format!("has a new certificate, until {}", renewed.not_after),
        Event::NotRenewed(why) => format!("gets no new certificate: {why}"),
        Event::Lapsed(None) => "has a certificate that has expired".to_owned(),
        Event::Lapsed(Some(reason)) => format!("is told that its certificate is of no use: {}", reason_name(*reason)),
        Event::ServerClock(time) => format!("hears that the server's clock reads {time}"),
        Event::Asked(Asked::Renewed(until)) => format!("holds a certificate until {until}"),
        Event::Asked(Asked::PasswordSet) => "has another password".to_owned(),
        Event::Asked(Asked::Unanswered) => "gets no answer".to_owned(),
        Event::Denied(call, denied) => match denied {
            CallDenied::NoSuchCall => format!("is denied: there is no call {call}"),
            CallDenied::TooMany => format!("is denied: call {call} is one too many"),
            CallDenied::Say(refusal) => format!("can't say that in call {call}: {refusal:?}"),
        },
        Event::Done => "is gone".to_owned(),
        Event::Doubted(theirs) => format!("hears of a log of {} entries, and doubts", theirs.head().size),
        Event::Reconciled(theirs) => {
            format!("is shown that the log of {} entries is one with theirs", theirs.head().size)
        }
        Event::Conversation(event) => conversed::told(event),
        Event::Call(call, event) => match event {
            CallEvent::Waiting => format!("waits in call {call}"),
            CallEvent::Ringing(device) => format!("rings at {} (call {call})", device.user),
            CallEvent::Incoming(device) => format!("is called by {} (call {call})", device.user),
            CallEvent::Changed(device, _) => format!("finds {} to be somebody else (call {call})", device.user),
            CallEvent::Met(user, _) => format!("meets {user} (call {call})"),
            CallEvent::Open(device, path) => format!("speaks with {} (call {call}, by {path:?})", device.user),
            CallEvent::Line(n, text) => format!("hears line {n} in call {call}: {}", shown(text)),
            CallEvent::Moved(path, end) => format!("moves in call {call}: {}", moved_name(*path, *end)),
            CallEvent::Ended(end) => format!("is done with call {call}: {}", end_name(*end)),
        },
    }
}
