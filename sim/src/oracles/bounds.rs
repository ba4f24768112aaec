//! Nothing grows without bound: what waits for a socket, a line, a record, a page, a person's calls.

use std::collections::BTreeSet;

use countersign_core::device::Event;
use countersign_core::device::calls::CallEvent;
use countersign_core::id::CallId;
use countersign_core::limits::{CALLS_MAX, LINE_BYTES_MAX, OUTBOX_BYTES_MAX, RECORD_ENCODED_BYTES_MAX, WHO_PAGE_MAX};

use super::Oracle;
use crate::story::{Program, Seen};

/// What TLS adds to a full outbox: a header and a tag a record, and the goodbye.
const SEALING_BYTES_MAX: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub struct Bounds {
    /// The calls that came up and are not over.
    calls: BTreeSet<(Program, CallId)>,
}

impl Oracle for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Written { conn, waiting, .. } if *waiting > OUTBOX_BYTES_MAX + SEALING_BYTES_MAX => {
                Err(format!("{waiting} bytes wait on connection {conn}, and the bound is {OUTBOX_BYTES_MAX}"))
            }
            Seen::Appending(_, records) => {
                match records.iter().find(|record| record.len() > RECORD_ENCODED_BYTES_MAX) {
                    Some(record) => Err(format!("a record of {} bytes is to be written", record.len())),
                    None => Ok(()),
                }
            }
            Seen::RoomBroken(program, call) => {
                Err(format!("device {} had room for a line in call {call} and refused it", program.device))
            }
            Seen::Told(who, event) => self.told(who.program, event),
            _ => Ok(()),
        }
    }
}

impl Bounds {
    fn told(&mut self, program: Program, event: &Event) -> Result<(), String> {
        match event {
            Event::Here(devices) if devices.len() > WHO_PAGE_MAX => {
                Err(format!("a page of {} devices was shown", devices.len()))
            }
            Event::Call(_, CallEvent::Line(_, text)) if text.len() > LINE_BYTES_MAX => {
                Err(format!("a line of {} bytes was heard", text.len()))
            }
            Event::Call(call, CallEvent::Open(..)) => {
                self.calls.insert((program, *call));
                let open = self.calls.iter().filter(|(holder, _)| *holder == program).count();
                if open > CALLS_MAX {
                    return Err(format!("device {} holds {open} calls at once", program.device));
                }
                Ok(())
            }
            Event::Call(call, CallEvent::Ended(_)) => {
                self.calls.remove(&(program, *call));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::{AppendId, ConnId};

    use super::*;
    use crate::oracles::tests::Stage;
    use crate::story::Side;

    #[test]
    fn what_is_at_its_bound_is_fine_and_one_more_is_not() {
        let mut oracle = Bounds::default();
        let mut waiting =
            |waiting| oracle.see(0, &Seen::Written { conn: ConnId(1), by: Side::Relay, taken: 0, waiting });
        assert_eq!(waiting(OUTBOX_BYTES_MAX), Ok(()));
        assert!(waiting(OUTBOX_BYTES_MAX + SEALING_BYTES_MAX + 1).is_err());
        for (length, fits) in [(RECORD_ENCODED_BYTES_MAX, true), (RECORD_ENCODED_BYTES_MAX + 1, false)] {
            let records = [vec![0; length]];
            assert_eq!(oracle.see(0, &Seen::Appending(AppendId(1), &records)).is_ok(), fits);
        }
        let stage = Stage::of(&["alice"]);
        for (length, fits) in [(LINE_BYTES_MAX, true), (LINE_BYTES_MAX + 1, false)] {
            let line = CallEvent::Line(0, "x".repeat(length));
            assert_eq!(stage.told(0, Event::Call(CallId(1), line)).show(&mut oracle).is_ok(), fits);
        }
        assert!(oracle.see(0, &Seen::RoomBroken(stage.who(0).program, CallId(1))).is_err());
    }
}
