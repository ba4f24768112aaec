//! How a device whose certificate has expired shows that it still has the key: by a signature over this very connection.

use crate::id::{DeviceName, Serial};
use crate::tls::Exporter;

/// What a renewal's signature is for; no other signature of the key begins with it (`SECURITY.md`).
const CONTEXT: &[u8] = b"countersign renewal v1\0";

/// What the device's key signs to have a certificate renewed: this TLS session, this certificate, this name (protocol
/// §4.12). So a request is of no use on another connection or for another device.
pub fn renewal_message(exporter: &Exporter, serial: Serial, name: &DeviceName) -> Vec<u8> {
    let mut message = CONTEXT.to_vec();
    message.extend_from_slice(exporter.bytes());
    message.extend_from_slice(&serial.0);
    // Neither label can hold the separator, so no two names give one message.
    message.extend_from_slice(format!("{}/{}", name.user, name.device).as_bytes());
    message
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::pki::DeviceKey;
    use crate::pki::SecretKey;
    use crate::testing::{device_name, env, rng, vectors};

    #[test]
    fn a_key_of_each_kind_signs_for_itself_alone() {
        let provider = env().provider;
        let exporter = Exporter::for_tests([1; 32]);
        let message = renewal_message(&exporter, Serial([0x41; 16]), &device_name("alice", "laptop"));
        let mut keys = vec![DeviceKey::from(SecretKey::draw(&mut rng(1)))];
        for file in ["p256", "p384", "rsa2048", "rsa4096"] {
            keys.push(DeviceKey::from_pkcs8(&vectors::pkcs8(file)).unwrap());
        }
        for (n, key) in keys.iter().enumerate() {
            let signature = key.sign(&provider, &message);
            assert!(signature.len() <= crate::limits::SIGNATURE_BYTES_MAX);
            for (other, of) in keys.iter().enumerate() {
                assert_eq!(of.spki().verifies_own(&message, &signature), other == n, "{key:?} for {of:?}");
            }
            assert!(!key.spki().verifies_own(&message[1..], &signature), "{key:?}");
            assert!(!key.spki().verifies_own(&message, &[]), "{key:?}");
        }
    }

    #[test]
    fn session_certificate_and_name_each_change_what_is_signed() {
        let message = |exporter: u8, serial: u8, user: &str| {
            renewal_message(&Exporter::for_tests([exporter; 32]), Serial([serial; 16]), &device_name(user, "laptop"))
        };
        let one = message(1, 1, "alice");
        for other in [message(2, 1, "alice"), message(1, 2, "alice"), message(1, 1, "alicf")] {
            assert_ne!(one, other);
        }
    }
}
