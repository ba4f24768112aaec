//! Decides who has a recovery code, and how often somebody loses every device, or the code, too: drawn from a stream of its own.

use super::draw::{family, rare};
use super::{ConfigRefusal, SimConfig};

impl SimConfig {
    /// Codes and losses: nothing else is drawn from this stream. Never where an older journal is restored or the relay lies, for
    /// the same reason as with revocations.
    pub(super) fn draw_recovering(&mut self) {
        let rng = &mut self.streams().stream("config/recovering");
        let (codes, code_mean_ms) = (family(rng, 100), rare(rng, 2_000, 40_000));
        let (lose_mean_ms, lost) = (rare(rng, 5_000, 60_000), family(rng, 100));
        if self.restore_after_s == 0 && !self.has_liar() {
            (self.recovery_percent, self.code_mean_ms) = (codes, code_mean_ms);
            (self.lose_mean_ms, self.lose_code_percent) = (lose_mean_ms, lost);
        }
    }

    /// Whether these numbers are within their ranges.
    pub(super) fn check_own(&self) -> Result<(), ConfigRefusal> {
        match self {
            _ if self.recovery_percent > 100 => Err(ConfigRefusal::Range("recovery_percent")),
            _ if self.sign_up > 2 => Err(ConfigRefusal::Range("sign_up")),
            _ if self.password_percent > 100 => Err(ConfigRefusal::Range("password_percent")),
            _ if self.lose_code_percent > 100 => Err(ConfigRefusal::Range("lose_code_percent")),
            _ => Ok(()),
        }
    }
}
