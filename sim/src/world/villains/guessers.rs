//! Guessers: they try passwords at the names of people who are there, and now and then at a name that nobody has.
//!
//! They come over the enrolment channel as anybody can, with core's own machine, one by one or many at once, from one address
//! or several, and go on as long as the server is there. Which passwords people have they can't know; so they are never let in
//! as somebody. A name that is nobody's is whoever's who comes first, and so now and then one of them has one of their own.

use std::collections::BTreeMap;

use countersign_core::device::enrol::{EnrolResult, Enrolment};
use countersign_core::id::{ConnId, DeviceLabel, DeviceName, UserName};
use countersign_core::invite::{Endpoint, ServerLink};
use countersign_core::password::Password;
use countersign_core::pki::SecretKey;
use rand_chacha::ChaCha20Rng;

use super::super::World;
use super::super::event::Event;
use super::super::own::passwords::password;
use super::{Doing, chance};
use crate::actors::villains::{Guise, Line, Talk};
use crate::node::tls_env;
use crate::rng::{Choices, Draw, Streams};
use crate::story::plots::Plot;
use crate::story::{Phase, Seen};

/// Within how long the tries of one visit are made, in microseconds.
const VISIT_US: u64 = 400_000;
/// The number of their first address: behind those of the crowds.
const FIRST_SOURCE: u8 = 211;
/// How many names they try that nobody has.
const NOBODIES: u64 = 16;
/// One try in so many is at such a name.
const NOBODY_IN: u64 = 10;
/// One visit in so many is for one person alone.
const ALONE_IN: u64 = 2;
/// Beyond the numbers of the keys that other villains have.
const FIRST_KEYS: u64 = 1 << 33;

/// What they have in mind.
pub(super) struct Guessers {
    pub(super) choices: Choices,
    streams: Streams<'static>,
    tries: u64,
    /// At whose names they are trying one, by their connections.
    names: BTreeMap<ConnId, UserName>,
}

impl Guessers {
    pub(super) fn new(streams: Streams<'_>) -> Self {
        Self {
            choices: streams.stream("villains/guessers"),
            streams: Streams::new(streams.seed()),
            tries: 0,
            names: BTreeMap::new(),
        }
    }

    fn keys(&self) -> ChaCha20Rng {
        self.streams.secret(&format!("guesser/{}", self.tries))
    }
}

impl World {
    pub(super) fn plan_guess(&mut self) {
        let mean_ms = self.config.guess_mean_ms;
        if mean_ms > 0 && self.phase < Phase::Shutdown {
            let after_ms = self.villains.guessers.choices.between(1, 2 * mean_ms);
            self.later(after_ms * 1_000, Event::Villain(Doing::Guess));
        }
    }

    /// Somebody comes to try a few: at one person's name, or at everybody's.
    pub(super) fn come_to_guess(&mut self) {
        let (most, everybody) = (self.config.guess_max.max(1), self.config.all_devices());
        let choices = &mut self.villains.guessers.choices;
        let (count, alone) = (choices.between(1, most), choices.chance(1, ALONE_IN));
        let everybody = u64::try_from(everybody).unwrap_or(1);
        let mut draw = || usize::try_from(choices.below(everybody)).unwrap_or(0);
        let first = draw();
        let victims: Vec<usize> = (0..count).map(|_| if alone { first } else { draw() }).collect();
        for victim in victims {
            let after_us = self.villains.guessers.choices.between(1, VISIT_US);
            self.later(after_us, Event::Villain(Doing::Try(victim)));
        }
        self.plan_guess();
    }

    /// Tries a password at the name of the person whose device this is, or at that of nobody. Whoever has not joined has no name
    /// that could be known.
    pub(super) fn try_password(&mut self, victim: usize) {
        let identity = self.devices.get(victim).and_then(|node| node.store.identity.as_ref());
        let theirs = identity.map(|identity| identity.name.user.clone());
        let guessers = &mut self.villains.guessers;
        guessers.tries += 1;
        let (nobody, which) = (guessers.choices.chance(1, NOBODY_IN), guessers.choices.below(NOBODIES));
        let source = guessers.choices.below(self.config.guess_sources.max(1));
        let source = FIRST_SOURCE.saturating_add(u8::try_from(source).unwrap_or(0));
        let Some(user) = nobody.then(|| nobody_of(which)).or(theirs) else { return };
        let guess = format!("guess {}", guessers.tries);
        let told = self.password_of(&user).filter(|_| self.saboteur.tells_passwords());
        let guess = password(told.unwrap_or(&guess));
        let talk = self.guess(DeviceName { user: user.clone(), device: label("gadget") }, guess);
        let line = Line::new(Guise::PasswordGuesser, talk, self.villains.clocks.now(self.now_us));
        if let Some(conn) = self.knock_with(line, source) {
            self.villains.guessers.names.insert(conn, user.clone());
            self.see(&Seen::Plot(&Plot::Guess(conn, user, source)));
        }
    }

    fn guess(&mut self, name: DeviceName, guess: Password) -> Talk {
        let endpoint = Endpoint::parse("relay.example:7443").expect("a valid endpoint");
        let server = ServerLink { endpoint, realm: self.relay.realm().clone(), root: self.relay.root() };
        let guessers = &self.villains.guessers;
        let key = SecretKey::draw(&mut guessers.keys());
        let mut chance = chance(guessers.streams, FIRST_KEYS + guessers.tries);
        let machine = chance.lend(|_| Enrolment::sign_up(tls_env(), server, guess, name, key));
        Talk::Enrols(Box::new(machine), chance)
    }

    /// What came of a guess.
    pub(super) fn guesser_enrolled(&mut self, conn: ConnId, line: &Line) {
        let Some(user) = self.villains.guessers.names.remove(&conn) else { return };
        match line.enrolled() {
            Some(EnrolResult::Refused(code, _)) => self.see(&Seen::Plot(&Plot::Guessed(conn, user, Some(*code)))),
            Some(EnrolResult::Enrolled(identity)) => {
                self.see(&Seen::Plot(&Plot::Guessed(conn, user, None)));
                self.see(&Seen::Infiltrated(&identity.name));
            }
            Some(EnrolResult::BadCertificate(_) | EnrolResult::LogRefused(_) | EnrolResult::Lost(_)) | None => {}
        }
    }
}

/// A name that nobody of the realm has, unless a guesser has taken it.
fn nobody_of(which: u64) -> UserName {
    UserName::parse(&format!("nobody-{which}")).expect("a valid name")
}

fn label(text: &str) -> DeviceLabel {
    DeviceLabel::parse(text).expect("a valid label")
}
