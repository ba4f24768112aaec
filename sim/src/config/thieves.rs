//! Decides which thieves a run has: of an invite whose time is over, of a device that was revoked, and of a copy of a folder.

use super::SimConfig;
use super::draw::rare;

impl SimConfig {
    /// The thieves: nothing else is drawn from this stream. There is a revoked device to be stolen only where the operator
    /// revokes any; and a copy of a device is no member where another journal is restored, and unheard where the relay lies.
    pub(super) fn draw_thieves(&mut self) {
        let rng = &mut self.streams().stream("config/thieves");
        let [invite, revoked, copy] = [(); 3].map(|()| rare(rng, 500, 6_000));
        self.invite_thief_mean_ms = invite;
        self.revoked_thief_mean_ms = if self.revoke_mean_ms > 0 { revoked } else { 0 };
        let honest = self.restore_after_s == 0 && !self.has_liar();
        self.copy_mean_ms = if honest { copy } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thief_is_absent_from_many_runs_and_present_in_others() {
        let mut on = [0; 3];
        for config in (0..200).map(SimConfig::draw) {
            let thieves =
                |config: &SimConfig| [config.invite_thief_mean_ms, config.revoked_thief_mean_ms, config.copy_mean_ms];
            for (count, mean_ms) in on.iter_mut().zip(thieves(&config)) {
                *count += u32::from(mean_ms > 0);
            }
            assert_eq!(thieves(&config.without_faults()), [0; 3]);
        }
        assert!(on.iter().all(|count| (20..160).contains(count)), "{on:?}");
    }
}
