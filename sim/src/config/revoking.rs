//! Decides how often the operator takes devices back: drawn from a stream of its own.

use super::SimConfig;
use super::draw::rare;

impl SimConfig {
    /// How often devices are revoked: nothing else is drawn from this stream. Never where an older journal is restored,
    /// which has forgotten it, or where the relay lies, which may keep it back.
    pub(super) fn draw_revoking(&mut self) {
        let mean_ms = rare(&mut self.streams().stream("config/revoking"), 2_000, 40_000);
        let honest = self.restore_after_s == 0 && !self.has_liar();
        self.revoke_mean_ms = if honest { mean_ms } else { 0 };
    }
}
