//! What passwords people know, how they join by one and set another, and the worker that stretches them beside the relay's process.
//!
//! The stretching is core's own, at the least cost that there is (`Cost::LEAST`): how dear it is decides nothing here, and how long
//! it takes the worker says, which does one after the other, as the shell's does.

use std::collections::BTreeMap;

use countersign_core::device::{Asked, Command};
use countersign_core::id::{DeviceName, StretchId, UserName};
use countersign_core::invite::{Endpoint, ServerLink};
use countersign_core::password::{Password, Stretch};
use countersign_core::wire::Code;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use zeroize::Zeroizing;

use super::{Deed, World};
use crate::actors::{Prompt, Way};
use crate::node::device::{By, Wish};
use crate::rng::{Choices, Draw, Streams};
use crate::story::{Seen, Who};
use crate::world::event::Event;

/// The longest that a password is stretched, in microseconds.
const STRETCH_US: u64 = 120_000;
/// With this a password begins here, so that nothing else is like it.
const BEGINNING: &str = "pw ";

/// The passwords that a person knows, the one that counts for all they know first, and what the next ones are drawn from.
pub(super) struct Known {
    rng: ChaCha20Rng,
    texts: Vec<String>,
    /// Which one is being set on which device.
    setting: BTreeMap<usize, String>,
}

/// The worker.
pub(super) struct Worker {
    rng: Choices,
    /// When it has done all that it was given.
    free_us: u64,
}

impl Worker {
    /// One that has nothing to do.
    pub(super) fn new(streams: Streams) -> Self {
        Self { rng: streams.stream("worker"), free_us: 0 }
    }
}

impl World {
    pub(super) fn plan_password(&mut self) {
        let mean_ms = self.config.password_mean_ms;
        let after_ms = self.owners.passwords.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Own(Deed::Password));
        }
    }

    /// Somebody finds their password too old.
    pub(super) fn think_of_password(&mut self) {
        let joined: Vec<usize> = self.joined().map(|(person, _)| person).collect();
        if let Some(person) = self.owners.passwords.pick(&joined).copied() {
            self.later(1, Event::Prompt(person, Prompt::SetPassword));
        }
        self.plan_password();
    }

    /// A person thinks of a password.
    fn think_up(&mut self, owner: usize) -> String {
        let seed = || self.config.streams().secret(&format!("person/{owner}/passwords"));
        let known = self.owners.known.remove(&owner);
        let mut known = known.unwrap_or_else(|| Known { rng: seed(), texts: Vec::new(), setting: BTreeMap::new() });
        let text = format!("{BEGINNING}{:016x}", known.rng.next_u64());
        known.texts.insert(0, text.clone());
        self.owners.known.insert(owner, known);
        self.see(&Seen::Secret("a password", text.as_bytes()));
        text
    }

    /// A person joins by a password that they know, or by the first that they think of.
    ///
    /// # Panics
    /// Never: the endpoint is valid.
    pub(in crate::world) fn sign_up(
        &mut self,
        person: usize,
        name: DeviceName,
        way: &Way,
        (place, mistyped): (usize, bool),
    ) {
        let owner = self.owner(person);
        let texts = self.owners.known.get(&owner).map(|known| known.texts.as_slice()).unwrap_or_default();
        let known = texts.get(place.checked_rem(texts.len()).unwrap_or(0)).cloned();
        let mut text = known.unwrap_or_else(|| self.think_up(owner));
        if mistyped {
            text.pop();
        }
        let endpoint = Endpoint::parse("relay.example:7443").expect("a valid endpoint");
        let server = ServerLink { endpoint, realm: self.relay.realm().clone(), root: self.relay.root() };
        let (password, waits) = (password(&text), *way == Way::Waits);
        let by = By::Password(server, password.clone());
        let wish = Wish { by, name, waits, recovery: None };
        self.start(person, true, |node| node.prepare(wish));
        if let Some(program) = self.program(person) {
            let name = self.person(person).name().clone();
            self.see(&Seen::SignsUp(Who { program, name: &name }, &password));
        }
        self.write_key(person);
    }

    /// A person sets another password.
    pub(in crate::world) fn set_password(&mut self, person: usize) {
        let owner = self.owner(person);
        let text = self.think_up(owner);
        if let Some(known) = self.owners.known.get_mut(&owner) {
            known.setting.insert(person, text.clone());
        }
        if let (Some(besides), Some(program)) = (self.saboteur.sets(&text), self.program(person)) {
            self.slip(program.device, &besides);
        }
        self.wish(person, Command::Password(password(&text)));
    }

    /// A device tells its person what came of an ask: a password is set, or it is not.
    pub(in crate::world) fn hear_of_password(&mut self, device: usize, asked: &Asked) {
        let owner = self.owner(device);
        let is_set = matches!(asked, Asked::PasswordSet);
        let is_not = matches!(asked, Asked::Refused(Code::TRIES_TOO_MANY | Code::PASSWORDS_UNUSED));
        let Some(known) = self.owners.known.get_mut(&owner).filter(|_| is_set || is_not) else { return };
        let Some(text) = known.setting.remove(&device) else { return };
        known.texts.retain(|other| *other != text);
        if is_set {
            known.texts.insert(0, text);
        }
    }

    /// The password of a person who has joined under this name, as they know it.
    pub(in crate::world) fn password_of(&self, user: &UserName) -> Option<&str> {
        let (device, _) = self.joined().find(|(_, name)| name.user == *user)?;
        self.owners.known.get(&self.owner(device))?.texts.first().map(String::as_str)
    }

    /// The worker stretches a password when it has done what it was given before.
    pub(in crate::world) fn stretch(&mut self, id: StretchId, stretch: &Stretch) {
        let worker = &mut self.owners.worker;
        worker.free_us = worker.free_us.max(self.now_us) + worker.rng.between(1_000, STRETCH_US);
        let (at_us, stretched) = (worker.free_us, stretch.run());
        self.at(at_us, Event::Stretched(self.relay_life, id, stretched));
    }
}

pub(in crate::world) fn password(text: &str) -> Password {
    Password::new(Zeroizing::new(text.as_bytes().to_vec()))
}
