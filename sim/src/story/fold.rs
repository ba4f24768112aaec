//! Decides what of each event goes into the run's hash: all of it.

use countersign_core::device::calls::CallEvent;
use countersign_core::device::conversations::{Saying, Target};
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Command, Event};
use countersign_core::id::Fingerprint;
use countersign_core::operator::Answer;
use countersign_core::wire::revocation::SignedList;

use super::{Program, Seen, Side};
use crate::trace::{Fields, Trace};

/// Folds one event into the trace; the fields are put together in a buffer that stays.
pub fn fold(trace: &mut Trace, buffer: &mut Fields, at_us: u64, seen: &Seen<'_>) {
    buffer.clear();
    let kind = Folding(buffer).of(seen);
    trace.step_of(at_us, kind, buffer);
}

/// What kind of event it is, by the name that goes into the hash.
pub fn kind(seen: &Seen<'_>) -> &'static str {
    Folding(&mut Fields::default()).of(seen)
}

/// One event on its way into the fields.
struct Folding<'a>(&'a mut Fields);

impl Folding<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.bytes(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.bytes(&number.to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.bytes(&[u8::from(flag)]);
    }

    fn size(&mut self, size: usize) {
        self.number(u64::try_from(size).expect("no size is larger than u64 counts"));
    }

    fn side(&mut self, side: Side) {
        self.flag(side == Side::Listener);
    }

    fn program(&mut self, program: Program) {
        self.size(program.device);
        self.number(program.life);
    }

    fn digest(&mut self, digest: Fingerprint) {
        self.0.bytes(&digest.0);
    }

    /// A value in the words of its own `Debug`, which shows no secret; those that have one are folded apart.
    fn value(&mut self, value: &dyn std::fmt::Debug) {
        self.0.value(value);
    }

    fn records(&mut self, records: &[Vec<u8>]) {
        self.size(records.len());
        for record in records {
            self.bytes(record);
        }
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each kind of event, each a line or three")]
    fn of(&mut self, seen: &Seen<'_>) -> &'static str {
        match seen {
            Seen::Phase(phase) => {
                self.value(phase);
                "phase"
            }
            Seen::Dialled(program) => {
                self.program(*program);
                "dialled"
            }
            Seen::Abandoned(program) => {
                self.program(*program);
                "abandoned"
            }
            Seen::Opened(conn, program) => {
                self.number(conn.0);
                self.program(*program);
                "opened"
            }
            Seen::Connected(conn, who) => {
                self.number(conn.0);
                self.program(who.program);
                "connected"
            }
            Seen::Unreachable(program) => {
                self.program(*program);
                "unreachable"
            }
            Seen::Delivered { conn, to, bytes, flipped } => {
                self.number(conn.0);
                self.side(*to);
                self.bytes(bytes);
                self.flag(*flipped);
                "delivered"
            }
            Seen::Ended(conn, to) => {
                self.number(conn.0);
                self.side(*to);
                "ended"
            }
            Seen::Written { conn, by, taken, waiting, .. } => {
                self.number(conn.0);
                self.side(*by);
                self.size(*taken);
                self.size(*waiting);
                "written"
            }
            Seen::Stalled(conn, by) => {
                self.number(conn.0);
                self.side(*by);
                "stalled"
            }
            Seen::Shut(conn, by) => {
                self.number(conn.0);
                self.side(*by);
                "shut"
            }
            Seen::Dropped(conn, by) => {
                self.number(conn.0);
                self.side(*by);
                "dropped"
            }
            Seen::Cut { conn, silent } => {
                self.number(conn.0);
                self.flag(*silent);
                "cut"
            }
            Seen::Hosted(program, host) => {
                self.program(*program);
                self.value(host);
                "hosted"
            }
            Seen::DialledPeer(program, local, address) => {
                self.program(*program);
                self.number(local.0);
                self.value(address);
                "dialled-peer"
            }
            Seen::Missed(program, local) => {
                self.program(*program);
                self.number(local.0);
                "missed"
            }
            Seen::Met { conn, dialler, listener, astray } => {
                self.number(conn.0);
                self.value(dialler);
                self.value(listener);
                self.value(astray);
                "met"
            }
            Seen::Reached(conn, program) => {
                self.number(conn.0);
                self.program(*program);
                "reached"
            }
            Seen::Listens(program, call, at) => {
                self.program(*program);
                self.number(call.0);
                self.value(at);
                "listens"
            }
            Seen::Unlistens(program, call) => {
                self.program(*program);
                self.number(call.0);
                "unlistens"
            }
            Seen::CutOneWay(conn, to) => {
                self.number(conn.0);
                self.side(*to);
                "cut-one-way"
            }
            Seen::Appending(append, records) => {
                self.number(append.0);
                self.records(records);
                "appending"
            }
            Seen::Durable(first, records) => {
                self.number(*first);
                self.records(records);
                "durable"
            }
            Seen::Loaded(n, record) => {
                self.number(*n);
                if let Some(record) = record {
                    self.bytes(record);
                }
                "loaded"
            }
            Seen::Folded(n, digest) => {
                self.number(*n);
                self.digest(*digest);
                "folded"
            }
            Seen::Crashed(how, lost) => {
                self.value(how);
                self.size(*lost);
                "crashed"
            }
            Seen::Replayed(state, digests) => {
                self.value(&state.position());
                self.digest(state.digest());
                self.size(digests.len());
                "replayed"
            }
            Seen::Snapshot(n, bytes) => {
                self.number(*n);
                self.bytes(bytes);
                "snapshot"
            }
            Seen::Rotten => "rotten",
            Seen::Resumed(n, state, passed_over) => {
                self.number(*n);
                self.digest(state.digest());
                self.value(passed_over);
                "resumed"
            }
            Seen::Noted(note) => {
                self.value(note);
                "noted"
            }
            Seen::Answered(person, answer) => {
                self.size(*person);
                self.value(answer);
                if let Answer::Invite(token, _) = answer {
                    self.bytes(&token.hash().0);
                }
                "answered"
            }
            Seen::ShutDown(in_time) => {
                self.value(in_time);
                "shut-down"
            }
            Seen::Started(who, enrolling) => {
                self.program(who.program);
                self.value(who.name);
                self.value(enrolling);
                "started"
            }
            Seen::Killed(who) => {
                self.program(who.program);
                "killed"
            }
            // What people say is most of what there is, and its `Debug` costs more than all else here.
            Seen::Wished(who, Command::Say(call, text)) => {
                self.program(who.program);
                self.number(call.0);
                self.bytes(text.as_bytes());
                "wished"
            }
            Seen::Wished(who, Command::Send(send, Target::User(to), Saying::Text(text))) => {
                self.program(who.program);
                self.number(send.0);
                self.value(to);
                self.bytes(text.as_bytes());
                "wished"
            }
            Seen::Wished(who, Command::Send(send, Target::Room(to), Saying::Text(text))) => {
                self.program(who.program);
                self.number(send.0);
                self.value(to);
                self.bytes(text.as_bytes());
                "wished"
            }
            Seen::Wished(who, command) => {
                self.program(who.program);
                self.value(command);
                "wished"
            }
            Seen::Said(who, call, text) => {
                self.program(who.program);
                self.number(call.0);
                self.bytes(text.as_bytes());
                "said"
            }
            Seen::RoomBroken(program, call) => {
                self.program(*program);
                self.number(call.0);
                "room-broken"
            }
            Seen::Told(who, Event::Call(call, CallEvent::Line(n, text))) => {
                self.program(who.program);
                self.number(call.0);
                self.number(*n);
                self.bytes(text.as_bytes());
                "told"
            }
            // Certificates and lists as they are, which `Debug` prints number by number.
            Seen::Told(who, Event::Listed(lists)) => {
                self.program(who.program);
                self.bytes(b"listed");
                for SignedList { issuing, list } in &lists.0 {
                    self.bytes(issuing);
                    self.bytes(list);
                }
                "told"
            }
            Seen::Told(who, Event::Followed(followed)) => {
                self.program(who.program);
                self.bytes(b"followed");
                self.bytes(&followed.certificate);
                self.bytes(followed.checkpoint.as_bytes());
                self.value(&followed.reading);
                "told"
            }
            Seen::Told(who, event) => {
                self.program(who.program);
                self.value(event);
                "told"
            }
            Seen::EnrolEnded(who, result, key, token) => {
                self.program(who.program);
                self.bytes(&key.0);
                self.bytes(&token.0);
                if let EnrolResult::Enrolled(identity) = result {
                    self.bytes(&identity.credentials.leaf);
                } else {
                    self.value(result);
                }
                "enrol-ended"
            }
            Seen::Waits(who, news) => {
                self.program(who.program);
                self.value(news);
                "waits"
            }
            Seen::Woken { node, why, next_us } => {
                self.value(node);
                self.bytes(why.as_bytes());
                self.value(next_us);
                "woken"
            }
            Seen::Network(weather) => {
                self.value(weather);
                "network"
            }
            Seen::Secret(what, bytes) => {
                self.bytes(what.as_bytes());
                self.bytes(bytes);
                "secret"
            }
            Seen::Unsealed(bytes) => {
                self.bytes(bytes);
                "unsealed"
            }
            // The words of `Debug` are for the oracles: they are another library's in part, and may tell of addresses.
            Seen::Held(_, state) => {
                self.bytes(state);
                "held"
            }
            Seen::OnDisk(records) => {
                self.size(records.len());
                "on-disk"
            }
            Seen::AskedBy(who, key, token) => {
                self.program(who.program);
                self.bytes(&key.0);
                self.bytes(&token.0);
                "asked-by"
            }
            Seen::ClockSet(node, ahead_s, wrong) => {
                self.value(&(node, ahead_s, wrong));
                "clock-set"
            }
            Seen::Slept(device) => {
                self.size(*device);
                "slept"
            }
            Seen::Awoke(device, how) => {
                self.size(*device);
                self.value(how);
                "awoke"
            }
            Seen::Away(gone) => {
                self.value(gone);
                "away"
            }
            Seen::NotStarted(who, refusal) => {
                self.program(who.program);
                self.value(refusal);
                "not-started"
            }
            Seen::Anew(who) => {
                self.program(who.program);
                "anew"
            }
            // The password itself is shown as a secret.
            Seen::SignsUp(who, _) => {
                self.program(who.program);
                "signs-up"
            }
            Seen::Lost(who, code_too) => {
                self.program(who.program);
                self.value(code_too);
                "lost"
            }
            Seen::AskedBack(who, keep) => {
                self.program(who.program);
                self.value(keep);
                "asked-back"
            }
            Seen::CameBack(who, back) => {
                self.program(who.program);
                self.value(back);
                "came-back"
            }
            Seen::Kept(..) | Seen::RowsFailed(..) | Seen::Refused(..) | Seen::Beside(..) => self.conversed(seen),
            Seen::Stored(who, item, stored, key) => {
                self.program(who.program);
                self.value(&(item, stored));
                self.bytes(&key.0);
                "stored"
            }
            Seen::Restored(kept, gone) => {
                self.size(*kept);
                self.size(*gone);
                "restored"
            }
            Seen::Knocked(conn, guise) => {
                self.number(conn.0);
                self.value(guise);
                "knocked"
            }
            Seen::Sent(conn, guise, heard) => {
                self.number(conn.0);
                self.value(guise);
                self.value(heard);
                "sent"
            }
            Seen::Infiltrated(name) => {
                self.value(name);
                "infiltrated"
            }
            Seen::Slipped(who, slip, taken) => {
                self.program(who.program);
                self.value(slip);
                self.value(taken);
                "slipped"
            }
            Seen::Lured(conn, program) => {
                self.number(conn.0);
                self.program(*program);
                "lured"
            }
            Seen::Lied(program, lie) => {
                self.program(*program);
                self.value(lie);
                "lied"
            }
            Seen::Betrayed(name, index) => {
                self.value(name);
                self.number(*index);
                "betrayed"
            }
            Seen::Grown(name, claim, der, key) => {
                self.value(&(name, claim, key));
                self.bytes(der);
                "grown"
            }
            Seen::Overheard(bytes) => {
                self.bytes(bytes);
                "overheard"
            }
            Seen::Plot(plot) => {
                self.value(plot);
                "plot"
            }
            Seen::Look(id, salt) => {
                self.value(&(id, salt));
                "look"
            }
        }
    }
}

mod conversed;
#[cfg(test)]
mod tests;
