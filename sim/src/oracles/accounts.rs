//! Who got a certificate has an account for ever: nobody twice, no name and no key two people's, no invite used twice.

use std::collections::BTreeMap;

use countersign_core::device::enrol::EnrolResult;
use countersign_core::id::{DeviceName, KeyId};
use countersign_core::invite::TokenHash;
use countersign_core::journal::State;

use super::Oracle;
use crate::story::{Seen, Who};

/// See the module.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Who got a certificate, for which key, by which invite, with which certificate.
    members: BTreeMap<DeviceName, Member>,
    /// The device that each invite, key and user name went to.
    invites: BTreeMap<TokenHash, DeviceName>,
    keys: BTreeMap<KeyId, DeviceName>,
    users: BTreeMap<String, DeviceName>,
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

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), key, token) => {
                self.enrolled(who, &identity.credentials.leaf, *key, *token)
            }
            Seen::EnrolEnded(who, EnrolResult::BadCertificate(refusal), ..) => {
                Err(format!("{} was sent a certificate that can't be believed: {refusal}", who.name.user))
            }
            Seen::Replayed(state, _) => self.all_in(state),
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
        if self.users.insert(user.clone(), name.clone()).is_some() {
            return Err(format!("{user} has a second device, and nobody endorsed it"));
        }
        self.members.insert(name, Member { device, key, token, leaf: leaf.to_vec() });
        Ok(())
    }

    fn all_in(&self, state: &State) -> Result<(), String> {
        for (name, member) in &self.members {
            let known = state.device(name).ok_or_else(|| format!("{} has a certificate and no account", name.user))?;
            if known.key != member.key {
                return Err(format!("the account of {} has another key than its certificate", name.user));
            }
            if state.invite(member.token).and_then(|invite| invite.used) != Some(known.serial) {
                return Err(format!("the invite of {} is not used up by it", name.user));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
    }

    #[test]
    fn a_member_who_is_not_in_the_journal_is_missed() {
        let stage = Stage::of(&["alice"]);
        let mut oracle = Accounts::default();
        assert_eq!(oracle.all_in(&State::new(1)), Ok(()));
        oracle.enrolled(&stage.who(0), b"leaf", KeyId([1; 32]), hash(1)).expect("the first");
        assert!(oracle.all_in(&State::new(1)).is_err());
        assert_eq!(name("alice"), stage.who(0).name.clone());
    }
}
