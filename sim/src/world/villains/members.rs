//! Decides how a villain becomes a member, in order and by an invite, and what it then does with that.

use countersign_core::device::enrol::{EnrolResult, Enrolment};
use countersign_core::id::{AdminId, ConnId, DeviceLabel, DeviceName, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::operator::{Answer, Command};
use countersign_core::pki::SecretKey;
use countersign_core::server::Input;
use countersign_core::wire::Channel;

use super::super::World;
use super::super::event::Event;
use super::{Doing, Villains, chance};
use crate::actors::operator::{LIFETIME, Operator};
use crate::actors::villains::{Errand, Guise, Line, Talk};
use crate::forge::villain::{Shown, Villain};
use crate::node::tls_env;
use crate::rng::{Draw, Streams};
use crate::story::plots::Plot;
use crate::story::{Phase, Seen, Side};

/// The first number of a command to the operator that a villain has asked for.
const FIRST_ASK: u64 = 1 << 32;
/// How long a villain waits for an invite before it asks again, in microseconds.
const INVITE_US: u64 = 5_000_000;
/// How many bytes wait in the sockets of somebody who does not read.
const WINDOW_BYTES: usize = 16 * 1024;
/// How much an intruder asks at a time, at most.
const INTRUSIONS: u64 = 8;
/// How often a slow reader reads, in microseconds.
const READ_US: u64 = 1_000_000;

/// For what a villain is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To have a name and a key in the directory for which it then shows forged certificates.
    Forger,
    /// To read little.
    SlowReader,
    /// To ask without end.
    Hasty,
    /// To ask of conversations what nobody may.
    Intruder,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Forger, Self::SlowReader, Self::Hasty, Self::Intruder];

    fn place(self) -> usize {
        match self {
            Self::Forger => 0,
            Self::SlowReader => 1,
            Self::Hasty => 2,
            Self::Intruder => 3,
        }
    }

    fn user(self) -> &'static str {
        match self {
            Self::Forger => "trudy",
            Self::SlowReader => "sloth",
            Self::Hasty => "hector",
            Self::Intruder => "iago",
        }
    }
}

/// A villain who is a member, or will be.
pub(super) struct Member {
    name: DeviceName,
    key: SecretKey,
    link: Option<InviteLink>,
    asked_us: Option<u64>,
    shown: Option<Shown>,
    conn: Option<ConnId>,
}

impl Member {
    pub(super) fn new(streams: Streams<'_>, role: Role) -> Self {
        let key = SecretKey::draw(&mut streams.secret(&format!("villain/{}", role.user())));
        Self { name: name(role.user()), key, link: None, asked_us: None, shown: None, conn: None }
    }

    /// Its name and key, once the directory has them.
    pub(super) fn credentials(&self) -> Option<(DeviceName, SecretKey)> {
        self.shown.is_some().then(|| (self.name.clone(), self.key.clone()))
    }
}

impl Villains {
    pub(super) fn member(&mut self, role: Role) -> &mut Member {
        self.members.get_mut(role.place()).expect("there is one for each role")
    }
}

impl World {
    /// A member acts; one who is none yet sees to that first.
    pub(super) fn member_acts(&mut self, role: Role) {
        let member = self.villains.member(role);
        match (&member.shown, &member.link) {
            (None, None) => self.ask_for_invite(role),
            (None, Some(link)) => {
                let (link, name, key) = (link.clone(), member.name.clone(), member.key.clone());
                let talk = self.enrolment(link, name, key);
                self.call_at(Guise::Newcomer, talk, 3);
            }
            (Some(shown), _) => {
                let (shown, conn) = (shown.clone(), member.conn);
                let line = conn.filter(|conn| self.villains.lines.contains_key(conn));
                match (role, line) {
                    (Role::Forger, _) => {}
                    (Role::SlowReader | Role::Hasty | Role::Intruder, None) => self.come_in(role, shown),
                    (Role::Intruder, Some(conn)) => self.intrude(conn),
                    (Role::SlowReader | Role::Hasty, Some(conn)) => self.pester(role, conn),
                }
            }
        }
    }

    fn ask_for_invite(&mut self, role: Role) {
        let now_us = self.now_us;
        let member = self.villains.member(role);
        if member.asked_us.is_some_and(|asked_us| now_us < asked_us + INVITE_US) || !self.relay.is_up() {
            return;
        }
        member.asked_us = Some(now_us);
        let (id, user) = (AdminId(FIRST_ASK + role as u64), Some(member.name.user.clone()));
        self.tell_relay(Input::Operator(id, &Command::Invite { user, lifetime: LIFETIME }));
    }

    /// The operator answers: whether it was for a villain.
    pub(in crate::world) fn villain_answered(&mut self, id: AdminId, answer: &Answer) -> bool {
        let Some(role) = Role::ALL.into_iter().find(|role| id.0 == FIRST_ASK + *role as u64) else {
            return self.thief_answered(id, answer);
        };
        let link = Operator::link(answer, self.relay.realm(), self.relay.root());
        self.villains.member(role).link = link;
        true
    }

    /// An attempt at enrolment with core's own machine.
    pub(super) fn enrolment(&mut self, link: InviteLink, name: DeviceName, key: SecretKey) -> Talk {
        self.villains.keys += 1;
        let mut chance = chance(self.villains.streams, self.villains.keys);
        let machine = chance.lend(|_| Enrolment::new(tls_env(), link, name, key));
        Talk::Enrols(Box::new(machine), chance)
    }

    /// A villain's enrolment may have come to something.
    pub(super) fn villain_enrolled(&mut self, line: &Line) {
        match line.enrolled() {
            Some(EnrolResult::Enrolled(identity)) => {
                let shown = crate::forge::genuine(identity);
                let Some(role) = Role::ALL.into_iter().find(|role| name(role.user()) == identity.name) else { return };
                self.villains.member(role).shown = Some(shown);
                self.see(&Seen::Infiltrated(&identity.name));
            }
            // With another invite it may be luckier.
            Some(EnrolResult::Refused(..)) if line.guise == Guise::Newcomer => {
                for role in Role::ALL {
                    let member = self.villains.member(role);
                    (member.link, member.asked_us) = (None, None);
                }
            }
            Some(
                EnrolResult::Refused(..)
                | EnrolResult::BadCertificate(_)
                | EnrolResult::LogRefused(_)
                | EnrolResult::Lost(_),
            )
            | None => {}
        }
    }

    /// A member connects to the relay with its genuine certificate.
    fn come_in(&mut self, role: Role, shown: Shown) {
        let keys = self.villains.keys();
        let tls = Villain::client(keys, &[Channel::Relay.alpn()], Some(shown));
        let talk = Talk::Member(Box::new(tls), Errand::default());
        let now = self.villains.clocks.now(self.now_us);
        let guise = match role {
            Role::SlowReader => Guise::SlowReader,
            Role::Intruder => Guise::Intruder,
            Role::Forger | Role::Hasty => Guise::Hasty,
        };
        let conn = self.knock_with(Line::new(guise, talk, now), 4);
        self.villains.member(role).conn = conn;
    }

    /// It asks the relay for more than it needs.
    fn pester(&mut self, role: Role, conn: ConnId) {
        let people: Vec<UserName> = self.people.iter().map(|person| person.name().user.clone()).collect();
        let most = if role == Role::SlowReader { 400 } else { self.config.hasty_max.max(1) };
        let Villains { lines, choices, .. } = &mut self.villains;
        let Some(line) = lines.get_mut(&conn) else { return };
        let Some((tls, errand)) = line.errand() else { return };
        if !errand.is_admitted() {
            return;
        }
        let count = choices.between(1, most);
        errand.ask(tls, count, &people, choices);
        // From its admission on it reads no faster than it likes.
        if role == Role::SlowReader && line.window.is_none() {
            line.window = Some(WINDOW_BYTES);
            self.later(READ_US, Event::Villain(Doing::Read(conn)));
        }
        self.villain_speaks(conn);
    }

    /// It asks of conversations what nobody may.
    fn intrude(&mut self, conn: ConnId) {
        let others: Vec<DeviceName> = self.joined().map(|(_, name)| name).collect();
        let own = self.villains.member(Role::Intruder).name.clone();
        let Villains { lines, intrusions, .. } = &mut self.villains;
        let Some((tls, errand)) = lines.get_mut(&conn).and_then(Line::errand) else { return };
        if errand.is_admitted() {
            let count = intrusions.between(1, INTRUSIONS);
            errand.intrude(tls, count, (&own, &others), intrusions);
            self.villain_speaks(conn);
        }
    }

    /// What a member was refused since the last time.
    pub(super) fn see_refused(&mut self, conn: ConnId) {
        let errand = self.villains.lines.get_mut(&conn).and_then(Line::errand);
        let refused = errand.map(|(_, errand)| errand.take_refused()).unwrap_or_default();
        for code in refused {
            self.see(&Seen::Plot(&Plot::Refused(code)));
        }
    }

    /// Draws when an intruder comes again.
    pub(super) fn plan_intruder(&mut self) {
        let mean_ms = self.config.intrude_mean_ms;
        let after_ms = self.villains.intrusions.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 && self.phase < Phase::Calm {
            self.later(after_ms * 1_000, Event::Villain(Doing::Intrude));
        }
    }

    /// A slow reader's socket takes a little more.
    pub(super) fn read_a_little(&mut self, conn: ConnId) {
        let bytes = usize::try_from(self.config.slow_bytes).unwrap_or(0);
        let Some(window) = self.villains.lines.get_mut(&conn).and_then(|line| line.window.as_mut()) else { return };
        *window = window.saturating_add(bytes).min(WINDOW_BYTES);
        self.write(conn, Side::Listener);
        self.later(READ_US, Event::Villain(Doing::Read(conn)));
    }
}

pub(super) fn name(user: &str) -> DeviceName {
    let device = DeviceLabel::parse("tablet").expect("a valid label");
    DeviceName { user: UserName::parse(user).expect("a valid name"), device }
}
