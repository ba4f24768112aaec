//! Nothing grows without bound: what waits for a socket, a line, a record, a page, a person's calls, and what the relay's
//! process holds.

mod relay;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::device::{Command, Event};
use countersign_core::id::CallId;
use countersign_core::limits::{
    CALLS_MAX, DIRECT_ACCEPTS_MAX, DIRECT_ADDRESSES_MAX, LINE_BYTES_MAX, OUTBOX_BYTES_MAX, PEER_OUTBOX_BYTES_MAX,
    RECORD_ENCODED_BYTES_MAX, WHO_PAGE_MAX,
};

use super::Oracle;
use crate::story::{Program, Seen, is_direct};
use relay::Relay;

/// What TLS adds to a full outbox: a header and a tag a record, and the goodbye.
const SEALING_BYTES_MAX: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub struct Bounds {
    relay: Relay,
    /// The calls that came up and are not over.
    calls: BTreeSet<(Program, CallId)>,
    /// The calls that began, by a wish or from outside, and are not over.
    begun: BTreeSet<(Program, CallId)>,
    /// How many calls came up in each program, and how many addresses it has dialled.
    opened: BTreeMap<Program, usize>,
    dials: BTreeMap<Program, usize>,
    /// How many connections each listener has taken.
    accepted: BTreeMap<(Program, CallId), usize>,
}

impl Oracle for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.relay.see(at_us, seen)?;
        match seen {
            Seen::Written { conn, waiting, .. }
                if is_direct(*conn) && *waiting > PEER_OUTBOX_BYTES_MAX + SEALING_BYTES_MAX =>
            {
                Err(format!("{waiting} bytes wait on direct connection {conn}, the bound is {PEER_OUTBOX_BYTES_MAX}"))
            }
            Seen::DialledPeer(program, ..) => self.dialled(*program),
            Seen::Listens(program, call, _) => {
                self.accepted.insert((*program, *call), 0);
                Ok(())
            }
            Seen::Met { listener: Some(end), .. } => self.met(*end),
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
            Seen::Wished(who, Command::Call(call, ..)) => {
                self.begun.insert((who.program, *call));
                Ok(())
            }
            Seen::Told(who, event) => self.told(who.program, event),
            _ => Ok(()),
        }
    }
}

impl Bounds {
    /// Each call dials a few addresses, once.
    fn dialled(&mut self, program: Program) -> Result<(), String> {
        let dials = self.dials.entry(program).or_default();
        *dials += 1;
        let calls = self.opened.get(&program).copied().unwrap_or(0);
        if *dials > calls * DIRECT_ADDRESSES_MAX {
            return Err(format!("device {} has dialled {dials} addresses for {calls} calls", program.device));
        }
        Ok(())
    }

    /// A listener takes so many connections; one more ends it, and the shell may have taken a few meanwhile.
    fn met(&mut self, end: (Program, CallId)) -> Result<(), String> {
        let accepted = self.accepted.entry(end).or_default();
        *accepted += 1;
        if *accepted > 2 * DIRECT_ACCEPTS_MAX {
            return Err(format!("device {} has taken {accepted} connections for call {}", end.0.device, end.1));
        }
        Ok(())
    }

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
                *self.opened.entry(program).or_default() += 1;
                let open = self.calls.iter().filter(|(holder, _)| *holder == program).count();
                if open > CALLS_MAX {
                    return Err(format!("device {} holds {open} calls at once", program.device));
                }
                Ok(())
            }
            Event::Call(call, CallEvent::Incoming(_)) => {
                self.begun.insert((program, *call));
                // A wish too many is denied before anything else happens, and one may be on its way to that.
                let begun = self.begun.iter().filter(|(holder, _)| *holder == program).count();
                if begun > CALLS_MAX + 1 {
                    return Err(format!("device {} has {begun} calls at once, waiting ones included", program.device));
                }
                Ok(())
            }
            Event::Denied(call, CallDenied::TooMany) => {
                self.begun.remove(&(program, *call));
                Ok(())
            }
            Event::Call(call, CallEvent::Ended(_)) => {
                self.begun.remove(&(program, *call));
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
    use crate::story::{FIRST_DIRECT, Side};

    #[test]
    fn a_call_dials_a_few_addresses_and_takes_a_few_connections() {
        let (stage, mut oracle) = (Stage::of(&["alice"]), Bounds::default());
        let program = stage.who(0).program;
        let address = std::net::SocketAddr::from(([192, 0, 2, 1], 7443));
        let open = CallEvent::Open(crate::oracles::tests::name("bob"), countersign_core::device::calls::Path::Tunnel);
        stage.told(0, Event::Call(CallId(1), open)).show(&mut oracle).expect("opening is free");
        let dial = Seen::DialledPeer(program, ConnId(1), address);
        assert_eq!((0..DIRECT_ADDRESSES_MAX).try_for_each(|_| oracle.see(0, &dial)), Ok(()));
        assert!(oracle.see(0, &dial).is_err());
        let met = Seen::Met { conn: FIRST_DIRECT, dialler: None, listener: Some((program, CallId(1))), astray: false };
        oracle.see(0, &Seen::Listens(program, CallId(1), &[address])).expect("listening is free");
        assert_eq!((0..2 * DIRECT_ACCEPTS_MAX).try_for_each(|_| oracle.see(0, &met)), Ok(()));
        assert!(oracle.see(0, &met).is_err());
    }

    #[test]
    fn what_is_at_its_bound_is_fine_and_one_more_is_not() {
        let mut oracle = Bounds::default();
        let mut waiting = |waiting| {
            oracle.see(0, &Seen::Written { conn: ConnId(1), by: Side::Listener, taken: 0, waiting, bytes: b"" })
        };
        assert_eq!(waiting(OUTBOX_BYTES_MAX), Ok(()));
        assert!(waiting(OUTBOX_BYTES_MAX + SEALING_BYTES_MAX + 1).is_err());
        let mut waiting = |waiting| {
            oracle.see(0, &Seen::Written { conn: FIRST_DIRECT, by: Side::Dialler, taken: 0, waiting, bytes: b"" })
        };
        assert_eq!(waiting(PEER_OUTBOX_BYTES_MAX), Ok(()));
        assert!(waiting(PEER_OUTBOX_BYTES_MAX + SEALING_BYTES_MAX + 1).is_err());
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
