//! What is posted, to whom, and in which order: from what a device has acknowledged to what comes at this moment.

use std::sync::Arc;

use super::events::{self, Frames, Shared};
use super::line::{Awaited, Line, Stream};
use super::packages::left;
use super::{Delivery, Round, open};
use crate::effect::{Effect, Effects, Note};
use crate::id::{ConnId, ConversationId, LoadId};
use crate::journal::State;
use crate::journal::conversations::Next;
use crate::relay::Admitted;
use crate::wire::Code;
use crate::wire::conversations::ConversationsEvent;

impl Delivery {
    /// A connection becomes the one that takes what is posted for its device.
    pub(super) fn collect(&mut self, from: &Admitted, round: &mut Round<'_>) {
        let (conn, device) = (from.conn(), from.device());
        match self.streams.get(device).copied() {
            // It has had more than it could hold, and begins again with what it has not acknowledged.
            Some(same) if same == conn => {}
            // A word that was long on its way.
            Some(newer) if newer > conn => return round.out.push(Effect::Part(conn, Code::REPLACED)),
            Some(older) => {
                if let Some(line) = self.lines.get_mut(&older) {
                    line.stream = None;
                }
                round.out.push(Effect::Part(older, Code::REPLACED));
            }
            None => {}
        }
        self.streams.insert(device.clone(), conn);
        let mut stream = Stream::begin(round.state.position().n);
        for id in round.state.conversations().seats_of(device) {
            let next = round.state.conversations().get(id);
            stream.set(id, next.and_then(|known| known.next_for(device, self.acks.upto(device, id))));
        }
        let said = events::frames(&left(device, round.state, round.now.wall));
        let line = self.lines.entry(conn).or_insert_with(|| Box::new(Line::new(device.clone())));
        line.stream = Some(stream);
        line.loading.take_if(|(_, awaited)| matches!(awaited, Awaited::Post(..)));
        line.say(conn, &said, round.out);
        self.go_on(conn, round.state, round.out);
    }

    /// Something was posted: whoever is level hears it now, encoded once; the others come to it.
    pub(super) fn fan_out(&mut self, id: ConversationId, place: u64, body: &[u8], round: &mut Round<'_>) {
        let Some(known) = round.state.conversations().get(id) else { return };
        let Some(entry) = known.entry(place) else { return };
        let Some(shared) = Shared::new(id, known, place, entry, body) else {
            return round.out.note(Note::Alarm(format!("what was posted at {place} of {id} can't be read")));
        };
        for (device, seat) in known.whom(place) {
            let Some(conn) = self.streams.get(device) else { continue };
            let Some(line) = self.lines.get_mut(conn) else { continue };
            if !line.is_level() {
                if let Some(stream) = line.stream.as_mut().filter(|stream| !stream.is_behind(id)) {
                    stream.set(id, Some(Next::Entry(entry.n, place)));
                }
            } else if *device == entry.by {
                line.say(*conn, &events::own(id, place, entry), round.out);
            } else {
                line.say(*conn, shared.frames_for(seat, place), round.out);
            }
        }
        self.recent.keep(entry.n, shared);
    }

    /// A device has sent once more what stands. If it comes to that on this connection, that is the answer.
    pub(super) fn posted_before(&mut self, conn: ConnId, id: ConversationId, place: u64, round: &mut Round<'_>) {
        let Some(entry) = round.state.conversations().get(id).and_then(|known| known.entry(place)) else { return };
        let Some(line) = self.lines.get_mut(&conn) else { return };
        let Some(stream) = &line.stream else { return };
        if !stream.is_before(id, place) {
            line.say(conn, &events::own(id, place, entry), round.out);
        }
    }

    /// The socket of a connection has taken all that was said.
    pub fn drained(&mut self, conn: ConnId, state: &State, out: &mut Effects) {
        if let Some(line) = self.lines.get_mut(&conn) {
            line.drained();
            self.go_on(conn, state, out);
        }
    }

    /// Says on a connection what comes next, as far as there is room.
    pub(super) fn go_on(&mut self, conn: ConnId, state: &State, out: &mut Effects) {
        while let Some(line) = self.lines.get_mut(&conn) {
            line.go_on(conn, out);
            if !line.is_free() {
                return;
            }
            // One or the other, or everything is said.
            if !self.hand_out(conn, out) && !self.show_way_in(conn, state, out) && !self.post_next(conn, state, out) {
                return;
            }
        }
    }

    /// Posts what comes next for a device, or asks the journal for it. Whether there was something.
    fn post_next(&mut self, conn: ConnId, state: &State, out: &mut Effects) -> bool {
        let Some(line) = self.lines.get_mut(&conn) else { return false };
        let Some(stream) = &mut line.stream else { return false };
        let first = stream.first();
        let is_new = |next: &Next, old: u64| matches!(next, Next::Entry(n, _) if *n > old);
        if stream.old.is_some_and(|old| first.is_none_or(|(next, _)| is_new(&next, old))) {
            stream.old = None;
            line.say(conn, &events::frames(&ConversationsEvent::CaughtUp), out);
            self.say_what_lacks(conn, state, out);
            return true;
        }
        let Some((next, id)) = first else { return false };
        let Some(known) = state.conversations().get(id) else { return false };
        let device = &line.device;
        let (place, frames) = match next {
            Next::Expired(place, at) => (place, Some(events::expired(id, place, at, device))),
            Next::Entry(n, place) => {
                let Some((entry, seat)) =
                    known.entry(place).zip(known.seat(device)).filter(|(_, seat)| seat.is_for(place))
                else {
                    // It is kept no longer, or the device has acknowledged it meanwhile.
                    stream.set(id, known.next_for(device, place - 1));
                    return true;
                };
                let said = || self.recent.get(n).map(|shared| Arc::clone(shared.frames_for(seat, place)));
                (place, if entry.by == *device { Some(events::own(id, place, entry)) } else { said() })
            }
        };
        stream.set(id, known.next_for(device, place));
        match (frames, next) {
            (Some(frames), _) => line.say(conn, &frames, out),
            (None, Next::Entry(n, _)) => {
                let load = out.load_body(n);
                line.loading = Some((load, Awaited::Post(id, place)));
                self.loading.insert(load, conn);
            }
            (None, Next::Expired(..)) => {}
        }
        true
    }

    /// The journal gave a body that was asked for.
    pub fn loaded(&mut self, load: LoadId, body: Option<&[u8]>, state: &State, out: &mut Effects) {
        let Some(conn) = self.loading.remove(&load) else { return };
        let Some(line) = self.lines.get_mut(&conn) else { return };
        match line.loading.take_if(|(awaited, _)| *awaited == load).map(|(_, awaited)| awaited) {
            Some(Awaited::Package(device, taken)) => self.package_loaded(conn, (device, taken), body, out),
            Some(Awaited::Post(id, place)) => post_loaded(line, conn, (id, place), body, state, out),
            Some(Awaited::Info(ask, id, epoch)) => open::info_loaded(line, conn, (ask, id, epoch), body, state, out),
            None => {}
        }
        self.go_on(conn, state, out);
    }
}

fn post_loaded(
    line: &mut Line,
    conn: ConnId,
    (id, place): (ConversationId, u64),
    body: Option<&[u8]>,
    state: &State,
    out: &mut Effects,
) {
    let (device, Some(stream)) = (&line.device, &mut line.stream) else { return };
    let Some(known) = state.conversations().get(id) else { return };
    let Some((entry, seat)) = known.entry(place).zip(known.seat(device)) else {
        // It was kept no longer while it was read.
        return stream.set(id, known.next_for(device, place - 1));
    };
    let shared = body.and_then(|body| Shared::new(id, known, place, entry, body));
    let frames: Frames = if let Some(shared) = &shared {
        Arc::clone(shared.frames_for(seat, place))
    } else {
        out.note(Note::Alarm(format!("what was posted at {place} of {id} is lost")));
        events::expired(id, place, entry.at, device)
    };
    line.say(conn, &frames, out);
}
