//! A member who does not read is paused, then dropped, and costs the others nothing (protocol §5.5).
//!
//! ```text
//!            more than half of its outbox             a quarter is left
//! (heard) --------------------------------> Paused ----------------------> (heard)
//!                                              |  30 s are over, or the outbox is full: TOO_SLOW
//! ```
//!
//! While a member is paused its socket is not read, so that TCP holds it back, and its own requests can't fill its outbox
//! further. What others send it still comes, up to the bound of the outbox. What had been read before the shell heard of
//! the pause is held here, and taken in order when it ends; also when the connection does, since what a member said
//! before it left counts.

use std::collections::VecDeque;

use rand_core::CryptoRng;

use super::conn::{Conn, Stage};
use super::{Output, Server, Wake};
use crate::effect::Note;
use crate::id::ConnId;
use crate::limits::{HELD_BYTES_MAX, HELD_OVERHEAD_BYTES, OUTBOX_PAUSE_BYTES, OUTBOX_RESUME_BYTES, SLOW_TIME_MAX};
use crate::link::LinkEvent;
use crate::time::Now;
use crate::wire::Code;

/// What a paused member had said already.
#[derive(Debug, Default)]
pub(super) struct Pause {
    held: VecDeque<Vec<u8>>,
    /// With the overhead of each.
    bytes: usize,
}

impl Server {
    /// Pauses a member if too much waits for it.
    pub(super) fn pause_if_slow(&mut self, conn: ConnId, now: Now) {
        let Some(known) = self.conns.get_mut(&conn) else { return };
        let Stage::Admitted(admitted) = &known.stage else { return };
        if known.pause.is_none() && known.link.waiting() > OUTBOX_PAUSE_BYTES {
            known.pause = Some(Box::default());
            self.deadlines.set(Wake::Slow(conn), now.mono.plus(SLOW_TIME_MAX));
            self.outputs.push_back(Output::Pause(conn));
            self.effects.note(Note::Paused(conn, admitted.device().clone()));
        }
    }

    /// Holds a message if its sender is paused; gives it back if not.
    pub(super) fn hold(&mut self, conn: ConnId, message: Vec<u8>, now: Now) -> Option<Vec<u8>> {
        let Some(Conn { pause: Some(pause), .. }) = self.conns.get_mut(&conn) else { return Some(message) };
        let bytes = pause.bytes + message.len() + HELD_OVERHEAD_BYTES;
        if bytes > HELD_BYTES_MAX {
            self.part(conn, Code::TOO_SLOW, now);
        } else {
            pause.bytes = bytes;
            pause.held.push_back(message);
        }
        None
    }

    /// A paused member has read: when it has caught up it is heard again, first what is held.
    pub(super) fn caught_up(&mut self, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        let waiting = |known: &Conn| known.link.waiting();
        if self.conns.get(&conn).is_none_or(|known| known.pause.is_none() || waiting(known) > OUTBOX_RESUME_BYTES) {
            return;
        }
        // It reads: what is held may pause it anew, for as long again.
        self.deadlines.set(Wake::Slow(conn), now.mono.plus(SLOW_TIME_MAX));
        while self.conns.get(&conn).is_some_and(|known| waiting(known) <= OUTBOX_PAUSE_BYTES) {
            let Some(message) = self.take_held(conn) else {
                return self.resume(conn, now);
            };
            self.event(conn, LinkEvent::Message(message), now, rng);
            self.carry_out(now);
        }
    }

    /// The connection ends: what was said before counts.
    pub(super) fn take_all_held(&mut self, conn: ConnId, now: Now, rng: &mut dyn CryptoRng) {
        while let Some(message) = self.take_held(conn) {
            self.event(conn, LinkEvent::Message(message), now, rng);
            self.carry_out(now);
        }
    }

    /// Ends a pause, if there is one. A connection that is over is read as well, so that its end is seen.
    pub(super) fn resume(&mut self, conn: ConnId, now: Now) {
        if let Some(known) = self.conns.get_mut(&conn)
            && known.pause.take().is_some()
        {
            known.heard = now.mono;
            self.deadlines.clear(Wake::Slow(conn));
            self.outputs.push_back(Output::Resume(conn));
        }
    }

    fn take_held(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let pause = self.conns.get_mut(&conn)?.pause.as_mut()?;
        let message = pause.held.pop_front()?;
        pause.bytes -= message.len() + HELD_OVERHEAD_BYTES;
        Some(message)
    }
}
