//! Decides whether those who write to each other have rooms, too: drawn from a stream of its own.

use super::SimConfig;
use super::draw::rare;
use crate::rng::Draw;

impl SimConfig {
    /// In half of those runs in which people write they have rooms, and in half of these a lobby is asked for: nothing else is drawn
    /// from this stream.
    pub(super) fn draw_rooms(&mut self) {
        let rng = &mut self.streams().stream("config/rooms");
        let (mean_ms, lobby) = (rare(rng, 1_000, 8_000), rng.below(8));
        if mean_ms > 0 && self.conversing > 0 {
            self.room_mean_ms = mean_ms;
            self.lobby = match lobby {
                1..=3 => 1,
                4 => 2,
                _ => 0,
            };
        }
    }

    /// Whether those who write have rooms.
    pub fn has_rooms(&self) -> bool {
        self.conversing > 0 && (self.room_mean_ms > 0 || self.lobby > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_those_who_write_have_rooms_and_some_of_these_a_lobby_or_ask_for_one_in_vain() {
        let configs: Vec<_> = (0..400).map(SimConfig::draw).collect();
        let count = |is: fn(&SimConfig) -> bool| configs.iter().filter(|config| is(config)).count();
        assert!((50..150).contains(&count(SimConfig::has_rooms)), "{} of 400", count(SimConfig::has_rooms));
        for lobby in 1..=2 {
            let with = configs.iter().filter(|config| config.lobby == lobby).count();
            assert!((4..80).contains(&with), "lobby {lobby} in {with} of 400 runs");
        }
        assert_eq!(count(|config| config.has_rooms() && config.conversing == 0), 0);
        assert!(configs.iter().all(|config| !config.clone().without_faults().has_rooms()));
    }
}
