//! This device as a member of groups: its credential, its key packages, and the ways into a group.
//!
//! Who joins has a leaf that ends with their key package, and who begins a group one that ends as soon; beyond that nobody can
//! be added (RFC 9420 §7.3). Their first commit puts an end to it, so devices commit soon after they have joined.

use std::time::Duration;

use mls_rs::client_builder::{
    BaseConfig, ClientBuilder, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider, WithKeyPackageRepo,
    WithMlsRules,
};
use mls_rs::error::MlsError;
use mls_rs::{Client, ExtensionList, MlsMessage};
use mls_rs_core::crypto::SignatureSecretKey;
use mls_rs_core::identity::{CertificateChain, SigningIdentity};
use mls_rs_core::time::MlsTime;
use rand_core::CryptoRng;

use super::beliefs::Beliefs;
use super::group::{Group, Tree, Tried, Unkept, settle};
use super::identity::Identities;
use super::keep::{Cabinet, Drawer, PackageSecrets, Saved, SavedTree, Tray};
use super::lent::Lent;
use super::policy::{self, Policy};
use super::rules::Rules;
use super::suite::{Crypto, SUITE};
use crate::id::{DeviceName, Realm};
use crate::limits::{KEY_PACKAGE_BEFORE, KEY_PACKAGE_LIFETIME};
use crate::time::Wall;
use crate::tls::Credentials;

/// What is put together of ours for `mls-rs`.
pub(super) type Config = WithMlsRules<
    Rules,
    WithGroupStateStorage<
        Cabinet,
        WithKeyPackageRepo<Drawer, WithIdentityProvider<Identities, WithCryptoProvider<Crypto, BaseConfig>>>,
    >,
>;

/// Why nothing came of a call: the other side's doing, or a state that can't be read.
#[derive(Debug)]
pub enum MlsFault {
    /// The device's key is of a kind that does not sign in suite 1.
    Key,
    /// `mls-rs` refuses, and why.
    Refused(Box<MlsError>),
    /// A message of another kind than is awaited here.
    Unexpected,
    /// Somebody's leaf became another user's or another device's without an external commit.
    Impostor,
}

impl From<MlsError> for MlsFault {
    fn from(error: MlsError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl std::fmt::Display for MlsFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key => f.write_str("conversations take an Ed25519 key"),
            Self::Refused(error) => write!(f, "MLS: {error}"),
            Self::Unexpected => f.write_str("MLS: another kind of message was awaited"),
            Self::Impostor => f.write_str("MLS: a member's place was given to another device"),
        }
    }
}

impl std::error::Error for MlsFault {}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Member {
    realm: Realm,
    identity: SigningIdentity,
    signer: SignatureSecretKey,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Member {
    /// The device of these credentials; its certificate's key signs in groups, too.
    ///
    /// # Errors
    /// [`MlsFault::Key`] if it is not Ed25519.
    pub fn new(realm: Realm, credentials: &Credentials) -> Result<Self, MlsFault> {
        let key = credentials.key.as_ed25519().ok_or(MlsFault::Key)?;
        let public = key.spki().ed25519_bytes().ok_or(MlsFault::Key)?;
        let chain = CertificateChain::from(vec![credentials.leaf.to_vec(), credentials.issuing.to_vec()]);
        let identity = SigningIdentity::new(chain.into_credential(), public.to_vec().into());
        Ok(Self { realm, identity, signer: SignatureSecretKey::from(key.seed_and_public().to_vec()) })
    }

    /// A key package that others add this device by, once, and the secrets that it takes to join by it.
    pub fn key_package(&self, now: Wall, rng: &mut dyn CryptoRng) -> Result<(Vec<u8>, PackageSecrets), MlsFault> {
        let (lent, drawer) = (Lent::default(), Drawer::default());
        let client = self.client(&lent, Cabinet::default(), drawer.clone());
        // It holds from a while ago: the clock of whoever adds it may be behind.
        let from = at(Wall(now.0.saturating_sub(KEY_PACKAGE_BEFORE.as_secs())));
        let make = || client.generate_key_package_message(ExtensionList::new(), ExtensionList::new(), Some(from));
        // Nobody else's certificate is in it.
        let (message, _) = lent.during(&Beliefs::default(), rng, make);
        let package = message?.to_bytes()?;
        drawer.take().map(|secrets| (package, secrets)).ok_or(MlsFault::Unexpected)
    }

    /// Begins a group with this number, which is this, and in which nobody else is.
    pub fn found(
        &self,
        id: &[u8],
        policy: &Policy,
        beliefs: &Beliefs,
        now: Wall,
        rng: &mut dyn CryptoRng,
    ) -> Result<Tried<Unkept<()>>, MlsFault> {
        let (lent, tray) = (Lent::default(), Tray::default());
        let client = self.client(&lent, Cabinet::new(tray.clone()), Drawer::default());
        let build = || {
            let builder = client.group_builder()?.with_group_id(id.to_vec());
            builder.with_group_context_extension(policy.extension()).with_now_time(at(now)).build()
        };
        let (group, unjudged) = lent.during(beliefs, rng, build);
        settle(group, unjudged, |group| self.entered(group, lent, tray))
    }

    /// The device whose key package this is, as its certificate says; whether it is to be believed, a commit finds out.
    pub fn owner(&self, package: &[u8]) -> Result<DeviceName, MlsFault> {
        let message = MlsMessage::from_bytes(package)?;
        let package = message.as_key_package().ok_or(MlsFault::Unexpected)?;
        self.identities().name(package.signing_identity()).map_err(|_| MlsFault::Unexpected)
    }

    /// The references of the key packages for which a Welcome was sealed.
    pub fn welcomed(welcome: &[u8]) -> Result<Vec<Vec<u8>>, MlsFault> {
        let message = MlsMessage::from_bytes(welcome)?;
        Ok(message.welcome_key_package_references().into_iter().map(|reference| reference.to_vec()).collect())
    }

    /// Joins by a Welcome that was sealed for this package (RFC 9420 §12.4.3.1).
    pub fn join(
        &self,
        welcome: &[u8],
        secrets: PackageSecrets,
        beliefs: &Beliefs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Tried<Unkept<()>>, MlsFault> {
        let (lent, tray) = (Lent::default(), Tray::default());
        let client = self.client(&lent, Cabinet::new(tray.clone()), Drawer::of(secrets));
        let welcome = MlsMessage::from_bytes(welcome)?;
        // Whoever is in it already may be in it by what is over: others have let them.
        let (joined, unjudged) = lent.during(&beliefs.of_deeds(), rng, || client.join_group(None, &welcome, None));
        settle(joined, unjudged, |(group, _)| self.entered(group, lent, tray))
    }

    /// What a group is, as its `GroupInfo` says: nobody has looked whether that is true.
    pub fn policy_in(info: &[u8]) -> Option<Policy> {
        let message = MlsMessage::from_bytes(info).ok()?;
        Policy::of(message.as_group_info()?.group_context().extensions())
    }

    /// Comes into a group from outside (RFC 9420 §12.4.3.2) by what a member has left for that ([`Group::group_info`]): the group as it
    /// is once the relay has accepted the commit, and the commit.
    pub fn enter(
        &self,
        door: &[u8],
        beliefs: &Beliefs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Tried<Unkept<Vec<u8>>>, MlsFault> {
        let (lent, tray) = (Lent::default(), Tray::default());
        let client = self.client(&lent, Cabinet::new(tray.clone()), Drawer::default());
        let door = MlsMessage::from_bytes(door)?;
        // As with a Welcome, whoever is in it already may be in it by what is over. The leaf of a commit has no lifetime.
        let enter = || client.external_commit_builder()?.build(door);
        let (entered, unjudged) = lent.during(&beliefs.of_deeds(), rng, enter);
        settle(entered, unjudged, |(group, commit)| {
            let commit = commit.to_bytes()?;
            Group::new(group, lent, tray, self.identities()).unkept(Tree::New, commit)
        })
    }

    fn entered(&self, group: mls_rs::Group<Config>, lent: Lent, tray: Tray) -> Result<Unkept<()>, MlsFault> {
        Group::new(group, lent, tray, self.identities()).unkept(Tree::New, ())
    }

    /// The group as it was written down, with the newest tree.
    pub fn load(&self, saved: &Saved, tree: &SavedTree) -> Result<Group, MlsFault> {
        let (lent, tray) = (Lent::default(), Tray::default());
        let client = self.client(&lent, Cabinet::of(saved, tray.clone()), Drawer::default());
        let tree = mls_rs::group::ExportedTree::from_bytes(&tree.0)?;
        let group = client.load_group_with_ratchet_tree(&saved.id, tree)?;
        Ok(Group::new(group, lent, tray, self.identities()).saved_as(saved))
    }

    /// Its credential and key, for a commit that puts them into its place in a group.
    pub(super) fn signing(&self) -> (SigningIdentity, SignatureSecretKey) {
        (self.identity.clone(), self.signer.clone())
    }

    fn identities(&self) -> Identities {
        Identities::new(Lent::default(), self.realm.clone())
    }

    pub(super) fn client(&self, lent: &Lent, cabinet: Cabinet, drawer: Drawer) -> Client<Config> {
        let lifetime: Duration = KEY_PACKAGE_LIFETIME + KEY_PACKAGE_BEFORE;
        ClientBuilder::new()
            .crypto_provider(Crypto::new(lent.clone()))
            .identity_provider(Identities::new(lent.clone(), self.realm.clone()))
            .key_package_repo(drawer)
            .group_state_storage(cabinet)
            .mls_rules(Rules::new(lent.clone(), Identities::new(lent.clone(), self.realm.clone())))
            .extension_type(policy::EXTENSION)
            .key_package_lifetime(lifetime)
            .signing_identity(self.identity.clone(), self.signer.clone(), SUITE)
            .build()
    }
}

/// A second, as `mls-rs` counts it.
pub(super) fn at(now: Wall) -> MlsTime {
    MlsTime::from(now.0)
}
