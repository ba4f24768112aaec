//! Decides whether passwords admit, who joins by one, and how often somebody sets another: drawn from a stream of its own.

use countersign_core::server::SignUpBy;

use super::SimConfig;
use super::draw::{family, rare};
use crate::rng::Draw;

impl SimConfig {
    /// What there is to passwords: nothing else is drawn from this stream. Never where an older journal is restored or the relay
    /// lies, for the same reason as with revocations.
    pub(super) fn draw_passwords(&mut self) {
        let rng = &mut self.streams().stream("config/passwords");
        // Now and then somebody tries where passwords admit nobody.
        let (on, alone, in_vain) = (rng.chance(1, 2), rng.chance(1, 4), rng.chance(1, 4));
        let (people, mean_ms) = (family(rng, 100), rare(rng, 2_000, 40_000));
        if self.restore_after_s == 0 && !self.has_liar() && (on || in_vain) {
            self.sign_up = if on { 2 - u64::from(alone) } else { 0 };
            (self.password_percent, self.password_mean_ms) = (people, mean_ms);
        }
    }

    /// What admits newcomers.
    pub(crate) fn sign_up_by(&self) -> SignUpBy {
        match self.sign_up {
            0 => SignUpBy::Invite,
            1 => SignUpBy::Password,
            _ => SignUpBy::Both,
        }
    }
}
