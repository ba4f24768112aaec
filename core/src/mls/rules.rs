//! What a commit may hold, and in which form messages leave (RFC 9420 §12.4 and §6.3).
//!
//! - Its committer may do what it does ([`super::policy`]). From outside a device commits itself in, where it may come by itself.
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
use mls_rs_core::identity::SigningIdentity;

use super::identity::Identities;
use super::lent::Lent;
use super::policy::{Deed, Policy};
use crate::id::DeviceName;

/// Why a commit is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// It refers to a proposal that came before it.
    ByReference,
    /// It does what no commit of ours does: keys shared before, a group begun anew, another protocol's proposal.
    Foreign,
    /// Somebody who is no member made it, and may not come in by it.
    FromOutside,
    /// It is about somebody who is no device of the realm.
    Nameless,
    /// What the group is from then on, or was before, is nothing that this program knows.
    Policy,
    /// Its committer may not do what it does.
    NotAllowed,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ByReference => "a commit refers to a proposal that came before it",
            Self::Foreign => "a commit proposes what no commit of this program does",
            Self::FromOutside => "a commit was made by somebody who is no member, and may not come in by it",
            Self::Nameless => "a commit is about somebody who is no device of the realm",
            Self::Policy => "what the group is can't be understood",
            Self::NotAllowed => "a commit does what its committer may not do",
        })
    }
}

impl std::error::Error for RuleError {}

impl IntoAnyError for RuleError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

/// The same in every group; what a committer may do, the group's own policy says.
#[derive(Clone, Debug)]
pub struct Rules {
    lent: Lent,
    identities: Identities,
}

impl Rules {
    /// Over what is lent for a call.
    pub(super) fn new(lent: Lent, identities: Identities) -> Self {
        Self { lent, identities }
    }

    fn name(&self, signing: &SigningIdentity) -> Result<DeviceName, RuleError> {
        self.identities.name(signing).map_err(|_| RuleError::Nameless)
    }

    /// What the proposals of a commit would do.
    fn deed(&self, roster: &Roster<'_>, proposals: &ProposalBundle) -> Result<Deed, RuleError> {
        let named = |index| {
            let member = roster.member_with_index(index).map_err(|_| RuleError::Nameless)?;
            let name = self.name(&member.signing_identity)?;
            let revoked = self.lent.ask(|beliefs, _| beliefs.is_revoked(&member.signing_identity));
            Ok((name, revoked.unwrap_or(false)))
        };
        let members =
            roster.members_iter().map(|member| self.name(&member.signing_identity)).collect::<Result<_, _>>()?;
        let adds = proposals.add_proposals().iter().map(|add| self.name(add.proposal.signing_identity()));
        let removes = proposals.remove_proposals().iter().map(|remove| named(remove.proposal.to_remove()));
        let becomes = match proposals.group_context_ext_proposals() {
            [] => None,
            [only] => Some(Policy::of(&only.proposal).ok_or(RuleError::Policy)?),
            [_, _, ..] => return Err(RuleError::Foreign),
        };
        let (adds, removes) = (adds.collect::<Result<_, _>>()?, removes.collect::<Result<_, _>>()?);
        Ok(Deed { members, adds, removes, becomes })
    }
}

impl MlsRules for Rules {
    type Error = RuleError;

    fn filter_proposals(
        &self,
        _: CommitDirection,
        source: CommitSource,
        roster: &Roster<'_>,
        context: &GroupContext,
        proposals: ProposalBundle,
    ) -> Result<ProposalBundle, RuleError> {
        if proposals.iter_proposals().any(|proposal| proposal.is_by_reference()) {
            return Err(RuleError::ByReference);
        }
        let foreign = !proposals.psk_proposals().is_empty()
            || !proposals.reinit_proposals().is_empty()
            || !proposals.custom_proposals().is_empty();
        if foreign {
            return Err(RuleError::Foreign);
        }
        #[cfg(test)]
        if self.lent.is_lenient() {
            return Ok(proposals);
        }
        let policy = Policy::of(&context.extensions).ok_or(RuleError::Policy)?;
        let deed = self.deed(roster, &proposals)?;
        match source {
            CommitSource::ExistingMember(committer) => {
                let by = self.name(&committer.signing_identity)?;
                if policy.allows(&by, &deed) { Ok(proposals) } else { Err(RuleError::NotAllowed) }
            }
            CommitSource::NewMember(newcomer) => {
                let newcomer = self.name(&newcomer)?;
                if policy.lets_in(&newcomer, &deed) { Ok(proposals) } else { Err(RuleError::FromOutside) }
            }
        }
    }

    fn commit_options(&self, _: &Roster<'_>, _: &GroupContext, _: &ProposalBundle) -> Result<CommitOptions, RuleError> {
        Ok(CommitOptions::new().with_path_required(true))
    }

    fn encryption_options(&self, _: &Roster<'_>, _: &GroupContext) -> Result<EncryptionOptions, RuleError> {
        Ok(EncryptionOptions::new(true, PaddingMode::StepFunction))
    }
}
