//! Decides when the relay's port takes nobody: it is closed and says so, or its queue is full and it says nothing.

use countersign_core::id::ConnId;

use crate::rng::Draw;
use crate::story::Program;
use crate::story::weather::Weather;
use crate::world::World;
use crate::world::event::Event;

/// A time at which nobody is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shut {
    mute: bool,
    until_us: u64,
}

impl World {
    /// The port takes nobody from now on, for a while.
    pub(super) fn shut_port(&mut self) {
        let rng = &mut self.network.rng;
        let mute = rng.chance(self.config.refuse_mute_percent, 100);
        let for_us = rng.between(1, self.config.refuse_max_ms.max(1)) * 1_000;
        self.network.shut = Some(Shut { mute, until_us: self.now_us + for_us });
        self.see_weather(&Weather::PortShut { mute, for_us });
    }

    /// Somebody is at the port. Who gets no answer is there again later: their system tries until they lose patience.
    pub(super) fn knock(&mut self, program: Program, local: ConnId, event: Event) -> Option<Event> {
        let Some(shut) = self.network.shut.filter(|shut| shut.until_us > self.now_us) else { return Some(event) };
        self.see_weather(&Weather::Refused { program, mute: shut.mute });
        if shut.mute {
            let after_us = shut.until_us - self.now_us + self.network.rng.between(1, 1_000_000);
            self.later(after_us, event);
        } else {
            self.later(self.config.latency_min_us, Event::Unreachable(program, local));
        }
        None
    }
}
