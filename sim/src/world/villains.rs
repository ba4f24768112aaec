//! Brings the villains into the world: when each gets round to something, where it connects, and what it is told there.
//!
//! They act for the whole run, in the calm too: that there are villains is no fault that ends. What the network does to
//! others it does to them as well.

mod guessers;
mod liar;
mod members;
mod thieves;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use countersign_core::id::ConnId;
use countersign_core::invite::{Endpoint, InviteLink, Token};
use countersign_core::pki::SecretKey;
use countersign_core::server::{Input, Source};
use countersign_core::wire::Channel;
use rand_chacha::ChaCha20Rng;

use super::World;
use super::event::Event;
use super::streets::Place;
use super::wire::{Party, Wire};
use crate::actors::villains::{Guise, Line, Talk, hello};
use crate::config::SimConfig;
use crate::forge::mint::Mint;
use crate::forge::villain::Villain;
use crate::forge::{self, Door, Heard};
use crate::node::liar::Liar;
use crate::node::liar::secret::Secret;
use crate::node::{Chance, Clocks};
use crate::rng::{Choices, Draw, Streams};
use crate::story::{Phase, Seen, Side};
use guessers::Guessers;
use members::{Member, Role};
use thieves::{Loot, Thief};

/// How long somebody stays who says nothing, at most, in microseconds: longer than the relay has patience.
const PATIENCE_US: u64 = 20_000_000;
/// Within how long a crowd arrives, in microseconds.
const RUSH_US: u64 = 200_000;
/// How long the forger takes to find a port that listens, at most, in microseconds.
const TEMPTED_US: u64 = 100_000;
/// The protocol of two devices.
const PEER: [&[u8]; 1] = [b"countersign-peer/1"];

/// Something that a villain gets round to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// The forger tries a certificate.
    Forge,
    /// It tries one at a port that has just begun to listen.
    ForgeAtPort,
    /// Somebody connects and says nothing.
    KeepMute,
    /// A crowd comes.
    Crowd,
    /// One of the crowd arrives.
    Arrive,
    /// A member acts.
    Act(Role),
    /// A member asks of conversations what nobody may.
    Intrude,
    /// A socket that is read slowly is read.
    Read(ConnId),
    /// A villain is tired of a connection.
    Leave(ConnId),
    /// The relay that lies thinks of something.
    ThinkOfLies,
    /// The CA certifies somebody in secret.
    CertifyInSecret,
    /// Somebody calls people as a device that the CA has grown.
    PlayGrown,
    /// A thief tries what it has.
    Steal(Thief),
    /// Somebody comes to guess at passwords.
    Guess,
    /// They try one, of the person of their choice.
    Try(usize),
}

/// All villains of a run.
pub(super) struct Villains {
    choices: Choices,
    streams: Streams<'static>,
    clocks: Clocks,
    lines: BTreeMap<ConnId, Line>,
    members: [Member; 4],
    intrusions: Choices,
    /// The relay that lies, while it is there.
    pub(super) liar: Option<Liar>,
    /// What it has logged in secret, while it is not.
    secret: Option<Secret>,
    secrets: Choices,
    /// By what right a device is said to be somebody's that the CA has grown them.
    claims: Choices,
    plays: Choices,
    /// How many streams of keys were given out.
    keys: u64,
    /// What thieves have.
    loot: Loot,
    guessers: Guessers,
}

impl Villains {
    pub(super) fn new(config: &SimConfig, streams: Streams<'_>) -> Self {
        Self {
            choices: streams.stream("villains"),
            streams: Streams::new(streams.seed()),
            clocks: Clocks::draw(streams, "villains", config.skew_max_s),
            lines: BTreeMap::new(),
            members: Role::ALL.map(|role| Member::new(streams, role)),
            intrusions: streams.stream("villains/intruder"),
            liar: None,
            secret: None,
            secrets: streams.stream("villains/secret"),
            claims: streams.stream("villains/claims"),
            plays: streams.stream("villains/plays"),
            keys: 0,
            loot: Loot::new(streams),
            guessers: Guessers::new(streams),
        }
    }

    /// The relay that lies is gone, if it was there; what it has logged in secret is not.
    pub(super) fn drop_liar(&mut self) -> bool {
        let Some(liar) = self.liar.take() else { return false };
        self.secret = liar.into_secret();
        true
    }

    /// Randomness for the keys of one connection or attempt.
    fn keys(&mut self) -> ChaCha20Rng {
        self.keys += 1;
        self.streams.secret(&format!("villain/{}", self.keys))
    }

    /// How many bytes the socket at the far end of a connection takes now; that of an honest machine takes all.
    pub(super) fn takes(&self, conn: ConnId) -> usize {
        self.lines.get(&conn).and_then(|line| line.window).unwrap_or(usize::MAX)
    }

    /// It took so many.
    pub(super) fn took(&mut self, conn: ConnId, bytes: usize) {
        if let Some(window) = self.lines.get_mut(&conn).and_then(|line| line.window.as_mut()) {
            *window = window.saturating_sub(bytes);
        }
    }
}

impl World {
    /// From where a device connects: everybody has an address of their own. Where passwords are guessed at, both devices of a
    /// person are at home, behind one address.
    pub(super) fn source_of(&self, device: usize) -> Source {
        let device = self.config.home(device);
        let own = |ip: &&IpAddr| !ip.is_loopback();
        let host = self.hosts.get(device).and_then(|host| host.addresses.iter().find(own));
        host.map(|ip| Source::of(*ip)).unwrap_or_default()
    }

    pub(super) fn plan_villains(&mut self) {
        if self.config.lie_percent > 0 {
            self.later(1, Event::Villain(Doing::ThinkOfLies));
        }
        self.plan_secret();
        self.plan_play();
        for doing in [
            Doing::Forge,
            Doing::KeepMute,
            Doing::Crowd,
            Doing::Act(Role::Forger),
            Doing::Act(Role::SlowReader),
            Doing::Act(Role::Hasty),
        ] {
            self.plan_villain(doing);
        }
        for thief in Thief::ALL {
            self.plan_thief(thief);
        }
        self.plan_guess();
        self.plan_intruder();
    }

    /// Draws when a villain does the same again.
    fn plan_villain(&mut self, doing: Doing) {
        let config = &self.config;
        let mean_ms = match doing {
            Doing::Forge | Doing::Act(Role::Forger) => config.forge_mean_ms,
            Doing::KeepMute => config.mute_mean_ms,
            Doing::Crowd => config.crowd_mean_ms,
            Doing::Act(Role::SlowReader) => config.slow_mean_ms,
            Doing::Act(Role::Hasty) => config.hasty_mean_ms,
            Doing::ForgeAtPort
            | Doing::Arrive
            | Doing::Intrude
            | Doing::Act(Role::Intruder)
            | Doing::Read(_)
            | Doing::Leave(_)
            | Doing::ThinkOfLies
            | Doing::CertifyInSecret
            | Doing::PlayGrown
            | Doing::Steal(_)
            | Doing::Guess
            | Doing::Try(_) => 0,
        };
        let after_ms = self.villains.choices.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 && self.phase < Phase::Shutdown {
            self.later(after_ms * 1_000, Event::Villain(doing));
        }
    }

    pub(super) fn villain(&mut self, doing: Doing) {
        match doing {
            Doing::Forge => self.forge(false),
            Doing::ForgeAtPort => self.forge(true),
            Doing::KeepMute => self.call_at(Guise::Mute, Talk::Says(Vec::new()), 2),
            Doing::Crowd => {
                let count = self.villains.choices.between(1, self.config.crowd_max.max(1));
                for _ in 0..count {
                    let after_us = self.villains.choices.between(1, RUSH_US);
                    self.later(after_us, Event::Villain(Doing::Arrive));
                }
            }
            Doing::Arrive => self.arrive(),
            Doing::Act(role) => self.member_acts(role),
            Doing::Intrude => {
                self.member_acts(Role::Intruder);
                return self.plan_intruder();
            }
            Doing::Read(conn) => return self.read_a_little(conn),
            Doing::Leave(conn) => return self.villain_leaves(conn),
            Doing::ThinkOfLies => return self.think_of_lies(),
            Doing::CertifyInSecret => return self.certify_in_secret(),
            Doing::PlayGrown => return self.play_grown(),
            Doing::Steal(thief) => return self.steal(thief),
            Doing::Guess => return self.come_to_guess(),
            Doing::Try(victim) => return self.try_password(victim),
        }
        self.plan_villain(doing);
    }

    /// A device begins to listen, and the forger may have been waiting for that.
    pub(super) fn tempt(&mut self) {
        let (comes, after_us) = (self.villains.choices.chance(1, 4), self.villains.choices.between(1, TEMPTED_US));
        if comes && self.config.forge_mean_ms > 0 {
            self.later(after_us, Event::Villain(Doing::ForgeAtPort));
        }
    }

    /// One of the crowd.
    fn arrive(&mut self) {
        let (guesses, source) =
            (self.villains.choices.chance(1, 4), self.villains.choices.below(self.config.crowd_sources.max(1)));
        let source = 10 + u8::try_from(source).unwrap_or(0);
        let mut keys = self.villains.keys();
        if guesses {
            let link = self.link(Token::draw(&mut keys));
            let talk = self.enrolment(link, members::name("guesser"), SecretKey::draw(&mut keys));
            self.call_at(Guise::Guesser, talk, source);
        } else {
            let (guise, talk) = hello::draw(&mut self.villains.choices, keys);
            self.call_at(guise, talk, source);
        }
    }

    /// The forger shows something at the relay's door, or at that of a device that listens: for somebody's name with a
    /// key of its own, or for its own name with the key that the directory has for it.
    fn forge(&mut self, at_port: bool) {
        let mut keys = self.villains.keys();
        let places = self.open_places();
        let own = self.villains.choices.chance(1, 2);
        let place = self.villains.choices.pick(&places).copied().filter(|_| at_port);
        let door = if place.is_some() { Door::Port } else { Door::Relay };
        let forgeries = forge::shown_at(door);
        let Some((name, make)) = self.villains.choices.pick(&forgeries).copied() else { return };
        let names: Vec<_> = self.people.iter().map(|person| person.name().clone()).collect();
        let victim = self.villains.choices.pick(&names).cloned();
        let mallory = self.villains.member(Role::Forger).credentials().filter(|_| own);
        let (whose, key) = match (mallory, victim) {
            (Some((name, key)), _) => (name, key),
            (None, Some(victim)) => (victim, SecretKey::draw(&mut keys)),
            (None, None) => return,
        };
        let now = self.villains.clocks.now(self.now_us).wall;
        let shown = {
            let genuine = (self.relay.founded(), self.relay.realm());
            make(&mut Mint::new(genuine, whose, key, now, self.villains.keys()))
        };
        let protocols = if place.is_some() { PEER } else { [Channel::Relay.alpn()] };
        let talk = Talk::Tls(Box::new(Villain::client(keys, &protocols, shown)));
        match place {
            Some(place) => self.knock_at_port(Guise::Forger(name), talk, place),
            None => self.call_at(Guise::Forger(name), talk, 1),
        }
    }

    /// A villain connects to the relay from an address of its own, if there is one that listens.
    fn call_at(&mut self, guise: Guise, talk: Talk, source: u8) {
        let line = Line::new(guise, talk, self.villains.clocks.now(self.now_us));
        self.knock_with(line, source);
    }

    fn knock_with(&mut self, line: Line, source: u8) -> Option<ConnId> {
        if !self.relay.is_up() {
            return None;
        }
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let wire = Wire::new(&self.config, conn, Party::Stranger, Party::Relay);
        self.wires.insert(conn, wire);
        self.see(&Seen::Knocked(conn, line.guise));
        // From the block TEST-NET-2 (RFC 5737).
        let source = Source::of(IpAddr::V4(Ipv4Addr::new(198, 51, 100, source)));
        let source = self.saboteur.shows_address(conn, source);
        self.tell_relay(Input::Opened(conn, source));
        self.begin_line(conn, line);
        Some(conn)
    }

    /// A villain connects to a device that listens.
    fn knock_at_port(&mut self, guise: Guise, talk: Talk, place: Place) {
        let line = Line::new(guise, talk, self.villains.clocks.now(self.now_us));
        let (conn, _) = self.join(Party::Stranger, Some(place), false);
        self.see(&Seen::Knocked(conn, guise));
        self.begin_line(conn, line);
    }

    fn begin_line(&mut self, conn: ConnId, line: Line) {
        let (is_member, is_thief) = (line.guise.is_member(), line.guise.is_thief());
        let guesses = line.guise == Guise::PasswordGuesser;
        self.villains.lines.insert(conn, line);
        let choices = match (is_thief, guesses) {
            (true, _) => &mut self.villains.loot.choices,
            (false, true) => &mut self.villains.guessers.choices,
            (false, false) => &mut self.villains.choices,
        };
        let stays_us = choices.between(1, PATIENCE_US);
        if !is_member {
            self.later(stays_us, Event::Villain(Doing::Leave(conn)));
        }
        self.villain_speaks(conn);
    }

    /// Sends what a villain has to say, and leaves with it if it is done.
    fn villain_speaks(&mut self, conn: ConnId) {
        let now = self.villains.clocks.now(self.now_us);
        let Some(line) = self.villains.lines.get_mut(&conn) else { return };
        let (bytes, over) = (line.say(now), line.is_over());
        if let Some(wire) = self.wires.get_mut(&conn).filter(|_| !bytes.is_empty()) {
            let arrivals = wire.write(Side::Dialler, &bytes, self.now_us);
            for (at_us, event) in arrivals {
                self.at(at_us, event);
            }
        }
        if over {
            self.villain_leaves(conn);
        }
    }

    /// Bytes arrive at a stranger; who is no villain does not care.
    pub(super) fn villain_hears(&mut self, conn: ConnId, bytes: &[u8]) {
        let now = self.villains.clocks.now(self.now_us);
        if let Some(line) = self.villains.lines.get_mut(&conn) {
            line.hear(bytes, now);
            self.see_copy(conn);
            self.see_refused(conn);
            self.villain_speaks(conn);
        }
    }

    /// The other side says no more to a stranger.
    pub(super) fn villain_ended(&mut self, conn: ConnId) {
        let now = self.villains.clocks.now(self.now_us);
        if let Some(line) = self.villains.lines.get_mut(&conn) {
            line.ended(now);
            self.villain_speaks(conn);
        }
    }

    fn villain_leaves(&mut self, conn: ConnId) {
        let Some(line) = self.villains.lines.remove(&conn) else { return };
        if line.heard() != Heard::Nothing {
            self.see(&Seen::Sent(conn, line.guise, line.heard()));
        }
        self.villain_enrolled(&line);
        self.thief_enrolled(&line);
        self.guesser_enrolled(conn, &line);
        if self.wires.get(&conn).is_some_and(|wire| wire.has(Side::Dialler)) {
            self.forget(conn, Side::Dialler);
        }
    }

    /// An invite's link with this token.
    fn link(&self, token: Token) -> InviteLink {
        let endpoint = Endpoint::parse("relay.example:7443").expect("a valid endpoint");
        InviteLink { endpoint, realm: self.relay.realm().clone(), root: self.relay.root(), token }
    }
}

/// A machine's chance for one connection.
fn chance(streams: Streams<'_>, number: u64) -> Box<Chance> {
    Box::new(Chance::new(streams, &format!("villain/{number}")))
}
