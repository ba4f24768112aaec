//! Decides for which reasons both programs take a device back, and how they are named.

use countersign_core::tlog::ReasonCode;

/// The reasons for which a device may be revoked, as RFC 5280 §5.3.1 names and numbers them.
const REASONS: [(&str, u8); 6] = [
    ("unspecified", 0),
    ("keyCompromise", 1),
    ("affiliationChanged", 3),
    ("superseded", 4),
    ("cessationOfOperation", 5),
    ("privilegeWithdrawn", 9),
];

/// Reads the name of a reason.
pub fn reason(text: &str) -> Result<ReasonCode, String> {
    let found = REASONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.and_then(|(_, code)| ReasonCode::new(*code)).ok_or_else(|| {
        let names = REASONS.map(|(name, _)| name).join(", ");
        format!("that is no reason for which a device is revoked: say one of {names}")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_of_those_that_take_a_device_back_for_ever() {
        for (name, code) in REASONS {
            assert_eq!(reason(name).map(ReasonCode::code), Ok(code));
            assert_eq!(reason(&name.to_lowercase()).map(ReasonCode::code), Ok(code));
        }
        for wrong in ["", "1", "cACompromise", "certificateHold", "removeFromCRL", "stolen"] {
            assert!(reason(wrong).is_err_and(|why| why.contains("keyCompromise")), "{wrong}");
        }
    }
}
