//! Decides how both programs tell an act of the realm's log: a sentence for people, an object for scripts.

use countersign_core::tlog::{Basis, Certified, Leaf};
use serde_json::{Value, json};

/// An act in words.
pub fn act(leaf: &Leaf) -> String {
    match leaf {
        Leaf::DeviceCertificate(certified) => {
            let basis = match &certified.basis {
                Basis::FirstDevice => "the first device of a new user".to_owned(),
                Basis::MadeElsewhere => "the first device of a new user, whose key was made elsewhere".to_owned(),
                Basis::Endorsed(endorsement) => format!("endorsed by {}", endorsement.by),
                Basis::Recovered { .. } => "endorsed by the recovery key".to_owned(),
                Basis::Renewed => "renewed".to_owned(),
                Basis::Reissue => "REISSUED by the operator: a new identity".to_owned(),
            };
            format!("certificate of {} for the key sha256 {} ({basis})", certified.name, certified.key)
        }
        Leaf::Revocation { name, serial, .. } => format!("certificate {serial} of {name} revoked"),
        Leaf::RecoveryKey { user, key, endorsement, .. } => {
            format!("recovery key sha256 {} of {user}, made by {}", key.id(), endorsement.by)
        }
        Leaf::IssuingCa { certificate, .. } => format!("issuing CA {certificate}"),
        Leaf::RelayCertificate { certificate, .. } => format!("relay's certificate {certificate}"),
        Leaf::Rotation { to, .. } => format!("issuing CA {to} takes over"),
        Leaf::Generation { previous, .. } => format!("goes on where {previous} ended"),
        Leaf::Withdrawal { name, endorsement, .. } => format!("{name} taken back, as {} asked", endorsement.by),
    }
}

/// An act as an object, with its place in the log.
pub fn object(index: u64, leaf: &Leaf) -> Value {
    let at = leaf.at().0;
    match leaf {
        Leaf::DeviceCertificate(certified) => {
            let Certified { name, serial, key, certificate, not_after, basis, at } = certified;
            let (basis, endorsed_by) = match basis {
                Basis::FirstDevice => ("first_device", None),
                Basis::MadeElsewhere => ("made_elsewhere", None),
                Basis::Endorsed(endorsement) => ("endorsed", Some(endorsement.by.to_string())),
                Basis::Recovered { .. } => ("recovered", None),
                Basis::Renewed => ("renewed", None),
                Basis::Reissue => ("reissue", None),
            };
            json!({
                "index": index, "at": at.0, "kind": "device_certificate", "user": name.user.as_str(),
                "device": name.device.as_str(), "serial": serial.to_string(), "key": key.to_string(),
                "certificate": certificate.to_string(), "not_after": not_after.0, "basis": basis,
                "endorsed_by": endorsed_by,
            })
        }
        Leaf::IssuingCa { certificate, key, not_after, .. } => json!({
            "index": index, "at": at, "kind": "issuing_ca", "certificate": certificate.to_string(),
            "key": key.to_string(), "not_after": not_after.0,
        }),
        Leaf::RelayCertificate { certificate, serial, key, not_after, .. } => json!({
            "index": index, "at": at, "kind": "relay_certificate", "certificate": certificate.to_string(),
            "serial": serial.to_string(), "key": key.to_string(), "not_after": not_after.0,
        }),
        Leaf::Revocation { name, serial, reason, .. } => json!({
            "index": index, "at": at, "kind": "revocation", "user": name.user.as_str(),
            "device": name.device.as_str(), "serial": serial.to_string(), "reason": reason.code(),
        }),
        Leaf::Rotation { from, to, .. } => json!({
            "index": index, "at": at, "kind": "rotation", "from": from.to_string(), "to": to.to_string(),
        }),
        Leaf::RecoveryKey { user, key, endorsement, .. } => json!({
            "index": index, "at": at, "kind": "recovery_key", "user": user.as_str(), "key": key.id().to_string(),
            "endorsed_by": endorsement.by.as_str(),
        }),
        Leaf::Generation { previous, head, .. } => json!({
            "index": index, "at": at, "kind": "generation", "previous": previous.as_str(), "size": head.size,
            "root": head.root.to_string(),
        }),
        Leaf::Withdrawal { name, reason, endorsement, .. } => json!({
            "index": index, "at": at, "kind": "withdrawal", "user": name.user.as_str(),
            "device": name.device.as_str(), "reason": reason.code(), "endorsed_by": endorsement.by.as_str(),
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Serial, UserName};
    use countersign_core::time::Wall;
    use countersign_core::tlog::ReasonCode;

    use super::*;

    #[test]
    fn acts_are_objects_with_their_own_fields() {
        let name = DeviceName { user: UserName::parse("bob").unwrap(), device: DeviceLabel::parse("desk").unwrap() };
        let serial = Serial([0x4f; 16]);
        let certified = Leaf::DeviceCertificate(Certified {
            name: name.clone(),
            serial,
            key: KeyId([0xab; 32]),
            certificate: Fingerprint([0xcd; 32]),
            not_after: Wall(9),
            basis: Basis::MadeElsewhere,
            at: Wall(7),
        });
        let expected = json!({
            "index": 3, "at": 7, "kind": "device_certificate", "user": "bob", "device": "desk",
            "serial": "4f".repeat(16), "key": "ab".repeat(32), "certificate": "cd".repeat(32), "not_after": 9,
            "basis": "made_elsewhere", "endorsed_by": null,
        });
        assert_eq!(object(3, &certified), expected);
        let revoked = Leaf::Revocation { name, serial, reason: ReasonCode::new(1).unwrap(), at: Wall(8) };
        let expected = json!({
            "index": 4, "at": 8, "kind": "revocation", "user": "bob", "device": "desk", "serial": "4f".repeat(16),
            "reason": 1,
        });
        assert_eq!(object(4, &revoked), expected);
    }
}
