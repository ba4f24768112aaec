//! How this device comes into an open room by itself (RFC 9420 §12.4.3.2), and how it lets others in.
//!
//! ```text
//! GroupInfo -> (members judged) -> commit, kept -> Enter -> posted: it is in
//!     | nobody has left one: a little later         | another commit was first: again from the beginning
//! GroupInfoWanted -> PublishGroupInfo
//! ```
//!
//! What a room is it says itself, and its members have agreed on it: one that has another name than it is asked for by, or
//! is not open, is not entered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_bytes::ByteBuf;

use super::chain::Chain;
use super::contract::NotSent;
use super::one::{Conversation, Known, Pending, Phase, id_of};
use super::taking::Taken;
use super::{Conversations, Turn, Wish};
use crate::id::{ConversationId, DeviceName, RoomName};
use crate::limits::{CONVERSATIONS_RETRY, ROOM_ENTRY_TRIES_MAX};
use crate::mls::group::{Group, Tried, Unkept};
use crate::mls::member::Member;
use crate::mls::policy::{Door, Policy, Rank, Room};
use crate::time::Instant;
use crate::wire::Code;
use crate::wire::conversations::{ConversationsRequest, Kind, Posted, RosterChange, What};

/// What the relay gives to whoever would come in.
#[derive(Clone, Debug)]
pub(super) struct WayIn {
    pub conversation: ConversationId,
    pub epoch: u64,
    pub roster: Vec<DeviceName>,
    pub info: ByteBuf,
}

/// How far a device has come on its way into a room.
#[derive(Clone, Debug)]
pub(super) struct Entering {
    name: RoomName,
    /// Whether it is begun where there is none.
    begins: bool,
    /// How often nothing came of it.
    tries: u32,
    /// When it is tried again.
    at: Option<Instant>,
    way: Option<Arc<WayIn>>,
}

impl Entering {
    /// Into a room of this name.
    pub(super) fn new(name: RoomName) -> Self {
        Self { name, begins: false, tries: 0, at: None, way: None }
    }

    /// Into the room for everybody.
    pub(super) fn lobby() -> Self {
        Self { begins: true, ..Self::new(RoomName::lobby()) }
    }

    /// What was given is of no use any more.
    pub(super) fn begin_anew(&mut self) {
        (self.at, self.way) = (None, None);
    }
}

impl Conversations {
    /// Whether this device is in the lobby, or was.
    pub(super) fn knows_lobby(&self) -> bool {
        self.all.values().any(|one| matches!(&one.known.kind, Kind::Open(name) if name.is_lobby()))
    }

    /// Whether this device is on its way into a conversation.
    pub(super) fn is_entering(&self, id: ConversationId) -> bool {
        self.all.get(&id).is_some_and(|one| one.known.phase == Phase::Entering)
    }

    /// Goes one step on into a room; whether there was one to go.
    pub(super) fn enter_step(&mut self, number: u64, entering: &Entering, turn: &mut Turn<'_>) -> bool {
        let kind = Kind::Open(entering.name.clone());
        let known = self.all.iter().find(|(_, one)| one.known.kind == kind).map(|(id, one)| (*id, one.known.phase));
        match known {
            Some((_, Phase::In | Phase::Founding)) => {
                self.fail(number, NotSent::Unchanged);
                return true;
            }
            // An earlier run of the program was on its way.
            Some((id, Phase::Entering)) => {
                self.errands.get_mut(&number).into_iter().for_each(|waiting| waiting.enters(id));
                return true;
            }
            Some((_, Phase::Out | Phase::Broken)) | None => {}
        }
        if entering.at.is_some_and(|at| at > turn.now.mono) || self.asks.has(|wish| is_way_in(wish, number)) {
            return false;
        }
        let Some(way) = &entering.way else {
            let room = entering.name.clone();
            self.request(Wish::WayIn(number), |ask| ConversationsRequest::GroupInfo { ask, room });
            return true;
        };
        self.enter_by(number, &entering.name, way, turn)
    }

    fn enter_by(&mut self, number: u64, name: &RoomName, way: &WayIn, turn: &mut Turn<'_>) -> bool {
        let Some(member) = self.member.clone() else { return false };
        if way.roster.contains(&self.own) {
            // Somebody has added it a moment ago, and its Welcome comes.
            self.try_later(number, NotSent::Refused(Code::NOT_CHANGED), turn);
            return true;
        }
        let is_barred = match Member::policy_in(&way.info) {
            Some(Policy::Room(room)) if room.is_open() && room.name == *name => room.is_barred(&self.own.user),
            Some(_) | None => {
                self.fail(number, NotSent::WayIn);
                return true;
            }
        };
        if is_barred {
            self.fail(number, NotSent::Barred);
            return true;
        }
        match member.enter(&way.info, &self.beliefs, turn.rng) {
            Ok(Tried::Unjudged(unjudged)) => {
                self.judge(&unjudged, turn);
                return false;
            }
            Ok(Tried::Done(unkept)) => self.set_out(number, name, way, unkept, turn),
            // Somebody of theirs leaves it, or has come in by another device a moment ago.
            Err(_) => self.try_later(number, NotSent::WayIn, turn),
        }
        true
    }

    /// The commit is put together: this device is on its way in.
    fn set_out(&mut self, number: u64, name: &RoomName, way: &WayIn, unkept: Unkept<Vec<u8>>, turn: &mut Turn<'_>) {
        let id = way.conversation;
        let (group, _, commit) = self.batch.group(id, unkept);
        let is_it = id_of(&group) == Some(id);
        let voided = way.epoch.checked_add(1).and_then(|next| next.checked_sub(group.epoch()));
        let (true, Some(voided), Ok(authenticator)) = (is_it, voided, group.authenticator()) else {
            self.forget_secrets(id);
            return self.fail(number, NotSent::WayIn);
        };
        let change = RosterChange { add: vec![self.own.clone()], remove: Vec::new() };
        let pending = Pending { epoch: way.epoch, change, commit: ByteBuf::from(commit), welcome: None };
        let known = Known {
            kind: Kind::Open(name.clone()),
            // Of one that it was in before, it has seen so much.
            cursor: self.all.get(&id).map_or(0, |one| one.known.cursor),
            phase: Phase::Entering,
            chain: Chain::begin(&authenticator),
            pending: Some(pending),
            refresh_at: turn.now.wall,
            voided,
        };
        self.all.insert(id, Conversation::new(known, group));
        self.keep_known(id);
        self.errands.get_mut(&number).into_iter().for_each(|waiting| waiting.enters(id));
        self.send_pending(id);
    }

    /// The relay gives what it takes to come in.
    pub(super) fn way_in_is(&mut self, number: u64, way: WayIn) {
        if let Some(entering) = self.errands.get_mut(&number).and_then(|waiting| waiting.entering()) {
            entering.way = Some(Arc::new(way));
        }
    }

    /// The relay does not.
    pub(super) fn way_in_refused(&mut self, number: u64, code: Code, turn: &mut Turn<'_>) {
        let Some(waiting) = self.errands.get_mut(&number) else { return };
        let begins = waiting.entering().is_some_and(|entering| entering.begins);
        match code {
            Code::NO_OPEN_ROOM if begins => {
                let ranks = BTreeMap::from([(self.own.user.clone(), Rank::Owner)]);
                let (name, door) = (RoomName::lobby(), Door::Open { barred: BTreeSet::new() });
                let (topic, leaving) = (String::new(), BTreeSet::new());
                waiting.becomes_founding(Room { name, topic, ranks, invites: Rank::Member, leaving, door });
            }
            // Those who are in were asked for it.
            Code::NO_GROUP_INFO => self.try_later(number, NotSent::Refused(code), turn),
            _ => self.fail(number, NotSent::Refused(code)),
        }
    }

    /// An open room of this name was begun by somebody else.
    pub(super) fn name_taken(&mut self, number: u64) {
        self.gatherings.remove(&super::gathering::Goal::Errand(number));
        let enters = self.errands.get_mut(&number).is_some_and(super::errands::Waiting::becomes_entering);
        if !enters {
            self.fail(number, NotSent::NameTaken);
        }
    }

    /// Nothing came of it this time.
    fn try_later(&mut self, number: u64, why: NotSent, turn: &mut Turn<'_>) {
        let Some(entering) = self.errands.get_mut(&number).and_then(|waiting| waiting.entering()) else { return };
        entering.begin_anew();
        entering.tries += 1;
        entering.at = Some(turn.now.mono.plus(CONVERSATIONS_RETRY));
        if entering.tries >= ROOM_ENTRY_TRIES_MAX {
            self.fail(number, why);
        }
    }

    /// When a way into a room is tried again.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.errands.values().filter_map(|waiting| waiting.is_entering()?.at).min()
    }

    /// Something was posted where this device is on its way in.
    pub(super) fn entered(&mut self, posted: &Posted, turn: &mut Turn<'_>) -> Taken {
        let id = posted.conversation;
        let own = self.all.get_mut(&id).and_then(|one| {
            let is_it = |pending: &mut Pending| posted.what == What::OwnCommit { epoch: pending.epoch };
            one.known.pending.take_if(is_it)
        });
        if own.is_none() {
            // From when it was in before.
            self.advance(posted);
            return Taken::Done;
        }
        self.asks.settle(|wish| matches!(wish, Wish::Commit(entered) if *entered == id));
        // Nobody could come or go between what it was told and its own coming.
        let members = self.all.get(&id).map(|one| one.certificates.keys().cloned().collect::<Vec<DeviceName>>());
        self.is_in(posted, &members.unwrap_or_default(), turn);
        Taken::Done
    }

    /// Another commit was first, or this one is not wanted.
    pub(super) fn enter_refused(&mut self, id: ConversationId, code: Code) {
        // What stands in what was posted is refused, too, when it is sent again: its place says what it was.
        let is_posted = self.inbox.iter().any(|posted| posted.conversation == id);
        if code == Code::NOT_COLLECTING || code == Code::EPOCH_OVER && is_posted {
            return;
        }
        self.stay_outside(id);
        if code == Code::EPOCH_OVER {
            self.errands_again(id);
        } else {
            self.errands_refused(id, &NotSent::Refused(code));
        }
    }

    /// Nothing comes of the way in.
    pub(super) fn stay_outside(&mut self, id: ConversationId) {
        let Some(one) = self.all.get_mut(&id).filter(|one| one.known.phase == Phase::Entering) else { return };
        if one.known.cursor == 0 {
            return self.forget(id);
        }
        one.leave(Phase::Out);
        self.forget_secrets(id);
        self.keep_known(id);
    }

    /// Leaves what the relay wants for those who would come in; whether there was something to leave.
    pub(super) fn let_in_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(id) = self.wanted_infos.pop_first() else { return false };
        let is_held = self.is_held(&id);
        let one = self.all.get(&id).filter(|one| one.room.as_ref().is_some_and(Room::is_open) && !is_held);
        // After a commit of this device it is wanted anew.
        let Some((group, epoch)) = one.and_then(|one| Some((one.open()?, one.epoch()?))) else { return true };
        if let Ok(info) = Group::group_info(group, turn.rng) {
            let info = ByteBuf::from(info);
            self.request(Wish::Info, |ask| ConversationsRequest::PublishGroupInfo {
                ask,
                conversation: id,
                epoch,
                info,
            });
        }
        true
    }
}

fn is_way_in(wish: &Wish, number: u64) -> bool {
    matches!(wish, Wish::WayIn(asked) if *asked == number)
}
