//! Decides how often people take back devices of their own: drawn from a stream of its own.

use super::SimConfig;
use super::draw::rare;

impl SimConfig {
    /// How often people do: nothing else is drawn from this stream. Never where an older journal is restored or the relay lies,
    /// for the same reason as with the operator's revocations.
    pub(super) fn draw_withdrawing(&mut self) {
        let mean_ms = rare(&mut self.streams().stream("config/withdrawing"), 2_000, 40_000);
        let honest = self.restore_after_s == 0 && !self.has_liar();
        self.withdraw_mean_ms = if honest { mean_ms } else { 0 };
    }
}
