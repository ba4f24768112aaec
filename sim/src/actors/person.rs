//! Decides what a person does with their device: enrol, call, speak, leave, come back.
//!
//! In the storm they follow their whims, which are drawn from their own stream. In the calm they only see to it that
//! they are online, take every call, and call whom they are told to.

mod joining;
pub mod kin;
pub mod own;
pub mod slips;
pub mod whims;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_core::device::calls::CallEvent;
use countersign_core::device::{Asked, Command, Event};
use countersign_core::fault::CloseReason;
use countersign_core::id::{CallId, DeviceLabel, DeviceName, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::wire::Code;

use super::{Act, Prompt};
use crate::config::SimConfig;
use crate::rng::{Choices, Draw, Streams};
use kin::Kin;
use own::Own;
use slips::Hands;
use whims::Whims;

/// How many lines each side says in a call of the roll call. Long ones, they are more than a tunnel carries on credit.
pub const ROLL_CALL_LINES: u64 = 6;
/// Of so many questions one is for a new certificate.
const RENEWAL_EVERY: u64 = 6;
/// The numbers of a user's own calls stay below this; above are those that others make.
const OWN_CALLS: CallId = CallId(1 << 32);

/// A person.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that a person knows of themselves")]
pub struct Person {
    number: usize,
    rng: Choices,
    whims: Whims,
    name: DeviceName,
    /// How often another name had to be found.
    renamed: u64,
    invite: Option<InviteLink>,
    asked_us: Option<u64>,
    enrolled: bool,
    /// Whether the relay has said that it does not know their device.
    forgotten: bool,
    program: Program,
    /// Until when they stay away.
    away_us: u64,
    calls: BTreeMap<CallId, Known>,
    last_call: u64,
    lines: u64,
    known: BTreeSet<UserName>,
    calm: bool,
    hands: Hands,
    /// Whether what they typed last was not what they meant.
    slipped: bool,
    /// How often they have asked who there is.
    questions: u64,
    /// How many times slower they are than others: some do little else than listen.
    slowness: u64,
    /// Their other device, if they come to have two.
    kin: Option<Kin>,
    own: Own,
}

/// What their device's program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// It does not run.
    Off,
    /// It runs, and is not online.
    On,
    /// It is online.
    Online,
}

/// What a person knows of a call.
#[derive(Debug)]
struct Known {
    user: UserName,
    lines_left: u64,
    /// How many lines go out at once.
    at_once: u64,
}

impl Person {
    /// The person of this number.
    ///
    /// # Panics
    /// Never: the labels of devices are valid.
    pub fn new(config: &SimConfig, streams: Streams, number: usize) -> Self {
        let mut rng = streams.stream(&format!("person/{number}"));
        let kin = Kin::of(config, streams, number);
        let owner = if config.is_further(number) { config.sibling(number).unwrap_or(number) } else { number };
        let user = whims::wished_name(config, owner, &mut rng);
        let device = DeviceLabel::parse(rng.pick(&["laptop", "phone", "desk"]).unwrap_or(&"laptop"))
            .expect("these labels are valid");
        let device = if config.is_further(number) { kin::further_label() } else { device };
        let slow = rng.chance(1, 4);
        Self {
            kin,
            own: Own::new(config, streams, number),
            slowness: if slow { 25 } else { 1 },
            number,
            whims: Whims::of(config),
            name: DeviceName { user, device },
            rng,
            renamed: 0,
            invite: None,
            asked_us: None,
            enrolled: false,
            forgotten: false,
            program: Program::Off,
            away_us: 0,
            calls: BTreeMap::new(),
            last_call: 0,
            lines: 0,
            known: whims::everybody(config),
            calm: false,
            hands: Hands::new(config, streams, number),
            slipped: false,
            questions: 0,
        }
    }

    /// The name they have, or wish to have.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// Whether they have a certificate.
    pub fn is_enrolled(&self) -> bool {
        self.enrolled
    }

    /// They get round to something.
    pub fn prompt(&mut self, prompt: Prompt, now_us: u64) -> Vec<Act> {
        match prompt {
            Prompt::Act => self.act(now_us),
            Prompt::Answer(call) => self.answer(call),
            Prompt::Say(call) => self.say(call),
            Prompt::Leave(call) if self.calls.contains_key(&call) => vec![hang_up(call, Code::HUNG_UP)],
            Prompt::Call(user, patience) if self.could_call(&user) => vec![self.call(user, patience)],
            Prompt::Trip if self.is_on() && !self.enrolled && !self.calm => vec![Act::Kill],
            Prompt::Approve(device) if self.is_online() => self.approve(device, now_us),
            Prompt::LookAt(device, code) if self.is_online() => vec![Act::LookAt(device, code)],
            Prompt::Own(command) if self.is_on() && self.enrolled && !self.calm => vec![Act::Wish(command)],
            Prompt::Write(command) if self.is_on() && self.enrolled => vec![Act::Wish(command)],
            Prompt::SetPassword if self.is_on() && self.enrolled && !self.calm => vec![Act::SetPassword],
            Prompt::MakeCode if self.is_online() && !self.calm => vec![Act::MakeCode],
            Prompt::Leave(_)
            | Prompt::MakeCode
            | Prompt::SetPassword
            | Prompt::Call(..)
            | Prompt::Trip
            | Prompt::Approve(_)
            | Prompt::LookAt(..)
            | Prompt::Write(_)
            | Prompt::Own(_) => Vec::new(),
        }
    }

    /// Their program has ended, however.
    pub fn stopped(&mut self) {
        self.slipped = false;
        self.kin.iter_mut().for_each(Kin::stopped);
        self.own.stopped();
        self.program = Program::Off;
        self.calls.clear();
    }

    /// Their machine was switched off, and is switched on then.
    pub fn switched_off(&mut self, until_us: u64) {
        self.stopped();
        self.away_us = until_us;
    }

    /// Their program has been started.
    pub fn started(&mut self) {
        self.program = Program::On;
    }

    /// Their device tells them something.
    pub fn told(&mut self, event: &Event, now_us: u64) -> Vec<Act> {
        match event {
            Event::Online(_) => {
                self.program = Program::Online;
                return self.makes_code();
            }
            Event::Offline(..) | Event::Lapsed(_) => self.program = Program::On,
            Event::Here(devices) => self.known.extend(devices.iter().map(|device| device.user.clone())),
            Event::Presence(device, _) => drop(self.known.insert(device.user.clone())),
            Event::Asked(Asked::People(people)) => self.known.extend(people.iter().map(|person| person.user.clone())),
            Event::Call(call, event) => return self.call_event(*call, event),
            Event::Denied(call, countersign_core::device::calls::CallDenied::TooMany) => drop(self.calls.remove(call)),
            Event::Asked(Asked::Approval(approval)) => return self.hears_of_own(approval),
            Event::Denied(..)
            | Event::Asked(
                Asked::Certificates(..)
                | Asked::Log(_)
                | Asked::Renewed(_)
                | Asked::PasswordSet
                | Asked::Refused(_)
                | Asked::Unanswered,
            )
            | Event::Followed(_)
            | Event::Renewed(_)
            | Event::NotRenewed(_)
            | Event::ServerClock(_)
            | Event::Unasked(_)
            | Event::Listed(_)
            | Event::ListsRefused(_)
            | Event::AnotherLog(_)
            | Event::LogRefused(_)
            | Event::Doubted(_)
            | Event::Reconciled(_)
            | Event::Conversation(_) => {}
            // As the shell does: what is left is ended in good order.
            Event::GivenUp(reason) => {
                // Nor is there a way back for whoever was away for too long.
                let ends = [Code::UNKNOWN_DEVICE, Code::RENEWAL_UNKNOWN, Code::RENEWAL_TOO_LATE];
                self.forgotten |= ends.iter().any(|code| *reason == CloseReason::Theirs(*code));
                // Some try again and again with what was revoked, as a thief of it would; nobody does in the calm.
                if *reason == CloseReason::Theirs(Code::REVOKED) && (self.calm || self.rng.chance(1, 2)) {
                    self.forgotten = true;
                    if !self.comes_back() {
                        self.rename();
                    }
                }
                return vec![Act::Wish(Command::Quit)];
            }
            Event::Done if std::mem::take(&mut self.forgotten) => return vec![Act::Exit, Act::Anew],
            Event::Done => {
                self.away_us = if self.calm { now_us } else { now_us + self.rng.between(500_000, 20_000_000) };
                return vec![Act::Exit];
            }
        }
        Vec::new()
    }

    /// Their program does not start, since it does not believe its own certificate. Where a clock is wrong that is in
    /// the sentence, and somebody will mend it; otherwise the certificate has lapsed, and with it the name.
    pub fn not_started(&mut self, clock_is_wrong: bool, now_us: u64) -> Vec<Act> {
        if clock_is_wrong {
            self.away_us = now_us + self.rng.between(500_000, 5_000_000);
            return Vec::new();
        }
        self.rename();
        vec![Act::Anew]
    }

    /// Their device is a new one, with neither key nor certificate.
    pub fn begin_anew(&mut self) {
        (self.enrolled, self.invite, self.asked_us) = (false, None, None);
        let finds = self.kin.as_mut().is_some_and(Kin::finds_another_label);
        if finds || self.own.is_coming_back() {
            self.relabel();
        }
    }

    /// Faults have stopped: they hang up and from now on do only what is asked of them.
    pub fn calm_down(&mut self, now_us: u64) -> Vec<Act> {
        self.calm = true;
        self.away_us = now_us;
        if !self.enrolled && self.kin.as_ref().is_some_and(Kin::waits) {
            // Nobody knows what has become of the connection on which it waits.
            return vec![Act::Kill];
        }
        self.calls.keys().map(|call| hang_up(*call, Code::HUNG_UP)).collect()
    }

    fn is_on(&self) -> bool {
        self.program != Program::Off
    }

    fn is_online(&self) -> bool {
        self.program == Program::Online && self.enrolled
    }

    /// Whether they have a device to call with, and no call with that person.
    fn could_call(&self, user: &UserName) -> bool {
        self.is_on() && self.enrolled && self.calls.values().all(|call| call.user != *user)
    }

    fn act(&mut self, now_us: u64) -> Vec<Act> {
        let mut acts = if self.is_on() { self.whim(now_us) } else { self.wake_up(now_us) };
        let slowness = if self.calm || self.program != Program::Online { 1 } else { self.slowness };
        acts.push(Act::Later(slowness * self.whims.pause_us(self.calm, &mut self.rng), Prompt::Act));
        acts
    }

    fn whim(&mut self, now_us: u64) -> Vec<Act> {
        if let Some(act) = self.looks_after_other(now_us) {
            return vec![act];
        }
        if self.calm || !self.enrolled {
            return Vec::new();
        }
        match self.whims.draw(&mut self.rng) {
            whims::Whim::Call => {
                let patience = Duration::from_millis(self.rng.between(0, 20_000));
                let Some(user) = self.whims.target(&self.known, &mut self.rng) else { return Vec::new() };
                match self.hands.user(&user) {
                    None => vec![self.call(user, patience)],
                    Some((slip, None)) => vec![Act::Slip(slip, false)],
                    Some((slip, Some(typed))) => vec![self.call(typed, patience), Act::Slip(slip, true)],
                }
            }
            whims::Whim::HangUp => {
                let calls: Vec<CallId> = self.calls.keys().copied().collect();
                self.rng.pick(&calls).map(|call| hang_up(*call, Code::HUNG_UP)).into_iter().collect()
            }
            whims::Whim::Who => {
                self.questions += 1;
                let renews = self.questions.is_multiple_of(RENEWAL_EVERY);
                vec![Act::Wish(if renews { Command::Renew } else { Command::Who })]
            }
            // One in four wants to know of everybody.
            whims::Whim::Fetch if self.rng.chance(1, 4) => vec![Act::Wish(Command::ReadLog)],
            whims::Whim::Fetch => {
                let whose = self.whims.target(&self.known, &mut self.rng);
                whose.map(|user| Act::Wish(Command::Fetch(user))).into_iter().collect()
            }
            whims::Whim::Quit => vec![Act::Wish(Command::Quit)],
            whims::Whim::Kill => {
                self.away_us = 0;
                vec![Act::Kill]
            }
        }
    }

    fn call(&mut self, user: UserName, patience: Duration) -> Act {
        self.last_call += 1;
        let id = CallId(self.last_call);
        self.remember(id, user.clone());
        Act::Wish(Command::Call(id, user, patience))
    }

    fn remember(&mut self, id: CallId, user: UserName) {
        let lines_left = if self.calm { ROLL_CALL_LINES } else { self.whims.lines(&mut self.rng) };
        let at_once = self.rng.between(1, 6);
        self.calls.insert(id, Known { user, lines_left, at_once });
    }

    fn call_event(&mut self, id: CallId, event: &CallEvent) -> Vec<Act> {
        match event {
            CallEvent::Waiting
            | CallEvent::Ringing(_)
            | CallEvent::Changed(..)
            | CallEvent::Met(..)
            | CallEvent::Line(..)
            | CallEvent::Moved(..) => Vec::new(),
            CallEvent::Incoming(from) => {
                self.remember(id, from.user.clone());
                let after_us = if self.calm { 10_000 } else { self.rng.between(10_000, 4_000_000) };
                vec![Act::Later(after_us, Prompt::Answer(id))]
            }
            CallEvent::Open(..) => {
                let mut acts = vec![Act::Later(self.rng.between(0, 500_000), Prompt::Say(id))];
                if self.calm && id < OWN_CALLS {
                    acts.push(Act::Later(8_000_000, Prompt::Leave(id)));
                }
                acts
            }
            CallEvent::Ended(_) => {
                self.calls.remove(&id);
                Vec::new()
            }
        }
    }

    fn answer(&mut self, call: CallId) -> Vec<Act> {
        if !self.calls.contains_key(&call) {
            return Vec::new();
        }
        match self.whims.answer(self.calm, &mut self.rng) {
            whims::Answer::Accept => vec![Act::Wish(Command::Accept(call))],
            whims::Answer::Decline => vec![hang_up(call, Code::DECLINED)],
            whims::Answer::Ignore => Vec::new(),
        }
    }

    fn say(&mut self, id: CallId) -> Vec<Act> {
        let Some(call) = self.calls.get_mut(&id) else { return Vec::new() };
        let count = call.at_once.min(call.lines_left);
        call.lines_left -= count;
        let is_last = call.lines_left == 0;
        let mut acts = Vec::new();
        for _ in 0..count {
            self.lines += 1;
            let long = self.calm && self.number.is_multiple_of(4);
            let text = self.whims.text(self.number, self.lines, long, &mut self.rng);
            acts.push(Act::Wish(Command::Say(id, text)));
        }
        let again_us = self.rng.between(1_000, 1_500_000);
        if !is_last {
            acts.push(Act::Later(again_us, Prompt::Say(id)));
        } else if !self.calm && self.rng.chance(1, 2) {
            acts.push(Act::Later(again_us, Prompt::Leave(id)));
        }
        acts
    }

    fn rename(&mut self) {
        self.renamed += 1;
        self.name.user = whims::other_name(self.number, self.renamed);
    }
}

fn hang_up(call: CallId, code: Code) -> Act {
    Act::Wish(Command::HangUp(call, code))
}
