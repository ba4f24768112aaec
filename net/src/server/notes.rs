//! Decides how what the machine notes reads in the log: one event a note, its level, its fields.

use std::net::SocketAddr;

use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use tracing::field::display;
use tracing::{error, info, warn};

/// Logs a note; `from` is where the connection that it is about comes from, if it is about one.
pub(super) fn log(note: &Note, from: Option<SocketAddr>) {
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
