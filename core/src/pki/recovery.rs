//! What is signed about a recovery key: a device's word for it, and its own word for a new device (design 4).
//!
//! ```text
//! device's key   over  context | recovery key's name (32) | user's full name      the key is the user's recovery key
//! recovery key   over  context | device key's name (32)   | device's full name    the device is the user's
//! ```
//!
//! Both begin by what they are for, and name realm and user: so neither is of use for anything or anybody else.

use serde_bytes::ByteArray;

use super::key::SecretKey;
use crate::id::{DeviceLabel, DeviceName, KeyId, Realm, UserName};
use crate::tlog::{Endorsement, RecoveryWord};

/// What each is for, in its first bytes, so that it can be taken for no other signature of the key.
const ARMING_CONTEXT: &[u8] = b"countersign recovery key v1\0";
const RECOVERY_CONTEXT: &[u8] = b"countersign recovered device v1\0";

/// What a device signs: that this key is the recovery key of its own user.
pub fn arming_message(realm: &Realm, user: &UserName, key: KeyId) -> Vec<u8> {
    [ARMING_CONTEXT, &key.0, format!("{user}.{realm}").as_bytes()].concat()
}

/// What the recovery key signs: that this key is the key of this device of its user.
pub fn recovery_message(realm: &Realm, device: &DeviceName, key: KeyId) -> Vec<u8> {
    [RECOVERY_CONTEXT, &key.0, device.dns(realm).as_bytes()].concat()
}

impl Endorsement {
    /// The word of the device `by`, whose key this is, for its user's recovery key.
    pub fn arm(by: DeviceLabel, own: &SecretKey, realm: &Realm, user: &UserName, key: KeyId) -> Self {
        let signature = ByteArray::new(own.sign(&arming_message(realm, user, key)));
        Self { by, key: own.spki(), signature }
    }

    /// Whether the key that it names has signed it for this recovery key of this user.
    pub fn arms(&self, realm: &Realm, user: &UserName, key: KeyId) -> bool {
        self.key.ed25519_bytes().is_some()
            && self.key.verifies(&arming_message(realm, user, key), self.signature.as_ref())
    }
}

impl RecoveryWord {
    /// The word of the recovery key for a device.
    pub fn give(recovery: &SecretKey, realm: &Realm, device: &DeviceName, key: KeyId) -> Self {
        let signature = ByteArray::new(recovery.sign(&recovery_message(realm, device, key)));
        Self { key: recovery.spki(), signature }
    }

    /// Whether the key that it names has signed it for this device. That the key is the user's recovery key is another
    /// question: the directory answers it for the server, the log for everybody else.
    pub fn holds(&self, realm: &Realm, device: &DeviceName, key: KeyId) -> bool {
        self.key.ed25519_bytes().is_some()
            && self.key.verifies(&recovery_message(realm, device, key), self.signature.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device_name, rng};

    #[test]
    fn a_device_arms_one_key_of_one_user_in_one_realm() {
        let (own, realm, laptop) = (SecretKey::draw(&mut rng(1)), Realm::default(), device_name("alice", "laptop"));
        let key = KeyId([7; 32]);
        let good = Endorsement::arm(laptop.device.clone(), &own, &realm, &laptop.user, key);
        assert!(good.arms(&realm, &laptop.user, key));
        assert!(!good.arms(&realm, &laptop.user, KeyId([8; 32])), "a key that was swapped on the way");
        assert!(!good.arms(&realm, &device_name("mallory", "laptop").user, key));
        assert!(!good.arms(&Realm::parse("chat.example").expect("a realm"), &laptop.user, key));
        assert!(!good.holds(&realm, &laptop, key), "it is no word for a device");
        let by_another = Endorsement { key: SecretKey::draw(&mut rng(2)).spki(), ..good };
        assert!(!by_another.arms(&realm, &laptop.user, key));
    }

    #[test]
    fn a_recovery_key_speaks_for_one_device_with_one_key_in_one_realm() {
        let (recovery, realm) = (SecretKey::draw(&mut rng(1)), Realm::default());
        let (phone, key) = (device_name("alice", "phone"), KeyId([7; 32]));
        let good = RecoveryWord::give(&recovery, &realm, &phone, key);
        assert!(good.holds(&realm, &phone, key));
        assert!(!good.holds(&realm, &phone, KeyId([8; 32])));
        assert!(!good.holds(&realm, &device_name("alice", "tablet"), key));
        assert!(!good.holds(&realm, &device_name("mallory", "phone"), key));
        assert!(!good.holds(&Realm::parse("chat.example").expect("a realm"), &phone, key));
        let by_another = RecoveryWord { key: SecretKey::draw(&mut rng(2)).spki(), ..good.clone() };
        assert!(!by_another.holds(&realm, &phone, key));
        let endorsement = Endorsement { by: phone.device.clone(), key: recovery.spki(), signature: good.signature };
        assert!(!endorsement.holds(&realm, &phone, key), "it is no device's word");
    }
}
