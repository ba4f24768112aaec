//! What somebody wants done with a room: begun, or changed by a commit. It is done when the commit is posted; where another
//! was first, it is tried again on what the room is then.
//!
//! ```text
//! Create: gathered -> Found -> Done -> Commit -> posted
//! Change: (gathered ->) Commit -> posted
//! Enter:  the way in -> Enter -> posted                   `entering`
//! ```
//!
//! An errand is not kept: whoever wished for it waits for it, and hears that it was not done when their program ends before.

use std::collections::{BTreeMap, BTreeSet};

use super::committing::Commit;
use super::contract::{Alteration, ConversationEvent, Entry, NotSent, RoomErrand};
use super::entering::Entering;
use super::gathering::{Goal, Progress};
use super::one::Phase;
use super::{Conversations, Turn, Wish};
use crate::id::{AskId, ConversationId, DeviceName, RoomName, SendId, UserName};
use crate::limits::{COMMIT_DEVICES_MAX, ERRANDS_MAX, ROOM_TOPIC_BYTES_MAX};
use crate::mls::group::Change;
use crate::mls::policy::{Deed, Door, Policy, Rank, Room};
use crate::wire::conversations::{ConversationsRequest, Kind, OpenRoom, RosterChange};

/// An errand that is not done.
#[derive(Debug)]
pub(super) struct Waiting {
    send: SendId,
    what: What,
    /// The room, as soon as there is one.
    room: Option<ConversationId>,
    /// Whether a commit that does it is on its way.
    is_committed: bool,
    /// Whether it is to come into the lobby, whoever begins it.
    begins_lobby: bool,
}

#[derive(Clone, Debug)]
enum What {
    Create(Room, BTreeSet<UserName>),
    Change(RoomName, Alteration),
    Enter(Entering),
    /// Which rooms are open, from this name on.
    List(Option<RoomName>),
}

/// What it takes to do it.
struct Plan {
    deed: Deed,
    /// Who comes in.
    people: BTreeSet<UserName>,
}

impl Waiting {
    /// The relay is lost.
    pub(super) fn offline(&mut self) {
        if let What::Enter(entering) = &mut self.what {
            entering.begin_anew();
        }
    }

    /// The way into a room, if it is that, and no commit is on its way.
    pub(super) fn entering(&mut self) -> Option<&mut Entering> {
        match &mut self.what {
            What::Enter(entering) if !self.is_committed => Some(entering),
            What::Enter(_) | What::Create(..) | What::Change(..) | What::List(_) => None,
        }
    }

    /// The same, to look at.
    pub(super) fn is_entering(&self) -> Option<&Entering> {
        match &self.what {
            What::Enter(entering) if !self.is_committed => Some(entering),
            What::Enter(_) | What::Create(..) | What::Change(..) | What::List(_) => None,
        }
    }

    /// The commit by which it comes in is on its way.
    pub(super) fn enters(&mut self, id: ConversationId) {
        self.room = Some(id);
        self.is_committed = true;
        if let What::Enter(entering) = &mut self.what {
            entering.begin_anew();
        }
    }

    /// There is no such room: it is begun.
    pub(super) fn becomes_founding(&mut self, room: Room) {
        self.what = What::Create(room, BTreeSet::new());
    }

    /// Somebody else was first to begin the lobby: it is there to be entered. Whether it was that.
    pub(super) fn becomes_entering(&mut self) -> bool {
        let is_lobby = matches!(&self.what, What::Create(room, _) if room.is_open() && room.name.is_lobby());
        if is_lobby && self.begins_lobby {
            self.what = What::Enter(Entering::lobby());
            self.room = None;
        }
        is_lobby && self.begins_lobby
    }
}

impl Conversations {
    /// The user wants something done with a room.
    pub(in crate::device) fn run(&mut self, send: SendId, errand: RoomErrand, turn: &mut Turn<'_>) {
        match self.waiting(send, errand) {
            Ok(waiting) => {
                let number = self.errands.last_key_value().map_or(0, |(number, _)| number + 1);
                self.errands.insert(number, waiting);
            }
            Err(why) => self.batch.then().events.push(ConversationEvent::NotSent(send, why)),
        }
        self.work(turn);
    }

    fn waiting(&self, send: SendId, errand: RoomErrand) -> Result<Waiting, NotSent> {
        if self.member.is_none() {
            return Err(NotSent::Key);
        }
        if self.errands.len() >= ERRANDS_MAX {
            return Err(NotSent::Full);
        }
        let fits = |topic: &String| if topic.len() > ROOM_TOPIC_BYTES_MAX { Err(NotSent::Topic) } else { Ok(()) };
        let begins_lobby = errand == RoomErrand::Lobby;
        let what = match errand {
            RoomErrand::Create { name, topic, invites, mut people, open } => {
                fits(&topic)?;
                people.remove(&self.own.user);
                let ranks = BTreeMap::from([(self.own.user.clone(), Rank::Owner)]);
                let leaving = BTreeSet::new();
                let door = if open { Door::Open { barred: BTreeSet::new() } } else { Door::Closed };
                What::Create(Room { name, topic, ranks, invites, leaving, door }, people)
            }
            RoomErrand::Enter(name) => What::Enter(Entering::new(name)),
            RoomErrand::List => What::List(None),
            RoomErrand::Lobby if self.knows_lobby() => return Err(NotSent::Unchanged),
            RoomErrand::Lobby => What::Enter(Entering::lobby()),
            RoomErrand::Change(name, alteration) => {
                if let Alteration::Topic(topic) = &alteration {
                    fits(topic)?;
                }
                What::Change(name, alteration)
            }
        };
        Ok(Waiting { send, what, room: None, is_committed: false, begins_lobby })
    }

    /// Goes one step on with what is wished of rooms; whether there was one to go.
    pub(super) fn errand_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let numbers: Vec<u64> =
            self.errands.iter().filter(|(_, waiting)| !waiting.is_committed).map(|(number, _)| *number).collect();
        numbers.into_iter().any(|number| self.errand_step(number, turn))
    }

    fn errand_step(&mut self, number: u64, turn: &mut Turn<'_>) -> bool {
        let Some(Waiting { what, room, .. }) = self.errands.get(&number) else { return false };
        match (what.clone(), *room) {
            (What::Enter(entering), _) => self.enter_step(number, &entering, turn),
            (What::List(after), _) => self.ask_rooms(number, after),
            (What::Create(room, people), id) => self.create(number, id, room, people, turn),
            (What::Change(_, alteration), Some(id)) => self.alter(number, id, &alteration, turn),
            (What::Change(name, _), None) => {
                match self.room_named(&name) {
                    Err(why) => self.fail(number, why),
                    Ok(id) => {
                        if let Some(waiting) = self.errands.get_mut(&number) {
                            waiting.room = Some(id);
                        }
                    }
                }
                true
            }
        }
    }

    fn create(
        &mut self,
        number: u64,
        id: Option<ConversationId>,
        room: Room,
        people: BTreeSet<UserName>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let goal = Goal::Errand(number);
        if !self.gatherings.contains_key(&goal) {
            let all = people.into_iter().chain([self.own.user.clone()]).collect();
            self.gather(goal, all, None);
            return true;
        }
        match self.gather_next(&goal) {
            Progress::Waits => return false,
            Progress::Moved => return true,
            Progress::Whole => {}
        }
        if let Err(why) = self.all_can_come(&goal, &people) {
            self.cannot(&goal, why);
            return true;
        }
        match id.filter(|id| self.all.contains_key(id)) {
            None => {
                let id = self.found(&goal, kind_of(&room), &Policy::Room(room), turn);
                if let Some(waiting) = self.errands.get_mut(&number) {
                    waiting.room = id;
                }
                true
            }
            Some(id) if self.is_founding(id) => false,
            Some(id) if self.founded.contains(&id) => self.do_errand(number, id, Deed::default(), turn),
            Some(id) => {
                self.ask_found(id, kind_of(&room), goal);
                true
            }
        }
    }

    fn alter(&mut self, number: u64, id: ConversationId, alteration: &Alteration, turn: &mut Turn<'_>) -> bool {
        let Some(one) = self.all.get(&id).filter(|one| one.known.phase == Phase::In) else {
            self.fail(number, NotSent::NoRoom);
            return true;
        };
        // Nobody comes in before those are out whom nobody may write to.
        let Some(room) = one.room.as_ref().filter(|_| one.known.pending.is_none() && !self.is_held(&id)) else {
            return false;
        };
        let members: BTreeSet<DeviceName> = one.certificates.keys().cloned().collect();
        let plan = match plan(alteration, &self.own, room, members) {
            Ok(plan) if Policy::Room(room.clone()).allows(&self.own, &plan.deed) => plan,
            Ok(_) => {
                self.fail(number, NotSent::NotAllowed);
                return true;
            }
            Err(why) => {
                self.fail(number, why);
                return true;
            }
        };
        if plan.people.is_empty() {
            return self.do_errand(number, id, plan.deed, turn);
        }
        let goal = Goal::Errand(number);
        if !self.gatherings.contains_key(&goal) {
            self.gather(goal, plan.people, None);
            return true;
        }
        match self.gather_next(&goal) {
            Progress::Waits => return false,
            Progress::Moved => return true,
            Progress::Whole => {}
        }
        if let Err(why) = self.all_can_come(&goal, &plan.people) {
            self.cannot(&goal, why);
            return true;
        }
        self.do_errand(number, id, plan.deed, turn)
    }

    /// Whether of each of them a device can be added.
    fn all_can_come(&self, goal: &Goal, people: &BTreeSet<UserName>) -> Result<(), NotSent> {
        let Some(gathering) = self.gatherings.get(goal) else { return Ok(()) };
        let why = if gathering.changed { NotSent::Changed } else { NotSent::Nobody };
        match people.iter().find(|user| !gathering.has(user)) {
            Some(user) => Err(NotSent::Of(user.clone(), Box::new(why))),
            None => Ok(()),
        }
    }

    /// Commits what the errand takes, with those who were gathered.
    fn do_errand(&mut self, number: u64, id: ConversationId, deed: Deed, turn: &mut Turn<'_>) -> bool {
        let goal = Goal::Errand(number);
        let packages = self.gatherings.get(&goal).map(|gathering| gathering.packages().clone()).unwrap_or_default();
        let is_in = |device: &DeviceName| self.all.get(&id).is_some_and(|one| one.certificates.contains_key(device));
        let packages = packages.into_iter().filter(|(device, _)| !is_in(device)).take(COMMIT_DEVICES_MAX);
        let (devices, packages): (Vec<DeviceName>, Vec<Vec<u8>>) = packages.unzip();
        let remove: Vec<DeviceName> = deed.removes.into_iter().map(|(device, _)| device).collect();
        let roster = RosterChange { add: devices, remove: remove.clone() };
        let change = Change { add: packages, remove, becomes: deed.becomes, ..Change::default() };
        match self.commit(id, &change, roster, turn) {
            Commit::Waits => return false,
            Commit::Sent => {
                self.gatherings.remove(&goal);
                if let Some(waiting) = self.errands.get_mut(&number) {
                    waiting.is_committed = true;
                }
            }
            Commit::Failed => self.cannot(&goal, NotSent::Nobody),
        }
        true
    }

    /// This device's commit is posted: what was wished by it is done.
    pub(super) fn errands_done(&mut self, id: ConversationId, entry: Option<&Entry>) {
        for number in self.errands_committed(id) {
            let Some(waiting) = self.errands.remove(&number) else { continue };
            self.batch.then().events.extend(entry.map(|entry| ConversationEvent::Sent(waiting.send, entry.clone())));
        }
    }

    /// A commit of this device was not the first: what was wished by it is tried again.
    pub(super) fn errands_again(&mut self, id: ConversationId) {
        for number in self.errands_committed(id) {
            if let Some(waiting) = self.errands.get_mut(&number) {
                waiting.is_committed = false;
            }
        }
    }

    /// A commit of this device is not taken, and would not be the next time.
    pub(super) fn errands_refused(&mut self, id: ConversationId, why: &NotSent) {
        for number in self.errands_committed(id) {
            self.fail(number, why.clone());
        }
    }

    fn ask_rooms(&mut self, number: u64, after: Option<RoomName>) -> bool {
        let is_asked = self.asks.has(|wish| matches!(wish, Wish::Rooms(asked) if *asked == number));
        if !is_asked {
            self.request(Wish::Rooms(number), |ask| ConversationsRequest::Rooms { ask, after });
        }
        !is_asked
    }

    /// The relay says which rooms are open.
    pub(super) fn rooms_are(&mut self, ask: AskId, rooms: Vec<OpenRoom>, more: bool) {
        let Some(Wish::Rooms(number)) = self.asks.take(ask) else { return };
        let Some(waiting) = self.errands.get_mut(&number) else { return };
        let next = rooms.last().map(|room| room.name.clone()).filter(|_| more);
        let event = ConversationEvent::OpenRooms(waiting.send, rooms, next.is_some());
        if next.is_some() {
            waiting.what = What::List(next);
        } else {
            self.errands.remove(&number);
        }
        self.batch.then().events.push(event);
    }

    fn errands_committed(&self, id: ConversationId) -> Vec<u64> {
        let committed = self.errands.iter().filter(|(_, waiting)| waiting.room == Some(id) && waiting.is_committed);
        committed.map(|(number, _)| *number).collect()
    }

    /// Nobody waits for it any more: what is not on its way is not done.
    pub(super) fn errand_called_off(&mut self, send: SendId) {
        let is_it = |(_, waiting): &(&u64, &Waiting)| waiting.send == send && !waiting.is_committed;
        if let Some(number) = self.errands.iter().find(is_it).map(|(number, _)| *number) {
            self.drop_errand(number);
        }
    }

    /// What was wished is not done, and will not be.
    pub(super) fn fail(&mut self, number: u64, why: NotSent) {
        if let Some(send) = self.drop_errand(number) {
            self.batch.then().events.push(ConversationEvent::NotSent(send, why));
        }
    }

    fn drop_errand(&mut self, number: u64) -> Option<SendId> {
        self.gatherings.remove(&Goal::Errand(number));
        let waiting = self.errands.remove(&number)?;
        match (&waiting.what, waiting.room) {
            (What::Create(..), Some(id)) => self.forget(id),
            (What::Enter(_), Some(id)) => self.stay_outside(id),
            (What::Create(..) | What::Enter(_) | What::Change(..) | What::List(_), _) => {}
        }
        Some(waiting.send)
    }
}

/// What a room is to the relay.
fn kind_of(room: &Room) -> Kind {
    if room.is_open() { Kind::Open(room.name.clone()) } else { Kind::Room }
}

/// What it takes to alter a room in which these are.
fn plan(
    alteration: &Alteration,
    own: &DeviceName,
    room: &Room,
    members: BTreeSet<DeviceName>,
) -> Result<Plan, NotSent> {
    let is_in = |user: &UserName| members.iter().any(|device| device.user == *user);
    let mut next = room.clone();
    let (mut people, mut adds, mut removes) = (BTreeSet::new(), Vec::new(), Vec::new());
    match alteration {
        Alteration::Invite(users) => {
            people = users.iter().filter(|user| !is_in(user)).cloned().collect();
            // Which devices they have is not known yet, and the room asks for the person alone.
            let some = |user: &UserName| DeviceName { user: user.clone(), device: own.device.clone() };
            adds = people.iter().map(some).collect();
            if let Door::Open { barred } = &mut next.door {
                barred.retain(|user| !people.contains(user));
            }
            if adds.is_empty() {
                return Err(NotSent::Unchanged);
            }
        }
        Alteration::Kick(user) if !is_in(user) => return Err(NotSent::NotThere),
        Alteration::Kick(user) if *user == own.user => return Err(NotSent::NotAllowed),
        Alteration::Kick(user) => {
            next.ranks.remove(user);
            if let Door::Open { barred } = &mut next.door {
                barred.insert(user.clone());
            }
            removes =
                members.iter().filter(|device| device.user == *user).map(|device| (device.clone(), false)).collect();
        }
        Alteration::Leave => {
            next.ranks.remove(&own.user);
            next.leaving.insert(own.user.clone());
        }
        Alteration::Rank(user, _) if !is_in(user) => return Err(NotSent::NotThere),
        Alteration::Rank(user, Rank::Member) => drop(next.ranks.remove(user)),
        Alteration::Rank(user, rank) => drop(next.ranks.insert(user.clone(), *rank)),
        Alteration::Topic(topic) => next.topic.clone_from(topic),
        Alteration::Name(_) if room.is_open() => return Err(NotSent::NameStays),
        Alteration::Name(name) => next.name = name.clone(),
        Alteration::Invites(rank) => next.invites = *rank,
    }
    let becomes = (next != *room).then_some(Policy::Room(next));
    if becomes.is_none() && adds.is_empty() && removes.is_empty() {
        return Err(NotSent::Unchanged);
    }
    Ok(Plan { deed: Deed { members, adds, removes, becomes }, people })
}
