//! A device's conversations: what it writes, what is posted for it, and who is in them (design 6, protocol §9).
//!
//! ```text
//!  send -> Waiting -> sealed -+                               +-> entries for people
//!                             +-> Keep -> (kept) -> the relay |
//!  posted -> opened, in order +-------------------> acknowledged
//! ```
//!
//! | room | decides |
//! | --- | --- |
//! | [`contract`] | what people hear, and what the shell keeps |
//! | `taking` | what comes of what is posted |
//! | `changing` | what comes of a commit that is posted |
//! | `joining` | how this device comes in |
//! | `outgoing` | what becomes of a message until it is posted |
//! | `gathering` | what it takes to add somebody |
//! | `founding` | how a conversation of two people begins |
//! | `adding` | how further devices of theirs come in |
//! | `errands` | what somebody wants done with a room |
//! | `entering` | how this device comes into an open room by itself, and lets others in |
//! | `rooms` | what a room is to people |
//! | `committing` | what becomes of a commit until it is posted |
//! | `refresh` | when this device gives itself new keys, and removes who was revoked |
//! | `awaiting` | whether others have what was posted |
//! | `asking` | what it waits for from the relay |
//! | `judging` | whom it believes |
//! | `packages` | its key packages |
//! | `chain` | whether others have seen the same |
//! | `content` | what a message says inside of its seal |
//! | [`saying`] | what can be said |
//! | `one` | one conversation |
//! | `batch` | what has to be durable before anything comes of it |
//! | `restoring` | what it was, from what was kept |
//!
//! What is posted is taken in one after the other; while somebody has to be judged first, the rest waits. Nothing is said before all
//! that was posted meanwhile is taken in: so nobody writes to somebody who has left, or by keys that are over.

mod adding;
mod asking;
mod awaiting;
mod batch;
mod chain;
mod changing;
mod committing;
mod content;
pub mod contract;
mod entering;
mod errands;
mod founding;
mod gathering;
mod joining;
mod judging;
mod one;
mod outgoing;
mod packages;
mod refresh;
mod restoring;
mod rooms;
pub mod saying;
mod taking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::CryptoRng;

use super::{Acquaintances, Identity, Wake};
use crate::fault::Fault;
use crate::id::{AskId, ConversationId, DeviceName, Fingerprint, KeepId, SendId, UserName};
use crate::limits::{CONVERSATIONS_RETRY, POSTED_WAITING_BYTES_MAX};
use crate::mls::beliefs::Beliefs;
use crate::mls::member::Member;
use crate::time::{Deadlines, Instant, Now, Wall};
use crate::tlog::Founder;
use crate::wire::Code;
use crate::wire::conversations::{ConversationsEvent, ConversationsRequest, Posted, What};
use crate::wire::relay::RelayRequest;

pub use crate::mls::policy::Rank;
pub use contract::{
    Alteration, ConversationEvent, Entry, Keep, NotSent, Order, RoomChange, RoomErrand, RoomView, Row, Said, Seated,
    Target, Unreadable,
};
pub use restoring::Rows;
pub use saying::Saying;

use asking::{Asks, Wish};
use batch::{Batch, Then};
use entering::WayIn;
use errands::Waiting;
use gathering::{Gathering, Goal};
use one::Conversation;
use outgoing::Outgoing;
use packages::Package;
use taking::Taken;

/// What the room is lent for the time of one call.
pub(super) struct Turn<'a> {
    pub identity: &'a Identity,
    /// Whom this device has met.
    pub met: &'a mut Acquaintances,
    pub now: Now,
    pub rng: &'a mut dyn CryptoRng,
}

/// How what is posted comes to this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// There is no relay.
    Offline,
    /// What was posted while this device was away comes.
    Behind,
    /// More was posted than waits at one time: the rest is asked for again.
    Overflown,
    /// It was, and what was on its way still comes: what counts begins with the relay's word about key packages.
    Restarting,
    /// All of it has come.
    CaughtUp,
    /// All of it was taken in, too, and the user was told.
    TakenIn,
}

impl Stream {
    fn is_caught_up(self) -> bool {
        matches!(self, Self::CaughtUp | Self::TakenIn)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Conversations {
    own: DeviceName,
    /// Nothing where the device's key is of a kind that takes no part.
    member: Option<Member>,
    own_certificate: Option<Fingerprint>,
    own_end: Wall,
    beliefs: Beliefs,
    founders: BTreeMap<Fingerprint, Founder>,
    all: BTreeMap<ConversationId, Conversation>,
    outgoing: BTreeMap<u64, Outgoing>,
    packages: BTreeMap<Vec<u8>, Package>,
    /// How many of them lie at the relay, and the last second of the one of last resort, as it said on this connection.
    left: Option<(u32, Option<Wall>)>,
    gatherings: BTreeMap<Goal, Gathering>,
    /// What is wished of rooms, and not done.
    errands: BTreeMap<u64, Waiting>,
    /// What is to be delivered, and where it stands.
    awaited: BTreeMap<SendId, (ConversationId, u64)>,
    /// Those that the relay has begun on this connection.
    founded: BTreeSet<ConversationId>,
    /// With whom there is one to which this device has no Welcome yet.
    existing: BTreeSet<UserName>,
    /// Where somebody is to be removed, and when this device does it.
    removals: BTreeMap<ConversationId, Instant>,
    /// Open rooms for which the relay wants what it takes to come in.
    wanted_infos: BTreeSet<ConversationId>,
    /// What was posted and not taken in.
    inbox: VecDeque<Posted>,
    /// How many certificates are being judged.
    judging: usize,
    asks: Asks,
    stream: Stream,
    batch: Batch,
    requests: VecDeque<RelayRequest>,
    fetches: VecDeque<UserName>,
    events: VecDeque<ConversationEvent>,
    keeps: VecDeque<(KeepId, Keep)>,
    deadlines: Deadlines<Wake>,
    fault: Option<Fault>,
}

impl Conversations {
    /// The relay is there.
    pub(super) fn online(&mut self, turn: &mut Turn<'_>) {
        self.stream = Stream::Behind;
        self.begin(turn);
        self.beliefs.doubt_refusals();
        self.lists_changed(turn);
        self.forget_packages(turn.now.wall);
        if self.member.is_some() {
            self.requests.push_back(RelayRequest::Conversations(ConversationsRequest::Collect));
        }
        self.work(turn);
    }

    /// The relay is lost. What it had not answered is asked again of the next.
    pub(super) fn offline(&mut self) {
        self.stream = Stream::Offline;
        self.left = None;
        self.judging = 0;
        self.asks.clear();
        self.inbox.clear();
        self.requests.clear();
        self.fetches.clear();
        self.gatherings.clear();
        self.founded.clear();
        self.existing.clear();
        self.wanted_infos.clear();
        self.errands.values_mut().for_each(Waiting::offline);
        self.batch.offline();
        self.outgoing.values_mut().for_each(Outgoing::offline);
        self.deadlines.clear(Wake::Conversations);
    }

    /// The revocation lists are others.
    pub(super) fn lists_changed(&mut self, turn: &mut Turn<'_>) {
        self.beliefs.set_lists(turn.identity.lists.clone());
        self.sweep(turn.now);
    }

    /// The relay says something about conversations. A fault is its doing.
    pub(super) fn heard(&mut self, event: ConversationsEvent, turn: &mut Turn<'_>) -> Result<(), Fault> {
        match event {
            ConversationsEvent::Done { ask } => match self.asks.take(ask) {
                Some(Wish::Found(id, _)) => drop(self.founded.insert(id)),
                Some(Wish::Delivery(send)) => self.delivered(send),
                Some(_) | None => {}
            },
            ConversationsEvent::KeyPackages { left, last_resort } => {
                self.asks.settle(|wish| matches!(wish, Wish::Publish));
                self.left = Some((left, last_resort));
                if self.stream == Stream::Restarting {
                    self.stream = Stream::Behind;
                }
                self.packages_left(turn);
            }
            ConversationsEvent::Package { ask, device, package, more } => {
                if let Some(Wish::Take(goal)) = self.asks.get(ask) {
                    let goal = goal.clone();
                    if !more {
                        self.asks.take(ask);
                    }
                    self.package(&goal, device, package, more);
                }
            }
            ConversationsEvent::Posted(posted) => self.posted(posted),
            ConversationsEvent::Lacking { conversation, devices } => self.lacking(conversation, devices),
            ConversationsEvent::Rooms { ask, rooms, more } => self.rooms_are(ask, rooms, more),
            ConversationsEvent::GroupInfo { ask, conversation, epoch, roster, info } => {
                if let Some(Wish::WayIn(number)) = self.asks.take(ask) {
                    self.way_in_is(number, WayIn { conversation, epoch, roster, info });
                }
            }
            ConversationsEvent::GroupInfoWanted { conversation } => {
                self.wanted_infos.extend(self.all.contains_key(&conversation).then_some(conversation));
            }
            ConversationsEvent::CaughtUp if self.stream == Stream::Behind => {
                self.stream = Stream::CaughtUp;
                // One that stands in what was posted and is not taken in yet the relay refuses.
                self.send_all_pending();
            }
            ConversationsEvent::CaughtUp => {}
        }
        self.work(turn);
        self.fault.take().map_or(Ok(()), Err)
    }

    /// What waits is bounded: beyond, the relay is asked again for what was not acknowledged.
    fn posted(&mut self, posted: Posted) {
        let waiting: usize = self.inbox.iter().map(size).sum();
        let is_full = waiting + size(&posted) > POSTED_WAITING_BYTES_MAX && !self.inbox.is_empty();
        if self.stream == Stream::Restarting {
            return;
        }
        if is_full || self.stream == Stream::Overflown {
            self.stream = Stream::Overflown;
        } else {
            self.inbox.push_back(posted);
        }
    }

    /// The relay refuses an ask; whether it was one of these.
    pub(super) fn refused(&mut self, ask: AskId, code: Code, turn: &mut Turn<'_>) -> bool {
        if code == Code::BUSY && self.ask_later(ask, turn.now) {
            return true;
        }
        let Some(wish) = self.asks.take(ask) else { return false };
        match wish {
            Wish::Send(id) => self.send_refused(id, code),
            Wish::Commit(id) => self.commit_refused(id, code),
            Wish::Found(id, goal) => self.found_refused(id, &goal, code),
            Wish::Take(goal) => self.cannot(&goal, NotSent::Refused(code)),
            Wish::Proof(judged) => self.unproved(&judged),
            Wish::WayIn(number) => self.way_in_refused(number, code, turn),
            Wish::Rooms(number) => self.fail(number, NotSent::Refused(code)),
            Wish::Delivery(send) => self.undelivered(send, code),
            Wish::Publish | Wish::Info => {}
        }
        self.work(turn);
        true
    }

    /// What was to be kept is durable: what waited for it leaves.
    pub(super) fn kept(&mut self, id: KeepId) {
        let then = self.batch.kept(id);
        self.leave(then);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        while let Some(Wake::Conversations) = self.deadlines.take_due(turn.now.mono) {
            self.ask_again();
        }
        self.work(turn);
    }

    /// Goes on as far as it can without anybody else.
    fn work(&mut self, turn: &mut Turn<'_>) {
        while self.stream != Stream::Offline && self.judging == 0 && self.step(turn) {}
        if self.stream == Stream::CaughtUp && self.inbox.is_empty() {
            self.stream = Stream::TakenIn;
            self.batch.then().events.push(ConversationEvent::CaughtUp);
        }
        let then = self.batch.at_once();
        self.leave(then);
        self.keeps.extend(self.batch.close());
        if !self.deadlines.contains(Wake::Conversations)
            && self.stream.is_caught_up()
            && let Some(at) = self.next_due(turn.now).into_iter().chain(self.next_try()).min()
        {
            self.deadlines.set(Wake::Conversations, at.max(turn.now.mono.plus(CONVERSATIONS_RETRY)));
        }
    }

    /// One step: what was posted comes first, and what this device wants only after all of it.
    fn step(&mut self, turn: &mut Turn<'_>) -> bool {
        if let Some(posted) = self.inbox.pop_front() {
            match self.take_in(&posted, turn) {
                Ok(Taken::Done) => return true,
                Ok(Taken::Waits) => self.inbox.push_front(posted),
                Err(fault) => {
                    self.inbox.clear();
                    self.fault = Some(fault);
                }
            }
            return self.judging == 0 && self.fault.is_none();
        }
        if self.stream == Stream::Overflown {
            self.stream = Stream::Restarting;
            self.requests.push_back(RelayRequest::Conversations(ConversationsRequest::Collect));
            return false;
        }
        self.stream.is_caught_up()
            && (self.refresh_next(turn)
                || self.add_next(turn)
                || self.found_next(turn)
                || self.errand_next(turn)
                || self.name_next()
                || self.send_next(turn)
                || self.await_next()
                || self.let_in_next(turn))
    }

    /// What may leave, leaves.
    fn leave(&mut self, then: Then) {
        let acknowledgements = then.acknowledgements();
        for request in then.requests.into_iter().chain(acknowledgements) {
            self.requests.extend(request.in_frames());
        }
        self.events.extend(then.events);
    }

    /// Whether nothing is on its way, neither out nor to the disk.
    pub(super) fn is_idle(&self) -> bool {
        self.batch.is_idle() && self.keeps.is_empty() && self.events.is_empty()
    }

    /// The epoch of each in which this device is.
    #[cfg(test)]
    pub(super) fn epochs(&self) -> Vec<u64> {
        self.all.values().filter_map(|one| Some(one.group.as_ref()?.epoch())).collect()
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadlines.next()
    }

    /// The next request for the relay.
    pub(super) fn poll_request(&mut self) -> Option<RelayRequest> {
        self.requests.pop_front()
    }

    /// The next person whose certificates are wanted.
    pub(super) fn poll_fetch(&mut self) -> Option<UserName> {
        self.fetches.pop_front()
    }

    /// The next thing to tell the user.
    pub(super) fn poll_event(&mut self) -> Option<ConversationEvent> {
        self.events.pop_front()
    }

    /// What is to be kept next.
    pub(super) fn poll_keep(&mut self) -> Option<(KeepId, Keep)> {
        self.keeps.pop_front()
    }
}

/// What something that was posted takes up while it waits.
fn size(posted: &Posted) -> usize {
    let body = match &posted.what {
        What::Message { body, .. } => body.len(),
        What::Commit { commit, .. } => commit.len(),
        What::Welcome { welcome, .. } => welcome.len(),
        What::OwnMessage { .. } | What::OwnCommit { .. } | What::Expired => 0,
    };
    body + std::mem::size_of::<Posted>()
}

#[cfg(test)]
mod tests;
