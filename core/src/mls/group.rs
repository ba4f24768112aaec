//! One group, as this device knows it: what comes of a call takes its place only when all of it has succeeded.
//!
//! - A message that is not genuine costs nothing: `mls-rs` uses up its key before it knows, so a commit is opened on a copy. A copy
//!   of a room's group costs more than a message does, so a message is opened on the group itself, which is what was written down
//!   of it again if that fails ([`Spoilt`]).
//! - What was sealed leaves only after the state behind it is durable: [`Unkept`] gives out the message for the word that its
//!   [`Saved`] was written. A device that forgot it had sealed would use the same key twice, and the second message is dropped.
//! - Nobody is believed on the way whom the device has not judged: [`Tried::Unjudged`] names the certificates, and nothing else
//!   came of the call.

use std::collections::BTreeMap;
use std::sync::Arc;

use mls_rs::error::MlsError;
use mls_rs::group::{ApplicationMessageDescription, CommitEffect, ContentType, ReceivedMessage};
use mls_rs::{MlsMessage, MlsMessageDescription};
use rand_core::CryptoRng;
use serde_bytes::ByteBuf;

use super::beliefs::{Beliefs, Unjudged};
use super::identity::Identities;
use super::keep::{Saved, SavedTree, Tray};
use super::lent::Lent;
use super::member::{Config, Member, MlsFault, at};
use super::policy::Policy;
use crate::id::{DeviceName, Fingerprint};
use crate::time::Wall;

/// What came of a call in which others' certificates may be shown.
#[derive(Debug)]
pub enum Tried<T> {
    /// It is done.
    Done(T),
    /// Nothing came of it: these certificates have to be judged first.
    Unjudged(Unjudged),
}

/// Lets nothing come of a call in which somebody was shown whom nobody has judged.
pub(super) fn settle<T, U>(
    done: Result<T, MlsError>,
    unjudged: Unjudged,
    finish: impl FnOnce(T) -> Result<U, MlsFault>,
) -> Result<Tried<U>, MlsFault> {
    if unjudged.is_empty() { finish(done?).map(Tried::Done) } else { Ok(Tried::Unjudged(unjudged)) }
}

/// What is to happen once the state that it belongs to is durable.
#[derive(Debug)]
#[must_use = "nothing has happened to the group before this was kept"]
pub struct Unkept<T> {
    next: Group,
    saved: Arc<Saved>,
    tree: Option<SavedTree>,
    then: T,
}

impl<T> Unkept<T> {
    /// What has to be written down first.
    pub fn saved(&self) -> &Saved {
        &self.saved
    }

    /// The tree, if it is another one than before: to be written down in one with the rest.
    pub fn tree(&self) -> Option<&SavedTree> {
        self.tree.as_ref()
    }

    /// It is written down: the group from now on, and what may leave the device.
    pub fn kept(self) -> (Group, T) {
        (self.next, self.then)
    }
}

/// A message could not be opened, and the group is of no use as it is.
#[derive(Debug)]
pub struct Spoilt {
    /// Why.
    pub fault: MlsFault,
    group: Group,
}

impl Spoilt {
    /// The group as it was before.
    pub fn restored(self, member: &Member) -> Result<Group, MlsFault> {
        let tree = self.group.tree()?;
        let saved = self.group.saved.ok_or(MlsFault::Unexpected)?;
        member.load(&saved, &tree)
    }
}

/// What a message held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something that a member said, with what stood beside it for all to see.
    Said {
        /// Which device.
        by: DeviceName,
        /// What.
        text: Vec<u8>,
        /// What the relay could read of it.
        open: Vec<u8>,
    },
    /// The group goes on with these devices.
    Changed {
        /// Who changed it.
        by: DeviceName,
        /// Who is there now and was not.
        came: Vec<DeviceName>,
        /// Who was there and is no more.
        went: Vec<DeviceName>,
    },
    /// This device is no member any more.
    Removed {
        /// Who removed it.
        by: DeviceName,
    },
}

/// What a commit is to do, besides giving the committer new keys.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Key packages of devices to be added.
    pub add: Vec<Vec<u8>>,
    /// Devices to be removed.
    pub remove: Vec<DeviceName>,
    /// The committer's newer certificate.
    pub renew: Option<Member>,
    /// What the group is from then on.
    pub becomes: Option<Policy>,
}

/// A commit of ours that the relay has not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// For the members.
    pub commit: Vec<u8>,
    /// For those who are added.
    pub welcome: Option<Vec<u8>>,
}

/// Whether a call has changed the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    New,
    AsBefore,
}

/// See the module.
#[derive(Clone)]
pub struct Group {
    inner: mls_rs::Group<Config>,
    lent: Lent,
    tray: Tray,
    identities: Identities,
    /// What was written down of it last.
    saved: Option<Arc<Saved>>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl Group {
    pub(super) fn new(inner: mls_rs::Group<Config>, lent: Lent, tray: Tray, identities: Identities) -> Self {
        Self { inner, lent, tray, identities, saved: None }
    }

    /// The same, of which this was written down.
    pub(super) fn saved_as(self, saved: &Saved) -> Self {
        Self { saved: Some(Arc::new(saved.clone())), ..self }
    }

    /// How many commits it has seen.
    pub fn epoch(&self) -> u64 {
        self.inner.current_epoch()
    }

    /// Its number.
    pub fn id(&self) -> &[u8] {
        self.inner.group_id()
    }

    /// The devices in it, by their places in the tree.
    pub fn members(&self) -> BTreeMap<u32, DeviceName> {
        let named =
            |member: mls_rs::group::Member| Some((member.index, self.identities.name(&member.signing_identity).ok()?));
        self.inner.roster().members_iter().filter_map(named).collect()
    }

    /// The certificates by which they are in it.
    pub fn certificates(&self) -> BTreeMap<DeviceName, Fingerprint> {
        let certificate = |member: mls_rs::group::Member| {
            let name = self.identities.name(&member.signing_identity).ok()?;
            let leaf = member.signing_identity.credential.as_x509()?.leaf()?.to_vec();
            Some((name, Fingerprint::of(&leaf)))
        };
        self.inner.roster().members_iter().filter_map(certificate).collect()
    }

    /// What it is, and who may change it.
    pub fn policy(&self) -> Option<Policy> {
        Policy::of(&self.inner.context().extensions)
    }

    /// This device's own place in the tree.
    pub fn own_place(&self) -> u32 {
        self.inner.current_member_index()
    }

    /// What two members of one epoch have in common, and nobody else (RFC 9420 §8.7).
    pub fn authenticator(&self) -> Result<Vec<u8>, MlsFault> {
        Ok(self.inner.epoch_authenticator()?.to_vec())
    }

    /// Seals what this device says; `open` stands beside it for the relay to read.
    pub fn say(mut self, text: &[u8], open: Vec<u8>, rng: &mut dyn CryptoRng) -> Result<Unkept<Vec<u8>>, MlsFault> {
        let inner = &mut self.inner;
        // Nobody's certificate is looked at.
        let (sealed, _) = self.lent.during(&Beliefs::default(), rng, || inner.encrypt_application_message(text, open));
        let sealed = sealed?.to_bytes()?;
        self.unkept(Tree::AsBefore, sealed)
    }

    /// Opens what somebody has said in it.
    pub fn open(
        mut self,
        message: &[u8],
        beliefs: &Beliefs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Unkept<Heard>, Box<Spoilt>> {
        let inner = &mut self.inner;
        #[expect(
            clippy::disallowed_methods,
            reason = "what others have said is read whatever the time is: `Beliefs::of_deeds`"
        )]
        let open = || inner.process_incoming_message(as_said(message)?);
        let (opened, unjudged) = self.lent.during(&beliefs.of_deeds(), rng, open);
        let said = match opened {
            Ok(ReceivedMessage::ApplicationMessage(said)) if unjudged.is_empty() => self.said(&said),
            Ok(_) => Err(MlsFault::Unexpected),
            Err(error) => Err(error.into()),
        };
        match said.and_then(|heard| Ok((heard, self.written(Tree::AsBefore)?))) {
            Ok((then, (saved, tree))) => Ok(Unkept { next: self, saved, tree, then }),
            Err(fault) => Err(Box::new(Spoilt { fault, group: self })),
        }
    }

    fn said(&self, said: &ApplicationMessageDescription) -> Result<Heard, MlsFault> {
        // Nobody else's certificate is read: there may be a thousand.
        let sender = self.inner.member_at_index(said.sender_index).ok_or(MlsFault::Unexpected)?;
        let by = self.identities.name(&sender.signing_identity).map_err(|_| MlsFault::Unexpected)?;
        Ok(Heard::Said { by, text: said.data().to_vec(), open: said.authenticated_data.clone() })
    }

    /// Opens a message of this group.
    pub fn hear(
        &self,
        message: &[u8],
        beliefs: &Beliefs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Tried<Unkept<Heard>>, MlsFault> {
        let message = MlsMessage::from_bytes(message)?;
        let mut next = self.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "what others have done is followed whatever the time is: `Beliefs::of_deeds`"
        )]
        let open = || next.inner.process_incoming_message(message);
        let (opened, unjudged) = self.lent.during(&beliefs.of_deeds(), rng, open);
        settle(opened, unjudged, |opened| {
            let heard = self.heard(&next, opened)?;
            let tree = if matches!(heard, Heard::Said { .. }) { Tree::AsBefore } else { Tree::New };
            next.unkept(tree, heard)
        })
    }

    /// Puts together a commit. It is this device's alone until the relay has accepted it: then [`Group::accepted`].
    pub fn commit(
        &self,
        change: &Change,
        beliefs: &Beliefs,
        now: Wall,
        rng: &mut dyn CryptoRng,
    ) -> Result<Tried<Unkept<Committed>>, MlsFault> {
        let mut next = self.clone();
        let places: BTreeMap<DeviceName, u32> = self.members().into_iter().map(|(at, name)| (name, at)).collect();
        let build = || {
            let mut builder = next.inner.commit_builder().commit_time(at(now));
            for package in &change.add {
                builder = builder.add_member(MlsMessage::from_bytes(package)?)?;
            }
            for name in &change.remove {
                builder = builder.remove_member(places.get(name).copied().ok_or(MlsError::MemberNotFound)?)?;
            }
            if let Some(policy) = &change.becomes {
                builder = builder.set_group_context_ext(vec![policy.extension()].into())?;
            }
            if let Some(member) = &change.renew {
                let (identity, signer) = member.signing();
                builder = builder.set_new_signing_identity(signer, identity);
            }
            builder.build()
        };
        let (built, unjudged) = self.lent.during(beliefs, rng, build);
        settle(built, unjudged, |output| {
            let welcome = output.welcome_messages().first().map(MlsMessage::to_bytes).transpose()?;
            let committed = Committed { commit: output.commit_message().to_bytes()?, welcome };
            next.unkept(Tree::AsBefore, committed)
        })
    }

    /// The relay has accepted this device's commit: it holds from now on.
    pub fn accepted(&self, beliefs: &Beliefs, rng: &mut dyn CryptoRng) -> Result<Tried<Unkept<Heard>>, MlsFault> {
        let mut next = self.clone();
        let (applied, unjudged) = self.lent.during(beliefs, rng, || next.inner.apply_pending_commit());
        settle(applied, unjudged, |commit| {
            let heard = self.heard(&next, ReceivedMessage::Commit(commit))?;
            next.unkept(Tree::New, heard)
        })
    }

    /// What somebody needs who comes in from outside, in this epoch (RFC 9420 §12.4.3): who is in it and by which keys, for all to
    /// read whom the relay gives it.
    pub fn group_info(&self, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, MlsFault> {
        // Nobody's certificate is looked at.
        let (info, _) =
            self.lent.during(&Beliefs::default(), rng, || self.inner.group_info_message_allowing_ext_commit(true));
        Ok(info?.to_bytes()?)
    }

    /// The relay has refused this device's commit: it never was.
    pub fn withdrawn(&self) -> Result<Unkept<()>, MlsFault> {
        let mut next = self.clone();
        next.inner.clear_pending_commit();
        next.unkept(Tree::AsBefore, ())
    }

    /// Whether a commit of this device waits for the relay.
    pub fn has_commit(&self) -> bool {
        self.inner.has_pending_commit()
    }

    fn heard(&self, next: &Self, opened: ReceivedMessage) -> Result<Heard, MlsFault> {
        match opened {
            ReceivedMessage::ApplicationMessage(said) => self.said(&said),
            ReceivedMessage::Commit(commit) => {
                let (before, after) = (self.members(), next.members());
                let by = before.get(&commit.committer).filter(|_| !commit.is_external);
                let by = by.or(after.get(&commit.committer)).cloned().ok_or(MlsFault::Unexpected)?;
                if matches!(commit.effect, CommitEffect::Removed { .. }) {
                    return Ok(Heard::Removed { by });
                }
                // A renewed certificate is the same device's; only from outside another device takes a place.
                let own =
                    |(place, name): (&u32, &DeviceName)| *place != commit.committer || after.get(place) == Some(name);
                if !commit.is_external && !before.iter().all(own) {
                    return Err(MlsFault::Impostor);
                }
                let lacks = |all: &BTreeMap<u32, DeviceName>, name: &DeviceName| !all.values().any(|one| one == name);
                let came = after.values().filter(|name| lacks(&before, name)).cloned().collect();
                let went = before.values().filter(|name| lacks(&after, name)).cloned().collect();
                Ok(Heard::Changed { by, came, went })
            }
            ReceivedMessage::Proposal(_)
            | ReceivedMessage::GroupInfo(_)
            | ReceivedMessage::Welcome
            | ReceivedMessage::KeyPackage(_) => Err(MlsFault::Unexpected),
        }
    }

    /// The group as it is now, to be written down before `then` happens.
    pub(super) fn unkept<T>(mut self, tree: Tree, then: T) -> Result<Unkept<T>, MlsFault> {
        let (saved, tree) = self.written(tree)?;
        Ok(Unkept { next: self, saved, tree, then })
    }

    fn written(&mut self, tree: Tree) -> Result<(Arc<Saved>, Option<SavedTree>), MlsFault> {
        self.inner.write_to_storage_without_ratchet_tree()?;
        let tree = match tree {
            Tree::New => Some(self.tree()?),
            Tree::AsBefore => None,
        };
        let saved = Arc::new(self.tray.take(self.inner.group_id()).ok_or(MlsFault::Unexpected)?);
        self.saved = Some(Arc::clone(&saved));
        Ok((saved, tree))
    }

    fn tree(&self) -> Result<SavedTree, MlsFault> {
        Ok(SavedTree(ByteBuf::from(self.inner.export_tree().to_bytes()?)))
    }
}

/// What is a message, and nothing that would change a group.
fn as_said(message: &[u8]) -> Result<MlsMessage, MlsError> {
    let message = MlsMessage::from_bytes(message)?;
    let is_said = matches!(
        message.description(),
        MlsMessageDescription::PrivateProtocolMessage { content_type: ContentType::Application, .. }
    );
    if is_said { Ok(message) } else { Err(MlsError::UnexpectedMessageType) }
}

#[cfg(test)]
mod tests;
