//! The side of a comparison that waits: a device that another one of its user is to vouch for.

use std::time::Duration;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::id::{DeviceLabel, DeviceName, Fingerprint, KeyId};
use crate::limits::{COMPARISONS_MAX, WAITING_TIME_MAX};
use crate::pki::comparison::{Commitment, ComparisonCode, ComparisonNonce, Side};

/// What a person is told while their device waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolNews {
    /// The user is there already: one of their devices has to approve this one, within this time.
    Waits(Duration),
    /// A device of the user compares: it has to show this very code.
    Compare(DeviceLabel, ComparisonCode),
}

/// How far the waiting and comparing has come.
pub(super) struct Comparing {
    /// From which the nonces of this one enrolment are made: it may be asked more than once.
    row: Zeroizing<[u8; 32]>,
    count: u32,
    waited: bool,
    compared: Vec<KeyId>,
}

impl std::fmt::Debug for Comparing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparing").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Comparing {
    pub(super) fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut row = Zeroizing::new([0; 32]);
        rng.fill_bytes(row.as_mut());
        Self { row, count: 0, waited: false, compared: Vec::new() }
    }

    /// To what this side commits itself now.
    pub(super) fn commitment(&self) -> Commitment {
        self.nonce().commitment()
    }

    /// The server has it wait, for so long.
    pub(super) fn wait(&mut self, seconds: u32) -> Duration {
        self.waited = true;
        Duration::from_secs(u64::from(seconds)).min(WAITING_TIME_MAX)
    }

    /// Another device compares: what this side shows, and the code. `None` if that is not one to compare with.
    pub(super) fn compare(
        &mut self,
        root: Fingerprint,
        own: (&DeviceName, KeyId),
        by: (&DeviceLabel, KeyId),
        nonce: &ComparisonNonce,
    ) -> Option<(ComparisonNonce, ComparisonCode)> {
        if !self.waited || self.count >= COMPARISONS_MAX || own.0.device == *by.0 || own.1 == by.1 {
            return None;
        }
        let approving = DeviceName { user: own.0.user.clone(), device: by.0.clone() };
        let shown = self.nonce();
        let waiting = Side { device: own.0, key: own.1, nonce: &shown };
        let code = ComparisonCode::of(root, waiting, Side { device: &approving, key: by.1, nonce });
        self.count += 1;
        self.compared.push(by.1);
        Some((shown, code))
    }

    /// Whether this one has been told to wait.
    pub(super) fn has_waited(&self) -> bool {
        self.waited
    }

    /// Whether the word of this key is one that can have come of a comparison. The answer to an earlier request, which was
    /// lost, comes without any waiting.
    pub(super) fn may_be_endorsed_by(&self, key: KeyId) -> bool {
        !self.waited || self.compared.contains(&key)
    }

    fn nonce(&self) -> ComparisonNonce {
        ComparisonNonce::of_row(&self.row, self.count)
    }
}
