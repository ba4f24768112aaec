//! MLS's delivery service (RFC 9750 §5): key packages, commits and messages in one order, and what each device has not
//! acknowledged (protocol §9). It looks into none of it.
//!
//! ```text
//! Publish, Take, Found, Commit, Send --refused by the state as it is--> Refused
//!            | Append --durable--> fold decides --> Refused, KeyPackages, Package .., Done
//!            |                        | posted: encoded once, to everybody whose stream is level; the others come to it
//! Collect -> stream: what is not acknowledged, in the order of the journal -> CaughtUp -> what is posted
//! Acknowledge -> remembered, a second later Append(Acknowledged ..) --fold--> bodies that nobody needs are dropped
//! ```
//!
//! | promise | by whom |
//! | --- | --- |
//! | nothing is answered before it is durable | `delivery.rs` answers in [`Delivery::appended`] alone |
//! | one connection of a device takes what is posted for it, the newest; the one before is parted with | `delivery.rs` |
//! | what is posted comes in the order of the journal, each once on a connection, and no piece between another's | `line.rs`, `streams.rs` |
//! | a reader that is slow holds nobody up, and costs no more than a bound | `line.rs` |
//! | a body is read for one device at a time, and not at all for who is level | `streams.rs`, `recent.rs` |
//! | long messages have a bound, each and together | `pieces.rs` |
//! | whoever has posted something hears when others have it | `delivered.rs` |
//! | devices come into open rooms by themselves | `open.rs` |
//! | what the journal has no time for waits, in its order, up to a bound | `waiting.rs` |
//! | a conversation hears which devices of its people it lacks | `lacking.rs` |
//! | what is kept for too long goes, and whoever comes for it is told | `expiry.rs` |
//!
//! A connection that collects is parted with, code REPLACED, when a newer one of the same device does, as with attendance: it
//! could not know otherwise that nothing comes any more. An older one that asks late is parted with itself.

mod acks;
mod delivered;
mod events;
mod expiry;
mod lacking;
mod line;
mod open;
mod packages;
mod pieces;
mod recent;
mod streams;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::effect::{Effect, Effects, Note, Room};
use crate::fault::Fault;
use crate::id::{AppendId, AskId, ConnId, ConversationId, DeviceName, LoadId, MessageId};
use crate::journal::conversations::What;
use crate::journal::fold::conversations::{may_commit, may_found, may_post};
use crate::journal::{ConversationRefusal, Conversed, Outcome, Record, State};
use crate::limits::{APPENDS_PENDING_MAX, KEY_PACKAGES_TAKEN_MAX, KEY_PACKAGES_TAKEN_SPAN, LONG_TOTAL_BYTES_MAX};
use crate::relay::Admitted;
use crate::relay::rate::Rate;
use crate::server::Wake;
use crate::time::{Instant, Now};
use crate::wire::conversations::{ConversationsEvent, ConversationsRequest, RosterChange};
use crate::wire::frame::decode;
use crate::wire::relay::RelayEvent;
use crate::wire::{Code, Frame};

use acks::Acks;
use delivered::Awaited;
use line::Line;
use packages::Publishing;
use pieces::{PieceRefusal, Pieces};
use recent::Recent;
use waiting::Waiting;

/// What the delivery service is lent for the time of one call.
pub struct Round<'a> {
    /// The folded journal.
    pub state: &'a State,
    /// Both clocks.
    pub now: Now,
    /// Where effects go.
    pub out: &'a mut Effects,
}

/// The delivery service.
#[derive(Debug)]
pub struct Delivery {
    lines: BTreeMap<ConnId, Box<Line>>,
    /// On which connection each device takes what is posted for it.
    streams: BTreeMap<DeviceName, ConnId>,
    pieces: Pieces,
    waiting: Waiting,
    asked: BTreeMap<AppendId, Asked>,
    /// The bodies on their way to the journal, all together.
    pending_bytes: usize,
    loading: BTreeMap<LoadId, ConnId>,
    recent: Recent,
    acks: Acks,
    awaited: Awaited,
    takes: Rate<DeviceName>,
    /// Whether there may be a room for everybody.
    lobby: bool,
    /// When it is looked next for what was kept for too long.
    looks_at: Option<Instant>,
}

/// What an append was for.
#[derive(Debug)]
enum Asked {
    /// Key packages.
    Publish(Publishing),
    Take(ConnId, AskId, Vec<DeviceName>),
    Found(ConnId, AskId),
    /// A commit or a message, with its body.
    Post(ConnId, AskId, Arc<[u8]>),
    /// What it takes to come into a room.
    Info(ConnId, AskId),
    /// So many conversations in which something was kept for too long.
    Expire(usize),
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            streams: BTreeMap::new(),
            pieces: Pieces::default(),
            waiting: Waiting::default(),
            asked: BTreeMap::new(),
            pending_bytes: 0,
            loading: BTreeMap::new(),
            recent: Recent::default(),
            acks: Acks::default(),
            awaited: Awaited::default(),
            takes: Rate::new(KEY_PACKAGES_TAKEN_MAX, KEY_PACKAGES_TAKEN_SPAN),
            lobby: true,
            looks_at: None,
        }
    }
}

impl Delivery {
    /// Takes a piece of a long request; the last one makes it whole.
    pub fn piece(&mut self, from: &Admitted, bytes: &[u8], last: bool, round: &mut Round<'_>) -> Result<(), Fault> {
        match self.pieces.take(from.conn(), bytes, last) {
            Ok(None) => Ok(()),
            Ok(Some(whole)) => {
                let request: ConversationsRequest = decode(&whole)?;
                request.check()?;
                self.request(from, request, round);
                Ok(())
            }
            Err(PieceRefusal::TooLong) => Err(Fault::Malformed),
            Err(PieceRefusal::Busy) => {
                round.out.push(Effect::Part(from.conn(), Code::BUSY));
                Ok(())
            }
        }
    }

    /// A device asks something, which was held against the bounds of its kind ([`ConversationsRequest::check`]).
    pub fn request(&mut self, from: &Admitted, request: ConversationsRequest, round: &mut Round<'_>) {
        match request {
            ConversationsRequest::Collect => self.collect(from, round),
            ConversationsRequest::Acknowledge { upto } => {
                self.acks.note(from.device(), &upto, round.state, round.now.mono);
                for (id, _) in &upto {
                    self.say_what_is_delivered(*id, round.state, round.out);
                }
            }
            ConversationsRequest::Await { ask, conversation, place } => {
                if let Err(code) = self.wait_for_delivery(from, ask, conversation, place, round) {
                    refuse(from.conn(), ask, code, round.out);
                }
            }
            ConversationsRequest::Rooms { ask, after } => open::say_rooms(from, ask, after.as_ref(), round),
            ConversationsRequest::GroupInfo { ask, room } => {
                if let Err(code) = self.ask_way_in(from, ask, &room, round) {
                    refuse(from.conn(), ask, code, round.out);
                }
            }
            request @ (ConversationsRequest::Publish { .. }
            | ConversationsRequest::Take { .. }
            | ConversationsRequest::Found { .. }
            | ConversationsRequest::Commit { .. }
            | ConversationsRequest::Send { .. }
            | ConversationsRequest::PublishGroupInfo { .. }
            | ConversationsRequest::Enter { .. }) => {
                if self.must_wait() {
                    self.wait(from, request, round);
                } else {
                    self.write(from, request, round);
                }
            }
        }
    }

    /// Has written down what a device asks for, or refuses it.
    fn write(&mut self, from: &Admitted, request: ConversationsRequest, round: &mut Round<'_>) {
        let by = from.device();
        let (ask, done) = match request {
            ConversationsRequest::Collect
            | ConversationsRequest::Acknowledge { .. }
            | ConversationsRequest::Rooms { .. }
            | ConversationsRequest::GroupInfo { .. }
            | ConversationsRequest::Await { .. } => return,
            ConversationsRequest::Publish { ask, last_resort, packages, not_after } => {
                (ask, self.publish(from, ask, (last_resort, packages), not_after, round))
            }
            ConversationsRequest::Take { ask, of } => (ask, self.take(from, ask, of, round)),
            ConversationsRequest::Found { ask, conversation, kind } => {
                let at = round.now.wall;
                let may = may_found(round.state, conversation, &kind, by).map_err(ConversationRefusal::code);
                let may = self.is_wanted(&kind).and(may);
                let record = Record::ConversationFounded { conversation, kind, by: by.clone(), at };
                let asked = Asked::Found(from.conn(), ask);
                (ask, may.and_then(|_| self.propose(vec![(record, None)], asked, round.out)))
            }
            ConversationsRequest::Commit { ask, conversation, epoch, change, commit, welcome } => {
                let commit = events::Sealed { change, commit, welcome: welcome.map(|welcome| (Vec::new(), welcome)) };
                (ask, self.commit(from, ask, (conversation, epoch), commit, round))
            }
            ConversationsRequest::Send { ask, conversation, epoch, id, body } => {
                (ask, self.send(from, ask, (conversation, epoch, id), &body, round))
            }
            ConversationsRequest::PublishGroupInfo { ask, conversation, epoch, info } => {
                (ask, self.publish_info(from, ask, (conversation, epoch), &info, round))
            }
            ConversationsRequest::Enter { ask, conversation, epoch, commit } => {
                (ask, self.enter(from, ask, (conversation, epoch), commit, round))
            }
        };
        if let Err(code) = done {
            refuse(from.conn(), ask, code, round.out);
        }
    }

    fn commit(
        &mut self,
        from: &Admitted,
        ask: AskId,
        (conversation, epoch): (ConversationId, u64),
        mut commit: events::Sealed,
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        self.is_collecting(from)?;
        let (by, at, change) = (from.device().clone(), round.now.wall, commit.change.clone());
        if let (Some((roster, _)), Some(known)) = (&mut commit.welcome, round.state.conversations().get(conversation)) {
            // It is of this epoch, or refused: nobody else can come or go before it.
            *roster = roster_after(known.roster(), &change);
        }
        let body: Arc<[u8]> = commit.encode().into();
        let bytes = length(&body)?;
        may_commit(round.state, conversation, &by, epoch, &change, bytes).map_err(ConversationRefusal::code)?;
        let record = Record::ConversationCommitted { conversation, by, epoch, change, bytes, at };
        self.post(from.conn(), ask, record, body, round.out)
    }

    fn send(
        &mut self,
        from: &Admitted,
        ask: AskId,
        (conversation, epoch, id): (ConversationId, u64, MessageId),
        body: &[u8],
        round: &mut Round<'_>,
    ) -> Result<(), Code> {
        self.is_collecting(from)?;
        let (by, at, bytes) = (from.device().clone(), round.now.wall, length(body)?);
        let may = may_post(round.state, conversation, &by, epoch, id, bytes).map_err(ConversationRefusal::code)?;
        if let Some(place) = may {
            self.posted_before(from.conn(), conversation, place, round);
            return Ok(());
        }
        let record = Record::MessagePosted { conversation, by, epoch, id, bytes, at };
        self.post(from.conn(), ask, record, body.into(), round.out)
    }

    fn post(
        &mut self,
        conn: ConnId,
        ask: AskId,
        record: Record,
        body: Arc<[u8]>,
        out: &mut Effects,
    ) -> Result<(), Code> {
        self.propose(vec![(record, Some(Arc::clone(&body)))], Asked::Post(conn, ask, body), out)
    }

    /// Has something written down, about which the fold decides then.
    fn propose(
        &mut self,
        records: Vec<(Record, Option<Arc<[u8]>>)>,
        asked: Asked,
        out: &mut Effects,
    ) -> Result<(), Code> {
        let bytes: usize = records.iter().filter_map(|(_, body)| body.as_ref()).map(|body| body.len()).sum();
        // An empty queue takes the longest.
        if self.asked.len() >= APPENDS_PENDING_MAX || self.pending_bytes + bytes > LONG_TOTAL_BYTES_MAX {
            return Err(Code::BUSY);
        }
        self.pending_bytes += bytes;
        let append = out.append_with(Room::Delivery, records);
        self.asked.insert(append, asked);
        Ok(())
    }

    /// The journal holds an append of ours; this is what one record of it came to.
    ///
    /// # Panics
    /// If the append was not ours.
    pub fn appended(&mut self, id: AppendId, outcome: &Outcome, bytes: usize, round: &mut Round<'_>) {
        let Outcome::Conversed(conversed) = outcome else {
            unreachable!("a record about conversations came to something else: {outcome:?}");
        };
        self.pending_bytes -= bytes;
        if bytes > 0 && matches!(conversed, Conversed::Refused(_) | Conversed::PostedBefore(..)) {
            // What was written down beside it is nothing's body.
            round.out.push(Effect::DropBodies(vec![round.state.position().n]));
        }
        if self.acks.appended(id) {
            return;
        }
        let asked = self.asked.remove(&id).expect("an append of ours was remembered when it was made");
        match (asked, conversed) {
            (Asked::Publish(publishing), conversed) => self.published(id, publishing, conversed, round),
            (Asked::Expire(left), _) => {
                if left > 1 {
                    self.asked.insert(id, Asked::Expire(left - 1));
                }
            }
            (Asked::Take(conn, ask, of), Conversed::Taken(taken)) => self.taken(conn, ask, &of, taken, round),
            (Asked::Found(conn, ask), Conversed::Founded) => {
                tell(conn, &ConversationsEvent::Done { ask }, round.out);
            }
            (Asked::Post(_, _, body), Conversed::Posted(conversation, place)) => {
                self.fan_out(*conversation, *place, &body, round);
                let stands = round.state.conversations().get(*conversation).and_then(|known| known.entry(*place));
                if let Some(entry) = stands.filter(|entry| matches!(entry.what, What::Commit(_))) {
                    self.say_what_lacks_still(*conversation, round.state, round.out);
                    self.want_info(*conversation, &entry.by, round);
                    // Whoever was waited for may be out.
                    self.say_what_is_delivered(*conversation, round.state, round.out);
                }
            }
            (Asked::Post(conn, ..), Conversed::PostedBefore(conversation, place)) => {
                self.posted_before(conn, *conversation, *place, round);
            }
            (Asked::Info(conn, ask), Conversed::Kept) => tell(conn, &ConversationsEvent::Done { ask }, round.out),
            (
                Asked::Take(conn, ask, _)
                | Asked::Found(conn, ask)
                | Asked::Post(conn, ask, _)
                | Asked::Info(conn, ask),
                Conversed::Refused(refusal),
            ) => refuse(conn, ask, refusal.code(), round.out),
            (asked @ (Asked::Take(..) | Asked::Found(..) | Asked::Post(..) | Asked::Info(..)), other) => {
                round.out.note(Note::Alarm(format!("the journal took {asked:?} as {other:?}")));
            }
        }
        self.look_later(round);
        self.take_turns(round);
    }

    /// These bodies are not needed any more.
    pub fn unneeded(&mut self, gone: &[u64]) {
        self.recent.forget(gone);
    }

    /// A connection is over.
    pub fn gone(&mut self, conn: ConnId, out: &mut Effects) {
        self.pieces.forget(conn);
        self.waiting.forget(conn);
        self.awaited.forget(conn);
        let Some(line) = self.lines.remove(&conn) else { return };
        self.hand_out_no_more(&line, out);
        if self.streams.get(&line.device) == Some(&conn) {
            self.streams.remove(&line.device);
        }
        if line.stream.is_some() && self.acks.has_new(&line.device) {
            self.acks.write_down(out);
        }
    }

    /// The process is to end: what was acknowledged is written down.
    pub fn shutdown(&mut self, out: &mut Effects) {
        self.acks.write_down(out);
    }

    /// When the delivery service wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        let acks = self.acks.due().map(|at| (at, Wake::Acknowledgements));
        acks.into_iter().chain(self.looks_at.map(|at| (at, Wake::PostedOver))).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, round: &mut Round<'_>) {
        if self.acks.due().is_some_and(|at| at <= round.now.mono) {
            self.acks.write_down(round.out);
        }
        if self.looks_at.is_some_and(|at| at <= round.now.mono) {
            self.look(round);
        }
    }

    /// How many bytes of what was posted last are kept.
    #[cfg(test)]
    pub(crate) fn recent_bytes(&self) -> usize {
        self.recent.bytes()
    }

    fn is_collecting(&self, from: &Admitted) -> Result<(), Code> {
        if self.streams.get(from.device()) == Some(&from.conn()) { Ok(()) } else { Err(Code::NOT_COLLECTING) }
    }
}

/// Who is in after a change, in order of name.
fn roster_after<'a>(before: impl Iterator<Item = &'a DeviceName>, change: &'a RosterChange) -> Vec<DeviceName> {
    let stay = before.filter(|device| !change.remove.contains(device));
    let mut roster: Vec<DeviceName> = stay.chain(&change.add).cloned().collect();
    roster.sort();
    roster
}

/// The length of a body. Bounds that were checked before keep it far from any end.
fn length(body: &[u8]) -> Result<u32, Code> {
    u32::try_from(body.len()).map_err(|_| Code::POSTED_FULL)
}

fn refuse(conn: ConnId, ask: AskId, code: Code, out: &mut Effects) {
    out.send(conn, Frame::message(&RelayEvent::Refused { ask, code }));
}

/// Says something short that is no part of a stream.
fn tell(conn: ConnId, event: &ConversationsEvent, out: &mut Effects) {
    for frame in events::frames(event).iter() {
        out.send(conn, frame.clone());
    }
}

#[cfg(test)]
mod tests;
