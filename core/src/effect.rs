//! What the server's rooms want done: plain data, in order, carried out by `server.rs` alone.

use std::collections::VecDeque;
use std::sync::Arc;

use rand_core::CryptoRng;

use crate::fault::CloseReason;
use crate::id::{AdminId, AppendId, AskId, ConnId, DeviceName, LoadId, Serial, StretchId, UserName};
use crate::journal::{Record, State};
use crate::operator::Answer;
use crate::password::Stretch;
use crate::server::StrangersWork;
use crate::time::{Now, Wall};
use crate::wire::{Code, Frame};

/// What a room is lent for the time of one call: the folded journal to read, the time, randomness, and the way out.
pub struct Turn<'a> {
    /// The folded journal.
    pub state: &'a State,
    /// Both clocks.
    pub now: Now,
    /// Randomness, never to be kept.
    pub rng: &'a mut dyn CryptoRng,
    /// Where effects go.
    pub out: &'a mut Effects,
}

/// Which room an answer of the journal goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The certificate authority.
    Ca,
    /// The relay.
    Relay,
    /// The operator's desk.
    Operator,
    /// Who takes devices back.
    Revoker,
    /// The delivery service.
    Delivery,
    /// Nobody waits.
    Nobody,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Queue this frame for a connection; one that is gone by now is passed over.
    Send(ConnId, Frame),
    /// Say goodbye to a connection with this code.
    Part(ConnId, Code),
    /// Queue this frame for each device by which a person is present.
    Tell(UserName, Frame),
    /// Write these records down, all or none, each with what stands beside it.
    Append(AppendId, Room, Vec<(Record, Option<Arc<[u8]>>)>),
    /// Read the record at this place of the journal.
    Load(LoadId, Room, u64),
    /// Read what stands beside the record at this place, for the delivery service.
    LoadBody(LoadId, u64),
    /// Nobody needs what stands beside these records.
    DropBodies(Vec<u64>),
    /// Stretch a password.
    Stretch(StretchId, Stretch),
    /// Answer the operator.
    Answer(AdminId, Answer),
    /// Hand a device its newest certificate, and let its connection have the proof from it.
    Renewed(ConnId, Renewed),
    /// For the log.
    Note(Note),
}

/// A device's newest certificate, as it asked for it on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// As asked.
    pub ask: AskId,
    /// Its number.
    pub serial: Serial,
    /// The leaf in DER.
    pub leaf: Vec<u8>,
    /// The issuing CA in DER.
    pub issuing: Vec<u8>,
}

/// What a log should hold: who came and went, what was issued and refused. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A connection was turned away: too many.
    TurnedAway(ConnId),
    /// A device was admitted.
    Admitted(ConnId, DeviceName),
    /// A member reads too slowly, and is not heard until it has caught up.
    Paused(ConnId, DeviceName),
    /// A connection is over.
    Closed(ConnId, Option<DeviceName>, CloseReason),
    /// A certificate was issued.
    Issued(DeviceName, Serial),
    /// An enrolment was refused: the code that was told, and what only the log learns.
    EnrolRefused(ConnId, Code, String),
    /// An invite was made, valid until then.
    Invited(Wall),
    /// The relay's own certificate was made anew.
    RelayCertified(Wall),
    /// Another issuing CA signs from now on, until then.
    Rotated(Wall),
    /// A device was revoked.
    Revoked(DeviceName),
    /// It is time for another issuing CA: this is the last second of the one that signs.
    IssuingEndsSoon(Wall),
    /// A snapshot of the journal up to that record was written down, or else it could not be.
    Snapshot(u64, bool),
    /// Strangers were held back, or the server ends: what they have had of it so far.
    Strangers(StrangersWork),
    /// Something that should not be: a contradiction in the journal, a certificate of ours that fails its lint.
    Alarm(String),
}

/// The queue of effects of one call, and the counters that number them.
#[derive(Debug, Default)]
pub struct Effects {
    queue: VecDeque<Effect>,
    appends: u64,
    loads: u64,
    stretches: u64,
}

impl Effects {
    /// Queues an effect.
    pub fn push(&mut self, effect: Effect) {
        self.queue.push_back(effect);
    }

    /// Queues a frame.
    pub fn send(&mut self, conn: ConnId, frame: Frame) {
        self.push(Effect::Send(conn, frame));
    }

    /// Queues a note.
    pub fn note(&mut self, note: Note) {
        self.push(Effect::Note(note));
    }

    /// Queues an append and gives its number.
    pub fn append(&mut self, room: Room, records: Vec<Record>) -> AppendId {
        self.append_with(room, records.into_iter().map(|record| (record, None)).collect())
    }

    /// The same, with what stands beside each record.
    pub fn append_with(&mut self, room: Room, records: Vec<(Record, Option<Arc<[u8]>>)>) -> AppendId {
        self.appends += 1;
        let id = AppendId(self.appends);
        self.push(Effect::Append(id, room, records));
        id
    }

    /// Queues a look into the journal and gives its number.
    pub fn load(&mut self, room: Room, n: u64) -> LoadId {
        self.loads += 1;
        let id = LoadId(self.loads);
        self.push(Effect::Load(id, room, n));
        id
    }

    /// Queues a look for what stands beside a record, and gives its number.
    pub fn load_body(&mut self, n: u64) -> LoadId {
        self.loads += 1;
        let id = LoadId(self.loads);
        self.push(Effect::LoadBody(id, n));
        id
    }

    /// Queues the stretching of a password and gives its number.
    pub fn stretch(&mut self, stretch: Stretch) -> StretchId {
        self.stretches += 1;
        let id = StretchId(self.stretches);
        self.push(Effect::Stretch(id, stretch));
        id
    }

    /// Takes the next effect.
    pub fn pop(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }
}
