//! Decides what people do with rooms: they begin some, come into open ones, bring others in and put them out, leave, and change what
//! a room is. Mostly they do what they may, and now and then what they may not, or in a room that there is not.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Command;
use countersign_core::device::conversations::{Alteration, Rank, RoomErrand, RoomView, Target};
use countersign_core::id::{ConversationId, RoomName, SendId, UserName};
use countersign_core::limits::ROOM_TOPIC_BYTES_MAX;

use super::super::World;
use super::super::event::Event;
use crate::actors::Prompt;
use crate::actors::person::whims::FIRST_ERRAND;
use crate::rng::{Choices, Chooser, Draw, Streams};
use crate::story::Phase;

/// What people call their rooms: few, so that two want the same.
const NAMES: [&str; 3] = ["tea", "plans", "book-club"];
/// Nobody begins another room who is in so many.
const ENOUGH: usize = 3;
/// What somebody can be in a room.
const RANKS: [Rank; 3] = [Rank::Member, Rank::Moderator, Rank::Owner];

/// The rooms that a device's person sees.
type Seen = BTreeMap<ConversationId, (RoomName, RoomView)>;

/// What is drawn for rooms.
pub(super) struct Rooms {
    rng: Choices,
    /// How many things were wished of rooms.
    errands: u64,
}

impl Rooms {
    pub(super) fn new(streams: Streams<'_>) -> Self {
        Self { rng: streams.stream("rooms"), errands: 0 }
    }
}

impl World {
    /// Draws when somebody does something with a room next.
    pub(in crate::world) fn plan_room(&mut self) {
        let mean_ms = self.config.room_mean_ms;
        if mean_ms > 0 && self.config.conversing > 0 {
            let after_ms = self.conversing.rooms.rng.between(1, 2 * mean_ms);
            self.later(after_ms * 1_000, Event::ActsInRoom);
        }
    }

    /// Somebody does.
    pub(in crate::world) fn acts_in_room(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let who = self.who_converses();
        let anybody: Vec<UserName> = self.people.iter().map(|person| person.name().user.clone()).collect();
        let rng = &mut self.conversing.rooms.rng;
        if let Some((device, own)) = rng.pick(&who).cloned() {
            let others: BTreeSet<UserName> =
                who.into_iter().map(|(_, name)| name.user).filter(|user| *user != own.user).collect();
            let whom = Whom { own: &own.user, others: others.into_iter().collect(), anybody };
            let seen = self.devices.get(device).map(|node| node.store.holding.rooms().clone()).unwrap_or_default();
            let errand = errand(&mut self.conversing.rooms.rng, &whom, &seen);
            let prompt = Prompt::Own(self.errand_command(errand));
            self.later(1, Event::Prompt(device, prompt));
        }
        self.plan_room();
    }

    fn errand_command(&mut self, errand: RoomErrand) -> Command {
        self.conversing.rooms.errands += 1;
        Command::Run(SendId(FIRST_ERRAND.0 + self.conversing.rooms.errands), errand)
    }

    /// A device has taken in all that had come: it comes into the lobby, if there is to be one.
    pub(in crate::world) fn caught_up(&mut self, device: usize) {
        if self.config.lobby > 0 && self.phase < Phase::RollCall {
            let prompt = Prompt::Write(self.errand_command(RoomErrand::Lobby));
            self.later(1, Event::Prompt(device, prompt));
        }
    }

    /// Into which room somebody writes, if not to one person.
    pub(super) fn room_to_write_into(&mut self, device: usize) -> Option<Target> {
        if !self.config.has_rooms() {
            return None;
        }
        let seen = self.devices.get(device).map(|node| node.store.holding.rooms().clone()).unwrap_or_default();
        let rng = &mut self.conversing.rooms.rng;
        let into_one = rng.chance(3, 5);
        let room = called(rng, &seen);
        into_one.then_some(Target::Room(room))
    }

    /// Faults have stopped: into each room writes one of those who see it.
    pub(super) fn probe_rooms(&mut self) {
        let mut rooms: BTreeMap<ConversationId, Vec<usize>> = BTreeMap::new();
        for (device, _) in self.who_converses() {
            let seen = self.devices.get(device).map(|node| node.store.holding.rooms().keys());
            for id in seen.into_iter().flatten() {
                rooms.entry(*id).or_default().push(device);
            }
        }
        for (id, devices) in rooms {
            let device = self.conversing.rooms.rng.pick(&devices).copied();
            if let (Some(device), Ok(number)) = (device, RoomName::parse(&id.to_string())) {
                self.probe_by(device, Target::Room(number));
            }
        }
    }
}

/// Whom somebody has in mind.
struct Whom<'a> {
    own: &'a UserName,
    /// Those others who take part in conversations.
    others: Vec<UserName>,
    /// Everybody, also those who do not.
    anybody: Vec<UserName>,
}

impl Whom<'_> {
    /// Some of the others, now and then somebody who does not take part, or nobody.
    fn some(&self, rng: &mut dyn Chooser) -> BTreeSet<UserName> {
        let mut some: BTreeSet<UserName> = self.others.iter().filter(|_| rng.chance(2, 3)).cloned().collect();
        if rng.chance(1, 10) {
            some.extend(rng.pick(&self.anybody).cloned());
        }
        some
    }

    /// One of the others, now and then oneself.
    fn one(&self, rng: &mut dyn Chooser) -> UserName {
        let (oneself, other) = (rng.chance(1, 8), rng.pick(&self.others).cloned());
        other.filter(|_| !oneself).unwrap_or_else(|| self.own.clone())
    }
}

/// A room that is seen, by its name or its number; now and then, or if there is none, one of any name.
fn called(rng: &mut dyn Chooser, seen: &Seen) -> RoomName {
    let rooms: Vec<(&ConversationId, &RoomName)> = seen.iter().map(|(id, (name, _))| (id, name)).collect();
    let (any, by_number, one) = (rng.chance(1, 12), rng.chance(1, 2), rng.pick(&rooms).copied());
    let name = any_name(rng);
    match one {
        Some((id, _)) if by_number && !any => RoomName::parse(&id.to_string()).unwrap_or(name),
        Some((_, named)) if !any => named.clone(),
        Some(_) | None => name,
    }
}

fn any_name(rng: &mut dyn Chooser) -> RoomName {
    let name = rng.pick(&NAMES).copied().unwrap_or("tea");
    RoomName::parse(name).unwrap_or_else(|_| RoomName::lobby())
}

/// What somebody wishes who sees these rooms.
fn errand(rng: &mut dyn Chooser, whom: &Whom<'_>, seen: &Seen) -> RoomErrand {
    let (what, enough) = (rng.below(20), seen.len() >= ENOUGH);
    match what {
        0..=3 if !enough => create(rng, whom),
        4..=6 => RoomErrand::Enter(if rng.chance(1, 8) { RoomName::lobby() } else { any_name(rng) }),
        7 => RoomErrand::List,
        8 if seen.is_empty() => create(rng, whom),
        _ => {
            let name = called(rng, seen);
            RoomErrand::Change(name, alteration(rng, whom))
        }
    }
}

fn create(rng: &mut dyn Chooser, whom: &Whom<'_>) -> RoomErrand {
    RoomErrand::Create {
        name: any_name(rng),
        topic: topic(rng),
        invites: rng.pick(&RANKS).copied().unwrap_or_default(),
        people: whom.some(rng),
        open: rng.chance(1, 2),
    }
}

/// What a room is about; now and then it is too long a word for it.
fn topic(rng: &mut dyn Chooser) -> String {
    let words = ["", "what we drink", "where to go", "na schön"];
    if rng.chance(1, 20) {
        return "~".repeat(ROOM_TOPIC_BYTES_MAX + 1);
    }
    rng.pick(&words).copied().unwrap_or_default().to_owned()
}

fn alteration(rng: &mut dyn Chooser, whom: &Whom<'_>) -> Alteration {
    match rng.below(16) {
        0..=4 => Alteration::Invite(whom.some(rng)),
        5..=7 => Alteration::Kick(whom.one(rng)),
        8 | 9 => Alteration::Leave,
        10 | 11 => Alteration::Rank(whom.one(rng), rng.pick(&RANKS).copied().unwrap_or_default()),
        12 | 13 => Alteration::Topic(topic(rng)),
        14 => Alteration::Name(any_name(rng)),
        _ => Alteration::Invites(rng.pick(&RANKS).copied().unwrap_or_default()),
    }
}
