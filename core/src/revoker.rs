//! Taking devices back: from the operator's word, or that of their own user, to the lists that everybody goes by (design 4,
//! protocol §4.14).
//!
//! ```text
//! Revoke, Withdraw --checked--> Append(DeviceRevoked .. or DeviceWithdrawn) --fold--> its connections end --sign--> Append(CrlSigned ..) --fold--> pushed, answered
//!    |  refused                       a start, a day, a rotation ------------------^
//! ```
//!
//! The lists are signed anew at each revocation and rotation, each day, and before anybody is admitted after a start. They go
//! out once they are durable, and never before what they say is.

pub mod again;

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use crate::effect::{Effect, Effects, Note, Room, Turn};
use crate::id::{AdminId, AppendId, AskId, ConnId, DeviceLabel, DeviceName, IssuerId};
use crate::journal::revoking::{RevokeRefusal, have_room, may_revoke, may_withdraw};
use crate::journal::state::Revoked;
use crate::journal::{Outcome, Record, State};
use crate::limits::{BACKDATING, LIST_RETRY, LIST_SPAN};
use crate::operator::{Answer, OperatorRefusal, Revoke};
use crate::pki::{Authority, IssuedList};
use crate::relay::Admitted;
use crate::time::Wall;
use crate::tlog::{Endorsement, ReasonCode};
use crate::wire::devices::DevicesEvent;
use crate::wire::relay::RelayEvent;
use crate::wire::revocation::{SignedList, SignedLists};
use crate::wire::{Code, Extensions, Frame};

/// What is being taken back, and the lists that are in force.
#[derive(Debug, Default)]
pub struct Revoker {
    revoking: BTreeMap<AppendId, Revoking>,
    signing: BTreeMap<AppendId, Signing>,
    current: Option<Current>,
    /// The number of the lists that were signed last, durable or not.
    number: u64,
    /// From when to when they need not be signed anew.
    fresh: Option<(Wall, Wall)>,
}

/// Who has asked for a revocation, and is told what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asker {
    /// The operator.
    Operator(AdminId),
    /// A device of the user's own. One that has taken itself back is not there any more to be told.
    Member(ConnId, AskId, DeviceName),
    /// A list from before the server was restored, which nobody answers for.
    Nobody,
}

/// A device that its own user takes back, as one of their devices has asked.
#[derive(Debug)]
pub struct Withdraw {
    /// Echoed in the answer.
    pub ask: AskId,
    /// Which.
    pub device: DeviceLabel,
    /// Why.
    pub reason: ReasonCode,
    /// Whether nothing may be left to the user.
    pub force: bool,
    /// The word of the device that asks.
    pub endorsement: Endorsement,
}

/// Devices whose revocation is on its way to the journal.
#[derive(Debug)]
struct Revoking {
    asker: Asker,
    records: usize,
    revoked: Vec<DeviceName>,
    refused: Option<RevokeRefusal>,
}

/// Lists on their way to the journal.
#[derive(Debug)]
struct Signing {
    lists: Current,
    records: usize,
    /// Who waits for them, and what they had revoked.
    asker: Option<(Asker, Vec<DeviceName>)>,
}

/// Lists that are, or will be, in force.
#[derive(Debug)]
struct Current {
    lists: SignedLists,
    issuers: Vec<IssuerId>,
    number: u64,
    next_update: Wall,
}

/// What follows from an answer of the journal.
#[derive(Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing yet.
    Nothing,
    /// This device's connections are to end.
    Part(DeviceName),
    /// There are other lists in force.
    Push,
}

impl Revoker {
    /// The operator takes back a device, or all of a person's.
    pub fn revoke(&mut self, id: AdminId, revoke: &Revoke, turn: &mut Turn<'_>) {
        match proposals(revoke, turn.state, turn.now.wall) {
            Ok(records) => {
                self.write_down(Asker::Operator(id), records, turn.out);
            }
            Err(refusal) => turn.out.push(Effect::Answer(id, Answer::Refused(refusal))),
        }
    }

    /// Has devices revoked again that a restored journal has forgotten were.
    pub fn revoke_again(&mut self, records: Vec<Record>, out: &mut Effects) {
        self.write_down(Asker::Nobody, records, out);
    }

    fn write_down(&mut self, asker: Asker, records: Vec<Record>, out: &mut Effects) {
        let revoking = Revoking { asker, records: records.len(), revoked: Vec::new(), refused: None };
        let append = out.append(Room::Revoker, records);
        self.revoking.insert(append, revoking);
    }

    /// A device asks for one of its own user's.
    pub fn withdraw(&mut self, from: &Admitted, withdraw: Withdraw, turn: &mut Turn<'_>) {
        let Withdraw { ask, device, reason, force, endorsement } = withdraw;
        let asker = Asker::Member(from.conn(), ask, from.device().clone());
        let (name, at) = (DeviceName { user: from.device().user.clone(), device }, turn.now.wall);
        let revoked = Revoked { reason, at };
        // One after the other, so that nobody fills the journal's queue with what will be refused.
        let is_of_theirs = |other: &Asker| matches!(other, Asker::Member(_, _, by) if by.user == from.device().user);
        let refusal = if self.revoking.values().any(|revoking| is_of_theirs(&revoking.asker)) {
            Some(Code::BUSY)
        } else if endorsement.by != from.device().device {
            // Nobody speaks for another device of theirs.
            Some(RevokeRefusal::NotTheirs.code())
        } else {
            may_withdraw(turn.state, &name, revoked, force, &endorsement).err().map(RevokeRefusal::code)
        };
        if let Some(code) = refusal {
            return turn.out.send(from.conn(), Frame::message(&RelayEvent::Refused { ask, code }));
        }
        let record = Record::DeviceWithdrawn { name, reason, force, endorsement, at };
        self.write_down(asker, vec![record], turn.out);
    }

    /// Signs the lists of what is revoked now, and has them written down.
    pub fn sign(&mut self, authority: &Authority, state: &State, now: Wall, out: &mut Effects) {
        self.sign_for(None, authority, state, now, out);
    }

    fn sign_for(
        &mut self,
        asker: Option<(Asker, Vec<DeviceName>)>,
        authority: &Authority,
        state: &State,
        now: Wall,
        out: &mut Effects,
    ) {
        let lists = match authority.lists(state, self.number, now) {
            Ok(lists) if !lists.is_empty() => lists,
            failed => {
                let why = failed
                    .err()
                    .map_or("no issuing CA holds by this machine's clock".to_owned(), |refusal| refusal.to_string());
                let until = match &self.current {
                    Some(current) if now <= current.next_update => {
                        format!(
                            "those that there are hold until {}, and nobody is admitted after that",
                            current.next_update
                        )
                    }
                    Some(_) | None => "nobody is admitted without".to_owned(),
                };
                out.note(Note::Alarm(format!("the revocation lists could not be signed: {why}; {until}")));
                self.fresh = Some((now, now.plus(LIST_RETRY)));
                match asker {
                    Some((Asker::Operator(id), _)) => {
                        out.push(Effect::Answer(id, Answer::Refused(OperatorRefusal::Lists)));
                    }
                    Some((Asker::Member(conn, ask, _), _)) => refuse(conn, ask, Code::LISTS_UNSIGNED, out),
                    Some((Asker::Nobody, _)) | None => {}
                }
                return;
            }
        };
        let records: Vec<Record> =
            lists.iter().map(|issued| Record::CrlSigned { der: ByteBuf::from(issued.list.der()) }).collect();
        let lists = Current::of(&lists);
        self.number = lists.number;
        self.fresh = Some((now.minus(BACKDATING), now.plus(LIST_SPAN)));
        let signing = Signing { lists, records: records.len(), asker };
        let append = out.append(Room::Revoker, records);
        self.signing.insert(append, signing);
    }

    /// The journal holds an append of ours; this is what one record of it came to.
    ///
    /// # Panics
    /// If the append was not ours.
    pub fn appended(&mut self, id: AppendId, outcome: &Outcome, out: &mut Effects) -> Follows {
        if let Some(revoking) = self.revoking.get_mut(&id) {
            revoking.records -= 1;
            if let Outcome::DeviceRevoked(name) = outcome {
                out.note(Note::Revoked(name.clone()));
                revoking.revoked.push(name.clone());
                return Follows::Part(name.clone());
            }
            if let Outcome::NotRevoked(refusal) = outcome {
                revoking.refused = Some(*refusal);
            } else {
                out.note(Note::Alarm(format!("the journal took a revocation as {outcome:?}")));
            }
            return Follows::Nothing;
        }
        let signing = self.signing.get_mut(&id).expect("an append of ours was remembered when it was made");
        signing.records -= 1;
        if !matches!(outcome, Outcome::CrlSigned(_)) {
            out.note(Note::Alarm(format!("the journal took a revocation list as {outcome:?}")));
        }
        if signing.records > 0 {
            return Follows::Nothing;
        }
        if let Some(Signing { lists, asker, .. }) = self.signing.remove(&id) {
            let number = lists.number;
            match asker {
                Some((Asker::Operator(id), devices)) => {
                    out.push(Effect::Answer(id, Answer::Revoked { devices, number }));
                }
                Some((Asker::Member(conn, ask, _), _)) => {
                    let event = DevicesEvent::Withdrawn { ask, number };
                    out.send(conn, Frame::message(&RelayEvent::Devices(event)));
                }
                Some((Asker::Nobody, _)) | None => {}
            }
            self.current = Some(lists);
        }
        Follows::Push
    }

    /// Signs the lists for every revocation whose last record is durable.
    pub fn finish(&mut self, authority: &Authority, state: &State, now: Wall, out: &mut Effects) {
        let done: Vec<AppendId> =
            self.revoking.iter().filter(|(_, revoking)| revoking.records == 0).map(|(id, _)| *id).collect();
        for id in done {
            let Some(Revoking { asker, revoked, refused, .. }) = self.revoking.remove(&id) else { continue };
            if revoked.is_empty() {
                match asker {
                    Asker::Operator(id) => {
                        let refusal = refused.map_or(OperatorRefusal::Failed, OperatorRefusal::Revoke);
                        out.push(Effect::Answer(id, Answer::Refused(refusal)));
                    }
                    Asker::Member(conn, ask, _) => {
                        refuse(conn, ask, refused.map_or(Code::ISSUE_FAILED, RevokeRefusal::code), out);
                    }
                    Asker::Nobody => {}
                }
            } else {
                self.sign_for(Some((asker, revoked)), authority, state, now, out);
            }
        }
    }

    /// Whether the lists were signed lately, or will be in a moment.
    pub fn are_fresh(&self, now: Wall) -> bool {
        self.fresh.is_some_and(|(from, until)| from <= now && now < until)
    }

    /// When they are to be signed anew.
    pub fn next(&self, now: Wall) -> Wall {
        self.fresh.map_or(now, |(_, until)| until)
    }

    /// Whether the lists in force can be judged by, and the relay whose certificate this CA issued with them.
    pub fn hold(&self, issuer: Option<IssuerId>, now: Wall) -> bool {
        let covers = |current: &Current| issuer.is_some_and(|issuer| current.issuers.contains(&issuer));
        self.current.as_ref().is_some_and(|current| covers(current) && now <= current.next_update)
    }

    /// The lists in force.
    pub fn lists(&self) -> Option<&SignedLists> {
        self.current.as_ref().map(|current| &current.lists)
    }

    /// The same, as they go with a welcome.
    pub fn extensions(&self) -> Extensions {
        Extensions(self.lists().map(SignedLists::extension).into_iter().collect())
    }
}

impl Current {
    fn of(lists: &[IssuedList]) -> Self {
        let signed = lists.iter().map(|issued| SignedList {
            issuing: ByteBuf::from(issued.issuing.as_ref()),
            list: ByteBuf::from(issued.list.der()),
        });
        let facts = || lists.iter().map(|issued| issued.list.facts());
        Self {
            lists: SignedLists(signed.collect()),
            issuers: facts().map(|facts| facts.issuer).collect(),
            number: facts().map(|facts| facts.number).max().unwrap_or(0),
            next_update: facts().map(|facts| facts.next_update).min().unwrap_or(Wall(0)),
        }
    }
}

fn refuse(conn: ConnId, ask: AskId, code: Code, out: &mut Effects) {
    out.send(conn, Frame::message(&RelayEvent::Refused { ask, code }));
}

/// What is to be written down: a record for each device that is meant and was not revoked before.
fn proposals(revoke: &Revoke, state: &State, at: Wall) -> Result<Vec<Record>, OperatorRefusal> {
    let Revoke { user, device, reason, force } = revoke;
    let known = state.users().get(user).ok_or(OperatorRefusal::NoSuchUser)?;
    let names = known.devices.keys().filter(|label| device.as_ref().is_none_or(|device| device == *label));
    let names: Vec<DeviceName> = names.map(|label| DeviceName { user: user.clone(), device: label.clone() }).collect();
    if names.is_empty() {
        return Err(OperatorRefusal::Revoke(RevokeRefusal::UnknownDevice));
    }
    let living = known.devices.keys().map(|label| DeviceName { user: user.clone(), device: label.clone() });
    let living: Vec<DeviceName> = living.filter(|name| state.revoked(name).is_none()).collect();
    let meant: Vec<DeviceName> = names.into_iter().filter(|name| living.contains(name)).collect();
    if meant.is_empty() {
        return Err(OperatorRefusal::Revoke(RevokeRefusal::Before));
    }
    // One by one each would have another left, but the last.
    if meant.len() == living.len() && !force && known.recoveries.newest().is_none() {
        return Err(OperatorRefusal::Revoke(RevokeRefusal::LastDevice));
    }
    // Each by itself may find a place that another one takes: all are revoked, or none.
    if !have_room(state, &meant, at) {
        return Err(OperatorRefusal::Revoke(RevokeRefusal::ListsFull));
    }
    let record = |name: DeviceName| {
        may_revoke(state, &name, *reason, *force, at).map_err(OperatorRefusal::Revoke)?;
        Ok(Record::DeviceRevoked { name, reason: *reason, force: *force, at })
    };
    meant.into_iter().map(record).collect()
}
