//! What the world does to the system in the storm, and how the relay comes back from it.

use countersign_core::id::ConnId;

use super::event::Event;
use super::{World, disks};
use crate::node::Node;
use crate::node::relay::Begun;
use crate::rng::Draw;
use crate::story::{Crash, FIRST_DIRECT, Phase, Seen, Side, is_direct};

/// How long the news of a cut takes to either end, at most, in microseconds.
const CUT_NEWS_US: u64 = 1_500_000;

impl World {
    /// Draws when the network cuts a connection next.
    pub(super) fn plan_cut(&mut self) {
        let mean_ms = self.config.cut_mean_ms;
        let after_ms = self.faults.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::CutSomething);
        }
    }

    /// Draws when the relay crashes next, besides at appends.
    pub(super) fn plan_crash(&mut self) {
        let mean_ms = self.config.crash_mean_ms;
        let after_ms = self.faults.between(1, 2 * mean_ms.max(1));
        if mean_ms > 0 {
            self.later(after_ms * 1_000, Event::CrashRelay);
        }
    }

    pub(super) fn cut_something(&mut self) {
        if self.phase != Phase::Storm {
            return;
        }
        let conns: Vec<ConnId> = self.wires.range(..FIRST_DIRECT).map(|(conn, _)| *conn).collect();
        let silent = self.faults.chance(self.config.silent_percent, 100);
        if let Some(conn) = self.faults.pick(&conns).copied() {
            self.cut(conn, silent);
        }
        self.plan_cut();
    }

    /// Cuts a connection in both directions, and tells its ends of it after a while, or not.
    pub(super) fn cut(&mut self, conn: ConnId, silent: bool) {
        self.see(&Seen::Cut { conn, silent });
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.cut(self.now_us);
        }
        let draws = if is_direct(conn) { &mut self.streets } else { &mut self.faults };
        let after_us = [(); 2].map(|()| draws.between(1, CUT_NEWS_US));
        for (to, after_us) in [Side::Dialler, Side::Listener].into_iter().zip(after_us) {
            if !silent {
                self.later(after_us, Event::Ended(conn, to));
            }
        }
    }

    /// The oldest append on its way becomes durable, unless the relay crashes first; and if it does, the relay may
    /// crash before it hears of it.
    pub(super) fn durable(&mut self, life: u64) {
        if life != self.relay_life {
            return;
        }
        if !self.saboteur.lets_disk_answer(self.phase) {
            return;
        }
        let (before, after) = (self.config.crash_before_percent, self.config.crash_after_percent);
        let (crash_before, crash_after) = (self.faults.chance(before, 100), self.faults.chance(after, 100));
        let fate = self.append_fate(crash_before, crash_after);
        if let Some(how) = fate.filter(|how| *how != Crash::AfterAppend) {
            return self.crash(how);
        }
        let Some(committed) = self.commit() else { return };
        self.saboteur.committed(self.relay.disk.records().map(|_| 1).sum(), self.now_us);
        if fate == Some(Crash::AfterAppend) {
            return self.crash(Crash::AfterAppend);
        }
        self.later(1, Event::Appended(life, committed.append, committed.first));
    }

    pub(super) fn crash_whenever(&mut self) {
        if self.phase == Phase::Storm {
            if self.relay.is_up() {
                self.crash(Crash::Whenever);
            }
            self.plan_crash();
        }
    }

    /// The relay's process is gone, and its sockets with it.
    pub(super) fn crash(&mut self, how: Crash) {
        let lost = self.relay.crash();
        self.relay_life += 1;
        self.dirty.remove(&Node::Relay);
        self.wakes.remove(&Node::Relay);
        self.unread.clear();
        self.see(&Seen::Crashed(how, lost));
        self.operator.server_gone();
        self.villains.drop_liar();
        self.saboteur.crashed(&mut self.relay.disk, self.now_us);
        let silent = self.takes_machine();
        let conns: Vec<ConnId> = self.wires.range(..FIRST_DIRECT).map(|(conn, _)| *conn).collect();
        for conn in conns {
            if let Some(wire) = self.wires.get_mut(&conn) {
                wire.vanish(Side::Listener);
                wire.cut(self.now_us);
            }
            let after_us = self.faults.between(1, CUT_NEWS_US);
            if silent {
                self.leave_half_open(conn);
            } else {
                self.later(after_us, Event::Ended(conn, Side::Dialler));
            }
            self.sweep_wire(conn);
        }
        let after_us = self.faults.between(1, self.config.down_max_ms.max(1)) * 1_000;
        self.later(after_us.max(disks::rest_us(how)), Event::StartRelay);
    }

    pub(super) fn start_relay(&mut self) {
        if self.relay.is_up() || !self.saboteur.lets_relay_run(self.phase) {
            return;
        }
        self.rot();
        self.see_replay();
        let Begun { state, snapshot, passed_over } = self.relay.start(self.now_us);
        self.see(&Seen::Resumed(snapshot, &state, &passed_over));
        self.start_liar();
        self.mark(Node::Relay);
    }

    /// Reads the journal from its beginning, and shows what it comes to.
    pub(super) fn see_replay(&mut self) {
        let (state, digests) = self.relay.replay();
        self.see(&Seen::Replayed(&state, &digests));
        self.see_disk();
    }
}
