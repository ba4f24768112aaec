//! A certificate is one person's: nobody gets two, no name, key or certificate is two people's, no invite admits twice; each
//! asked with a key that they had kept before; and a user has a further device where they have compared what both showed, or by
//! a recovery code that the very person has made. Whom the operator has let in again is another identity: whoever has met the
//! one before takes no device of theirs for that one's, and nobody else is said to have changed.
//!
//! Where the operator restores an older journal, those who came after it have no account any more, and their names and
//! invites are free again: only a log that others keep, too, could say that they were ever taken.

mod identities;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::approve::Approval;
use countersign_core::device::enrol::{EnrolNews, EnrolResult};
use countersign_core::device::{Asked, Command, Event};
use countersign_core::id::{DeviceName, KeyId};
use countersign_core::invite::TokenHash;
use countersign_core::journal::Record;
use countersign_core::pki::comparison::ComparisonCode;

use super::Oracle;
use super::clocks::Clocks;
use crate::config::SimConfig;
use crate::node::device::Item;
use crate::story::{Program, Seen, Stored, Who};
use identities::Identities;

/// See the module.
#[derive(Debug, Default)]
pub struct Accounts {
    /// The first device of each further one's person, by their numbers.
    owners: BTreeMap<usize, usize>,
    identities: Identities,
    /// Who got a certificate, for which key, by which invite, with which certificate.
    members: BTreeMap<DeviceName, Member>,
    /// The device that each invite, key, certificate and user name went to.
    invites: BTreeMap<TokenHash, DeviceName>,
    keys: BTreeMap<KeyId, DeviceName>,
    leaves: BTreeMap<Vec<u8>, DeviceName>,
    users: BTreeMap<String, DeviceName>,
    clocks: Clocks,
    /// The keys that lie on a device's disk.
    kept: BTreeSet<KeyId>,
    /// At which place of the journal each certificate stands.
    issued: BTreeMap<Vec<u8>, u64>,
    /// The certificates of which a restored journal knows nothing.
    void: BTreeSet<Vec<u8>>,
    /// What each program was told to compare last, with which device that waits.
    compared: BTreeMap<Program, (DeviceName, ComparisonCode)>,
    /// The codes by which each further device was vouched for, by which one, and those that it has shown.
    vouched: BTreeMap<(DeviceName, ComparisonCode), DeviceName>,
    shown: BTreeSet<(DeviceName, ComparisonCode)>,
}

#[derive(Debug)]
struct Member {
    device: usize,
    key: KeyId,
    token: TokenHash,
    leaf: Vec<u8>,
}

impl Oracle for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.clocks.see(at_us, seen);
        self.identities.see(seen)?;
        match seen {
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), ..) if identity.name != *who.name => {
                Err(format!("{} was given the certificate of {}", who.name.user, identity.name.user))
            }
            // A write that nobody heard of may have come to pass; a key that is asked with is known for certain.
            Seen::Stored(_, Item::Key, stored, key) if *stored != Stored::Full => {
                self.kept.insert(*key);
                Ok(())
            }
            Seen::Told(who, Event::Asked(Asked::Approval(Approval::Compared(device, code)))) => {
                let name = DeviceName { user: who.name.user.clone(), device: device.clone() };
                self.compared.insert(who.program, (name, *code));
                Ok(())
            }
            Seen::Wished(who, Command::Endorse) => {
                let compared = self.compared.remove(&who.program);
                self.vouched.extend(compared.map(|compared| (compared, who.name.clone())));
                Ok(())
            }
            Seen::Wished(who, Command::Arm(key)) => {
                let owner = self.owner(who.program.device);
                self.identities.arms(key.id(), owner, who.name);
                Ok(())
            }
            Seen::Waits(who, EnrolNews::Compare(_, code)) => {
                self.shown.insert((who.name.clone(), *code));
                Ok(())
            }
            Seen::Durable(first, records) => {
                for (n, record) in (*first..).zip(*records) {
                    if let Ok((_, Record::CertificateIssued { der, .. })) = Record::decode(record) {
                        self.issued.insert(der.to_vec(), n);
                    }
                }
                Ok(())
            }
            Seen::Restored(kept, _) => {
                self.restored(*kept);
                Ok(())
            }
            Seen::EnrolEnded(who, _, key, _) if !self.kept.contains(key) => {
                Err(format!("{} asked for a certificate with a key that was not kept", who.name.user))
            }
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), key, token) => {
                self.enrolled(who, &identity.credentials.leaf, *key, *token)
            }
            Seen::EnrolEnded(who, EnrolResult::BadCertificate(refusal), ..)
                if !self.clocks.is_wrong(who.program.device, at_us) =>
            {
                Err(format!("{} was sent a certificate that can't be believed: {refusal}", who.name.user))
            }
            _ => Ok(()),
        }
    }
}

impl Accounts {
    /// The oracle of a run in which some people have two devices.
    pub fn new(config: &SimConfig) -> Self {
        let owners = (0..config.all_devices()).filter(|device| config.is_further(*device));
        let owners = owners.filter_map(|device| Some((device, config.sibling(device)?))).collect();
        Self { owners, ..Self::default() }
    }

    /// The person whose device this is, by the number of their first one.
    fn owner(&self, device: usize) -> usize {
        self.owners.get(&device).copied().unwrap_or(device)
    }

    /// Whoever got their certificate after the first `kept` records has no account any more.
    fn restored(&mut self, kept: usize) {
        let kept = u64::try_from(kept).unwrap_or(u64::MAX);
        let void = self.issued.iter().filter(|(_, n)| **n > kept).map(|(leaf, _)| leaf.clone());
        self.void.extend(void);
        self.issued.retain(|_, n| *n <= kept);
        let gone: Vec<DeviceName> = self
            .members
            .iter()
            .filter(|(_, member)| self.void.contains(&member.leaf))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.members.remove(&name);
            self.invites.retain(|_, other| *other != name);
            self.keys.retain(|_, other| *other != name);
            self.leaves.retain(|_, other| *other != name);
            self.users.retain(|_, other| *other != name);
        }
    }

    fn enrolled(&mut self, who: &Who<'_>, leaf: &[u8], key: KeyId, token: TokenHash) -> Result<(), String> {
        if self.void.contains(leaf) {
            return Ok(());
        }
        let (name, user, device) = (who.name.clone(), who.name.user.to_string(), who.program.device);
        if let Some(before) = self.members.get(&name) {
            // The same request again gives the same certificate again, and nothing else does.
            let same = before.device == device && before.key == key && before.token == token && before.leaf == leaf;
            return if same { Ok(()) } else { Err(format!("two certificates were given out for {user}")) };
        }
        // A password admits all devices of its user.
        let by_password = token == TokenHash::of_password(&name.user);
        if let Some(other) = self.invites.insert(token, name.clone()).filter(|_| !by_password) {
            return Err(format!("one invite admitted both {} and {user}", other.user));
        }
        if let Some(other) = self.keys.insert(key, name.clone()) {
            return Err(format!("one key belongs to both {} and {user}", other.user));
        }
        if let Some(other) = self.leaves.insert(leaf.to_vec(), name.clone()) {
            return Err(format!("one certificate was given to both {} and {user}", other.user));
        }
        let by = self
            .vouched
            .iter()
            .find(|((device, code), _)| *device == name && self.shown.contains(&(name.clone(), *code)));
        let by = by.map(|(_, by)| by.clone());
        let is_first = self.users.insert(user.clone(), name.clone()).is_none();
        if !self.identities.joins(&name, key, self.owner(device), by.as_ref())? && !is_first {
            return Err(format!("{user} has a second device, and nobody endorsed it"));
        }
        self.members.insert(name, Member { device, key, token, leaf: leaf.to_vec() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::Fingerprint;
    use countersign_core::pki::comparison::{ComparisonNonce, Side};

    use super::*;
    use crate::oracles::tests::{Stage, name};

    fn hash(byte: u8) -> TokenHash {
        TokenHash([byte; 32])
    }

    #[test]
    fn an_invite_a_key_and_a_name_are_one_persons() {
        let stage = Stage::of(&["alice", "bob"]);
        let (alice, bob) = (stage.who(0), stage.who(1));
        let mut oracle = Accounts::default();
        assert_eq!(oracle.enrolled(&alice, b"leaf", KeyId([1; 32]), hash(1)), Ok(()));
        assert_eq!(oracle.enrolled(&alice, b"leaf", KeyId([1; 32]), hash(1)), Ok(()));
        assert!(oracle.enrolled(&alice, b"another", KeyId([1; 32]), hash(1)).is_err());
        assert!(oracle.enrolled(&bob, b"leaf", KeyId([2; 32]), hash(1)).is_err());
        assert!(oracle.enrolled(&bob, b"leaf", KeyId([1; 32]), hash(2)).is_err());
        assert!(oracle.enrolled(&bob, b"leaf", KeyId([3; 32]), hash(3)).is_err());
    }

    #[test]
    fn a_further_device_is_one_that_showed_the_code_which_its_person_said_yes_to() {
        let code = |byte| {
            let nonce = ComparisonNonce::of_row(&[byte; 32], 0);
            let (one, other) = (name("alice"), name("alice/tablet"));
            let side = |device, byte| Side { device, key: KeyId([byte; 32]), nonce: &nonce };
            ComparisonCode::of(Fingerprint([0; 32]), side(&other, 2), side(&one, 1))
        };
        let stage = Stage::of(&["alice", "alice/tablet"]);
        let joined = |shown: u8, asked: u8, endorses: bool| {
            let mut oracle = Accounts::default();
            oracle.enrolled(&stage.who(0), b"first", KeyId([1; 32]), hash(1)).expect("the first");
            let compare = EnrolNews::Compare(name("alice").device, code(shown));
            oracle.see(1, &Seen::Waits(stage.who(1), &compare)).expect("showing is free");
            let compared = Approval::Compared(name("alice/tablet").device, code(asked));
            stage.told(0, Event::Asked(Asked::Approval(compared))).show(&mut oracle).expect("telling is free");
            if endorses {
                stage.wished(0, Command::Endorse).show(&mut oracle).expect("wishing is free");
            }
            oracle.enrolled(&stage.who(1), b"second", KeyId([2; 32]), hash(2))
        };
        assert_eq!(joined(1, 1, true), Ok(()));
        assert!(joined(1, 1, false).is_err_and(|words| words.contains("nobody endorsed it")));
        assert!(joined(1, 2, true).is_err_and(|words| words.contains("nobody endorsed it")));
    }

    #[test]
    fn a_key_is_kept_before_it_is_asked_with() {
        let stage = Stage::of(&["alice"]);
        let (mut oracle, key) = (Accounts::default(), KeyId([1; 32]));
        let result = EnrolResult::Refused(countersign_core::wire::Code::BUSY, 0);
        assert!(oracle.see(0, &Seen::EnrolEnded(stage.who(0), &result, key, hash(1))).is_err());
        oracle.see(1, &Seen::Stored(stage.who(0), Item::Key, Stored::Full, key)).expect("writing is free");
        assert!(oracle.see(2, &Seen::EnrolEnded(stage.who(0), &result, key, hash(1))).is_err());
        oracle.see(3, &Seen::Stored(stage.who(0), Item::Key, Stored::Kept, key)).expect("writing is free");
        assert_eq!(oracle.see(4, &Seen::EnrolEnded(stage.who(0), &result, key, hash(1))), Ok(()));
    }

    #[test]
    fn an_older_journal_frees_what_was_given_out_after_it_and_nothing_else() {
        let stage = Stage::of(&["alice", "bob"]);
        let mut oracle = Accounts::default();
        oracle.enrolled(&stage.who(0), b"early", KeyId([1; 32]), hash(1)).expect("the first");
        oracle.enrolled(&stage.who(1), b"late", KeyId([2; 32]), hash(2)).expect("the second");
        oracle.issued.extend([(b"early".to_vec(), 3), (b"late".to_vec(), 6)]);
        oracle.restored(3);
        assert_eq!(oracle.enrolled(&stage.who(1), b"late", KeyId([2; 32]), hash(2)), Ok(()), "the answer was late");
        assert_eq!(oracle.enrolled(&stage.who(1), b"again", KeyId([3; 32]), hash(2)), Ok(()));
        assert!(oracle.enrolled(&stage.who(0), b"again", KeyId([4; 32]), hash(4)).is_err());
    }
}
