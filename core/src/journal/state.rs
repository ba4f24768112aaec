//! What the relay knows for good: the journal, folded. Metadata only; a certificate is found by its position.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::book::{Act, Book};
use super::conversations::Conversations;
use super::fold::recovery::Recoveries;
use super::fold::{self, Outcome};
use super::record::{Record, RecordRefusal};
use crate::id::{DeviceLabel, DeviceName, Fingerprint, IssuerId, KeyId, Position, Realm, Serial, UserName};
use crate::invite::TokenHash;
use crate::limits::{LINEAGE_MAX, LIST_KEPT};
use crate::password::Verifier;
use crate::pki::{Grant, Granted};
use crate::time::Wall;
use crate::tlog::{Basis, Certified, Leaf, ReasonCode, Tree};

/// The fold of a journal up to a position. Changed by [`State::apply`] alone; what it keeps and in which form is the form of
/// snapshots (`journal/snapshot.rs`), whose format counts the changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(super) position: Position,
    pub(super) realm: Option<RealmInfo>,
    pub(super) users: BTreeMap<UserName, User>,
    /// Each user's name as it looks at a glance, so that no two look alike.
    pub(super) skeletons: BTreeMap<String, UserName>,
    pub(super) keys: BTreeMap<KeyId, DeviceName>,
    pub(super) invites: BTreeMap<TokenHash, Invite>,
    pub(super) grants: BTreeMap<Serial, Progress>,
    /// The grants that have no certificate yet.
    pub(super) unissued: BTreeSet<Serial>,
    /// The transparency log: a leaf for each act of the CA, in the order of the journal.
    pub(super) log: Book,
    /// Who certifies.
    pub(super) issuing: Option<Fingerprint>,
    /// Every certificate that was revoked.
    pub(super) revocations: BTreeMap<Serial, Revocation>,
    /// The newest revocation list of each issuing CA.
    pub(super) lists: BTreeMap<IssuerId, ListPlace>,
    /// Those invites that let somebody in again without any word of theirs, and whether their devices from before stay.
    pub(super) reissues: BTreeMap<TokenHash, bool>,
    /// What is kept of the passwords of those who have one.
    pub(super) passwords: BTreeMap<UserName, Verifier>,
    /// The relay's newest certificate.
    pub(super) relay: Option<Fingerprint>,
    /// The conversations, and the key packages for them.
    pub(super) conversations: Conversations,
}

/// The realm, from its first record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealmInfo {
    /// Its name.
    pub realm: Realm,
    /// Its root.
    pub root: Fingerprint,
}

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Since when.
    pub opened: Wall,
    /// Their devices.
    pub devices: BTreeMap<DeviceLabel, Device>,
    /// The recovery keys that they have made.
    pub recoveries: Recoveries,
}

/// A device of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its key, for ever.
    pub key: KeyId,
    /// Its newest certificate.
    pub serial: Serial,
    /// Its first certificate: by what right it is this user's.
    pub origin: Serial,
    /// How many endorsements lie between it and the first device of its user.
    pub depth: u8,
    /// Set when it was revoked, which is for ever: its name and key stay taken. Asked by [`State::revoked`].
    pub(super) revoked: Option<Revoked>,
}

/// That a device was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Why.
    pub reason: ReasonCode,
    /// When.
    pub at: Wall,
}

/// That a certificate was revoked, with its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Why and when.
    pub revoked: Revoked,
    /// Who issued it, and so on whose list it stands.
    pub issuer: Option<IssuerId>,
    /// Its last second.
    pub not_after: Wall,
}

/// A revocation list, and where it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlace {
    /// Its place in the journal.
    pub n: u64,
    /// Its number; after a restoration, one that no list from before it has.
    pub number: u64,
    /// From when it is.
    pub this_update: Wall,
    /// Its last second.
    pub next_update: Wall,
}

/// An invite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// For whom, if for one name alone.
    pub user: Option<UserName>,
    /// The last second at which it admits.
    pub expires: Wall,
    /// What it was used for.
    pub used: Option<Serial>,
}

/// A grant and what has come of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What was granted.
    pub grant: Grant,
    /// By what right, as the log says it.
    pub basis: Basis,
    /// What became of it, once it was signed.
    pub issued: Option<IssuedAt>,
}

/// A certificate that was signed, and where it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedAt {
    /// Its place in the journal.
    pub n: u64,
    /// Its place in the log.
    pub leaf: u64,
    /// The SHA-256 of its DER.
    pub certificate: Fingerprint,
    /// Who issued it, as it says itself.
    pub issuer: Option<IssuerId>,
}

impl Progress {
    /// What the log says of it, once it was signed.
    pub fn leaf(&self) -> Option<Leaf> {
        let (grant, issued) = (&self.grant, self.issued?);
        Some(Leaf::DeviceCertificate(Certified {
            name: grant.name.clone(),
            serial: grant.serial,
            key: grant.key.id(),
            certificate: issued.certificate,
            not_after: grant.not_after,
            basis: self.basis.clone(),
            at: grant.at,
        }))
    }
}

impl State {
    /// The empty journal of an incarnation.
    pub fn new(incarnation: u64) -> Self {
        Self {
            position: Position { incarnation, n: 0 },
            realm: None,
            users: BTreeMap::new(),
            skeletons: BTreeMap::new(),
            keys: BTreeMap::new(),
            invites: BTreeMap::new(),
            grants: BTreeMap::new(),
            unissued: BTreeSet::new(),
            log: Book::default(),
            issuing: None,
            relay: None,
            revocations: BTreeMap::new(),
            lists: BTreeMap::new(),
            reissues: BTreeMap::new(),
            passwords: BTreeMap::new(),
            conversations: Conversations::default(),
        }
    }

    /// Folds in the next record of the journal, as it is stored. The same call serves replay and live running.
    ///
    /// # Panics
    /// If `n` is not the next position: the journal has no gaps, and a caller that skips one has lost its place.
    pub fn apply(&mut self, n: u64, bytes: &[u8]) -> Result<Outcome, RecordRefusal> {
        let (rules, record) = Record::decode(bytes)?;
        assert_eq!(n, self.position.n + 1, "the journal was folded out of order");
        self.position.n = n;
        self.conversations.begin_record();
        Ok(fold::fold(self, rules, record))
    }

    /// How far the journal has been folded.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The realm, once it was founded.
    pub fn realm(&self) -> Option<&RealmInfo> {
        self.realm.as_ref()
    }

    /// The people, in order of name.
    pub fn users(&self) -> &BTreeMap<UserName, User> {
        &self.users
    }

    /// A device, if the directory has it.
    pub fn device(&self, name: &DeviceName) -> Option<&Device> {
        self.users.get(&name.user)?.devices.get(&name.device)
    }

    /// Whether a device was revoked, why and when: the one question of this kind. It is for ever, whatever certificates
    /// the device has or had.
    pub fn revoked(&self, name: &DeviceName) -> Option<&Revoked> {
        self.device(name)?.revoked.as_ref()
    }

    /// What the lists of revoked certificates have to say at `now`, in order of serial. Whatever has ended drops out a
    /// while after its end.
    pub fn revocations(&self, now: Wall) -> impl Iterator<Item = (Serial, &Revocation)> {
        let is_listed = move |revocation: &Revocation| revocation.not_after.plus(LIST_KEPT) >= now;
        let listed = self.revocations.iter().filter(move |(_, revocation)| is_listed(revocation));
        listed.map(|(serial, revocation)| (*serial, revocation))
    }

    /// The newest revocation list of each issuing CA.
    pub fn lists(&self) -> &BTreeMap<IssuerId, ListPlace> {
        &self.lists
    }

    /// An invite.
    pub fn invite(&self, token: TokenHash) -> Option<&Invite> {
        self.invites.get(&token)
    }

    /// What is kept of somebody's password, if they have one.
    pub fn password(&self, user: &UserName) -> Option<&Verifier> {
        self.passwords.get(user)
    }

    /// The conversations, and the key packages for them.
    pub fn conversations(&self) -> &Conversations {
        &self.conversations
    }

    /// How many invites are open at `now`.
    pub fn invites_open(&self, now: Wall) -> usize {
        self.invites.values().filter(|invite| invite.used.is_none() && invite.expires >= now).count()
    }

    /// Everything that was ever granted, in order of serial.
    pub fn grants(&self) -> impl Iterator<Item = &Progress> {
        self.grants.values()
    }

    /// What has come of a grant.
    pub fn progress(&self, serial: Serial) -> Option<&Progress> {
        self.grants.get(&serial)
    }

    /// A grant that may be signed: the fold allowed it and no certificate stands in the journal yet.
    pub fn granted(&self, serial: Serial) -> Option<Granted> {
        let progress = self.grants.get(&serial)?;
        progress.issued.is_none().then(|| Granted::by_journal(progress.grant.clone()))
    }

    /// The grants without a certificate: what a crash between granting and signing left behind.
    pub fn unissued(&self) -> impl Iterator<Item = Serial> + '_ {
        self.unissued.iter().copied()
    }

    /// The transparency log.
    pub fn log(&self) -> &Tree {
        &self.log.tree
    }

    /// Where the log says that it goes on from an older one, and what it says there: the newest first.
    pub fn generations(&self) -> impl Iterator<Item = (u64, Leaf)> + '_ {
        self.log.generations().filter_map(|index| Some((index, self.leaf(index)?)))
    }

    /// Where the log has a certificate, and what it says of it, once it was signed.
    pub fn logged(&self, serial: Serial) -> Option<(u64, Leaf)> {
        let progress = self.progress(serial)?;
        Some((progress.issued?.leaf, progress.leaf()?))
    }

    /// Whether an invite lets somebody in again without any word of theirs.
    pub fn is_reissue(&self, token: &TokenHash) -> bool {
        self.reissues.contains_key(token)
    }

    /// Where the log has the entries that lead from this certificate to the first device of its user, and what they say:
    /// its device's own first one, if it was renewed, and then one for each endorsement, two where it is a recovery key's.
    pub fn lineage(&self, serial: Serial) -> Vec<(u64, Leaf)> {
        let Some(account) = self.progress(serial).and_then(|progress| self.users.get(&progress.grant.name.user)) else {
            return Vec::new();
        };
        let device = self.progress(serial).map(|progress| &progress.grant.name.device);
        let (mut row, mut next) = (Vec::new(), device);
        while let Some(origin) = next.and_then(|label| account.devices.get(label)).map(|device| device.origin)
            && row.len() <= LINEAGE_MAX
        {
            row.extend(self.logged(origin).filter(|_| origin != serial));
            next = match self.progress(origin).map(|progress| &progress.basis) {
                Some(Basis::Endorsed(word)) => Some(&word.by),
                Some(Basis::Recovered(word)) => account.recoveries.of(word.key.id()).map(|armed| {
                    row.extend(self.leaf(armed.leaf).map(|leaf| (armed.leaf, leaf)));
                    &armed.by
                }),
                Some(Basis::FirstDevice | Basis::Renewed | Basis::MadeElsewhere | Basis::Reissue) | None => None,
            };
        }
        row
    }

    /// What the log's leaf at `index` says.
    pub fn leaf(&self, index: u64) -> Option<Leaf> {
        match self.log.act(index)? {
            Act::Device(serial) => self.progress(*serial)?.leaf(),
            Act::Other(leaf) => Some((**leaf).clone()),
        }
    }

    /// The certificate of the issuing CA that certifies, once the log has it.
    pub fn issuing(&self) -> Option<Fingerprint> {
        self.issuing
    }

    /// The relay's newest certificate, once the log has it.
    pub fn relay(&self) -> Option<Fingerprint> {
        self.relay
    }

    /// The whole state as bytes: equal states, and only those, have equal ones.
    ///
    /// # Panics
    /// Never: a state can always be encoded.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a state can always be encoded")
    }

    /// One value for the whole state: equal states, and only those, have equal ones.
    pub fn digest(&self) -> Fingerprint {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, &self.encode()).as_ref());
        Fingerprint(out)
    }
}
