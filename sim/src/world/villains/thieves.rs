//! Thieves: one with an invite whose time is over, one with a device that was revoked, and one with a copy of a device that
//! is still its owner's.
//!
//! They have what they have stolen, and nothing of the realm's. The first two never get in. The copy is the device, to
//! everybody: so it is present in its place until the device itself comes back, and each of the two is told when it is
//! replaced by the other.

use std::time::Duration;

use countersign_core::device::Identity;
use countersign_core::device::enrol::{EnrolResult, Enrolment};
use countersign_core::id::{AdminId, ConnId, DeviceLabel, DeviceName, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::operator::{Answer, Command};
use countersign_core::pki::SecretKey;
use countersign_core::server::Input;
use countersign_core::time::Wall;
use countersign_core::wire::Channel;
use rand_chacha::ChaCha20Rng;

use super::super::World;
use super::super::event::Event;
use super::{Doing, PEER, chance};
use crate::actors::operator::{LIFETIME, Operator};
use crate::actors::villains::{Errand, Guise, Line, Talk};
use crate::config::SimConfig;
use crate::forge::genuine;
use crate::forge::villain::Villain;
use crate::node::tls_env;
use crate::rng::{Choices, Draw, Streams};
use crate::story::plots::Plot;
use crate::story::{Phase, Seen};

/// The number of the first command to the operator that a thief has asked for.
const FIRST_ASK: u64 = (1 << 32) + 100;
/// How long an invite lives that is stolen.
const BRIEF: Duration = Duration::from_secs(3);
/// How long after its end it is tried first, at least, in seconds: where clocks are set, that is what they may be set back.
const AFTER_S: u64 = 1;
const AFTER_SET_S: u64 = 600;
/// The bound on how long a revoked device may be in, in microseconds.
const BOUND_US: u64 = 1_000_000;
/// From how many devices a thief chooses that were revoked.
const STOLEN_MAX: usize = 4;

/// Who steals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thief {
    /// Somebody has an invite of which nobody has made use in time.
    Invite,
    /// Somebody has a device that its owner has had revoked.
    Revoked,
    /// Somebody has a copy of a device's folder.
    Copy,
}

impl Thief {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Invite, Self::Revoked, Self::Copy];

    /// The time between two of their attempts, on average, in milliseconds.
    fn mean_ms(self, config: &SimConfig) -> u64 {
        match self {
            Self::Invite => config.invite_thief_mean_ms,
            Self::Revoked => config.revoked_thief_mean_ms,
            Self::Copy => config.copy_mean_ms,
        }
    }
}

/// A device, with all that it had.
type Stolen = (Identity, SecretKey);

/// What they have.
pub(super) struct Loot {
    pub(super) choices: Choices,
    streams: Streams<'static>,
    keys: u64,
    /// The invite, and when it was over by the server's clock; another one that may be used, for what else it is good for.
    brief: Option<(InviteLink, Wall)>,
    fresh: Option<InviteLink>,
    /// The devices that were revoked, and when.
    revoked: Vec<(Stolen, u64)>,
    /// The connection of the copy.
    pub(super) copy: Option<(ConnId, DeviceName)>,
}

impl Loot {
    pub(super) fn new(streams: Streams<'_>) -> Self {
        Self {
            choices: streams.stream("villains/thieves"),
            streams: Streams::new(streams.seed()),
            keys: 0,
            brief: None,
            fresh: None,
            revoked: Vec::new(),
            copy: None,
        }
    }

    fn keys(&mut self) -> ChaCha20Rng {
        self.keys += 1;
        self.streams.secret(&format!("thief/{}", self.keys))
    }
}

impl World {
    pub(super) fn plan_thief(&mut self, thief: Thief) {
        let mean_ms = thief.mean_ms(&self.config);
        if mean_ms > 0 && self.phase < Phase::Shutdown {
            let after_ms = self.villains.loot.choices.between(1, 2 * mean_ms);
            self.later(after_ms * 1_000, Event::Villain(Doing::Steal(thief)));
        }
    }

    pub(super) fn steal(&mut self, thief: Thief) {
        if self.relay.is_up() {
            match thief {
                Thief::Invite => self.try_old_invite(),
                Thief::Revoked => self.try_revoked(),
                Thief::Copy => self.try_copy(),
            }
        }
        self.plan_thief(thief);
    }

    /// The server's civil clock.
    fn server_time(&self) -> Wall {
        self.relay.clocks.now(self.now_us).wall
    }

    /// Asks for an invite, lets its time pass, and then tries it, under this name and that.
    fn try_old_invite(&mut self) {
        let Some((link, over)) = self.villains.loot.brief.clone() else {
            let lifetime = if self.saboteur.lengthens_invites() { LIFETIME } else { BRIEF };
            let command = Command::Invite { user: None, lifetime };
            return self.tell_relay(Input::Operator(AdminId(FIRST_ASK), &command));
        };
        let are_set = self.config.clock_step_mean_ms > 0 || self.config.away_h > 0;
        let after_s = if are_set { AFTER_SET_S } else { AFTER_S };
        if self.server_time() <= over.plus(Duration::from_secs(after_s)) {
            return;
        }
        let name = self.villains.loot.choices.below(3);
        let name = DeviceName { user: user(&format!("ivan-{name}")), device: label("tablet") };
        let mut keys = self.villains.loot.keys();
        let talk = self.theft(Enrolment::new(tls_env(), link, name, SecretKey::draw(&mut keys)));
        self.call_at(Guise::InviteThief, talk, 3);
    }

    /// The operator answers: whether it was for a thief.
    pub(in crate::world) fn thief_answered(&mut self, id: AdminId, answer: &Answer) -> bool {
        if !(FIRST_ASK..FIRST_ASK + 2).contains(&id.0) {
            return false;
        }
        let link = Operator::link(answer, self.relay.realm(), self.relay.root());
        let over = self.server_time().plus(BRIEF);
        if id.0 == FIRST_ASK {
            self.villains.loot.brief = link.map(|link| (link, over));
        } else {
            self.villains.loot.fresh = link;
        }
        true
    }

    /// A device was revoked: it is stolen, with whatever it had.
    pub(in crate::world) fn tempt_thief(&mut self, name: &DeviceName) {
        if self.config.revoked_thief_mean_ms == 0 || self.villains.loot.revoked.len() >= STOLEN_MAX {
            return;
        }
        let stores =
            self.devices.iter().filter_map(|node| Some((node.store.identity.clone()?, node.store.key.clone()?)));
        let is_other = self.saboteur.lets_steal_others();
        let mut stolen = stores.filter(|(identity, _)| (identity.name == *name) != is_other);
        if let Some(stolen) = stolen.next() {
            self.villains.loot.revoked.push((stolen, self.now_us));
        }
    }

    /// The thief of a revoked device tries it at the relay, at somebody's port, by asking for another certificate, and by
    /// asking for one under the same name.
    fn try_revoked(&mut self) {
        let now_us = self.now_us;
        let loot = &mut self.villains.loot;
        let in_time = |(stolen, at_us): &(Stolen, u64)| (now_us > at_us + BOUND_US).then(|| stolen.clone());
        let stolen: Vec<Stolen> = loot.revoked.iter().filter_map(in_time).collect();
        let Some((identity, key)) = loot.choices.pick(&stolen).cloned() else { return };
        let (way, guise) = (loot.choices.below(4), Guise::RevokedThief);
        match way {
            0 => {
                let tls = Villain::client(loot.keys(), &[Channel::Relay.alpn()], Some(genuine(&identity)));
                self.call_at(guise, Talk::Member(Box::new(tls), Errand::default()), 1);
            }
            1 => {
                let places = self.open_places();
                let loot = &mut self.villains.loot;
                let tls = Villain::client(loot.keys(), &PEER, Some(genuine(&identity)));
                if let Some(place) = loot.choices.pick(&places).copied() {
                    self.knock_at_port(guise, Talk::Tls(Box::new(tls)), place);
                }
            }
            2 => {
                let state = self.relay.server().map(countersign_core::server::Server::state);
                let Some(serial) = state.and_then(|state| Some(state.device(&identity.name)?.serial)) else { return };
                let talk = self.theft(Enrolment::renewal(tls_env(), identity, serial));
                self.call_at(guise, talk, 3);
            }
            _ => {
                let Some(link) = self.villains.loot.fresh.take() else {
                    let command = Command::Invite { user: None, lifetime: LIFETIME };
                    return self.tell_relay(Input::Operator(AdminId(FIRST_ASK + 1), &command));
                };
                let own = self.villains.loot.choices.chance(1, 2);
                let mut keys = self.villains.loot.keys();
                let key = if own { key } else { SecretKey::draw(&mut keys) };
                let mut name = identity.name;
                if self.villains.loot.choices.chance(1, 2) {
                    name.device = label("spoils");
                }
                let talk = self.theft(Enrolment::new(tls_env(), link, name, key));
                self.call_at(guise, talk, 3);
            }
        }
    }

    /// A copy of somebody's device comes online, if it is not.
    fn try_copy(&mut self) {
        let is_there = self.villains.loot.copy.as_ref().is_some_and(|(conn, _)| self.villains.lines.contains_key(conn));
        if is_there || self.phase != Phase::Storm {
            return;
        }
        let joined: Vec<Identity> = self.devices.iter().filter_map(|node| node.store.identity.clone()).collect();
        let loot = &mut self.villains.loot;
        let Some(identity) = loot.choices.pick(&joined).cloned() else { return };
        let tls = Villain::client(loot.keys(), &[Channel::Relay.alpn()], Some(genuine(&identity)));
        self.see(&Seen::Plot(&Plot::Copied(identity.name.clone())));
        let now = self.villains.clocks.now(self.now_us);
        let line = Line::new(Guise::Copy, Talk::Member(Box::new(tls), Errand::default()), now);
        self.villains.loot.copy = self.knock_with(line, 4).map(|conn| (conn, identity.name));
    }

    /// The copy may have become its device's presence.
    pub(super) fn see_copy(&mut self, conn: ConnId) {
        let Some(name) = self.villains.loot.copy.clone().filter(|(of, _)| *of == conn).map(|(_, name)| name) else {
            return;
        };
        let errand = self.villains.lines.get_mut(&conn).and_then(Line::errand);
        if errand.is_some_and(|(_, errand)| errand.take_present()) {
            self.see(&Seen::Plot(&Plot::Present(conn, name)));
        }
    }

    /// In the calm whoever has a copy leaves people in peace.
    pub(in crate::world) fn leave_copy(&mut self) {
        if let Some((conn, _)) = self.villains.loot.copy.take() {
            self.villain_leaves(conn);
        }
    }

    /// What came of a thief's enrolment: a certificate is one too many.
    pub(super) fn thief_enrolled(&mut self, line: &Line) {
        if let (Guise::InviteThief | Guise::RevokedThief, Some(EnrolResult::Enrolled(identity))) =
            (line.guise, line.enrolled())
        {
            self.see(&Seen::Plot(&Plot::BrokenIn(line.guise, identity.name.clone())));
        }
    }

    /// An enrolment by a thief's hand.
    fn theft(&mut self, machine: Enrolment) -> Talk {
        self.villains.loot.keys += 1;
        let chance = chance(self.villains.loot.streams, (1 << 32) + self.villains.loot.keys);
        Talk::Enrols(Box::new(machine), chance)
    }
}

fn user(text: &str) -> UserName {
    UserName::parse(text).expect("a valid name")
}

fn label(text: &str) -> DeviceLabel {
    DeviceLabel::parse(text).expect("a valid label")
}
