//! What the relay's process holds stays under its limits: connections, strangers among them, connections of a device,
//! appends that nobody has answered, and the tables of its state.
//!
//! A limit is looked at when a moment is over: whoever comes makes somebody go in the same moment.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::effect::Note;
use countersign_core::id::{ConnId, DeviceName};
use countersign_core::journal::State;
use countersign_core::limits::{
    ADMIN_VISITORS_MAX, APPENDS_PENDING_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_DEVICE_MAX, INVITES_OPEN_MAX,
    STRANGERS_MAX, USERS_MAX,
};
use countersign_core::time::Wall;

use crate::story::{Seen, Side, is_direct};

/// Appends that nobody has answered: the CA's, and one for each who stands at the operator's desk.
const APPENDS_MAX: usize = APPENDS_PENDING_MAX + ADMIN_VISITORS_MAX;

/// What can be known from outside of what the relay's process holds.
#[derive(Debug, Default)]
pub(super) struct Relay {
    now_us: u64,
    /// Whether something has changed in this moment.
    changed: bool,
    conns: BTreeSet<ConnId>,
    strangers: BTreeSet<ConnId>,
    members: BTreeMap<DeviceName, BTreeSet<ConnId>>,
    appends: usize,
}

impl Relay {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        if at_us > self.now_us {
            self.now_us = at_us;
            if std::mem::take(&mut self.changed) {
                self.check()?;
            }
        }
        self.changed |= self.change(seen);
        if let Seen::Replayed(state, _) = seen { check_state(state) } else { Ok(()) }
    }

    fn change(&mut self, seen: &Seen<'_>) -> bool {
        match seen {
            Seen::Opened(conn, _) => {
                self.conns.insert(*conn);
                self.strangers.insert(*conn);
            }
            Seen::Noted(Note::Admitted(conn, device)) => {
                self.strangers.remove(conn);
                self.members.entry(device.clone()).or_default().insert(*conn);
            }
            Seen::Noted(Note::Closed(conn, Some(device), _)) => {
                if let Some(conns) = self.members.get_mut(device) {
                    conns.remove(conn);
                }
            }
            Seen::Dropped(conn, Side::Listener) if !is_direct(*conn) => {
                self.conns.remove(conn);
                self.strangers.remove(conn);
            }
            Seen::Appending(..) => self.appends += 1,
            Seen::Durable(..) => self.appends = self.appends.saturating_sub(1),
            Seen::Crashed(..) => {
                let (now_us, changed) = (self.now_us, self.changed);
                *self = Self { now_us, changed, ..Self::default() };
            }
            _ => return false,
        }
        true
    }

    fn check(&self) -> Result<(), String> {
        bound(self.conns.len(), "connections are open at the relay", CONNECTIONS_MAX)?;
        bound(self.strangers.len(), "strangers are connected to the relay", STRANGERS_MAX)?;
        bound(self.appends, "appends wait for the disk", APPENDS_MAX)?;
        for (device, conns) in &self.members {
            let what = format!("connections of {}'s device are admitted", device.user);
            bound(conns.len(), &what, CONNECTIONS_PER_DEVICE_MAX)?;
        }
        Ok(())
    }
}

fn check_state(state: &State) -> Result<(), String> {
    bound(state.users().len(), "people are in the realm", USERS_MAX)?;
    bound(state.invites_open(Wall(0)), "invites are open", INVITES_OPEN_MAX)
}

fn bound(count: usize, what: &str, most: usize) -> Result<(), String> {
    if count > most { Err(format!("{count} {what}, and the bound is {most}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use countersign_core::fault::CloseReason;
    use countersign_core::id::AppendId;

    use super::*;
    use crate::oracles::tests::name;
    use crate::story::{Crash, Phase, Program};

    const WHO: Program = Program { device: 0, life: 1 };

    fn next_moment(relay: &mut Relay, at_us: u64) -> Result<(), String> {
        relay.see(at_us, &Seen::Phase(Phase::Storm))
    }

    fn open(relay: &mut Relay, conns: std::ops::RangeInclusive<usize>) {
        for conn in conns {
            let conn = ConnId(u64::try_from(conn).expect("a small number"));
            relay.see(1, &Seen::Opened(conn, WHO)).expect("nothing is looked at before the moment is over");
        }
    }

    #[test]
    fn strangers_are_counted_when_the_moment_is_over() {
        let mut relay = Relay::default();
        open(&mut relay, 1..=STRANGERS_MAX + 1);
        relay.see(1, &Seen::Dropped(ConnId(1), Side::Listener)).expect("the oldest goes");
        assert_eq!(next_moment(&mut relay, 2), Ok(()));
        let mut relay = Relay::default();
        open(&mut relay, 1..=STRANGERS_MAX + 1);
        assert!(next_moment(&mut relay, 2).is_err());
    }

    #[test]
    fn a_device_may_have_so_many_connections_and_the_relay_too() {
        let mut relay = Relay::default();
        open(&mut relay, 1..=CONNECTIONS_MAX + 1);
        for conn in relay.conns.clone() {
            let device = if conn.0 % 2 == 0 { name("alice") } else { name("bob") };
            relay.change(&Seen::Noted(&Note::Admitted(conn, device)));
        }
        assert!(next_moment(&mut relay, 2).is_err_and(|words| words.contains("at the relay")));
        let mut relay = Relay::default();
        open(&mut relay, 1..=CONNECTIONS_PER_DEVICE_MAX + 1);
        for conn in relay.conns.clone() {
            relay.change(&Seen::Noted(&Note::Admitted(conn, name("alice"))));
        }
        let ended = Note::Closed(ConnId(1), Some(name("alice")), CloseReason::Truncated);
        assert!(relay.check().is_err());
        relay.change(&Seen::Noted(&ended));
        assert_eq!(relay.check(), Ok(()));
    }

    #[test]
    fn appends_wait_for_the_disk_up_to_a_bound_and_a_crash_ends_their_waiting() {
        let mut relay = Relay::default();
        for _ in 0..APPENDS_MAX {
            relay.change(&Seen::Appending(AppendId(1), &[]));
        }
        assert_eq!(relay.check(), Ok(()));
        relay.change(&Seen::Appending(AppendId(1), &[]));
        assert!(relay.check().is_err());
        relay.change(&Seen::Durable(1, &[]));
        assert_eq!(relay.check(), Ok(()));
        relay.change(&Seen::Appending(AppendId(1), &[]));
        relay.change(&Seen::Crashed(Crash::Whenever, 1));
        assert_eq!(relay.check(), Ok(()));
    }
}
