//! Who the other end has proved to be, and for how long that holds: against the revocation lists, and until its certificate
//! ends or the one that has renewed it.

use super::Peer;
use crate::fault::Fault;
use crate::id::DeviceName;
use crate::time::{Now, Wall};
use crate::tls::{CertRefusal, Judged, Lists, Proven};

impl Peer {
    /// The same end, which judges the other one by these revocation lists. Without any it believes nobody.
    #[must_use]
    pub fn with_lists(mut self, lists: Lists) -> Self {
        self.lists = lists;
        self
    }

    /// There are other revocation lists: a session with somebody who is on them ends at once, on every way.
    pub fn relisted(&mut self, lists: Lists) {
        let is_revoked = self.proven.as_ref().is_some_and(|proven| lists.have(proven.serial()));
        self.lists = lists;
        if is_revoked && !self.over {
            self.judge(Err(Fault::Certificate(CertRefusal::Revoked)));
        }
    }

    /// The last second of the other end's proof, once there is one.
    pub fn proof_ends(&self) -> Option<Wall> {
        self.proof_ends
    }

    /// This certificate was found good and to be in the log. If it is the other end's, for the very name and key that the
    /// handshake has proved, the proof holds as long as it: whether it was believed.
    pub fn vouched(&mut self, judged: &Judged) -> bool {
        let is_theirs =
            self.proven.as_ref().is_some_and(|proven| *proven.who() == judged.device && proven.key() == judged.key);
        let holds_longer = is_theirs && self.proof_ends.is_some_and(|ends| ends < judged.not_after);
        if holds_longer {
            self.proof_ends = Some(judged.not_after);
        }
        holds_longer
    }

    /// The handshake is over: whoever it proved is told under which checkpoint we expect them.
    pub(super) fn met(&mut self, device: Option<Proven<DeviceName>>, now: Now) -> Result<(), Fault> {
        let proven = device.ok_or(Fault::Unexpected)?;
        self.lists.judge(proven.issuer(), proven.serial(), now.wall).map_err(Fault::Certificate)?;
        let word = self.agreement.met(&proven)?;
        self.proof_ends = Some(proven.not_after());
        self.proven = Some(proven);
        self.tunnelled(&word);
        Ok(())
    }
}
