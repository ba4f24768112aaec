//! A certificate is one person's: nobody gets two, no name, key or certificate is two people's, no invite admits twice.

use std::collections::BTreeMap;

use countersign_core::device::enrol::EnrolResult;
use countersign_core::id::{DeviceName, KeyId};
use countersign_core::invite::TokenHash;

use super::Oracle;
use super::clocks::Clocks;
use crate::story::{Seen, Who};

/// See the module.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Who got a certificate, for which key, by which invite, with which certificate.
    members: BTreeMap<DeviceName, Member>,
    /// The device that each invite, key, certificate and user name went to.
    invites: BTreeMap<TokenHash, DeviceName>,
    keys: BTreeMap<KeyId, DeviceName>,
    leaves: BTreeMap<Vec<u8>, DeviceName>,
    users: BTreeMap<String, DeviceName>,
    clocks: Clocks,
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
        match seen {
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), ..) if identity.name != *who.name => {
                Err(format!("{} was given the certificate of {}", who.name.user, identity.name.user))
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
    fn enrolled(&mut self, who: &Who<'_>, leaf: &[u8], key: KeyId, token: TokenHash) -> Result<(), String> {
        let (name, user, device) = (who.name.clone(), who.name.user.to_string(), who.program.device);
        if let Some(before) = self.members.get(&name) {
            // The same request again gives the same certificate again, and nothing else does.
            let same = before.device == device && before.key == key && before.token == token && before.leaf == leaf;
            return if same { Ok(()) } else { Err(format!("two certificates were given out for {user}")) };
        }
        if let Some(other) = self.invites.insert(token, name.clone()) {
            return Err(format!("one invite admitted both {} and {user}", other.user));
        }
        if let Some(other) = self.keys.insert(key, name.clone()) {
            return Err(format!("one key belongs to both {} and {user}", other.user));
        }
        if let Some(other) = self.leaves.insert(leaf.to_vec(), name.clone()) {
            return Err(format!("one certificate was given to both {} and {user}", other.user));
        }
        if self.users.insert(user.clone(), name.clone()).is_some() {
            return Err(format!("{user} has a second device, and nobody endorsed it"));
        }
        self.members.insert(name, Member { device, key, token, leaf: leaf.to_vec() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::tests::Stage;

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
}
