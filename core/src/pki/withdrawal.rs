//! A device's word that a device of its own user is to be taken back: what is signed, and that it holds (design 4).
//!
//! The word names the device in full, with its realm, and the reason. It needs no key and no end: a device's name is given
//! once, and what is taken back stays taken back, so a word that is said again changes nothing.

use serde_bytes::ByteArray;

use super::key::SecretKey;
use crate::id::{DeviceLabel, DeviceName, Realm};
use crate::tlog::{Endorsement, ReasonCode};

/// What the word is for, in its first bytes, so that it can be taken for no other signature of the key.
const WITHDRAWAL_CONTEXT: &[u8] = b"countersign withdrawal v1\0";

/// What the asking device signs: that this device of its own user is to be taken back, and why.
pub fn withdrawal_message(realm: &Realm, device: &DeviceName, reason: ReasonCode) -> Vec<u8> {
    [WITHDRAWAL_CONTEXT, &[reason.code()], device.dns(realm).as_bytes()].concat()
}

impl Endorsement {
    /// The word of the device `by`, whose key this is, that a device of its user is to be taken back: another one, or itself.
    pub fn withdraw(by: DeviceLabel, own: &SecretKey, realm: &Realm, device: &DeviceName, reason: ReasonCode) -> Self {
        let signature = ByteArray::new(own.sign(&withdrawal_message(realm, device, reason)));
        Self { by, key: own.spki(), signature }
    }

    /// Whether the key that it names has signed it for this device and reason. That the key is a device's of that user is
    /// another question: the directory answers it for the server, the log for everybody else.
    pub fn withdraws(&self, realm: &Realm, device: &DeviceName, reason: ReasonCode) -> bool {
        self.key.ed25519_bytes().is_some()
            && self.key.verifies(&withdrawal_message(realm, device, reason), self.signature.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::KeyId;
    use crate::testing::{device_name, rng};

    #[test]
    fn a_word_takes_back_one_device_for_one_reason_in_one_realm() {
        let (own, realm, phone) = (SecretKey::draw(&mut rng(1)), Realm::default(), device_name("alice", "phone"));
        let reason = |code| ReasonCode::new(code).expect("a reason");
        let good = Endorsement::withdraw(device_name("alice", "laptop").device, &own, &realm, &phone, reason(1));
        assert!(good.withdraws(&realm, &phone, reason(1)));
        assert!(!good.withdraws(&realm, &phone, reason(4)));
        assert!(!good.withdraws(&realm, &device_name("alice", "tablet"), reason(1)));
        assert!(!good.withdraws(&realm, &device_name("mallory", "phone"), reason(1)));
        assert!(!good.withdraws(&Realm::parse("chat.example").expect("a realm"), &phone, reason(1)));
        let key = KeyId([7; 32]);
        assert!(!good.holds(&realm, &phone, key) && !good.arms(&realm, &phone.user, key), "it is no other word");
        let by_another = Endorsement { key: SecretKey::draw(&mut rng(2)).spki(), ..good };
        assert!(!by_another.withdraws(&realm, &phone, reason(1)));
    }
}
