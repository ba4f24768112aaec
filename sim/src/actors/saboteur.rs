//! Breaks one promise from outside, so that it can be seen whether the oracle of that name objects.
//!
//! The machines are left alone: the saboteur stands between them and what watches them, as a bad disk, a bad shell, a
//! bad program or a bad crypto library would. What there is to break stands in the table of [`crate::canary`].

mod conversing;
mod own;
mod rooms;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::calls::{CallEnd, CallEvent, Calls, DirectEnd};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Asked, Event, Fetched, Followed, Identity, LogRefusal};
use countersign_core::effect::Note;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::{CallId, ConnId, DeviceLabel, DeviceName, Fingerprint, Realm, UserName};
use countersign_core::limits::LINE_BYTES_MAX;
use countersign_core::server::{Settings, Wake};
use countersign_core::time::Wall;
use countersign_core::tlog::{Leaf, NoteName, Unasked};
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;
use countersign_core::wire::relay::Person;

use crate::actors::person::whims::other_name;
use crate::canary::Sabotage;
use crate::crypto::lenient::Skipped;
use crate::crypto::weakness::Weakness;
use crate::disk::Disk;
use crate::node::device::Store;
use crate::node::{Node, Why};
use crate::story::{Phase, Program};
use conversing::Remembered;

/// How long a disk that answers too early takes in truth, in microseconds.
const CACHE_US: u64 = 4_000_000;
/// The device whose shell is a bad one, where it is one alone.
const BAD_DEVICE: usize = 0;
/// The device of somebody who means ill.
const FORGER: usize = 1;

/// The saboteur of a run, if there is one.
#[derive(Debug, Default)]
pub struct Saboteur {
    plan: Option<Sabotage>,
    /// A line that is shown after the next one.
    kept_line: BTreeMap<(Program, CallId), Event>,
    /// The calls that are up.
    open: BTreeSet<(Program, CallId)>,
    /// What somebody said last, and the token that the operator was given last.
    overheard: Option<String>,
    /// The identity that was made first.
    first: Option<Identity>,
    /// When the disk answered for how many records in all.
    answered: Vec<(u64, u64)>,
    /// Whose certificates were shown to somebody last, and which.
    fetched: Option<(UserName, Vec<Fetched>)>,
    /// The certificate that was shown last and is somebody's.
    vouched: Option<Fetched>,
    /// The devices that people wish to take back, by the programs in which they do.
    withdrawing: BTreeMap<Program, DeviceLabel>,
    /// Whom the user of each device has in mind: the one who was said to ring, or to call, last.
    meant: BTreeMap<usize, DeviceName>,
    conversing: Remembered,
}

impl Saboteur {
    /// A saboteur with a plan.
    pub fn new(plan: Option<Sabotage>) -> Self {
        Self { plan, ..Self::default() }
    }

    fn is(&self, plan: Sabotage) -> bool {
        self.plan == Some(plan)
    }

    /// Whether the shells take any log for the one that goes on from theirs.
    pub fn takes_any_log(&self) -> bool {
        self.is(Sabotage::TakeAnyLog)
    }

    /// What a user is shown instead of what their device tells them.
    pub fn told(&mut self, program: Program, event: Event) -> Vec<Event> {
        let Some(plan) = self.plan else { return vec![event] };
        if let Event::Call(_, CallEvent::Ringing(device) | CallEvent::Incoming(device)) = &event {
            self.meant.insert(program.device, device.clone());
        }
        let event = self.told_of_own(program, event);
        match (plan, event) {
            (Sabotage::AlterLine, Event::Call(call, CallEvent::Line(n, text))) => {
                vec![Event::Call(call, CallEvent::Line(n, format!("{text}!")))]
            }
            (Sabotage::OversizeLine, Event::Call(call, CallEvent::Line(n, _))) => {
                vec![Event::Call(call, CallEvent::Line(n, "x".repeat(LINE_BYTES_MAX + 1)))]
            }
            (Sabotage::DoubleLine, Event::Call(call, line @ CallEvent::Line(..))) => {
                vec![Event::Call(call, line.clone()), Event::Call(call, line)]
            }
            (Sabotage::SwapLines, Event::Call(call, line @ CallEvent::Line(..))) => {
                if let Some(kept) = self.kept_line.remove(&(program, call)) {
                    vec![Event::Call(call, line), kept]
                } else {
                    self.kept_line.insert((program, call), Event::Call(call, line));
                    Vec::new()
                }
            }
            (Sabotage::OtherName, Event::Call(call, CallEvent::Open(mut device, path))) => {
                device.user = other_name(0, 8);
                vec![Event::Call(call, CallEvent::Open(device, path))]
            }
            (Sabotage::SwapCertificates, Event::Asked(Asked::Certificates(user, fetched))) => {
                let last = self.fetched.replace((user.clone(), fetched.clone()));
                let others = last.filter(|(other, _)| *other != user).map(|(_, others)| others);
                vec![Event::Asked(Asked::Certificates(user, others.unwrap_or(fetched)))]
            }
            (Sabotage::HideChange | Sabotage::HideReissue, Event::Call(call, CallEvent::Changed(device, _))) => {
                vec![Event::Call(call, CallEvent::Ringing(device))]
            }
            (Sabotage::TakeWord, Event::Asked(Asked::Certificates(user, fetched))) => {
                vec![Event::Asked(Asked::Certificates(user, self.vouch_for(fetched)))]
            }
            (Sabotage::MakeUpPerson, Event::Asked(Asked::People(mut people))) => {
                people.push(Person { user: other_name(0, 8), online: true });
                vec![Event::Asked(Asked::People(people))]
            }
            (Sabotage::OthersWelcome, Event::Online(mut welcome)) => {
                welcome.device.user = other_name(0, 8);
                vec![Event::Online(welcome)]
            }
            (Sabotage::DropPresence, Event::Presence(..)) if program.device == BAD_DEVICE => Vec::new(),
            (Sabotage::FalseAlarm, Event::Online(welcome)) => {
                let log = NoteName::of_log(&Realm::default(), 0);
                let leaf = Leaf::Rotation { from: Fingerprint([0; 32]), to: Fingerprint([1; 32]), at: Wall(0) };
                let unasked = Event::Unasked(Box::new(Unasked { log, index: 1, leaf, is_alarm: true }));
                vec![Event::Online(welcome), unasked]
            }
            (Sabotage::FollowOther, Event::Followed(mut followed)) => {
                followed.checkpoint = other_root(&followed.checkpoint);
                vec![Event::Followed(followed)]
            }
            (Sabotage::EmptyPage, Event::Here(_)) => vec![Event::Here(Vec::new())],
            (Sabotage::KeepGhosts, Event::Presence(_, false))
            | (Sabotage::SwallowAlarm, Event::Unasked(_))
            | (Sabotage::SwallowWarning, Event::LogRefused(LogRefusal::History(_)))
            | (Sabotage::SwallowMove, Event::Call(_, CallEvent::Moved(..)))
            | (Sabotage::SwallowLines, Event::Call(_, CallEvent::Line(..)))
            | (Sabotage::SwallowCallEnd, Event::Call(_, CallEvent::Ended(_)))
            | (Sabotage::IgnoreLists, Event::Call(_, CallEvent::Ended(CallEnd::Closed(_)))) => Vec::new(),
            (Sabotage::AccusePeer, Event::Call(call, CallEvent::Moved(path, Some(_)))) => {
                let end = DirectEnd::Failed(CloseReason::Fault(Fault::Malformed));
                vec![Event::Call(call, CallEvent::Moved(path, Some(end)))]
            }
            (_, event) => vec![event],
        }
    }

    /// What is not endorsed is said to be whoever's the last certificate was that is.
    fn vouch_for(&mut self, mut fetched: Vec<Fetched>) -> Vec<Fetched> {
        for one in &mut fetched {
            match (&one.verdict, &self.vouched) {
                (Ok(_), _) => self.vouched = Some(one.clone()),
                (Err(CertRefusal::NotEndorsed), Some(other)) => {
                    (one.verdict, one.founder) = (other.verdict.clone(), other.founder);
                }
                (Err(_), _) => {}
            }
        }
        fetched
    }

    /// What a device's shell keeps of the log.
    pub fn kept(&self, followed: &Followed) -> Followed {
        let mut followed = followed.clone();
        if self.is(Sabotage::ForgetReading) {
            followed.reading = None;
        }
        followed
    }

    /// Whom a device's user has in mind.
    pub fn meant(&self, device: usize) -> Option<&DeviceName> {
        self.meant.get(&device)
    }

    /// A third person's device that is told of a line as well, and in which call of theirs.
    pub fn listens_in(&mut self, program: Program, event: &Event) -> Option<(Program, Event)> {
        if !self.is(Sabotage::ThirdPerson) {
            return None;
        }
        let Event::Call(call, event) = event else { return None };
        match event {
            CallEvent::Open(..) => drop(self.open.insert((program, *call))),
            CallEvent::Ended(_) => drop(self.open.remove(&(program, *call))),
            CallEvent::Line(..) => {
                let (third, theirs) = self.open.iter().find(|(other, _)| other.device != program.device)?;
                return Some((*third, Event::Call(*theirs, event.clone())));
            }
            CallEvent::Waiting
            | CallEvent::Ringing(_)
            | CallEvent::Incoming(_)
            | CallEvent::Changed(..)
            | CallEvent::Met(..)
            | CallEvent::Moved(..) => {}
        }
        None
    }

    /// What is seen of a line of the relay's log.
    pub fn noted(&mut self, note: Note) -> Option<Note> {
        match (self.plan, note) {
            (Some(Sabotage::SwallowClosing), Note::Closed(..))
            | (Some(Sabotage::KeepRevoked), Note::Closed(_, _, CloseReason::Ours(Code::REVOKED)))
            | (Some(Sabotage::KeepReplaced), Note::Closed(_, _, CloseReason::Ours(Code::REPLACED))) => None,
            (Some(Sabotage::Accuse), Note::Closed(conn, device, reason)) if reason.is_polite() => {
                Some(Note::Closed(conn, device, CloseReason::Fault(Fault::Malformed)))
            }
            (Some(Sabotage::LineInLog | Sabotage::TokenInLog | Sabotage::PasswordInLog), note) => {
                Some(self.overheard.take().map_or(note, |words| Note::Alarm(format!("debug: got {words}"))))
            }
            (_, note) => Some(note),
        }
    }

    /// Somebody says a line: what their shell sends to the relay besides.
    pub fn said(&mut self, text: &str) -> Option<Vec<u8>> {
        if self.is(Sabotage::LineInLog) {
            self.overheard = Some(text.to_owned());
        }
        self.is(Sabotage::LineOnWire).then(|| format!("debug: said {text:?}").into_bytes())
    }

    /// The operator is given a token.
    pub fn invited(&mut self, token: &str) {
        if self.is(Sabotage::TokenInLog) {
            self.overheard = Some(token.to_owned());
        }
    }

    /// A device's shell is connected: what it sends before all else.
    pub fn greets(&self, store: &Store) -> Option<Vec<u8>> {
        let key = store.key.as_ref().filter(|_| self.is(Sabotage::KeyOnWire))?;
        Some(key.to_pkcs8().to_vec())
    }

    /// The disk has answered for so many records.
    pub fn committed(&mut self, count: u64, at_us: u64) {
        if self.is(Sabotage::EarlyAnswer) {
            self.answered.push((at_us, count));
        }
    }

    /// Whether the disk ever answers.
    pub fn lets_disk_answer(&self, phase: Phase) -> bool {
        !(self.is(Sabotage::StuckDisk) && phase == Phase::Storm)
    }

    /// The relay's process has crashed, and this is its disk.
    pub fn crashed(&mut self, disk: &mut Disk, at_us: u64) {
        match self.plan {
            Some(Sabotage::LoseLastRecord) => disk.forget_beyond(disk.records().count().saturating_sub(1)),
            Some(Sabotage::LoseAllRecords) => disk.forget_beyond(1),
            Some(Sabotage::ForgetWithdrawal) => own::forget_withdrawal(disk),
            Some(Sabotage::ForgetPassword) => own::forget_password(disk),
            Some(Sabotage::ForgetCode) => own::forget_code(disk),
            Some(Sabotage::ForgetPost) => conversing::forget_post(disk),
            Some(Sabotage::EarlyAnswer) => {
                let in_truth = |(answered_us, _): &&(u64, u64)| answered_us + CACHE_US <= at_us;
                let kept = self.answered.iter().rfind(in_truth).map_or(0, |(_, count)| *count);
                disk.forget_beyond(usize::try_from(kept).unwrap_or(usize::MAX));
                self.answered.retain(|(_, count)| *count <= kept);
            }
            _ => {}
        }
    }

    /// What the disk keeps of a snapshot, and for which place.
    pub fn snapshot(&self, n: u64, bytes: Vec<u8>) -> (u64, Vec<u8>) {
        match self.plan {
            Some(Sabotage::ForgetInSnapshot) => (n, snapshot::forgetful(&bytes).unwrap_or(bytes)),
            Some(Sabotage::MisplaceSnapshot) => (n + 1, snapshot::misplaced(&bytes).unwrap_or(bytes)),
            _ => (n, bytes),
        }
    }

    /// Whether a machine is woken.
    pub fn wakes(&self, node: Node) -> bool {
        !(self.is(Sabotage::NeverWake) && node == Node::Device(BAD_DEVICE))
    }

    /// Whether a machine's shell sets an alarm for this.
    pub fn sets_alarm(&self, why: Why) -> bool {
        match why {
            Why::Relay(Wake::Handshake(_)) => !self.is(Sabotage::NoAlarmForStrangers),
            Why::Relay(Wake::Slow(_)) => !self.is(Sabotage::NoAlarmForSlow),
            Why::Relay(_) | Why::Device(_) | Why::Enrolment => true,
        }
    }

    /// What the server is told of its operator's choices.
    pub fn settings(&self, chosen: Settings) -> Settings {
        if self.is(Sabotage::ForgetSettings) { Settings::default() } else { chosen }
    }

    /// What the clock shows a machine that is woken.
    pub fn woken_at(&self, now_us: u64) -> u64 {
        if self.is(Sabotage::SlowClock) { now_us.saturating_sub(1_000_000) } else { now_us }
    }

    /// Whether a shell stops listening when it is told to.
    pub fn lets_unlisten(&self) -> bool {
        !(self.is(Sabotage::KeepListening) || self.is(Sabotage::CrowdedPort))
    }

    /// Whether a shell drops a connection when it is told to.
    pub fn lets_drop(&self, local: ConnId) -> bool {
        !(self.is(Sabotage::KeepSockets) && Calls::is_direct(local))
    }

    /// Whether the relay may run.
    pub fn lets_relay_run(&self, phase: Phase) -> bool {
        !(self.is(Sabotage::KeepDown) && phase >= Phase::Calm)
    }

    /// Whether a device's shell says that there is room for a line, whatever the device says.
    pub fn says_there_is_room(&self) -> bool {
        self.is(Sabotage::NoRoom)
    }

    /// Whether the devices' shells keep what says that the server has two logs.
    pub fn lets_keep_evidence(&self) -> bool {
        !self.is(Sabotage::ForgetEvidence)
    }

    /// Whether the operator's invites live longer than was asked.
    pub fn lengthens_invites(&self) -> bool {
        self.is(Sabotage::LongInvite)
    }

    /// Whether who means to steal a revoked device gets another one.
    pub fn lets_steal_others(&self) -> bool {
        self.is(Sabotage::StealAnother)
    }

    /// Whether the devices' shells keep whom they have met.
    pub fn lets_keep_met(&self) -> bool {
        !self.is(Sabotage::ForgetFaces)
    }

    /// Whether the devices' shells keep a new certificate.
    pub fn lets_keep_certificates(&self) -> bool {
        !self.is(Sabotage::ForgetRenewal)
    }

    /// What an enrolment is said to have come to.
    pub fn enrolled(&mut self, result: EnrolResult) -> EnrolResult {
        let EnrolResult::Enrolled(identity) = &result else { return result };
        let first = self.first.get_or_insert_with(|| (**identity).clone());
        if self.plan == Some(Sabotage::OthersCertificate) {
            EnrolResult::Enrolled(Box::new(first.clone()))
        } else {
            result
        }
    }

    /// A device's program is about to start over this store.
    pub fn starts(&mut self, device: usize, store: &mut Store) {
        self.starts_rows(device, store);
        let Some(first) = self.first.as_ref().filter(|_| device == FORGER) else { return };
        match (self.plan, &mut store.identity) {
            (Some(Sabotage::StolenKey), Some(own)) => *own = first.clone(),
            (Some(Sabotage::AnySignature), Some(own)) => {
                let key = own.credentials.key.clone();
                *own = first.clone();
                own.credentials.key = key;
            }
            _ => {}
        }
    }

    /// A device's program has ended, and this is what it leaves.
    pub fn stopped(&self, device: usize, store: &mut Store) {
        self.stopped_rows(device, store);
        if self.is(Sabotage::KeyAfterRequest) && store.identity.is_none() {
            store.key = None;
        }
        if self.is(Sabotage::ForgetIdentity) && device == BAD_DEVICE {
            store.identity = None;
        }
    }
}

/// A checkpoint with another root: its third line, less the first letter's bits.
fn other_root(note: &str) -> String {
    let other = |(n, line): (usize, &str)| match line.get(1..) {
        Some(rest) if n == 2 => format!("{}{rest}", if line.starts_with('A') { 'B' } else { 'A' }),
        _ => line.to_owned(),
    };
    note.split('\n').enumerate().map(other).collect::<Vec<_>>().join("\n")
}

/// What a saboteur makes of the crypto library.
pub fn weakness(plan: Sabotage) -> Option<Weakness> {
    let weak = [
        (Sabotage::OpenCiphers, Weakness::OpenCiphers),
        (Sabotage::AnySignature, Weakness::AnySignature),
        (Sabotage::SkipName, Weakness::Skips(Skipped::Name)),
        (Sabotage::SkipTime, Weakness::Skips(Skipped::Time)),
        (Sabotage::TellLiar, Weakness::Skips(Skipped::Name)),
    ];
    weak.into_iter().find(|(of, _)| *of == plan).map(|(_, weakness)| weakness)
}
