//! Which calls may have lost their tunnel since they came up, as far as it can be seen from outside.

use std::collections::BTreeMap;

use countersign_core::device::calls::CallEvent;
use countersign_core::device::{Command, Event};
use countersign_core::id::CallId;

use crate::story::{Program, Seen, Who};

/// When things happened after which there may be no tunnel.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    /// With whom each call is, and since when it is up.
    up: BTreeMap<(Program, CallId), (String, u64)>,
    /// When each user last lost the relay, or was gone.
    away: BTreeMap<String, u64>,
    /// When each user last ended a call with each other, or wished to.
    left: BTreeMap<(String, String), u64>,
}

impl Tunnels {
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) {
        match seen {
            Seen::Told(who, Event::Call(call, CallEvent::Open(with, _))) => {
                self.up.insert((who.program, *call), (with.user.to_string(), at_us));
            }
            Seen::Told(who, Event::Call(call, CallEvent::Ended(_))) | Seen::Wished(who, Command::HangUp(call, _)) => {
                if let Some((with, _)) = self.up.get(&(who.program, *call)) {
                    self.left.insert((user(who), with.clone()), at_us);
                }
            }
            Seen::Told(who, Event::Offline(..) | Event::GivenUp(_) | Event::Done)
            | Seen::Wished(who, Command::Quit)
            | Seen::Killed(who) => drop(self.away.insert(user(who), at_us)),
            _ => {}
        }
    }

    /// Whether, since a call came up, one of its two ends lost the relay, was gone, or ended a call with the other.
    pub(super) fn may_be_gone(&self, end: (Program, CallId), who: &Who<'_>) -> bool {
        let Some((with, since_us)) = self.up.get(&end) else { return false };
        let (holder, with) = (user(who), with.clone());
        let away = [&holder, &with].into_iter().filter_map(|one| self.away.get(one));
        let pairs = [(holder.clone(), with.clone()), (with.clone(), holder.clone())];
        let left = pairs.iter().filter_map(|pair| self.left.get(pair));
        away.chain(left).any(|at_us| at_us >= since_us)
    }
}

fn user(who: &Who<'_>) -> String {
    who.name.user.to_string()
}
