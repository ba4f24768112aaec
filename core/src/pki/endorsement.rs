//! A device's word for another device of its own user: what is signed, and that it holds (design 4).
//!
//! The word names the device in full, with its realm, and its key: so it is of no use for another name, key or realm. It
//! has no end: a key belongs to one device for ever, and what ends a device is its revocation.

use serde_bytes::ByteArray;

use super::key::SecretKey;
use crate::id::{DeviceLabel, DeviceName, KeyId, Realm};
use crate::tlog::Endorsement;

/// What an endorsement is for, in its first bytes, so that it can be taken for no other signature of the key.
const ENDORSEMENT_CONTEXT: &[u8] = b"countersign endorsement v1\0";

/// What the endorsing device signs: that this key is the key of this device of its own user.
pub fn endorsement_message(realm: &Realm, device: &DeviceName, key: KeyId) -> Vec<u8> {
    [ENDORSEMENT_CONTEXT, &key.0, device.dns(realm).as_bytes()].concat()
}

impl Endorsement {
    /// The word of the device `by`, whose key this is, for another one of its user.
    pub fn give(by: DeviceLabel, own: &SecretKey, realm: &Realm, device: &DeviceName, key: KeyId) -> Self {
        let signature = ByteArray::new(own.sign(&endorsement_message(realm, device, key)));
        Self { by, key: own.spki(), signature }
    }

    /// Whether the key that it names has signed it for this device. That the key is the endorsing device's is another
    /// question: the directory answers it for the server, the log for everybody else.
    pub fn holds(&self, realm: &Realm, device: &DeviceName, key: KeyId) -> bool {
        // One kind of signature, of one length: keys made elsewhere endorse nobody.
        self.key.ed25519_bytes().is_some()
            && self.key.verifies(&endorsement_message(realm, device, key), self.signature.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device_name, rng};

    #[test]
    fn an_endorsement_holds_for_one_device_with_one_key_in_one_realm() {
        let (own, phone) = (SecretKey::draw(&mut rng(1)), device_name("alice", "phone"));
        let (key, other) = (KeyId([7; 32]), KeyId([8; 32]));
        let realm = Realm::default();
        let good = Endorsement::give(device_name("alice", "laptop").device, &own, &realm, &phone, key);
        assert!(good.holds(&realm, &phone, key));
        assert!(!good.holds(&realm, &phone, other));
        assert!(!good.holds(&realm, &device_name("alice", "tablet"), key));
        assert!(!good.holds(&realm, &device_name("mallory", "phone"), key));
        assert!(!good.holds(&Realm::parse("chat.example").expect("a realm"), &phone, key));
        let by_another = Endorsement { key: SecretKey::draw(&mut rng(2)).spki(), ..good.clone() };
        assert!(!by_another.holds(&realm, &phone, key));
        let mut altered = good;
        altered.signature[63] ^= 1;
        assert!(!altered.holds(&realm, &phone, key));
    }
}
