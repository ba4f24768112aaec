//! What people have written down of their recovery codes, how they lose every device and come back.

use countersign_core::device::Command;
use countersign_core::pki::{RecoveryCode, SecretKey};
use countersign_core::server::Input;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use super::{Deed, World};
use crate::actors::{Prompt, Way};
use crate::rng::Draw;
use crate::story::{Seen, Who};
use crate::world::event::Event;

/// How long a piece of a code's words is that gives it away: two words and a half.
const PIECE_BYTES: usize = 16;

/// A person's recovery codes: what they are drawn from, and the keys of those that are written down, the newest first.
pub(super) struct Papers {
    rng: ChaCha20Rng,
    keys: Vec<SecretKey>,
}

impl World {
    pub(super) fn plan_code(&mut self) {
        let mean_ms = self.config.code_mean_ms;
        let after_ms = self.owners.codes.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Own(Deed::Code));
        }
    }

    pub(super) fn plan_loss(&mut self) {
        let mean_ms = self.config.lose_mean_ms;
        let after_ms = self.owners.losses.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::Own(Deed::Lose));
        }
    }

    /// Somebody thinks of their recovery code.
    pub(super) fn think_of_code(&mut self) {
        let joined: Vec<usize> = self.joined().map(|(person, _)| person).collect();
        let (person, makes) = (self.owners.codes.pick(&joined).copied(), self.owners.codes.chance(1, 2));
        if let Some(person) = person {
            self.later(1, Event::Prompt(person, if makes { Prompt::MakeCode } else { Prompt::Own(Command::Recovery) }));
        }
        self.plan_code();
    }

    /// The person whose device this is, by the number of their first one.
    pub(super) fn owner(&self, device: usize) -> usize {
        if self.config.is_further(device) { self.config.sibling(device).unwrap_or(device) } else { device }
    }

    /// What a person knows of their own devices and papers, when they look.
    pub(in crate::world) fn look_at_own(&mut self, person: usize) {
        self.look_at_other(person);
        let owner = self.owner(person);
        let papers = self.owners.papers.get(&owner).map_or(0, |papers| papers.keys.len());
        self.person(person).counts_papers(papers);
    }

    /// The key of the code by which a device is to come back, if it is.
    pub(in crate::world) fn recovery_key(&self, person: usize, way: &Way) -> Option<SecretKey> {
        let Way::Code(place) = way else { return None };
        self.owners.papers.get(&self.owner(person))?.keys.get(*place).cloned()
    }

    /// A person draws a code, writes it down, and has it count: in this order, so that none counts that nobody has.
    ///
    /// # Panics
    /// Never: a code is drawn from what the bytes were drawn from.
    pub(in crate::world) fn make_code(&mut self, person: usize) {
        let Some(program) = self.program(person) else { return };
        let owner = self.owner(person);
        let seed = || self.config.streams().secret(&format!("person/{owner}/papers"));
        let mut rng = self.owners.papers.get(&owner).map_or_else(seed, |papers| papers.rng.clone());
        let mut bytes = [0; 16];
        rng.clone().fill_bytes(&mut bytes);
        let code = RecoveryCode::draw(&mut rng);
        let (key, words) = (code.key(), code.words());
        self.see(&Seen::Secret("a recovery code", &bytes));
        for piece in words.as_bytes().chunks_exact(PIECE_BYTES) {
            self.see(&Seen::Secret("a recovery code", piece));
        }
        self.see(&Seen::Secret("a recovery key", &key.to_pkcs8()));
        let armed = Command::Arm(key.spki());
        let papers = self.owners.papers.entry(owner).or_insert_with(|| Papers { rng: rng.clone(), keys: Vec::new() });
        papers.rng = rng;
        papers.keys.insert(0, key);
        if let Some(besides) = self.saboteur.writes_down(&words) {
            self.slip(program.device, &besides);
        }
        self.wish(person, armed);
    }

    /// Somebody loses every device that they have, and now and then their codes, too.
    pub(super) fn lose(&mut self) {
        let is_whole = |person: &usize| {
            let other = self.config.sibling(*person);
            let awake = [Some(*person), other].into_iter().flatten().all(|device| !self.hours.sleeps(device));
            awake && self.people.get(*person).is_some_and(crate::actors::person::Person::is_enrolled)
        };
        let first = usize::try_from(self.config.devices).unwrap_or(0);
        let whole: Vec<usize> = (0..first).filter(is_whole).collect();
        let rng = &mut self.owners.losses;
        let (owner, code_too) = (rng.pick(&whole).copied(), rng.chance(self.config.lose_code_percent, 100));
        if let Some(owner) = owner {
            if code_too && let Some(papers) = self.owners.papers.get_mut(&owner) {
                papers.keys.clear();
            }
            self.look_at_own(owner);
            self.person(owner).loses_everything(code_too);
            self.find_paper(owner);
            for device in [Some(owner), self.config.sibling(owner)].into_iter().flatten() {
                self.lose_device(device, code_too);
            }
        }
        self.plan_loss();
    }

    /// A saboteur: somebody finds another one's paper, and means to be them.
    fn find_paper(&mut self, owner: usize) {
        let others = self.owners.papers.iter().find(|(other, papers)| **other != owner && !papers.keys.is_empty());
        let Some(other) = others.map(|(other, _)| *other).filter(|_| self.saboteur.finds_papers()) else { return };
        let Some((_, name)) = self.joined().find(|(device, _)| *device == other) else { return };
        let Some(key) = self.owners.papers.get(&other).and_then(|papers| papers.keys.first()).cloned() else { return };
        let rng = self.config.streams().secret("papers that were found");
        self.owners.papers.insert(owner, Papers { rng, keys: vec![key] });
        self.person(owner).comes_as(name.user);
    }

    fn lose_device(&mut self, device: usize, code_too: bool) {
        self.stop(device, true);
        let Some(program) = self.devices.get(device).map(crate::node::device::DeviceNode::program) else { return };
        let name = self.person(device).name().clone();
        self.see(&Seen::Lost(Who { program, name: &name }, code_too));
        self.begin_anew(device);
    }

    /// A person asks the operator to let them in again.
    pub(in crate::world) fn ask_back(&mut self, person: usize, keep: bool) {
        let name = self.person(person).name().clone();
        let Some(program) = self.devices.get(person).map(crate::node::device::DeviceNode::program) else { return };
        self.see(&Seen::AskedBack(Who { program, name: &name }, keep));
        if self.relay.is_up() {
            let (id, command) = self.operator.asked_back(person, &name.user, keep);
            self.tell_relay(Input::Operator(id, &command));
        }
    }
}
