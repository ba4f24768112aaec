//! Decides by what right a device that the CA grows somebody is said to be theirs: in four ways, and in none of them by their
//! word.

use std::fmt;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, Realm};
use countersign_core::journal::State;
use countersign_core::pki::{Grant, SecretKey};
use countersign_core::tlog::{Basis, Certified, Endorsement, Leaf};
use rustls::pki_types::CertificateDer;

/// By what right it is said to be theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// By the operator's word: a new identity under the old name.
    Reissue,
    /// As the first device of its user, who has one.
    First,
    /// By the word of a device of theirs, which its key has not signed.
    ForgedWord,
    /// By the word of a key of the CA's own, which is said to be their device's.
    OwnWord,
}

impl Claim {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reissue, Self::First, Self::ForgedWord, Self::OwnWord];

    /// Whether it says that one of the user's devices has vouched for it.
    pub fn is_forged(self) -> bool {
        matches!(self, Self::ForgedWord | Self::OwnWord)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reissue => "grown, a reissue",
            Self::First => "grown, as a first device",
            Self::ForgedWord => "grown, by a word that nobody signed",
            Self::OwnWord => "grown, by a word of its own",
        })
    }
}

/// A device that somebody does not have.
#[derive(Clone, Debug)]
pub(crate) struct Grown {
    /// What it is called.
    pub(crate) name: DeviceName,
    /// By what right.
    pub(crate) claim: Claim,
    /// Its certificate.
    pub(crate) der: CertificateDer<'static>,
    /// Its key.
    pub(super) secret: SecretKey,
    /// Its entry in the second log, and those that are said to lead from it to its user's first device.
    pub(super) leaf: Vec<u8>,
    pub(super) row: Vec<Vec<u8>>,
}

impl Grown {
    /// What its key is called.
    pub(crate) fn key(&self) -> countersign_core::id::KeyId {
        self.secret.spki().id()
    }

    /// The device of this grant, as that device's user's.
    pub(super) fn new(
        (claim, victim): (Claim, &DeviceName),
        (grant, der): (Grant, CertificateDer<'static>),
        (secret, own): (SecretKey, &SecretKey),
        state: &State,
    ) -> Self {
        let Grant { name, serial, key, not_after, at, .. } = grant;
        let claim = if state.device(victim).is_some() { claim } else { Claim::Reissue };
        let (key, certificate) = (key.id(), Fingerprint::of(&der));
        let realm = state.realm().map(|info| info.realm.clone()).unwrap_or_default();
        let basis = basis((claim, victim), (&name, key), own, &realm, state);
        let row = if matches!(basis, Basis::Endorsed(_)) { row(victim, state) } else { Vec::new() };
        let certified = Certified { name: name.clone(), serial, key, certificate, not_after, basis, at };
        Self { name, claim, der, secret, leaf: Leaf::DeviceCertificate(certified).encode(), row }
    }
}

/// What the log says it is by.
fn basis(
    (claim, victim): (Claim, &DeviceName),
    (name, key): (&DeviceName, countersign_core::id::KeyId),
    own: &SecretKey,
    realm: &Realm,
    state: &State,
) -> Basis {
    let word = Endorsement::give(victim.device.clone(), own, realm, name, key);
    let genuine = state.device(victim).and_then(|device| origin(device.origin, state));
    match (claim, genuine) {
        (Claim::First, _) => Basis::FirstDevice,
        (Claim::OwnWord, Some(_)) => Basis::Endorsed(word),
        (Claim::ForgedWord, Some(key)) => Basis::Endorsed(Endorsement { key, ..word }),
        (Claim::Reissue | Claim::OwnWord | Claim::ForgedWord, _) => Basis::Reissue,
    }
}

/// The key of the device whose first certificate this is.
fn origin(serial: countersign_core::id::Serial, state: &State) -> Option<countersign_core::pki::Spki> {
    state.progress(serial).map(|progress| progress.grant.key.clone())
}

/// What leads from the victim's device to their first one, itself included.
fn row(victim: &DeviceName, state: &State) -> Vec<Vec<u8>> {
    let Some(origin) = state.device(victim).map(|device| device.origin) else { return Vec::new() };
    let own = state.logged(origin).into_iter();
    own.chain(state.lineage(origin)).map(|(_, leaf)| leaf.encode()).collect()
}

/// The how-manieth device that a person does not have.
pub(crate) fn spare(victim: &DeviceName, number: usize) -> DeviceName {
    let device = DeviceLabel::parse(&format!("spare-{number}")).expect("a label");
    DeviceName { user: victim.user.clone(), device }
}
