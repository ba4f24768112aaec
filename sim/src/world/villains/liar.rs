//! Puts a relay that lies in the genuine one's place, for everybody who has a certificate.
//!
//! It lives and dies with the genuine process, whose journal it reads. In some runs it stays for good; in others the
//! storm's end is its own, and everybody has to find back from whatever they were told.

use countersign_core::id::ConnId;

use super::super::World;
use super::super::event::Event;
use super::super::wire::{Party, Wire};
use super::Doing;
use crate::node::liar::grown::Claim;
use crate::node::liar::{Genuine, Liar, Wants};
use crate::rng::Draw;
use crate::story::plots::Plot;
use crate::story::{Phase, Program, Seen, Side};

/// How often the lying relay thinks of something new, in microseconds.
const THINK_US: u64 = 1_000_000;
/// How long the news of its end takes, at most, in microseconds.
const NEWS_US: u64 = 1_500_000;

impl World {
    /// The relay's process has started: what in it lies starts, too.
    pub(in crate::world) fn start_liar(&mut self) {
        let leaves = self.config.liar_leaves > 0 && self.phase >= Phase::Calm;
        if !self.config.has_liar() || leaves || self.phase >= Phase::Shutdown {
            return;
        }
        let (streams, life, at_us, phase) = (self.villains.streams, self.relay_life, self.now_us, self.phase);
        let Self { relay, villains, config, .. } = self;
        let record = |n: u64| relay.disk.read(n).map(<[u8]>::to_vec);
        if let Some(server) = relay.server() {
            let genuine = Genuine { state: server.state(), record: &record, founded: relay.founded() };
            let before = villains.secret.take();
            let mut liar = Liar::new(config, streams, life, &genuine, before, at_us);
            // In the calm people are left to read what was done, and nobody is kept from it by a fault of the relay's.
            liar.offers(phase == Phase::Storm);
            villains.liar = Some(liar);
        }
    }

    /// It is gone with its process, or with the storm.
    pub(in crate::world) fn stop_liar(&mut self) {
        if !self.villains.drop_liar() {
            return;
        }
        let lured = |(conn, wire): (&ConnId, &Wire)| (wire.party(Side::Listener) == Party::Liar).then_some(*conn);
        let conns: Vec<ConnId> = self.wires.iter().filter_map(lured).collect();
        for conn in conns {
            if let Some(wire) = self.wires.get_mut(&conn) {
                wire.vanish(Side::Listener);
                wire.cut(self.now_us);
            }
            let after_us = self.villains.choices.between(1, NEWS_US);
            self.later(after_us, Event::Ended(conn, Side::Dialler));
            self.sweep_wire(conn);
        }
    }

    /// Whether a device's attempt to connect leads to the one who lies, and if so, it does.
    pub(in crate::world) fn lure(&mut self, program: Program, local: ConnId) -> bool {
        let enrols = self.devices.get(program.device).is_none_or(crate::node::device::DeviceNode::is_enrolling);
        if enrols || self.villains.liar.is_none() {
            return false;
        }
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let mut wire = Wire::new(&self.config, conn, Party::Device(program, local), Party::Liar);
        let connected_us = wire.connect(self.now_us);
        self.wires.insert(conn, wire);
        self.see(&Seen::Lured(conn, program));
        if let Some(liar) = &mut self.villains.liar {
            liar.opened(conn);
        }
        if let Some(at_us) = connected_us {
            self.at(at_us, Event::Connected(conn));
        }
        true
    }

    /// Lets it do something that needs what it has of the genuine relay, and carries out what it wants then.
    pub(in crate::world) fn at_liar(&mut self, act: impl FnOnce(&mut Liar, &Genuine<'_>, u64)) {
        let at_us = self.now_us;
        let Self { relay, villains, .. } = self;
        let record = |n: u64| relay.disk.read(n).map(<[u8]>::to_vec);
        let (Some(liar), Some(server)) = (&mut villains.liar, relay.server()) else { return };
        let genuine = Genuine { state: server.state(), record: &record, founded: relay.founded() };
        act(liar, &genuine, at_us);
        let (told, overheard) = (liar.take_told(), liar.take_overheard());
        let (played, heads) = (liar.take_played(), liar.take_heads(genuine.state));
        for (device, takes) in played {
            self.see(&Seen::Plot(&Plot::Played(device, takes)));
        }
        for (number, head) in heads {
            self.see(&Seen::Plot(&Plot::Head(number, head)));
        }
        for (conn, lie) in told {
            let party = self.wires.get(&conn).map(|wire| wire.party(Side::Dialler));
            if let Some(Party::Device(program, _)) = party {
                self.see(&Seen::Lied(program, lie));
            }
        }
        for bytes in overheard {
            self.see(&Seen::Overheard(&bytes));
        }
        self.carry_out_liar();
    }

    /// Carries out what it wants.
    pub(in crate::world) fn carry_out_liar(&mut self) {
        while let Some(wants) = self.villains.liar.as_mut().and_then(Liar::poll) {
            match wants {
                Wants::Write(conn) => self.write(conn, Side::Listener),
                Wants::Drop(conn) => self.forget(conn, Side::Listener),
            }
        }
    }

    /// The CA certifies a device under somebody's name, of which its owner knows nothing.
    pub(super) fn certify_in_secret(&mut self) {
        if self.phase > Phase::Storm {
            return;
        }
        let victims = self.villains.liar.as_ref().map(Liar::victims).unwrap_or_default();
        let Some(victim) = self.villains.secrets.pick(&victims).cloned() else { return self.plan_secret() };
        let (keys, mut grown) = (self.villains.keys(), None);
        let claim = self.villains.claims.pick(&Claim::ALL).copied().unwrap_or(Claim::Reissue);
        self.at_liar(|liar, genuine, at_us| grown = liar.certify((claim, &victim), keys, genuine, at_us));
        if let Some((grown, index)) = grown {
            self.see(&Seen::Grown(&grown.name, grown.claim, &grown.der, grown.key()));
            let kin = self.villains.liar.as_ref().map(|liar| liar.kin(&victim)).unwrap_or_default();
            for device in kin {
                self.see(&Seen::Betrayed(&device, index));
            }
        }
        self.plan_secret();
    }

    /// Draws when it does so next.
    pub(super) fn plan_secret(&mut self) {
        let mean_ms = self.config.secret_mean_ms;
        if mean_ms > 0 {
            let after_ms = self.villains.secrets.between(1, 2 * mean_ms);
            self.later(after_ms * 1_000, Event::Villain(Doing::CertifyInSecret));
        }
    }

    /// Somebody who has the key of a grown device calls people with it.
    pub(super) fn play_grown(&mut self) {
        if self.phase == Phase::Storm {
            let mut choices = self.villains.plays.clone();
            self.at_liar(|liar, genuine, _| liar.call_as_grown(&mut choices, genuine));
            self.villains.plays = choices;
        }
        self.plan_play();
    }

    /// Draws when they do so next.
    pub(super) fn plan_play(&mut self) {
        if self.config.secret_plays > 0 && self.phase == Phase::Storm {
            let after_ms = self.villains.plays.between(1, 2 * self.config.secret_mean_ms.max(1));
            self.later(after_ms * 1_000, Event::Villain(Doing::PlayGrown));
        }
    }

    /// It thinks of something that nobody asked for.
    pub(super) fn think_of_lies(&mut self) {
        self.at_liar(Liar::tick);
        if self.phase < Phase::Shutdown {
            self.later(THINK_US, Event::Villain(Doing::ThinkOfLies));
        }
    }
}
