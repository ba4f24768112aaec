//! Decides which Ed25519 public keys are nobody's own: for them anybody can sign anything, without any secret.
//!
//! A point of small order (RFC 8032 §5.1, RFC 7748 §7) makes the equation of a signature hold for every message, or for
//! one in eight at worst, and the crypto library takes such points (RFC 8032 §5.1.7 does not forbid them). So a request
//! for a certificate would prove its possession by nobody.

/// The y coordinates of the eight points of small order, as a key writes them, without the sign of x. The other three
/// of ours are 0, 1 and p - 1.
const OF_ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether a key is a point of small order, or not in its one encoding: its y is p = 2^255 - 19 or more.
pub(super) fn is_nobodys_own(key: [u8; 32]) -> bool {
    let mut y = key;
    y[31] &= 0x7f;
    let [first, middle @ .., last] = y;
    let is_small = first <= 1 && last == 0 && middle.iter().all(|byte| *byte == 0);
    // p - 1 and everything beyond.
    let is_large = first >= 0xec && last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    is_small || is_large || OF_ORDER_8.contains(&y)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// The point that adds nothing; with it as R, 0 as S and this key, every message is signed.
    const NEUTRAL: [u8; 32] = {
        let mut point = [0; 32];
        point[0] = 1;
        point
    };

    #[test]
    fn a_key_for_which_anybody_can_sign_is_nobodys_own() {
        let signature = [NEUTRAL, [0; 32]].concat();
        assert!(UnparsedPublicKey::new(&ED25519, NEUTRAL).verify(b"anything", &signature).is_ok(), "the library minds");
        assert!(is_nobodys_own(NEUTRAL));
    }

    #[test]
    fn every_point_of_small_order_is_refused_in_every_encoding() {
        let large = |first: u8| {
            let mut y = [0xff; 32];
            (y[0], y[31]) = (first, 0x7f);
            y
        };
        let all = OF_ORDER_8.into_iter().chain([[0; 32], NEUTRAL]).chain((0xec..=0xff).map(large));
        for mut key in all {
            assert!(is_nobodys_own(key), "{key:x?}");
            key[31] |= 0x80;
            assert!(is_nobodys_own(key), "{key:x?}");
        }
        let mut two = NEUTRAL;
        two[0] = 2;
        assert!(!is_nobodys_own(two) && !is_nobodys_own(large(0xeb)));
    }
}
