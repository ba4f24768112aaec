//! What a commit may hold, and in which form messages leave (RFC 9420 §12.4 and §6.3).
//!
//! - Proposals are in the commit itself: one that came before by itself would have to be kept, in an order of its own.
//! - Each commit has a path: whoever commits heals with it (§16.6).
//! - Handshakes are private messages, so that the relay reads neither who is added nor who is removed.
//! - What is sealed is padded by steps, so that its length tells a class of sizes.

use mls_rs::MlsRules;
use mls_rs::client_builder::PaddingMode;
use mls_rs::group::GroupContext;
use mls_rs::group::Roster;
use mls_rs::mls_rules::{CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle};
use mls_rs_core::error::IntoAnyError;

/// Why a commit is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// It refers to a proposal that came before it.
    ByReference,
    /// It does what no commit of ours does: keys shared before, a group begun anew, another protocol's proposal.
    Foreign,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ByReference => "a commit refers to a proposal that came before it",
            Self::Foreign => "a commit proposes what no commit of this program does",
        })
    }
}

impl std::error::Error for RuleError {}

impl IntoAnyError for RuleError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

/// The same in every group.
#[derive(Clone, Copy, Debug)]
pub struct Rules;

impl MlsRules for Rules {
    type Error = RuleError;

    fn filter_proposals(
        &self,
        _: CommitDirection,
        _: CommitSource,
        _: &Roster<'_>,
        _: &GroupContext,
        proposals: ProposalBundle,
    ) -> Result<ProposalBundle, RuleError> {
        if proposals.iter_proposals().any(|proposal| proposal.is_by_reference()) {
            return Err(RuleError::ByReference);
        }
        let foreign = !proposals.psk_proposals().is_empty()
            || !proposals.reinit_proposals().is_empty()
            || !proposals.custom_proposals().is_empty();
        if foreign { Err(RuleError::Foreign) } else { Ok(proposals) }
    }

    fn commit_options(&self, _: &Roster<'_>, _: &GroupContext, _: &ProposalBundle) -> Result<CommitOptions, RuleError> {
        Ok(CommitOptions::new().with_path_required(true))
    }

    fn encryption_options(&self, _: &Roster<'_>, _: &GroupContext) -> Result<EncryptionOptions, RuleError> {
        Ok(EncryptionOptions::new(true, PaddingMode::StepFunction))
    }
}
