//! Decides how what the machine notes reads in the log: one event a note, its level, its fields. What strangers bring
//! about is bounded, so that nobody fills the disk who has no place here.

use std::net::SocketAddr;

use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::limits::{STRANGERS_LINES_A_SECOND, STRANGERS_LINES_AT_ONCE_MAX};
use countersign_core::time::Instant;
use tracing::field::display;
use tracing::{error, info, warn};

/// The log, and how many more lines strangers may have in it just now.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Lines that they have had and that are not made up for yet by the time that has passed.
    had: u64,
    since: Option<Instant>,
    /// Lines that were left out since the last one that was not.
    left_out: u64,
}

impl Notes {
    /// Logs a note; `from` is where the connection that it is about comes from, if it is about one.
    pub(super) fn log(&mut self, note: &Note, from: Option<SocketAddr>, now: Instant) {
        if !is_of_a_stranger(note) || self.has_room(now) {
            write(note, from);
        } else {
            self.left_out += 1;
        }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let made_up = now.since(since).as_secs() * STRANGERS_LINES_A_SECOND;
        if made_up > 0 {
            self.had = self.had.saturating_sub(made_up);
            self.since = Some(now);
        }
        if self.had >= STRANGERS_LINES_AT_ONCE_MAX {
            return false;
        }
        self.had += 1;
        match std::mem::take(&mut self.left_out) {
            0 => {}
            lines => warn!(lines, "left out: too many lines about strangers"),
        }
        true
    }
}

/// Whether anybody can bring this note about, without a certificate.
fn is_of_a_stranger(note: &Note) -> bool {
    match note {
        Note::TurnedAway(_) | Note::Closed(_, None, _) | Note::EnrolRefused(..) => true,
        Note::Closed(_, Some(_), _)
        | Note::Admitted(..)
        | Note::Paused(..)
        | Note::Issued(..)
        | Note::Invited(_)
        | Note::RelayCertified(_)
        | Note::Rotated(_)
        | Note::Revoked(_)
        | Note::IssuingEndsSoon(_)
        | Note::Snapshot(..)
        | Note::Strangers(_)
        | Note::Alarm(_) => false,
    }
}

fn write(note: &Note, from: Option<SocketAddr>) {
    let from = from.map(display);
    match note {
        Note::TurnedAway(conn) => warn!(conn = conn.0, from, "turned away: there are too many connections"),
        Note::Admitted(conn, device) => info!(%device, conn = conn.0, from, "admitted"),
        Note::Paused(conn, device) => {
            warn!(%device, conn = conn.0, from, "paused: it does not read what is sent to it");
        }
        Note::Closed(conn, device, reason) => {
            let device = device.as_ref().map(display);
            if let CloseReason::Fault(fault) = reason {
                warn!(device, conn = conn.0, from, "connection closed: {fault}");
            } else {
                info!(device, conn = conn.0, from, "connection closed: {reason}");
            }
        }
        Note::Issued(device, serial) => info!(%device, %serial, "certificate issued"),
        Note::EnrolRefused(conn, code, why) => {
            warn!(conn = conn.0, from, code = code.0, "enrolment refused: {why}");
        }
        Note::Invited(expires) => info!(%expires, "invite made"),
        Note::RelayCertified(at) => info!(%at, "the relay's certificate was made anew"),
        Note::Rotated(ends) => info!(%ends, "another issuing CA signs from now on"),
        Note::Revoked(device) => info!(%device, "revoked"),
        Note::IssuingEndsSoon(ends) => warn!(
            %ends,
            "the issuing CA ends soon, and what it signs ends with it: make another with server ca rotate, which needs \
             the root's key"
        ),
        Note::Snapshot(n, true) => info!(record = n, "snapshot written"),
        Note::Snapshot(n, false) => {
            error!(record = n, "alarm: no snapshot could be written. Nothing is lost, but the next start takes longer");
        }
        Note::Strangers(work) => info!(
            handshakes = work.turns,
            key_operations = work.key_operations,
            held_back = work.held_back,
            unserved = work.unserved,
            "strangers so far"
        ),
        Note::Alarm(what) => error!("alarm: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn strangers_have_so_many_lines_at_once_and_so_many_a_second() {
        let mut notes = Notes::default();
        let rooms = |notes: &mut Notes, now: Instant| (0..10_000).filter(|_| notes.has_room(now)).count() as u64;
        let begin = Instant(5_000_000);
        assert_eq!(rooms(&mut notes, begin), STRANGERS_LINES_AT_ONCE_MAX);
        let later = begin.plus(Duration::from_secs(3));
        assert_eq!(rooms(&mut notes, later), 3 * STRANGERS_LINES_A_SECOND);
        assert_eq!(rooms(&mut notes, later.plus(Duration::from_secs(3600))), STRANGERS_LINES_AT_ONCE_MAX);
    }
}
