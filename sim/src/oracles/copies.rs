//! A device of which there are two copies is present by one of them: the newer connection replaces the older one, which is
//! gone within a second and is told so, and who is told so leaves for good. That nobody hears a line twice or loses one unsaid
//! is for others to say (`delivery.rs`, `impostor.rs`).

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::Event;
use countersign_core::effect::Note;
use countersign_core::fault::CloseReason;
use countersign_core::id::{ConnId, DeviceName};
use countersign_core::wire::Code;

use super::Oracle;
use crate::story::plots::Plot;
use crate::story::{Program, Seen};

/// How long the relay may take to end the older connection, in microseconds.
const BOUND_US: u64 = 1_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Copies {
    /// By which connection each program came last.
    conns: BTreeMap<Program, ConnId>,
    /// The connections that the relay has admitted and not closed.
    open: BTreeSet<ConnId>,
    /// The connections by which somebody is known to have been present, and as whom.
    present: BTreeMap<ConnId, DeviceName>,
    /// Since when a newer one is there.
    replaced: BTreeMap<ConnId, u64>,
}

impl Oracle for Copies {
    fn name(&self) -> &'static str {
        "copies"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.older_ones_end(at_us)?;
        match seen {
            Seen::Connected(conn, who) => drop(self.conns.insert(who.program, *conn)),
            Seen::Told(who, Event::Here(_)) => {
                if let Some(conn) = self.conns.get(&who.program).copied() {
                    self.comes(conn, who.name, at_us);
                }
            }
            Seen::Plot(Plot::Present(conn, name)) => self.comes(*conn, name, at_us),
            Seen::Noted(Note::Admitted(conn, _)) => drop(self.open.insert(*conn)),
            Seen::Noted(Note::Closed(conn, ..)) => {
                self.open.remove(conn);
                self.present.remove(conn);
                self.replaced.remove(conn);
            }
            Seen::Crashed(..) => {
                self.open.clear();
                self.present.clear();
                self.replaced.clear();
            }
            Seen::Told(who, Event::Offline(CloseReason::Theirs(Code::REPLACED), _)) => {
                return Err(format!("{} was replaced, and comes again by itself", who.name));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Copies {
    /// Somebody is present by this connection; whoever was by an older one is not any more.
    fn comes(&mut self, conn: ConnId, name: &DeviceName, at_us: u64) {
        if !self.open.contains(&conn) {
            // Whoever hears of it is late: it is over by now.
            return;
        }
        let older = self.present.iter().filter(|(other, of)| **other < conn && *of == name);
        let older: Vec<ConnId> = older.map(|(other, _)| *other).collect();
        for other in older {
            self.replaced.entry(other).or_insert(at_us);
        }
        self.present.insert(conn, name.clone());
    }

    fn older_ones_end(&self, at_us: u64) -> Result<(), String> {
        match self.replaced.iter().find(|(_, since_us)| at_us > **since_us + BOUND_US) {
            Some((conn, since_us)) => {
                let after_us = at_us - since_us;
                Err(format!("connection {conn} is there {after_us} us after a newer one of the same device came"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oracles::tests::{Stage, name};

    /// Alice is present by connection 1, and a copy of her device by connection 2.
    fn copied(stage: &Stage) -> Copies {
        let mut oracle = Copies::default();
        for (conn, user) in [(0, "alice"), (1, "alice"), (2, "alice"), (3, "bob")] {
            oracle.see(1, &Seen::Noted(&Note::Admitted(ConnId(conn), name(user)))).expect("they may");
        }
        oracle.see(1, &Seen::Connected(ConnId(1), stage.who(0))).expect("coming is free");
        stage.told(0, Event::Here(Vec::new())).show_at(2, &mut oracle).expect("she is here");
        oracle.see(3, &Seen::Plot(&Plot::Present(ConnId(2), name("alice")))).expect("it comes");
        oracle
    }

    #[test]
    fn the_older_connection_is_gone_within_a_second() {
        let stage = Stage::of(&["alice"]);
        let closed = |conn| Note::Closed(ConnId(conn), Some(name("alice")), CloseReason::Ours(Code::REPLACED));
        assert!(copied(&stage).see(BOUND_US + 4, &Seen::Rotten).is_err_and(|words| words.contains("connection 1")));
        let mut oracle = copied(&stage);
        oracle.see(4, &Seen::Noted(&closed(2))).expect("it may");
        assert!(oracle.see(BOUND_US + 4, &Seen::Rotten).is_err(), "that was the newer one");
        let mut oracle = copied(&stage);
        oracle.see(4, &Seen::Noted(&closed(1))).expect("it has to");
        assert_eq!(oracle.see(BOUND_US + 4, &Seen::Rotten), Ok(()));
    }

    #[test]
    fn somebody_else_and_an_older_copy_replace_nobody() {
        let stage = Stage::of(&["alice"]);
        for (conn, user) in [(3, "bob"), (0, "alice")] {
            let mut oracle = copied(&stage);
            oracle.replaced.clear();
            oracle.see(4, &Seen::Plot(&Plot::Present(ConnId(conn), name(user)))).expect("it comes");
            assert_eq!(oracle.see(BOUND_US + 9, &Seen::Rotten), Ok(()));
        }
    }

    #[test]
    fn whoever_hears_late_that_they_were_present_is_not() {
        let stage = Stage::of(&["alice"]);
        let mut oracle = copied(&stage);
        let closed = Note::Closed(ConnId(1), Some(name("alice")), CloseReason::Ours(Code::REPLACED));
        oracle.see(4, &Seen::Noted(&closed)).expect("it has to");
        stage.told(0, Event::Here(Vec::new())).show_at(5, &mut oracle).expect("it was long on its way");
        oracle.see(6, &Seen::Noted(&Note::Admitted(ConnId(9), name("alice")))).expect("they may");
        oracle.see(6, &Seen::Plot(&Plot::Present(ConnId(9), name("alice")))).expect("it comes");
        oracle.see(7, &Seen::Noted(&Note::Closed(ConnId(2), None, CloseReason::TimedOut))).expect("it may");
        assert_eq!(oracle.see(BOUND_US + 9, &Seen::Rotten), Ok(()));
    }

    #[test]
    fn whoever_is_replaced_leaves_for_good() {
        let stage = Stage::of(&["alice"]);
        let replaced = CloseReason::Theirs(Code::REPLACED);
        let lost = Event::Offline(replaced, Duration::from_secs(1));
        assert!(stage.told(0, lost).show(&mut Copies::default()).is_err());
        assert_eq!(stage.told(0, Event::GivenUp(replaced)).show(&mut Copies::default()), Ok(()));
    }
}
