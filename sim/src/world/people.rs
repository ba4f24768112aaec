//! Carries out what people do, tells them what their devices tell them, and leads them through the calm.

use std::time::Duration;

use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::device::conversations::ConversationEvent;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Command, Event as Told, LogRefusal, Met};
use countersign_core::id::{CallId, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::server::Input;

use super::World;
use super::event::Event;
use super::streets::Host;
use crate::actors::person::Person;
use crate::actors::{Act, Prompt, Way};
use crate::node::Node;
use crate::node::device::{By, Socket, Wish};
use crate::rng::Draw;
use crate::story::plots::Plot;
use crate::story::{Crash, Phase, Program, Seen, Side, Who};

impl World {
    pub(super) fn person(&mut self, person: usize) -> &mut Person {
        self.people.get_mut(person).expect("people are numbered from 0")
    }

    pub(super) fn prompt(&mut self, person: usize, prompt: Prompt) {
        let now_us = self.now_us;
        self.look_at_own(person);
        let acts = self.person(person).prompt(prompt, now_us);
        self.act(person, acts);
    }

    pub(super) fn handed(&mut self, person: usize, link: InviteLink) {
        let now_us = self.now_us;
        self.look_at_own(person);
        let acts = self.person(person).handed(link, now_us);
        self.act(person, acts);
    }

    pub(super) fn ask_operator(&mut self, person: usize) {
        if self.relay.is_up() {
            let user = self.person(person).name().user.clone();
            let (id, command) = self.operator.asked(person, &user, self.phase >= Phase::Calm);
            self.tell_relay(Input::Operator(id, &command));
        }
    }

    pub(super) fn act(&mut self, person: usize, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::AskOperator => {
                    let after_us = self.faults.between(1_000, 500_000);
                    self.later(after_us, Event::AskOperator(person));
                }
                Act::Enrol(..) | Act::SignUp(..) if self.has_joined(person) => {}
                Act::Enrol(invite, name, way) => {
                    let (waits, recovery) = (way == Way::Waits, self.recovery_key(person, &way));
                    self.start(person, true, |node| {
                        node.prepare(Wish { by: By::Invite(*invite), name, waits, recovery });
                    });
                    self.write_key(person);
                }
                Act::SignUp(name, way, place, mistyped) => self.sign_up(person, name, &way, (place, mistyped)),
                Act::SetPassword => self.set_password(person),
                Act::AskBack(keep) => self.ask_back(person, keep),
                Act::MakeCode => self.make_code(person),
                Act::Start if self.is_disbelieved(person) || self.is_held_back(person) => {}
                Act::Anew => self.begin_anew(person),
                Act::LookAt(device, code) => self.look_at_codes(person, device, code),
                Act::Slip(slip, taken) => {
                    let name = self.person(person).name().clone();
                    if let Some(program) = self.devices.get(person).map(crate::node::device::DeviceNode::program) {
                        self.see(&Seen::Slipped(Who { program, name: &name }, slip, taken));
                    }
                }
                Act::Start => {
                    let (now_us, host) = (self.now_us, self.hosts.get(person).cloned());
                    let reach = host.as_ref().map(Host::reach).unwrap_or_default();
                    self.start(person, false, |node| node.start(reach, now_us));
                    if let (Some(program), Some(host)) = (self.program(person), host) {
                        self.see(&Seen::Hosted(program, &host));
                    }
                }
                Act::Kill => self.stop(person, true),
                Act::Exit => self.stop(person, false),
                Act::Wish(command) => self.wish(person, command),
                Act::Later(after_us, prompt) => self.later(after_us, Event::Prompt(person, prompt)),
            }
        }
    }

    pub(super) fn start(
        &mut self,
        person: usize,
        enrolling: bool,
        start: impl FnOnce(&mut crate::node::device::DeviceNode),
    ) {
        let Some(node) = self.devices.get_mut(person).filter(|node| !node.is_on()) else { return };
        node.read_kept(self.now_us);
        self.saboteur.starts(person, &mut node.store);
        start(node);
        let program = node.program();
        let name = self.person(person).name().clone();
        self.person(person).started();
        self.see(&Seen::Started(Who { program, name: &name }, enrolling));
        self.mark(Node::Device(person));
    }

    /// Whether a device's program does not start, since the proof lies there that the server keeps two logs.
    fn is_held_back(&mut self, person: usize) -> bool {
        let held_back = self.devices.get_mut(person).and_then(crate::node::device::DeviceNode::held_back);
        if held_back == Some(true) {
            self.see(&Seen::Plot(&Plot::HeldBack(person)));
        }
        held_back.is_some()
    }

    /// A device's program ends, and the kernel closes its sockets.
    pub(super) fn stop(&mut self, person: usize, killed: bool) {
        self.pull_rows(person);
        let Some(node) = self.devices.get_mut(person).filter(|node| node.is_on()) else { return };
        let (program, sockets) = (node.program(), node.stop());
        self.saboteur.stopped(person, &mut node.store);
        self.wakes.remove(&Node::Device(person));
        if killed {
            let name = self.person(person).name().clone();
            self.see(&Seen::Killed(Who { program, name: &name }));
        }
        for socket in sockets.into_values() {
            if let Socket::Wired(conn, side) = socket {
                self.forget(conn, side);
            }
        }
        self.unlisten_all(program);
        self.person(person).stopped();
    }

    pub(super) fn wish(&mut self, person: usize, command: Command) {
        let now_us = self.now_us;
        let name = self.person(person).name().clone();
        let Some(node) = self.devices.get_mut(person).filter(|node| node.is_on() && !node.is_enrolling()) else {
            return;
        };
        let program = node.program();
        let who = Who { program, name: &name };
        self.watch.see(now_us, &Seen::Wished(who, &command));
        self.saboteur.wished(program, &command);
        if let Command::Say(call, text) = command {
            return self.say(program, call, &text);
        }
        let called =
            if let Command::Call(_, user, patience) = &command { Some((user.clone(), *patience)) } else { None };
        node.command(command, now_us);
        self.mark(Node::Device(person));
        if let Some((user, patience)) = called {
            self.call_back(&name.user, &user, patience);
        }
    }

    /// Now and then the one who is called has the same thought at the same moment.
    fn call_back(&mut self, caller: &UserName, called: &UserName, patience: Duration) {
        let meets = self.faults.chance(self.config.glare_percent, 100);
        let after_us = self.faults.between(0, self.config.latency_max_us);
        let other = self.people.iter().position(|person| person.name().user == *called);
        if let Some(other) = other.filter(|_| meets && self.phase == Phase::Storm) {
            self.later(after_us, Event::Prompt(other, Prompt::Call(caller.clone(), patience)));
        }
    }

    /// A line goes to the device. Where it has promised room it must take it; otherwise it is looked at once whether
    /// it did.
    fn say(&mut self, program: Program, call: CallId, text: &str) {
        let (now_us, device) = (self.now_us, program.device);
        let Some(node) = self.devices.get_mut(device) else { return };
        let promised = node.has_room(call) || self.saboteur.says_there_is_room();
        node.command(Command::Say(call, text.to_owned()), now_us);
        self.denied = false;
        if !promised {
            self.asking = true;
            self.carry_out_device(device);
            self.asking = false;
        }
        // Whatever else it wants, and its alarm, wait for the end of the moment.
        self.mark(Node::Device(device));
        if !self.denied {
            let name = self.person(device).name().clone();
            self.see(&Seen::Said(Who { program, name: &name }, call, text));
        }
        if let Some(besides) = self.saboteur.said(text) {
            self.slip(device, &besides);
        }
    }

    /// A device tells its user something.
    pub(super) fn tell(&mut self, device: usize, event: Told) {
        let Some(program) = self.devices.get(device).map(crate::node::device::DeviceNode::program) else { return };
        if let Some((third, event)) = self.saboteur.listens_in(program, &event) {
            let name = self.person(third.device).name().clone();
            self.see(&Seen::Told(Who { program: third, name: &name }, &event));
        }
        for event in self.saboteur.told(program, event) {
            let name = self.person(device).name().clone();
            self.see(&Seen::Told(Who { program, name: &name }, &event));
            if let Told::Denied(call, CallDenied::Say(_)) = &event {
                self.denied = true;
                if !self.asking {
                    self.see(&Seen::RoomBroken(program, *call));
                }
            }
            if let Some(node) = self.devices.get_mut(device)
                && let Told::Followed(followed) | Told::AnotherLog(followed) = &event
            {
                node.keep_log(&self.saboteur.kept(followed));
            }
            if let Some(node) = self.devices.get_mut(device).filter(|_| self.saboteur.lets_keep_evidence()) {
                node.keep_evidence(&event);
            }
            // They ask the operator, by another way, whose log it is: one who tells the truth.
            if let Some(node) = self.devices.get_mut(device)
                && let Told::LogRefused(LogRefusal::Restored(restored)) = &event
                && restored.log == self.relay.log()
            {
                node.store.accepted = Some(restored.log.clone());
            }
            if let Some(node) = self.devices.get_mut(device)
                && let Told::Renewed(renewed) = &event
                && self.saboteur.lets_keep_certificates()
            {
                node.keep_certificate(renewed);
            }
            if let Some(node) = self.devices.get_mut(device)
                && let Told::Listed(lists) = &event
            {
                node.keep_lists(lists);
            }
            if let Some(node) = self.devices.get_mut(device)
                && let Some((user, met)) = met_in(&event)
                && self.saboteur.lets_keep_met()
            {
                node.keep_met(user, met);
            }
            if let Told::Asked(asked) = &event {
                self.hear_of_password(device, asked);
            }
            if let Told::Conversation(told) = &event
                && **told == ConversationEvent::CaughtUp
            {
                self.caught_up(device);
            }
            let now_us = self.now_us;
            let acts = self.person(device).told(&event, now_us);
            self.act(device, acts);
        }
    }

    /// If a device's enrolment is over, what it brought is written down, or else its program ends.
    pub(super) fn see_enrolment(&mut self, device: usize) {
        let Some(node) = self.devices.get_mut(device).filter(|node| node.writing().is_none()) else { return };
        let Some(result) = node.enrol_result().map(|result| self.saboteur.enrolled(result)) else { return };
        let (program, key, token) = (node.program(), node.store.key.clone(), node.store.asked_by);
        if let EnrolResult::Enrolled(identity) = &result {
            node.keep((**identity).clone());
        }
        let (now_us, name) = (self.now_us, self.person(device).name().clone());
        if let (Some(key), Some(token)) = (key, token) {
            self.see(&Seen::EnrolEnded(Who { program, name: &name }, &result, key.spki().id(), token));
        }
        if let EnrolResult::Enrolled(_) = result {
            return self.write_down(device);
        }
        let acts = self.person(device).enrol_ended(&result, now_us);
        self.stop(device, false);
        self.act(device, acts);
    }

    /// Faults have stopped. The relay is started if it is down, and everybody is left in peace.
    pub(super) fn calm_down(&mut self) {
        for (conn, wire) in &self.wires {
            self.storm_bytes.insert(*conn, [wire.written(Side::Listener), wire.written(Side::Dialler)]);
        }
        if !self.saboteur.lets_relay_run(self.phase) && self.relay.is_up() {
            self.crash(Crash::Whenever);
        }
        if self.config.liar_leaves > 0 {
            self.stop_liar();
        }
        self.start_relay();
        if self.config.secret_mean_ms > 0 {
            // Everybody comes online once more, with no fault from now on.
            self.stop_liar();
            self.start_liar();
        }
        self.leave_copy();
        let now_us = self.now_us;
        for person in 0..self.people.len() {
            let acts = self.person(person).calm_down(now_us);
            self.act(person, acts);
            // Whoever is slow would come back too late for the roll call.
            self.later(100_000, Event::Prompt(person, Prompt::Act));
        }
    }

    /// The run is over: the journal is read once more.
    pub(super) fn close_the_books(&mut self) {
        let in_time = self.relay.server().is_some_and(countersign_core::server::Server::is_finished);
        self.see(&Seen::ShutDown(in_time));
        self.see_replay();
    }
}

/// Who was met for the first time, in a call or in a conversation.
#[allow(clippy::wildcard_enum_match_arm, reason = "nobody is met in any other way")]
fn met_in(event: &Told) -> Option<(&UserName, Met)> {
    match event {
        Told::Call(_, CallEvent::Met(user, met)) => Some((user, *met)),
        Told::Conversation(event) => match &**event {
            ConversationEvent::Met(user, met) => Some((user, *met)),
            _ => None,
        },
        _ => None,
    }
}
