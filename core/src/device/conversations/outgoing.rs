//! Messages on their way out: kept as soon as they are wished for, sealed when their conversation can be written in, sent once
//! that is durable, and gone when they are posted.
//!
//! ```text
//! wished -> Waiting -> Sealed in an epoch -> sent -> posted
//!              ^              |  refused: another epoch has begun
//!              +--------------+
//! ```
//!
//! A message keeps its number through all of it. What was sent and not answered is sent again on the next connection, unless it
//! was posted meanwhile: the relay knows it by its number.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::batch::encode;
use super::content::Content;
use super::contract::{ConversationEvent, NotSent, Row, Target};
use super::restoring::read;
use super::saying::Saying;
use super::{Conversations, Stream, Turn, Wish};
use crate::id::{ConversationId, MessageId, RoomName, SendId, UserName};
use crate::limits::{OUTGOING_IN_FLIGHT_BYTES_MAX, OUTGOING_IN_FLIGHT_MAX, OUTGOING_MAX};
use crate::time::Wall;
use crate::wire::Code;
use crate::wire::conversations::ConversationsRequest;

/// Whom a message is for. It is written down as a text: a user's name, `#` and a room's number, or `?` and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum To {
    /// Somebody, in the one conversation with them.
    User(UserName),
    /// Everybody in this room.
    Room(ConversationId),
    /// Everybody in the room of this name, once all was taken in that may tell of it.
    Named(RoomName),
}

impl TryFrom<String> for To {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let unknown = "a message is for nobody whom this program knows";
        if let Some(number) = text.strip_prefix('#') {
            ConversationId::parse(number).map(Self::Room).ok_or(unknown)
        } else if let Some(name) = text.strip_prefix('?') {
            RoomName::parse(name).map(Self::Named).map_err(|_| unknown)
        } else {
            UserName::try_from(text).map(Self::User).map_err(|_| unknown)
        }
    }
}

impl From<To> for String {
    fn from(to: To) -> Self {
        match to {
            To::User(user) => user.into(),
            To::Room(id) => format!("#{id}"),
            To::Named(name) => format!("?{name}"),
        }
    }
}

/// A message that is not posted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub id: MessageId,
    pub to: To,
    written: Wall,
    saying: Saying,
    sealed: Option<Sealed>,
    /// Which wish it was, while the program runs that was wished.
    #[serde(skip)]
    pub send: Option<SendId>,
    /// Whether it was sent on this connection.
    #[serde(skip)]
    sent: bool,
}

/// A message as a program of before wrote it down, which knew texts alone.
#[derive(Deserialize)]
struct OutgoingText {
    id: MessageId,
    to: To,
    written: Wall,
    text: String,
    sealed: Option<Sealed>,
}

/// In place of a number: what follows is written down as this program does.
const NEWER: u64 = u64::MAX;

/// How it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sealed {
    conversation: ConversationId,
    epoch: u64,
    body: ByteBuf,
}

impl Outgoing {
    /// What was sealed of it.
    pub(super) fn body(&self) -> Option<&[u8]> {
        self.sealed.as_ref().map(|sealed| sealed.body.as_slice())
    }

    /// When it was written, and what it says.
    pub(super) fn said(&self) -> (Wall, &Saying) {
        (self.written, &self.saying)
    }

    /// A message from its row, with its number; nothing if it can't be read.
    pub(super) fn restored(row: &[u8]) -> Option<(u64, Self)> {
        if let Some((NEWER, number, outgoing)) = read::<(u64, u64, Self)>(row) {
            return Some((number, outgoing));
        }
        let (number, OutgoingText { id, to, written, text, sealed }) = read(row)?;
        Some((number, Self { id, to, written, saying: Saying::Text(text), sealed, send: None, sent: false }))
    }

    /// On a new connection nothing was sent yet.
    pub(super) fn offline(&mut self) {
        self.sent = false;
    }
}

impl Conversations {
    /// The user writes to somebody.
    pub(in crate::device) fn send(&mut self, send: SendId, to: Target, saying: Saying, turn: &mut Turn<'_>) {
        let resolved = match to {
            Target::User(user) => Ok(To::User(user)),
            Target::Room(name) => match self.room_named(&name) {
                // Perhaps this device was added to it, and has not heard of it yet.
                Err(NotSent::NoRoom) if self.stream != Stream::TakenIn => Ok(To::Named(name)),
                found => found.map(To::Room),
            },
        };
        let refusal = if self.member.is_none() {
            Some(NotSent::Key)
        } else if let Err(why) = saying.fits() {
            Some(why)
        } else if self.outgoing.len() >= OUTGOING_MAX {
            Some(NotSent::Full)
        } else {
            None
        };
        let to = match refusal.map_or(resolved, Err) {
            Ok(to) => to,
            Err(why) => {
                self.batch.then().events.push(ConversationEvent::NotSent(send, why));
                return self.work(turn);
            }
        };
        let id = MessageId::draw(turn.rng);
        let outgoing = Outgoing { id, to, written: turn.now.wall, saying, sealed: None, send: Some(send), sent: false };
        let number = self.outgoing.last_key_value().map_or(0, |(number, _)| number + 1);
        self.keep_outgoing(number, &outgoing);
        self.outgoing.insert(number, outgoing);
        self.work(turn);
    }

    /// Its row has its number with it, since messages go out in the order in which they were written.
    fn keep_outgoing(&mut self, number: u64, outgoing: &Outgoing) {
        self.batch.put(Row::Outgoing(outgoing.id), encode(&(NEWER, number, outgoing)));
    }

    /// Finds the rooms of which only the name was known, now that all was taken in; whether there was one.
    pub(super) fn name_next(&mut self) -> bool {
        let named = |(number, one): (&u64, &Outgoing)| match &one.to {
            To::Named(name) => Some((*number, name.clone())),
            To::User(_) | To::Room(_) => None,
        };
        let Some((number, name)) = self.outgoing.iter().find_map(named) else { return false };
        match self.room_named(&name) {
            Err(why) => self.give_up(number, why),
            Ok(id) => {
                if let Some(mut outgoing) = self.outgoing.remove(&number) {
                    outgoing.to = To::Room(id);
                    self.keep_outgoing(number, &outgoing);
                    self.outgoing.insert(number, outgoing);
                }
            }
        }
        true
    }

    /// Seals and sends what can be; whether there was anything.
    pub(super) fn send_next(&mut self, turn: &mut Turn<'_>) -> bool {
        let in_flight = self.outgoing.values().filter(|one| one.sent);
        let (count, bytes) =
            in_flight.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.body().map_or(0, <[u8]>::len)));
        if count >= OUTGOING_IN_FLIGHT_MAX || bytes >= OUTGOING_IN_FLIGHT_BYTES_MAX {
            return false;
        }
        let ready = |one: &&u64| self.outgoing.get(one).is_some_and(|one| !one.sent && self.writable(one).is_some());
        let Some(number) = self.outgoing.keys().find(ready).copied() else { return false };
        let Some(mut outgoing) = self.outgoing.remove(&number) else { return false };
        if outgoing.sealed.is_none() && !self.seal(&mut outgoing, turn) {
            self.outgoing.insert(number, outgoing);
            return true;
        }
        if let Some(Sealed { conversation, epoch, body }) = outgoing.sealed.clone() {
            let id = outgoing.id;
            self.request(Wish::Send(id), |ask| ConversationsRequest::Send { ask, conversation, epoch, id, body });
            outgoing.sent = true;
        }
        self.keep_outgoing(number, &outgoing);
        self.outgoing.insert(number, outgoing);
        true
    }

    /// The conversation that a message is for, if there is one by now.
    fn conversation_of(&self, to: &To) -> Option<ConversationId> {
        match to {
            To::User(user) => self.direct(user),
            To::Room(id) => Some(*id),
            To::Named(_) => None,
        }
    }

    /// The conversation that a message can go into now; what was written before it to the same person goes first.
    fn writable(&self, outgoing: &Outgoing) -> Option<ConversationId> {
        // Nobody writes where somebody is whom nobody may write to.
        let id = self.conversation_of(&outgoing.to).filter(|id| !self.is_held(id))?;
        let one = self.all.get(&id)?;
        one.open()?;
        match &outgoing.sealed {
            // It may have been taken, or will be refused: in either case it says the same as before.
            Some(sealed) if sealed.conversation == id && Some(sealed.epoch) == one.epoch() => Some(id),
            Some(_) => None,
            None => Some(id),
        }
    }

    /// Whether it was sealed. A conversation in which nothing can be sealed is broken.
    fn seal(&mut self, outgoing: &mut Outgoing, turn: &mut Turn<'_>) -> bool {
        let Some(id) = self.conversation_of(&outgoing.to) else { return false };
        let Some(one) = self.all.get_mut(&id) else { return false };
        let Some(group) = one.group.take() else { return false };
        let seen = one.known.chain.seen();
        let content = Content { id: outgoing.id, written: outgoing.written, seen, body: outgoing.saying.clone() };
        let Ok(unkept) = group.say(&content.encode(), Vec::new(), turn.rng) else {
            self.break_off(id);
            return false;
        };
        let (group, _, body) = self.batch.group(id, unkept);
        let epoch = one.known.epoch_of(&group);
        one.set_group(group, false);
        outgoing.sealed = Some(Sealed { conversation: id, epoch, body: ByteBuf::from(body) });
        true
    }

    /// Another epoch has begun: what was sealed in one before and is not posted is sealed anew.
    pub(super) fn unseal(&mut self, conversation: ConversationId, epoch: u64) {
        let old = |sealed: &Sealed| sealed.conversation == conversation && sealed.epoch < epoch;
        for outgoing in self.outgoing.values_mut() {
            if outgoing.sealed.as_ref().is_some_and(old) {
                outgoing.sealed = None;
                outgoing.sent = false;
            }
        }
    }

    /// The relay does not take a message.
    pub(super) fn send_refused(&mut self, id: MessageId, code: Code) {
        let number = self.outgoing.iter().find(|(_, one)| one.id == id).map(|(number, _)| *number);
        match code {
            // It is sealed anew when the commit has come that was first; or it is sent on the connection that takes the place of this one.
            Code::EPOCH_OVER | Code::NOT_COLLECTING => {}
            _ => {
                if let Some(number) = number {
                    self.give_up(number, NotSent::Refused(code));
                }
            }
        }
    }

    /// A message will not be sent.
    pub(super) fn give_up(&mut self, number: u64, why: NotSent) {
        if let Some(outgoing) = self.outgoing.remove(&number) {
            self.batch.remove(Row::Outgoing(outgoing.id));
            let event = match outgoing.send {
                Some(send) => ConversationEvent::NotSent(send, why),
                // Whoever wished for it has gone.
                None => ConversationEvent::GivenUp(self.named(outgoing.to), outgoing.saying, why),
            };
            self.batch.then().events.push(event);
        }
    }

    /// Whom a message is for, as people call them.
    fn named(&self, to: To) -> Target {
        match to {
            To::User(user) => Target::User(user),
            To::Named(name) => Target::Room(name),
            To::Room(id) => {
                let name = self.all.get(&id).and_then(|one| Some(one.room.as_ref()?.name.clone()));
                Target::Room(name.unwrap_or_else(|| RoomName::of_number(id)))
            }
        }
    }

    /// None of what waits for them will be sent.
    pub(super) fn give_up_all(&mut self, to: &To, why: &NotSent) {
        let numbers: Vec<u64> =
            self.outgoing.iter().filter(|(_, one)| one.to == *to && one.sealed.is_none()).map(|(n, _)| *n).collect();
        for number in numbers {
            self.give_up(number, why.clone());
        }
    }

    /// One of this device's messages is posted: it is no more on its way.
    pub(super) fn posted_own(&mut self, id: MessageId) -> Option<Outgoing> {
        let number = self.outgoing.iter().find(|(_, one)| one.id == id).map(|(number, _)| *number)?;
        self.asks.settle(|wish| matches!(wish, Wish::Send(sent) if *sent == id));
        self.batch.remove(Row::Outgoing(id));
        self.outgoing.remove(&number)
    }
}
