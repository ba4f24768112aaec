//! A person who comes back without any device: by the word of their recovery key, or by the operator's alone; and how a
//! device of theirs makes the recovery key (design 4, protocol §4.18, §4.19).
//!
//! ```text
//! device:    Arm --------------------Append(RecoveryArmed)-----------> Done
//! newcomer:  Enrol + recovery word --Append(CertificateRecovered)--+
//!            Enrol by a reissue -----Append(CertificateReissued)---+-> Granted (as a first device's, `ca.rs`)
//! ```
//!
//! What is asked here is asked again, for good, by the fold (RC-01 to RC-07, RI-01 to RI-03).

use super::{Asker, Ca, No, Step};
use crate::effect::{Room, Turn};
use crate::id::{AskId, ConnId, DeviceName};
use crate::invite::TokenHash;
use crate::journal::Record;
use crate::journal::fold::{may_arm, may_recover, may_reissue};
use crate::limits::APPENDS_PENDING_MAX;
use crate::pki::{CheckedCsr, Spki};
use crate::tlog::{Endorsement, RecoveryWord};
use crate::wire::Code;

impl Ca {
    /// A newcomer comes by the word of its user's recovery key.
    pub(super) fn recover(
        &mut self,
        asker: Asker,
        checked: &CheckedCsr,
        token: TokenHash,
        word: RecoveryWord,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        may_recover(turn.state, &token, checked.name(), checked.key().id(), &word, turn.now.wall)
            .map_err(No::Journal)?;
        let record = |grant| Record::CertificateRecovered { grant, word };
        self.write_down(Step::Granting(asker), (checked, token), Vec::new(), record, turn)
    }

    /// A newcomer comes by the operator's word alone.
    pub(super) fn reissue(
        &mut self,
        asker: Asker,
        checked: &CheckedCsr,
        token: TokenHash,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        may_reissue(turn.state, &token, checked.name(), checked.key().id(), turn.now.wall).map_err(No::Journal)?;
        self.write_down(Step::Granting(asker), (checked, token), Vec::new(), Record::CertificateReissued, turn)
    }

    /// A device makes its user's recovery key.
    pub(super) fn arm(
        &mut self,
        (conn, ask): (ConnId, AskId),
        own: &DeviceName,
        key: Spki,
        endorsement: Endorsement,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        let (user, at) = (own.user.clone(), turn.now.wall);
        // Nobody speaks for another device of theirs.
        if endorsement.by != own.device {
            return Err(No::Code(Code::RECOVERY_REFUSED));
        }
        let newest = turn.state.users().get(&user).and_then(|account| account.recoveries.newest());
        // The same again is an answer that was lost.
        if newest.is_none_or(|armed| armed.key != key.id()) {
            may_arm(turn.state, &user, &key, &endorsement, at).map_err(No::Recovery)?;
        }
        if self.appending.len() >= APPENDS_PENDING_MAX {
            return Err(No::Busy);
        }
        let append = turn.out.append(Room::Ca, vec![Record::RecoveryArmed { user, key, endorsement, at }]);
        self.appending.insert(append, Step::Arming(Asker::Endorser(conn, ask)));
        Ok(())
    }
}

/// The word of a request, if it comes by one.
pub(super) fn word(extensions: &crate::wire::Extensions) -> Option<RecoveryWord> {
    extensions.get(crate::wire::enrol::RECOVERY).ok().flatten()
}
